//! The body of a request while it streams out: counted and searched piece by piece.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;

use super::outgoing::BodyStream;
use super::scrub::{Redactor, Scrubber};
use super::{EgressError, Inner};

/// A stream that breaks off rather than let out too much, or a credential.
pub(super) struct GuardedBody {
    pieces: BodyStream,
    sent: u64,
    egress: Arc<Inner>,
    /// Used to search only: it holds back what could be the beginning of a credential,
    /// so that not even part of one leaves before the whole is seen.
    scrubber: Option<Scrubber>,
    ended: bool,
}

/// Why it broke off, found again in the client's error.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct BodyRefused(pub(super) EgressError);

impl GuardedBody {
    pub(super) fn new(pieces: BodyStream, egress: Arc<Inner>) -> Self {
        Self {
            pieces,
            sent: 0,
            scrubber: egress
                .redactor
                .clone()
                .map(|redactor: Arc<Redactor>| Scrubber::new(redactor)),
            egress,
            ended: false,
        }
    }

    fn take(&mut self, piece: Bytes) -> Result<Bytes, BodyRefused> {
        self.sent += piece.len() as u64;
        self.egress.check_length(self.sent).map_err(BodyRefused)?;
        match &mut self.scrubber {
            None => Ok(piece),
            Some(scrubber) => match scrubber.step(piece) {
                (piece, false) => Ok(piece),
                (_, true) => Err(BodyRefused(self.egress.holds_credential("body"))),
            },
        }
    }
}

impl Stream for GuardedBody {
    type Item = Result<Bytes, BodyRefused>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.ended {
            let piece = match ready!(self.pieces.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => self.take(piece),
                Some(Err(error)) => Err(BodyRefused(EgressError::Connection(format!(
                    "the request's body broke off: {error}"
                )))),
                None => {
                    self.ended = true;
                    Ok(self
                        .scrubber
                        .as_mut()
                        .map(Scrubber::finish)
                        .unwrap_or_default())
                }
            };
            self.ended |= piece.is_err();
            // An empty piece would end a chunked body.
            if !matches!(&piece, Ok(piece) if piece.is_empty()) {
                return Poll::Ready(Some(piece));
            }
        }
        Poll::Ready(None)
    }
}
