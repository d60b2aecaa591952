//! How spans travel: in batches, one after the other, again where the collector asks for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, StatusCode};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;

use super::Counts;
use super::settings::Settings;
use super::wire::{self, Span};

/// The first pause before a batch is sent again; the next is twice as long, and so on.
const PAUSE: Duration = Duration::from_millis(500);

/// The longest answer of a collector that is read.
const LONGEST_ANSWER: usize = 64 << 10;

/// Why a batch did not arrive.
struct Failed {
    why: String,
    /// Whether sending it again may help, and when the collector says so.
    again: Option<Option<Duration>>,
}

/// Sends until it is told to stop and the queue is empty.
pub(super) async fn run(
    client: Client,
    settings: Settings,
    mut queue: mpsc::Receiver<Span>,
    counts: Arc<Counts>,
    stop: CancellationToken,
) {
    let mut is_well = true;
    let mut batch = Vec::new();
    while fill(&mut queue, &mut batch, &settings, &stop).await {
        let count = batch.len() as u64;
        let sent = send(&client, &settings, &batch).await;
        batch.clear();
        match sent {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                counts.sent.fetch_add(count - rejected, Ordering::Relaxed);
                counts.failed.fetch_add(rejected, Ordering::Relaxed);
                if !is_well {
                    tracing::info!("the collector takes spans again");
                }
                is_well = true;
            }
            Err(why) => {
                counts.failed.fetch_add(count, Ordering::Relaxed);
                // Once, and not for every batch of a long night.
                if is_well {
                    tracing::warn!(endpoint = %settings.endpoint, "spans do not arrive: {why}");
                }
                is_well = false;
            }
        }
    }
}

/// Waits for a span, and then for more as long as one may wait. False where there will be none.
async fn fill(
    queue: &mut mpsc::Receiver<Span>,
    batch: &mut Vec<Span>,
    settings: &Settings,
    stop: &CancellationToken,
) -> bool {
    if more(queue, batch, settings.batch, stop).await == 0 {
        return false;
    }
    let until = Instant::now() + settings.delay;
    while batch.len() < settings.batch {
        let room = settings.batch - batch.len();
        match timeout_at(until, more(queue, batch, room, stop)).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => break,
        }
    }
    true
}

/// At least one span more; none where no more will come.
async fn more(
    queue: &mut mpsc::Receiver<Span>,
    batch: &mut Vec<Span>,
    room: usize,
    stop: &CancellationToken,
) -> usize {
    if !stop.is_cancelled() {
        tokio::select! {
            count = queue.recv_many(batch, room) => return count,
            () = stop.cancelled() => {}
        }
    }
    queue.close();
    queue.recv_many(batch, room).await
}

/// Sends a batch, for as long as it may take, and says how many of its spans were not taken.
async fn send(client: &Client, settings: &Settings, batch: &[Span]) -> Result<u64, String> {
    let body = wire::batch(&settings.resource, batch).map_err(|error| error.to_string())?;
    let body = bytes::Bytes::from(body);
    let until = Instant::now() + settings.timeout;
    let mut pause = PAUSE;
    loop {
        let failed = match timeout_at(until, post(client, settings, body.clone())).await {
            Ok(Ok(rejected)) => return Ok(rejected),
            Ok(Err(failed)) => failed,
            Err(_) => return Err(format!("no answer within {:?}", settings.timeout)),
        };
        let wait = match failed.again {
            Some(asked) => asked.unwrap_or(pause).max(pause),
            None => return Err(failed.why),
        };
        if Instant::now() + wait >= until {
            return Err(failed.why);
        }
        sleep(wait).await;
        pause *= 2;
    }
}

async fn post(client: &Client, settings: &Settings, body: bytes::Bytes) -> Result<u64, Failed> {
    let request = client
        .post(settings.endpoint.clone())
        .headers(settings.headers.clone())
        .header(CONTENT_TYPE, "application/json")
        .body(body);
    let mut response = request.send().await.map_err(|error| Failed {
        why: causes(&error),
        again: Some(None),
    })?;
    let status = response.status();
    if !status.is_success() {
        let after = response.headers().get(RETRY_AFTER);
        let after = after.and_then(|value| value.to_str().ok()?.parse().ok());
        let is_passing = matches!(
            status,
            StatusCode::TOO_MANY_REQUESTS
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT
        );
        return Err(Failed {
            why: format!("the collector answered {status}"),
            again: is_passing.then(|| after.map(Duration::from_secs)),
        });
    }
    let mut answer = Vec::new();
    while let Ok(Some(piece)) = response.chunk().await {
        if answer.len() + piece.len() > LONGEST_ANSWER {
            break;
        }
        answer.extend_from_slice(&piece);
    }
    // An empty answer, or one in another format, is a success as well.
    let answer: wire::Answer = serde_json::from_slice(&answer).unwrap_or_default();
    Ok(match answer.partial_success {
        Some(partial) if partial.rejected() > 0 => {
            tracing::warn!(
                rejected = partial.rejected(),
                "the collector did not take all spans: {}",
                partial.error_message
            );
            partial.rejected()
        }
        _ => 0,
    })
}

/// An error with what caused it; the address is told beside it.
fn causes(error: &reqwest::Error) -> String {
    let mut text = "the collector is not reached".to_owned();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
