//! What replacing a plugin costs those who call it meanwhile.
//!
//! Two versions of a rule take turns in the plugin folder by an atomic rename, as an operator would do it, while one
//! caller judges an action every 100 µs. A swap's latency runs from the rename until the new version is the one that
//! is handed out; it includes noticing the file, checking it, and asking the plugin to describe itself.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use polity_bench::{INPUT, REFUND_POLITY, flag, quantile, runtime};
use polity_runtime::digest::Digest;
use polity_runtime::plugin::Action;

fn main() -> Result<()> {
    let swaps = flag("--swaps", 1000);
    let (runtime, _folder, plugins) = runtime()?;
    // A custom section makes another version of the same code.
    let mut other = REFUND_POLITY.to_vec();
    other.extend([0, 3, 1, b'v', b'2']);
    let versions = [other.as_slice(), REFUND_POLITY];
    let digests = versions.map(Digest::of);
    let serving = || {
        let generation = runtime.current();
        generation.rules()[0]
            .plugin()
            .map(|plugin| plugin.identity().digest)
    };
    let stop = AtomicBool::new(false);
    let call = |times: &mut Vec<Duration>| -> Result<()> {
        let pause = Instant::now();
        while pause.elapsed() < Duration::from_micros(100) {
            std::hint::spin_loop();
        }
        let action = Action {
            kind: "refund.approve".into(),
            actor: "person:ada".into(),
            at_ms: 0,
            input: INPUT.into(),
            context: "{}".into(),
        };
        let started = Instant::now();
        let generation = runtime.current();
        let rule = generation.rules()[0].plugin().context("nobody serves")?;
        rule.evaluate(&action, None)?;
        times.push(started.elapsed());
        Ok(())
    };
    let mut quiet = Vec::new();
    while quiet.len() < 20_000 {
        call(&mut quiet)?;
    }
    let (mut during, mut latencies) = (Vec::new(), Vec::new());
    thread::scope(|scope| -> Result<()> {
        let caller = scope.spawn(|| -> Result<Vec<Duration>> {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                call(&mut times)?;
            }
            Ok(times)
        });
        for turn in 0..swaps as usize {
            let version = turn % 2;
            let new = plugins.join("refund.wasm.new");
            fs::write(&new, versions[version])?;
            let started = Instant::now();
            fs::rename(&new, plugins.join("refund.wasm"))?;
            while serving() != Some(digests[version]) {
                thread::yield_now();
            }
            latencies.push(started.elapsed());
        }
        stop.store(true, Ordering::Relaxed);
        during = caller.join().expect("the caller panicked")?;
        Ok(())
    })?;
    println!("| | p50 µs | p99 µs |\n|---|---|---|");
    for (name, times) in [
        ("swap, rename to serving", &mut latencies),
        ("decision, no swaps", &mut quiet),
        ("decision, during swaps", &mut during),
    ] {
        let (p50, p99) = (quantile(times, 0.5), quantile(times, 0.99));
        println!("| {name} ({}) | {p50:.1} | {p99:.1} |", times.len());
    }
    Ok(())
}
