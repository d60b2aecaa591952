//! A remote that a company's constitution is pushed to.
//!
//! Only encrypted transports, and paths on this machine: what decides over a company is not taken from whoever stands in
//! the middle.

use std::fmt;
use std::time::Duration;

use crate::repository::is_id;
use crate::{GitError, Repository, branch_fault};

/// How long a fetch may take.
const TIME: Duration = Duration::from_secs(60);

/// What a mirror may weigh. Constitutions are texts; what is larger was put there by mistake or in bad faith.
const MAX_MIRROR: u64 = 256 << 20;

/// Where what was fetched last stands.
const FETCHED: &str = "refs/polity/fetched";

/// A remote and the branch that is in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    url: String,
    scheme: &'static str,
    branch: String,
}

/// Why something is no remote.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RemoteError {
    /// The address cannot be used.
    #[error("{url:?} is no address to fetch a constitution from: {why}")]
    Url {
        /// The address, without a password.
        url: String,
        /// Why.
        why: &'static str,
    },
    /// The branch cannot be one.
    #[error("{branch:?} is no name for a branch: {fault}")]
    Branch {
        /// The branch.
        branch: String,
        /// Why.
        fault: &'static str,
    },
}

impl Remote {
    /// A remote, if it may be one.
    ///
    /// # Errors
    /// See [`RemoteError`].
    pub fn new(url: &str, branch: &str) -> Result<Self, RemoteError> {
        if let Some(fault) = branch_fault(branch) {
            return Err(RemoteError::Branch {
                branch: branch.to_owned(),
                fault,
            });
        }
        let scheme = scheme(url).map_err(|why| RemoteError::Url {
            url: shown(url),
            why,
        })?;
        Ok(Self {
            url: url.to_owned(),
            scheme,
            branch: branch.to_owned(),
        })
    }

    /// The branch.
    pub fn branch(&self) -> &str {
        &self.branch
    }
}

/// Without the password that an address may carry.
impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", shown(&self.url), self.branch)
    }
}

impl Repository {
    /// Fetches the newest commit of a remote's branch into this mirror, and no history.
    ///
    /// # Errors
    /// The remote does not answer in time, has no such branch, or sends what is not taken.
    pub fn fetch(&self, remote: &Remote) -> Result<String, GitError> {
        let what = format!("{remote} cannot be fetched");
        let spec = format!("+refs/heads/{}:{FETCHED}", remote.branch);
        let git = self
            .git(&what)
            .env("GIT_ALLOW_PROTOCOL", remote.scheme)
            .set("http.lowSpeedLimit=1000")
            .set("http.lowSpeedTime=20")
            .args([
                "fetch",
                "--quiet",
                "--depth=1",
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "--force",
                "--",
                &remote.url,
                &spec,
            ])
            .within(TIME)
            .grows_at_most(self.git_dir.clone(), MAX_MIRROR);
        let git = if std::env::var_os("GIT_SSH_COMMAND").is_none() {
            git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=15")
        } else {
            git
        };
        git.run().map_err(|error| match error {
            GitError::Failed { what, said } => GitError::Failed {
                what,
                said: said.replace(&remote.url, &shown(&remote.url)),
            },
            error => error,
        })?;
        let commit = self
            .resolve(FETCHED)?
            .filter(|commit| is_id(commit))
            .ok_or_else(|| GitError::Unknown(format!("branch {:?}", remote.branch)))?;
        Ok(commit)
    }

    /// This mirror with the company's folder in it found: the root, or `protocols/`.
    ///
    /// # Errors
    /// git failed.
    pub fn with_company(mut self, commit: &str) -> Result<Self, GitError> {
        for prefix in ["", "protocols/"] {
            let ended = self
                .git("the company cannot be found")
                .args(["cat-file", "-e", &format!("{commit}:{prefix}charter.json")])
                .end()?;
            if ended.success {
                self.prefix = prefix.to_owned();
                return Ok(self);
            }
        }
        Err(GitError::Unknown(
            "charter.json, at its root or in protocols/,".to_owned(),
        ))
    }
}

fn scheme(url: &str) -> Result<&'static str, &'static str> {
    const WAYS: &str = "use https://, ssh://, user@host:path, or a path on this machine";
    if url.is_empty()
        || url.starts_with('-')
        || url.chars().any(char::is_control)
        || url.len() > 2_000
    {
        return Err(WAYS);
    }
    if url.contains("::") {
        return Err(
            "it would run a helper program; use https://, ssh:// or a path on this machine",
        );
    }
    if url.starts_with('/') {
        return Ok("file");
    }
    let Some((scheme, rest)) = url.split_once("://") else {
        // user@host:path, as people write it for ssh.
        let host = url
            .split_once(':')
            .map(|(host, _)| host)
            .unwrap_or_default();
        let is_host = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@');
        return match host {
            "" => Err("it is a relative path; write it from the root: /srv/company.git"),
            host if host.chars().all(is_host) && !host.contains("@-") => Ok("ssh"),
            _ => Err(WAYS),
        };
    };
    match scheme {
        "https" => Ok("https"),
        "ssh" if rest.starts_with('-') || rest.contains("@-") => Err(WAYS),
        "ssh" => Ok("ssh"),
        "file" => Ok("file"),
        "http" if is_loopback(url) => Ok("http"),
        "http" | "git" => {
            Err("anybody on the way could change what it says; use https:// or ssh://")
        }
        _ => Err(WAYS),
    }
}

fn is_loopback(url: &str) -> bool {
    url::Url::parse(url).is_ok_and(|url| match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    })
}

fn shown(url: &str) -> String {
    match url::Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() || parsed.query().is_some() => {
            let _ = parsed.set_password(None);
            parsed.set_query(None);
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_nobody_can_change_on_the_way_is_a_remote() {
        for url in [
            "https://example.com/company.git",
            "ssh://git@example.com/company.git",
            "git@example.com:company.git",
            "/srv/company.git",
            "file:///srv/company.git",
            "http://127.0.0.1:3000/company.git",
        ] {
            assert!(Remote::new(url, "main").is_ok(), "{url}");
        }
        for url in [
            "",
            "http://example.com/company.git",
            "git://example.com/company.git",
            "ext::sh -c touch% /tmp/owned",
            "--upload-pack=touch /tmp/owned",
            "ssh://-oProxyCommand=touch/x",
            "git@-oProxyCommand=x:company",
            "company.git",
            "ftp://example.com/x",
            "https://a\nb",
        ] {
            assert!(Remote::new(url, "main").is_err(), "{url}");
        }
        assert!(Remote::new("/srv/c.git", "--force").is_err());
    }

    #[test]
    fn a_password_in_an_address_is_not_shown() {
        let remote = Remote::new("https://bot:hunter2@example.com/c.git", "main").unwrap();
        assert_eq!(remote.to_string(), "https://bot@example.com/c.git main");
    }
}
