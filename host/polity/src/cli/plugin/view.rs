//! A plugin as the host's API shows it.

use serde::Deserialize;

use crate::cli::Context;
use crate::cli::host::{Host, read, rows};
use crate::cli::report::Report;
use crate::cli::text::closest;

/// One name in the plugin folder.
#[derive(Debug, Deserialize)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) state: String,
    #[serde(default)]
    pub(super) digest: Option<String>,
    #[serde(default)]
    pub(super) reason: Option<String>,
    #[serde(default)]
    pub(super) unmet: Vec<Unmet>,
    #[serde(default)]
    pub(super) serving: Option<Serving>,
    /// Only where one plugin was asked for.
    #[serde(default)]
    pub(super) versions: Vec<String>,
}

/// What it waits for.
#[derive(Debug, Deserialize)]
pub(super) struct Unmet {
    pub(super) want: String,
    pub(super) fix: String,
}

/// The version that serves.
#[derive(Debug, Deserialize)]
pub(super) struct Serving {
    pub(super) digest: String,
    pub(super) world: String,
    #[serde(default)]
    pub(super) version: Option<String>,
    #[serde(default)]
    pub(super) summary: Option<String>,
    pub(super) provenance: String,
    #[serde(default)]
    pub(super) applies_to: Vec<String>,
    #[serde(default)]
    pub(super) operations: Vec<String>,
    #[serde(default)]
    pub(super) models: Vec<String>,
    pub(super) stats: Stats,
}

/// What it has done.
#[derive(Debug, Deserialize)]
pub(super) struct Stats {
    pub(super) calls: u64,
    pub(super) problems: u64,
    pub(super) failures: u64,
    pub(super) busy_ns: u64,
}

/// The first twelve digits of a digest: enough for a person to tell two versions apart.
pub(super) fn short(digest: &str) -> &str {
    let digits = digest.strip_prefix("sha256:").unwrap_or(digest);
    digits.get(..12).unwrap_or(digits)
}

/// One plugin by its name, and where there is none of that name, the one that was meant.
pub(super) async fn find(host: &Host, name: &str) -> Result<serde_json::Value, Report> {
    let error = match host.get(&["api", "plugins", name], &[]).await {
        Ok(answer) => return Ok(answer),
        Err(error) => error,
    };
    let Ok(all) = host.get(&["api", "plugins"], &[]).await else {
        return Err(error);
    };
    let names: Vec<&str> = rows(&all)
        .iter()
        .filter_map(|entry| entry["name"].as_str())
        .collect();
    if names.contains(&name) {
        return Err(error);
    }
    Err(match closest(name, names) {
        Some(near) => error.hint(format!("did you mean {near}?")),
        None => error.hint("see what is there: polity plugin list"),
    })
}

/// Shows what came of a change.
pub(super) fn told(
    context: &Context,
    answer: &serde_json::Value,
) -> Result<crate::cli::exit::Exit, Report> {
    use crate::cli::exit::Exit;
    let view: View = read(answer)?;
    context.out.show(answer, |out| view.tell_change(out))?;
    if view.state == "needs-credential" {
        for unmet in &view.unmet {
            crate::cli::out::say(format_args!("{}", crate::cli::text::clean(&unmet.fix)));
        }
        return Ok(Exit::Waiting);
    }
    if view.state == "pending" {
        crate::cli::out::say(format_args!(
            "See what it waits for: polity plugin grant {}",
            view.name
        ));
        return Ok(Exit::Waiting);
    }
    Ok(Exit::Ok)
}

impl Unmet {
    /// What it needs and why, without the lines to add, which `fix` has.
    pub(super) fn reason(&self) -> &str {
        let line = self.want.lines().next().unwrap_or_default();
        line.split(" To allow it").next().unwrap_or(line)
    }
}

impl View {
    /// In one line, for after a change.
    fn tell_change(&self, out: &mut dyn std::io::Write) -> std::io::Result<()> {
        let digest = self
            .digest
            .as_deref()
            .or(self.serving.as_ref().map(|serving| serving.digest.as_str()));
        let digest = digest.map(short).unwrap_or_default();
        let serving = match (&self.serving, self.state.as_str()) {
            (_, "live") => String::new(),
            (Some(serving), _) => format!("; {} goes on serving", short(&serving.digest)),
            (None, _) => "; nothing serves".to_owned(),
        };
        writeln!(out, "{} is {} ({digest}){serving}", self.name, self.state)
    }
}
