//! `polity plugin keygen`: the pair of keys with which an author signs.

use std::path::{Path, PathBuf};

use clap::Args;
use minisign::KeyPair;
use serde::Serialize;

use super::sign::password;
use crate::cli::exit::Exit;
use crate::cli::files::{Readers, write_whole};
use crate::cli::out::{Out, say};
use crate::cli::report::Report;

/// Make a pair of keys to sign plugins with.
///
/// The keys are minisign's. The secret one is encrypted where the environment has POLITY_KEY_PASSWORD.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin keygen acme              makes acme.key and acme.pub
  polity plugin sign refunds.wasm --key acme.key")]
pub(crate) struct KeygenArgs {
    /// Where to: NAME.key, the secret one, and NAME.pub.
    #[arg(value_name = "NAME")]
    path: PathBuf,
}

#[derive(Serialize)]
struct Made {
    secret_key: PathBuf,
    public_key: PathBuf,
    /// The line for `trusted_keys` of a charter.
    trusted_key: String,
}

pub(super) fn run(args: &KeygenArgs, out: Out) -> Result<Exit, Report> {
    let failed = || Report::new("no keys were made");
    let [secret, public] = ["key", "pub"].map(|end| beside(&args.path, end));
    if let Some(there) = [&secret, &public].into_iter().find(|path| path.exists()) {
        return Err(failed()
            .because(format!("{} is there already", there.display()))
            .hint("choose another name; what was signed with an overwritten key could not be signed again"));
    }
    let password = password();
    let pair = match &password {
        Some(password) => KeyPair::generate_encrypted_keypair(Some(password.clone())),
        None => KeyPair::generate_unencrypted_keypair(),
    };
    let pair = pair.map_err(|error| failed().because(error))?;
    let texts = pair
        .sk
        .to_box(None)
        .and_then(|sk| Ok((sk, pair.pk.to_box()?)));
    let (sk, pk) = texts.map_err(|error| failed().because(error))?;
    let write = |path: &Path, text: String, readers| {
        write_whole(path, text.as_bytes(), readers)
            .map_err(|error| failed().because(format!("{}: {error}", path.display())))
    };
    write(&secret, sk.into_string(), Readers::Owner)?;
    write(&public, pk.into_string(), Readers::Anyone)?;
    let made = Made {
        secret_key: secret,
        public_key: public,
        trusted_key: pair.pk.to_base64(),
    };
    out.show(&made, |out| {
        writeln!(out, "{}  keep it secret", made.secret_key.display())?;
        writeln!(
            out,
            "{}  give it to whoever runs your plugins",
            made.public_key.display()
        )?;
        writeln!(
            out,
            "\nTheir charter trusts you with\n  \"trusted_keys\": [\"{}\"]",
            made.trusted_key
        )
    })?;
    if password.is_none() {
        say("The secret key is not encrypted. To have it so, set POLITY_KEY_PASSWORD first.");
    }
    Ok(Exit::Ok)
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}
