//! What the router decided, and which calls were made beside the first.

use polity_kernel::Counters;

use super::exposition::{Exposition, Type};
use super::seconds;

pub(super) fn write(page: &mut Exposition, counters: &Counters) {
    let mut decisions = page.family(
        "polity_router_decisions_total",
        Type::Counter,
        "Models chosen, by why: named, only, best, explored, unfamiliar (a person decides) or nobody.",
    );
    for route in &counters.routes {
        decisions.sample(
            &[("model", &route.model), ("reason", route.reason)],
            route.count,
        );
    }
    let took = &counters.router_decisions;
    let buckets = took
        .cumulative()
        .map(|(bound_us, count)| (seconds(bound_us), count));
    page.family(
        "polity_router_decision_duration_seconds",
        Type::Histogram,
        "Time that the router took to decide; a model that is simply named needs no decision.",
    )
    .histogram(&[], buckets, took.count, seconds(took.sum));
    let mut attempts = page.family(
        "polity_router_attempts_total",
        Type::Counter,
        "Calls of completions that took more than one or failed, by why they were made and how they ended.",
    );
    for attempt in &counters.attempts {
        let labels = [
            ("model", &*attempt.model),
            ("role", attempt.role),
            ("end", attempt.end),
        ];
        attempts.sample(&labels, attempt.count);
    }
}
