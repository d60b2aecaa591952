//! What Anthropic's objects look like, for the API's document.

use serde_json::Value;
use utoipa::ToSchema;

/// A message to be made. Further parameters of the vendor's API are handed to the model's adapter.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct MessageBody {
    /// A model's id, alone or behind its plugin's name; an alias, council or cascade of `models.json`; or `auto`.
    #[schema(min_length = 1, max_length = 256, example = "auto")]
    model: String,
    /// The longest answer wanted, in tokens.
    #[schema(minimum = 1, example = 256)]
    max_tokens: u32,
    /// The conversation, oldest first.
    #[schema(min_items = 1)]
    messages: Vec<MessageTurn>,
    /// What the system says: a text or text blocks.
    system: Option<Value>,
    /// Whether the answer is streamed.
    stream: Option<bool>,
    /// From 0.
    #[schema(minimum = 0)]
    temperature: Option<f64>,
    /// Texts at which the answer ends.
    stop_sequences: Option<Vec<String>>,
    /// Tools that the model may ask to call: `name`, `description`, `input_schema`.
    tools: Option<Vec<MessageTool>>,
    /// `{"type": "auto"}`, `any`, `none`, or `tool` with a `name`.
    #[schema(value_type = Option<Object>)]
    tool_choice: Option<Value>,
    /// `{"format": {"type": "json_schema", "schema": {…}}}`.
    #[schema(value_type = Option<Object>)]
    output_config: Option<Value>,
    /// What else the answer must be like; see `polity` of a chat completion.
    #[schema(value_type = Option<Object>)]
    polity: Option<Value>,
}

/// A message whose tokens are to be estimated. Whatever else a request for a message may hold may stand here, too.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct CountBody {
    /// A model's id, alone or behind its plugin's name; an alias, council or cascade of `models.json`; or `auto`.
    #[schema(min_length = 1, max_length = 256, example = "auto")]
    model: String,
    /// The conversation, oldest first.
    #[schema(min_items = 1)]
    messages: Vec<MessageTurn>,
    /// What the system says: a text or text blocks.
    system: Option<Value>,
    /// Tools that the model may ask to call: `name`, `description`, `input_schema`.
    tools: Option<Vec<MessageTool>>,
}

/// One turn.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct MessageTurn {
    /// `user` or `assistant`.
    #[schema(pattern = "^(user|assistant)$", example = "user")]
    role: String,
    /// A text, or a list of blocks.
    #[schema(example = "Hello")]
    content: Value,
}

/// A tool.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct MessageTool {
    /// What the model calls it.
    #[schema(min_length = 1, example = "look_up")]
    name: String,
    /// What it does, for the model.
    description: Option<String>,
    /// A JSON Schema of its input.
    #[schema(value_type = Object)]
    input_schema: Value,
}

/// A message.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `whole` writes")]
pub(crate) struct MessageObject {
    /// `msg_` and the decision's id.
    id: String,
    /// `message`.
    r#type: String,
    /// `assistant`.
    role: String,
    /// The model that answered.
    model: String,
    /// Blocks: `text`, `thinking`, `tool_use`.
    content: Vec<Value>,
    /// `end_turn`, `max_tokens`, `tool_use` or `refusal`.
    stop_reason: String,
    /// Always null.
    stop_sequence: Option<String>,
    /// `input_tokens`, `output_tokens`, `cache_creation_input_tokens`, `cache_read_input_tokens`.
    usage: Value,
}
