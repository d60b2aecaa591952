//! What a log collector is told of a completion, under the names of the OpenTelemetry GenAI conventions.
//!
//! The conventions are in development, so their names stand here and not in a dependency. Contents are never told.

use uuid::Uuid;

use super::CompletionRecord;

/// One event at the end of each call of a model; it costs nothing where nobody listens (`RUST_LOG=polity_kernel=debug`).
pub(super) fn tell(id: Uuid, completion: &CompletionRecord) {
    tracing::debug!(
        {
        "gen_ai.operation.name" = completion.operation(),
        "gen_ai.provider.name" = &*completion.plugin,
        "gen_ai.request.model" = completion.asked,
        "gen_ai.response.model" = &*completion.model,
        "gen_ai.response.finish_reasons" = completion.finish,
        "gen_ai.usage.input_tokens" = completion.input_tokens,
        "gen_ai.usage.output_tokens" = completion.output_tokens,
        "gen_ai.usage.cache_read.input_tokens" = completion.cached_tokens,
        "error.type" = completion.error.as_ref().map(|error| error.code.as_str()),
        "polity.decision.id" = %id,
        "polity.cost.micro" = completion.cost_micro,
        duration_us = completion.took_us,
        },
        "{} {}",
        completion.operation(),
        completion.model,
    );
}
