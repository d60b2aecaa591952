//! Write Polity plugins in Rust.
//!
//! A plugin implements one trait and names it in one macro; the rest is the contract in `wit/`, which is also the
//! reference for what each field means. Build with `--target wasm32-unknown-unknown`: no plugin kind needs WASI.
//!
//! ```
//! use polity_sdk::rule::{Action, Problem, Rule, Verdict};
//!
//! struct FourEyes;
//!
//! impl Rule for FourEyes {
//!     fn applies_to() -> Vec<String> {
//!         vec!["payment.*".into()]
//!     }
//!
//!     fn evaluate(action: Action) -> Result<Verdict, Problem> {
//!         let input: serde_json::Value = polity_sdk::parse(&action.input)?;
//!         Ok(match input["approved_by"].as_str() {
//!             Some(approver) if approver != action.actor => Verdict::Allow,
//!             _ => Verdict::Deny("a second person has to approve a payment".into()),
//!         })
//!     }
//! }
//!
//! polity_sdk::export_rule!(FourEyes);
//! ```

mod bindings;
#[cfg(any(test, all(target_arch = "wasm32", feature = "heap")))]
mod blocks;
pub mod connector;
#[cfg(all(target_arch = "wasm32", feature = "heap"))]
mod heap;
pub mod http;
pub mod log;
pub mod model;
pub mod rule;
pub mod strategy;

use serde::Deserialize;
use serde::de::DeserializeOwned;

pub use bindings::polity::plugin::types::{Problem, Usage};

/// Makes a [`Problem`] without a retry time.
pub fn problem(code: &str, detail: impl Into<String>) -> Problem {
    Problem {
        code: code.to_owned(),
        detail: detail.into(),
        retry_after_ms: None,
    }
}

/// Parses JSON text that the host handed over; a failure is a problem `invalid` that says where. What is parsed may
/// borrow from the text.
pub fn parse<'json, T: Deserialize<'json>>(json: &'json str) -> Result<T, Problem> {
    serde_json::from_str(json).map_err(|error| problem("invalid", error.to_string()))
}

/// The plugin's settings. The host has checked them against the manifest's schema, so a failure here means that schema
/// and type disagree; it is a problem `invalid`.
pub fn config<T: DeserializeOwned>() -> Result<T, Problem> {
    parse(&bindings::polity::plugin::config::get())
        .map_err(|error| problem("invalid", format!("configuration: {}", error.detail)))
}

/// Embeds the plugin's manifest, a JSON file beside `Cargo.toml`, as the custom section `polity:manifest`.
///
/// The host reads it before it runs any code: name, version, the capabilities wanted and why, and the schema of the
/// configuration. A plugin without one is loaded under its file's name and wants nothing.
#[macro_export]
macro_rules! manifest {
    ($path:literal) => {
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            const BYTES: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path));
            #[used]
            #[unsafe(link_section = "polity:manifest")]
            static MANIFEST: [u8; BYTES.len()] = {
                let mut copy = [0; BYTES.len()];
                copy.copy_from_slice(BYTES);
                copy
            };
        };
    };
}
