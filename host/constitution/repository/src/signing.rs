//! A key of the host's own for the tags of merges: what is signed with it came through the vote and not by a hand in the
//! repository. OpenSSH's format, which git makes and checks without any further program than `ssh-keygen`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A key pair in two files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SigningKey {
    private: PathBuf,
    public: String,
}

impl SigningKey {
    /// The key in a folder, made where there is none; none where `ssh-keygen` is missing, which leaves tags unsigned.
    pub fn in_folder(folder: impl AsRef<Path>) -> Option<Self> {
        let folder = folder.as_ref();
        let private = folder.join("constitution-signing-key");
        if !private.exists() {
            fs::create_dir_all(folder).ok()?;
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "polity", "-f"])
                .arg(&private)
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status();
            made.ok().filter(std::process::ExitStatus::success)?;
        }
        let public = fs::read_to_string(private.with_extension("pub")).ok()?;
        Some(Self {
            private: fs::canonicalize(private).ok()?,
            public: public.trim().to_owned(),
        })
    }

    /// The public half, as a line for an allowed-signers file.
    pub fn public(&self) -> &str {
        &self.public
    }

    pub(crate) fn setting(&self) -> std::ffi::OsString {
        let mut setting = std::ffi::OsString::from("user.signingKey=");
        setting.push(&self.private);
        setting
    }
}
