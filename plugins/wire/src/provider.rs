//! The shape of an adapter, and the glue that runs one inside a host.

use std::marker::PhantomData;

use polity_sdk::Problem;
use polity_sdk::model::{Info, Model, Outcome, Request};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{Host, Sink, Transport, invalid};

/// A vendor's settings, and what can be done with them. The settings are the plugin's configuration.
pub trait Provider: DeserializeOwned {
    /// The models that can be used now.
    fn models(&self, transport: &impl Transport) -> Result<Vec<Info>, Problem>;

    /// Answers one request, piece by piece.
    fn complete(
        &self,
        request: &Request,
        transport: &impl Transport,
        sink: &mut impl Sink,
    ) -> Result<Outcome, Problem>;

    /// One vector per input.
    fn embed(
        &self,
        model: &str,
        input: &[String],
        transport: &impl Transport,
    ) -> Result<Vec<Vec<f32>>, Problem>;
}

/// Runs a [`Provider`] inside the host: `polity_sdk::export_model!(polity_wire::Hosted<OpenAi>)`.
pub struct Hosted<P>(PhantomData<P>);

/// The request's tools, each an OpenAI-style JSON object; empty for none.
pub fn tools(request: &Request) -> Result<Vec<&RawValue>, Problem> {
    if request.tools.is_empty() {
        return Ok(Vec::new());
    }
    serde_json::from_str(&request.tools)
        .map_err(|error| invalid(format!("tools is not a JSON array: {error}")))
}

/// The arguments of an earlier tool call as JSON. The contract carries them as text, and some models wrote nothing
/// for "no arguments"; vendors other than OpenAI want an object.
pub fn arguments(name: &str, text: &str) -> Result<Box<RawValue>, Problem> {
    let text = text.trim();
    let text = if text.is_empty() { "{}" } else { text };
    match RawValue::from_string(text.to_owned()) {
        Ok(raw) if raw.get().starts_with('{') => Ok(raw),
        _ => Err(invalid(format!(
            "the arguments of the earlier call of '{name}' are not a JSON object"
        ))),
    }
}

impl<P: Provider> Model for Hosted<P> {
    fn models() -> Result<Vec<Info>, Problem> {
        polity_sdk::config::<P>()?.models(&Host)
    }

    fn complete(request: Request) -> Result<Outcome, Problem> {
        polity_sdk::config::<P>()?.complete(&request, &Host, &mut Host)
    }

    fn embed(model: String, input: Vec<String>) -> Result<Vec<Vec<f32>>, Problem> {
        if input.is_empty() {
            return Ok(Vec::new());
        }
        polity_sdk::config::<P>()?.embed(&model, &input, &Host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_without_arguments_becomes_an_empty_object() {
        assert_eq!(arguments("ping", " ").unwrap().get(), "{}");
    }

    #[test]
    fn arguments_that_are_not_an_object_are_refused_by_name() {
        for text in ["[1]", "{", "\"x\"", "{} {}"] {
            let problem = arguments("lookup", text).unwrap_err();
            assert_eq!(problem.code, "invalid");
            assert!(problem.detail.contains("'lookup'"), "{}", problem.detail);
        }
    }
}
