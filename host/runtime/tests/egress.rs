//! The policy is on the path: real guests, real sockets, and both interfaces through which a guest can ask for the
//! network.

mod support;

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use polity_runtime::egress::{Resolution, Resolver, SystemResolver};
use polity_runtime::failure::CallError;
use polity_runtime::plugin::Plugin;
use polity_runtime::signature::Trust;
use polity_test_guests as guests;
use support::{Host, complete};

/// A server that answers every request with what the function makes of it, and counts.
struct Peer {
    port: u16,
    requests: Arc<AtomicUsize>,
}

impl Peer {
    fn answering(answer: impl Fn(&str) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = requests.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                    head.push(byte[0]);
                }
                counter.fetch_add(1, Ordering::SeqCst);
                let _ = stream.write_all(answer(&String::from_utf8_lossy(&head)).as_bytes());
            }
        });
        Self { port, requests }
    }

    fn saying(text: &'static str) -> Self {
        Self::answering(move |_| ok(text))
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn grant(&self) -> String {
        format!(
            "[[http]]\nhost = \"127.0.0.1:{}\"\nplain = true\nprivate = true\n",
            self.port
        )
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(future)
}

fn fetch(plugin: &Plugin, url: &str) -> Result<String, CallError> {
    block_on(complete(plugin, "hostile-fetch", url))
}

fn denied(result: Result<String, CallError>) -> String {
    match result {
        Err(CallError::Problem(problem)) if problem.code == "denied" => problem.detail,
        other => panic!("it was not denied: {other:?}"),
    }
}

/// A rule's engine of names: each question takes the next answer, the last one for ever.
struct Names(Mutex<Vec<IpAddr>>);

impl Resolver for Names {
    fn resolve(&self, _host: &str) -> Resolution {
        let mut answers = self.0.lock().unwrap();
        let answer = if answers.len() > 1 {
            answers.remove(0)
        } else {
            answers[0]
        };
        Box::pin(async move { Ok(vec![answer]) })
    }
}

#[test]
fn a_granted_host_is_reached_through_either_interface() {
    let peer = Peer::saying("hello");
    let host = Host::empty();
    let plugin = host.install("adapter", guests::ADAPTER, &peer.grant());
    assert!(fetch(&plugin, &peer.url()).unwrap().ends_with("hello"));
    let plugin = host.install("wasi", guests::WASI_HTTP, &peer.grant());
    assert_eq!(
        block_on(complete(&plugin, "wasi-http", &peer.url())).unwrap(),
        "200 hello"
    );
    assert_eq!(peer.count(), 2);
}

#[test]
fn a_host_that_was_not_granted_is_not_reached_through_either_interface() {
    let (granted, other) = (Peer::saying("granted"), Peer::saying("other"));
    let host = Host::empty();
    let plugin = host.install("adapter", guests::ADAPTER, &granted.grant());
    let detail = denied(fetch(&plugin, &other.url()));
    assert!(
        detail.contains("[[http]]"),
        "the denial is the fix: {detail}"
    );
    let plugin = host.install("wasi", guests::WASI_HTTP, &granted.grant());
    let answer = block_on(complete(&plugin, "wasi-http", &other.url())).unwrap();
    assert!(answer.starts_with("error: "), "{answer}");
    assert_eq!(other.count(), 0);
}

#[test]
fn a_plugin_without_a_grant_reaches_nothing_through_either_interface() {
    let peer = Peer::saying("reached");
    let host = Host::empty();
    let plugin = host.install("adapter", guests::ADAPTER, "");
    denied(fetch(&plugin, &peer.url()));
    let plugin = host.install("wasi", guests::WASI_HTTP, "");
    let answer = block_on(complete(&plugin, "wasi-http", &peer.url())).unwrap();
    assert!(answer.starts_with("error: "), "{answer}");
    assert_eq!(peer.count(), 0);
}

#[test]
fn a_redirect_is_returned_and_not_followed() {
    let target = Peer::saying("secret place");
    let location = target.url();
    let peer = Peer::answering(move |_| {
        format!(
            "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
        )
    });
    let host = Host::empty();
    let plugin = host.install("adapter", guests::ADAPTER, &peer.grant());
    assert!(fetch(&plugin, &peer.url()).unwrap().starts_with("302 "));
    assert_eq!(target.count(), 0);
}

#[test]
fn addresses_of_the_machine_and_of_its_cloud_are_refused_in_every_notation() {
    let peer = Peer::saying("reached");
    let host = Host::empty();
    // The names are granted, the addresses behind them are not.
    let grant = "[[http]]\nhost = \"harm.example\"\nplain = true\n";
    let plugin = host.install("adapter", guests::ADAPTER, grant);
    for url in [
        "http://169.254.169.254/latest/meta-data/".to_owned(),
        format!("http://127.0.0.1:{}/", peer.port),
        format!("http://2130706433:{}/", peer.port),
        format!("http://0x7f.1:{}/", peer.port),
        format!("http://[::ffff:127.0.0.1]:{}/", peer.port),
        format!("http://[::1]:{}/", peer.port),
        format!("http://localhost:{}/", peer.port),
        format!("http://harm.example@127.0.0.1:{}/", peer.port),
    ] {
        let result = fetch(&plugin, &url);
        let Err(CallError::Problem(problem)) = result else {
            panic!("{url}: {result:?}")
        };
        assert!(
            ["denied", "invalid"].contains(&problem.code.as_str()),
            "{url}: {problem:?}"
        );
    }
    assert_eq!(peer.count(), 0);
}

#[test]
fn a_granted_name_that_leads_to_this_machine_is_refused_however_often_it_changes_its_mind() {
    let peer = Peer::saying("reached");
    let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let metadata = IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254));
    for answers in [
        vec![loopback],
        vec![metadata],
        vec![IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), loopback],
    ] {
        let host = Host::with(Trust::default(), Arc::new(Names(Mutex::new(answers))));
        let grant = format!(
            "[[http]]\nhost = \"harm.example:{}\"\nplain = true\n",
            peer.port
        );
        let plugin = host.install("adapter", guests::ADAPTER, &grant);
        for _ in 0..3 {
            assert!(fetch(&plugin, &format!("http://harm.example:{}/", peer.port)).is_err());
        }
    }
    assert_eq!(peer.count(), 0);
}

#[test]
fn an_injected_secret_reaches_the_peer_and_never_comes_back() {
    let echoed = Arc::new(Mutex::new(String::new()));
    let seen = echoed.clone();
    let peer = Peer::answering(move |head| {
        seen.lock().unwrap().push_str(head);
        ok(head)
    });
    let host = Host::empty();
    let file = host.file("..").join("key");
    std::fs::write(&file, "correct-horse-battery-staple").unwrap();
    let grant = format!(
        "{}[[secret]]\nhost = \"127.0.0.1:{}\"\nheader = \"authorization\"\ntemplate = \"Bearer {{}}\"\nfile = {file:?}\n",
        peer.grant(),
        peer.port,
    );
    let plugin = host.install("adapter", guests::ADAPTER, &grant);
    let answer = fetch(&plugin, &peer.url()).unwrap();
    assert!(
        echoed
            .lock()
            .unwrap()
            .contains("Bearer correct-horse-battery-staple"),
        "the peer got it"
    );
    assert!(!answer.contains("correct-horse"), "{answer}");

    // The same text as an error and in the log; the log goes through the same scrubbing as the error's text.
    let result = block_on(complete(&plugin, "hostile-fetch-and-tell", &peer.url()));
    let Err(CallError::Problem(problem)) = result else {
        panic!("{result:?}")
    };
    assert!(!problem.detail.contains("correct-horse"), "{problem:?}");
}

#[test]
fn a_guest_cannot_set_the_header_that_the_host_injects() {
    let peer = Peer::saying("reached");
    let host = Host::empty();
    let file = host.file("..").join("key");
    std::fs::write(&file, "correct-horse-battery-staple").unwrap();
    let grant = format!(
        "{}[[secret]]\nhost = \"127.0.0.1:{}\"\nheader = \"x-api-key\"\nfile = {file:?}\n",
        peer.grant(),
        peer.port,
    );
    let plugin = host.install("adapter", guests::ADAPTER, &grant);
    let result = fetch(&plugin, &format!("{}\nx-api-key: mine", peer.url()));
    assert!(matches!(&result, Err(CallError::Problem(_))), "{result:?}");
    assert_eq!(peer.count(), 0);
}

#[test]
fn a_guest_that_waits_for_a_silent_peer_is_stopped_by_the_clock() {
    // It accepts and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let host = Host::with(Trust::default(), Arc::new(SystemResolver));
    let grant = format!(
        "[[http]]\nhost = \"127.0.0.1:{port}\"\nplain = true\nprivate = true\n[limits]\nwall_ms = 200\n[trap]\nstrikes = 100\n"
    );
    let plugin = host.install("adapter", guests::ADAPTER, &grant);
    let result = block_on(complete(
        &plugin,
        "hostile-wait",
        &format!("http://127.0.0.1:{port}/"),
    ));
    assert_eq!(result, Err(CallError::Timeout(200)));
    assert_eq!(
        block_on(complete(&plugin, "hostile-echo", "")).unwrap(),
        guests::FIRST
    );
}

#[test]
fn an_adapter_that_computes_for_ever_is_stopped_and_lets_others_run() {
    let host = Host::empty();
    let plugin = host.install(
        "adapter",
        guests::ADAPTER,
        "[limits]\ncpu_ms = 200\n[trap]\nstrikes = 100\n",
    );
    // One thread: if the guest did not yield, the second call would wait for the first.
    block_on(async {
        let (endless, quick) = tokio::join!(
            complete(&plugin, "hostile-loop", ""),
            complete(&plugin, "hostile-echo", ""),
        );
        assert!(matches!(endless, Err(CallError::Timeout(_))), "{endless:?}");
        assert_eq!(quick.unwrap(), guests::FIRST);
    });
}

#[test]
fn an_adapter_that_traps_or_hoards_fails_that_call_alone() {
    let host = Host::empty();
    let plugin = host.install(
        "adapter",
        guests::ADAPTER,
        "[limits]\nmemory_mb = 16\n[trap]\nstrikes = 100\n",
    );
    assert!(matches!(
        block_on(complete(&plugin, "hostile-trap", "")),
        Err(CallError::Trap(_))
    ));
    assert_eq!(
        block_on(complete(&plugin, "hostile-memory", "")),
        Err(CallError::OutOfMemory(16 << 20))
    );
    let embedded = block_on(plugin.embed("any", &[], None));
    assert!(matches!(embedded, Err(CallError::Trap(_))));
    assert_eq!(
        block_on(complete(&plugin, "hostile-echo", "")).unwrap(),
        guests::FIRST
    );
}
