//! Runs of workflows: how many there are in each phase, and what they have done.

use polity_kernel::WorkflowCount;

use super::exposition::{Exposition, Type};

pub(super) fn write(page: &mut Exposition, count: &WorkflowCount) {
    let mut family = page.family(
        "polity_workflow_instances",
        Type::Gauge,
        "Runs that have not ended, by phase.",
    );
    for (phase, count) in &count.open {
        family.sample(&[("phase", phase)], *count);
    }
    let mut family = page.family(
        "polity_workflow_ended_total",
        Type::Counter,
        "Runs that ended since the start, by phase.",
    );
    for (phase, count) in &count.ended {
        family.sample(&[("phase", phase)], *count);
    }
    page.family(
        "polity_workflow_transitions_total",
        Type::Counter,
        "Steps of runs that were taken and written since the start.",
    )
    .sample(&[], count.transitions);
    let mut family = page.family(
        "polity_workflow_effects_total",
        Type::Counter,
        "Effects of runs outside since the start, by function and outcome.",
    );
    for effect in &count.effects {
        family.sample(
            &[("call", &effect.call), ("outcome", effect.outcome)],
            effect.count,
        );
    }
}
