//! `POST /v1/embeddings`: vectors of texts.

use axum::extract::{Request, State};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use polity_kernel::{Embedded, EmbeddingRequest, Wants};
use serde::Deserialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::serve::App;
use crate::serve::asker::Asker;
use crate::serve::fault::{Fault, OpenAiError};
use crate::serve::{failure, headers, json, wishes};

/// Texts of which vectors are wanted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EmbeddingBody {
    /// A model's id, alone or behind its plugin's name; an alias of `models.json`; or `auto`.
    #[schema(min_length = 1, max_length = 256, example = "text-embedding-3-small")]
    model: String,
    /// A text, or a list of texts.
    #[schema(example = "Hello")]
    input: Value,
    /// How the numbers are written: `float` or `base64`.
    #[serde(default)]
    #[schema(required = false)]
    encoding_format: Option<String>,
    /// Not taken: vectors have the length that the model gives them.
    #[serde(default)]
    #[schema(value_type = Option<u32>, required = false)]
    dimensions: Option<Value>,
    /// Taken and not used: who asks is known by the token.
    #[serde(default)]
    #[expect(dead_code, reason = "clients send it")]
    #[schema(required = false)]
    user: Option<String>,
    /// What the model must be like; see `polity` of a chat completion.
    #[serde(default)]
    #[schema(value_type = Option<Object>, required = false)]
    polity: Option<Wants>,
}

/// Vectors.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what is written below")]
pub(crate) struct EmbeddingList {
    /// `list`.
    object: String,
    /// One for each text, in their order: `object`, `index`, and `embedding` as numbers or as base64.
    data: Vec<Value>,
    /// The model.
    model: String,
    /// `prompt_tokens` and `total_tokens`, guessed where the provider does not say.
    usage: Value,
}

/// How the numbers are written.
#[derive(Clone, Copy)]
enum Encoding {
    Float,
    /// Little-endian 32-bit numbers.
    Base64,
}

/// Embed texts
///
/// OpenAI's embeddings. To the rules it is `model.complete` with `"embeddings": true` and a message for each text.
#[utoipa::path(
    post,
    path = "/v1/embeddings",
    tag = "openai",
    request_body = EmbeddingBody,
    responses(
        (status = 200, description = "One vector for each text.", body = EmbeddingList, headers(
            ("x-polity-decision-id" = String, description = "The decision that let it happen; `polity explain` tells its story."),
            ("x-polity-model" = String, description = "The model."),
            ("x-polity-why" = String, description = "Why that model."),
            ("x-polity-cost" = String, description = "What it cost, in units of the charter's currency."),
        )),
        (status = 400, description = "The request is not valid, or no model may answer it.", body = OpenAiError),
        (status = 401, description = "Who asks is not known.", body = OpenAiError),
        (status = 403, description = "The permission is missing, a rule denied it, or a person has to decide first.", body = OpenAiError),
        (status = 404, description = "There is no such model.", body = OpenAiError),
        (status = 413, description = "The body is too long.", body = OpenAiError),
        (status = 429, description = "The provider asks to wait, or the budget is spent.", body = OpenAiError),
        (status = 502, description = "The provider or its plugin failed.", body = OpenAiError),
        (status = 503, description = "Too much is in progress, or the host is about to end.", body = OpenAiError),
        (status = 504, description = "There were no vectors in time.", body = OpenAiError),
    ),
)]
pub(crate) async fn create_embeddings(State(app): State<App>, request: Request) -> Response {
    embed(&app, request)
        .await
        .unwrap_or_else(Fault::into_openai)
}

async fn embed(app: &App, request: Request) -> Result<Response, Fault> {
    let Asker {
        actor,
        headers,
        body,
    } = Asker::admit(app, request).await?;
    let body: EmbeddingBody = json::parse(&body)?;
    let (mut asked, encoding) = body.into_request()?;
    asked.deadline = wishes::take(&headers, &mut asked.wants)?;
    asked.trace = wishes::trace(&headers);
    let embedded = app.kernel.embed(&actor, asked).await;
    Ok(respond(&embedded.map_err(failure::fault)?, encoding))
}

impl EmbeddingBody {
    fn into_request(self) -> Result<(EmbeddingRequest, Encoding), Fault> {
        let encoding = match self.encoding_format.as_deref() {
            None | Some("float") => Encoding::Float,
            Some("base64") => Encoding::Base64,
            Some(other) => {
                return Err(Fault::at(
                    "/encoding_format",
                    format!("`{other}` is unknown; use `float` or `base64`"),
                ));
            }
        };
        if self
            .dimensions
            .is_some_and(|dimensions| !dimensions.is_null())
        {
            return Err(Fault::at(
                "/dimensions",
                "vectors have the length that the model gives them; leave `dimensions` out",
            ));
        }
        let input = match self.input {
            Value::String(text) => vec![text],
            Value::Array(texts) => texts
                .into_iter()
                .enumerate()
                .map(|(index, text)| match text {
                    Value::String(text) => Ok(text),
                    _ => Err(not_text(&format!("/input/{index}"))),
                })
                .collect::<Result<_, _>>()?,
            _ => return Err(not_text("/input")),
        };
        let request = EmbeddingRequest {
            model: self.model,
            input,
            wants: self.polity,
            deadline: None,
            trace: None,
        };
        Ok((request, encoding))
    }
}

fn not_text(pointer: &str) -> Fault {
    Fault::at(
        pointer,
        "texts are embedded here, and no lists of tokens: every model has tokens of its own; send the text",
    )
}

fn respond(embedded: &Embedded, encoding: Encoding) -> Response {
    let data: Vec<Value> = embedded
        .vectors
        .iter()
        .enumerate()
        .map(|(index, vector)| {
            json!({"object": "embedding", "index": index, "embedding": written(vector, encoding)})
        })
        .collect();
    let tokens = embedded.input_tokens;
    let body = json!({
        "object": "list",
        "data": data,
        "model": &*embedded.model,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    });
    let mut response = Response::new(body.to_string().into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers::set_decision(headers, embedded.decision_id);
    if let Ok(model) = HeaderValue::from_str(&embedded.model) {
        headers.insert(headers::MODEL, model);
    }
    headers::set_why(headers, embedded.why.as_deref());
    headers.insert(headers::COST, headers::cost(embedded.cost_micro));
    response
}

fn written(vector: &[f32], encoding: Encoding) -> Value {
    match encoding {
        Encoding::Float => json!(vector),
        Encoding::Base64 => {
            let bytes: Vec<u8> = vector
                .iter()
                .flat_map(|number| number.to_le_bytes())
                .collect();
            STANDARD.encode(bytes).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<EmbeddingRequest, String> {
        json::parse::<EmbeddingBody>(body.to_string().as_bytes())
            .and_then(EmbeddingBody::into_request)
            .map(|(request, _)| request)
            .map_err(|fault| fault.detail().to_owned())
    }

    #[test]
    fn a_text_and_a_list_of_texts_are_taken() {
        let one = read(json!({"model": "m", "input": "a"})).unwrap();
        assert_eq!(one.input, ["a"]);
        let two = read(json!({"model": "m", "input": ["a", "b"], "user": "x"})).unwrap();
        assert_eq!(two.input, ["a", "b"]);
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        for (body, place) in [
            (json!({"model": "m"}), "missing field `input`"),
            (json!({"model": "m", "input": 7}), "/input:"),
            (json!({"model": "m", "input": ["a", [1, 2]]}), "/input/1:"),
            (
                json!({"model": "m", "input": "a", "dimensions": 8}),
                "/dimensions:",
            ),
            (
                json!({"model": "m", "input": "a", "encoding_format": "hex"}),
                "/encoding_format:",
            ),
            (json!({"model": 7, "input": "a"}), "/model:"),
            (json!({"modle": "m", "input": "a"}), "did you mean `model`"),
        ] {
            let told = read(body.clone()).unwrap_err();
            assert!(told.contains(place), "{body}: {told}");
        }
    }

    #[test]
    fn base64_holds_the_same_numbers() {
        let written = written(&[1.0, -0.5], Encoding::Base64);
        let bytes = STANDARD.decode(written.as_str().unwrap()).unwrap();
        assert_eq!(bytes, [0, 0, 128, 63, 0, 0, 0, 191]);
    }
}
