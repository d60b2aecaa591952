//! A model adapter: a model that repeats what it is told, a word at a time.

use polity_sdk::model::{Delta, Info, Model, Outcome, Problem, Request, Usage, send};

struct Parrot;

impl Model for Parrot {
    fn models() -> Result<Vec<Info>, Problem> {
        Ok(vec![Info {
            id: "parrot".into(),
            context_tokens: 4_096,
            max_output_tokens: 4_096,
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
            .ok_or_else(|| polity_sdk::problem("invalid", "there is nothing to repeat"))?;
        let message: serde_json::Value = polity_sdk::parse(&last.content)?;
        let text = message["content"].as_str().unwrap_or_default();
        let mut words = 0;
        for word in text.split_inclusive(' ') {
            send(&Delta::Text(word.to_owned()))
                .map_err(|_| polity_sdk::problem("cancelled", "the caller has gone"))?;
            words += 1;
        }
        Ok(Outcome {
            finish: "stop".into(),
            usage: Usage {
                input_tokens: words,
                output_tokens: words,
                cached_tokens: 0,
            },
        })
    }
}

polity_sdk::export_model!(Parrot);
