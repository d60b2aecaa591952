//! `polity status`: is a host running, and how are things?

use std::collections::BTreeMap;
use std::io;

use clap::Args;
use polity_ledger::{Clock as _, SystemClock};
use reqwest::Method;
use serde::Serialize;
use serde_json::Value;

use super::Context;
use super::exit::Exit;
use super::host::{Body, rows};
use super::report::Report;
use super::text::{clean, count, duration, one_line, relative};

/// Show whether a host is running and how things are.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity status
  polity status --json
  polity status --data /var/lib/polity")]
pub(crate) struct StatusArgs {}

#[derive(Serialize)]
struct Status {
    url: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    company: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    up_ms: Option<u64>,
    ready: bool,
    /// How many plugins are in each state.
    plugins: BTreeMap<String, u64>,
    /// How many items wait; at most the 500 of one page.
    waiting: u64,
    /// The newest decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    newest_decision: Option<Newest>,
    /// The constitution in force, and why what is newer is not.
    constitution: Value,
}

#[derive(Serialize)]
struct Newest {
    id: String,
    kind: String,
    outcome: String,
    at_ms: u64,
}

pub(crate) async fn run(_args: &StatusArgs, context: &Context) -> Result<Exit, Report> {
    let host = context.host()?;
    // Asked first and without a token: it says whether there is anybody at all.
    host.send(Method::GET, &["livez"], &[], Body::Empty).await?;
    let ready = host.get(&["readyz"], &[]).await.is_ok();
    let entries = host.get(&["api", "plugins"], &[]).await?;
    let mut plugins = BTreeMap::new();
    for entry in rows(&entries) {
        *plugins.entry(text(&entry["state"])).or_insert(0) += 1;
    }
    let inbox = host
        .get(&["api", "inbox"], &[("limit", "500".to_owned())])
        .await?;
    let newest = host
        .get(&["api", "decisions"], &[("limit", "1".to_owned())])
        .await?;
    let constitution = host.get(&["api", "constitution"], &[]).await?;
    let now_ms = SystemClock.now_ms();
    let status = Status {
        url: host.url().to_owned(),
        pid: host.server.as_ref().map(|server| server.pid),
        version: host.server.as_ref().map(|server| server.version.clone()),
        company: host
            .server
            .as_ref()
            .map(|server| server.company.display().to_string()),
        up_ms: host
            .server
            .as_ref()
            .map(|server| now_ms.saturating_sub(server.started_ms)),
        ready,
        plugins,
        waiting: rows(&inbox).len() as u64,
        newest_decision: rows(&newest).first().map(|decision| Newest {
            id: text(&decision["id"]),
            kind: text(&decision["kind"]),
            outcome: text(&decision["outcome"]),
            at_ms: decision["at_ms"].as_u64().unwrap_or_default(),
        }),
        constitution: serde_json::json!({
            "digest": constitution["digest"],
            "commit": constitution["commit"],
            "refused": constitution["refused"],
            "remote": constitution["remote"],
        }),
    };
    context.out.show(&status, |out| {
        let up = status
            .up_ms
            .map(|ms| format!(", up {}", duration(ms)))
            .unwrap_or_default();
        let pid = status
            .pid
            .map(|pid| format!(", process {pid}"))
            .unwrap_or_default();
        let version = status
            .version
            .as_ref()
            .map(|version| format!(", version {version}"))
            .unwrap_or_default();
        let ready = if status.ready { "ready" } else { "not ready" };
        writeln!(out, "host      {} ({ready}{pid}{version}{up})", status.url)?;
        if let Some(company) = &status.company {
            writeln!(out, "company   {company}")?;
        }
        let states: Vec<String> = status
            .plugins
            .iter()
            .map(|(state, number)| format!("{number} {state}"))
            .collect();
        let states = if states.is_empty() {
            "none".to_owned()
        } else {
            states.join(", ")
        };
        tell_constitution(out, &status.constitution)?;
        writeln!(out, "plugins   {}", clean(&states))?;
        writeln!(out, "inbox     {} waiting", count(status.waiting, "item"))?;
        match &status.newest_decision {
            Some(Newest {
                id,
                kind,
                outcome,
                at_ms,
            }) => {
                writeln!(
                    out,
                    "newest    {} {} {}, decision {id}",
                    clean(kind),
                    clean(outcome),
                    relative(*at_ms, now_ms)
                )
            }
            None => writeln!(out, "newest    nothing has been decided yet"),
        }
    })?;
    Ok(if ready { Exit::Ok } else { Exit::Failure })
}

fn tell_constitution(out: &mut dyn io::Write, constitution: &Value) -> io::Result<()> {
    let short = |value: &Value| text(value).chars().take(12).collect::<String>();
    let commit = match &constitution["commit"] {
        Value::Null => String::new(),
        commit => format!(", commit {}", clean(&short(commit))),
    };
    writeln!(
        out,
        "rules     sha256:{}{commit}",
        clean(&short(&constitution["digest"]))
    )?;
    for problem in constitution["refused"]["problems"]
        .as_array()
        .into_iter()
        .flatten()
    {
        writeln!(
            out,
            "  refused {}: {}",
            one_line(&text(&problem["file"])),
            one_line(&text(&problem["message"]))
        )?;
    }
    let remote = &constitution["remote"];
    if remote.is_object() {
        writeln!(out, "remote    {}", one_line(&text(&remote["remote"])))?;
        if let Some(trouble) = remote["trouble"].as_str() {
            writeln!(out, "  not in force: {}", one_line(trouble))?;
        }
    }
    Ok(())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
