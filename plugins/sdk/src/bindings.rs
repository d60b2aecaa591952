//! Bindings that every plugin shares, generated once so that a `Problem` from one interface is a `Problem` in
//! another.

#![allow(missing_docs, reason = "generated; the documentation is in wit/")]
#![allow(unreachable_pub, reason = "generated")]

wit_bindgen::generate!({
    inline: r"
        package polity:sdk;
        world base {
            import polity:plugin/types@0.1.0;
            import polity:plugin/log@0.1.0;
            import polity:plugin/config@0.1.0;
            import polity:plugin/http@0.1.0;
        }
    ",
    path: "../../wit",
    generate_all,
    generate_unused_types: true,
    additional_derives: [PartialEq],
});
