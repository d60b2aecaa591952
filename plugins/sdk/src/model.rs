//! Model adapters: one provider, one or more models.

pub use crate::{Problem, Usage};
pub use generated::exports::polity::plugin::model::{Info, Message, Outcome, Request};
pub use generated::polity::plugin::reply::{Delta, Stopped, ToolCall, send};

/// What a model adapter implements. See `wit/model.wit` for what each item promises.
pub trait Model {
    /// The models that can be used now.
    fn models() -> Result<Vec<Info>, Problem>;

    /// Answers one request; the answer goes out through [`send`].
    fn complete(request: Request) -> Result<Outcome, Problem>;

    /// One vector per input. By default no model embeds.
    fn embed(model: String, input: Vec<String>) -> Result<Vec<Vec<f32>>, Problem> {
        let _ = input;
        Err(crate::problem(
            "not-found",
            format!("the model '{model}' does not embed"),
        ))
    }
}

/// Exports a type that implements [`Model`] as the plugin's models.
#[macro_export]
macro_rules! export_model {
    ($model:ty) => {
        // Natively, where logic is tested, there is nobody to export to.
        #[cfg(not(target_arch = "wasm32"))]
        const _: fn() = $crate::model::assert_implemented::<$model>;
        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;
            impl $crate::model::Guest for Exported {
                fn models() -> Result<Vec<$crate::model::Info>, $crate::model::Problem> {
                    <$model as $crate::model::Model>::models()
                }
                fn complete(
                    request: $crate::model::Request,
                ) -> Result<$crate::model::Outcome, $crate::model::Problem> {
                    <$model as $crate::model::Model>::complete(request)
                }
                fn embed(
                    model: String,
                    input: Vec<String>,
                ) -> Result<Vec<Vec<f32>>, $crate::model::Problem> {
                    <$model as $crate::model::Model>::embed(model, input)
                }
            }
            $crate::model::generated::__export_model_adapter!(Exported with_types_in $crate::model::generated);
        };
    };
}

#[doc(hidden)]
pub fn assert_implemented<T: Model>() {}

#[doc(hidden)]
pub use generated::exports::polity::plugin::model::Guest;

#[doc(hidden)]
#[allow(
    missing_docs,
    unreachable_pub,
    reason = "generated; the documentation is in wit/"
)]
pub mod generated {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "model-adapter",
        pub_export_macro: true,
        export_macro_name: "__export_model_adapter",
        default_bindings_module: "polity_sdk::model::generated",
        additional_derives: [PartialEq],
        with: {
            "polity:plugin/types@0.1.0": crate::bindings::polity::plugin::types,
            "polity:plugin/log@0.1.0": crate::bindings::polity::plugin::log,
            "polity:plugin/config@0.1.0": crate::bindings::polity::plugin::config,
            "polity:plugin/http@0.1.0": crate::bindings::polity::plugin::http,
        },
    });
}
