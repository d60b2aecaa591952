//! `polity ledger verify`: is the chain what was written?

use clap::Args;
use polity_ledger::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::source::Source;
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::read;
use crate::cli::progress;
use crate::cli::report::Report;
use crate::cli::text::count;

/// Recompute the whole chain and check the indexes against it.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity ledger verify
  polity ledger verify --head 1204:5f2c…   and that this event is still there")]
pub(crate) struct VerifyArgs {
    /// The head as it was noted elsewhere, SEQ:HASH: proves that nothing was cut off since.
    #[arg(long, value_name = "SEQ:HASH")]
    head: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Verified {
    events: u64,
    head: Hash,
}

pub(super) async fn run(args: &VerifyArgs, context: &Context) -> Result<Exit, Report> {
    let noted = args.head.as_deref().map(noted_head).transpose()?;
    let source = Source::find(context)?;
    let verified = match &source {
        Source::Folder(ledger) => {
            let bar = progress::counter("Verifying events");
            let verified = ledger.verify(|seq| bar.set_position(seq));
            bar.finish_and_clear();
            let verified = verified.map_err(|broken| broken_report(&broken.to_string()))?;
            Verified {
                events: verified.events,
                head: verified.head,
            }
        }
        Source::Host(host) => {
            let answer = host
                .post(&["api", "ledger", "verify"], &Value::Null)
                .await?;
            if answer["intact"] == false {
                let (seq, reason) = (
                    &answer["broken"]["seq"],
                    answer["broken"]["reason"].as_str().unwrap_or_default(),
                );
                return Err(broken_report(&format!(
                    "the ledger is broken at event {seq}: {reason}"
                )));
            }
            read(&answer)?
        }
    };
    if let Some((seq, hash)) = noted {
        let found = source.hash(seq).await?;
        if found != Some(hash) {
            return Err(
                Report::new("the ledger is not the one whose head was noted")
                    .because(match found {
                        Some(found) => {
                            format!("event {seq} has hash {found}, the noted one is {hash}")
                        }
                        None => format!(
                            "there is no event {seq}: {} are left",
                            count(verified.events, "event")
                        ),
                    })
                    .hint("it was cut off or replaced; compare with a backup"),
            );
        }
    }
    context.out.show(&verified, |out| {
        writeln!(out, "ok: {}", count(verified.events, "event"))?;
        writeln!(out, "head: {}:{}", verified.events, verified.head)
    })?;
    Ok(Exit::Ok)
}

fn broken_report(why: &str) -> Report {
    Report::new("the ledger is not what was written")
        .because(why)
        .hint("keep the folder as it is, and compare it with a backup or an export")
}

fn noted_head(text: &str) -> Result<(u64, Hash), Report> {
    let parts = text
        .split_once(':')
        .and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.parse().ok()?)));
    parts.ok_or_else(|| {
        Report::usage(format!("{text:?} is not a head"))
            .hint("write it as `polity ledger verify` prints it: SEQ:HASH")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_a_number_and_a_hash() {
        let hash = "ab".repeat(32);
        assert_eq!(
            noted_head(&format!("42:{hash}")).unwrap(),
            (42, hash.parse().unwrap())
        );
        insta::assert_snapshot!(noted_head("42").unwrap_err().seen(), @r#"
        error: "42" is not a head
          hint: write it as `polity ledger verify` prints it: SEQ:HASH
        "#);
    }

    #[test]
    fn a_broken_chain_is_told_with_where_it_breaks() {
        insta::assert_snapshot!(broken_report("the ledger is broken at event 7: it is missing").seen(), @"
        error: the ledger is not what was written
          because: the ledger is broken at event 7: it is missing
          hint: keep the folder as it is, and compare it with a backup or an export
        ");
    }
}
