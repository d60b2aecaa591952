//! Connectors: the operations that a system outside offers to protocols.

pub use crate::Problem;
pub use generated::exports::polity::plugin::operations::Operation;

/// What a connector plugin implements. See `wit/connector.wit`.
pub trait Connector {
    /// What can be called.
    fn operations() -> Vec<Operation>;

    /// Performs an operation; input and output are JSON text.
    fn call(operation: String, input: String, idempotency_key: String) -> Result<String, Problem>;
}

/// Exports a type that implements [`Connector`] as the plugin's operations.
#[macro_export]
macro_rules! export_connector {
    ($connector:ty) => {
        // Natively, where logic is tested, there is nobody to export to.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::connector::assert_implemented::<$connector>;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::connector::Guest for Exported {
                fn operations() -> Vec<$crate::connector::Operation> {
                    <$connector as $crate::connector::Connector>::operations()
                }
                fn call(
                    operation: String,
                    input: String,
                    idempotency_key: String,
                ) -> Result<String, $crate::connector::Problem> {
                    <$connector as $crate::connector::Connector>::call(operation, input, idempotency_key)
                }
            }
            $crate::connector::generated::__export_connector!(Exported with_types_in $crate::connector::generated);
        };
    };
}

#[doc(hidden)]
pub fn assert_implemented<T: Connector>() {}

#[doc(hidden)]
pub use generated::exports::polity::plugin::operations::Guest;

#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; the documentation is in wit/"
)]
pub mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "connector",
        pub_export_macro: true,
        export_macro_name: "__export_connector",
        default_bindings_module: "polity_sdk::connector::generated",
        additional_derives: [PartialEq],
        with: {
            "polity:plugin/types@0.1.0": crate::bindings::polity::plugin::types,
            "polity:plugin/log@0.1.0": crate::bindings::polity::plugin::log,
            "polity:plugin/config@0.1.0": crate::bindings::polity::plugin::config,
            "polity:plugin/http@0.1.0": crate::bindings::polity::plugin::http,
        },
    });
}
