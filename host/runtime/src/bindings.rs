//! Host bindings, generated from `wit/`. The imports are generated once and shared by all worlds, so that one
//! implementation serves each of them.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]
#![allow(unreachable_pub, reason = "generated")]

/// What plugins may import.
pub mod imports {
    wasmtime::component::bindgen!({
        inline: "
            package polity:host;
            world imports {
                import polity:plugin/types@0.1.0;
                import polity:plugin/log@0.1.0;
                import polity:plugin/config@0.1.0;
                import polity:plugin/reply@0.1.0;
                import polity:plugin/http@0.1.0;
                import polity:plugin/what-if@0.1.0;
            }
        ",
        path: "../../wit",
        imports: {
            "polity:plugin/reply.send": async,
            "polity:plugin/http.fetch": async | trappable,
            "polity:plugin/http.[method]response.read": async | trappable,
            default: trappable,
        },
        with: { "polity:plugin/http.response": crate::imports::http::Response },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

/// A constitution rule's exports.
pub mod rule {
    wasmtime::component::bindgen!({
        world: "polity:plugin/constitution-rule@0.1.0",
        path: "../../wit",
        with: {
            "polity:plugin/types@0.1.0": super::imports::polity::plugin::types,
            "polity:plugin/log@0.1.0": super::imports::polity::plugin::log,
            "polity:plugin/config@0.1.0": super::imports::polity::plugin::config,
        },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

/// A schema strategy's exports.
pub mod strategy {
    wasmtime::component::bindgen!({
        world: "polity:plugin/schema-strategy@0.1.0",
        path: "../../wit",
        exports: { default: async },
        with: {
            "polity:plugin/types@0.1.0": super::imports::polity::plugin::types,
            "polity:plugin/log@0.1.0": super::imports::polity::plugin::log,
            "polity:plugin/config@0.1.0": super::imports::polity::plugin::config,
            "polity:plugin/what-if@0.1.0": super::imports::polity::plugin::what_if,
        },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

/// A connector's exports.
pub mod connector {
    wasmtime::component::bindgen!({
        world: "polity:plugin/connector@0.1.0",
        path: "../../wit",
        exports: { default: async },
        with: {
            "polity:plugin/types@0.1.0": super::imports::polity::plugin::types,
            "polity:plugin/log@0.1.0": super::imports::polity::plugin::log,
            "polity:plugin/config@0.1.0": super::imports::polity::plugin::config,
            "polity:plugin/http@0.1.0": super::imports::polity::plugin::http,
        },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}

/// A model adapter's exports.
pub mod model {
    wasmtime::component::bindgen!({
        world: "polity:plugin/model-adapter@0.1.0",
        path: "../../wit",
        exports: { default: async },
        with: {
            "polity:plugin/types@0.1.0": super::imports::polity::plugin::types,
            "polity:plugin/log@0.1.0": super::imports::polity::plugin::log,
            "polity:plugin/config@0.1.0": super::imports::polity::plugin::config,
            "polity:plugin/reply@0.1.0": super::imports::polity::plugin::reply,
            "polity:plugin/http@0.1.0": super::imports::polity::plugin::http,
        },
        additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
    });
}
