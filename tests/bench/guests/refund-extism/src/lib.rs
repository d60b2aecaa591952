//! The decision under test as an Extism plugin: refunds of up to 500 EUR are allowed.

use extism_pdk::{FnResult, plugin_fn};
use serde::Deserialize;

#[derive(Deserialize)]
struct Refund<'a> {
    amount: u64,
    currency: &'a str,
}

#[plugin_fn]
pub fn evaluate(input: String) -> FnResult<String> {
    let refund: Refund = serde_json::from_str(&input)?;
    let allowed = refund.currency == "EUR" && refund.amount <= 500;
    Ok(if allowed { "allow" } else { "deny" }.to_owned())
}
