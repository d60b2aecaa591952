//! A peer on the loopback interface that plays a provider, well-behaved or not.
//!
//! It is written on the bare socket, because half of what it is for is answers that a library would not send: a body
//! that ends in the middle, a head that never comes, a connection that is watched for the moment the other side goes.

mod answer;
mod gate;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use answer::Step;

pub use answer::Answer;
pub use gate::Gate;

/// Longest wait for something that must happen, so that a test that hangs fails instead.
const PATIENCE: Duration = Duration::from_secs(60);

/// A listening peer. It ends when this is dropped.
pub struct Upstream {
    address: SocketAddr,
    seen: Arc<Seen>,
    task: JoinHandle<()>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    /// Upper case.
    pub method: String,
    /// With the query.
    pub path: String,
    /// In the order they came, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The whole body, without its framing.
    pub body: Vec<u8>,
}

struct Seen {
    requests: Mutex<Vec<Request>>,
    /// How many requests have arrived, and how many answers were cut short by the other side.
    arrived: watch::Sender<usize>,
    abandoned: watch::Sender<usize>,
}

impl Request {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the request's body is JSON")
    }
}

impl Upstream {
    /// Listens on a free port and answers each request with what `script` makes of it.
    ///
    /// # Panics
    /// When the loopback interface cannot be listened on.
    pub async fn start(script: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("the loopback interface can be listened on");
        let address = listener.local_addr().expect("a listener has an address");
        let seen = Arc::new(Seen {
            requests: Mutex::default(),
            arrived: watch::Sender::new(0),
            abandoned: watch::Sender::new(0),
        });
        let (script, shared) = (Arc::new(script), seen.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, seen) = (script.clone(), shared.clone());
                tokio::spawn(async move { serve(stream, &*script, &seen).await });
            }
        });
        Self {
            address,
            seen,
            task,
        }
    }

    /// `127.0.0.1:<port>`.
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// `http://127.0.0.1:<port>`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.seen
            .requests
            .lock()
            .expect("nobody panicked with the requests")
            .clone()
    }

    /// Waits until `count` requests have arrived, and returns the last of them.
    ///
    /// # Panics
    /// When they do not arrive.
    pub async fn arrived(&self, count: usize) -> Request {
        at_least(&self.seen.arrived, count, "requests have arrived").await;
        self.requests()[count - 1].clone()
    }

    /// Waits until the other side has gone in the middle of `count` answers.
    ///
    /// # Panics
    /// When it does not go.
    pub async fn abandoned(&self, count: usize) {
        at_least(&self.seen.abandoned, count, "answers were abandoned").await;
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn at_least(counter: &watch::Sender<usize>, count: usize, what: &str) {
    let mut counter = counter.subscribe();
    let reached = tokio::time::timeout(PATIENCE, counter.wait_for(|now| *now >= count)).await;
    assert!(reached.is_ok(), "fewer than {count} {what}");
}

/// Serves one connection until either side ends it.
async fn serve(
    mut stream: TcpStream,
    script: &(dyn Fn(&Request) -> Answer + Send + Sync),
    seen: &Seen,
) {
    let _ = stream.set_nodelay(true);
    let mut buffer = Vec::new();
    while let Some(request) = read_request(&mut stream, &mut buffer).await {
        let answer = script(&request);
        seen.requests
            .lock()
            .expect("nobody panicked with the requests")
            .push(request);
        seen.arrived.send_modify(|count| *count += 1);
        match send(&mut stream, answer).await {
            Sent::Whole => {}
            Sent::Broken => return,
            Sent::Abandoned => {
                seen.abandoned.send_modify(|count| *count += 1);
                return;
            }
        }
    }
}

enum Sent {
    Whole,
    Broken,
    Abandoned,
}

async fn send(stream: &mut TcpStream, answer: Answer) -> Sent {
    let mut head = format!(
        "HTTP/1.1 {} Scripted\r\ntransfer-encoding: chunked\r\n",
        answer.status
    );
    for (name, value) in &answer.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut pending = head.into_bytes();
    for step in answer.steps {
        match step {
            Step::Send(bytes) => {
                pending.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
                pending.extend_from_slice(&bytes);
                pending.extend_from_slice(b"\r\n");
                if stream
                    .write_all(&std::mem::take(&mut pending))
                    .await
                    .is_err()
                {
                    return Sent::Abandoned;
                }
            }
            Step::Pass(gate) => {
                // Whoever is kept waiting has at least the head.
                if stream
                    .write_all(&std::mem::take(&mut pending))
                    .await
                    .is_err()
                {
                    return Sent::Abandoned;
                }
                let mut byte = [0];
                tokio::select! {
                    () = gate.pass() => {}
                    _ = stream.read(&mut byte) => return Sent::Abandoned,
                }
            }
            Step::Break => {
                let _ = stream.write_all(&pending).await;
                return Sent::Broken;
            }
        }
    }
    pending.extend_from_slice(b"0\r\n\r\n");
    if stream.write_all(&pending).await.is_err() {
        Sent::Abandoned
    } else {
        Sent::Whole
    }
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Request> {
    let head = take_through(stream, buffer, b"\r\n\r\n").await?;
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let (method, path) = (first.next()?.to_owned(), first.next()?.to_owned());
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request {
        method,
        path,
        headers,
        body: Vec::new(),
    };
    if request
        .header("transfer-encoding")
        .is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"))
    {
        loop {
            let size = take_through(stream, buffer, b"\r\n").await?;
            let size = usize::from_str_radix(std::str::from_utf8(&size).ok()?.trim(), 16).ok()?;
            let chunk = take(stream, buffer, size + 2).await?;
            if size == 0 {
                break;
            }
            request.body.extend_from_slice(&chunk[..size]);
        }
    } else if let Some(length) = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
    {
        request.body = take(stream, buffer, length).await?;
    }
    Some(request)
}

async fn take_through(stream: &mut TcpStream, buffer: &mut Vec<u8>, end: &[u8]) -> Option<Vec<u8>> {
    loop {
        if let Some(at) = buffer.windows(end.len()).position(|window| window == end) {
            return take(stream, buffer, at + end.len()).await;
        }
        fill(stream, buffer).await?;
    }
}

async fn take(stream: &mut TcpStream, buffer: &mut Vec<u8>, count: usize) -> Option<Vec<u8>> {
    while buffer.len() < count {
        fill(stream, buffer).await?;
    }
    Some(buffer.drain(..count).collect())
}

async fn fill(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 8192];
    match stream.read(&mut chunk).await {
        Ok(count) if count > 0 => {
            buffer.extend_from_slice(&chunk[..count]);
            Some(())
        }
        _ => None,
    }
}
