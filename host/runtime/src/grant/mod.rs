//! What the operator allows a plugin: `<plugin>.grant.toml`.
//!
//! Everything is denied by default: [`Grant::default`], which stands for a plugin
//! without a file, allows nothing. The file belongs to the operator and the plugin never
//! sees it. It is checked twice when it is read: against `grant.schema.json`, which
//! editors can use too, and then for what a schema cannot tell (hosts that would grant
//! the world, credentials that would travel in clear). A file with any mistake grants
//! nothing at all, since half of what was meant may be worse than none.

mod document;
mod host;
mod limits;
pub(crate) mod paste;
pub(crate) mod path;
pub(crate) mod problem;
mod raw;
mod schema;
mod suffix;

use std::path::{Path, PathBuf};

use http::{HeaderName, Method};
use serde_json::Value;

pub use host::{HostPattern, HostPatternError};
pub use limits::{LimitOverrides, Limits, TrapPolicy};
pub use path::{PathPattern, PathPatternError};
pub use problem::{GrantError, Problem};
pub use schema::GRANT_SCHEMA;
pub(crate) use schema::compile as compile_schema;

use crate::manifest::World;
use crate::signature::Digest;

/// The longest file that is read. Nobody writes a megabyte of grants by hand.
const MAX_BYTES: usize = 1024 * 1024;

/// What one plugin may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Grant {
    /// The only bytes that the grant is for, where the operator pinned them.
    pub digest: Option<Digest>,
    /// The requests that it may send.
    pub http: Vec<HttpGrant>,
    /// The credentials that the host adds to them.
    pub secrets: Vec<SecretGrant>,
    /// The folders that it may use.
    pub folders: Vec<FolderGrant>,
    /// Its settings, a JSON object.
    pub config: Value,
    /// The limits that the operator changed.
    pub limits: LimitOverrides,
    /// When it is put aside for failing.
    pub trap: TrapPolicy,
}

/// Requests to one host, or to all hosts below one name.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpGrant {
    /// Which.
    pub host: HostPattern,
    /// With these methods.
    pub methods: Vec<Method>,
    /// At these paths.
    pub paths: Vec<PathPattern>,
    /// Over `http:` as well as `https:`.
    pub plain: bool,
    /// At an address of this machine or of a private network, should the name lead
    /// there.
    pub private: bool,
}

/// A credential, and where it is added.
#[derive(Clone, Debug, PartialEq)]
pub struct SecretGrant {
    /// To requests to this host,
    pub host: HostPattern,
    /// in this header,
    pub header: HeaderName,
    /// in place of the `{}` of this text.
    pub template: String,
    /// Whose password it is. The header is then that of RFC 7617: `Basic`, and both in base64.
    pub user: Option<String>,
    /// Where the host reads it.
    pub source: SecretSource,
}

/// Where the host reads a credential. The value itself is never written in a grant.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SecretSource {
    /// An environment variable of the host.
    Env(String),
    /// A file.
    File(PathBuf),
    /// A file in the folder that systemd names in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// A folder of this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct FolderGrant {
    /// Where it is here.
    pub host: PathBuf,
    /// Where the plugin sees it.
    pub guest: String,
    /// Whether the plugin may change what is in it.
    pub write: bool,
}

/// Why a grant file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum GrantReadError {
    /// It is there and cannot be read.
    #[error("cannot read {}: {source}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It can be read and is wrong.
    #[error(transparent)]
    Invalid(#[from] GrantError),
}

impl Grant {
    /// Reads a grant. `file` is what errors call it.
    pub fn parse(file: &str, text: &str) -> Result<Self, GrantError> {
        if text.len() > MAX_BYTES {
            let problem = Problem {
                line: None,
                message: format!("the file has {} bytes, more than {MAX_BYTES}", text.len()),
            };
            return Err(GrantError::new(file, vec![problem]));
        }
        let parsed = document::Document::parse(text).and_then(|document| {
            let problems = schema::check(&document);
            if problems.is_empty() {
                raw::resolve(&document)
            } else {
                Err(problems)
            }
        });
        parsed.map_err(|problems| GrantError::new(file, problems))
    }

    /// Reads a file. `None` where there is none, which is an ordinary way to grant
    /// nothing.
    pub fn read(path: &Path) -> Result<Option<Self>, GrantReadError> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => {
                let path = path.to_owned();
                return Err(GrantReadError::Io { path, source });
            }
        };
        let name = path.file_name().unwrap_or(path.as_os_str());
        Ok(Some(Self::parse(&name.to_string_lossy(), &text)?))
    }

    /// The limits of a plugin of this world under this grant.
    pub fn limits(&self, world: World) -> Limits {
        self.limits.over(Limits::for_world(world))
    }
}

impl Default for Grant {
    fn default() -> Self {
        Self {
            digest: None,
            http: Vec::new(),
            secrets: Vec::new(),
            folders: Vec::new(),
            config: Value::Object(serde_json::Map::new()),
            limits: LimitOverrides::default(),
            trap: TrapPolicy::default(),
        }
    }
}

impl std::fmt::Display for SecretSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable {name}"),
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Credential(name) => write!(f, "the systemd credential {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: &str = r#"
digest = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
[[http]]
host = "api.openai.com"
methods = ["POST"]
paths = ["/v1/*"]
[[http]]
host = "localhost:11434"
plain = true
private = true
[[secret]]
host = "api.openai.com"
header = "Authorization"
template = "Bearer {}"
env = "OPENAI_API_KEY"
[[folder]]
host = "/srv/reports"
guest = "/reports"
[config]
anything = ["goes", 1]
[limits]
memory_mb = 128
[trap]
strikes = 5
"#;

    fn problems(text: &str) -> String {
        Grant::parse("acme.grant.toml", text)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_empty_file_grants_nothing() {
        assert_eq!(Grant::parse("a", "").unwrap(), Grant::default());
    }

    #[test]
    fn a_missing_file_grants_nothing_and_an_unreadable_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            Grant::read(&folder.path().join("no.grant.toml"))
                .unwrap()
                .is_none()
        );
        assert!(matches!(
            Grant::read(folder.path()),
            Err(GrantReadError::Io { .. })
        ));
    }

    #[test]
    fn a_full_file_is_read() {
        let grant = Grant::parse("acme.grant.toml", FULL).unwrap();
        assert_eq!(grant.http[0].methods, [Method::POST]);
        assert_eq!(grant.http[1].methods, [Method::GET, Method::HEAD]);
        assert!(grant.http[1].paths[0].is_all());
        assert_eq!(grant.secrets[0].header, "authorization");
        assert_eq!(
            grant.secrets[0].source,
            SecretSource::Env("OPENAI_API_KEY".into())
        );
        assert!(!grant.folders[0].write);
        assert_eq!(grant.config, serde_json::json!({"anything": ["goes", 1]}));
        assert_eq!(
            grant.limits(World::ModelAdapter).memory_bytes,
            128 * 1024 * 1024
        );
        assert_eq!((grant.trap.strikes, grant.trap.window_s), (5, 60));
        assert!(grant.digest.is_some());
    }

    #[test]
    fn every_mistake_is_told_with_its_line_and_what_would_be_right() {
        insta::assert_snapshot!(problems(
            r#"
[[http]]
hots = "api.openai.com"
methds = ["POST"]
[[http]]
host = "api.openai.com"
methods = ["post"]
plain = "yes"
[[secret]]
host = "api.openai.com"
header = "authorization"
[[secret]]
host = "api.openai.com"
header = "authorization"
env = "sk-abcdefghijklmnop"
[[secret]]
host = "api.openai.com"
header = "authorization"
env = "A"
file = "/b"
[limits]
memory_mb = 0
wall_ms = "long"
fule = 7
[folders]
"#
        ), @r#"
        acme.grant.toml:2: `host` is missing in [[http]]: a host, or *.example.com for all names below one; with a port where it is not the scheme's own
        acme.grant.toml:3: unknown key `hots`; did you mean `host`?
        acme.grant.toml:4: unknown key `methds`; did you mean `methods`?
        acme.grant.toml:7: `methods` takes HTTP methods in upper case, not "post"
        acme.grant.toml:8: `plain` must be a boolean, not "yes"
        acme.grant.toml:9: one of `env`, `file` or `credential` must say where the credential is
        acme.grant.toml:15: `env` takes the name of an environment variable of the host, never the credential itself
        acme.grant.toml:16: only one of `env`, `file` and `credential` can say where the credential is
        acme.grant.toml:22: `memory_mb` must be at least 1: mebibytes of memory of one instance
        acme.grant.toml:23: `wall_ms` must be an integer, not "long"
        acme.grant.toml:24: unknown key `fule`; did you mean `fuel`?
        acme.grant.toml:25: unknown key `folders`; did you mean `folder`?
        "#);
    }

    #[test]
    fn a_syntax_error_names_its_line() {
        assert!(problems("\n[[http]\n").starts_with("acme.grant.toml:2: "));
    }

    #[test]
    fn what_a_schema_cannot_tell_is_told_too() {
        insta::assert_snapshot!(problems(
            r#"
[[http]]
host = "*"
[[http]]
host = "localhost:8080"
[[http]]
host = "example.com"
plain = true
methods = ["CONNECT"]
paths = ["v1", "/a/../b"]
[[http]]
host = "0.0.0.0:80"
private = true
[[secret]]
host = "example.com"
header = "content-length"
template = "none"
env = "A"
[[secret]]
host = "example.com"
header = "x-key"
env = "A"
[[secret]]
host = "example.com"
header = "X-Key"
env = "B"
[[folder]]
host = "/srv/../etc"
guest = "/a"
"#
        ), @r#"
        acme.grant.toml:3: `host` "*" would grant every host; name each one
        acme.grant.toml:5: "localhost:8080" is this machine; add `private = true` to allow it
        acme.grant.toml:9: `methods` cannot hold CONNECT, which would leave the sandbox's rules behind
        acme.grant.toml:10: `paths` "v1" does not begin with "/"
        acme.grant.toml:10: `paths` "/a/../b" has dot segments; write the path that they lead to
        acme.grant.toml:12: "0.0.0.0:80" is an unspecified address, which nothing can connect to
        acme.grant.toml:15: a credential for example.com would travel unencrypted; remove `plain = true` from its [[http]] table, or add `private = true` if it stays in a private network
        acme.grant.toml:16: `header` content-length is the host's own; a credential needs another
        acme.grant.toml:17: `template` must hold {} once, where the credential goes
        acme.grant.toml:20: a credential for example.com would travel unencrypted; remove `plain = true` from its [[http]] table, or add `private = true` if it stays in a private network
        acme.grant.toml:24: there are two credentials for x-key at example.com; remove one
        acme.grant.toml:24: a credential for example.com would travel unencrypted; remove `plain = true` from its [[http]] table, or add `private = true` if it stays in a private network
        acme.grant.toml:28: `host` must be an absolute path without `..`
        "#);
    }

    #[test]
    fn a_credential_that_no_request_could_carry_is_a_mistake() {
        let secret = |host: &str| {
            format!(
                "[[http]]\nhost = \"api.example.com:8443\"\n[[secret]]\nhost = \"{host}\"\nheader = \"x-key\"\nenv = \"A\"\n"
            )
        };
        assert!(problems(&secret("api.example.com")).contains("is never used"));
        assert!(Grant::parse("a", &secret("api.example.com:8443")).is_ok());
        assert!(Grant::parse("a", &secret("*.example.com:8443")).is_ok());
    }

    #[test]
    fn a_credential_may_go_unencrypted_within_a_private_network() {
        Grant::parse(
            "a",
            "[[http]]\nhost = \"127.0.0.1:1\"\nplain = true\nprivate = true\n[[secret]]\nhost = \"127.0.0.1:1\"\nheader = \"x-key\"\nfile = \"/key\"\n",
        )
        .unwrap();
    }

    #[test]
    fn the_grant_file_is_no_place_for_the_credential_itself() {
        let key = "sk-proj-0123456789";
        let error = problems(&format!(
            "[[http]]\nhost=\"a.example\"\n[[secret]]\nhost=\"a.example\"\nheader=\"x\"\nenv=\"{key}\"\nvalue=\"{key}\"\n"
        ));
        assert!(!error.contains(key), "{error}");
    }
}
