//! The binary, running a company of its own.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::Notify;

use crate::{Options, RawConnection};

/// Longest start that is waited for. A cold cache compiles every plugin first, on a machine that may be busy.
const START: Duration = Duration::from_secs(120);

/// Longest answer that is waited for, so that a test that hangs fails instead.
const ANSWER: Duration = Duration::from_secs(60);

/// A running host. It is killed when this is dropped, and its folders go with it.
pub struct Host {
    /// `http://127.0.0.1:<port>`.
    pub url: String,
    /// The owner's bearer token.
    pub token: String,
    /// The host's own folder.
    pub data: PathBuf,
    /// The company's folder: `charter.json`, `rules/`, `plugins/`.
    pub company: PathBuf,
    binary: PathBuf,
    options: Options,
    child: Child,
    log: Arc<Log>,
    client: Client,
    _folder: TempDir,
}

/// What the host printed, standard output and error together.
#[derive(Default)]
struct Log {
    text: Mutex<String>,
    grown: Notify,
}

impl Host {
    /// Starts the binary and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; with all it printed.
    pub async fn start(
        binary: impl Into<PathBuf>,
        options: impl FnOnce(Options) -> Options,
    ) -> Self {
        let binary = binary.into();
        let options = options(Options::new());
        let folder = tempfile::tempdir().expect("a folder can be made");
        let company = options
            .company
            .clone()
            .unwrap_or_else(|| folder.path().join("company"));
        let data = folder.path().join("data");
        options.write(&company);
        // The client wants a TLS provider even where it only ever speaks plain HTTP.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .no_proxy()
            .timeout(ANSWER)
            .build()
            .expect("a client can be made");
        let (child, log) = spawn(&binary, &options, &company, &data);
        let mut host = Self {
            url: String::new(),
            token: String::new(),
            data,
            company,
            binary,
            options,
            child,
            log,
            client,
            _folder: folder,
        };
        host.ready().await;
        host
    }

    /// A request with the owner's token.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.anonymous(method, path).bearer_auth(&self.token)
    }

    /// A request without a token.
    pub fn anonymous(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.url))
    }

    /// A GET with the owner's token.
    pub fn get(&self, path: &str) -> RequestBuilder {
        self.request(Method::GET, path)
    }

    /// A POST with the owner's token.
    pub fn post(&self, path: &str) -> RequestBuilder {
        self.request(Method::POST, path)
    }

    /// A PUT with the owner's token.
    pub fn put(&self, path: &str) -> RequestBuilder {
        self.request(Method::PUT, path)
    }

    /// A DELETE with the owner's token.
    pub fn delete(&self, path: &str) -> RequestBuilder {
        self.request(Method::DELETE, path)
    }

    /// The JSON of a GET that must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub async fn read(&self, path: &str) -> Value {
        self.json(self.get(path)).await
    }

    /// The JSON of a request that must succeed.
    ///
    /// # Panics
    /// When it does not.
    pub async fn json(&self, request: RequestBuilder) -> Value {
        let response = request.send().await.expect("the host answers");
        let (status, url) = (response.status(), response.url().clone());
        let text = response.text().await.expect("the answer has a body");
        assert!(status.is_success(), "{url} answered {status}: {text}");
        serde_json::from_str(&text)
            .unwrap_or_else(|error| panic!("{url} answered no JSON ({error}): {text}"))
    }

    /// A token for another actor of the charter.
    ///
    /// # Panics
    /// When the host issues none.
    pub async fn token_for(&self, actor: &str) -> String {
        let body = serde_json::json!({"actor": actor, "label": "test"});
        let issued = self.json(self.post("/api/tokens").json(&body)).await;
        issued["token"]
            .as_str()
            .expect("a token is text")
            .to_owned()
    }

    /// A connection on which a test writes bytes of its own.
    pub async fn connect(&self) -> RawConnection {
        RawConnection::open(self.url.strip_prefix("http://").expect("the URL is http")).await
    }

    /// Everything the host has printed so far.
    pub fn log(&self) -> String {
        self.log
            .text
            .lock()
            .expect("nobody panicked with the log")
            .clone()
    }

    /// Waits until the host has printed a text.
    pub async fn printed(&self, text: &str) {
        loop {
            let grown = self.log.grown.notified();
            if self.log().contains(text) {
                return;
            }
            grown.await;
        }
    }

    /// The host's process.
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the host runs")
    }

    /// Kills the host without a warning, as a power failure would.
    pub async fn kill9(&mut self) {
        self.child.kill().await.expect("the host can be killed");
    }

    /// Asks the host to end and waits for it.
    pub async fn stop(&mut self) -> ExitStatus {
        self.terminate().await;
        self.ended().await
    }

    /// Asks the host to end.
    pub async fn terminate(&self) {
        let pid = self.pid().to_string();
        let sent = Command::new("kill")
            .args(["-TERM", &pid])
            .status()
            .await
            .expect("kill can be run");
        assert!(sent.success(), "the signal was not sent");
    }

    /// Waits until the host has ended.
    pub async fn ended(&mut self) -> ExitStatus {
        let ended = tokio::time::timeout(START, self.child.wait()).await;
        ended
            .unwrap_or_else(|_| panic!("the host does not end:\n{}", self.log()))
            .expect("the host can be waited for")
    }

    /// Starts the host again over the same folders, killing it first if it still runs. Its address changes.
    pub async fn restart(&mut self) {
        if self.child.id().is_some() {
            self.kill9().await;
        }
        (self.child, self.log) = spawn(&self.binary, &self.options, &self.company, &self.data);
        self.ready().await;
    }

    async fn ready(&mut self) {
        let pid = self.child.id();
        let log = self.log.clone();
        let file = self.data.join("server.json");
        let poll = async {
            // The line that says so usually comes first; the tick is for a host that has nothing to say.
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            loop {
                tokio::select! {
                    () = log.grown.notified() => {}
                    _ = tick.tick() => {}
                }
                if let Some(url) = url_of(&file, pid) {
                    return url;
                }
            }
        };
        let child = &mut self.child;
        let started = tokio::time::timeout(START, async {
            tokio::select! {
                url = poll => Ok(url),
                status = child.wait() => Err(format!("the host ended at once: {status:?}")),
            }
        });
        match started
            .await
            .unwrap_or_else(|_| Err("the host does not become ready".to_owned()))
        {
            Ok(url) => self.url = url,
            Err(why) => panic!("{why}:\n{}", self.log()),
        }
        let token = std::fs::read_to_string(self.data.join("owner.token"))
            .expect("the owner's token can be read");
        self.token = token.trim().to_owned();
    }
}

fn spawn(binary: &Path, options: &Options, company: &Path, data: &Path) -> (Child, Arc<Log>) {
    let mut command = Command::new(binary);
    command
        .arg("up")
        .arg("--company")
        .arg(company)
        .arg("--data")
        .arg(data)
        .args(["--listen", "127.0.0.1:0"]);
    command
        .args(&options.arguments)
        .env("NO_COLOR", "1")
        .envs(options.environment.iter().cloned());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command
        .spawn()
        .unwrap_or_else(|error| panic!("{} cannot be started: {error}", binary.display()));
    let log = Arc::new(Log::default());
    tokio::spawn(copy(
        child.stdout.take().expect("standard output is piped"),
        log.clone(),
    ));
    tokio::spawn(copy(
        child.stderr.take().expect("standard error is piped"),
        log.clone(),
    ));
    (child, log)
}

async fn copy(from: impl AsyncRead + Unpin, log: Arc<Log>) {
    let mut lines = BufReader::new(from).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let mut text = log.text.lock().expect("nobody panicked with the log");
        text.push_str(&line);
        text.push('\n');
        drop(text);
        log.grown.notify_waiters();
    }
}

/// The address in `server.json`, if the file is this process's and not an earlier one's.
fn url_of(file: &Path, pid: Option<u32>) -> Option<String> {
    let server: Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    (server["pid"].as_u64() == pid.map(u64::from))
        .then(|| server["url"].as_str().map(str::to_owned))?
}
