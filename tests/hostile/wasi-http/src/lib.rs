//! A model adapter that reaches for the network through `wasi:http`, as a guest does whose HTTP library speaks it. It
//! answers with the status and body, or with the error.

use polity_sdk::model::{Delta, Info, Model, Outcome, Problem, Request, Usage, send};
use serde_json::Value;

struct WasiHttpAdapter;

impl Model for WasiHttpAdapter {
    fn models() -> Result<Vec<Info>, Problem> {
        Ok(vec![Info {
            id: "wasi-http".into(),
            context_tokens: 0,
            max_output_tokens: 0,
            abilities: vec!["chat".into()],
            input_price: 0,
            output_price: 0,
            region: None,
            local: true,
        }])
    }

    fn complete(request: Request) -> Result<Outcome, Problem> {
        let last = request
            .messages
            .last()
            .map(|message| message.content.as_str())
            .unwrap_or("{}");
        let message: Value = serde_json::from_str(last).unwrap_or_default();
        let answer = get(message["content"].as_str().unwrap_or_default());
        send(&Delta::Text(answer))
            .map_err(|_| polity_sdk::problem("cancelled", "the caller has gone"))?;
        Ok(Outcome {
            finish: "stop".into(),
            usage: Usage {
                input_tokens: 0,
                output_tokens: 0,
                cached_tokens: 0,
            },
        })
    }
}

#[cfg(target_os = "wasi")]
fn get(url: &str) -> String {
    use wasip2::http::outgoing_handler::handle;
    use wasip2::http::types::{Fields, OutgoingRequest, Scheme};

    let (scheme, rest) = match url.split_once("://") {
        Some(("https", rest)) => (Scheme::Https, rest),
        Some((_, rest)) => (Scheme::Http, rest),
        None => return "not a URL".to_owned(),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let request = OutgoingRequest::new(Fields::new());
    let built = request
        .set_scheme(Some(&scheme))
        .and_then(|()| request.set_authority(Some(authority)))
        .and_then(|()| request.set_path_with_query(Some(path)));
    if built.is_err() {
        return "not a URL".to_owned();
    }
    let answer = handle(request, None).and_then(|future| {
        future.subscribe().block();
        match future.get() {
            Some(Ok(answer)) => answer,
            _ => unreachable!("the future is ready and read once"),
        }
    });
    match answer {
        Err(error) => format!("error: {error:?}"),
        Ok(response) => {
            let mut text = String::new();
            if let Ok(body) = response.consume()
                && let Ok(stream) = body.stream()
            {
                while let Ok(piece) = stream.blocking_read(65_536) {
                    text.push_str(&String::from_utf8_lossy(&piece));
                }
            }
            format!("{} {text}", response.status())
        }
    }
}

#[cfg(not(target_os = "wasi"))]
fn get(_url: &str) -> String {
    unreachable!("this guest is built for WASI")
}

polity_sdk::export_model!(WasiHttpAdapter);
polity_sdk::manifest!("polity.json");
