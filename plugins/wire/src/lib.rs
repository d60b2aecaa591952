//! What the model adapters share.
//!
//! An adapter translates between the contract (`wit/model.wit`) and one vendor's wire format. Everything that is the
//! same for every vendor is here: reading server-sent events and newline-delimited JSON with little copying, sorting
//! errors into the classes that the host acts on, the OpenAI-style messages of the contract, and the list of models
//! with their prices. The host is behind two small traits ([`Transport`] and [`Sink`]), so the translation is tested
//! natively against recorded exchanges.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod card;
mod endpoint;
mod failure;
mod fields;
mod image;
mod lines;
mod message;
mod provider;
#[cfg(feature = "replay")]
pub mod replay;
mod reply;
mod scalar;
mod seam;
mod speech;
mod sse;
mod transport;
mod vectors;

pub use card::{Card, Cards};
pub use endpoint::{Endpoint, is_loopback, served_by};
pub use failure::{Class, Failure};
pub use fields::Fields;
pub use image::Image;
pub use lines::{Line, Lines};
pub use message::{Call, Content, Function, ImageUrl, Part, Turn, turn};
pub use provider::{Hosted, Provider, arguments, tools};
pub use reply::Reply;
pub use scalar::{Count, Text};
pub use seam::{Fragment, Seam};
pub use speech::Speech;
pub use sse::{Event, Events};
pub use transport::{Body, Host, Sink, Transport, forward};
pub use vectors::check as check_vectors;

use polity_sdk::{Problem, problem};

/// A problem `invalid`: the request, or the configuration, cannot be expressed in the vendor's format.
pub fn invalid(detail: impl Into<String>) -> Problem {
    problem("invalid", detail)
}

/// A problem `connection`: the answer ended before the vendor said that it was complete.
pub fn broken_off(provider: &str) -> Problem {
    problem(
        "connection",
        format!("{provider}'s stream ended before the answer was complete"),
    )
}

/// Parses a piece of a stream. What fails to parse because the stream was cut inside it is a problem `connection`;
/// what fails although it is whole is a problem `failed`.
pub fn parse_piece<'a, T: serde::Deserialize<'a>>(
    provider: &str,
    piece: &'a [u8],
    cut: bool,
) -> Result<T, Problem> {
    serde_json::from_slice(piece).map_err(|error| {
        if cut {
            broken_off(provider)
        } else {
            problem(
                "failed",
                format!("{provider} sent what is not its documented format: {error}"),
            )
        }
    })
}
