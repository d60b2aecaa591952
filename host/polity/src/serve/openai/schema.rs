//! What OpenAI's objects look like, for the API's document. Answers themselves are written by hand.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A chat completion to be made. Further parameters of OpenAI's API are handed to the model's adapter.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct ChatBody {
    /// A model's id, alone or behind its plugin's name; an alias of `models.json`; or `auto`.
    #[schema(example = "gpt-4o")]
    model: String,
    /// What else the answer must be like: `max_cost` in micro-units, `deadline_ms`, `min_quality` from 0 to 1,
    /// `compliance`, `task`, `region`, `local_only`, `cache`. The `x-polity-*` headers say the same, and the stricter holds.
    #[schema(value_type = Option<Object>)]
    polity: Option<Value>,
    /// The conversation, oldest first.
    #[schema(min_items = 1)]
    messages: Vec<ChatMessage>,
    /// Functions that the model may ask to call.
    tools: Option<Vec<ChatTool>>,
    /// What the answer must look like: `text`, `json_object` or `json_schema`.
    response_format: Option<Value>,
    /// The longest answer wanted, in tokens.
    #[schema(minimum = 1)]
    max_completion_tokens: Option<u32>,
    /// The older name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    max_tokens: Option<u32>,
    /// From 0.
    #[schema(minimum = 0)]
    temperature: Option<f64>,
    /// Whether the answer is streamed.
    stream: Option<bool>,
    /// `{"include_usage": true}` ends a stream with a chunk that says what it used.
    stream_options: Option<Value>,
    /// 1, if it is there at all.
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u32>,
}

/// A function that the model may ask to call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct ChatTool {
    /// `function`; there is no other kind.
    #[schema(pattern = "^function$", example = "function")]
    r#type: String,
    /// What it is called and takes.
    function: ChatFunction,
}

/// A function's name and parameters.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct ChatFunction {
    /// What the model calls it.
    #[schema(min_length = 1, example = "look_up")]
    name: String,
    /// What it does, for the model.
    description: Option<String>,
    /// A JSON Schema of its arguments.
    #[schema(value_type = Option<Object>)]
    parameters: Option<Value>,
}

/// Whose turn it is.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) enum ChatRole {
    /// Instructions of whoever runs the program.
    System,
    /// The newer name of `system`.
    Developer,
    /// The person.
    User,
    /// The model.
    Assistant,
    /// The result of a function that the model asked to call.
    Tool,
}

/// One turn of a conversation.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `request` reads")]
pub(crate) struct ChatMessage {
    /// Whose turn it is.
    #[schema(example = "user")]
    role: ChatRole,
    /// A text, a list of content parts, or null.
    #[schema(example = "Hello")]
    content: Option<Value>,
}

/// An answer.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `whole` writes")]
pub(crate) struct ChatCompletion {
    /// `chatcmpl-` and the decision's id.
    id: String,
    /// `chat.completion`.
    object: String,
    /// Seconds since the epoch.
    created: u64,
    /// The model that answered.
    model: String,
    /// One choice.
    choices: Vec<Choice>,
    /// What it used.
    usage: ChatUsage,
}

/// The answer itself.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `whole` writes")]
pub(crate) struct Choice {
    /// 0.
    index: u32,
    /// `role`, `content`, and where there are any `tool_calls` and `reasoning_content`.
    message: Value,
    /// Always null.
    logprobs: Option<Value>,
    /// `stop`, `length`, `tool_calls` or `content_filter`.
    finish_reason: String,
}

/// Tokens.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what `chunk` writes")]
pub(crate) struct ChatUsage {
    /// Of the prompt.
    prompt_tokens: u64,
    /// Of the answer.
    completion_tokens: u64,
    /// Both.
    total_tokens: u64,
    /// `cached_tokens`: the part of the prompt that came from the provider's cache.
    prompt_tokens_details: Value,
}

/// The models.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelList {
    /// `list`.
    pub(super) object: &'static str,
    /// By id.
    pub(super) data: Vec<Model>,
}

/// A model.
#[derive(Serialize, ToSchema)]
pub(crate) struct Model {
    /// As requests name it.
    pub(super) id: String,
    /// `model`.
    pub(super) object: &'static str,
    /// 0: no provider says when a model came into being.
    pub(super) created: u64,
    /// The plugin that answers for it.
    pub(super) owned_by: String,
    /// What OpenAI's object has no place for.
    pub(super) polity: ModelPolity,
}

/// What is known of a model.
#[derive(Serialize, ToSchema)]
pub(crate) struct ModelPolity {
    /// Longest prompt and answer together, 0 if unknown.
    pub(super) context_tokens: u32,
    /// Longest answer, 0 if unknown.
    pub(super) max_output_tokens: u32,
    /// For example `chat`, `tools`, `vision`, `json-schema`, `embed`.
    pub(super) abilities: Vec<String>,
    /// Micro-units per million prompt tokens, 0 for free or unknown.
    pub(super) input_price: u64,
    /// Micro-units per million answer tokens, 0 for free or unknown.
    pub(super) output_price: u64,
    /// Where prompts are processed, if the provider says.
    pub(super) region: Option<String>,
    /// True when no prompt leaves the company's own machines.
    pub(super) local: bool,
}
