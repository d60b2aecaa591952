//! `polity:plugin/what-if`: what changes of the schema would do, told by whoever holds the records.
//!
//! A question takes the host time that the guest's own meter does not see. So it has a price in fuel, known before it is
//! answered and paid first: a guest that asks for ever ends as one that computes for ever does, at the same question on
//! every machine.

use wasmtime::component::Linker;
use wasmtime::{StoreContextMut, Trap};

pub use crate::bindings::imports::polity::plugin::what_if::{
    Change, Effect, Forecast, Index, Rollup,
};

use crate::bindings::imports::polity::plugin::types::Problem;
use crate::sandbox::Guest;

const INTERFACE: &str = "polity:plugin/what-if@0.1.0";

/// Fuel that any question costs, and each change in it, whatever the answer: reading it is work too.
const QUESTION: u64 = 10_000;

/// Answers the questions of one call. The same question has the same price and the same answer.
pub trait Estimator: Send + Sync {
    /// The fuel that an answer takes.
    fn price(&self, changes: &[Change]) -> u64;

    /// What the changes would do, all of them made.
    ///
    /// # Errors
    /// They are about what is not there, or too many.
    fn estimate(&self, changes: &[Change]) -> Result<Forecast, Problem>;
}

/// Links the one function. The generated linker would hand it the guest's state without the store, whose fuel it burns.
pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    linker.instance(INTERFACE)?.func_wrap(
        "estimate",
        |store: StoreContextMut<'_, Guest>, (changes,): (Vec<Change>,)| {
            Ok((estimate(store, &changes)?,))
        },
    )
}

fn estimate(
    mut store: StoreContextMut<'_, Guest>,
    changes: &[Change],
) -> wasmtime::Result<Result<Forecast, Problem>> {
    let estimator = store.data().what_if.clone();
    let price = estimator.as_ref().map_or(0, |told| told.price(changes));
    let asked = (changes.len() as u64 + 1).saturating_mul(QUESTION);
    let left = store.get_fuel()?.checked_sub(price.saturating_add(asked));
    store.set_fuel(left.unwrap_or(0))?;
    if left.is_none() {
        return Err(Trap::OutOfFuel.into());
    }
    Ok(match estimator {
        Some(estimator) => estimator.estimate(changes),
        None => Err(Problem {
            code: "unsupported".to_owned(),
            detail: "there are no records here to ask about".to_owned(),
            retry_after_ms: None,
        }),
    })
}
