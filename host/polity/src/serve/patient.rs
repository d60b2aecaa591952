//! A connection that is given up when the other side stops reading.
//!
//! An answer is sent as fast as it is read. Somebody who asks for a long one and then reads nothing would keep a call to
//! a plugin, its connection to the provider and the money that was set aside for it for as long as he likes, and a few
//! dozen of his kind would keep everybody else from being served. So a connection on which not a single byte can be
//! sent for a while is closed, and what was in progress on it ends as if he had gone.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Read, ReadBufCursor, Write};
use tokio::time::{Sleep, sleep};

/// How long nothing may be taken. Whoever reads at all, however slowly, lets something through in this time.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);

/// A connection with an end to the patience with its reader.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// Set while nothing can be sent.
    stalled: Option<Pin<Box<Sleep>>>,
}

impl<S> Patient<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        Self {
            stream,
            patience,
            stalled: None,
        }
    }

    fn mind<T>(
        &mut self,
        context: &mut Context<'_>,
        sent: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.stalled = None;
            return sent;
        }
        let patience = self.patience;
        let stalled = self
            .stalled
            .get_or_insert_with(|| Box::pin(sleep(patience)));
        stalled.as_mut().poll(context).map(|()| {
            let why = "the other side reads nothing of its answer";
            Err(io::Error::new(io::ErrorKind::TimedOut, why))
        })
    }
}

impl<S: Read + Unpin> Read for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.mind(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, pieces);
        self.mind(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncReadExt;

    use super::*;

    async fn write<S: Write + Unpin>(stream: &mut Patient<S>) -> io::Result<usize> {
        poll_fn(|context| Pin::new(&mut *stream).poll_write(context, b"some bytes")).await
    }

    #[tokio::test]
    async fn a_reader_who_has_stopped_is_given_up() {
        let (ours, _theirs) = tokio::io::duplex(16);
        let mut ours = Patient::new(TokioIo::new(ours), Duration::from_millis(1));
        assert_eq!(write(&mut ours).await.unwrap(), 10);
        assert_eq!(write(&mut ours).await.unwrap(), 6);
        let stopped = write(&mut ours).await.unwrap_err();
        assert_eq!(stopped.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test]
    async fn a_reader_who_takes_a_byte_at_a_time_is_not() {
        let (ours, mut theirs) = tokio::io::duplex(1);
        let mut ours = Patient::new(TokioIo::new(ours), Duration::from_secs(3600));
        let reading = async {
            for _ in 0..20 {
                theirs.read_u8().await.unwrap();
            }
        };
        let writing = async {
            for _ in 0..20 {
                assert_eq!(write(&mut ours).await.unwrap(), 1);
            }
        };
        tokio::join!(reading, writing);
    }
}
