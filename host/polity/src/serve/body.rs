//! Reading a request's body: never more than the route takes, never for longer than a live connection needs.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::FutureExt;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use tokio::time::{Instant, timeout_at};

use super::fault::{Fault, Kind};

/// For what is a form or a small document.
pub(crate) const SMALL: usize = 1 << 20;

/// For a conversation, which may carry pictures.
pub(crate) const CONVERSATION: usize = 32 << 20;

/// For a plugin; an interpreter with its library is 18 MiB.
pub(crate) const PLUGIN: usize = 64 << 20;

/// How long a body may take.
#[derive(Clone, Copy)]
struct Patience {
    /// For one pause within it.
    pause: Duration,
    /// For all of it.
    whole: Duration,
}

/// The largest body at a quarter of a megabyte a second takes so long.
const PATIENCE: Patience = Patience {
    pause: Duration::from_secs(15),
    whole: Duration::from_secs(256),
};

/// The whole body, at most `limit` bytes of it.
pub(crate) async fn read(headers: &HeaderMap, body: Body, limit: usize) -> Result<Bytes, Fault> {
    let encoding = headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Fault::new(
            Kind::UnsupportedMediaType,
            "the body is compressed; send it as it is, without `content-encoding`",
        ));
    }
    // Refused before it is read, where it says how long it is.
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > limit as u64) {
        return Err(too_large(limit));
    }
    let mut pieces = Pieces::new(body, limit);
    let Some(first) = pieces.next().await? else {
        return Ok(Bytes::new());
    };
    let Some(second) = pieces.next().await? else {
        return Ok(first);
    };
    let announced = announced
        .and_then(|length| usize::try_from(length).ok())
        .unwrap_or(0);
    let mut whole = BytesMut::with_capacity(announced.max(first.len() + second.len()));
    whole.extend_from_slice(&first);
    whole.extend_from_slice(&second);
    while let Some(piece) = pieces.next().await? {
        whole.extend_from_slice(&piece);
    }
    Ok(whole.freeze())
}

/// A body, piece by piece.
pub(crate) struct Pieces {
    body: Body,
    left: usize,
    limit: usize,
    patience: Patience,
    /// Set by the first piece that has to be waited for: most bodies come with their head and need no clock.
    deadline: Option<Instant>,
}

impl Pieces {
    /// A body of which at most `limit` bytes are read.
    pub(crate) fn new(body: Body, limit: usize) -> Self {
        Self {
            body,
            left: limit,
            limit,
            patience: PATIENCE,
            deadline: None,
        }
    }

    /// The next piece; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            let frame = match self.body.frame().now_or_never() {
                Some(frame) => frame,
                None => {
                    let now = Instant::now();
                    let Patience { pause, whole } = self.patience;
                    let deadline = *self.deadline.get_or_insert(now + whole);
                    timeout_at(deadline.min(now + pause), self.body.frame())
                        .await
                        .map_err(|_| too_slow())?
                }
            };
            let frame = match frame {
                None => return Ok(None),
                Some(Ok(frame)) => frame,
                Some(Err(error)) => {
                    return Err(Fault::new(
                        Kind::Malformed,
                        format!("the body broke off: {error}"),
                    ));
                }
            };
            // What is not data is trailers, which no route has a use for.
            let Ok(data) = frame.into_data() else {
                continue;
            };
            self.left = self
                .left
                .checked_sub(data.len())
                .ok_or_else(|| too_large(self.limit))?;
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }
}

fn too_large(limit: usize) -> Fault {
    Fault::new(
        Kind::TooLarge,
        format!(
            "the body is longer than the {} MiB that this route takes",
            limit >> 20
        ),
    )
}

fn too_slow() -> Fault {
    let Patience { pause, whole } = PATIENCE;
    let detail = format!(
        "the body paused for {} s or took longer than {} s",
        pause.as_secs(),
        whole.as_secs()
    );
    Fault::new(Kind::SlowBody, detail)
}

#[cfg(test)]
mod tests {
    use futures_util::stream;
    use http::HeaderValue;

    use super::*;

    fn pieces(pieces: &[&'static str]) -> Body {
        let pieces: Vec<_> = pieces
            .iter()
            .map(|piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes())))
            .collect();
        Body::from_stream(stream::iter(pieces))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_however_it_is_cut() {
        for cut in [&[][..], &["abc"], &["a", "bc"], &["a", "", "b", "c"]] {
            let read = read(&HeaderMap::new(), pieces(cut), 3).await.unwrap();
            assert_eq!(read, cut.concat());
        }
    }

    #[tokio::test]
    async fn a_body_past_the_limit_is_refused_while_it_comes() {
        let fault = read(&HeaderMap::new(), pieces(&["ab", "cd"]), 3)
            .await
            .unwrap_err();
        assert_eq!(fault.kind(), Kind::TooLarge);
    }

    #[tokio::test]
    async fn a_body_that_announces_too_much_is_refused_unread() {
        let headers = HeaderMap::from_iter([(CONTENT_LENGTH, HeaderValue::from_static("4"))]);
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(
            read(&headers, never, 3).await.unwrap_err().kind(),
            Kind::TooLarge
        );
    }

    fn impatient(body: Body, pause_ms: u64, whole_ms: u64) -> Pieces {
        let (pause, whole) = (
            Duration::from_millis(pause_ms),
            Duration::from_millis(whole_ms),
        );
        Pieces {
            patience: Patience { pause, whole },
            ..Pieces::new(body, SMALL)
        }
    }

    #[tokio::test]
    async fn a_body_that_pauses_is_given_up() {
        let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(
            impatient(never, 1, 3_600_000)
                .next()
                .await
                .unwrap_err()
                .kind(),
            Kind::SlowBody
        );
    }

    #[tokio::test]
    async fn a_body_that_trickles_for_ever_is_given_up() {
        let ticks = tokio::time::interval(Duration::from_millis(1));
        let trickle = stream::unfold(ticks, |mut ticks| async {
            ticks.tick().await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"a")), ticks))
        });
        let mut pieces = impatient(Body::from_stream(trickle), 3_600_000, 20);
        let fault = loop {
            match pieces.next().await {
                Ok(piece) => assert!(piece.is_some()),
                Err(fault) => break fault,
            }
        };
        assert_eq!(fault.kind(), Kind::SlowBody);
    }
}
