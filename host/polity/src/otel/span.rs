//! What a completion looks like as spans, under the names of the OpenTelemetry GenAI conventions.
//!
//! Each call of a model is a span of its own, of the kind that is somebody else's work. Where one call was all there was,
//! it is the completion's span; otherwise the calls lie within one that tells how the whole ended. Tokens are told once,
//! by the call that answered, so that sums over spans are sums over bills.

use polity_kernel::{
    AttemptEnd, AttemptRecord, CompletionEnded, CompletionRecord, CompletionStatus, TraceParent,
};

use super::wire::{Attribute, Kind, Span, Status};

const NANOS: u64 = 1_000_000;

/// The spans of a completion, the outermost first.
pub(super) fn of(ended: &CompletionEnded<'_>) -> Vec<Span> {
    let CompletionEnded {
        decision,
        completion,
        attempts,
        ..
    } = *ended;
    let own = match completion.trace {
        Some(outer) => outer.within(decision),
        None => TraceParent::of(decision),
    };
    let outer = completion.trace.map_or([0; 8], |outer| outer.span);
    let whole = whole(ended, own, outer);
    if let [attempt] = attempts {
        let mut only = call(ended, attempt, own, outer);
        only.span_id = own.span;
        only.start_time_unix_nano = whole.start_time_unix_nano;
        only.end_time_unix_nano = whole.end_time_unix_nano;
        // What the call failed with says more than what that was told as.
        let is_told = matches!(attempt.end, AttemptEnd::Failed { .. });
        let decided = decided(ended).into_iter();
        only.attributes
            .extend(decided.filter(|it| !is_told || it.key != "error.type"));
        only.status = whole.status;
        return vec![only];
    }
    let calls = attempts.iter().enumerate().map(|(number, attempt)| {
        let mut span = call(ended, attempt, own, own.span);
        // Ids within one decision differ by their number and are never 0.
        let id = u64::from_be_bytes(own.span) ^ (number as u64 + 1).rotate_right(16);
        span.span_id = id.max(1).to_be_bytes();
        span
    });
    let calls: Vec<Span> = calls.collect();
    std::iter::once(whole).chain(calls).collect()
}

/// The span of all that was done for an answer.
fn whole(ended: &CompletionEnded<'_>, own: TraceParent, outer: [u8; 8]) -> Span {
    let completion = ended.completion;
    let end = ended.at_ms.saturating_mul(NANOS);
    let mut attributes = asked(completion, &completion.asked);
    if completion.status == CompletionStatus::Answered {
        attributes.extend(answered(completion));
    }
    attributes.extend(decided(ended));
    Span {
        trace_id: own.trace,
        span_id: own.span,
        parent_span_id: outer,
        name: format!("{} {}", operation(completion), completion.asked),
        kind: Kind::Internal,
        start_time_unix_nano: end.saturating_sub(completion.took_us.saturating_mul(1000)),
        end_time_unix_nano: end,
        attributes,
        status: status(completion),
    }
}

/// The span of one call of a model.
fn call(
    ended: &CompletionEnded<'_>,
    attempt: &AttemptRecord,
    own: TraceParent,
    outer: [u8; 8],
) -> Span {
    let completion = ended.completion;
    let mut attributes = asked(completion, &attempt.model);
    attributes.push(Attribute::new("gen_ai.provider.name", &*attempt.plugin));
    let mut status = Status::default();
    match &attempt.end {
        AttemptEnd::Answered => {
            attributes.extend(answered(completion));
            attributes.extend(used(completion));
        }
        AttemptEnd::Failed { class, detail } => {
            attributes.push(Attribute::new("error.type", class.name()));
            status = Status::failed(detail.clone());
        }
        AttemptEnd::Stopped(why) => {
            let why = serde_json::to_value(why).unwrap_or_default();
            attributes.push(Attribute::new(
                "polity.call.stopped",
                why.as_str().unwrap_or("stopped"),
            ));
        }
    }
    if let (true, Some(first)) = (completion.stream, attempt.first_piece_ms) {
        let seconds = first.saturating_sub(attempt.started_ms) as f64 / 1000.0;
        attributes.push(Attribute::new(
            "gen_ai.response.time_to_first_chunk",
            seconds,
        ));
    }
    attributes.push(Attribute::new("polity.call.role", attempt.role.name()));
    attributes.push(Attribute::new("polity.call.cost.micro", attempt.cost_micro));
    Span {
        trace_id: own.trace,
        span_id: own.span,
        parent_span_id: outer,
        name: format!("{} {}", operation(completion), attempt.model),
        kind: Kind::Client,
        start_time_unix_nano: attempt.started_ms.saturating_mul(NANOS),
        end_time_unix_nano: attempt.ended_ms.saturating_mul(NANOS),
        attributes,
        status,
    }
}

fn operation(completion: &CompletionRecord) -> &'static str {
    if completion.embeddings {
        "embeddings"
    } else {
        "chat"
    }
}

fn asked(completion: &CompletionRecord, model: &str) -> Vec<Attribute> {
    let mut attributes = vec![
        Attribute::new("gen_ai.operation.name", operation(completion)),
        Attribute::new("gen_ai.request.model", model),
    ];
    if completion.stream {
        attributes.push(Attribute::new("gen_ai.request.stream", true));
    }
    attributes
}

fn answered(completion: &CompletionRecord) -> impl Iterator<Item = Attribute> {
    let finish = completion.finish.clone().map(|finish| vec![finish]);
    [
        Some(Attribute::new("gen_ai.response.model", &*completion.model)),
        finish.map(|finish| Attribute::new("gen_ai.response.finish_reasons", finish)),
    ]
    .into_iter()
    .flatten()
}

fn used(completion: &CompletionRecord) -> impl Iterator<Item = Attribute> {
    let cached = completion.cached_tokens;
    [
        Some(Attribute::new(
            "gen_ai.usage.input_tokens",
            completion.input_tokens,
        )),
        Some(Attribute::new(
            "gen_ai.usage.output_tokens",
            completion.output_tokens,
        )),
        (cached > 0).then(|| Attribute::new("gen_ai.usage.cache_read.input_tokens", cached)),
    ]
    .into_iter()
    .flatten()
}

/// What only we know of it.
fn decided(ended: &CompletionEnded<'_>) -> Vec<Attribute> {
    let completion = ended.completion;
    let mut attributes = vec![
        Attribute::new("polity.decision.id", ended.decision.to_string()),
        Attribute::new("polity.request.model", &*completion.asked),
        Attribute::new("polity.status", completion.status.name()),
        Attribute::new("polity.cost.micro", completion.cost_micro),
    ];
    let is_cached = completion
        .about
        .as_ref()
        .is_some_and(|it| it.cached.is_some());
    if is_cached {
        attributes.push(Attribute::new("polity.cached", true));
    }
    if let Some(error) = error(completion) {
        attributes.push(Attribute::new("error.type", error));
    }
    attributes
}

fn error(completion: &CompletionRecord) -> Option<&str> {
    match (&completion.error, completion.status) {
        (_, CompletionStatus::Answered) => None,
        (Some(error), _) => Some(error.code.as_str()),
        (None, status) => Some(status.name()),
    }
}

fn status(completion: &CompletionRecord) -> Status {
    match error(completion) {
        None => Status::default(),
        Some(name) => {
            let detail = completion.error.as_ref().map(|error| error.detail.clone());
            Status::failed(detail.unwrap_or_else(|| name.to_owned()))
        }
    }
}
