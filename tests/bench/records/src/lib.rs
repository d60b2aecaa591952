//! What the benchmarks of records share. They are a package of their own, because their peers are light and those of the
//! plugins are not.

#![forbid(unsafe_code)]

use std::env;
use std::time::Duration;

/// A share of some times, in microseconds: `0.5` is the median.
pub fn quantile(times: &mut [Duration], share: f64) -> f64 {
    times.sort_unstable();
    let place = ((times.len() - 1) as f64 * share).round() as usize;
    times[place].as_nanos() as f64 / 1000.0
}

/// The number after a flag on the command line, or a default.
pub fn flag(name: &str, default: u64) -> u64 {
    let mut arguments = env::args().skip_while(|argument| argument != name);
    arguments
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
