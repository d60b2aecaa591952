//! What the system says of this process, under the names that every Prometheus client library uses.

use std::fs;

use super::exposition::{Exposition, Type};

/// Clock ticks a second in `/proc`. It is 100 on every Linux that user space can see.
const TICKS: f64 = 100.0;

/// Bytes in a page of `statm`, which counts in the system's pages; 4 KiB wherever this is built for.
const PAGE: u64 = 4096;

/// Writes memory, CPU time and descriptors; nothing where there is no `/proc`.
pub(super) fn write(page: &mut Exposition) {
    if let Some(bytes) = resident() {
        page.family(
            "process_resident_memory_bytes",
            Type::Gauge,
            "Resident memory in bytes.",
        )
        .sample(&[], bytes);
    }
    if let Some(seconds) = cpu() {
        page.family(
            "process_cpu_seconds_total",
            Type::Counter,
            "User and system CPU time in seconds.",
        )
        .sample(&[], seconds);
    }
    if let Ok(descriptors) = fs::read_dir("/proc/self/fd") {
        page.family("process_open_fds", Type::Gauge, "Open file descriptors.")
            .sample(&[], descriptors.count());
    }
}

fn resident() -> Option<u64> {
    let statm = fs::read_to_string("/proc/self/statm").ok()?;
    statm
        .split(' ')
        .nth(1)?
        .parse::<u64>()
        .ok()
        .map(|pages| pages * PAGE)
}

fn cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The command's name may hold blanks and brackets; what follows its last bracket does not.
    let (_, rest) = stat.rsplit_once(") ")?;
    // utime and stime are the 14th and 15th field; `rest` begins with the third.
    let mut times = rest.split(' ').skip(11).map(str::parse::<f64>);
    Some((times.next()?.ok()? + times.next()?.ok()?) / TICKS)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_memory_and_time() {
        assert!(resident().unwrap() > 100_000);
        assert!(cpu().unwrap() >= 0.0);
    }
}
