//! Which model answers a request, and why.
//!
//! A company has many models: dear and cheap, near and far, good at this and bad at that. The router reads a request,
//! sees who *may* answer it, weighs who *should*, and says so with every figure. It calls nobody and keeps no clock: it
//! is told the catalogue, the request, what is available, the time and a seed, and the same of all these gives the same
//! decision. That is how a decision of last month can be checked today.
//!
//! # Promises
//!
//! - A hard constraint is never traded for a score. Every candidate that may not answer carries every constraint that it
//!   breaks, with the figures ([`Reason`]).
//! - Deciding calls no model and takes microseconds; a prompt of a hundred megabytes takes no longer than one of a few.
//! - What chance decides, it decides from the seed, and the probability of what was chosen is kept ([`Outcome`]).
//! - What is unlike everything known goes to a person, with the router's best guess ([`GateFinding`]); of known kinds no
//!   more than a set share does.
//! - Learning forgets. It is bounded in memory, can be watched before it acts ([`Mode`]), and is kept as lessons that
//!   make the same state again ([`Lesson`], [`State`]).
//!
//! ```
//! use polity_router::{Catalogue, Live, Overlay, Policy, Reported, Request, Role, Router, Text};
//!
//! let reported = ["small", "large"].map(|id| Reported {
//!     plugin: "openai".into(),
//!     id: id.into(),
//!     abilities: vec!["chat".into()],
//!     ..Reported::default()
//! });
//! let overlay = Overlay::parse(
//!     r#"{"models": {
//!         "small": {"price": {"input": 100000, "output": 400000}, "quality": {"*": 0.7}},
//!         "large": {"price": {"input": 3000000, "output": 15000000}, "quality": {"*": 0.75, "code": 0.95}}
//!     }}"#,
//! )
//! .unwrap();
//! let router = Router::new(Catalogue::new(reported.into(), &overlay), Policy::default()).unwrap();
//!
//! let ask = |text| {
//!     let texts = [Text { role: Role::User, text }];
//!     let request = Request { model: "auto", texts: &texts, ..Request::default() };
//!     router.decide(&request, &Live::all_available(), 1_700_000_000_000, 42).unwrap()
//! };
//! assert_eq!(&**ask("Good morning!").model().unwrap(), "openai/small");
//! assert_eq!(&**ask("Debug this function: fn f() { loop {} }").model().unwrap(), "openai/large");
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod catalogue;
mod decide;
mod decision;
mod eligibility;
mod exp;
mod learning;
mod live;
mod money;
mod near;
mod policy;
mod predictor;
mod reason;
mod request;
mod requirements;
mod router;
mod text;
mod thompson;

pub use catalogue::{
    AUTO, Abilities, Ability, COUNCIL, CacheSharing, CacheSpec, CascadeSpec, CascadeStepSpec,
    Catalogue, CheckSpec, Comparing, CouncilSpec, Deciding, Latency, MODELS_SCHEMA, Model,
    ModelOverlay, NeverFor, Notice, Otherwise, Overlay, OverlayProblem, OverlayProblems, Price,
    Reported, Resolved, UncheckedSpec, UnknownModel,
};
pub use decision::{BaseFrom, Candidate, Decision, GateFinding, Outcome, Quality};
pub use learning::{
    CellState, Exemplar, Feedback, Lesson, Nearest, STATE_VERSION, Settled, State, StateError,
};
pub use live::{Live, Standing};
pub use policy::{
    Exploration, Gate, Learning, Mode, PersonalData as PersonalDataPolicy, Policy, PolicyError,
};
pub use predictor::{
    PREDICTOR_VERSION, Prediction, Predictor, PredictorError, Report, Row, RowError, TrainError,
    read_rows, train,
};
pub use reason::Reason;
pub use request::{Request, Role, Text, Wants, WantsError};
pub use requirements::{Found, PersonalData, Requirements, TaskFrom, estimate_tokens};
pub use router::{DecideError, Router};
