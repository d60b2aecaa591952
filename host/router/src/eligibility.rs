//! Which models may answer at all. This comes before any weighing: what breaks a constraint is not a bad choice, it is
//! no choice, and every constraint that it breaks is named.

use crate::catalogue::{Abilities, Ability, Model};
use crate::live::Standing;
use crate::reason::Reason;
use crate::requirements::Requirements;

/// What the constraints are checked against beside the request.
pub(crate) struct Expected {
    /// Tokens of the answer.
    pub(crate) output_tokens: u64,
    /// The most that it may cost, in micro-units.
    pub(crate) most_cost: u64,
    /// Milliseconds until it is whole, if anybody knows.
    pub(crate) latency_ms: Option<u64>,
    /// Its score.
    pub(crate) quality: f64,
    /// Whether the request names the model, or an alias of it.
    pub(crate) named: bool,
}

/// Every constraint that a model breaks; none for a model that may answer.
pub(crate) fn broken(
    model: &Model,
    needs: &Requirements,
    expected: &Expected,
    standing: Option<&Standing>,
    now_ms: u64,
) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if model.disabled {
        reasons.push(Reason::Disabled);
    }
    let missing = missing(model, needs, expected.named);
    if !missing.is_empty() {
        reasons.push(Reason::LacksAbilities { missing });
    }
    size(model, needs, expected, &mut reasons);
    place(model, needs, &mut reasons);
    purpose(model, needs, &mut reasons);
    worth(model, needs, expected, &mut reasons);
    if let Some(standing) = standing {
        now(standing, expected, now_ms, &mut reasons);
    }
    reasons
}

/// A classifier is no choice for a conversation, but an answer to whoever asks for it.
fn missing(model: &Model, needs: &Requirements, named: bool) -> Abilities {
    let missing = needs.abilities.without(model.abilities);
    if named && model.abilities.has(Ability::Classify) {
        return missing.without(Abilities::default().with(Ability::Chat));
    }
    missing
}

fn size(model: &Model, needs: &Requirements, expected: &Expected, reasons: &mut Vec<Reason>) {
    let wanted = needs
        .max_output_tokens
        .map_or(expected.output_tokens, u64::from);
    let needed = needs.input_tokens.saturating_add(wanted);
    if let Some(available) = model
        .context_tokens
        .map(u64::from)
        .filter(|available| *available < needed)
    {
        reasons.push(Reason::ContextTooShort { needed, available });
    }
    if let (Some(wanted), Some(most)) = (needs.max_output_tokens, model.max_output_tokens)
        && wanted > most
    {
        reasons.push(Reason::AnswerTooShort {
            wanted: wanted.into(),
            most: most.into(),
        });
    }
}

fn place(model: &Model, needs: &Requirements, reasons: &mut Vec<Reason>) {
    if model.local {
        return;
    }
    if let Some(required) = needs
        .wants
        .region
        .as_ref()
        .filter(|region| !model.residency.contains(*region))
    {
        reasons.push(Reason::OutsideRegion {
            required: required.clone(),
            region: model.region.as_deref().map(str::to_owned),
        });
    }
    if needs.wants.local_only {
        reasons.push(Reason::NotLocal);
    }
    if needs.personal.counts() {
        reasons.push(Reason::personal(&needs.personal));
    }
}

fn purpose(model: &Model, needs: &Requirements, reasons: &mut Vec<Reason>) {
    let tags = &needs.wants.compliance;
    let missing: Vec<String> = tags
        .iter()
        .filter(|tag| !model.compliance.contains(*tag))
        .cloned()
        .collect();
    if !missing.is_empty() {
        reasons.push(Reason::LacksCompliance { missing });
    }
    if model.never_for.tasks.contains(&*needs.task) {
        reasons.push(Reason::NeverForTask {
            task: needs.task.to_string(),
        });
    }
    if let Some(tag) = tags.iter().find(|tag| model.never_for.tags.contains(*tag)) {
        reasons.push(Reason::NeverForTag { tag: tag.clone() });
    }
}

fn worth(model: &Model, needs: &Requirements, expected: &Expected, reasons: &mut Vec<Reason>) {
    if let Some(allowed) = needs.wants.max_cost {
        if model.price.is_none() {
            reasons.push(Reason::PriceUnknown { allowed });
        } else if expected.most_cost > allowed {
            reasons.push(Reason::TooDear {
                most: expected.most_cost,
                allowed,
            });
        }
    }
    if let (Some(deadline_ms), Some(expected_ms)) = (needs.wants.deadline_ms, expected.latency_ms)
        && expected_ms > deadline_ms
    {
        reasons.push(Reason::TooSlow {
            expected_ms,
            deadline_ms,
        });
    }
    if let Some(least) = needs
        .wants
        .min_quality
        .filter(|least| expected.quality < *least)
    {
        reasons.push(Reason::BelowQuality {
            expected: expected.quality,
            least,
        });
    }
}

fn now(standing: &Standing, expected: &Expected, now_ms: u64, reasons: &mut Vec<Reason>) {
    let rest = |until: Option<u64>| until.map(|until| until.saturating_sub(now_ms));
    if let Some(until) = standing.breaker_open {
        reasons.push(Reason::BreakerOpen {
            for_ms: rest(until),
        });
    }
    if let Some(until) = standing.rate_limited {
        reasons.push(Reason::RateLimited {
            for_ms: rest(until),
        });
    }
    if let Some(left) = standing
        .budget_left
        .filter(|left| *left < expected.most_cost)
    {
        reasons.push(Reason::OverBudget {
            most: expected.most_cost,
            left,
        });
    }
    if let Some(why) = &standing.unhealthy {
        reasons.push(Reason::Unhealthy { why: why.clone() });
    }
}
