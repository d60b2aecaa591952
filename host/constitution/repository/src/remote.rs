//! A remote that a company's constitution is pushed to.
//!
//! Only encrypted transports, and paths on this machine: what decides over a company is not taken from whoever stands in
//! the middle.

use std::fmt;
use std::time::Duration;

use crate::git::Git;
use crate::repository::{is_id, remove};
use crate::{GitError, Repository, branch_fault};

/// How long a fetch may take.
const TIME: Duration = Duration::from_secs(60);

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
        let spec = format!("+refs/heads/{}:{FETCHED}", remote.branch);
        self.get(remote, "--depth=1", &[spec])?;
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

impl Repository {
    /// Fetches whole branches of a remote into this mirror, the remote's own among them, and takes that for what is
    /// checked out.
    ///
    /// # Errors
    /// See [`Repository::fetch`].
    pub fn fetch_branches(&self, remote: &Remote, others: &[&str]) -> Result<String, GitError> {
        let mut specs = Vec::new();
        for branch in [remote.branch.as_str()].iter().chain(others) {
            if let Some(fault) = branch_fault(branch) {
                return Err(GitError::BadBranch {
                    name: (*branch).to_owned(),
                    fault,
                });
            }
            specs.push(format!("+refs/heads/{branch}:refs/heads/{branch}"));
        }
        specs.dedup();
        // So deep is all of it, whether or not there was a limit before.
        self.get(remote, "--depth=2147483647", &specs)?;
        let head = format!("refs/heads/{}", remote.branch);
        self.git("the branch cannot be chosen")
            .args(["symbolic-ref", "HEAD", &head])
            .run()?;
        self.commit_of(&remote.branch)
    }

    /// Pushes references to a remote, all of them or none, and only forward.
    ///
    /// # Errors
    /// The remote has moved on, or refuses.
    pub fn push(&self, remote: &Remote, references: &[&str]) -> Result<(), GitError> {
        let specs = references.iter().map(|name| format!("{name}:{name}"));
        self.at_remote(remote, format!("{remote} does not take the push"))
            .args([
                "push",
                "--quiet",
                "--atomic",
                "--no-verify",
                "--",
                &remote.url,
            ])
            .args(specs)
            .run()
            .map(drop)
            .map_err(|error| remote.hidden(error))
    }

    /// Forgets a tag that did not come to be.
    ///
    /// # Errors
    /// git failed.
    pub fn forget_tag(&self, tag: &str) -> Result<(), GitError> {
        self.git("a tag cannot be removed")
            .args(["update-ref", "-d", &format!("refs/tags/{tag}")])
            .run()
            .map(drop)
    }

    fn get(&self, remote: &Remote, depth: &str, specs: &[String]) -> Result<(), GitError> {
        let got = self
            .at_remote(remote, format!("{remote} cannot be fetched"))
            .args([
                "fetch",
                "--quiet",
                depth,
                "--no-tags",
                "--no-write-fetch-head",
                "--no-auto-maintenance",
                "--no-recurse-submodules",
                "--force",
                "--",
                &remote.url,
            ])
            .args(specs)
            .grows_at_most(self.git_dir.clone(), self.most)
            .run()
            .map(drop);
        match got {
            // What was left behind would be in the way of everything that comes after it.
            Err(error @ (GitError::TooMuch { .. } | GitError::TooLong { .. }))
                if self.work_tree.is_none() =>
            {
                remove(&self.git_dir)?;
                Err(error)
            }
            got => got.map_err(|error| remote.hidden(error)),
        }
    }

    fn at_remote(&self, remote: &Remote, what: String) -> Git {
        let git = self
            .git(what)
            .env("GIT_ALLOW_PROTOCOL", remote.scheme)
            .set("http.lowSpeedLimit=1000")
            .set("http.lowSpeedTime=20")
            .within(TIME);
        match std::env::var_os("GIT_SSH_COMMAND") {
            Some(_) => git,
            None => git.env("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=15"),
        }
    }
}

impl Remote {
    /// What git says of it, without the password in its address.
    fn hidden(&self, error: GitError) -> GitError {
        match error {
            GitError::Failed { what, said } => GitError::Failed {
                what,
                said: said.replace(&self.url, &shown(&self.url)),
            },
            error => error,
        }
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
