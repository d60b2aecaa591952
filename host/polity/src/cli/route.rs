//! `polity route`: who would answer, and why.

use clap::Args;
use serde_json::{Map, Value, json};

use super::Context;
use super::exit::Exit;
use super::report::Report;
use super::text::one_line;

/// Show which model would answer a text, and why. Nobody is asked.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity route \"Write a limerick\"
  polity route \"Debug fn f() { loop {} }\" --explain
  polity route \"Translate this\" --region eu --max-cost 20000 --json")]
pub(crate) struct RouteArgs {
    /// What would be asked.
    text: String,

    /// Show everything that was weighed, and why others may not answer.
    #[arg(short, long)]
    explain: bool,

    /// A model, or an alias of models.json.
    #[arg(short, long, default_value = "auto")]
    model: String,

    /// The most that the answer may cost, in micro-units.
    #[arg(long, value_name = "MICRO")]
    max_cost: Option<u64>,

    /// Milliseconds until the answer must be there.
    #[arg(long, value_name = "MS")]
    deadline_ms: Option<u64>,

    /// The least score that must be expected, 0 to 1.
    #[arg(long, value_name = "SCORE")]
    min_quality: Option<f64>,

    /// A tag that the model must satisfy; may be given several times.
    #[arg(long, value_name = "TAG")]
    compliance: Vec<String>,

    /// What kind of request it is.
    #[arg(long)]
    task: Option<String>,

    /// Where the data must stay.
    #[arg(long)]
    region: Option<String>,

    /// Nothing may leave the company's own machines.
    #[arg(long)]
    local_only: bool,
}

pub(crate) async fn run(args: &RouteArgs, context: &Context) -> Result<Exit, Report> {
    let mut request = json!({ "text": args.text, "model": args.model });
    let wants = wants(args);
    if !wants.is_empty() {
        request["polity"] = wants.into();
    }
    let answer = context.host()?.post(&["api", "route"], &request).await?;
    context.out.show(&answer, |out| {
        let text = |name: &str| answer[name].as_str().unwrap_or_default();
        writeln!(out, "{}", one_line(text("why")))?;
        if args.explain {
            // The host has taken out of it what a terminal could mistake for a command.
            writeln!(out, "\n{}", text("text").trim_end())?;
        }
        Ok(())
    })?;
    let is_answered = answer["decision"]["outcome"]["outcome"] == "model";
    Ok(match is_answered {
        true => Exit::Ok,
        false if answer["model"].is_string() => Exit::Waiting,
        false => Exit::Denied,
    })
}

fn wants(args: &RouteArgs) -> Map<String, Value> {
    let mut wants = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            wants.insert(name.to_owned(), value);
        }
    };
    put("max_cost", args.max_cost.map(Value::from));
    put("deadline_ms", args.deadline_ms.map(Value::from));
    put("min_quality", args.min_quality.map(Value::from));
    put(
        "compliance",
        (!args.compliance.is_empty()).then(|| json!(args.compliance)),
    );
    put("task", args.task.clone().map(Value::from));
    put("region", args.region.clone().map(Value::from));
    put("local_only", args.local_only.then_some(true.into()));
    wants
}
