//! Models that do not answer, answer something else, answer twice, lie about what they used, or never stop: every
//! surface tells its caller so, nobody hangs, no budget is overrun, and nothing that was cut looks whole.

mod surface;

use std::sync::{Arc, Mutex};

use polity_tests::{Answer, Events, Gate, Upstream};
use serde_json::{Value, json};
use surface::{ALL, Surface, TEXT, Told, at_rest, host, records};

async fn says(answer: Answer) -> Upstream {
    Upstream::start(move |_| answer.clone()).await
}

/// A provider that answers what it was last told to, so that one host sees them all.
#[derive(Clone)]
struct Script(Arc<Mutex<Answer>>);

impl Script {
    async fn start() -> (Upstream, Self) {
        let script = Self(Arc::new(Mutex::new(Answer::status(500))));
        let said = script.clone();
        let upstream = Upstream::start(move |_| said.0.lock().unwrap().clone()).await;
        (upstream, script)
    }

    fn says(&self, answer: Answer) {
        *self.0.lock().unwrap() = answer;
    }
}

fn stream() -> Answer {
    Answer::status(200).header("content-type", "text/event-stream")
}

fn piece(content: &str) -> String {
    json!({"choices": [{"index": 0, "delta": {"content": content}}]}).to_string()
}

fn finish() -> String {
    json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}).to_string()
}

fn whole(content: &str, usage: &str) -> Answer {
    let message = json!({"role": "assistant", "content": content});
    Answer::json(
        200,
        format!(
            "{{\"choices\": [{{\"index\": 0, \"message\": {message}, \"finish_reason\": \"stop\"}}]{usage}}}"
        ),
    )
}

/// Both ways to ask where there are two.
fn ways(surface: Surface) -> &'static [bool] {
    match surface {
        Surface::Embeddings => &[false],
        _ => &[false, true],
    }
}

fn asked(stream: bool) -> Value {
    if stream {
        json!({"stream": true})
    } else {
        json!({})
    }
}

#[tokio::test]
async fn a_model_that_never_answers_is_given_up_in_time_and_what_it_read_is_paid_for() {
    let gate = Gate::new();
    // The head comes, and nothing after it.
    let upstream = says(stream().pass(&gate)).await;
    let host = host(&upstream, |options| options).await;
    let mut abandoned = 0;
    for surface in ALL {
        for stream in ways(surface) {
            let request = surface
                .request(&host, &asked(*stream))
                .header("x-polity-timeout-ms", "200");
            let (status, words) = surface.hear(request.send().await.unwrap()).await.error();
            assert_eq!(status, 504, "{surface:?} {stream}: {words}");
            abandoned += 1;
            upstream.abandoned(abandoned).await;
        }
    }
    at_rest(&host).await;
    for record in records(&host, abandoned).await {
        assert_eq!(record["status"], "late", "{record}");
        let (cost, reserved) = (
            record["cost_micro"].as_u64(),
            record["reserved_micro"].as_u64(),
        );
        assert!(cost > Some(0) && cost <= reserved, "{record}");
    }
}

#[tokio::test]
async fn garbage_is_never_called_an_answer() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let deep_choice = format!("{{\"choices\": {deep}}}");
    let bodies: Vec<(&str, Answer)> = vec![
        ("html", Answer::json(200, "<html>502 from a proxy</html>")),
        ("empty", Answer::json(200, "")),
        ("null", Answer::json(200, "null")),
        ("list", Answer::json(200, "[1, 2]")),
        ("object", Answer::json(200, "{}")),
        (
            "no choices",
            Answer::json(200, "{\"choices\": [], \"data\": []}"),
        ),
        (
            "cut",
            Answer::json(200, "{\"choices\": [{\"index\": 0, \"mess"),
        ),
        (
            "bytes",
            Answer::status(200)
                .header("content-type", "application/json")
                .send([0xff, 0xfe, 0, 1, 2].repeat(50)),
        ),
        ("deep", Answer::json(200, deep_choice)),
        (
            "error in 200",
            Answer::json(
                200,
                "{\"error\": {\"message\": \"boom\", \"type\": \"server_error\"}}",
            ),
        ),
        ("events of nothing", stream()),
        ("events of noise", stream().event("noise")),
        ("only done", stream().event("[DONE]")),
        ("events cut", stream().event(&piece("half")).and_break()),
        ("events without an end", stream().event(&piece("half"))),
    ];
    let (upstream, script) = Script::start().await;
    let host = host(&upstream, |options| options).await;
    for (name, answer) in bodies {
        script.says(answer);
        for surface in ALL {
            for stream in ways(surface) {
                let (status, words) = match surface.ask(&host, &asked(*stream)).await {
                    Told::Error(status, words) => (status, words),
                    told => panic!("{name} {surface:?} {stream}: {told:?}"),
                };
                assert!(
                    status == 200 || status >= 500,
                    "{name} {surface:?}: {status}"
                );
                assert!(status != 200 || *stream, "{name} {surface:?}");
                assert!(words.len() < 4096, "{name}: {}", words.len());
            }
        }
        at_rest(&host).await;
    }
}

#[tokio::test]
async fn a_whole_answer_that_breaks_off_is_paid_for_as_far_as_it_came() {
    let (upstream, script) = Script::start().await;
    let host = host(&upstream, |options| options).await;
    let half = stream().event(&piece(&"word ".repeat(400))).and_break();
    let document = Answer::json(200, "{\"choices\": [{\"index\": 0, \"mess");
    for (name, answer, output_tokens) in [("text", half, 500), ("document", document, 0)] {
        script.says(answer);
        for surface in TEXT {
            surface.ask(&host, &json!({})).await.error();
            at_rest(&host).await;
            let record = &records(&host, 1).await[0];
            assert_eq!(record["status"], "failed", "{name} {surface:?}: {record}");
            assert_eq!(record["is_estimate"], true, "{name} {surface:?}: {record}");
            assert_eq!(record["output_tokens"], output_tokens, "{name}: {record}");
            assert!(
                record["input_tokens"].as_u64() > Some(0),
                "{name}: {record}"
            );
            let attempts = record["attempts"].as_array().unwrap();
            let costs = attempts.iter().map(|it| it["cost_micro"].as_u64().unwrap());
            let costs: Vec<u64> = costs.collect();
            assert!(!costs.contains(&0), "{name} {surface:?}: {record}");
            assert_eq!(record["cost_micro"], costs.iter().sum::<u64>(), "{record}");
        }
    }
    // Whoever does not begin to answer does not charge.
    script.says(Answer::json(500, "{}"));
    Surface::Chat.ask(&host, &json!({})).await.error();
    at_rest(&host).await;
    assert_eq!(records(&host, 1).await[0]["cost_micro"], 0);
}

#[tokio::test]
async fn a_whole_answer_that_runs_out_of_time_is_paid_for_as_far_as_it_came() {
    let gate = Gate::new();
    let half = stream().event(&piece(&"word ".repeat(400))).pass(&gate);
    let upstream = says(half).await;
    let host = host(&upstream, |options| options).await;
    for (at, surface) in TEXT.into_iter().enumerate() {
        let request = surface
            .request(&host, &json!({"max_completion_tokens": 2000}))
            .header("x-polity-timeout-ms", "300");
        let told = surface.hear(request.send().await.unwrap()).await;
        assert_eq!(told.error().0, 504, "{surface:?}");
        upstream.abandoned(at + 1).await;
        at_rest(&host).await;
        let record = &records(&host, 1).await[0];
        assert_eq!(record["output_tokens"], 500, "{surface:?}: {record}");
        // At two units for a million of them.
        let cost = record["cost_micro"].as_u64().unwrap();
        assert!(cost >= 1_000, "{surface:?}: {record}");
        assert_eq!(record["attempts"][0]["cost_micro"], cost, "{record}");
    }
}

#[tokio::test]
async fn vectors_that_do_not_fit_the_texts_are_refused() {
    let (upstream, script) = Script::start().await;
    let host = host(&upstream, |options| options).await;
    for data in [
        "[]",
        "[{\"embedding\": []}]",
        "[{\"embedding\": [0.1]}, {\"embedding\": [0.2]}]",
        "[{\"embedding\": [1e39]}]",
        "[{\"embedding\": [-1e300, 1]}]",
        "[{\"embedding\": [\"a\"]}]",
        "[{\"embedding\": \"AAAA\"}]",
        "[{\"embedding\": null}]",
        "[{\"index\": -1, \"embedding\": [0.1]}]",
    ] {
        script.says(Answer::json(200, format!("{{\"data\": {data}}}")));
        let (status, _) = Surface::Embeddings.ask(&host, &json!({})).await.error();
        assert_eq!(status, 502, "{data}");
    }
}

#[tokio::test]
async fn a_model_that_answers_twice_is_heard_once() {
    let once = |answer: Answer, content: &str| {
        answer
            .event(&piece(content))
            .event(&finish())
            .event("[DONE]")
    };
    let upstream = says(once(once(stream(), "Hi"), "Hi again")).await;
    let host = host(&upstream, |options| options).await;
    for surface in TEXT {
        for stream in ways(surface) {
            assert_eq!(surface.ask(&host, &asked(*stream)).await.text(), "Hi");
        }
    }
    at_rest(&host).await;
    let records = records(&host, 10).await;
    assert_eq!(records.len(), 6);
    assert!(records.iter().all(|record| record["status"] == "answered"));
}

#[tokio::test]
async fn what_a_model_says_it_used_is_believed_only_where_it_can_be_true() {
    let said = |prompt: &str, answer: &str| {
        format!(", \"usage\": {{\"prompt_tokens\": {prompt}, \"completion_tokens\": {answer}}}")
    };
    let max = u64::MAX.to_string();
    let usages = Arc::new(Mutex::new(String::new()));
    let script = usages.clone();
    let upstream = Upstream::start(move |request| {
        let script = script.lock().unwrap().clone();
        if request.json()["stream"] != true {
            return whole("Hi", &script);
        }
        let end = format!("{{\"choices\": []{script}}}");
        let spoken = stream().event(&piece("Hi")).event(&finish());
        spoken.event(&end).event("[DONE]")
    })
    .await;
    let host = host(&upstream, |options| options).await;
    let (mut requests, mut cost, mut read, mut written) = (0, 0, 0, 0);
    for (usage, is_estimate) in [
        (said("20", "5"), false),
        (String::new(), true),
        (", \"usage\": null".to_owned(), true),
        (said("-5", "-9"), true),
        (said(&max, "5"), true),
        (said("20", &max), true),
        (said("1e300", "1e300"), true),
        (said("\"many\"", "[1]"), true),
        (said("0", "0"), true),
        (said("0", "5"), true),
        (said("20", "0"), true),
        (said("\"many\"", "5"), true),
    ] {
        usages.lock().unwrap().clone_from(&usage);
        for surface in TEXT {
            for stream in ways(surface) {
                let mut more = asked(*stream);
                more["polity"] = json!({"max_cost": 1_000_000});
                assert_eq!(surface.ask(&host, &more).await.text(), "Hi", "{usage}");
            }
        }
        at_rest(&host).await;
        let cannot_be = usage.contains(&max) || usage.contains("1e300");
        for record in records(&host, 6).await {
            let micro = |name: &str| record[name].as_u64().unwrap();
            // Charge and tokens are of one mind, and what was not believed is on record.
            let (input, output) = (micro("input_tokens"), micro("output_tokens"));
            assert_eq!(micro("cost_micro"), input + 2 * output, "{usage}: {record}");
            let claim = &record["disbelieved"];
            assert_eq!(claim.is_object(), cannot_be, "{usage}: {record}");
            cost += micro("cost_micro");
            read += input;
            written += output;
            requests += 1;
            assert_eq!(record["is_estimate"], is_estimate, "{usage}: {record}");
            assert!(micro("cost_micro") > 0, "{usage}: {record}");
            assert!(
                micro("cost_micro") <= micro("reserved_micro"),
                "{usage}: {record}"
            );
            assert!(micro("input_tokens") < 1000, "{usage}: {record}");
        }
        // Nobody's budget is gone.
        assert_eq!(Surface::Chat.ask(&host, &json!({})).await.text(), "Hi");
        at_rest(&host).await;
        let record = &records(&host, 1).await[0];
        let micro = |name: &str| record[name].as_u64().unwrap();
        cost += micro("cost_micro");
        read += micro("input_tokens");
        written += micro("output_tokens");
        requests += 1;
    }
    // The metrics say what the records say.
    let page = host.get("/metrics").send().await.unwrap();
    let page = page.text().await.unwrap();
    let sample = |start: &str, label: &str| -> f64 {
        let is_it = |line: &&str| line.starts_with(start) && line.contains(label);
        let line = page.lines().find(is_it);
        let line = line.unwrap_or_else(|| panic!("{start} {label} is not in:\n{page}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    let answered = "status=\"answered\"";
    assert_eq!(
        sample("polity_completions_total{", answered),
        f64::from(requests)
    );
    let charged = sample("polity_cost_total{", answered) * 1e6;
    assert!((charged - cost as f64).abs() < 0.5, "{charged} {cost}");
    let tokens = "gen_ai_client_token_usage_sum{";
    assert_eq!(sample(tokens, "gen_ai_token_type=\"input\""), read as f64);
    assert_eq!(
        sample(tokens, "gen_ai_token_type=\"output\""),
        written as f64
    );
}

#[tokio::test]
async fn an_answer_that_comes_byte_by_byte_is_whole_whatever_is_cut_apart() {
    let text = "Grüße aus 東京 \u{1f3ef}\u{202e}!";
    let events = [piece(text), finish(), "[DONE]".to_owned()];
    let bytes: String = events
        .iter()
        .map(|event| format!("data: {event}\n\n"))
        .collect();
    let answer = bytes
        .bytes()
        .fold(stream(), |answer, byte| answer.send([byte]));
    let upstream = says(answer).await;
    let host = host(&upstream, |options| options).await;
    for surface in TEXT {
        for stream in ways(surface) {
            assert_eq!(surface.ask(&host, &asked(*stream)).await.text(), text);
        }
    }
}

#[tokio::test]
async fn a_character_that_is_cut_in_two_is_put_together_again() {
    // What a model writes token by token: an emoji is two escapes, and a token may end between them.
    let events = [r"Hi \ud83d", r"\ude00", r" and \ud83c", r"\udfef!"].map(|text| {
        format!("{{\"choices\": [{{\"index\": 0, \"delta\": {{\"content\": \"{text}\"}}}}]}}")
    });
    let spoken = events
        .iter()
        .fold(stream(), |answer, event| answer.event(event));
    let upstream = says(spoken.event(&finish()).event("[DONE]")).await;
    let host = host(&upstream, |options| options).await;
    for surface in TEXT {
        for stream in ways(surface) {
            let said = surface.ask(&host, &asked(*stream)).await.text();
            assert_eq!(said, "Hi \u{1f600} and \u{1f3ef}!", "{surface:?} {stream}");
        }
    }
}

#[tokio::test]
async fn a_page_where_an_answer_should_be_is_told_with_its_host_and_its_first_words() {
    let page = Answer::status(200)
        .header("content-type", "text/html")
        .send("<!doctype html><title>Welcome</title>");
    let upstream = says(page).await;
    let host = host(&upstream, |options| options).await;
    for surface in ALL {
        for stream in ways(surface) {
            let Told::Error(_, words) = surface.ask(&host, &asked(*stream)).await else {
                panic!("{surface:?} {stream}: a page is no answer");
            };
            let address = upstream.address();
            for told in [
                &*address,
                "content-type text/html",
                "<title>Welcome",
                "`base_url`",
            ] {
                assert!(words.contains(told), "{told} is not in: {words}");
            }
            assert!(!words.contains("OpenAI"), "{words}");
        }
    }
}

#[tokio::test]
async fn text_that_is_none_reaches_the_caller_as_text_or_as_an_error() {
    let (upstream, script) = Script::start().await;
    let host = host(&upstream, |options| options).await;
    // A lone surrogate, a null, and bytes that are no UTF-8.
    for content in [
        &b"\"a\\ud800b\""[..],
        b"\"a\\u0000b\"",
        b"\"a\xff\xfeb\"",
        b"\"a\xed\xa0\x80b\"",
    ] {
        let head: &[u8] = b"data: {\"choices\": [{\"index\": 0, \"delta\": {\"content\": ";
        let event = [head, content, b"}}]}\n\n"].concat();
        let answer = stream().send(event).event(&finish()).event("[DONE]");
        script.says(answer);
        for surface in TEXT {
            for stream in ways(surface) {
                // Whatever it is, it parses: the helper would panic otherwise.
                match surface.ask(&host, &asked(*stream)).await {
                    Told::Answer(text, _) => assert!(text.starts_with('a') && text.ends_with('b')),
                    Told::Error(status, _) => assert!(status >= 500 || *stream, "{status}"),
                }
            }
        }
        at_rest(&host).await;
    }
}

#[tokio::test]
async fn a_model_that_never_stops_is_stopped_with_an_error_and_no_short_answer() {
    let line = piece(&"and so on ".repeat(1000));
    let endless = (0..300).fold(stream(), |answer, _| answer.event(&line));
    let upstream = says(endless.event(&finish()).event("[DONE]")).await;
    let host = host(&upstream, |options| {
        let grant = format!(
            "[[http]]\nhost = \"{address}\"\nmethods = [\"GET\", \"POST\"]\nplain = true\nprivate = true\n\n\
             [limits]\nresponse_bytes = 1000000\n\n[config]\nbase_url = \"http://{address}/v1\"\n\
             models = [{{ id = \"small\", abilities = [\"embed\", \"chat\"], input_price = 1000000, output_price = 2000000 }}]\n",
            address = upstream.address(),
        );
        options.grant("openai", &grant)
    })
    .await;
    for surface in TEXT {
        for stream in ways(surface) {
            let (status, words) = surface.ask(&host, &asked(*stream)).await.error();
            assert!(status >= 500 || *stream, "{surface:?}: {status} {words}");
        }
    }
    at_rest(&host).await;
    assert!(
        records(&host, 6)
            .await
            .iter()
            .all(|record| record["status"] == "failed")
    );
}

#[tokio::test]
async fn every_call_of_a_request_is_on_its_bill_and_on_record() {
    // One model gives its answer up half-way, and has been paid for it; the other one writes on.
    let upstream = Upstream::start(move |request| match request.json()["model"] == "small" {
        true => stream()
            .event(&piece(&"half of it ".repeat(100)))
            .and_break(),
        false => {
            let usage =
                "{\"choices\": [], \"usage\": {\"prompt_tokens\": 400, \"completion_tokens\": 10}}";
            let answer = stream().event(&piece("and all of it")).event(&finish());
            answer.event(usage).event("[DONE]")
        }
    })
    .await;
    let models =
        json!({"models": {"small": {"quality": {"*": 0.9}}, "large": {"quality": {"*": 0.5}}}});
    let host = host(&upstream, |options| {
        options.file("models.json", models.to_string())
    })
    .await;
    let more = json!({"model": "auto", "max_tokens": 2000, "stream": true});
    let text = Surface::Chat.ask(&host, &more).await.text();
    assert!(
        text.starts_with("half of it") && text.ends_with("and all of it"),
        "{text}"
    );
    at_rest(&host).await;
    let record = &records(&host, 1).await[0];
    let attempts = record["attempts"].as_array().unwrap();
    let paid: u64 = attempts
        .iter()
        .map(|attempt| attempt["cost_micro"].as_u64().unwrap())
        .sum();
    assert_eq!(record["cost_micro"], paid, "{record}");
    // Its own tokens cost 420; what the first one had written is on the bill as well.
    assert!(paid > 420 + 500, "{record}");
    assert!(record["reserved_micro"].as_u64() >= Some(paid), "{record}");
}

#[tokio::test]
async fn a_caller_who_stops_reading_holds_nobody_else_up() {
    let line = piece(&"and so on ".repeat(8000));
    let long = (0..450).fold(stream(), |answer, _| answer.event(&line));
    let long = long.event(&finish()).event("[DONE]");
    let upstream = Upstream::start(move |request| match request.json()["model"].as_str() {
        Some("large") => long.clone(),
        _ => whole("Hi", ""),
    })
    .await;
    let host = host(&upstream, |options| options).await;
    let more = json!({"model": "large", "stream": true});
    let mut slow = Vec::new();
    for surface in TEXT {
        let mut events = Events::of(surface.request(&host, &more).send().await.unwrap());
        events.next().await.unwrap();
        slow.push(events);
    }
    for surface in ALL
        .into_iter()
        .filter(|surface| *surface != Surface::Embeddings)
    {
        assert_eq!(surface.ask(&host, &json!({})).await.text(), "Hi");
    }
    // None of them was read to its end, so none has been sent to it; once they go, all is as before.
    drop(slow);
    upstream.abandoned(3).await;
    at_rest(&host).await;
}
