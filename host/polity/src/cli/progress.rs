//! Progress bars on standard error; nothing at all where that is not a terminal.

use std::sync::OnceLock;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

/// Shared with the log, whose lines go above the bars.
static BARS: OnceLock<MultiProgress> = OnceLock::new();

/// Work of a known length.
pub(crate) fn bar(length: u64, doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} [{bar:32}] {pos}/{len}");
    add(ProgressBar::new(length), style.ok()).with_message(doing)
}

/// Work of unknown length that counts something.
pub(crate) fn counter(doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {human_pos}");
    let bar = add(ProgressBar::no_length(), style.ok()).with_message(doing);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Work that says nothing of itself.
pub(crate) fn spinner(doing: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}");
    let bar = add(ProgressBar::no_length(), style.ok()).with_message(doing);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

fn add(bar: ProgressBar, style: Option<ProgressStyle>) -> ProgressBar {
    let bar = BARS.get_or_init(MultiProgress::new).add(bar);
    match style {
        Some(style) => bar.with_style(style.progress_chars("=> ")),
        None => bar,
    }
}

/// Lets something else write to standard error without being drawn over.
pub(crate) fn step_aside(write: impl FnOnce()) {
    match BARS.get() {
        Some(bars) => bars.suspend(write),
        None => write(),
    }
}
