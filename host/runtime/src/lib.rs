//! Loads, sandboxes, meters and swaps WebAssembly components; knows nothing of business.
//!
//! Everything a plugin can reach lies between two walls: what [`grant`] allows and what the sandbox limits. One function
//! makes every store, one linker links every import, and one type sends every request, so each wall is in one place.
//!
//! [`registry::Runtime`] watches a folder and publishes generations of [`plugin::Plugin`]s; a plugin is called through
//! typed methods, each call in an instance of its own.

#![deny(unsafe_code)]
#![deny(missing_docs)]

pub mod artifact;
mod bindings;
mod children;
mod compile_cache;
mod compiler;
mod componentize;
mod contract;
pub mod digest;
pub mod egress;
mod engine;
mod exports;
pub mod failure;
pub mod grant;
mod imports;
mod instances;
pub mod manifest;
mod meter;
pub mod plugin;
mod prime;
mod pulse;
mod received;
pub mod refusal;
pub mod registry;
mod sandbox;
pub mod secret;
pub mod signature;
mod standby;
mod stats;
mod world;

pub use bindings::imports::polity::plugin::types::{Problem, Usage};
pub use compiler::{CompileError, CompilerProcess, compile_for_parent};
pub use contract::WIT;
pub use imports::reply::{Delta, Reply, Stopped, ToolCall};
pub use prime::PrimeError;
pub use received::Received;
pub use stats::{Export, ExportStats, StatsSnapshot};
pub use world::{CONTRACT_VERSION, World};
