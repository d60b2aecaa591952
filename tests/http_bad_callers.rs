//! Callers that send what nobody should: too much, too slowly, twice, in bytes that are no text, or with wishes that mean
//! nothing. Each is told what is wrong, no model is asked, and the next caller is served.

mod surface;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use polity_tests::{Answer, Host, Upstream};
use serde_json::{Value, json};
use surface::{ALL, Surface, TEXT, at_rest, host, raw};

/// A provider that answers whatever is asked, with a text or a vector.
async fn provider() -> Upstream {
    Upstream::start(|request| {
        if request.path.ends_with("/embeddings") {
            return Answer::json(
                200,
                "{\"data\": [{\"index\": 0, \"embedding\": [0.5, 0.25]}]}",
            );
        }
        let message = json!({"role": "assistant", "content": "Hi"});
        let body = json!({
            "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 5},
        });
        Answer::json(200, body.to_string())
    })
    .await
}

/// A head that is right but for what stands in `more`.
fn head(host: &Host, surface: Surface, more: &str) -> String {
    format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n{more}\r\n",
        surface.path(),
        host.token,
    )
}

fn is_refused(surface: Surface, answer: &str) {
    let status = answer.split(' ').nth(1).unwrap_or("none");
    assert!(status.starts_with('4'), "{surface:?}: {answer}");
}

#[tokio::test]
async fn wishes_that_mean_nothing_are_refused_by_name_on_every_surface() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    for surface in ALL {
        for (wishes, words) in [
            (json!({"max_cost": -1}), "max_cost"),
            (json!({"max_cost": 1.5}), "max_cost"),
            (json!({"max_cost": "all of it"}), "max_cost"),
            (json!({"max_kost": 1}), "max_kost"),
            (json!({"min_quality": 2}), "min_quality"),
            (json!({"min_quality": -0.1}), "min_quality"),
            (json!({"deadline_ms": 0}), "deadline_ms"),
            (json!({"deadline_ms": -7}), "deadline_ms"),
            (json!({"region": ""}), "region"),
            (json!({"compliance": "gdpr"}), "compliance"),
            (json!([1]), "polity"),
            (json!("cheap"), "polity"),
        ] {
            let more = json!({"polity": wishes});
            let (status, told) = surface.ask(&host, &more).await.error();
            assert_eq!(status, 400, "{surface:?} {more}: {told}");
            assert!(
                told.contains(words) || told.contains("invalid"),
                "{surface:?} {more}: {told}"
            );
        }
        for (name, value, words) in [
            ("x-polity-max-cost", "-1", "max_cost"),
            ("x-polity-max-cost", "1e400", "max_cost"),
            ("x-polity-max-cost", "99999999999999999999999", "max_cost"),
            ("x-polity-min-quality", "NaN", "min_quality"),
            ("x-polity-local-only", "perhaps", "local_only"),
            ("x-polity-max-kost", "1", "x-polity-max-cost"),
            ("x-polity-timeout-ms", "-5", "x-polity-timeout-ms"),
            ("x-polity-timeout-ms", "0", "x-polity-timeout-ms"),
        ] {
            let request = surface.request(&host, &json!({})).header(name, value);
            let (status, told) = surface.hear(request.send().await.unwrap()).await.error();
            assert_eq!(status, 400, "{surface:?} {name}: {told}");
            assert!(told.contains(words), "{surface:?} {name}: {told}");
        }
        // Of two wishes the stricter holds: nobody buys more by asking twice.
        let twice = surface
            .request(&host, &json!({"polity": {"max_cost": 1_000_000}}))
            .header("x-polity-max-cost", "0");
        let (status, told) = surface.hear(twice.send().await.unwrap()).await.error();
        assert_eq!(status, 400, "{surface:?}: {told}");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn a_request_that_could_be_read_in_two_ways_is_read_in_none() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    for surface in ALL {
        let asked = upstream.requests().len();
        let body = surface.body(&json!({})).to_string();
        let length = body.len();
        let chunked = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
        let hidden = format!(
            "{}{body}",
            head(&host, surface, &format!("content-length: {length}\r\n"))
        );
        for (framing, sent) in [
            (
                format!(
                    "content-length: {length}\r\ncontent-length: {}\r\n",
                    length + 1
                ),
                body.clone(),
            ),
            (format!("content-length: +{length}\r\n"), body.clone()),
            ("content-length: -1\r\n".to_owned(), body.clone()),
            (
                "content-length: 99999999999999999999\r\n".to_owned(),
                body.clone(),
            ),
            (format!("content-length : {length}\r\n"), body.clone()),
            (
                "transfer-encoding: chunked, identity\r\n".to_owned(),
                chunked.clone(),
            ),
            (
                "transfer-encoding: xchunked\r\n".to_owned(),
                chunked.clone(),
            ),
            (
                "transfer-encoding: chunked\r\n".to_owned(),
                "ffffffffffffffffff\r\n".to_owned(),
            ),
            (
                "transfer-encoding: chunked\r\n".to_owned(),
                format!("-5\r\n{body}\r\n0\r\n\r\n"),
            ),
            (
                format!("content-length: {length}\r\nx-a: b\0c\r\n"),
                body.clone(),
            ),
            (
                format!("content-length: {length}\r\nx-a: b\rx-b: c\r\n"),
                body.clone(),
            ),
            (
                format!("content-length: {length}\r\nx-a: b\r\n folded\r\n"),
                body.clone(),
            ),
        ] {
            let request = format!("{}{sent}", head(&host, surface, &framing));
            let answer = raw(&host, format!("{request}{hidden}")).await;
            let told = answer.split(' ').nth(1).unwrap_or("closed");
            assert!(
                told == "closed" || told.starts_with('4'),
                "{surface:?} {framing:?}: {answer}"
            );
        }
        for (line, status) in [
            ("authorization: Bearer other", "401"),
            ("content-encoding: gzip", "415"),
        ] {
            let framing = format!("content-length: {length}\r\nconnection: close\r\n{line}\r\n");
            let request = format!("{}{body}", head(&host, surface, &framing));
            let answer = raw(&host, request).await;
            assert_eq!(answer.split(' ').nth(1), Some(status), "{surface:?} {line}");
        }
        assert_eq!(upstream.requests().len(), asked, "{surface:?}");
        // Both framings: the chunks count, the length does not, and the connection is not used again for what follows.
        let both = head(
            &host,
            surface,
            &format!(
                "content-length: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n",
                chunked.len()
            ),
        );
        let answer = raw(&host, format!("{both}{chunked}{hidden}")).await;
        assert_eq!(
            answer.matches("HTTP/1.1 ").count(),
            1,
            "{surface:?}: {answer}"
        );
        assert!(upstream.requests().len() <= asked + 1, "{surface:?}");
    }
    at_rest(&host).await;
}

#[tokio::test]
async fn nothing_of_the_callers_head_goes_to_the_provider() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    for surface in ALL {
        let request = surface
            .request(&host, &json!({}))
            .header("x-polity-task", "greeting")
            .header("x-forwarded-for", "203.0.113.7")
            .header("cookie", "session=secret")
            .header("x-api-key", "mine")
            .header("openai-organization", "mine");
        assert_eq!(request.send().await.unwrap().status(), 200, "{surface:?}");
    }
    for request in upstream.requests() {
        for (name, value) in &request.headers {
            assert!(
                !value.contains(&host.token) && !value.contains("secret") && value != "mine",
                "{name}: {value}"
            );
            assert!(
                !name.starts_with("x-polity-") && name != "x-forwarded-for",
                "{name}"
            );
        }
    }
}

#[tokio::test]
async fn a_body_that_is_no_text_is_told_apart_from_text_that_is_strange() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    let send = |surface: Surface, body: Vec<u8>| {
        let request = host.post(surface.path());
        request
            .header("content-type", "application/json")
            .body(body)
    };
    for surface in ALL {
        let with = |text: &[u8]| {
            let body = surface.body(&json!({"model": "small"})).to_string();
            let (before, after) = body.split_once("Hello").unwrap();
            [before.as_bytes(), text, after.as_bytes()].concat()
        };
        for wrong in [
            with(b"\xff\xfe"),
            with(b"\xc0\xaf"),
            with(b"\xed\xa0\x80"),
            with(b"\xf5\x80\x80\x80"),
            with(b"\xe6\x9d"),
            with(b"a\0b"),
            with(b"\\ud800"),
            with(b"\\x41"),
            [b"\xef\xbb\xbf", &with(b"x")[..]].concat(),
            [&with(b"x")[..], b"{}"].concat(),
            Vec::new(),
            b"[".repeat(200_000),
            b"{\"model\":".repeat(100_000),
        ] {
            let start: String = String::from_utf8_lossy(&wrong).chars().take(120).collect();
            let told = surface
                .hear(send(surface, wrong).send().await.unwrap())
                .await;
            let (status, words) = told.error();
            assert_eq!(status, 400, "{surface:?} {start}: {words}");
            assert!(words.len() < 1024, "{words}");
        }
        let seen = upstream.requests().len();
        for strange in [
            "\u{feff}",
            "\u{202e}gnp.exe",
            "\u{0}",
            "e\u{301}\u{301}\u{301}",
            "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467}",
            "\u{10ffff}\u{fdd0}",
            "日本語\u{2028}\r\n\t",
        ] {
            let text = serde_json::to_string(strange).unwrap();
            let body = with(&text.as_bytes()[1..text.len() - 1]);
            let answered = send(surface, body).send().await.unwrap();
            assert_eq!(answered.status(), 200, "{surface:?} {strange:?}");
            // It comes out as it went in.
            let asked = upstream.requests().last().unwrap().json();
            let text = match surface {
                Surface::Embeddings => &asked["input"][0],
                _ => asked["messages"]
                    .as_array()
                    .unwrap()
                    .last()
                    .map(|last| &last["content"])
                    .unwrap(),
            };
            let text = text.as_str().or_else(|| text[0]["text"].as_str());
            assert_eq!(text, Some(strange), "{surface:?}");
        }
        assert_eq!(upstream.requests().len(), seen + 7);
        let (status, _) = surface
            .ask(&host, &json!({"model": "smäll\u{202e}"}))
            .await
            .error();
        assert_eq!(status, 404);
        let (status, _) = surface
            .ask(&host, &json!({"model": "x".repeat(5000)}))
            .await
            .error();
        assert!(status == 400 || status == 404, "{status}");
    }
}

#[tokio::test]
async fn a_hundred_megabytes_are_refused_however_they_are_announced() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    for surface in ALL {
        let announced = format!("content-length: {}\r\n", 100 << 20);
        let mut connection = host.connect().await;
        connection.send(head(&host, surface, &announced)).await;
        let answer = connection.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{surface:?}: {answer}");
        // Without a length it is read until it is too much.
        let mut connection = host.connect().await;
        connection
            .send(head(&host, surface, "transfer-encoding: chunked\r\n"))
            .await;
        let piece = format!("100000\r\n{}\r\n", " ".repeat(1 << 20));
        for _ in 0..32 {
            connection.send(&piece).await;
        }
        connection.send("1\r\n \r\n").await;
        let answer = connection.read_until("\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{surface:?}: {answer}");
    }
    assert!(upstream.requests().is_empty());
}

#[tokio::test]
async fn ten_thousand_tools_go_to_the_model_and_ten_thousand_messages_and_fields_too() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    let tools = |surface: Surface| -> Value {
        let tool = |number: u32| {
            let (name, schema) = (format!("tool_{number}"), json!({"type": "object"}));
            match surface {
                Surface::Chat => {
                    json!({"type": "function", "function": {"name": name, "parameters": schema}})
                }
                Surface::Messages => json!({"name": name, "input_schema": schema}),
                _ => json!({"type": "function", "name": name, "parameters": schema}),
            }
        };
        (0..10_000).map(tool).collect()
    };
    for surface in TEXT {
        let answered = surface.ask(&host, &json!({"tools": tools(surface)})).await;
        assert_eq!(answered.text(), "Hi", "{surface:?}");
        let asked = upstream.requests().last().unwrap().json();
        assert_eq!(
            asked["tools"].as_array().unwrap().len(),
            10_000,
            "{surface:?}"
        );
        let said: Value = (0..10_000)
            .map(|number| {
                let role = if number % 2 == 0 { "user" } else { "assistant" };
                json!({"role": role, "content": "x"})
            })
            .collect();
        let said = match surface {
            Surface::Responses => json!({"input": said}),
            _ => json!({"messages": said}),
        };
        assert_eq!(surface.ask(&host, &said).await.text(), "Hi", "{surface:?}");
    }
    let texts: Vec<String> = (0..3000).map(|number| number.to_string()).collect();
    let (status, words) = Surface::Embeddings
        .ask(&host, &json!({"input": texts}))
        .await
        .error();
    assert_eq!(status, 400, "{words}");
    assert!(words.contains("between 1 and"), "{words}");
    // More than a plugin can be handed is refused in words, and not cut.
    for surface in ALL {
        let long = "long ".repeat(2 << 20);
        let more = match surface {
            Surface::Chat | Surface::Messages => {
                json!({"messages": [{"role": "user", "content": long}]})
            }
            _ => json!({"input": long}),
        };
        let (status, words) = surface.ask(&host, &more).await.error();
        assert!(status == 400 || status == 413, "{surface:?}: {status}");
        assert!(words.contains("shorten"), "{surface:?}: {words}");
    }
}

#[tokio::test]
async fn whoever_sends_megabytes_gets_an_answer_and_takes_no_rule_from_the_others() {
    let upstream = provider().await;
    let host = host(&upstream, |options| {
        let guard = json!({"rule": "pii-guard", "guards": ["model.complete"]});
        options.first_party("pii-guard").rule("privacy", guard)
    })
    .await;
    let long = "the quick brown fox jumps over 13 lazy dogs, ".repeat(60_000);
    for surface in TEXT {
        let body = match surface {
            Surface::Responses => json!({ "input": long }),
            _ => json!({"messages": [{"role": "user", "content": long}]}),
        };
        for _ in 0..2 {
            assert_eq!(surface.ask(&host, &body).await.text(), "Hi", "{surface:?}");
        }
    }
    let plugin = host.read("/api/plugins/pii-guard").await;
    assert_eq!(plugin["state"], "live", "{plugin}");
}

#[tokio::test]
async fn a_request_that_comes_byte_by_byte_is_answered_and_one_that_stops_holds_nothing() {
    let upstream = provider().await;
    let host = host(&upstream, |options| options).await;
    let mut stopped = Vec::new();
    for surface in ALL {
        let body = surface.body(&json!({})).to_string();
        let framing = format!("content-length: {}\r\nconnection: close\r\n", body.len());
        let request = format!("{}{body}", head(&host, surface, &framing));
        let mut slow = host.connect().await;
        for byte in request.bytes() {
            slow.send([byte]).await;
        }
        let answer = slow.read_to_end().await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{surface:?}: {answer}");
        for half in [request.len() / 3, request.len() - 1] {
            let mut connection = host.connect().await;
            connection.send(&request[..half]).await;
            stopped.push(connection);
        }
    }
    assert_eq!(upstream.requests().len(), 4);
    // They wait for the rest of it, and nobody waits for them.
    for surface in TEXT {
        assert_eq!(surface.ask(&host, &json!({})).await.text(), "Hi");
    }
    at_rest(&host).await;
    drop(stopped);
}

#[tokio::test]
async fn as_many_as_ask_at_once_cannot_overspend_a_budget_by_more_than_what_they_reserved() {
    let asked = AtomicUsize::new(0);
    let upstream = Upstream::start(move |request| {
        asked.fetch_add(1, Ordering::SeqCst);
        let longest = request.json()["max_tokens"].as_u64().unwrap_or(100);
        // Each costs all that was set aside for it.
        let body = json!({
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": longest},
        });
        Answer::json(200, body.to_string())
    })
    .await;
    let limit = 2_500;
    let host = host(&upstream, |options| {
        options.amend_charter(
            "budgets",
            json!({"company_daily_micro": limit, "actor_daily_micro": null}),
        )
    })
    .await;
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..60 {
        let surface = TEXT[number % 3];
        let longest = match surface {
            Surface::Responses => json!({"max_output_tokens": 100}),
            _ => json!({"max_tokens": 100}),
        };
        let request = surface
            .request(&host, &longest)
            .timeout(Duration::from_secs(60));
        requests.spawn(async move {
            let response = request.send().await.unwrap();
            (
                surface,
                response.status().as_u16(),
                response.text().await.unwrap(),
            )
        });
    }
    let (mut answered, mut refused) = (0, 0);
    while let Some(done) = requests.join_next().await {
        match done.unwrap() {
            (_, 200, _) => answered += 1,
            (_, 429, told) => {
                assert!(told.contains("budgets.company_daily_micro"), "{told}");
                refused += 1;
            }
            (surface, status, told) => panic!("{surface:?} {status}: {told}"),
        }
    }
    assert_eq!(answered + refused, 60);
    at_rest(&host).await;
    let costs = host.read("/api/costs").await;
    let spent = costs["total"]["cost_micro"].as_u64().unwrap();
    assert!(
        answered >= 10 && spent <= limit,
        "{answered} answers cost {spent} of {limit}"
    );
    // What was set aside and not spent is free again: a smaller one fits until there is nothing left.
    is_refused(
        Surface::Chat,
        &raw(
            &host,
            head(
                &host,
                Surface::Chat,
                "content-length: 0\r\nconnection: close\r\n",
            ),
        )
        .await,
    );
}
