//! Plugins that mean harm, dropped into a running company: the host stays up, others are served, everybody is told why,
//! the ledger has it, and nothing is allowed by accident.

use std::fs;

use polity_test_guests as guests;
use polity_tests::harm::{PATIENT, act, company, drop_in, follow, is_unharmed, told};
use polity_tests::{Answer, Gate, Host, Upstream};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// What no caller, log, ledger or guest may ever see.
const SECRET: &str = "sk-hostile-0123456789abcdef";

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
