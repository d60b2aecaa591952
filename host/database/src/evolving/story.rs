//! A mutation in plain words.

use std::fmt::Write;

use polity_evolve::{Decision, Measured, Outcome, State, Verdict, Why};

use super::MutationView;

/// Bytes of evidence that are shown on its line.
const MAX_EVIDENCE: usize = 600;

/// Where a mutation is.
pub(super) fn of_state(state: &State) -> String {
    match state {
        State::Proposed => "waits for the rules".to_owned(),
        State::Asked { reason } => format!("waits for a person: {reason}"),
        State::Queued => "waits for its turn to be built".to_owned(),
        State::Building { attempt: 1 } => "is being built, hidden".to_owned(),
        State::Building { attempt } => {
            format!("is being built, hidden, for the {attempt}. time: the host ended meanwhile")
        }
        State::Canary => {
            "is on trial: queries run with and without it, and it has to prove itself".to_owned()
        }
        State::Activating => "is becoming visible".to_owned(),
        State::Undoing { why } => format!("is being taken back: {}", of_why(why)),
    }
}

/// How a mutation ended.
pub(super) fn of_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Kept => "was kept".to_owned(),
        Outcome::Reverted { why } => format!("was taken back: {}", of_why(why)),
        Outcome::Refused { by, reason } if by == "rules" => {
            format!("was refused by the rules: {reason}")
        }
        Outcome::Refused { by, reason } => format!("was refused by {by}: {reason}"),
    }
}

fn of_why(why: &Why) -> String {
    match why {
        Why::Trial { decision } => match decision {
            Decision::Harmful => "queries were slower with it",
            Decision::NotHarmless => "it was not shown to be harmless in time",
            Decision::NotWorthIt => "writes cost more than queries save",
            Decision::Useless => "it made no difference",
            Decision::Unused => "hardly any query could use it",
            Decision::Continue | Decision::Keep => "the trial ended",
        }
        .to_owned(),
        Why::Failed { reason } => format!("it could not be made: {reason}"),
        Why::TooLarge { bytes, allowed } => {
            format!("it takes {bytes} bytes and may take {allowed}")
        }
        Why::Conflict { reason } => format!("the schema changed under it: {reason}"),
        Why::Crashed => "the host ended each time it was built".to_owned(),
        Why::Person { by } => format!("{by} said so"),
    }
}

/// The whole story.
pub(super) fn tell(view: &MutationView) -> String {
    let mut text = format!("{} {}.\n\n", view.summary, view.words);
    let mut fact = |name: &str, said: String| {
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{name:<9} {}", one_line(&said));
    };
    fact("proposed", format!("by {}: {}", view.strategy, view.reason));
    let evidence = view.evidence.to_string();
    if evidence != "{}" {
        let end = evidence.floor_char_boundary(MAX_EVIDENCE);
        fact("evidence", evidence[..end].to_owned());
    }
    if view.benefit_us_per_day != 0 || view.write_cost_us_per_day != 0 {
        let gain = span(view.benefit_us_per_day);
        let cost = span(view.write_cost_us_per_day);
        fact(
            "expected",
            format!("{gain} of query time saved a day, {cost} of write time spent"),
        );
    }
    match &view.verdict {
        Some(Verdict::Allow) => fact("rules", "had no objection".to_owned()),
        Some(Verdict::Deny { reason }) => fact("rules", format!("denied it: {reason}")),
        Some(Verdict::Escalate { reason }) => {
            fact("rules", format!("want a person to decide: {reason}"));
        }
        None => {}
    }
    if let Some(by) = &view.approved_by {
        fact("approved", format!("by {by}"));
    }
    if let Some(built) = view.built.filter(|built| built.build_us > 0) {
        let took = span(i64::try_from(built.build_us).unwrap_or(i64::MAX));
        fact("built", format!("{} bytes in {took}", built.bytes));
    }
    if let Some(measured) = &view.measured {
        fact("measured", of_measured(measured));
    }
    if let Some(id) = view.takes_back {
        fact("undoes", id.to_string());
    }
    if let Some(id) = view.taken_back_by {
        fact("undone", format!("by {id}"));
    } else if view.state == "kept" {
        fact("undo", format!("polity db revert {}", view.id));
    }
    if let (Some(seq), Some(hash)) = (view.seq, &view.hash) {
        fact("history", format!("entry {seq}, hash {hash:.12}…"));
    }
    fact("mutation", view.id.to_string());
    text
}

fn of_measured(measured: &Measured) -> String {
    let faster = 1.0 / measured.effect.max(f64::MIN_POSITIVE);
    let times = if faster >= 1.0 {
        format!("{faster:.1} times as fast with it")
    } else {
        format!("{:.1} times as slow with it", measured.effect)
    };
    format!(
        "{} pairs of runs, the typical one {times}; chance of that without a gain {:.1e}",
        measured.pairs, measured.p_gain
    )
}

fn span(us: i64) -> String {
    let size = us.unsigned_abs();
    match size {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{:.1} ms", us as f64 / 1e3),
        _ => format!("{:.1} s", us as f64 / 1e6),
    }
}

/// Strategies are strangers: what they say stays on its line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
