//! What the objects of responses look like, for the API's document.

use serde_json::Value;
use utoipa::ToSchema;

/// A response to be made. Further parameters of OpenAI's API are handed to the model's adapter.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct ResponseBody {
    /// A model's id, alone or behind its plugin's name; an alias, council or cascade of `models.json`; or `auto`.
    #[schema(min_length = 1, max_length = 256, example = "auto")]
    model: String,
    /// A text, or the whole conversation as items.
    #[schema(example = "Hello")]
    input: Value,
    /// What the system says.
    instructions: Option<String>,
    /// The longest answer wanted, in tokens.
    #[schema(minimum = 1)]
    max_output_tokens: Option<u32>,
    /// From 0.
    #[schema(minimum = 0)]
    temperature: Option<f64>,
    /// Whether the answer is streamed.
    stream: Option<bool>,
    /// Functions that the model may ask to call.
    tools: Option<Vec<ResponseTool>>,
    /// `auto`, `none`, `required`, or `{"type": "function", "name": …}`.
    tool_choice: Option<Value>,
    /// `{"format": {"type": "json_schema", "schema": {…}}}`.
    #[schema(value_type = Option<Object>)]
    text: Option<Value>,
    /// What else the answer must be like; see `polity` of a chat completion.
    #[schema(value_type = Option<Object>)]
    polity: Option<Value>,
}

/// A function.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct ResponseTool {
    /// `function`.
    #[schema(pattern = "^function$", example = "function")]
    r#type: String,
    /// What the model calls it.
    #[schema(min_length = 1, example = "look_up")]
    name: String,
    /// What it does, for the model.
    description: Option<String>,
    /// A JSON Schema of its arguments.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
}

/// A response.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `object` writes")]
pub(crate) struct ResponseObject {
    /// `resp_` and the decision's id.
    id: String,
    /// `response`.
    object: String,
    /// Seconds since the epoch.
    created_at: u64,
    /// `completed` or `incomplete`.
    status: String,
    /// The model that answered.
    model: String,
    /// Items: `reasoning`, `message`, `function_call`.
    output: Vec<Value>,
    /// Tokens.
    usage: Value,
}
