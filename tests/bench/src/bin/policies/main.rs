//! Policy languages: how large their components are, and what a verdict costs beside the crates they are made of.
//!
//! One policy in two languages decides about one refund. "Read each time" is a component that parses the policy in every
//! call, as an instance that knows nothing has to; "primed" begins with the memory of one that has read it. Native is the
//! crate itself with a policy that was parsed once, without a sandbox and without fresh state.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs};

use anyhow::{Context as _, Result, ensure};
use polity_bench::{flag, host_with, quantile};
use polity_runtime::plugin::{Action, Plugin, Verdict};

const CEDAR: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rule-cedar.wasm"));
const REGO: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rule-rego.wasm"));

const CEDAR_POLICY: &str = include_str!("refunds.cedar");
const REGO_POLICY: &str = include_str!("refunds.rego");

const INPUT: &str = r#"{"amount":35,"currency":"EUR","order":"A-1001","reason":"damaged"}"#;
const FACTS: &str = r#"{"actor":{"id":"person:ada","kind":"person","name":"Ada"},"actor_roles":["owner"],"company":{"name":"Driftwood Media","currency":"EUR"},"spent_today_micro":{"actor":0,"company":0},"request":{}}"#;

const BLOCK: usize = 100;

type Judge = Box<dyn FnMut() -> Result<bool>>;

fn main() -> Result<()> {
    let rounds = flag("--rounds", 30);
    let mut judges: Vec<(&str, Judge, Vec<Duration>)> = Vec::new();
    println!("| component | module KiB | primed in ms |\n|---|---|---|");
    for (name, wasm, policy, extra) in [
        (
            "rule-cedar",
            CEDAR,
            ("policies/refunds.cedar", CEDAR_POLICY),
            r#","decimals":["/amount"]"#,
        ),
        (
            "rule-rego",
            REGO,
            ("policies/refunds.rego", REGO_POLICY),
            "",
        ),
    ] {
        let config: Arc<str> = format!(
            "{{\"policies\":[{{\"file\":{},\"text\":{}}}]{extra}}}",
            quoted(policy.0),
            quoted(policy.1)
        )
        .into();
        let (runtime, folder) = host_with(name, wasm)?;
        let plain: Arc<Plugin> = runtime.current().rules()[0]
            .plugin()
            .context("the rule is not serving")?
            .clone();
        let started = Instant::now();
        let primed = Arc::new(plain.primed(&config)?);
        let took = started.elapsed().as_secs_f64() * 1e3;
        println!("| {name} | {} | {took:.0} |", wasm.len() / 1024);
        let keep = Arc::new((runtime, folder));
        for (what, plugin) in [("read each time", plain), ("primed", primed)] {
            let (config, keep, action) = (config.clone(), keep.clone(), action());
            let label: &'static str = format!("{name}, fresh, {what}").leak();
            judges.push((
                label,
                Box::new(move || {
                    let _ = &keep;
                    Ok(plugin.evaluate(&action, Some(&config))?.verdict == Verdict::Allow)
                }),
                Vec::new(),
            ));
        }
    }
    judges.push(("Cedar, native", cedar()?, Vec::new()));
    judges.push(("regorus, native", regorus()?, Vec::new()));
    for round in 0..=rounds {
        for (name, judge, times) in &mut judges {
            for _ in 0..BLOCK {
                // As a host that does anything else; without a pause the instances that stand by run out.
                let pause = Instant::now();
                while pause.elapsed() < Duration::from_micros(200) {
                    std::hint::spin_loop();
                }
                let started = Instant::now();
                let allowed = black_box(judge()?);
                let took = started.elapsed();
                ensure!(allowed, "{name} decided otherwise");
                if round > 0 {
                    times.push(took);
                }
            }
        }
    }
    println!("\n| verdict | p50 µs | p99 µs |\n|---|---|---|");
    for (name, _, times) in &mut judges {
        println!(
            "| {name} | {:.1} | {:.1} |",
            quantile(times, 0.5),
            quantile(times, 0.99)
        );
    }
    if let Some(out) = env::var_os("POLITY_KEEP") {
        fs::create_dir_all(&out)?;
        fs::write(std::path::Path::new(&out).join("rule-cedar.wasm"), CEDAR)?;
        fs::write(std::path::Path::new(&out).join("rule-rego.wasm"), REGO)?;
    }
    Ok(())
}

fn action() -> Action {
    Action {
        kind: "refund.pay".into(),
        actor: "person:ada".into(),
        at_ms: 1_767_603_600_000,
        input: INPUT.into(),
        context: FACTS.into(),
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Cedar as the component uses it, from the action's texts to the answer.
fn cedar() -> Result<Judge> {
    use rule_cedar::{Config, Policies, PolicyText, judge};
    let config = Config {
        policies: vec![PolicyText {
            file: "policies/refunds.cedar".into(),
            text: CEDAR_POLICY.into(),
        }],
        decimals: vec!["/amount".into()],
        ..Config::default()
    };
    let policies = Policies::parse(&config.policies).map_err(anyhow::Error::msg)?;
    let action = native();
    Ok(Box::new(move || {
        let verdict = judge(&config, &policies, &action);
        Ok(matches!(verdict, Ok(polity_sdk::rule::Verdict::Allow)))
    }))
}

/// regorus as the component uses it.
fn regorus() -> Result<Judge> {
    use rule_rego::{Config, Policies, PolicyText, verdict};
    let config = Config {
        policies: vec![PolicyText {
            file: "policies/refunds.rego".into(),
            text: REGO_POLICY.into(),
        }],
        ..Config::default()
    };
    let policies = Policies::parse(&config).map_err(anyhow::Error::msg)?;
    let action = native();
    Ok(Box::new(move || {
        let answer = policies.ask(&action).map_err(anyhow::Error::msg)?;
        let verdict = verdict(&config, &action, &answer).map_err(anyhow::Error::msg)?;
        Ok(matches!(verdict, polity_sdk::rule::Verdict::Allow))
    }))
}

fn native() -> polity_sdk::rule::Action {
    let action = action();
    polity_sdk::rule::Action {
        kind: action.kind,
        actor: action.actor,
        at_ms: action.at_ms,
        input: action.input,
        context: action.context,
    }
}
