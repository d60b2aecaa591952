//! A server on this machine that answers by script and tells what it saw.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// What the server does with a request.
pub(super) enum Reply {
    /// Writes this and waits for the next request.
    Whole(Vec<u8>),
    /// Writes this and then nothing more, until the other side closes.
    Part(Vec<u8>),
}

pub(super) struct Peer {
    pub(super) port: u16,
    connections: Arc<AtomicUsize>,
    requests: UnboundedReceiver<String>,
    closed: UnboundedReceiver<()>,
    task: JoinHandle<()>,
}

impl Reply {
    /// A response with its length.
    pub(super) fn text(head: &str, body: &str) -> Self {
        let length = body.len();
        Self::Whole(
            format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes(),
        )
    }

    /// A response in chunks, which arrive as they were cut.
    pub(super) fn chunks(head: &str, chunks: &[&[u8]]) -> Self {
        let mut out = Self::head_and_chunks(head, chunks);
        out.extend_from_slice(b"0\r\n\r\n");
        Self::Whole(out)
    }

    /// The same without an end.
    pub(super) fn endless(head: &str, chunks: &[&[u8]]) -> Self {
        Self::Part(Self::head_and_chunks(head, chunks))
    }

    /// No response.
    pub(super) fn silence() -> Self {
        Self::Part(Vec::new())
    }

    fn head_and_chunks(head: &str, chunks: &[&[u8]]) -> Vec<u8> {
        let mut out = format!("HTTP/1.1 {head}\r\ntransfer-encoding: chunked\r\n\r\n").into_bytes();
        for chunk in chunks {
            out.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            out.extend_from_slice(chunk);
            out.extend_from_slice(b"\r\n");
        }
        out
    }
}

impl Peer {
    pub(super) async fn start(reply: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_with(reply, None).await
    }

    /// With TLS where there is a certificate.
    pub(super) async fn start_with(
        reply: impl Fn(&str) -> Reply + Send + Sync + 'static,
        tls: Option<tokio_rustls::TlsAcceptor>,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, requests) = unbounded_channel();
        let (gone, closed) = unbounded_channel();
        let connections = Arc::new(AtomicUsize::new(0));
        let counter = connections.clone();
        let reply = Arc::new(reply);
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counter.fetch_add(1, Ordering::SeqCst);
                let (reply, seen, gone, tls) =
                    (reply.clone(), seen.clone(), gone.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => converse(stream, &*reply, &seen).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                converse(stream, &*reply, &seen).await;
                            }
                        }
                    }
                    let _ = gone.send(());
                });
            }
        });
        Self {
            port,
            connections,
            requests,
            closed,
            task,
        }
    }

    /// The next request, to the letter.
    pub(super) async fn request(&mut self) -> String {
        self.requests.recv().await.unwrap()
    }

    /// Waits until a connection has been closed by the other side.
    pub(super) async fn closed(&mut self) {
        self.closed.recv().await.unwrap();
    }

    pub(super) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves one connection until the other side closes it.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reply: &(impl Fn(&str) -> Reply + Send + Sync),
    seen: &UnboundedSender<String>,
) {
    let mut buffer = Vec::new();
    loop {
        while !is_whole(&buffer) {
            if stream.read_buf(&mut buffer).await.unwrap_or(0) == 0 {
                // What was cut off is of interest too.
                let _ = seen.send(String::from_utf8_lossy(&buffer).into_owned());
                return;
            }
        }
        let request = String::from_utf8(std::mem::take(&mut buffer)).unwrap();
        let reply = reply(&request);
        let _ = seen.send(request);
        match reply {
            Reply::Whole(bytes) => {
                if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
                    return;
                }
            }
            Reply::Part(bytes) => {
                let _ = stream.write_all(&bytes).await;
                let _ = stream.flush().await;
                let _ = stream.read(&mut [0; 64]).await;
                return;
            }
        }
    }
}

/// Whether a request has arrived with all of its body.
fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes).to_ascii_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    if head.contains("transfer-encoding: chunked") {
        return body.ends_with("0\r\n\r\n");
    }
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().unwrap());
    body.len() >= length
}
