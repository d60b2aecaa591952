//! `polity plugin rollback`: a version that served before.

use clap::Args;
use serde_json::{Value, json};

use super::view::{self, View, short};
use crate::cli::Context;
use crate::cli::exit::Exit;
use crate::cli::host::{Host, read};
use crate::cli::report::Report;

/// Put an earlier version of a plugin back, or one that was removed.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin rollback refunds
  polity plugin rollback refunds --to 5f2c9a01e3b7")]
pub(crate) struct RollbackArgs {
    /// The plugin's name.
    name: String,

    /// The version, by the first digits of its digest [default: the one before].
    #[arg(long, value_name = "DIGEST")]
    to: Option<String>,
}

pub(super) async fn run(args: &RollbackArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    let body = match &args.to {
        None => json!({}),
        Some(to) => {
            let found = view::find(&host, &args.name).await.map_err(|error| {
                error.hint("one that was removed comes back without --to, as it was")
            });
            let plugin: View = read(&found?)?;
            json!({"to": version(to, &plugin)?})
        }
    };
    match roll_back(&host, &args.name, &body).await {
        Ok(answer) => view::told(context, &answer),
        // Where nothing has the name, it says what may have been meant.
        Err(error) => Err(view::find(&host, &args.name).await.err().unwrap_or(error)),
    }
}

async fn roll_back(host: &Host, name: &str, body: &Value) -> Result<Value, Report> {
    host.post(&["api", "plugins", name, "rollback"], body).await
}

/// The kept version that a few digits mean.
fn version<'a>(digits: &str, plugin: &'a View) -> Result<&'a str, Report> {
    let wanted = digits
        .strip_prefix("sha256:")
        .unwrap_or(digits)
        .to_ascii_lowercase();
    let means = |digest: &&String| {
        !wanted.is_empty()
            && digest
                .strip_prefix("sha256:")
                .unwrap_or(digest)
                .starts_with(&wanted)
    };
    let found: Vec<&String> = plugin.versions.iter().filter(means).collect();
    if let [one] = found.as_slice() {
        return Ok(one);
    }
    let kept: Vec<&str> = plugin.versions.iter().map(|digest| short(digest)).collect();
    let kept = if kept.is_empty() {
        "none is kept".to_owned()
    } else {
        format!("kept are {}", kept.join(", "))
    };
    let what = if found.is_empty() {
        "no kept version"
    } else {
        "more than one kept version"
    };
    Err(Report::usage(format!("{what} of {} begins with {digits}", plugin.name)).because(kept))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin() -> View {
        let versions =
            ["aa11", "aa22", "bb33"].map(|digits| format!("sha256:{digits}{}", "0".repeat(60)));
        read(&json!({"name": "refunds", "state": "live", "versions": versions})).unwrap()
    }

    #[test]
    fn a_few_digits_are_enough_where_they_mean_one_version() {
        let plugin = plugin();
        assert_eq!(short(version("b", &plugin).unwrap()), "bb3300000000");
        assert_eq!(
            short(version("sha256:AA2", &plugin).unwrap()),
            "aa2200000000"
        );
        for digits in ["aa", "cc", "", "sha256:"] {
            assert!(
                version(digits, &plugin)
                    .unwrap_err()
                    .to_string()
                    .contains("kept are aa1100000000"),
                "{digits}"
            );
        }
    }
    #[test]
    fn digits_that_mean_no_one_version_are_answered_with_those_that_are_kept() {
        insta::assert_snapshot!(version("aa", &plugin()).unwrap_err().seen(), @"
        error: more than one kept version of refunds begins with aa
          because: kept are aa1100000000, aa2200000000, bb3300000000
        ");
        insta::assert_snapshot!(version("cc", &plugin()).unwrap_err().seen(), @"
        error: no kept version of refunds begins with cc
          because: kept are aa1100000000, aa2200000000, bb3300000000
        ");
    }
}
