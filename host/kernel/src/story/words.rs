//! A story in plain words: what `polity explain` prints.

use std::fmt;

use polity_constitution::{Mode, OutcomeKind, Verdict};
use polity_dispatch::{AttemptEnd, AttemptRecord};

use super::Story;
use super::line::{json, line, span, time};
use crate::completion::{Claim, CompletionRecord};
use crate::decision::RuleFinding;
use crate::escalation::HumanState;
use crate::kept::Omitted;
use crate::models::Routing;
use crate::money::Money;

/// Digits of a digest that a person can tell two versions apart by.
const DIGITS: usize = 12;

/// Amended places that are shown.
const MAX_CHANGES: usize = 5;

/// Models that are shown of those that were weighed.
const MAX_CANDIDATES: usize = 8;

impl fmt::Display for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = &self.decision;
        let verb = match decision.outcome {
            OutcomeKind::Allow => "allowed",
            OutcomeKind::Amend => "allowed in another form",
            OutcomeKind::Escalate => "put before a person",
            OutcomeKind::Deny => "denied",
        };
        writeln!(f, "{} was {verb}.", line(&decision.kind))?;
        writeln!(f, "{}", line(&decision.reason))?;
        writeln!(f)?;
        self.asked(f)?;
        self.rules(f)?;
        if let Some(completion) = &decision.completion {
            self.completion(f, completion)?;
        }
        self.people(f)?;
        self.evidence(f)
    }
}

impl Story {
    fn asked(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = &self.decision;
        let who = match &self.actor_name {
            Some(name) => format!("{} ({})", line(name), line(&decision.actor)),
            None => line(&decision.actor),
        };
        fact(
            f,
            "asked",
            format_args!("by {who} on {}", time(decision.at_ms)),
        )?;
        match &decision.omitted_input {
            Some(omitted) => fact(f, "input", too_long(omitted))?,
            None => fact(f, "input", json(&decision.input))?,
        }
        if let Some(amended) = &decision.amended_input {
            for pointer in decision.changed.iter().take(MAX_CHANGES) {
                let now = amended
                    .pointer(pointer)
                    .map_or_else(|| "nothing".to_owned(), json);
                fact(f, "amended", format_args!("{} to {now}", line(pointer)))?;
            }
            if let Some(more) = decision
                .changed
                .len()
                .checked_sub(MAX_CHANGES)
                .filter(|more| *more > 0)
            {
                fact(f, "amended", format_args!("and {more} other places"))?;
            }
        }
        if let Some(omitted) = &decision.omitted_amended_input {
            fact(f, "amended", too_long(omitted))?;
        }
        let spent = |pointer| {
            decision
                .context
                .pointer(pointer)
                .and_then(serde_json::Value::as_u64)
        };
        if let (Some(actor), Some(company)) = (
            spent("/spent_today_micro/actor"),
            spent("/spent_today_micro/company"),
        ) {
            let (actor, company) = (self.money(actor), self.money(company));
            fact(
                f,
                "spent",
                format_args!(
                    "{actor} that day by whoever asked, {company} by the company, before this"
                ),
            )?;
        }
        if let Some(said) = decision
            .context
            .get("request")
            .filter(|said| said.as_object().is_some_and(|said| !said.is_empty()))
        {
            fact(
                f,
                "said",
                format_args!("{}, which only the caller vouches for", json(said)),
            )?;
        }
        Ok(())
    }

    fn rules(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.decision.findings.is_empty() {
            return fact(f, "rules", "none guards this kind of action");
        }
        for finding in &self.decision.findings {
            fact(
                f,
                if finding.round == 1 { "rule" } else { "again" },
                rule(finding),
            )?;
        }
        for (binding, policy) in &self.policies {
            fact(
                f,
                "policy",
                format_args!("{binding}: \u{201c}{}\u{201d}", line(policy)),
            )?;
        }
        if let Some(shadow) = &self.decision.if_shadow_counted {
            fact(
                f,
                "shadow",
                format_args!(
                    "counted, the shadow rules would have made it: {}",
                    line(&shadow.sentence)
                ),
            )?;
        }
        Ok(())
    }

    fn completion(&self, f: &mut fmt::Formatter<'_>, completion: &CompletionRecord) -> fmt::Result {
        let CompletionRecord {
            model,
            plugin,
            plugin_version,
            digest,
            asked,
            ..
        } = completion;
        let version = plugin_version
            .as_deref()
            .map(|version| format!(" {version}"))
            .unwrap_or_default();
        let asked = if **model == **asked {
            String::new()
        } else {
            format!(", asked for as {}", line(asked))
        };
        fact(
            f,
            "model",
            format_args!(
                "{} of {plugin}{version} ({}){asked}",
                line(model),
                short(digest)
            ),
        )?;
        if let Some(routing) = &completion.routing {
            self.routing(f, routing)?;
        }
        for attempt in &completion.attempts {
            fact(f, "tried", tried(attempt))?;
        }
        if let Some(about) = &completion.about {
            self.about(f, about)?;
        }
        let end = match (&completion.finish, &completion.error) {
            (Some(finish), _) => format!("{} ({})", completion.status, line(finish)),
            (None, Some(error)) => format!(
                "{}: {} ({})",
                completion.status,
                line(&error.detail),
                line(&error.code)
            ),
            (None, None) => completion.status.to_string(),
        };
        fact(f, "ended", end)?;
        let guessed = match completion.disbelieved {
            Some(Claim {
                input_tokens,
                output_tokens,
            }) => format!(
                ", guessed from the length of the text and charged so; the provider claims {input_tokens} read and \
                 {output_tokens} written, which cannot be"
            ),
            None if completion.is_estimate => ", guessed from the length of the text".to_owned(),
            None => String::new(),
        };
        let cached = match completion.cached_tokens {
            0 => String::new(),
            cached => format!(" ({cached} of them cached)"),
        };
        let (read, written) = (completion.input_tokens, completion.output_tokens);
        fact(
            f,
            "tokens",
            format_args!("{read} read{cached}, {written} written{guessed}"),
        )?;
        let (cost, reserved) = (
            self.money(completion.cost_micro),
            self.money(completion.reserved_micro),
        );
        fact(f, "cost", format_args!("{cost}, of {reserved} set aside"))?;
        let first = completion
            .first_piece_us
            .map(|us| format!(", {} to the first piece", span(us)))
            .unwrap_or_default();
        let (judging, all) = (span(self.decision.took_us), span(completion.took_us));
        fact(
            f,
            "time",
            format_args!("{judging} for the rules{first}, {all} in all"),
        )
    }

    /// Why this model: what was weighed, the best first.
    fn routing(&self, f: &mut fmt::Formatter<'_>, routing: &Routing) -> fmt::Result {
        fact(f, "chosen", line(&routing.why))?;
        for candidate in routing.decision.candidates.iter().take(MAX_CANDIDATES) {
            let name = line(&candidate.model);
            if candidate.reasons.is_empty() {
                let cost = self.money(candidate.cost);
                fact(
                    f,
                    "weighed",
                    format_args!(
                        "{name}: score {:.2}, {cost} expected, worth {:.3}",
                        candidate.quality.expected, candidate.utility
                    ),
                )?;
            } else {
                let reasons: Vec<String> =
                    candidate.reasons.iter().map(ToString::to_string).collect();
                fact(
                    f,
                    "excluded",
                    format_args!("{name}: {}", line(&reasons.join(", and "))),
                )?;
            }
        }
        let shown = routing.decision.candidates.len().min(MAX_CANDIDATES);
        match routing.decision.candidates.len() + routing.omitted - shown {
            0 => Ok(()),
            more => fact(f, "weighed", format_args!("and {more} more")),
        }
    }

    fn people(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(answer) = &self.decision.resolution else {
            return Ok(());
        };
        for item in &answer.items {
            let due = match (&item.state, item.due_at_ms) {
                (polity_inbox::State::Open, Some(due)) => format!(", due {}", time(due)),
                _ => String::new(),
            };
            fact(
                f,
                "inbox",
                format_args!(
                    "{} for {}: {}{due}",
                    item.id,
                    line(&item.role),
                    line(&item.words)
                ),
            )?;
        }
        let so = match answer.state {
            HumanState::Waiting => "it waits, and must not happen yet",
            HumanState::Accepted => "it may happen",
            HumanState::Rejected => "it must not happen",
            HumanState::Answered => "it must not happen; ask again in another form",
            HumanState::Disagreed => "it must not happen; different forms of it were accepted",
        };
        fact(f, "so", so)?;
        match &answer.input {
            Some(input) if *input != self.decision.input => fact(f, "accepted", json(input)),
            _ => Ok(()),
        }
    }

    fn evidence(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decision = &self.decision;
        if decision.completion.is_none() {
            fact(
                f,
                "time",
                format_args!("{} for the rules", span(decision.took_us)),
            )?;
        }
        fact(
            f,
            "law",
            format_args!("constitution {}", decision.constitution),
        )?;
        for event in &self.events {
            let hash = event.hash.to_string();
            let (seq, kind) = (event.seq, &event.kind);
            fact(
                f,
                "ledger",
                format_args!(
                    "event {seq}, {kind}, {}, hash {hash:.DIGITS$}…",
                    time(event.time_ms)
                ),
            )?;
        }
        fact(f, "decision", decision.id)
    }

    pub(super) fn money(&self, micro: u64) -> Money<'_> {
        Money {
            micro,
            currency: &self.currency,
        }
    }
}

/// One fact on one line.
pub(super) fn fact(f: &mut fmt::Formatter<'_>, name: &str, text: impl fmt::Display) -> fmt::Result {
    writeln!(f, "{name:<9} {text}")
}

/// What one rule said, as a sentence.
fn rule(finding: &RuleFinding) -> String {
    let RuleFinding {
        finding: inner,
        version,
        digest,
        fuel,
        took_us,
        ..
    } = finding;
    let name = if inner.binding == inner.rule {
        inner.rule.clone()
    } else {
        format!("{} ({})", inner.binding, inner.rule)
    };
    let version = match (version, digest) {
        (Some(version), Some(digest)) => format!(" {version}, {},", short(digest)),
        (None, Some(digest)) => format!(" {},", short(digest)),
        _ => String::new(),
    };
    let shadow = if inner.mode == Mode::Shadow {
        " in shadow mode"
    } else {
        ""
    };
    let said = match &inner.result {
        Ok(Verdict::Allow) => "had no objection".to_owned(),
        Ok(Verdict::Deny { reason }) => format!("denied it: \u{201c}{}\u{201d}", line(reason)),
        Ok(Verdict::Escalate { reason, role, .. }) => {
            format!(
                "wants {} to decide: \u{201c}{}\u{201d}",
                line(role),
                line(reason)
            )
        }
        Ok(Verdict::Amend { patch }) => format!("amended it: {}", json(patch)),
        Err(failure) if inner.mode == Mode::Shadow => {
            format!("failed: it {}", line(&failure.to_string()))
        }
        Err(failure) => format!(
            "failed, and so did not allow it: it {}",
            line(&failure.to_string())
        ),
    };
    let price = if digest.is_some() {
        format!(" ({fuel} fuel, {})", span(*took_us))
    } else {
        String::new()
    };
    format!("{name}{version}{shadow} {said}{price}")
}

/// What became of one call.
fn tried(attempt: &AttemptRecord) -> String {
    let took = span(attempt.ended_ms.saturating_sub(attempt.started_ms) * 1000);
    let end = match &attempt.end {
        AttemptEnd::Answered => "answered".to_owned(),
        AttemptEnd::Failed { class, detail } => format!("failed, {class}: {}", line(detail)),
        AttemptEnd::Stopped(_) => "was ended".to_owned(),
    };
    format!("{}/{} {end} ({took})", attempt.plugin, line(&attempt.model))
}

fn short(digest: &polity_runtime::digest::Digest) -> String {
    let hex = digest.to_hex();
    format!("sha256:{hex:.DIGITS$}")
}

fn too_long(omitted: &Omitted) -> String {
    let Omitted {
        head,
        bytes,
        sha256,
    } = omitted;
    format!(
        "{bytes} bytes, sha256 {sha256:.DIGITS$}…, beginning {}",
        line(head)
    )
}
