//! What the benchmarks share: a host with one plugin in it, and figures read off a list of times.

#![forbid(unsafe_code)]

use std::net::IpAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use std::{env, fs};

use polity_runtime::egress::Resolver;
use polity_runtime::registry::{Runtime, Settings};
use polity_runtime::signature::Trust;

/// The decision under test as a Polity component.
pub const REFUND_POLITY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/refund-polity.wasm"));

/// The same decision as an Extism plugin.
pub const REFUND_EXTISM: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/refund-extism.wasm"));

/// The action that is judged: small, as an approval is.
pub const INPUT: &str = r#"{"amount":250,"currency":"EUR","order":"A-1001","reason":"damaged"}"#;

struct NoNames;

impl Resolver for NoNames {
    fn resolve(
        &self,
        _host: &str,
    ) -> Pin<Box<dyn Future<Output = std::io::Result<Vec<IpAddr>>> + Send>> {
        Box::pin(async { Err(std::io::ErrorKind::NotFound.into()) })
    }
}

/// A runtime whose plugin folder holds `refund.wasm`, and the folders it lives in.
pub fn runtime() -> anyhow::Result<(Runtime, tempfile::TempDir, PathBuf)> {
    let (runtime, folder) = host_with("refund", REFUND_POLITY)?;
    let plugins = folder.path().join("plugins");
    Ok((runtime, folder, plugins))
}

/// A runtime whose plugin folder holds one plugin, and the folder it lives in.
pub fn host_with(name: &str, wasm: &[u8]) -> anyhow::Result<(Runtime, tempfile::TempDir)> {
    let folder = tempfile::tempdir()?;
    let plugins = folder.path().join("plugins");
    fs::create_dir_all(&plugins)?;
    fs::write(plugins.join(format!("{name}.wasm")), wasm)?;
    let runtime = Runtime::start(Settings {
        plugins,
        data: folder.path().join("data"),
        trust: Trust::default(),
        bundled: Default::default(),
        compiler: None,
        resolver: Arc::new(NoNames),
        observer: Arc::new(|_| ()),
    })?;
    Ok((runtime, folder))
}

/// A share of some times, in microseconds: `0.5` is the median.
pub fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let place = ((times.len() - 1) as f64 * share).round() as usize;
    times[place].as_nanos() as f64 / 1000.0
}

/// CPU time of all threads of this process so far; zero where the kernel does not tell.
pub fn cpu() -> Duration {
    let tasks = fs::read_dir("/proc/self/task")
        .into_iter()
        .flatten()
        .flatten();
    let nanoseconds = tasks.filter_map(|task| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    });
    Duration::from_nanos(nanoseconds.sum())
}

/// The number after a flag on the command line, or a default.
pub fn flag(name: &str, default: u64) -> u64 {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
