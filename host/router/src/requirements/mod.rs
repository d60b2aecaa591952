//! What a request needs: what the caller says, and what its text shows. No model is called to find out.
//!
//! Everything is found in a bounded part of the text but for personal data, which may stand anywhere: it is looked for
//! in the first mebibyte, and a longer text that shows none is treated as if it had some.

mod language;
mod lexicon;
mod personal;
mod task;
mod tokens;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use personal::{Found, PersonalData};
pub use tokens::estimate_tokens;

use crate::catalogue::{Abilities, Ability};
use crate::policy::Policy;
use crate::request::{Request, Role, Wants};

/// What a request needs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Requirements {
    /// The model it names, as it names it.
    pub asked: Arc<str>,
    /// What the model must be able to do.
    pub abilities: Abilities,
    /// Tokens of the prompt, estimated.
    pub input_tokens: u64,
    /// The longest answer that is wanted, if the caller says.
    pub max_output_tokens: Option<u32>,
    /// What kind of request it is.
    pub task: Arc<str>,
    /// How that is known.
    pub task_from: TaskFrom,
    /// ISO 639-1 code of its language, where it shows.
    pub language: Option<Arc<str>>,
    /// Whether it holds program code.
    pub code: bool,
    /// Whether it holds personal data.
    pub personal: PersonalData,
    /// What the caller says.
    pub wants: Wants,
}

/// How a task is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TaskFrom {
    /// The caller says so.
    Caller,
    /// The predictor was trained on tasks and is this sure.
    Predictor(f64),
    /// Words of the request.
    Words,
}

/// The text that says what is wanted: the last of the user's.
pub(crate) fn question<'a>(request: &Request<'a>) -> &'a str {
    let last = |role| {
        request
            .texts
            .iter()
            .rev()
            .find(move |text| text.role == role)
    };
    let text = last(Role::User).or(request.texts.last());
    text.map_or("", |text| text.text)
}

impl Requirements {
    /// Reads a request. `predicted` is the predictor's task, if it is sure enough.
    pub(crate) fn of(
        request: &Request<'_>,
        policy: &Policy,
        predicted: Option<(&Arc<str>, f64)>,
    ) -> Self {
        let wants = request.wants.cloned().unwrap_or_default();
        let question = question(request);
        let signs = task::Signs::of(question);
        let (task, task_from) = match (&wants.task, predicted) {
            (Some(task), _) => (task.as_str().into(), TaskFrom::Caller),
            (None, Some((task, share))) => (task.clone(), TaskFrom::Predictor(share)),
            (None, None) => (signs.task().into(), TaskFrom::Words),
        };
        let mut abilities = Abilities::default();
        let mut need = |needed: bool, ability| {
            if needed {
                abilities = abilities.with(ability);
            }
        };
        need(request.embeddings, Ability::Embeddings);
        need(!request.embeddings, Ability::Chat);
        need(request.tools > 0, Ability::Tools);
        need(request.images > 0, Ability::Vision);
        need(request.json_schema, Ability::JsonSchema);
        need(request.stream && !request.embeddings, Ability::Streaming);
        Self {
            asked: request.model.into(),
            abilities,
            input_tokens: tokens::of(request),
            max_output_tokens: request.max_output_tokens,
            task,
            task_from,
            language: language::of(question).map(Into::into),
            code: signs.code(),
            personal: match policy.personal_data {
                // Nobody will ask, and looking costs a pass over the whole conversation.
                crate::policy::PersonalData::Anywhere => PersonalData::NotLooked,
                crate::policy::PersonalData::LocalOnly => personal::look(request.texts),
            },
            wants,
        }
    }
}
