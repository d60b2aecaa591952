//! `polity run`: runs a workflow on the host, and says what it came to or what it waits for.

use std::io::{self, Write};
use std::time::{Duration, Instant};

use clap::Args;
use polity_kernel::{InstanceView, Waiting};
use reqwest::Method;
use serde_json::json;

use super::Context;
use super::argument::json as json_argument;
use super::exit::Exit;
use super::host::{Body, Host, read};
use super::out::say;
use super::report::Report;
use super::text::one_line;

/// How long one request waits for the run; then it is asked again.
const ROUND: u64 = 20;

/// Run a workflow: its result, or what it waits for.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity run refund-dispute --input '{\"order\": \"4711\", \"amount\": 40}'
  polity run expense --input @expense.json --name trip-to-rome
  polity run refund-dispute --input - --no-wait < dispute.json")]
#[command(
    after_help = "Ends with 0 if the run completed, 1 if it ended in an error, 4 if it waits for a person."
)]
pub(crate) struct RunArgs {
    /// The workflow, as its file in `workflows/` is called.
    workflow: String,

    /// The input, JSON; @FILE reads a file, - standard input.
    #[arg(short, long, value_name = "JSON", default_value = "{}")]
    input: String,

    /// A name for the run: of one workflow there is one run of this name, however often this is called.
    #[arg(long)]
    name: Option<String>,

    /// Start it and do not wait.
    #[arg(long)]
    no_wait: bool,

    /// Seconds to wait at most.
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    timeout: u64,
}

pub(crate) async fn run(args: &RunArgs, context: &Context) -> Result<Exit, Report> {
    let mut body = json!({ "input": json_argument("--input", &args.input)? });
    if let Some(name) = &args.name {
        body["name"] = name.as_str().into();
    }
    let host = context.host()?;
    let until = Instant::now() + Duration::from_secs(if args.no_wait { 0 } else { args.timeout });
    let path = ["api", "workflows", args.workflow.as_str(), "runs"];
    let query = [("wait", round(until).to_string())];
    let response = host
        .send(Method::POST, &path, &query, Body::Json(&body))
        .await?;
    let answer = response
        .json()
        .await
        .map_err(|error| super::host::broken(&error))?;
    let mut instance: InstanceView = read(&answer)?;
    let mut shown = answer;
    while !instance.has_ended() && !instance.is_waiting() && round(until) > 0 {
        shown = again(&host, &instance, until).await?;
        instance = read(&shown)?;
    }
    context.out.show(&shown, |out| tell(out, &instance))?;
    if !context.out.json {
        suggest(&instance);
    }
    Ok(exit(&instance))
}

async fn again(
    host: &Host,
    instance: &InstanceView,
    until: Instant,
) -> Result<serde_json::Value, Report> {
    let id = instance.id.to_string();
    let query = [("wait", round(until).to_string())];
    host.get(&["api", "instances", &id], &query).await
}

/// Seconds that the next request waits.
fn round(until: Instant) -> u64 {
    let left = until.saturating_duration_since(Instant::now());
    left.as_secs_f64().ceil().min(ROUND as f64) as u64
}

/// How a command ends that showed this run.
pub(super) fn exit(instance: &InstanceView) -> Exit {
    use serde_json::Value;
    let phase = serde_json::to_value(instance.phase).unwrap_or_default();
    match phase.as_str() {
        Some("faulted" | "cancelled") => {
            let status = instance
                .error
                .as_ref()
                .map_or(&Value::Null, |error| &error["status"]);
            match status.as_u64() {
                Some(403) => Exit::Denied,
                Some(402) => Exit::OverBudget,
                _ => Exit::Failure,
            }
        }
        Some("completed") => Exit::Ok,
        _ => {
            let asks = |waits: &Waiting| matches!(waits, Waiting::Person { .. });
            if instance.waits.iter().any(asks) {
                Exit::Waiting
            } else {
                Exit::Ok
            }
        }
    }
}

/// A run as people read it.
pub(super) fn tell(out: &mut dyn Write, instance: &InstanceView) -> io::Result<()> {
    writeln!(
        out,
        "{}: {} {}",
        phase(instance),
        instance.workflow,
        instance.version
    )?;
    if let Some(output) = &instance.output {
        writeln!(out, "  result    {}", one_line(&output.to_string()))?;
    }
    if let Some(error) = &instance.error {
        let words = error["detail"].as_str().or(error.as_str());
        let words = words.map_or_else(|| error.to_string(), str::to_owned);
        writeln!(out, "  because   {}", one_line(&words))?;
        if let Some(place) = error["instance"].as_str() {
            writeln!(out, "  at        {}", one_line(place))?;
        }
    }
    for waits in &instance.waits {
        writeln!(out, "  waits     for {}", one_line(&waits.to_string()))?;
    }
    writeln!(out, "  run       {}", instance.id)
}

pub(super) fn phase(instance: &InstanceView) -> String {
    let phase = serde_json::to_value(instance.phase).unwrap_or_default();
    phase.as_str().unwrap_or_default().to_owned()
}

pub(super) fn suggest(instance: &InstanceView) {
    for waits in &instance.waits {
        if let Waiting::Person { item, .. } = waits {
            say(format_args!(
                "It waits for a person: polity inbox show {item}"
            ));
            return;
        }
    }
    say(format_args!(
        "The whole story: polity explain {}",
        instance.id
    ));
}
