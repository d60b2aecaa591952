//! What the kernel adds to a completion: CPU time of the calling thread through the kernel, less that of calling the
//! adapter directly and of asking the rule directly. Prints microseconds for each request.
//!
//! `cargo run --release -p polity-kernel --example completion [requests in a round]`

use std::error::Error;
use std::fs;
use std::sync::Arc;

use polity_kernel::{Actor, CompletionRequest, Kernel, Message, Settings};
use polity_runtime::Reply;
use polity_runtime::plugin::{Action, Request};

type Failure = Box<dyn Error + Send + Sync>;

const CHARTER: &str = r#"{
    "company": {"name": "Example", "currency": "EUR"},
    "people": [{"id": "ada", "name": "Ada Example", "roles": ["owner"]}],
    "defaults": {"unmatched": "allow"},
    "ledger": {"completions": "relaxed"}
}"#;

/// Each is measured so often, in turns.
const ROUNDS: usize = 10;

/// A limit on what one action may cost: a rule that reads its settings, the input and the context.
const RULE: &str = r#"{
    "rule": "spending-limit", "guards": ["model.*"],
    "config": {"limits": [{"per": "action", "hard_micro": 1000000}]}
}"#;

fn main() -> Result<(), Failure> {
    let requests: u64 = std::env::args()
        .nth(1)
        .map_or(Ok(2_000), |count| count.parse())?;
    let folder = tempfile::tempdir()?;
    for name in ["rules", "plugins"] {
        fs::create_dir_all(folder.path().join("company").join(name))?;
    }
    fs::write(folder.path().join("company/charter.json"), CHARTER)?;
    for name in ["triage", "spending-limit"] {
        let plugin = polity_plugins::find(name).ok_or("the plugin is not there")?;
        fs::write(
            folder.path().join(format!("company/plugins/{name}.wasm")),
            plugin.wasm,
        )?;
    }
    let kernel = Kernel::start(Settings::new(
        folder.path().join("company"),
        folder.path().join("data"),
    ))?;
    let ada = kernel.actor("person:ada").ok_or("the actor is not there")?;
    // One thread, so that all of a request's work is this thread's.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;

    let mut adapter = Least::default();
    let mut rule = Least::default();
    let mut without_rules = Least::default();
    let mut with_rule = Least::default();
    for _ in 0..ROUNDS {
        adapter.take(runtime.block_on(adapter_alone(&kernel, requests))?);
        without_rules.take(runtime.block_on(through_kernel(&kernel, &ada, requests))?);
    }
    fs::write(folder.path().join("company/rules/costs.json"), RULE)?;
    runtime.block_on(kernel.reload())?;
    for _ in 0..ROUNDS {
        rule.take(rule_alone(&kernel, requests)?);
        with_rule.take(runtime.block_on(through_kernel(&kernel, &ada, requests))?);
    }
    runtime.block_on(kernel.ledger().flush())?;

    let [adapter, rule, without_rules, with_rule] = [adapter, rule, without_rules, with_rule]
        .map(|least| least.0 as f64 / requests as f64 / 1_000.0);
    println!("adapter alone      {adapter:7.2} µs");
    println!("rule alone         {rule:7.2} µs");
    println!(
        "kernel, no rule    {without_rules:7.2} µs, of which its own {:5.2}",
        without_rules - adapter
    );
    println!(
        "kernel, one rule   {with_rule:7.2} µs, of which its own {:5.2}",
        with_rule - adapter - rule
    );
    Ok(())
}

/// The round that the machine's other work disturbed least.
struct Least(u64);

impl Default for Least {
    fn default() -> Self {
        Self(u64::MAX)
    }
}

impl Least {
    fn take(&mut self, nanos: u64) {
        self.0 = self.0.min(nanos);
    }
}

async fn adapter_alone(kernel: &Kernel, requests: u64) -> Result<u64, Failure> {
    let generation = kernel.runtime().current();
    let adapter = generation
        .plugin("triage")
        .ok_or("the adapter is not loaded")?;
    let started = cpu_nanos()?;
    for _ in 0..requests {
        let request = Request {
            model: "triage".to_owned(),
            messages: vec![polity_runtime::plugin::Message {
                role: "user".into(),
                content: "{\"content\":\"my invoice is wrong\"}".into(),
            }],
            tools: "[]".to_owned(),
            response_schema: None,
            max_output_tokens: None,
            temperature: None,
            extra: "{}".to_owned(),
        };
        adapter
            .complete(&request, Reply::Collect(Vec::new()), None)
            .await?;
    }
    Ok(cpu_nanos()? - started)
}

fn rule_alone(kernel: &Kernel, requests: u64) -> Result<u64, Failure> {
    let generation = kernel.runtime().current();
    let rule = generation
        .plugin("spending-limit")
        .ok_or("the rule is not loaded")?;
    let config: Arc<str> = r#"{"limits":[{"hard_micro":1000000,"per":"action"}]}"#.into();
    let decision = kernel
        .decisions(&polity_kernel::DecisionFilter {
            limit: 1,
            ..Default::default()
        })?
        .remove(0);
    let action = Action {
        kind: decision.kind,
        actor: decision.actor,
        at_ms: decision.at_ms,
        input: decision.input.to_string(),
        context: decision.context.to_string(),
    };
    let started = cpu_nanos()?;
    for _ in 0..requests {
        rule.evaluate(&action, Some(&config))?;
    }
    Ok(cpu_nanos()? - started)
}

async fn through_kernel(kernel: &Kernel, actor: &Actor, requests: u64) -> Result<u64, Failure> {
    let started = cpu_nanos()?;
    for _ in 0..requests {
        let request =
            CompletionRequest::new("triage", vec![Message::text("user", "my invoice is wrong")]);
        kernel.complete(actor, request, false).await?;
    }
    Ok(cpu_nanos()? - started)
}

/// CPU time of this thread so far; waiting and other threads do not count.
fn cpu_nanos() -> Result<u64, Failure> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(stat
        .split_whitespace()
        .next()
        .ok_or("no schedstat")?
        .parse()?)
}
