//! Constitution rules: a pure function from an action to a verdict.

pub use crate::Problem;
pub use generated::exports::polity::plugin::rule::{Action, Escalation, Verdict};

/// What a rule plugin implements. See `wit/rule.wit` for what each item promises.
pub trait Rule {
    /// The kinds of action this rule speaks to: exact, or a prefix with `.*`.
    fn applies_to() -> Vec<String>;

    /// Judges one action.
    fn evaluate(action: Action) -> Result<Verdict, Problem>;
}

/// Exports a type that implements [`Rule`] as the plugin's rule.
#[macro_export]
macro_rules! export_rule {
    ($rule:ty) => {
        // Natively, where logic is tested, there is nobody to export to.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::rule::assert_implemented::<$rule>;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::rule::Guest for Exported {
                fn applies_to() -> Vec<String> {
                    <$rule as $crate::rule::Rule>::applies_to()
                }
                fn evaluate(
                    action: $crate::rule::Action,
                ) -> Result<$crate::rule::Verdict, $crate::rule::Problem> {
                    <$rule as $crate::rule::Rule>::evaluate(action)
                }
            }
            $crate::rule::generated::__export_constitution_rule!(Exported with_types_in $crate::rule::generated);
        };
    };
}

#[doc(hidden)]
pub fn assert_implemented<T: Rule>() {}

#[doc(hidden)]
pub use generated::exports::polity::plugin::rule::Guest;

#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; the documentation is in wit/"
)]
pub mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "constitution-rule",
        pub_export_macro: true,
        export_macro_name: "__export_constitution_rule",
        default_bindings_module: "polity_sdk::rule::generated",
        additional_derives: [PartialEq],
        with: {
            "polity:plugin/types@0.1.0": crate::bindings::polity::plugin::types,
            "polity:plugin/log@0.1.0": crate::bindings::polity::plugin::log,
            "polity:plugin/config@0.1.0": crate::bindings::polity::plugin::config,
        },
    });
}
