//! From what the file says to what it means.

use std::path::{Component, Path, PathBuf};

use http::{HeaderName, HeaderValue, Method};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::document::Document;
use super::problem::Problem;
use super::{
    FolderGrant, Grant, HostPattern, HttpGrant, LimitOverrides, PathPattern, SecretGrant,
    SecretSource, TrapPolicy,
};
use crate::egress::address::{AddressClass, Reach};
use crate::egress::headers;

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct RawGrant {
    digest: Option<String>,
    http: Vec<RawHttp>,
    secret: Vec<RawSecret>,
    folder: Vec<RawFolder>,
    config: Map<String, Value>,
    limits: LimitOverrides,
    trap: TrapPolicy,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHttp {
    host: String,
    methods: Option<Vec<String>>,
    paths: Option<Vec<String>>,
    #[serde(default)]
    plain: bool,
    #[serde(default)]
    private: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawSecret {
    host: String,
    header: String,
    template: Option<String>,
    user: Option<String>,
    env: Option<String>,
    file: Option<PathBuf>,
    credential: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFolder {
    host: PathBuf,
    guest: String,
    #[serde(default)]
    write: bool,
}

/// Problems found so far, each at the line of what it is about.
struct Findings<'a> {
    document: &'a Document,
    problems: Vec<Problem>,
}

/// `document` has passed the schema.
pub(super) fn resolve(document: &Document) -> Result<Grant, Vec<Problem>> {
    let raw: RawGrant = match serde_json::from_value(document.value.clone()) {
        Ok(raw) => raw,
        // The schema and these types would have to disagree.
        Err(error) => {
            return Err(vec![Problem {
                line: None,
                message: error.to_string(),
            }]);
        }
    };
    let mut findings = Findings {
        document,
        problems: Vec::new(),
    };
    let digest = raw.digest.and_then(|text| {
        let digest = text.parse();
        findings.ok("/digest", "digest", digest)
    });
    let http: Vec<_> = each(raw.http, |i, raw| findings.http(i, raw));
    let secrets: Vec<_> = each(raw.secret, |i, raw| findings.secret(i, raw));
    let folders: Vec<_> = each(raw.folder, |i, raw| findings.folder(i, raw));
    findings.secrets_have_hosts(&http, &secrets);
    if !findings.problems.is_empty() {
        return Err(findings.problems);
    }
    Ok(Grant {
        digest,
        http: http.into_iter().flatten().collect(),
        secrets: secrets.into_iter().flatten().collect(),
        folders: folders.into_iter().flatten().collect(),
        config: Value::Object(raw.config),
        limits: raw.limits,
        trap: raw.trap,
    })
}

/// Keeps places: what failed leaves a `None`, so that an index still is a line.
fn each<T, U>(raw: Vec<T>, mut resolve: impl FnMut(usize, T) -> Option<U>) -> Vec<Option<U>> {
    raw.into_iter()
        .enumerate()
        .map(|(i, raw)| resolve(i, raw))
        .collect()
}

impl Findings<'_> {
    fn say(&mut self, pointer: &str, message: String) {
        self.problems.push(Problem {
            line: self.document.line(pointer),
            message,
        });
    }

    fn ok<T, E: std::fmt::Display>(
        &mut self,
        pointer: &str,
        key: &str,
        result: Result<T, E>,
    ) -> Option<T> {
        result
            .map_err(|error| self.say(pointer, format!("`{key}` {error}")))
            .ok()
    }

    fn http(&mut self, i: usize, raw: RawHttp) -> Option<HttpGrant> {
        let here = format!("/http/{i}");
        let host = self.ok(
            &format!("{here}/host"),
            "host",
            HostPattern::parse(&raw.host),
        );
        if let Some(host) = &host {
            self.host_can_be_reached(&format!("{here}/host"), host, raw.private);
        }
        let mut methods = Vec::new();
        for (m, name) in raw.methods.iter().flatten().enumerate() {
            let pointer = format!("{here}/methods/{m}");
            if name == "CONNECT" || name == "TRACE" {
                self.say(
                    &pointer,
                    format!(
                        "`methods` cannot hold {name}, which would leave the sandbox's rules behind"
                    ),
                );
            } else if let Some(method) =
                self.ok(&pointer, "methods", Method::from_bytes(name.as_bytes()))
            {
                methods.push(method);
            }
        }
        if raw.methods.is_none() {
            methods = vec![Method::GET, Method::HEAD];
        }
        let mut paths = Vec::new();
        for (p, text) in raw.paths.iter().flatten().enumerate() {
            let pointer = format!("{here}/paths/{p}");
            paths.extend(self.ok(&pointer, "paths", PathPattern::parse(text)));
        }
        if raw.paths.is_none() {
            paths = vec![PathPattern::all()];
        }
        Some(HttpGrant {
            host: host?,
            methods,
            paths,
            plain: raw.plain,
            private: raw.private,
        })
    }

    /// Tells of a grant that could never be used.
    fn host_can_be_reached(&mut self, pointer: &str, host: &HostPattern, private: bool) {
        let class = host.address().map(AddressClass::of);
        match class.map(AddressClass::reach) {
            Some(Reach::Never) => {
                let class = class.map(|class| class.to_string()).unwrap_or_default();
                self.say(
                    pointer,
                    format!("\"{host}\" is {class}, which nothing can connect to"),
                );
            }
            Some(Reach::Private | Reach::Named) if !private => {
                let class = class.map(|class| class.to_string()).unwrap_or_default();
                self.say(
                    pointer,
                    format!("\"{host}\" is {class}; add `private = true` to allow it"),
                );
            }
            None if host.is_localhost() && !private => self.say(
                pointer,
                format!("\"{host}\" is this machine; add `private = true` to allow it"),
            ),
            _ => {}
        }
    }

    fn secret(&mut self, i: usize, raw: RawSecret) -> Option<SecretGrant> {
        let here = format!("/secret/{i}");
        let host = self.ok(
            &format!("{here}/host"),
            "host",
            HostPattern::parse(&raw.host),
        );
        let header = self.ok(
            &format!("{here}/header"),
            "header",
            HeaderName::from_bytes(raw.header.as_bytes())
                .map_err(|_| format!("{:?} is not the name of a header", raw.header)),
        );
        if let Some(header) = &header
            && headers::is_forbidden(header)
        {
            self.say(
                &format!("{here}/header"),
                format!("`header` {header} is the host's own; a credential needs another"),
            );
        }
        if raw.user.is_some() && raw.template.is_some() {
            self.say(
                &format!("{here}/template"),
                "`template` and `user` both say what the header is; keep one of them".into(),
            );
        }
        let template = raw.template.unwrap_or_else(|| "{}".into());
        if template.matches("{}").count() != 1 {
            self.say(
                &format!("{here}/template"),
                "`template` must hold {} once, where the credential goes".into(),
            );
        } else if HeaderValue::from_str(&template).is_err() {
            self.say(
                &format!("{here}/template"),
                "`template` has characters that a header cannot carry".into(),
            );
        }
        let source = match (raw.env, raw.file, raw.credential) {
            (Some(name), None, None) => SecretSource::Env(name),
            (None, Some(path), None) => SecretSource::File(path),
            (None, None, Some(name)) => SecretSource::Credential(name),
            // The schema has seen to it.
            _ => return None,
        };
        Some(SecretGrant {
            host: host?,
            header: header?,
            template,
            user: raw.user,
            source,
        })
    }

    fn folder(&mut self, i: usize, raw: RawFolder) -> Option<FolderGrant> {
        let here = format!("/folder/{i}");
        let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
        if !raw.host.is_absolute() || climbs(&raw.host) {
            self.say(
                &format!("{here}/host"),
                "`host` must be an absolute path without `..`".into(),
            );
        }
        if climbs(Path::new(&raw.guest)) {
            self.say(
                &format!("{here}/guest"),
                "`guest` must be an absolute path without `..`".into(),
            );
        }
        Some(FolderGrant {
            host: raw.host,
            guest: raw.guest,
            write: raw.write,
        })
    }

    /// A credential that is never used, or used in clear, or twice, is a mistake.
    fn secrets_have_hosts(&mut self, http: &[Option<HttpGrant>], secrets: &[Option<SecretGrant>]) {
        // With a host missing for another reason, "never used" would be a false alarm.
        let complete = http.iter().all(Option::is_some);
        for (i, secret) in secrets.iter().enumerate() {
            let Some(secret) = secret else { continue };
            let here = format!("/secret/{i}/host");
            let twin = |other: &Option<SecretGrant>| {
                other
                    .as_ref()
                    .is_some_and(|other| other.host == secret.host && other.header == secret.header)
            };
            if secrets[..i].iter().any(twin) {
                let (header, host) = (&secret.header, &secret.host);
                self.say(
                    &here,
                    format!("there are two credentials for {header} at {host}; remove one"),
                );
            }
            let mut used = http
                .iter()
                .flatten()
                .filter(|http| http.host.covers(&secret.host) || secret.host.covers(&http.host))
                .peekable();
            let host = &secret.host;
            if complete && used.peek().is_none() {
                self.say(
                    &here,
                    format!(
                        "a credential for {host} is never used, because no [[http]] table grants \
                         that host; add one, or write the host and port of an existing one"
                    ),
                );
            }
            if used.any(|http| http.plain && !http.private) {
                self.say(
                    &here,
                    format!(
                        "a credential for {host} would travel unencrypted; remove `plain = true` \
                         from its [[http]] table, or add `private = true` if it stays in a private \
                         network"
                    ),
                );
            }
        }
    }
}
