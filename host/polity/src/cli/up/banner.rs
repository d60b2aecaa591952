//! What a person sees when the host is ready: where it is, how it is, and what to try.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write as _};
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use polity_kernel::Kernel;

use super::tries;
use crate::cli::invocation;
use crate::cli::place::{Place, PlaceArgs};
use crate::cli::text::{duration, one_line};

const STRONG: Style = Style::new().bold();
const LINK: Style = AnsiColor::Cyan.on_default().underline();

/// Everything that is told.
pub(super) struct Facts<'a> {
    pub(super) kernel: &'a Kernel,
    pub(super) url: &'a str,
    /// Opens the console once.
    pub(super) link: &'a str,
    pub(super) place: &'a Place,
    pub(super) args: &'a PlaceArgs,
    pub(super) took: Duration,
}

/// Tells it: to a person in words, to a log in one line that holds no secret.
pub(super) fn show(facts: &Facts<'_>) {
    let took_ms = u64::try_from(facts.took.as_millis()).unwrap_or(u64::MAX);
    if !io::stdout().is_terminal() {
        tracing::info!(
            url = facts.url,
            plugins = states(facts.kernel),
            took_ms,
            "ready"
        );
        return;
    }
    let text = text(facts, took_ms);
    // The host runs whether or not somebody reads this.
    let _ = anstream::stdout().lock().write_all(text.as_bytes());
}

fn text(facts: &Facts<'_>, took_ms: u64) -> String {
    let Facts {
        kernel,
        url,
        link,
        place,
        args,
        ..
    } = facts;
    let constitution = kernel.constitution();
    let mut text = String::new();
    let company = one_line(&constitution.charter().company().name);
    let _ = writeln!(
        text,
        "\n{STRONG}{company}{STRONG:#} runs on Polity {}, ready in {}\n",
        env!("CARGO_PKG_VERSION"),
        duration(took_ms)
    );
    let _ = writeln!(text, "  Console  {LINK}{link}{LINK:#}  (opens once)");
    let _ = writeln!(
        text,
        "  API      {LINK}{url}/v1{LINK:#}  (OpenAI-compatible; token in {})",
        place.data.join("owner.token").display()
    );
    let _ = writeln!(text, "  Plugins  {}", plugins(kernel, place));
    let _ = writeln!(text, "\nTry next, in another terminal:\n");
    let (program, same_place) = (invocation::program(), invocation::same_place(args));
    for line in tries::of(kernel, |words| format!("{program} {words}{same_place}")) {
        let _ = writeln!(text, "  {line}");
    }
    let _ = writeln!(text, "\nCtrl-C stops.\n");
    text
}

fn plugins(kernel: &Kernel, place: &Place) -> String {
    format!(
        "{}; drop a .wasm into {} to add one",
        states(kernel),
        place.plugins().display()
    )
}

/// How many plugins there are in each state.
fn states(kernel: &Kernel) -> String {
    let generation = kernel.runtime().current();
    let mut counts = [
        ("live", 0_usize),
        ("pending", 0),
        ("needs-credential", 0),
        ("refused", 0),
        ("quarantined", 0),
    ];
    for entry in generation.entries() {
        if let Some((_, count)) = counts
            .iter_mut()
            .find(|(state, _)| *state == entry.state.name())
        {
            *count += 1;
        }
    }
    let told: Vec<String> = counts
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| match (*state, *count) {
            ("needs-credential", 1) => "1 needs a credential".to_owned(),
            ("needs-credential", count) => format!("{count} need a credential"),
            (state, count) => format!("{count} {state}"),
        })
        .collect();
    if told.is_empty() {
        "none yet".to_owned()
    } else {
        told.join(", ")
    }
}
