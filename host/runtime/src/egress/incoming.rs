//! A response on its way into the sandbox.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::time::{Instant, timeout_at};

use super::EgressError;
use super::scrub::Scrubber;

/// A response whose head has arrived.
///
/// Dropping it closes the connection if there is more to come, so that the other side
/// stops working on an answer that nobody reads.
#[derive(Debug)]
pub struct Incoming {
    status: StatusCode,
    headers: HeaderMap,
    body: Body,
}

pub(super) struct Body {
    /// None when there is no more to read from it.
    pub(super) response: Option<reqwest::Response>,
    /// Read, clean, and not yet handed over.
    pub(super) ready: Bytes,
    pub(super) scrubber: Option<Scrubber>,
    pub(super) received: u64,
    pub(super) limit: Limit,
    pub(super) deadline: Instant,
    pub(super) idle_timeout: Option<Duration>,
    /// Who is talked to, for errors.
    pub(super) host: Box<str>,
}

/// The longest body, and whose limit it is.
pub(super) struct Limit {
    pub(super) bytes: u64,
    pub(super) plugin: std::sync::Arc<str>,
}

impl Incoming {
    pub(super) fn new(status: StatusCode, headers: HeaderMap, body: Body) -> Self {
        Self {
            status,
            headers,
            body,
        }
    }

    /// Its status code.
    pub fn status(&self) -> u16 {
        self.status.as_u16()
    }

    /// Its header fields, free of credentials: names in lower case, bytes that are not
    /// UTF-8 replaced.
    pub fn headers(&self) -> Vec<(String, String)> {
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), text(value)))
            .collect()
    }

    pub(super) fn head(&self) -> (StatusCode, &HeaderMap) {
        (self.status, &self.headers)
    }

    /// The next piece of the body, at most `max` bytes; `None` at its end, and ever after
    /// an error. Pieces are handed over as they arrive.
    pub async fn next(&mut self, max: usize) -> Result<Option<Bytes>, EgressError> {
        self.body.next(max).await
    }

    /// The rest of the body at once, for bodies that are known to be short.
    pub async fn read_to_end(&mut self) -> Result<Vec<u8>, EgressError> {
        let mut out = Vec::new();
        while let Some(piece) = self.next(usize::MAX).await? {
            out.extend_from_slice(&piece);
        }
        Ok(out)
    }
}

impl Body {
    async fn next(&mut self, max: usize) -> Result<Option<Bytes>, EgressError> {
        while self.ready.is_empty() {
            let Some(response) = &mut self.response else {
                return Ok(None);
            };
            let until = match self.idle_timeout {
                Some(idle) => self.deadline.min(Instant::now() + idle),
                None => self.deadline,
            };
            let piece = match timeout_at(until, response.chunk()).await {
                Ok(Ok(piece)) => piece,
                Ok(Err(error)) => {
                    let error = format!(
                        "{} broke off its response: {}",
                        self.host,
                        super::root_cause(&error)
                    );
                    return self.fail(EgressError::Connection(error));
                }
                Err(_) => {
                    let error = format!("{} did not finish its response in time", self.host);
                    return self.fail(EgressError::Timeout(error));
                }
            };
            self.take(piece)?;
        }
        // A guest that asks for nothing must still get on.
        let length = self.ready.len().min(max.max(1));
        Ok(Some(self.ready.split_to(length)))
    }

    fn take(&mut self, piece: Option<Bytes>) -> Result<(), EgressError> {
        let Some(piece) = piece else {
            self.response = None;
            if let Some(scrubber) = &mut self.scrubber {
                self.ready = scrubber.finish();
            }
            return Ok(());
        };
        self.received += piece.len() as u64;
        if self.received > self.limit.bytes {
            let error = self.limit.exceeded();
            return self.fail(error);
        }
        self.ready = match &mut self.scrubber {
            Some(scrubber) => scrubber.push(piece),
            None => piece,
        };
        Ok(())
    }

    fn fail<T>(&mut self, error: EgressError) -> Result<T, EgressError> {
        self.response = None;
        self.scrubber = None;
        Err(error)
    }
}

impl Limit {
    /// A body has more bytes than this, or says that it will have.
    pub(super) fn exceeded(&self) -> EgressError {
        let Self { bytes, plugin } = self;
        EgressError::TooLarge(format!(
            "the response has more than {bytes} bytes. To allow it, add to {plugin}.grant.toml:\n\
             [limits]\nresponse_bytes = {}\n",
            bytes.saturating_mul(2)
        ))
    }
}

impl std::fmt::Debug for Body {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Body")
            .field("host", &self.host)
            .field("received", &self.received)
            .field("ended", &self.response.is_none())
            .finish_non_exhaustive()
    }
}
