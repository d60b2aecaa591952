//! Completions: asking a model, under the rules and within the budget.
//!
//! `request` is what is asked, `price` what it may cost, `run` the way from the one to the other, `running` a completion
//! that has been paid for and not ended yet, `stream` an answer on its way. Which model answers is chosen in `models`; who is
//! asked again or instead when it fails is decided in `flight`, and `others` has the rules speak on whoever that is.
//! Several models that answer together are in `together`, and what an answer says of all that is `about`.

mod about;
mod answer;
mod cache;
mod embed;
mod error;
mod flight;
mod message;
mod others;
mod outcome;
mod price;
mod race;
mod request;
mod run;
mod running;
mod stream;
mod telemetry;
mod together;
mod trace;

pub use about::{
    About, Cached, CascadeAccount, CouncilAccount, MemberAccount, Together, TryAccount, ViewAccount,
};
pub use answer::{Answer, Completed};
pub use embed::{Embedded, EmbeddingRequest};
pub use error::CompleteError;
pub use message::Message;
pub use outcome::{Claim, CompletionRecord, CompletionStatus, Failure};
pub use request::CompletionRequest;
pub(crate) use run::KIND;
pub use stream::{AnswerStream, Piece};
pub use trace::{CompletionEnded, CompletionWatch, NoTraceParent, TraceParent};

/// Stands in the place of an adapter's name where several models answered together.
pub(crate) const PARTY: &str = "polity";
