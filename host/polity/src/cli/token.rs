//! `polity token`: who may speak for whom.

use clap::{Args, Subcommand};
use polity_kernel::TokenInfo;
use serde_json::json;

use super::Context;
use super::exit::Exit;
use super::host::read_list;
use super::out::{say, write_table};
use super::report::Report;
use super::table::Table;
use super::text::{clean, time};

/// Issue, list and revoke bearer tokens.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity token create agent:assistant --label 'chat bot'
  polity token list
  polity token revoke ID")]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Issue a token for an actor of the charter; it is shown once.
    #[command(before_help = "\
Examples:
  polity token create person:ada
  polity token create agent:assistant --label 'chat bot' > assistant.token")]
    Create {
        /// Who the holder speaks for: person:ada, agent:assistant, service:blog.
        actor: String,
        /// What it is for.
        #[arg(long, default_value = "")]
        label: String,
    },
    /// List the tokens in force, without the tokens themselves.
    #[command(before_help = "\
Examples:
  polity token list
  polity token list --json")]
    List,
    /// End a token at once.
    #[command(before_help = "\
Examples:
  polity token revoke ID")]
    Revoke {
        /// Its id, as `polity token list` shows it.
        id: String,
    },
}

pub(crate) async fn run(args: &TokenArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    match &args.command {
        Command::Create { actor, label } => {
            let answer = host
                .post(&["api", "tokens"], &json!({"actor": actor, "label": label}))
                .await?;
            let token = answer["token"].as_str().unwrap_or_default();
            context
                .out
                .show(&answer, |out| writeln!(out, "{}", clean(token)))?;
            say(format_args!(
                "This is the only time it is shown. Whoever holds it speaks for {actor}."
            ));
        }
        Command::List => {
            let answer = host.get(&["api", "tokens"], &[]).await?;
            let tokens: Vec<TokenInfo> = read_list(&answer)?;
            let mut table = Table::new(["id", "actor", "label", "issued", "by"]);
            for token in tokens {
                table.row([
                    token.id.to_string(),
                    token.actor,
                    token.label,
                    time(token.created_ms),
                    token.issued_by,
                ]);
            }
            context.out.show(&answer, |out| write_table(out, &table))?;
        }
        Command::Revoke { id } => {
            host.delete(&["api", "tokens", id]).await?;
            context.out.show(&json!({"revoked": id}), |out| {
                writeln!(out, "{id} is revoked")
            })?;
        }
    }
    Ok(Exit::Ok)
}
