//! `polity plugin install`: a file into the running host.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;

use super::file::{FileArgs, Neighbour, PluginFile};
use super::view;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::Body;
use crate::cli::report::Report;

/// Put a plugin into the running host, or a new version over an old one; what is refused changes nothing.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin install refunds.wasm
  polity plugin install refunds.wasm --grant refunds.grant.toml
  polity plugin install refunds.wasm --name refunds-eu --sig refunds.minisig")]
#[command(after_help = "Ends with 0 if it serves, 4 if it waits for a grant, 1 if it was refused.")]
pub(crate) struct InstallArgs {
    #[command(flatten)]
    file: FileArgs,
}

pub(super) async fn run(args: &InstallArgs, context: &Context) -> Result<Exit, Report> {
    let file = PluginFile::read(&args.file, Neighbour::Left)?;
    let host = context.host()?;
    let mut headers = Vec::new();
    headers.extend(
        file.grant
            .as_ref()
            .map(|grant| ("x-polity-grant", STANDARD.encode(grant))),
    );
    headers.extend(
        file.signature
            .as_ref()
            .map(|signature| ("x-polity-signature", STANDARD.encode(signature))),
    );
    let beside = file.path.with_extension("grant.toml");
    let body = Body::Bytes("application/wasm", file.wasm, headers);
    let answer = host.put(&["api", "plugins", &file.name], body).await?;
    let exit = view::told(context, &answer)?;
    if exit == Exit::Waiting && file.grant.is_none() && beside.exists() {
        let file = beside.display();
        crate::cli::out::say(format_args!(
            "{file} was not taken: what is granted has to be said, with --grant {file}"
        ));
    }
    Ok(exit)
}
