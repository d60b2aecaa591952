//! Schema-mutation strategies: aggregates in, proposals out.
//!
//! Before it proposes, a strategy may ask what changes would do: [`what_if`].

pub use crate::Problem;
pub use generated::exports::polity::plugin::strategy::{
    Alias, Field, Index, Link, Mutation, Observations, Proposal, Rollup,
};

/// What changes of the schema would do to the queries that were observed, as the engine's planner has it.
///
/// ```no_run
/// use polity_sdk::strategy::what_if::{Change, Index, estimate};
///
/// let index = Index { collection: "orders".into(), fields: vec!["customer".into()] };
/// for effect in estimate(&[Change::CreateIndex(index)])?.effects {
///     let saved = 1.0 - effect.then_us / effect.now_us;
///     polity_sdk::log::info(format!("{} would save {saved:.2} of a call", effect.query));
/// }
/// # Ok::<(), polity_sdk::Problem>(())
/// ```
pub mod what_if {
    pub use super::generated::polity::plugin::what_if::{
        Change, Effect, Forecast, Index, Rollup, estimate,
    };
}

/// What a strategy plugin implements. See `wit/strategy.wit`.
pub trait Strategy {
    /// Proposes any number of mutations, best first.
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem>;
}

/// Exports a type that implements [`Strategy`] as the plugin's strategy.
#[macro_export]
macro_rules! export_strategy {
    ($strategy:ty) => {
        // Natively, where logic is tested, there is nobody to export to.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::strategy::assert_implemented::<$strategy>;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::strategy::Guest for Exported {
                fn propose(
                    seen: $crate::strategy::Observations,
                ) -> Result<Vec<$crate::strategy::Proposal>, $crate::strategy::Problem> {
                    <$strategy as $crate::strategy::Strategy>::propose(seen)
                }
            }
            $crate::strategy::generated::__export_schema_strategy!(Exported with_types_in $crate::strategy::generated);
        };
    };
}

#[doc(hidden)]
pub fn assert_implemented<T: Strategy>() {}

#[doc(hidden)]
pub use generated::exports::polity::plugin::strategy::Guest;

#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; the documentation is in wit/"
)]
pub mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "schema-strategy",
        pub_export_macro: true,
        export_macro_name: "__export_schema_strategy",
        default_bindings_module: "polity_sdk::strategy::generated",
        additional_derives: [PartialEq],
        with: {
            "polity:plugin/types@0.1.0": crate::bindings::polity::plugin::types,
            "polity:plugin/log@0.1.0": crate::bindings::polity::plugin::log,
            "polity:plugin/config@0.1.0": crate::bindings::polity::plugin::config,
        },
    });
}
