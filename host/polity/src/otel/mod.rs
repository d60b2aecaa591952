//! Completions as spans of OpenTelemetry, sent to a collector over OTLP/HTTP where the standard variables of the
//! environment name one, and to nobody otherwise.
//!
//! A format of a few fields does not need a dependency of many: spans are written as the JSON that the protocol defines,
//! by the HTTP client that is here anyway. Nobody waits for them. A completion that ends puts its spans into a queue of
//! bounded length; a task empties it in batches. What does not fit is dropped and counted, and prompts and answers are
//! never sent.
//!
//! `settings` is what the environment wants, `span` what a completion looks like as spans, `wire` how they are written,
//! and `send` how they travel.

mod send;
mod settings;
mod span;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use polity_kernel::{CompletionEnded, CompletionWatch};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::cli::Report;
use settings::Settings;
use wire::Span;

/// Takes spans. Clones are handles to the same queue.
#[derive(Clone)]
pub(crate) struct Spans {
    queue: mpsc::Sender<Span>,
    sampler: settings::Sampler,
    counts: Arc<Counts>,
}

/// What became of spans.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) sent: AtomicU64,
    /// They came when the queue was full.
    pub(crate) dropped: AtomicU64,
    /// The collector was not reached, or did not want them.
    pub(crate) failed: AtomicU64,
}

/// The task that sends.
pub(crate) struct Sending {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

/// Begins to send spans, if the environment says where to. What it says that makes no sense is told and left alone: a
/// company does not stand still because nobody can watch it.
pub(crate) fn start() -> Result<Option<(Spans, Sending)>, Report> {
    let variable = |name: &str| std::env::var(name).ok();
    let settings = match Settings::read(&variable) {
        Ok(Some(settings)) => settings,
        Ok(None) => return Ok(None),
        Err(problem) => {
            tracing::warn!("no spans are sent: {problem}");
            return Ok(None);
        }
    };
    let client = crate::cli::http_client(settings.endpoint.scheme() == "https")?;
    tracing::info!(endpoint = %settings.endpoint, "spans of completions are sent");
    let (queue, waiting) = mpsc::channel(settings.queue);
    let counts = Arc::new(Counts::default());
    let sampler = settings.sampler;
    let stop = CancellationToken::new();
    let sending = send::run(client, settings, waiting, counts.clone(), stop.clone());
    let sending = Sending {
        task: tokio::spawn(sending),
        stop,
    };
    let spans = Spans {
        queue,
        sampler,
        counts,
    };
    Ok(Some((spans, sending)))
}

impl Spans {
    /// What became of all spans so far.
    pub(crate) fn counts(&self) -> &Counts {
        &self.counts
    }
}

impl CompletionWatch for Spans {
    fn ended(&self, ended: CompletionEnded<'_>) {
        if !self.sampler.takes(ended.decision, ended.completion.trace) {
            return;
        }
        for span in span::of(&ended) {
            if self.queue.try_send(span).is_err() {
                self.counts.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

impl std::fmt::Debug for Spans {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Spans").finish_non_exhaustive()
    }
}

impl Sending {
    /// Takes no more spans, and waits until what is in the queue has been sent, for so long.
    pub(crate) async fn finish(self, patience: Duration) {
        self.stop.cancel();
        let _ = tokio::time::timeout(patience, self.task).await;
    }
}
