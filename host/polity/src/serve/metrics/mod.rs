//! `GET /metrics`: counters for Prometheus, under the names of the OpenTelemetry GenAI conventions where there are any.

mod exposition;
mod plugins;
mod process;
mod routes;
mod traffic;
mod workflows;

use std::sync::atomic::Ordering;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use polity_constitution::Permission;
use polity_kernel::{CompletionCount, CompletionStatus, Counters};

use super::App;
use super::auth::Caller;
use super::fault::{Fault, Problem};
use crate::otel::Spans;
use exposition::{Exposition, Type};

pub(crate) use traffic::Traffic;

/// Read the metrics
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "operation",
    responses(
        (status = 200, description = "Prometheus text format 0.0.4.", body = String, content_type = "text/plain"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_metrics(State(app): State<App>, caller: Caller) -> Result<Response, Fault> {
    caller.allowed(Permission::MetricsRead)?;
    let kernel = app.kernel.clone();
    let counters = super::blocking(move || kernel.counters())
        .await?
        .map_err(Fault::internal)?;
    let currency = app
        .kernel
        .constitution()
        .charter()
        .company()
        .currency
        .clone();
    let mut page = Exposition::default();
    write(&mut page, &counters, &currency);
    let mut http = page.family(
        "polity_http_responses_total",
        Type::Counter,
        "HTTP answers by class of status.",
    );
    for (class, count) in app.traffic.read() {
        http.sample(&[("class", class)], count);
    }
    if let Some(spans) = &app.spans {
        write_spans(&mut page, spans);
    }
    process::write(&mut page);
    Ok(([(CONTENT_TYPE, exposition::CONTENT_TYPE)], page.finish()).into_response())
}

fn write_spans(page: &mut Exposition, spans: &Spans) {
    let counts = spans.counts();
    let mut family = page.family(
        "polity_spans_total",
        Type::Counter,
        "Spans for the collector: sent, dropped because too many waited, failed because it did not take them.",
    );
    for (result, count) in [
        ("sent", &counts.sent),
        ("dropped", &counts.dropped),
        ("failed", &counts.failed),
    ] {
        family.sample(&[("result", result)], count.load(Ordering::Relaxed));
    }
}

fn write(page: &mut Exposition, counters: &Counters, currency: &str) {
    page.family(
        "polity_build_info",
        Type::Gauge,
        "1, with the version as its label.",
    )
    .sample(&[("version", env!("CARGO_PKG_VERSION"))], 1);
    let mut decisions = page.family(
        "polity_decisions_total",
        Type::Counter,
        "Decisions by the first word of their kind, and by outcome.",
    );
    for count in &counters.decisions {
        decisions.sample(
            &[("kind", &count.kind), ("outcome", &name(&count.outcome))],
            count.count,
        );
    }
    page.family(
        "polity_unknown_models_total",
        Type::Counter,
        "Requests for models that do not exist.",
    )
    .sample(&[], counters.unknown_models);
    routes::write(page, counters);
    write_completions(page, &counters.completions, currency);
    write_cache(page, counters);
    workflows::write(page, &counters.workflows);
    plugins::write(page, &counters.plugins);
    let mut pending = page.family(
        "polity_inbox_pending",
        Type::Gauge,
        "Items that wait for a person, by what they are about.",
    );
    for (kind, count) in &counters.inbox.open {
        pending.sample(&[("kind", kind)], count);
    }
    let mut changes = page.family(
        "polity_schema_changes_total",
        Type::Counter,
        "Changes of the records' schema that are over, by what was changed and by what became of it: kept, reverted or refused.",
    );
    for change in &counters.schema_changes {
        changes.sample(
            &[("kind", change.kind), ("outcome", change.outcome)],
            change.count,
        );
    }
    page.family(
        "polity_inbox_oldest_age_seconds",
        Type::Gauge,
        "How long the oldest item has waited.",
    )
    .sample(&[], seconds(counters.inbox.oldest_age_ms * 1000));
    page.family(
        "polity_ledger_events_total",
        Type::Counter,
        "Events in the ledger.",
    )
    .sample(&[], counters.ledger_seq);
    page.family(
        "polity_requests_in_progress",
        Type::Gauge,
        "Actions and completions in progress.",
    )
    .sample(&[], counters.in_progress);
}

fn write_completions(page: &mut Exposition, completions: &[CompletionCount], currency: &str) {
    let mut family = page.family(
        "polity_completions_total",
        Type::Counter,
        "Completions by model and by how they ended.",
    );
    for count in completions {
        family.sample(
            &[
                ("model", &count.model),
                ("plugin", &count.plugin),
                ("operation", count.operation),
                ("status", &name(&count.status)),
            ],
            count.took.count,
        );
    }
    let mut family = page.family(
        "gen_ai_client_operation_duration_seconds",
        Type::Histogram,
        "Time of a completion from request to end; error_type is empty where the model answered.",
    );
    for count in completions {
        let status = name(&count.status);
        let error = if count.status == CompletionStatus::Answered {
            ""
        } else {
            &status
        };
        let buckets = count
            .took
            .cumulative()
            .map(|(bound_us, count)| (seconds(bound_us), count));
        family.histogram(
            &labels(count, &[("error_type", error)]),
            buckets,
            count.took.count,
            seconds(count.took.sum),
        );
    }
    let mut family = page.family(
        "gen_ai_client_operation_time_to_first_chunk_seconds",
        Type::Histogram,
        "Time of a streamed completion from request to first piece.",
    );
    for count in completions
        .iter()
        .filter(|count| count.first_piece.count > 0)
    {
        let buckets = count
            .first_piece
            .cumulative()
            .map(|(bound_us, count)| (seconds(bound_us), count));
        let status = name(&count.status);
        family.histogram(
            &labels(count, &[("status", &status)]),
            buckets,
            count.first_piece.count,
            seconds(count.first_piece.sum),
        );
    }
    let mut family = page.family(
        "gen_ai_client_token_usage",
        Type::Histogram,
        "Tokens of prompts and answers.",
    );
    for count in completions {
        let status = name(&count.status);
        for (kind, tokens) in [
            ("input", &count.input_tokens),
            ("output", &count.output_tokens),
        ] {
            if tokens.count > 0 {
                let labels = labels(count, &[("gen_ai_token_type", kind), ("status", &status)]);
                let buckets = tokens
                    .cumulative()
                    .map(|(bound, count)| (bound as f64, count));
                family.histogram(&labels, buckets, tokens.count, tokens.sum as f64);
            }
        }
    }
    let mut family = page.family(
        "polity_cached_tokens_total",
        Type::Counter,
        "Prompt tokens that came from providers' caches.",
    );
    for count in completions {
        let status = name(&count.status);
        family.sample(
            &[
                ("model", &count.model),
                ("plugin", &count.plugin),
                ("operation", count.operation),
                ("status", &status),
            ],
            count.cached_tokens,
        );
    }
    let mut family = page.family(
        "polity_cost_total",
        Type::Counter,
        "Cost in units of the charter's currency.",
    );
    for count in completions {
        let status = name(&count.status);
        let labels = [
            ("model", &*count.model),
            ("plugin", &*count.plugin),
            ("operation", count.operation),
            ("status", &status),
            ("currency", currency),
        ];
        family.sample(&labels, micro(count.cost_micro));
    }
}

fn write_cache(page: &mut Exposition, counters: &Counters) {
    let cache = counters.cache;
    let mut requests = page.family(
        "polity_cache_requests_total",
        Type::Counter,
        "Requests that the cache of answers was asked for, by whether it had the answer.",
    );
    requests
        .sample(&[("result", "hit")], cache.hits)
        .sample(&[("result", "miss")], cache.misses);
    page.family(
        "polity_cache_bytes",
        Type::Gauge,
        "Bytes that the cache of answers holds.",
    )
    .sample(&[], cache.bytes);
    page.family(
        "polity_cache_avoided_cost_total",
        Type::Counter,
        "What the answers from the cache would have cost, in units of the charter's currency.",
    )
    .sample(&[], micro(cache.avoided_micro));
}

/// The labels that the conventions ask for, and what tells this sample from its siblings.
fn labels<'c>(count: &'c CompletionCount, more: &[(&'c str, &'c str)]) -> Vec<(&'c str, &'c str)> {
    [
        ("gen_ai_operation_name", count.operation),
        ("gen_ai_provider_name", &*count.plugin),
        ("gen_ai_request_model", &*count.model),
    ]
    .into_iter()
    .chain(more.iter().copied())
    .collect()
}

/// The name under which a value is written everywhere else.
fn name(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value)
        .ok()
        .and_then(|value| value.as_str().map(str::to_owned))
        .unwrap_or_default()
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

fn micro(micro: u64) -> f64 {
    micro as f64 / 1e6
}
