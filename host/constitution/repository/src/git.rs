//! One run of git: without prompts, hooks, filters or a word from the environment that it was not meant to hear, in
//! bounded time and with a bounded answer.

use std::ffi::OsString;
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::GitError;

/// What reads or writes a few objects takes milliseconds; a machine that swaps takes longer.
const USUAL: Duration = Duration::from_secs(60);

/// The longest answer. All documents of a constitution together are far smaller.
const MAX_ANSWER: u64 = 64 << 20;

/// Folders in folders that are looked into when a repository is weighed.
pub(crate) const DEPTH: u8 = 6;

/// The longest complaint that is passed on.
const MAX_SAID: usize = 2_000;

/// Settings that no repository can change: a repository's own come before a user's, and these before both.
const SETTINGS: [&str; 16] = [
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.pager=cat",
    // Large files are streamed and not held.
    "core.bigFileThreshold=1m",
    "core.askPass=",
    "credential.interactive=false",
    "gpg.ssh.program=ssh-keygen",
    "commit.gpgSign=false",
    "tag.gpgSign=false",
    "submodule.recurse=false",
    "fetch.recurseSubmodules=false",
    "fetch.fsckObjects=true",
    "transfer.fsckObjects=true",
    "gc.auto=0",
    "maintenance.auto=false",
    "protocol.ext.allow=never",
];

/// What of git's own environment the operator may set: who speaks for us and whom we trust.
const OPERATORS: [&str; 7] = [
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
];

/// One run, about to be made.
pub(crate) struct Git {
    command: Command,
    what: String,
    input: Vec<u8>,
    time: Duration,
    grows: Option<(PathBuf, u64)>,
}

/// How it ended.
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) code: Option<i32>,
    pub(crate) out: Vec<u8>,
    pub(crate) said: String,
}

impl Git {
    /// In a folder, wherever its repository is.
    pub(crate) fn in_folder(folder: &Path, what: impl Into<String>) -> Self {
        let mut git = Self::new(what);
        git.command.current_dir(folder);
        git
    }

    /// In a repository that is known.
    pub(crate) fn at(git_dir: &Path, what: impl Into<String>) -> Self {
        let mut git = Self::new(what);
        let mut option = OsString::from("--git-dir=");
        option.push(git_dir);
        git.command.arg(option).current_dir(git_dir);
        git
    }

    fn new(what: impl Into<String>) -> Self {
        let mut command = Command::new("git");
        for (name, _) in std::env::vars_os() {
            let is_gits = name.to_string_lossy().starts_with("GIT_");
            if is_gits && !OPERATORS.iter().any(|known| name == *known) {
                command.env_remove(name);
            }
        }
        command
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", "")
            .env("SSH_ASKPASS", "")
            .env("SSH_ASKPASS_REQUIRE", "never")
            .env("GCM_INTERACTIVE", "never")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_LITERAL_PATHSPECS", "1")
            .env("LC_ALL", "C");
        for setting in SETTINGS {
            command.args(["-c", setting]);
        }
        Self {
            command,
            what: what.into(),
            input: Vec::new(),
            time: USUAL,
            grows: None,
        }
    }

    pub(crate) fn work_tree(mut self, folder: &Path) -> Self {
        let mut option = OsString::from("--work-tree=");
        option.push(folder);
        self.command.arg(option).current_dir(folder);
        self
    }

    /// One more setting; before the arguments.
    pub(crate) fn set(mut self, setting: impl Into<OsString>) -> Self {
        self.command.arg("-c").arg(setting.into());
        self
    }

    pub(crate) fn args<S: Into<OsString>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.command.args(args.into_iter().map(Into::into));
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn input(mut self, input: impl Into<Vec<u8>>) -> Self {
        self.input = input.into();
        self
    }

    pub(crate) fn within(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Ends the run when the files of a folder, and of those in it, grow past a size.
    pub(crate) fn grows_at_most(mut self, folder: PathBuf, bytes: u64) -> Self {
        self.grows = Some((folder, bytes));
        self
    }

    /// The answer as a line of text.
    pub(crate) fn line(self) -> Result<String, GitError> {
        let out = self.run()?;
        Ok(String::from_utf8_lossy(&out).trim_end().to_owned())
    }

    /// The answer of a run that has to succeed.
    pub(crate) fn run(self) -> Result<Vec<u8>, GitError> {
        let what = self.what.clone();
        let ended = self.end()?;
        if ended.success {
            return Ok(ended.out);
        }
        Err(GitError::Failed {
            what,
            said: ended.said,
        })
    }

    /// The answer, however it ended.
    pub(crate) fn end(mut self) -> Result<Ended, GitError> {
        // A group of its own, so that helpers end with it.
        #[cfg(unix)]
        {
            use std::os::unix::process::CommandExt;
            self.command.process_group(0);
        }
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(GitError::NotInstalled)?;
        let (stdin, stdout, stderr) =
            (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let input = std::mem::take(&mut self.input);
        let writing = thread::spawn(move || {
            // Where git does not want it, it ends without it and says why.
            let _ = stdin.map(|mut stdin| stdin.write_all(&input));
        });
        let reading = thread::spawn(move || read(stdout, MAX_ANSWER));
        let listening = thread::spawn(move || read(stderr, 64 << 10));
        let waited = self.wait(&mut child);
        if waited.is_err() {
            kill(&mut child);
        }
        let _ = writing.join();
        let out = reading.join().unwrap_or_default();
        let said = listening.join().unwrap_or_default();
        let status = waited?;
        if out.len() as u64 > MAX_ANSWER {
            return Err(GitError::TooMuch {
                what: self.what,
                most: MAX_ANSWER,
            });
        }
        Ok(Ended {
            success: status.success(),
            code: status.code(),
            out,
            said: complaint(&said),
        })
    }

    fn wait(&self, child: &mut Child) -> Result<std::process::ExitStatus, GitError> {
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(status),
                Ok(None) => {}
                Err(error) => return Err(GitError::NotInstalled(error)),
            }
            if begun.elapsed() > self.time {
                return Err(GitError::TooLong {
                    what: self.what.clone(),
                    seconds: self.time.as_secs(),
                });
            }
            if let Some((folder, most)) = &self.grows
                && size(folder, DEPTH) > *most
            {
                return Err(GitError::TooMuch {
                    what: self.what.clone(),
                    most: *most,
                });
            }
            thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }
}

/// Ends git and what it has started.
fn kill(child: &mut Child) {
    #[cfg(unix)]
    {
        let group = format!("-{}", child.id());
        let _ = Command::new("kill")
            .args(["-KILL", "--", &group])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// At most one byte more than `most`; what is left is read and forgotten, so that git can end.
fn read(from: Option<impl Read>, most: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Some(mut from) = from else { return bytes };
    let _ = from.by_ref().take(most + 1).read_to_end(&mut bytes);
    let _ = std::io::copy(&mut from, &mut std::io::sink());
    bytes
}

fn complaint(said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    let said: Vec<&str> = said
        .lines()
        .map(|line| {
            line.trim_start_matches("fatal: ")
                .trim_start_matches("error: ")
                .trim()
        })
        .filter(|line| !line.is_empty() && !line.starts_with("hint:"))
        .collect();
    let mut said = said.join("; ");
    said.truncate(said.floor_char_boundary(MAX_SAID));
    if said.is_empty() {
        said.push_str("git gives no reason");
    }
    said
}

/// The bytes of all files in a folder. What cannot be read counts for nothing: it may be gone by now.
pub(crate) fn size(folder: &Path, levels: u8) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return 0;
    };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() && levels > 0 => size(&entry.path(), levels - 1),
        Ok(found) => found.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => 0,
        Err(_) => 0,
    });
    sizes.sum()
}
