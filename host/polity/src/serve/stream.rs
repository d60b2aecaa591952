//! An answer as it comes.
//!
//! Pieces that are ready together leave in one frame; a piece is never held back for the next. The body is polled by the
//! connection alone, so a caller who reads slowly slows the plugin down, and one who goes away takes the body, and with
//! it the call to the provider, along.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http_body::Frame;
use polity_kernel::{AnswerStream, Completed, Piece};
use polity_runtime::Delta;
use tokio::time::{Instant, Sleep, sleep_until};
use uuid::Uuid;

use super::fault::{Fault, Kind};
use super::{failure, headers};

/// A frame this long leaves without looking for more.
const FULL: usize = 16 << 10;

/// Silence after which a comment shows proxies that the connection lives.
const SILENCE: Duration = Duration::from_secs(15);

/// How the pieces of an answer are written on one surface.
pub(super) trait Format {
    /// What comes before the first piece.
    fn begin(&mut self, out: &mut BytesMut);

    /// One piece.
    fn delta(&mut self, out: &mut BytesMut, delta: &Delta);

    /// What comes after the last piece of an answer that has ended.
    fn end(&mut self, out: &mut BytesMut, completed: &Completed);

    /// What comes after the last piece of an answer that breaks off: never anything that looks like its end.
    fn fail(&mut self, out: &mut BytesMut, fault: &Fault);
}

/// Waits for the first piece, so that what fails before it is told by a status, and streams from there.
pub(super) async fn respond<F: Format + Send + Unpin + 'static>(
    mut pieces: AnswerStream,
    format: impl FnOnce(Uuid, &str) -> F,
) -> Result<Response, Fault> {
    let first = match pieces.next().await {
        Some(Piece::Failed(error)) => return Err(failure::fault(error)),
        Some(piece) => piece,
        None => return Err(broken()),
    };
    let (decision, model) = (pieces.decision_id(), pieces.model().clone());
    let why = pieces.why().map(str::to_owned);
    let mut events = Events {
        pieces,
        format: format(decision, &model),
        buffer: BytesMut::with_capacity(2048),
        has_ended: false,
        patience: SILENCE,
        silence: None,
    };
    events.format.begin(&mut events.buffer);
    events.take(first);
    let mut response = Response::new(Body::new(events));
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // For nginx in front of us: without this it collects the stream before it passes it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    headers::set_decision(headers, decision);
    headers::set_why(headers, why.as_deref());
    if let Ok(model) = HeaderValue::from_str(&model) {
        headers.insert(headers::MODEL, model);
    }
    Ok(response)
}

fn broken() -> Fault {
    Fault::new(Kind::Upstream, "the answer ended without a word on how")
}

/// The body of the response.
struct Events<P, F> {
    pieces: P,
    format: F,
    buffer: BytesMut,
    has_ended: bool,
    /// How long a silence may be.
    patience: Duration,
    /// Set by the first silence: most answers never need the clock.
    silence: Option<Pin<Box<Sleep>>>,
}

impl<P, F: Format> Events<P, F> {
    fn take(&mut self, piece: Piece) {
        match piece {
            Piece::Delta(delta) => self.format.delta(&mut self.buffer, &delta),
            Piece::End(completed) => {
                self.has_ended = true;
                self.format.end(&mut self.buffer, &completed);
            }
            Piece::Failed(error) => self.fail(&failure::fault(error)),
        }
    }

    fn fail(&mut self, fault: &Fault) {
        self.has_ended = true;
        self.format.fail(&mut self.buffer, fault);
    }

    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let end = Instant::now() + self.patience;
        let silence = self
            .silence
            .get_or_insert_with(|| Box::pin(sleep_until(end)));
        ready!(silence.as_mut().poll(cx));
        silence.as_mut().reset(end);
        Poll::Ready(())
    }
}

impl<P: Stream<Item = Piece> + Unpin, F: Format + Unpin> http_body::Body for Events<P, F> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        while !this.has_ended && this.buffer.len() < FULL {
            match this.pieces.poll_next_unpin(cx) {
                Poll::Ready(Some(piece)) => this.take(piece),
                Poll::Ready(None) => this.fail(&broken()),
                Poll::Pending => break,
            }
        }
        if !this.buffer.is_empty() {
            // The next silence is measured from here.
            this.silence = None;
            return Poll::Ready(Some(Ok(Frame::data(this.buffer.split().freeze()))));
        }
        if this.has_ended {
            return Poll::Ready(None);
        }
        ready!(this.poll_silence(cx));
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(
            b": the answer is still coming\n\n",
        )))))
    }

    fn is_end_stream(&self) -> bool {
        self.has_ended && self.buffer.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http_body_util::BodyExt;
    use polity_kernel::CompleteError;
    use polity_runtime::Usage;
    use polity_runtime::plugin::Outcome;
    use tokio::sync::mpsc;

    use super::*;
    use crate::serve::openai::Chunks;

    fn events<P: Stream<Item = Piece> + Unpin>(pieces: P) -> Events<P, Chunks> {
        Events {
            pieces,
            format: Chunks::new(Uuid::nil(), 1, "m", false),
            buffer: BytesMut::new(),
            has_ended: false,
            patience: SILENCE,
            silence: None,
        }
    }

    fn text(text: &str) -> Piece {
        Piece::Delta(Delta::Text(text.into()))
    }

    fn end() -> Piece {
        Piece::End(Completed {
            decision_id: Uuid::nil(),
            model: "m".into(),
            plugin: "p".into(),
            why: None,
            content: vec![],
            outcome: Outcome {
                finish: "stop".into(),
                usage: Usage {
                    input_tokens: 1,
                    output_tokens: 1,
                    cached_tokens: 0,
                },
            },
            cost_micro: 0,
            about: None,
        })
    }

    async fn frame(
        events: &mut (impl http_body::Body<Data = Bytes, Error = Infallible> + Unpin),
    ) -> String {
        let frame = events.frame().await.unwrap().unwrap();
        String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap()
    }

    fn receiver(receiver: mpsc::Receiver<Piece>) -> impl Stream<Item = Piece> + Unpin {
        Box::pin(stream::unfold(receiver, |mut receiver| async {
            receiver.recv().await.map(|piece| (piece, receiver))
        }))
    }

    #[tokio::test]
    async fn pieces_that_are_ready_leave_in_one_frame() {
        let mut events = events(stream::iter([text("a"), text("b"), end()]));
        let frame = frame(&mut events).await;
        assert_eq!(frame.matches("data: ").count(), 4);
        assert!(frame.ends_with("data: [DONE]\n\n"));
        assert!(events.frame().await.is_none());
    }

    #[tokio::test]
    async fn a_piece_does_not_wait_for_the_next() {
        let (sender, pieces) = mpsc::channel(4);
        let mut events = events(receiver(pieces));
        sender.send(text("a")).await.unwrap();
        assert!(frame(&mut events).await.contains("\"content\":\"a\""));
        sender.send(text("b")).await.unwrap();
        assert!(frame(&mut events).await.contains("\"content\":\"b\""));
    }

    #[tokio::test]
    async fn a_long_answer_is_not_collected_in_one_frame() {
        let long = "x".repeat(FULL);
        let mut events = events(stream::iter([text(&long), text(&long), end()]));
        assert!(frame(&mut events).await.len() < 2 * FULL);
    }

    #[tokio::test]
    async fn an_answer_that_breaks_says_so_and_not_that_it_is_done() {
        let failed = Piece::Failed(CompleteError::Invalid("no".into()));
        for mut events in [
            events(Box::pin(stream::iter(vec![text("a"), failed]))
                as Pin<Box<dyn Stream<Item = Piece>>>),
            events(Box::pin(stream::iter(vec![text("a")])) as Pin<Box<dyn Stream<Item = Piece>>>),
        ] {
            let frame = frame(&mut events).await;
            assert!(frame.contains("data: {\"error\":{"), "{frame}");
            assert!(!frame.contains("[DONE]"), "{frame}");
            assert!(events.frame().await.is_none());
        }
    }

    #[tokio::test]
    async fn a_long_silence_is_broken_by_a_comment() {
        let (sender, pieces) = mpsc::channel(4);
        let mut events = Events {
            patience: Duration::from_millis(1),
            ..events(receiver(pieces))
        };
        assert!(frame(&mut events).await.starts_with(": "));
        assert!(frame(&mut events).await.starts_with(": "));
        sender.send(end()).await.unwrap();
        let mut last = frame(&mut events).await;
        while last.starts_with(": ") {
            last = frame(&mut events).await;
        }
        assert!(last.ends_with("data: [DONE]\n\n"));
    }
}
