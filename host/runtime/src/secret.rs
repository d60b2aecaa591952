//! Credentials, which the host holds and no guest sees.
//!
//! A grant names where a credential is; this reads it, once, when the plugin is loaded.
//! From here it goes to one place, the [egress](crate::egress), which adds it to
//! requests that have left the sandbox. It has no `Display`, its `Debug` shows nothing,
//! errors name the source and never the value, and its memory is overwritten when it is
//! dropped. (The HTTP client's own buffers are not; a core dump of the host is as
//! sensitive as the credentials.)

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderName, HeaderValue};
use zeroize::Zeroizing;

use crate::grant::{HostPattern, SecretGrant, SecretSource};

/// The longest credential. Signed tokens reach a few kilobytes, and more fits no header.
const MAX_BYTES: u64 = 8 * 1024;

/// The shortest. Below this, blanking a credential out of answers would blank out
/// ordinary words too, and anyone could guess it.
const MIN_BYTES: usize = 8;

/// The credentials of one plugin, found or not.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    entries: Vec<Secret>,
}

/// One credential and where it goes.
#[derive(Clone, Debug)]
pub struct Secret {
    /// To requests to this host,
    pub host: HostPattern,
    /// in this header.
    pub header: HeaderName,
    /// What has become of it.
    pub state: SecretState,
}

/// Whether a credential was found.
#[derive(Clone, Debug)]
pub enum SecretState {
    /// It can be used.
    Ready(Credential),
    /// It cannot, and why. Requests that need it are refused rather than sent without.
    Missing(SecretError),
}

/// A credential, and the header value made of it.
#[derive(Clone)]
pub struct Credential {
    text: Zeroizing<String>,
    header: HeaderValue,
}

/// Why a credential cannot be used. Names its source, never its value.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SecretError {
    /// It is not there.
    #[error("{source_name} does not exist; {fix}")]
    NotFound {
        /// The source, in words.
        source_name: String,
        /// What to do.
        fix: String,
    },
    /// It is there and cannot be read.
    #[error("{source_name} cannot be read: {reason}; let the account that runs polity read it")]
    Unreadable {
        /// The source, in words.
        source_name: String,
        /// As the system says it.
        reason: String,
    },
    /// It is nothing that a header could carry.
    #[error("{source_name} {problem}")]
    Unusable {
        /// The source, in words.
        source_name: String,
        /// What is wrong, and what would be right.
        problem: &'static str,
    },
}

impl Secrets {
    /// Reads the credentials of a grant from the host's own environment and files.
    pub fn load(grants: &[SecretGrant]) -> Self {
        Self::load_with(grants, |name| std::env::var_os(name))
    }

    /// As [`load`](Self::load), with environment variables from elsewhere.
    pub fn load_with(grants: &[SecretGrant], variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let entries = grants
            .iter()
            .map(|grant| Secret {
                host: grant.host.clone(),
                header: grant.header.clone(),
                state: match read(&grant.source, &variable)
                    .and_then(|text| Credential::new(text, grant))
                {
                    Ok(credential) => SecretState::Ready(credential),
                    Err(error) => SecretState::Missing(error),
                },
            })
            .collect();
        Self { entries }
    }

    /// All of them, in the order of the grant.
    pub fn iter(&self) -> impl Iterator<Item = &Secret> {
        self.entries.iter()
    }

    /// Those that could not be used, for telling why a plugin is pending.
    pub fn missing(&self) -> impl Iterator<Item = (&Secret, &SecretError)> {
        self.entries
            .iter()
            .filter_map(|secret| match &secret.state {
                SecretState::Missing(error) => Some((secret, error)),
                SecretState::Ready(_) => None,
            })
    }

    /// The texts that must not leave the host in any other way.
    pub(crate) fn texts(&self) -> impl Iterator<Item = &str> {
        self.entries
            .iter()
            .filter_map(|secret| match &secret.state {
                SecretState::Ready(credential) => Some(credential.text.as_str()),
                SecretState::Missing(_) => None,
            })
    }
}

impl Credential {
    fn new(text: Zeroizing<String>, grant: &SecretGrant) -> Result<Self, SecretError> {
        let unusable = |problem| SecretError::Unusable {
            source_name: grant.source.to_string(),
            problem,
        };
        if text.len() < MIN_BYTES {
            return Err(unusable(
                "holds fewer than 8 characters, too few for a credential; put the whole of it there",
            ));
        }
        if !text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(unusable(
                "holds characters that a header cannot carry; put the credential alone there, on one line",
            ));
        }
        let value = Zeroizing::new(match &grant.user {
            None => grant.template.replacen("{}", &text, 1),
            Some(user) => {
                let pair = Zeroizing::new(format!("{user}:{}", *text));
                format!("Basic {}", STANDARD.encode(pair.as_bytes()))
            }
        });
        let mut header = HeaderValue::from_str(&value)
            .map_err(|_| unusable("does not make a header; look at its `template`"))?;
        header.set_sensitive(true);
        Ok(Self { text, header })
    }

    /// What goes on the wire.
    pub(crate) fn header(&self) -> &HeaderValue {
        &self.header
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

fn read(
    source: &SecretSource,
    variable: &impl Fn(&str) -> Option<OsString>,
) -> Result<Zeroizing<String>, SecretError> {
    let not_found = |fix: String| SecretError::NotFound {
        source_name: source.to_string(),
        fix,
    };
    match source {
        SecretSource::Env(name) => match variable(name).map(OsString::into_string) {
            // A shell script that sets a variable to nothing means that there is none.
            None => Err(not_found(unset(name))),
            Some(Ok(text)) if text.is_empty() => Err(not_found(unset(name))),
            Some(Ok(text)) => Ok(Zeroizing::new(text)),
            Some(Err(_)) => Err(SecretError::Unusable {
                source_name: source.to_string(),
                problem: "is not UTF-8",
            }),
        },
        SecretSource::File(path) => read_file(source, path, "write the credential there"),
        SecretSource::Credential(name) => match variable("CREDENTIALS_DIRECTORY") {
            Some(folder) => read_file(
                source,
                &PathBuf::from(folder).join(name),
                "add LoadCredential= to the service",
            ),
            None => Err(not_found(
                "it needs $CREDENTIALS_DIRECTORY, which systemd sets for a service with \
                 LoadCredential="
                    .into(),
            )),
        },
    }
}

/// A process sees the environment that it was started with, so only a start helps.
fn unset(name: &str) -> String {
    format!(
        "set {name} before polity starts, or write `file = \"…\"` into the grant in place of `env`"
    )
}

fn read_file(
    source: &SecretSource,
    path: &Path,
    fix: &str,
) -> Result<Zeroizing<String>, SecretError> {
    let mut text = Zeroizing::new(String::new());
    let read = File::open(path).and_then(|file| {
        // One more than allowed tells a file that is too long from one that just fits.
        file.take(MAX_BYTES + 1).read_to_string(&mut text)
    });
    match read {
        Ok(length) if length as u64 > MAX_BYTES => Err(SecretError::Unusable {
            source_name: source.to_string(),
            problem: "is longer than 8 KiB, which no header can carry",
        }),
        Ok(_) => {
            // Editors and `echo` end files with a line end that is no part of the value.
            let length = text.trim_end_matches(['\r', '\n']).len();
            text.truncate(length);
            Ok(text)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SecretError::NotFound {
            source_name: source.to_string(),
            fix: fix.to_owned(),
        }),
        Err(error) => Err(SecretError::Unreadable {
            source_name: source.to_string(),
            reason: error.to_string(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-0123456789abcdef";

    fn grant(source: SecretSource) -> SecretGrant {
        SecretGrant {
            host: HostPattern::parse("api.example.com").unwrap(),
            header: HeaderName::from_static("authorization"),
            template: "Bearer {}".into(),
            user: None,
            source,
        }
    }

    fn load(source: SecretSource, variables: &[(&str, &str)]) -> SecretState {
        let secrets = Secrets::load_with(&[grant(source)], |name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| value.into())
        });
        secrets.entries[0].state.clone()
    }

    fn error(source: SecretSource, variables: &[(&str, &str)]) -> String {
        match load(source, variables) {
            SecretState::Missing(error) => error.to_string(),
            SecretState::Ready(_) => panic!("it was found"),
        }
    }

    fn header(state: SecretState) -> String {
        match state {
            SecretState::Ready(credential) => credential.header.to_str().unwrap().to_owned(),
            SecretState::Missing(error) => panic!("{error}"),
        }
    }

    #[test]
    fn a_credential_is_read_from_a_variable_a_file_or_systemd() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("openai"), format!("{KEY}\r\n")).unwrap();
        let variables = [
            ("KEY", KEY),
            ("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap()),
        ];
        for source in [
            SecretSource::Env("KEY".into()),
            SecretSource::File(folder.path().join("openai")),
            SecretSource::Credential("openai".into()),
        ] {
            assert_eq!(header(load(source, &variables)), format!("Bearer {KEY}"));
        }
    }

    #[test]
    fn a_password_goes_with_its_user() {
        let mut grant = grant(SecretSource::Env("KEY".into()));
        grant.user = Some("Aladdin".into());
        let secrets = Secrets::load_with(&[grant], |_| Some("open sesame".into()));
        assert_eq!(
            header(secrets.entries[0].state.clone()),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
    }

    #[test]
    fn a_credential_that_is_not_there_says_where_it_should_be() {
        assert!(error(SecretSource::Env("KEY".into()), &[]).contains("set KEY"));
        assert!(error(SecretSource::Env("KEY".into()), &[("KEY", "")]).contains("set KEY"));
        assert!(error(SecretSource::File("/nowhere/key".into()), &[]).contains("/nowhere/key"));
        assert!(error(SecretSource::Credential("k".into()), &[]).contains("LoadCredential="));
    }

    #[test]
    fn a_folder_in_place_of_a_file_is_unreadable() {
        let folder = tempfile::tempdir().unwrap();
        let error = error(SecretSource::File(folder.path().into()), &[]);
        assert!(error.contains("cannot be read"), "{error}");
    }

    #[test]
    fn what_no_header_can_carry_is_refused_without_being_shown() {
        for value in [
            "hunter2",
            "first-line\nsecond: line",
            "pässword-with-umlaut",
            "tab\tseparated",
        ] {
            let error = error(SecretSource::Env("KEY".into()), &[("KEY", value)]);
            assert!(error.contains("KEY") && !error.contains(value), "{error}");
        }
        let long = "x".repeat(20_000);
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("k"), long).unwrap();
        assert!(error(SecretSource::File(folder.path().join("k")), &[]).contains("8 KiB"));
    }

    #[test]
    fn nothing_prints_a_credential() {
        let secrets = Secrets::load_with(&[grant(SecretSource::Env("KEY".into()))], |_| {
            Some(KEY.into())
        });
        let shown = format!("{secrets:?} {secrets:#?}");
        assert!(!shown.contains("0123"), "{shown}");
        assert!(shown.contains("***"));
    }
}
