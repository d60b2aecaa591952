//! The four surfaces that ask models, as one: how each is asked, and how each tells an answer from an error.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use polity_tests::{Events, Host, Options, RawConnection, Upstream};
use reqwest::Response;
use serde_json::{Value, json};

pub(crate) const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Where models are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Surface {
    Chat,
    Responses,
    Messages,
    Embeddings,
}

use Surface::{Chat, Embeddings, Messages, Responses};

pub(crate) const ALL: [Surface; 4] = [Chat, Responses, Messages, Embeddings];

/// Those whose answer is a text, and may be a stream.
pub(crate) const TEXT: [Surface; 3] = [Chat, Responses, Messages];

/// What came of a request.
#[derive(Debug)]
pub(crate) enum Told {
    /// An answer, and whatever the surface says beside its text.
    Answer(String, Value),
    /// An error with its status; 200 where it is the end of a stream.
    Error(u16, String),
}

impl Surface {
    pub(crate) fn path(self) -> &'static str {
        match self {
            Chat => "/v1/chat/completions",
            Responses => "/v1/responses",
            Messages => "/v1/messages",
            Embeddings => "/v1/embeddings",
        }
    }

    /// The smallest request, and what else is asked.
    pub(crate) fn body(self, more: &Value) -> Value {
        let said = json!([{"role": "user", "content": "Hello"}]);
        let mut body = match self {
            Chat => json!({"model": "small", "messages": said}),
            Responses => json!({"model": "small", "input": "Hello"}),
            Messages => json!({"model": "small", "max_tokens": 100, "messages": said}),
            Embeddings => json!({"model": "small", "input": ["Hello"]}),
        };
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    }

    pub(crate) fn request(self, host: &Host, more: &Value) -> reqwest::RequestBuilder {
        host.post(self.path()).json(&self.body(more))
    }

    pub(crate) async fn ask(self, host: &Host, more: &Value) -> Told {
        self.hear(self.request(host, more).send().await.unwrap())
            .await
    }

    /// Reads an answer to its end, whichever form it has.
    pub(crate) async fn hear(self, response: Response) -> Told {
        let status = response.status().as_u16();
        let kind = response.headers()["content-type"].to_str().unwrap();
        if kind.starts_with("text/event-stream") {
            assert_eq!(status, 200);
            return self.hear_events(Events::of(response).rest().await);
        }
        let body: Value = response.json().await.unwrap();
        if status != 200 {
            // Anthropic's clients look for another shape than OpenAI's.
            assert_eq!(body["type"] == "error", self == Messages, "{body}");
            let message = body["error"]["message"].as_str();
            let message = message.unwrap_or_else(|| panic!("{self:?} {status}: {body}"));
            assert!(!message.is_empty() && body["error"]["type"].is_string());
            return Told::Error(status, message.to_owned());
        }
        let text = match self {
            Chat => body["choices"][0]["message"]["content"].as_str(),
            Responses => body["output"][0]["content"][0]["text"].as_str(),
            Messages => body["content"][0]["text"].as_str(),
            Embeddings => body["data"][0]["embedding"].as_array().map(|_| "vector"),
        };
        Told::Answer(text.unwrap_or_default().to_owned(), body)
    }

    fn hear_events(self, events: Vec<String>) -> Told {
        let json = |event: &String| serde_json::from_str::<Value>(event).unwrap_or_default();
        let all: Vec<Value> = events.iter().map(json).collect();
        let text = |of: &dyn Fn(&Value) -> Option<String>| all.iter().filter_map(of).collect();
        let string = |value: &Value| value.as_str().map(str::to_owned);
        let last = all.last().cloned().unwrap_or_default();
        let failed = |message: &Value| Told::Error(200, message.as_str().unwrap().to_owned());
        match self {
            Chat if events.last().is_some_and(|event| event == "[DONE]") => Told::Answer(
                text(&|event| string(&event["choices"][0]["delta"]["content"])),
                Value::Null,
            ),
            Chat => failed(&last["error"]["message"]),
            Responses if last["type"] == "response.completed" => {
                let is_text = |event: &Value| event["type"] == "response.output_text.delta";
                Told::Answer(
                    text(&|event| is_text(event).then(|| string(&event["delta"]))?),
                    last["response"].clone(),
                )
            }
            Responses => {
                assert_eq!(last["type"], "response.failed", "{events:?}");
                failed(&last["response"]["error"]["message"])
            }
            Messages if last["type"] == "message_stop" => {
                Told::Answer(text(&|event| string(&event["delta"]["text"])), Value::Null)
            }
            Messages => {
                assert_eq!(last["type"], "error", "{events:?}");
                failed(&last["error"]["message"])
            }
            Embeddings => panic!("vectors do not come in events: {events:?}"),
        }
    }
}

impl Told {
    /// The text of what must be an answer.
    pub(crate) fn text(self) -> String {
        match self {
            Self::Answer(text, _) => text,
            Self::Error(status, message) => panic!("{status}: {message}"),
        }
    }

    /// The status and the words of what must be an error.
    pub(crate) fn error(self) -> (u16, String) {
        match self {
            Self::Error(status, message) => (status, message),
            Self::Answer(text, more) => panic!("an answer: {text:?} {more}"),
        }
    }
}

/// A host whose models answer with texts and with vectors.
pub(crate) async fn host(upstream: &Upstream, more: impl FnOnce(Options) -> Options) -> Host {
    Host::start(POLITY, |options| {
        let options = options.without_bundled();
        more(
            options
                .openai(upstream, &["small", "large"])
                .embedding("small"),
        )
    })
    .await
}

/// Waits until nothing is in progress any more: no request of ours, no call of the plugin.
pub(crate) async fn at_rest(host: &Host) {
    loop {
        let page = host.get("/metrics").send().await.unwrap();
        let page = page.text().await.unwrap();
        let is_idle = |line: &str| page.lines().any(|found| found == line);
        if is_idle("polity_requests_in_progress 0")
            && is_idle("polity_plugin_in_progress{plugin=\"openai\"} 0")
        {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// The records of the last completions, the newest first.
pub(crate) async fn records(host: &Host, count: usize) -> Vec<Value> {
    let path = format!("/api/decisions?kind=model.complete&limit={count}");
    let listed = host.read(&path).await;
    let items = listed["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["completion"].clone())
        .collect()
}

/// Bytes on a connection of their own, and all that comes back.
pub(crate) async fn raw(host: &Host, request: impl AsRef<[u8]>) -> String {
    let mut connection: RawConnection = host.connect().await;
    connection.send(request).await;
    connection.read_to_end().await
}
