//! Completions: asking a model, under the rules and within the budget.
//!
//! `request` is what is asked, `price` what it may cost, `run` the way from the one to the other, `running` a completion
//! that has been paid for and not ended yet, `stream` an answer on its way. Which model answers is chosen in `models`; who is
//! asked again or instead when it fails is decided in `flight`, and `others` has the rules speak on whoever that is.

mod answer;
mod error;
mod flight;
mod message;
mod others;
mod outcome;
mod price;
mod request;
mod run;
mod running;
mod stream;

pub use answer::{Answer, Completed};
pub use error::CompleteError;
pub use message::Message;
pub use outcome::{CompletionRecord, CompletionStatus, Failure};
pub use request::CompletionRequest;
pub(crate) use run::KIND;
pub use stream::{AnswerStream, Piece};
