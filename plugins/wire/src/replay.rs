//! Runs a provider against recorded exchanges.
//!
//! An exchange is a folder: `call.json` (what the host asks), `config.json` (the plugin's configuration, optional),
//! `request.json` (what the vendor has to receive), `response.json` with the body file that it names (what the vendor
//! answers), and `outcome.json` (what the host has to get). Further requests of the same call are `request-2.json` with
//! `response-2.json`, and so on. Nothing in it names a host, so the same folder serves a test of the compiled plugin
//! against a server that replays it.
//!
//! Beside the recorded delivery, [`check`] delivers every answer cut and split in every place, because that is where
//! stream decoders are wrong.

use std::cell::Cell;
use std::collections::VecDeque;
use std::fs;
use std::path::{Path, PathBuf};

use polity_sdk::http::Request;
use polity_sdk::model::{Delta, Info, Message, Stopped};
use polity_sdk::{Problem, problem};
use serde_json::{Value, json};

use crate::{Body, Provider, Sink, Transport};

/// A recorded exchange.
pub struct Exchange {
    /// The folder's name.
    pub name: String,
    config: String,
    call: Value,
    steps: Vec<Step>,
    outcome: Value,
}

struct Step {
    request: Value,
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

/// How an answer's body arrives.
#[derive(Debug, Clone, Copy)]
enum Delivery {
    Whole,
    SplitAt(usize),
    ByteByByte,
    /// The body ends there.
    CutAt(usize),
    /// The connection breaks there.
    ResetAt(usize),
}

struct Replay<'e> {
    exchange: &'e Exchange,
    delivery: Delivery,
    step: Cell<usize>,
}

struct Replayed {
    status: u16,
    headers: Vec<(String, String)>,
    pieces: VecDeque<Result<Vec<u8>, Problem>>,
}

/// Records the pieces, and wants no more after `limit`.
struct Recorder {
    deltas: Vec<Value>,
    limit: usize,
}

/// Every exchange in a folder of them, by name.
pub fn exchanges(folder: impl AsRef<Path>) -> Vec<Exchange> {
    let entries = fs::read_dir(folder.as_ref()).expect("a folder of exchanges");
    let mut folders: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    folders.sort();
    assert!(
        !folders.is_empty(),
        "no exchange in {}",
        folder.as_ref().display()
    );
    folders
        .iter()
        .map(|folder| Exchange::load(folder))
        .collect()
}

/// Runs an exchange as recorded, and then delivered in every other way.
pub fn check<P: Provider>(exchange: &Exchange) {
    let name = &exchange.name;
    let (recorded, steps) = exchange.run::<P>(Delivery::Whole, usize::MAX);
    assert_eq!(
        recorded, exchange.outcome,
        "{name}: the outcome differs from outcome.json"
    );
    assert_eq!(
        steps,
        exchange.steps.len(),
        "{name}: not every recorded request was made"
    );

    let length = exchange.steps.first().map_or(0, |step| step.body.len());
    for delivery in (0..=length)
        .map(Delivery::SplitAt)
        .chain([Delivery::ByteByByte])
    {
        let (outcome, _) = exchange.run::<P>(delivery, usize::MAX);
        assert_eq!(outcome, recorded, "{name}: delivered {delivery:?}");
    }
    let (Some(deltas), [step]) = (recorded["deltas"].as_array(), &*exchange.steps) else {
        return;
    };
    if step.status != 200 {
        return;
    }
    for delivery in (0..length).flat_map(|at| [Delivery::CutAt(at), Delivery::ResetAt(at)]) {
        let (outcome, _) = exchange.run::<P>(delivery, usize::MAX);
        match outcome["problem"]["code"].as_str() {
            // Complete: only what follows the vendor's end marker may be lost.
            None => {
                assert_eq!(
                    outcome["deltas"], recorded["deltas"],
                    "{name}: a short answer, {delivery:?}"
                );
                assert_eq!(
                    outcome["outcome"]["finish"], recorded["outcome"]["finish"],
                    "{name}: {delivery:?}"
                );
            }
            Some("connection") => {}
            code => assert_eq!(
                code,
                recorded["problem"]["code"].as_str(),
                "{name}: delivered {delivery:?}"
            ),
        }
    }
    for limit in 0..deltas.len() {
        let (outcome, _) = exchange.run::<P>(Delivery::Whole, limit);
        assert_eq!(
            outcome["problem"]["code"], "cancelled",
            "{name}: stopped after {limit} pieces"
        );
        assert_eq!(
            outcome["deltas"].as_array().map(Vec::len),
            Some(limit),
            "{name}"
        );
    }
}

impl Exchange {
    fn load(folder: &Path) -> Self {
        let read = |file: &str| fs::read(folder.join(file)).ok();
        let json = |file: &str| -> Option<Value> {
            let text = read(file)?;
            Some(
                serde_json::from_slice(&text)
                    .unwrap_or_else(|error| panic!("{}/{file}: {error}", folder.display())),
            )
        };
        let mut steps = Vec::new();
        for number in 1.. {
            let suffix = if number == 1 {
                String::new()
            } else {
                format!("-{number}")
            };
            let Some(request) = json(&format!("request{suffix}.json")) else {
                break;
            };
            let response =
                json(&format!("response{suffix}.json")).expect("a response for every request");
            let headers = response["headers"].as_object().into_iter().flatten();
            let text = |value: &Value| value.as_str().expect("a string").to_owned();
            steps.push(Step {
                request,
                status: response["status"]
                    .as_u64()
                    .and_then(|status| status.try_into().ok())
                    .expect("a status"),
                headers: headers
                    .map(|(name, value)| (name.clone(), text(value)))
                    .collect(),
                body: read(&text(&response["body"])).expect("the body that response.json names"),
            });
        }
        Self {
            name: folder
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned(),
            config: json("config.json")
                .map_or_else(|| "{}".to_owned(), |config| config.to_string()),
            call: json("call.json").expect("call.json"),
            steps,
            outcome: json("outcome.json").expect("outcome.json"),
        }
    }

    /// The outcome in the form of `outcome.json`, and how many requests were made.
    fn run<P: Provider>(&self, delivery: Delivery, limit: usize) -> (Value, usize) {
        let provider: P = serde_json::from_str(&self.config).expect("a configuration");
        let transport = Replay {
            exchange: self,
            delivery,
            step: Cell::new(0),
        };
        let mut recorder = Recorder {
            deltas: Vec::new(),
            limit,
        };
        let outcome = if let Some(call) = self.call.get("complete") {
            let mut outcome = match provider.complete(&request(call), &transport, &mut recorder) {
                Ok(outcome) => json!({"outcome": {"finish": outcome.finish, "usage": {
                    "input_tokens": outcome.usage.input_tokens,
                    "output_tokens": outcome.usage.output_tokens,
                    "cached_tokens": outcome.usage.cached_tokens,
                }}}),
                Err(problem) => failed(problem),
            };
            outcome["deltas"] = Value::Array(recorder.deltas);
            outcome
        } else if let Some(call) = self.call.get("embed") {
            let input: Vec<String> = serde_json::from_value(call["input"].clone()).expect("input");
            let model = call["model"].as_str().expect("model");
            match provider.embed(model, &input, &transport) {
                Ok(vectors) => json!({ "vectors": vectors }),
                Err(problem) => failed(problem),
            }
        } else {
            match provider.models(&transport) {
                Ok(models) => json!({ "models": models.iter().map(described).collect::<Vec<_>>() }),
                Err(problem) => failed(problem),
            }
        };
        (outcome, transport.step.get())
    }
}

impl Transport for Replay<'_> {
    type Body = Replayed;

    fn fetch(&self, request: Request) -> Result<Replayed, Problem> {
        let name = &self.exchange.name;
        let number = self.step.get();
        let step = self
            .exchange
            .steps
            .get(number)
            .unwrap_or_else(|| panic!("{name}: an unrecorded request"));
        self.step.set(number + 1);
        let expected = &step.request;
        assert_eq!(request.method, expected["method"], "{name}: method");
        let path = request.url.splitn(4, '/').nth(3).unwrap_or_default();
        assert_eq!(format!("/{path}"), expected["path"], "{name}: path");
        for (header, value) in expected["headers"].as_object().into_iter().flatten() {
            let sent = request
                .headers
                .iter()
                .find(|(key, _)| key == header)
                .map(|(_, value)| value.as_str());
            assert_eq!(sent, value.as_str(), "{name}: header {header}");
        }
        let body: Value = match &*request.body {
            [] => Value::Null,
            body => serde_json::from_slice(body).expect("a JSON body"),
        };
        assert_eq!(body, expected["body"], "{name}: body");
        Ok(Replayed {
            status: step.status,
            headers: step.headers.clone(),
            pieces: pieces(&step.body, self.delivery),
        })
    }
}

impl Body for Replayed {
    fn status(&self) -> u16 {
        self.status
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.headers.clone()
    }

    fn read(&mut self, max: u32) -> Result<Option<Vec<u8>>, Problem> {
        let max = max as usize;
        match self.pieces.pop_front() {
            Some(Ok(mut piece)) => {
                if piece.len() > max {
                    self.pieces.push_front(Ok(piece.split_off(max)));
                }
                Ok(Some(piece))
            }
            Some(Err(problem)) => Err(problem),
            None => Ok(None),
        }
    }
}

impl Sink for Recorder {
    fn send(&mut self, delta: Delta) -> Result<(), Stopped> {
        if self.deltas.len() == self.limit {
            return Err(Stopped::Cancelled);
        }
        self.deltas.push(match delta {
            Delta::Text(text) => json!({ "text": text }),
            Delta::Thinking(text) => json!({ "thinking": text }),
            Delta::ToolCall(call) => json!({"tool_call": {
                "index": call.index, "id": call.id, "name": call.name, "arguments": call.arguments}}),
        });
        Ok(())
    }
}

fn pieces(body: &[u8], delivery: Delivery) -> VecDeque<Result<Vec<u8>, Problem>> {
    let at = |at: usize| body.split_at(at.min(body.len()));
    match delivery {
        Delivery::Whole => [Ok(body.to_vec())].into(),
        Delivery::SplitAt(place) => [Ok(at(place).0.to_vec()), Ok(at(place).1.to_vec())].into(),
        Delivery::ByteByByte => body.iter().map(|byte| Ok(vec![*byte])).collect(),
        Delivery::CutAt(place) => [Ok(at(place).0.to_vec())].into(),
        Delivery::ResetAt(place) => [
            Ok(at(place).0.to_vec()),
            Err(problem("connection", "the connection was reset")),
        ]
        .into(),
    }
}

/// A request of the contract from `call.json`, where JSON is written as JSON.
fn request(call: &Value) -> polity_sdk::model::Request {
    let messages = call["messages"]
        .as_array()
        .expect("messages")
        .iter()
        .map(|message| {
            let mut content = message.as_object().expect("a message").clone();
            let role = content.remove("role").expect("a role");
            Message {
                role: role.as_str().expect("a role").to_owned(),
                content: Value::Object(content).to_string(),
            }
        });
    let json = |field: &str, default: &str| {
        call.get(field)
            .map_or_else(|| default.to_owned(), Value::to_string)
    };
    polity_sdk::model::Request {
        model: call["model"].as_str().expect("a model").to_owned(),
        messages: messages.collect(),
        tools: json("tools", "[]"),
        response_schema: call.get("response_schema").map(Value::to_string),
        max_output_tokens: call["max_output_tokens"]
            .as_u64()
            .and_then(|limit| limit.try_into().ok()),
        temperature: call["temperature"].as_f64(),
        extra: json("extra", "{}"),
    }
}

fn failed(problem: Problem) -> Value {
    let mut failed = json!({"problem": {"code": problem.code, "detail": problem.detail}});
    if let Some(wait) = problem.retry_after_ms {
        failed["problem"]["retry_after_ms"] = wait.into();
    }
    failed
}

fn described(info: &Info) -> Value {
    json!({
        "id": info.id,
        "context_tokens": info.context_tokens,
        "max_output_tokens": info.max_output_tokens,
        "abilities": info.abilities,
        "input_price": info.input_price,
        "output_price": info.output_price,
        "region": info.region,
        "local": info.local,
    })
}
