//! One decision, by Polity and by its peers, interleaved in one run.
//!
//! The decision parses a small JSON object and compares two of its fields. Polity and Extism run it as WebAssembly;
//! Cedar and regorus are native libraries that interpret a policy, without a sandbox. "Fresh" has an instance of its
//! own for every decision, "reused" keeps one, so that a plugin can remember what it saw in the call before.
//!
//! Blocks of each alternate, so that a machine that slows down slows all of them. "Paced" leaves a pause between
//! decisions, as a host that does anything else has; back to back, Polity's standby instances run out and the caller
//! makes its own. CPU is that of all threads of the process, the pause taken off.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use polity_bench::{INPUT, REFUND_EXTISM, cpu, flag, quantile, runtime};
use polity_runtime::plugin::{Action, Verdict};

const BLOCK: usize = 200;

/// Judges once; true is "allowed".
type Judge = Box<dyn FnMut() -> Result<bool>>;

struct Contestant {
    name: &'static str,
    pause: Duration,
    judge: Judge,
    times: Vec<Duration>,
    cpu: Duration,
}

fn main() -> Result<()> {
    let rounds = flag("--rounds", 50);
    let pause = Duration::from_micros(flag("--pause-us", 100));
    let mut contestants = Vec::new();
    let mut enter = |name, pause, judge| {
        contestants.push(Contestant {
            name,
            pause,
            judge,
            times: Vec::new(),
            cpu: Duration::ZERO,
        });
    };
    enter("Polity, fresh, paced", pause, polity()?);
    enter("Polity, fresh, back to back", Duration::ZERO, polity()?);
    enter("Extism 1.30, fresh", Duration::ZERO, extism_fresh()?);
    enter("Extism 1.30, reused", Duration::ZERO, extism_reused()?);
    enter("Cedar, native", Duration::ZERO, cedar()?);
    enter("regorus, native", Duration::ZERO, regorus()?);
    for round in 0..=rounds {
        for contestant in &mut contestants {
            contestant.block(round > 0)?;
        }
    }
    println!("| decision | p50 µs | p99 µs | CPU µs |\n|---|---|---|---|");
    for contestant in &mut contestants {
        let calls = contestant.times.len() as f64;
        let per_call = contestant.cpu.as_nanos() as f64 / 1000.0 / calls;
        let (p50, p99) = (
            quantile(&mut contestant.times, 0.5),
            quantile(&mut contestant.times, 0.99),
        );
        println!(
            "| {} | {p50:.1} | {p99:.1} | {per_call:.1} |",
            contestant.name
        );
    }
    Ok(())
}

impl Contestant {
    /// The first block warms up and is not counted.
    fn block(&mut self, counted: bool) -> Result<()> {
        // What the one before left to do in the background is not this one's.
        std::thread::sleep(Duration::from_millis(20));
        let before = cpu();
        let mut paused = Duration::ZERO;
        for _ in 0..BLOCK {
            if !self.pause.is_zero() {
                let started = Instant::now();
                while started.elapsed() < self.pause {
                    std::hint::spin_loop();
                }
                paused += started.elapsed();
            }
            let started = Instant::now();
            let allowed = black_box((self.judge)()?);
            let took = started.elapsed();
            ensure!(allowed, "{} decided otherwise", self.name);
            if counted {
                self.times.push(took);
            }
        }
        if counted {
            self.cpu += (cpu() - before).saturating_sub(paused);
        }
        Ok(())
    }
}

fn polity() -> Result<Judge> {
    let (runtime, folder, _) = runtime()?;
    let action = Action {
        kind: "refund.approve".into(),
        actor: "person:ada".into(),
        at_ms: 0,
        input: INPUT.into(),
        context: "{}".into(),
    };
    let rule = runtime.current().rules()[0]
        .plugin()
        .context("the rule is not serving")?
        .clone();
    Ok(Box::new(move || {
        let _ = (&runtime, &folder);
        Ok(rule.evaluate(&action, None)?.verdict == Verdict::Allow)
    }))
}

fn extism_compiled() -> Result<extism::CompiledPlugin> {
    let wasm = extism::Wasm::data(REFUND_EXTISM);
    extism::PluginBuilder::new(extism::Manifest::new([wasm])).compile()
}

fn extism_fresh() -> Result<Judge> {
    let compiled = extism_compiled()?;
    Ok(Box::new(move || {
        let mut plugin = extism::Plugin::new_from_compiled(&compiled)?;
        Ok(plugin.call::<&str, &str>("evaluate", INPUT)? == "allow")
    }))
}

fn extism_reused() -> Result<Judge> {
    let mut plugin = extism::Plugin::new_from_compiled(&extism_compiled()?)?;
    Ok(Box::new(move || {
        Ok(plugin.call::<&str, &str>("evaluate", INPUT)? == "allow")
    }))
}

fn cedar() -> Result<Judge> {
    use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, PolicySet, Request};
    let policies: PolicySet = r#"permit(principal, action == Action::"refund.approve", resource)
        when { context.currency == "EUR" && context.amount <= 500 };"#
        .parse()?;
    let (authorizer, entities) = (Authorizer::new(), Entities::empty());
    let ada: EntityUid = r#"Person::"ada""#.parse()?;
    let action: EntityUid = r#"Action::"refund.approve""#.parse()?;
    let order: EntityUid = r#"Order::"A-1001""#.parse()?;
    Ok(Box::new(move || {
        let context = Context::from_json_str(INPUT, None)?;
        let request = Request::new(ada.clone(), action.clone(), order.clone(), context, None)?;
        let response = authorizer.is_authorized(&request, &policies, &entities);
        Ok(response.decision() == Decision::Allow)
    }))
}

fn regorus() -> Result<Judge> {
    let mut engine = regorus::Engine::new();
    let policy = "package refund\nimport rego.v1\ndefault allow := false\n\
                  allow if { input.currency == \"EUR\"; input.amount <= 500 }";
    engine.add_policy("refund.rego".into(), policy.into())?;
    let entry: Arc<str> = "data.refund.allow".into();
    let compiled = engine.compile_with_entrypoint(&entry)?;
    Ok(Box::new(move || {
        let input = regorus::Value::from_json_str(INPUT)?;
        Ok(compiled.eval_with_input(input)? == regorus::Value::Bool(true))
    }))
}
