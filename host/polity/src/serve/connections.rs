//! Accepting connections and closing them.
//!
//! Written here and not left to `axum::serve`, because four things have to be said of each connection that it has no
//! words for: no Nagle (two pieces of a stream that meet a delayed acknowledgement cost 44 ms), a limit on how long a
//! head may take to arrive, one on how long nothing of an answer may be taken, and an end that lets answers in progress
//! finish while newcomers are told to come back.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::patient::{PATIENCE, Patient};
use super::repoll::Repoll;

/// Longest time for a head to arrive, from the connection's first moment or its last answer. It is thereby also how long
/// an idle connection is kept.
const HEAD: Duration = Duration::from_secs(30);

/// Connections at one time; more wait to be accepted. Each takes a file descriptor, of which a process often has 1,024.
const CONNECTIONS: usize = 900;

/// A pause after an accept that failed for want of descriptors or memory: trying at once would only burn a core.
const BREATH: Duration = Duration::from_millis(100);

/// How long the last newcomers get to hear that they have to come back.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A listener and what its connections are served with.
struct Door<F> {
    listener: TcpListener,
    places: Arc<Semaphore>,
    http: http1::Builder,
    answer: F,
}

/// Serves until `end` resolves and what was in progress then has been answered.
pub(super) async fn serve<F, A>(listener: TcpListener, answer: F, end: impl Future<Output = ()>)
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let door = Door {
        listener,
        places: Arc::new(Semaphore::new(CONNECTIONS)),
        http,
        answer,
    };

    let guests = GracefulShutdown::new();
    door.admit(&guests, end).await;
    // Those who come now are answered too, with a refusal: a connection that is refused outright says less.
    let newcomers = GracefulShutdown::new();
    door.admit(&newcomers, guests.shutdown()).await;
    drop(door);
    let _ = tokio::time::timeout(LAST_WORDS, newcomers.shutdown()).await;
}

impl<F, A> Door<F>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    /// Accepts connections until `end` resolves.
    async fn admit(&self, group: &GracefulShutdown, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            let accepted = tokio::select! {
                accepted = self.accept() => accepted,
                () = &mut end => return,
            };
            match accepted {
                Ok((stream, place)) => self.attend(group, stream, place),
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(BREATH).await;
                }
            }
        }
    }

    async fn accept(&self) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
        let place = self
            .places
            .clone()
            .acquire_owned()
            .await
            .map_err(io::Error::other)?;
        let (stream, _) = self.listener.accept().await?;
        // A peer that has gone already makes this fail; the connection finds out by itself.
        let _ = stream.set_nodelay(true);
        Ok((stream, place))
    }

    fn attend(&self, group: &GracefulShutdown, stream: TcpStream, place: OwnedSemaphorePermit) {
        let answer = self.answer.clone();
        let service = service_fn(move |request| {
            let answer = answer(request);
            async move { Ok::<_, Infallible>(answer.await) }
        });
        let stream = Patient::new(TokioIo::new(stream), PATIENCE);
        let connection = Repoll::new(group.watch(self.http.serve_connection(stream, service)));
        tokio::spawn(async move {
            // What ends a connection early is the other side's doing, and its answer ends with it.
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection ended early");
            }
            drop(place);
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_accepted_connection_collects_small_pieces() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let door = Door {
            listener,
            places: Arc::new(Semaphore::new(1)),
            http: http1::Builder::new(),
            answer: |_: Request<Incoming>| async { Response::new(Body::empty()) },
        };
        let _client = TcpStream::connect(address).await.unwrap();
        let (stream, _place) = door.accept().await.unwrap();
        assert!(stream.nodelay().unwrap());
    }
}
