//! A model adapter that misbehaves by the name of the model it is asked for. The one called `echo` answers with a marker
//! that tests patch to make a second version of it.

use std::hint::black_box;

use polity_sdk::http::{Request as HttpRequest, fetch, read_to_end};
use polity_sdk::model::{Delta, Info, Model, Outcome, Problem, Request, Usage, send};
use serde_json::Value;

/// What `echo` answers. Tests replace the text, of the same length, in the compiled file.
static MARKER: &str = "the first version";

const MODELS: [&str; 9] = [
    "echo",
    "trap",
    "loop",
    "memory",
    "fetch",
    "fetch-and-tell",
    "drip",
    "flood",
    "wait",
];

struct HostileAdapter;

impl Model for HostileAdapter {
    fn models() -> Result<Vec<Info>, Problem> {
        let config: Value = polity_sdk::config().unwrap_or_default();
        match config["describe"].as_str() {
            Some("trap") => panic!("on purpose"),
            Some("problem") => return Err(polity_sdk::problem("connection", "nobody there")),
            _ => {}
        }
        Ok(MODELS.iter().map(|id| info(id)).collect())
    }

    fn complete(request: Request) -> Result<Outcome, Problem> {
        let prompt = prompt(&request);
        match request.model.trim_start_matches("hostile-") {
            "trap" => panic!("on purpose"),
            "loop" => spin(),
            "memory" => hoard(),
            // Fetches the URL in the prompt; with `header: value` lines after the first, as headers.
            "fetch" => say(&fetch_text(&prompt)?),
            "fetch-and-tell" => {
                let body = fetch_text(&prompt)?;
                polity_sdk::log::warn(&body);
                say(&body);
                return Err(polity_sdk::problem("failed", body));
            }
            "drip" => {
                for n in 0..50 {
                    if send(&Delta::Text(format!("{n} "))).is_err() {
                        return Err(polity_sdk::problem("cancelled", "the caller has gone"));
                    }
                }
            }
            "flood" => {
                let block = "x".repeat(1 << 20);
                while send(&Delta::Text(block.clone())).is_ok() {}
            }
            // The peer decides for how long.
            "wait" => drop(fetch_text(&prompt)?),
            _ => say(black_box(MARKER)),
        }
        Ok(Outcome {
            finish: "stop".into(),
            usage: Usage {
                input_tokens: 1,
                output_tokens: 1,
                cached_tokens: 0,
            },
        })
    }

    fn embed(_model: String, _input: Vec<String>) -> Result<Vec<Vec<f32>>, Problem> {
        panic!("on purpose")
    }
}

fn info(id: &str) -> Info {
    Info {
        id: format!("hostile-{id}"),
        context_tokens: 0,
        max_output_tokens: 0,
        abilities: vec!["chat".into()],
        input_price: 0,
        output_price: 0,
        region: None,
        local: true,
    }
}

fn prompt(request: &Request) -> String {
    let last = request
        .messages
        .last()
        .map(|message| message.content.as_str())
        .unwrap_or("{}");
    let message: Value = serde_json::from_str(last).unwrap_or_default();
    message["content"].as_str().unwrap_or_default().to_owned()
}

fn fetch_text(prompt: &str) -> Result<String, Problem> {
    let mut lines = prompt.lines();
    let url = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let response = fetch(&HttpRequest {
        method: "GET".into(),
        url,
        headers,
        body: Vec::new(),
        timeout_ms: None,
    })?;
    let body = read_to_end(&response)?;
    Ok(format!(
        "{} {:?} {}",
        response.status(),
        response.headers(),
        String::from_utf8_lossy(&body)
    ))
}

fn say(text: &str) {
    // Whoever does not listen does not get an answer.
    let _ = send(&Delta::Text(text.to_owned()));
}

fn spin() -> ! {
    loop {
        black_box(0);
    }
}

fn hoard() -> ! {
    let mut hoard: Vec<Vec<u8>> = Vec::new();
    loop {
        hoard.push(black_box(vec![1; 1 << 20]));
    }
}

polity_sdk::export_model!(HostileAdapter);
polity_sdk::manifest!("polity.json");
