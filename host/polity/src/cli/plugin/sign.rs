//! `polity plugin sign`: who made a plugin, said in a way that nobody else can say it.

use std::env;
use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use minisign::{SecretKey, SecretKeyBox};
use polity_runtime::artifact::Artifact;
use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::files::{Readers, write_whole};
use crate::cli::out::Out;
use crate::cli::report::Report;

/// Holds the password of the secret key, where nobody is there to type it.
const PASSWORD: &str = "POLITY_KEY_PASSWORD";

/// Sign a plugin, so that companies that trust the key load it.
///
/// Writes FILE.minisig, which `polity plugin install` takes along. `minisign -Sm` writes the same.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin sign refunds.wasm --key acme.key")]
pub(crate) struct SignArgs {
    /// The plugin.
    file: PathBuf,

    /// The secret key, of `polity plugin keygen` or of minisign.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Serialize)]
struct Signed {
    file: PathBuf,
    signature: PathBuf,
    digest: String,
}

pub(super) fn run(args: &SignArgs, out: Out) -> Result<Exit, Report> {
    let signed = sign(args)?;
    out.show(&signed, |out| {
        writeln!(
            out,
            "{}  signs {}",
            signed.signature.display(),
            signed.digest
        )
    })?;
    Ok(Exit::Ok)
}

fn sign(args: &SignArgs) -> Result<Signed, Report> {
    let failed = || Report::new(format!("{} was not signed", args.file.display()));
    let bytes = std::fs::read(&args.file).map_err(|error| failed().because(error))?;
    let artifact = Artifact::read(&bytes).map_err(|refusal| {
        failed().because(refusal).hint(
            "sign what `polity plugin pack` made; a later change of the file voids the signature",
        )
    })?;
    let key = secret(args).map_err(|cause| {
        failed()
            .because(format!("{}: {cause}", args.key.display()))
            .hint(format!(
                "the password of an encrypted key can be in {PASSWORD}"
            ))
    })?;
    let about = format!("{}\tfile:{}", artifact.digest, name(args));
    let signature = minisign::sign(None, &key, &*bytes, Some(&about), None)
        .map_err(|error| failed().because(error))?;
    let mut beside = args.file.clone().into_os_string();
    beside.push(".minisig");
    let signed = Signed {
        file: args.file.clone(),
        signature: beside.into(),
        digest: artifact.digest.to_string(),
    };
    write_whole(
        &signed.signature,
        signature.into_string().as_bytes(),
        Readers::Anyone,
    )
    .map_err(|error| failed().because(format!("{}: {error}", signed.signature.display())))?;
    Ok(signed)
}

fn name(args: &SignArgs) -> String {
    args.file
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

pub(super) fn password() -> Option<String> {
    env::var(PASSWORD)
        .ok()
        .filter(|password| !password.is_empty())
}

fn secret(args: &SignArgs) -> Result<SecretKey, String> {
    let text = std::fs::read_to_string(&args.key).map_err(|error| error.to_string())?;
    let sealed = SecretKeyBox::from(text);
    if let Ok(key) = sealed.clone().into_unencrypted_secret_key() {
        return Ok(key);
    }
    let password = password();
    if password.is_none() && !io::stdin().is_terminal() {
        return Err(
            "it is no secret key, or one with a password and nobody to ask for it".to_owned(),
        );
    }
    sealed
        .into_secret_key(password)
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use minisign::KeyPair;
    use polity_runtime::signature::{Provenance, Signature, Trust};

    use super::*;

    #[test]
    fn what_was_signed_is_accepted_by_who_trusts_the_key_and_voided_by_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("limit.wasm");
        let key = folder.path().join("acme.key");
        let wasm = polity_plugins::find("spending-limit").unwrap().wasm;
        std::fs::write(&file, wasm).unwrap();
        let pair = KeyPair::generate_unencrypted_keypair().unwrap();
        std::fs::write(&key, pair.sk.to_box(None).unwrap().into_string()).unwrap();
        sign(&SignArgs { file, key }).unwrap();

        let sidecar = std::fs::read(folder.path().join("limit.wasm.minisig")).unwrap();
        let trust = Trust::new(true, [pair.pk.to_base64()]).unwrap();
        let check = |bytes: &[u8]| {
            let digest = Artifact::read(bytes).map_or_else(
                |_| Artifact::read(wasm).unwrap().digest,
                |artifact| artifact.digest,
            );
            Signature::check(bytes, &digest, Some(&sidecar), &trust, &BTreeSet::new())
        };
        assert!(matches!(check(wasm), Ok(Provenance::Signed { .. })));
        let mut changed = wasm.to_vec();
        changed.push(0);
        assert!(check(&changed).is_err());
    }
}
