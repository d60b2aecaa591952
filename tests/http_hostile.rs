//! Plugins that mean harm, dropped into a running company: the host stays up, others are served, everybody is told why,
//! the ledger has it, and nothing is allowed by accident.

use std::fs;
use std::path::PathBuf;

use polity_test_guests as guests;
use polity_tests::{Answer, Events, Gate, Host, Options, Upstream};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// What no caller, log, ledger or guest may ever see.
const SECRET: &str = "sk-hostile-0123456789abcdef";

/// Strikes without end, so that a test sees the failure and not the quarantine.
const PATIENT: &str = "[trap]\nstrikes = 1000\nwindow_s = 60\n";

/// A company that does honest work beside: refunds are judged by a rule that means well, and whatever is hostile is for
/// the rule called `hostile` alone to judge.
fn company(options: Options) -> Options {
    options
        .without_bundled()
        .first_party("spending-limit")
        .rule(
            "refunds",
            json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
                "currency": "EUR",
                "amount": {"pointer": "/amount", "unit": "unit"},
                "limits": [{"per": "action", "hard_micro": 500_000_000}],
            }}),
        )
        .rule("harm", json!({"rule": "hostile", "guards": ["hostile.*"]}))
}

/// Drops a plugin into the folder of a running host and waits until the ledger says what became of it.
async fn drop_in(host: &Host, name: &str, wasm: &[u8], grant: &str) -> Value {
    let mut events = follow(host).await;
    let plugins = host.company.join("plugins");
    if !grant.is_empty() {
        fs::write(plugins.join(format!("{name}.grant.toml")), grant).unwrap();
    }
    let writing = plugins.join(format!("{name}.wasm.part"));
    fs::write(&writing, wasm).unwrap();
    fs::rename(writing, plugins.join(format!("{name}.wasm"))).unwrap();
    told(&mut events, name).await
}

/// The ledger from here on.
async fn follow(host: &Host) -> Events {
    let last = host.read("/api/ledger?last=true&limit=1").await;
    let seq = last["items"][0]["sequence"].as_str().unwrap().to_owned();
    let request = host
        .get("/api/ledger")
        .header("accept", "text/event-stream")
        .header("last-event-id", seq);
    Events::of(request.send().await.unwrap())
}

/// The next event about a plugin.
async fn told(events: &mut Events, name: &str) -> Value {
    loop {
        let event: Value = serde_json::from_str(&events.next().await.unwrap()).unwrap();
        if event["subject"] == format!("plugin/{name}") {
            return event;
        }
    }
}

async fn act(host: &Host, kind: &str, input: Value) -> Value {
    let action = json!({"kind": kind, "input": input});
    host.json(host.post("/api/actions").json(&action)).await
}

/// Honest work is done as if nothing had happened.
async fn is_unharmed(host: &Host) {
    for (amount, outcome) in [(40, "allow"), (900, "deny")] {
        let decision = act(host, "refund.approve", json!({ "amount": amount })).await;
        assert_eq!(decision["outcome"], outcome, "{decision}");
    }
}

fn ask(host: &Host, model: &str, prompt: &str) -> reqwest::RequestBuilder {
    let body = json!({"model": model, "messages": [{"role": "user", "content": prompt}]});
    host.post("/v1/chat/completions").json(&body)
}

/// What an adapter answered, or the code and the words of the error.
async fn answer(request: reqwest::RequestBuilder) -> Result<String, (String, String)> {
    let response = request.send().await.unwrap();
    let body: Value = response.json().await.unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    match body.get("error") {
        Some(error) => Err((text(&error["code"]), text(&error["message"]))),
        None => Ok(text(&body["choices"][0]["message"]["content"])),
    }
}

#[tokio::test]
async fn a_rule_that_does_harm_allows_nothing_and_harms_nobody_else() {
    let host = Host::start(POLITY, company).await;
    // Bound and not there: nothing happens unjudged.
    let decision = act(&host, "hostile.do", json!({"do": "nothing"})).await;
    assert_eq!(decision["outcome"], "deny", "{decision}");
    let loaded = drop_in(&host, "hostile", guests::RULE, PATIENT).await;
    assert!(
        loaded["type"].as_str().unwrap().ends_with("plugin.loaded"),
        "{loaded}"
    );

    // Which of two limits is hit first depends on how busy the machine is.
    for (harm, words) in [
        ("trap", "trap"),
        ("loop", "out-of-fuel or timeout"),
        ("recursion", "trap"),
        ("memory", "limit"),
        ("fill", "out-of-fuel or timeout"),
        ("host-calls", "out-of-fuel or timeout"),
        ("problem", "problem"),
        ("long-problem", "problem"),
        ("long-deny", "trap"),
        ("bad-patch", "bad-patch"),
    ] {
        let decision = act(&host, "hostile.do", json!({ "do": harm })).await;
        assert_eq!(decision["outcome"], "deny", "{harm}: {decision}");
        let failure = decision["findings"][0]["failure"].as_str();
        let failure = failure.unwrap_or_else(|| panic!("{harm}: {decision}"));
        assert!(
            words.split(" or ").any(|word| word == failure)
                && decision.to_string().len() < 64 << 10,
            "{harm}: {failure}"
        );
        let id = decision["id"].as_str().unwrap();
        let recorded = host.read(&format!("/api/decisions/{id}")).await;
        assert_eq!(recorded["findings"][0]["failure"], failure, "{harm}");
        is_unharmed(&host).await;
        let behaved = act(&host, "hostile.do", json!({})).await;
        assert!(
            behaved["reason"].as_str().unwrap().contains(guests::FIRST),
            "{behaved}"
        );
    }
    // What is only noise is cut, and does no harm.
    for noise in ["log-flood", "terminal"] {
        let decision = act(&host, "hostile.do", json!({ "do": noise })).await;
        assert_eq!(decision["outcome"], "allow", "{noise}: {decision}");
    }
    assert!(
        !host.log().contains('\u{1b}'),
        "a guest speaks to the terminal"
    );
    assert!(host.log().len() < 1 << 20, "a guest floods the log");
    let verified = host.json(host.post("/api/ledger/verify")).await;
    assert_eq!(verified["ok"], true, "{verified}");
}

#[tokio::test]
async fn many_runaway_rules_at_once_leave_room_for_honest_work() {
    let host = Host::start(POLITY, company).await;
    drop_in(&host, "hostile", guests::RULE, PATIENT).await;
    let runaways = (0..24).map(|_| act(&host, "hostile.do", json!({"do": "loop"})));
    let honest = async {
        for _ in 0..20 {
            is_unharmed(&host).await;
        }
    };
    let (ran, ()) = tokio::join!(futures(runaways), honest);
    for decision in ran {
        assert_eq!(decision["outcome"], "deny", "{decision}");
    }
}

/// All at the same time.
async fn futures(all: impl Iterator<Item = impl Future<Output = Value>>) -> Vec<Value> {
    let mut all: Vec<_> = all.map(|one| Some(Box::pin(one))).collect();
    let mut done = Vec::new();
    std::future::poll_fn(|context| {
        for one in &mut all {
            if let Some(running) = one
                && let std::task::Poll::Ready(value) = running.as_mut().poll(context)
            {
                done.push(value);
                *one = None;
            }
        }
        match all.iter().all(Option::is_none) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    done
}

#[tokio::test]
async fn a_rule_that_keeps_trapping_is_put_aside_and_still_guards() {
    let host = Host::start(POLITY, company).await;
    drop_in(&host, "hostile", guests::RULE, "").await;
    let mut events = follow(&host).await;
    for _ in 0..3 {
        let decision = act(&host, "hostile.do", json!({"do": "trap"})).await;
        assert_eq!(decision["outcome"], "deny");
    }
    let event = told(&mut events, "hostile").await;
    assert!(
        event["type"]
            .as_str()
            .unwrap()
            .ends_with("plugin.quarantined"),
        "{event}"
    );
    let plugin = host.read("/api/plugins/hostile").await;
    assert_eq!(
        (&plugin["state"], &plugin["serving"]),
        (&json!("quarantined"), &Value::Null)
    );
    assert!(
        plugin["reason"].as_str().unwrap().contains("trap"),
        "{plugin}"
    );
    // It would have allowed this.
    let decision = act(&host, "hostile.do", json!({"do": "nothing"})).await;
    assert_eq!(decision["outcome"], "deny", "{decision}");
    assert!(
        decision["reason"].as_str().unwrap().contains("quarantine"),
        "{decision}"
    );
    is_unharmed(&host).await;
}

/// What a component costs the compiler, it costs a child of the host, whose limits the system enforces.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn plugins_are_compiled_outside_of_the_host() {
    let host = Host::start(POLITY, company).await;
    let compiling = || {
        let stat = fs::read_to_string(format!("/proc/{}/stat", host.pid())).unwrap();
        // Behind the name, which may hold anything: field 16 and 17 of proc_pid_stat(5), the time of ended children.
        let (_, fields) = stat.rsplit_once(')').unwrap();
        let ticks = fields.split_whitespace().skip(13).take(2);
        ticks
            .map(|ticks| ticks.parse::<u64>().unwrap())
            .sum::<u64>()
    };
    let before = compiling();
    assert!(before > 0, "the bundled rule was compiled by nobody");
    drop_in(&host, "hostile", guests::RULE, PATIENT).await;
    assert!(compiling() > before, "the new rule was compiled by nobody");
}

#[tokio::test]
async fn a_file_that_is_no_plugin_is_refused_with_a_reason_and_nothing_else_changes() {
    let host = Host::start(POLITY, company).await;
    let generation = host.read("/api/plugins/spending-limit").await;
    let describe = |harm: &str| format!("[config]\ndescribe = \"{harm}\"\n");
    let another = guests::patched(
        guests::RULE,
        b"polity:plugin/rule@0.1.0",
        b"polity:plugin/rule@9.1.0",
    );
    for (name, wasm, grant) in [
        ("empty", Vec::new(), String::new()),
        ("text", b"#!/bin/sh\nrm -rf /\n".to_vec(), String::new()),
        (
            "random",
            (0..4096_u32)
                .map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8)
                .collect(),
            String::new(),
        ),
        (
            "truncated",
            guests::RULE[..guests::RULE.len() / 2].to_vec(),
            String::new(),
        ),
        ("core", b"\0asm\x01\0\0\0".to_vec(), String::new()),
        ("component", b"\0asm\x0d\0\x01\0".to_vec(), String::new()),
        ("future", another, String::new()),
        ("traps", guests::RULE.to_vec(), describe("trap")),
        ("loops", guests::RULE.to_vec(), describe("loop")),
        ("hoards", guests::RULE.to_vec(), describe("memory")),
        ("mute", guests::ADAPTER.to_vec(), describe("trap")),
        (
            "misled",
            guests::RULE.to_vec(),
            "[[http]]\nhost = \"*\"\n".to_owned(),
        ),
    ] {
        let event = drop_in(&host, name, &wasm, &grant).await;
        assert!(
            event["type"].as_str().unwrap().ends_with("plugin.refused"),
            "{event}"
        );
        let plugin = host.read(&format!("/api/plugins/{name}")).await;
        assert_eq!(
            (&plugin["state"], &plugin["serving"]),
            (&json!("refused"), &Value::Null),
            "{plugin}"
        );
        let reason = plugin["reason"].as_str().unwrap();
        assert!(
            reason.len() > 20 && reason.len() < 4 << 10,
            "{name}: {reason}"
        );
        assert!(plugin["code"].is_string(), "{plugin}");
        is_unharmed(&host).await;
    }
    // Eight megabytes of noise beside an honest manifest are no fault, and no gain either.
    let wide = guests::with_section(guests::RULE, "noise", &vec![0; 8 << 20]);
    let event = drop_in(&host, "wide", &wide, "").await;
    assert!(
        event["type"].as_str().unwrap().ends_with("plugin.loaded"),
        "{event}"
    );
    is_unharmed(&host).await;
    let after = host.read("/api/plugins/spending-limit").await;
    assert_eq!(after["serving"]["digest"], generation["serving"]["digest"]);
}

#[tokio::test]
async fn a_giant_file_and_a_link_to_nowhere_do_not_stop_the_folder() {
    let host = Host::start(POLITY, company).await;
    let plugins = host.company.join("plugins");
    let mut events = follow(&host).await;
    let giant: PathBuf = plugins.join("giant.wasm");
    // It has no bytes on the disk, and claims to have 200 MiB.
    fs::File::create(&giant)
        .unwrap()
        .set_len(200 << 20)
        .unwrap();
    let event = told(&mut events, "giant").await;
    assert!(
        event["type"].as_str().unwrap().ends_with("plugin.refused"),
        "{event}"
    );
    assert!(
        event["data"]["reason"]
            .as_str()
            .unwrap()
            .contains("209715200"),
        "{event}"
    );
    let link = |to: &str, name: &str| std::os::unix::fs::symlink(to, plugins.join(name)).unwrap();
    for (name, told_so) in [
        ("folder", "this is a folder"),
        ("loop", "leads to no file"),
        (
            "nowhere",
            "a link to /nowhere/at/all, which leads to no file",
        ),
        ("zero", "a link to /dev/zero, which is no file"),
    ] {
        let file = format!("{name}.wasm");
        match name {
            "folder" => fs::create_dir(plugins.join(file)).unwrap(),
            "loop" => link(&file, &file),
            "nowhere" => link("/nowhere/at/all", &file),
            _ => link("/dev/zero", &file),
        }
        let event = told(&mut events, name).await;
        assert!(
            event["type"].as_str().unwrap().ends_with("plugin.refused"),
            "{event}"
        );
        let plugin = host.read(&format!("/api/plugins/{name}")).await;
        assert_eq!(plugin["state"], "refused", "{plugin}");
        let reason = plugin["reason"].as_str().unwrap();
        assert!(reason.contains(told_so), "{reason}");
    }
    fs::remove_file(plugins.join("nowhere.wasm")).unwrap();
    let event = told(&mut events, "nowhere").await;
    assert!(
        event["type"].as_str().unwrap().ends_with("plugin.removed"),
        "{event}"
    );
    let loaded = drop_in(&host, "hostile", guests::RULE, PATIENT).await;
    assert!(
        loaded["type"].as_str().unwrap().ends_with("plugin.loaded"),
        "{loaded}"
    );
    is_unharmed(&host).await;
}

#[tokio::test]
async fn a_rule_built_for_a_whole_system_finds_nothing_of_this_one() {
    let peer = Upstream::start(|_| Answer::status(200)).await;
    let port: u16 = peer.address().rsplit(':').next().unwrap().parse().unwrap();
    let host = Host::start(POLITY, |options| {
        company(options).environment("POLITY_TEST_SECRET", SECRET)
    })
    .await;
    drop_in(&host, "hostile", guests::WASI, PATIENT).await;
    let decision = act(&host, "hostile.look", json!({ "port": port })).await;
    assert_eq!(decision["outcome"], "deny");
    let reason = decision["reason"].as_str().unwrap();
    let found = &reason[reason.find('{').unwrap()..=reason.rfind('}').unwrap()];
    let found: Value =
        serde_json::from_str(found).unwrap_or_else(|error| panic!("{error}: {reason}"));
    for nothing in ["variables", "arguments"] {
        assert_eq!(found[nothing], 0, "{found}");
    }
    for never in ["password", "root", "written", "connected"] {
        assert_eq!(found[never], false, "{found}");
    }
    assert!(peer.requests().is_empty());
    let asleep = act(&host, "hostile.look", json!({"do": "sleep"})).await;
    assert_eq!(asleep["outcome"], "deny", "{asleep}");
    is_unharmed(&host).await;
}

#[tokio::test]
async fn an_adapter_that_does_harm_is_stopped_and_told_apart() {
    let host = Host::start(POLITY, company).await;
    let grant = format!("{PATIENT}[limits]\ncpu_ms = 300\nmemory_mb = 32\n");
    drop_in(&host, "adapter", guests::ADAPTER, &grant).await;
    for (model, code) in [
        ("hostile-trap", "upstream_error"),
        ("hostile-loop", "timeout"),
        ("hostile-memory", "upstream_error"),
    ] {
        let (found, words) = answer(ask(&host, model, "go")).await.unwrap_err();
        assert_eq!(found, code, "{model}: {words}");
        assert!(!words.is_empty());
        is_unharmed(&host).await;
        assert_eq!(
            answer(ask(&host, "hostile-echo", "go")).await.unwrap(),
            guests::FIRST
        );
    }
    let failed = host
        .read("/api/decisions?kind=model.complete&limit=10")
        .await;
    let statuses: Vec<_> = failed["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|decision| decision["completion"]["status"].as_str().unwrap())
        .collect();
    assert_eq!(
        statuses,
        [
            "answered", "failed", "answered", "failed", "answered", "failed"
        ]
    );
}

#[tokio::test]
async fn a_model_that_is_missing_for_a_quarantine_is_told_so() {
    let host = Host::start(POLITY, company).await;
    drop_in(&host, "adapter", guests::ADAPTER, "").await;
    assert_eq!(
        answer(ask(&host, "hostile-echo", "go")).await.unwrap(),
        guests::FIRST
    );
    let mut events = follow(&host).await;
    for _ in 0..3 {
        answer(ask(&host, "hostile-trap", "go")).await.unwrap_err();
    }
    let event = told(&mut events, "adapter").await;
    let kind = event["type"].as_str().unwrap();
    assert!(kind.ends_with("plugin.quarantined"), "{event}");
    let (code, words) = answer(ask(&host, "hostile-echo", "go")).await.unwrap_err();
    assert_eq!(code, "model_not_found", "{words}");
    let told = "but adapter is in quarantine, and its models with it (`polity plugin inspect adapter` says why)";
    assert!(words.contains(told), "{words}");
    is_unharmed(&host).await;
}

#[tokio::test]
async fn an_adapter_reaches_only_what_it_was_granted() {
    let elsewhere = Upstream::start(|_| Answer::json(200, "\"reached\"")).await;
    let away = elsewhere.url();
    let granted = Upstream::start(move |request| match request.path.as_str() {
        "/away" => Answer::status(302).header("location", &away),
        _ => Answer::json(200, "\"granted\""),
    })
    .await;
    let grant = format!(
        "{PATIENT}[[http]]\nhost = \"{}\"\npaths = [\"/open/*\", \"/away\"]\nplain = true\nprivate = true\n",
        granted.address()
    );
    let host = Host::start(POLITY, company).await;
    drop_in(&host, "adapter", guests::ADAPTER, &grant).await;
    drop_in(&host, "adapter-wasi", guests::WASI_HTTP, &grant).await;
    for model in ["hostile-fetch", "wasi-http"] {
        let fetch = |url: String| answer(ask(&host, model, Box::leak(url.into_boxed_str())));
        let reached = fetch(format!("{}/open/door", granted.url())).await.unwrap();
        assert!(
            reached.starts_with("200") && reached.contains("granted"),
            "{reached}"
        );
        let port = elsewhere.address().rsplit(':').next().unwrap().to_owned();
        for url in [
            elsewhere.url(),
            format!("http://localhost:{port}/"),
            format!("http://[::ffff:127.0.0.1]:{port}/"),
            format!("http://2130706433:{port}/"),
            "http://169.254.169.254/latest/meta-data/".to_owned(),
            "https://example.com/".to_owned(),
            format!("{}/closed", granted.url()),
            format!("{}/open/../closed", granted.url()),
            "file:///etc/passwd".to_owned(),
        ] {
            match fetch(url.clone()).await {
                // It tells its own caller how it failed.
                Ok(text) => assert!(
                    text.starts_with("error") || text.starts_with("not a URL"),
                    "{url}: {text}"
                ),
                Err((_, words)) => assert!(!words.is_empty(), "{url}"),
            }
        }
        // Whoever wants to follow a redirect has to ask for where it leads, and that is refused.
        let redirected = fetch(format!("{}/away", granted.url())).await.unwrap();
        assert!(redirected.starts_with("302"), "{redirected}");
    }
    assert!(elsewhere.requests().is_empty());
    let paths: Vec<String> = granted
        .requests()
        .into_iter()
        .map(|request| request.path)
        .collect();
    assert_eq!(paths, ["/open/door", "/away", "/open/door", "/away"]);
}

#[tokio::test]
async fn a_secret_that_the_provider_sends_back_goes_nowhere() {
    let peer = Upstream::start(|request| {
        let seen = request
            .header("authorization")
            .unwrap_or("nothing")
            .to_owned();
        Answer::json(200, json!({ "you_sent": seen }).to_string()).header("x-echo", &seen)
    })
    .await;
    let address = peer.address();
    let grant = format!(
        "{PATIENT}[[http]]\nhost = \"{address}\"\nplain = true\nprivate = true\n\
         [[secret]]\nhost = \"{address}\"\nheader = \"authorization\"\ntemplate = \"Bearer {{}}\"\nenv = \"HOSTILE_KEY\"\n"
    );
    let host = Host::start(POLITY, |options| {
        company(options)
            .environment("HOSTILE_KEY", SECRET)
            .environment("RUST_LOG", "debug")
    })
    .await;
    drop_in(&host, "adapter", guests::ADAPTER, &grant).await;
    let answered = answer(ask(&host, "hostile-fetch", &peer.url()))
        .await
        .unwrap();
    assert!(
        answered.contains("you_sent") && !answered.contains(SECRET),
        "{answered}"
    );
    let (_, told) = answer(ask(&host, "hostile-fetch-and-tell", &peer.url()))
        .await
        .unwrap_err();
    assert!(!told.contains(SECRET), "{told}");
    // A guest cannot put it, or a header of that name, into a request of its own either.
    let forged = format!("{}\nauthorization: Bearer mine", peer.url());
    assert!(answer(ask(&host, "hostile-fetch", &forged)).await.is_err());
    for request in peer.requests() {
        assert_eq!(
            request.header("authorization"),
            Some(format!("Bearer {SECRET}").as_str())
        );
    }
    assert!(!host.log().contains(SECRET), "the log has the secret");
    let ledger = host
        .get("/api/ledger/export")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(
        ledger.contains("hostile-fetch") && !ledger.contains(SECRET),
        "the ledger has the secret"
    );
    let plugins = host
        .get("/api/plugins")
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert!(!plugins.contains(SECRET));
}

#[tokio::test]
async fn a_guest_that_sleeps_in_a_host_call_ends_with_its_caller() {
    let gate = Gate::new();
    let script = gate.clone();
    let peer = Upstream::start(move |_| Answer::status(200).pass(&script)).await;
    let grant = format!(
        "{PATIENT}[[http]]\nhost = \"{}\"\nplain = true\nprivate = true\n",
        peer.address()
    );
    let host = Host::start(POLITY, company).await;
    drop_in(&host, "adapter", guests::ADAPTER, &grant).await;
    let hurried = ask(&host, "hostile-wait", &peer.url()).header("x-polity-timeout-ms", "300");
    assert_eq!(answer(hurried).await.unwrap_err().0, "timeout");
    peer.abandoned(1).await;
    is_unharmed(&host).await;
}
