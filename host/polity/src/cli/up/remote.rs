//! Where the constitution is pushed to, as the command line says it.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use polity_kernel::RemoteSettings;
use polity_repository::Remote;

use crate::cli::report::Report;
use crate::serve::Hook;

/// A git remote to follow.
#[derive(Args, Debug)]
pub(crate) struct RemoteArgs {
    /// A git repository to take the constitution from: https://, ssh://, or a path; the company's folder is the host's then.
    #[arg(
        long,
        value_name = "URL",
        env = "POLITY_CONSTITUTION_REMOTE",
        hide_env = true
    )]
    constitution_remote: Option<String>,

    /// Its branch that is in force.
    #[arg(long, value_name = "BRANCH", default_value = "main")]
    constitution_branch: String,

    /// Seconds between two looks at it.
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    constitution_poll: u64,

    /// A file with the secret of a push hook, at least 16 characters, for POST /api/constitution/pull.
    #[arg(long, value_name = "FILE")]
    constitution_hook_secret: Option<PathBuf>,
}

impl RemoteArgs {
    /// The remote, where there is one.
    pub(crate) fn settings(&self, company: &Path) -> Result<Option<RemoteSettings>, Report> {
        let Some(url) = &self.constitution_remote else {
            return Ok(None);
        };
        let remote = Remote::new(url, &self.constitution_branch).map_err(|error| {
            Report::usage("the constitution's remote cannot be used").because(error)
        })?;
        if company.join(".git").exists() {
            return Err(Report::usage(format!(
                "{} is a repository itself",
                company.display()
            ))
            .because("with --constitution-remote the folder is the host's, which writes what was pushed into it")
            .hint("name an empty folder: --company /srv/company")
            .hint("or leave the remote out, and pull in that folder"));
        }
        Ok(Some(RemoteSettings {
            remote,
            every: Duration::from_secs(self.constitution_poll),
        }))
    }

    /// Whether a remote is named.
    pub(crate) fn is_given(&self) -> bool {
        self.constitution_remote.is_some()
    }

    /// The hook's secret, where there is one.
    pub(crate) fn hook(&self) -> Result<Option<Hook>, Report> {
        let Some(file) = &self.constitution_hook_secret else {
            return Ok(None);
        };
        let secret = fs::read_to_string(file).map_err(|error| {
            Report::usage(format!(
                "the hook's secret in {} cannot be read",
                file.display()
            ))
            .because(error)
        })?;
        Hook::new(&secret).map(Some).ok_or_else(|| {
            Report::usage(format!(
                "the hook's secret in {} is shorter than 16 characters",
                file.display()
            ))
            .hint("make one: openssl rand -hex 32")
        })
    }
}
