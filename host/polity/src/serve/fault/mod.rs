//! Why a request was not done, told in the shape its caller understands.
//!
//! There is one catalogue of faults and two ways to write one: RFC 9457 problems under `/api`, OpenAI's error object
//! under `/v1`. A fault's code is stable; its sentence is not.

mod anthropic;
mod kind;
mod shape;

use std::borrow::Cow;
use std::time::Duration;

use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) use anthropic::AnthropicError;
pub(crate) use kind::Kind;
pub(crate) use shape::{OpenAiError, Pointed, Problem};

/// A request that was not done.
#[derive(Debug)]
pub(crate) struct Fault {
    kind: Kind,
    detail: Cow<'static, str>,
    more: Option<Box<More>>,
}

/// What few faults have.
#[derive(Debug, Default)]
struct More {
    errors: Vec<Pointed>,
    decision: Option<Uuid>,
    extensions: Vec<(&'static str, Value)>,
    retry_after: Option<Duration>,
}

impl Fault {
    pub(crate) fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            more: None,
        }
    }

    /// What is wrong at one place of the body.
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        let pointed = Pointed {
            pointer: pointer.into(),
            detail: detail.into(),
        };
        let sentence = match pointed.pointer.as_str() {
            "" => pointed.detail.clone(),
            pointer => format!("{pointer}: {}", pointed.detail),
        };
        let mut fault = Self::new(Kind::Invalid, sentence);
        fault.more().errors.push(pointed);
        fault
    }

    /// Names the place of the body that is at fault.
    #[must_use]
    pub(crate) fn pointing(mut self, pointer: &str) -> Self {
        let detail = self.detail.clone().into_owned();
        self.more().errors.push(Pointed {
            pointer: pointer.to_owned(),
            detail,
        });
        self
    }

    /// A failure of our own: the cause goes to the log as well.
    pub(crate) fn internal(cause: impl std::fmt::Display) -> Self {
        tracing::error!(%cause, "a request failed");
        Self::new(Kind::Internal, format!("{cause}"))
    }

    /// The same kind of fault in other words.
    #[must_use]
    pub(crate) fn saying(mut self, detail: String) -> Self {
        self.detail = detail.into();
        self
    }

    #[must_use]
    pub(crate) fn decided_by(mut self, decision: Uuid) -> Self {
        self.more().decision = Some(decision);
        self
    }

    #[must_use]
    pub(crate) fn with(mut self, member: &'static str, value: impl Serialize) -> Self {
        self.more().extensions.push((member, json!(value)));
        self
    }

    #[must_use]
    pub(crate) fn retry_after(mut self, wait: Duration) -> Self {
        self.more().retry_after = Some(wait);
        self
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }
}
