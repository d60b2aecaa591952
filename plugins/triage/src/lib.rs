//! A text classifier as a model: the last user message goes in, its label and a calibrated confidence come out.
//!
//! Most requests a company gets need no large model to be sorted, only a fast and predictable one that says when it
//! does not know. This one is a linear model over hashed pieces of words. Its weights lie in the plugin's data segment
//! and are used where they lie, because a fresh instance serves every call and must not spend time on starting up.
//!
//! Training ([`training`]) and inference share [`features`] and [`classifier`], and use only operations that every
//! platform rounds alike, so the committed `weights.bin` can be reproduced bit for bit and a host that runs the plugin
//! sees the numbers that the README claims.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod answer;
pub mod classifier;
pub mod exponential;
pub mod features;
pub mod prompt;
pub mod schema;
#[cfg(not(target_family = "wasm"))]
pub mod training;
pub mod weights;

use polity_sdk::model::{Delta, Info, Model, Outcome, Request, send};
use polity_sdk::{Problem, Usage, problem};

use crate::weights::Weights;

/// The model's id.
const MODEL: &str = "triage";

/// The trained weights, as `train` wrote them.
pub static WEIGHTS: &[u8] = include_bytes!("../weights.bin");

/// What the plugin exports.
pub struct Triage;

impl Model for Triage {
    fn models() -> Result<Vec<Info>, Problem> {
        Ok(vec![Info {
            id: MODEL.into(),
            // Any length is taken: only the beginning of the last message is read.
            context_tokens: 0,
            max_output_tokens: answer::LONGEST_TOKENS,
            abilities: vec!["classify".into(), "json-schema".into()],
            input_price: 0,
            output_price: 0,
            region: None,
            local: true,
        }])
    }

    fn complete(request: Request) -> Result<Outcome, Problem> {
        let (answer, usage) = reply(&request)?;
        // Whether the caller still listens makes no difference: nothing follows.
        let _ = send(&Delta::Text(answer));
        Ok(Outcome {
            finish: "stop".into(),
            usage,
        })
    }
}

polity_sdk::manifest!("polity.json");
// A native build has nobody to export to, and its linker refuses the contract's names.
polity_sdk::export_model!(Triage);

/// The answer to a request, and what it used.
fn reply(request: &Request) -> Result<(String, Usage), Problem> {
    if request.model != MODEL {
        return Err(problem(
            "not-found",
            format!("there is no model '{}' here, only '{MODEL}'", request.model),
        ));
    }
    let text = prompt::last_user_text(&request.messages)?;
    let weights = Weights::new(WEIGHTS).map_err(|error| problem("failed", error.to_string()))?;
    let verdict = classifier::classify(&weights, &text);
    let answer = match &request.response_schema {
        None => answer::whole(&weights, &verdict),
        Some(schema) => schema::answer(&weights, &verdict, schema)?,
    };
    let usage = Usage {
        input_tokens: answer::tokens(&text).into(),
        output_tokens: answer::tokens(&answer).into(),
        cached_tokens: 0,
    };
    match request.max_output_tokens {
        Some(limit) if u64::from(limit) < usage.output_tokens => Err(problem(
            "invalid",
            format!(
                "the answer takes {} tokens and cannot be shortened; allow that many instead of {limit}",
                usage.output_tokens
            ),
        )),
        _ => Ok((answer, usage)),
    }
}

#[cfg(test)]
mod tests {
    use polity_sdk::model::Message;

    use super::*;

    fn request(text: &str) -> Request {
        Request {
            model: MODEL.into(),
            messages: vec![Message {
                role: "user".into(),
                content: serde_json::json!({ "content": text }).to_string(),
            }],
            tools: "[]".into(),
            response_schema: None,
            max_output_tokens: None,
            temperature: None,
            extra: "{}".into(),
        }
    }

    fn answered(request: &Request) -> serde_json::Value {
        serde_json::from_str(&reply(request).unwrap().0).unwrap()
    }

    #[test]
    fn a_request_for_money_back_is_a_refund() {
        let answer = answered(&request(
            "I was charged twice for my subscription, please pay one of them back.",
        ));
        assert_eq!(answer["label"], "refund");
        assert_eq!(answer["known"], true);
        assert_eq!(answer["alternatives"].as_array().unwrap().len(), 3);
        let confidence = answer["confidence"].as_f64().unwrap();
        assert!((0.5..=1.0).contains(&confidence), "{confidence}");
        assert!(confidence >= answer["alternatives"][0]["confidence"].as_f64().unwrap());
    }

    #[test]
    fn the_readme_shows_what_is_answered() {
        let readme = include_str!("../README.md");
        let question = "The workshop was cancelled, will you send us a new invoice?";
        let (answer, _) = reply(&request(question)).unwrap();
        assert!(readme.contains(question));
        assert!(
            readme.contains(&format!("```json\n{answer}\n```")),
            "{answer}"
        );
    }

    #[test]
    fn a_question_that_no_media_company_gets_is_not_known() {
        assert_eq!(
            answered(&request("How many legs does a lobster have?"))["known"],
            false
        );
    }

    #[test]
    fn another_model_is_not_found() {
        let mut other = request("hello");
        other.model = "triage-large".into();
        assert_eq!(reply(&other).unwrap_err().code, "not-found");
    }

    #[test]
    fn usage_is_a_token_for_every_four_bytes() {
        let (answer, usage) = reply(&request("12345")).unwrap();
        assert_eq!(usage.input_tokens, 2);
        assert_eq!(usage.output_tokens, (answer.len() as u64).div_ceil(4));
    }

    #[test]
    fn an_answer_that_may_not_be_long_enough_is_refused_with_the_length_it_takes() {
        let mut short = request("the site is down");
        let needed = u32::try_from(reply(&short).unwrap().1.output_tokens).unwrap();
        short.max_output_tokens = Some(needed - 1);
        let refusal = reply(&short).unwrap_err();
        assert_eq!(refusal.code, "invalid");
        assert!(
            refusal.detail.contains(&format!("takes {needed} tokens")),
            "{}",
            refusal.detail
        );
        short.max_output_tokens = Some(needed);
        assert!(reply(&short).is_ok());
    }

    #[test]
    fn the_only_model_is_free_and_local() {
        let models = Triage::models().unwrap();
        assert_eq!(models.len(), 1);
        assert_eq!((models[0].input_price, models[0].output_price), (0, 0));
        assert!(models[0].local);
    }

    #[test]
    fn it_does_not_embed() {
        assert_eq!(
            Triage::embed(MODEL.into(), vec![]).unwrap_err().code,
            "not-found"
        );
    }
}
