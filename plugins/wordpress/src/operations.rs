//! What workflows can call, with the schemas of inputs and outputs.

use polity_sdk::connector::Operation;
use serde_json::{Value, json};

/// Names of operations that speak to a site.
const NAMES: [&str; 11] = [
    "list-posts",
    "get-post",
    "create-post",
    "update-post",
    "trash-post",
    "upload-media",
    "list-plugins",
    "set-plugin",
    "list-users",
    "get-settings",
    "check-site",
];

pub(crate) fn is_known(name: &str) -> bool {
    NAMES.contains(&name)
}

/// All of them. None has a further effect where it is called again with its key.
pub(crate) fn all() -> Vec<Operation> {
    let mut all = vec![operation(
        "list-sites",
        "The sites of the company",
        object(json!({}), &[]),
        json!({ "type": "object", "required": ["sites"] }),
    )];
    all.extend(NAMES.iter().map(|name| of(name)));
    all
}

fn of(name: &str) -> Operation {
    let (summary, input, output) = match name {
        "list-posts" => (
            "Posts of a site, the newest first",
            at_site(
                json!({
                    "status": status(&["any"]), "search": text(), "slug": slug(), "after": time(), "before": time(),
                    "page": { "type": "integer", "minimum": 1 },
                    "perPage": { "type": "integer", "minimum": 1, "maximum": 100 },
                }),
                &[],
            ),
            list("posts"),
        ),
        "get-post" => ("One post", at_site(json!({ "id": id() }), &["id"]), post()),
        "create-post" => (
            "Writes a post, a draft unless `status` says otherwise; once for each step of a workflow",
            at_site(written(), &["title", "content"]),
            post(),
        ),
        "update-post" => {
            let mut fields = written();
            fields["id"] = id();
            let summary =
                "Changes the fields of a post that are given; `status: publish` publishes it";
            (summary, at_site(fields, &["id"]), post())
        }
        "trash-post" => (
            "Puts a post into the trash, from which people can take it back",
            at_site(json!({ "id": id() }), &["id"]),
            json!({ "type": "object", "required": ["id", "status"] }),
        ),
        "upload-media" => (
            "Uploads a file; once for each step of a workflow",
            at_site(
                json!({
                    "filename": { "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*\\.[A-Za-z0-9]+$", "maxLength": 120 },
                    "type": { "type": "string", "pattern": "^[a-z]+/[a-zA-Z0-9.+-]+$" },
                    "data": { "type": "string", "minLength": 4, "maxLength": 10_000_000, "description": "In base64" },
                    "alt": text(), "title": text(), "caption": text(),
                }),
                &["filename", "type", "data"],
            ),
            json!({ "type": "object", "required": ["id", "url"] }),
        ),
        "list-plugins" => (
            "Plugins of a site",
            at_site(json!({}), &[]),
            list("plugins"),
        ),
        "set-plugin" => (
            "Switches a plugin of a site on or off",
            at_site(
                json!({
                    "plugin": { "type": "string", "pattern": "^[^./?#%\\\\\\s]+(/[^./?#%\\\\\\s]+)?$", "description": "As list-plugins names it: akismet/akismet" },
                    "active": { "type": "boolean" },
                }),
                &["plugin", "active"],
            ),
            json!({ "type": "object", "required": ["plugin", "active"] }),
        ),
        "list-users" => (
            "Users of a site, with their roles",
            at_site(
                json!({
                    "role": { "type": "string", "pattern": "^[a-z0-9_-]+$" }, "search": text(),
                    "page": { "type": "integer", "minimum": 1 },
                }),
                &[],
            ),
            list("users"),
        ),
        "get-settings" => (
            "Title, time zone and other settings of a site",
            at_site(json!({}), &[]),
            json!({ "type": "object" }),
        ),
        _ => (
            "Whether a site answers, as whom, and what its own health checks say",
            at_site(
                json!({
                    "tests": {
                        "type": "array", "maxItems": 10,
                        "items": { "enum": ["background-updates", "loopback-requests", "https-status", "dotorg-communication", "authorization-header", "page-cache"] },
                    },
                }),
                &[],
            ),
            json!({ "type": "object", "required": ["name", "url", "user"] }),
        ),
    };
    operation(name, summary, input, output)
}

fn operation(name: &str, summary: &str, input: Value, output: Value) -> Operation {
    Operation {
        name: name.to_owned(),
        summary: summary.to_owned(),
        input_schema: input.to_string(),
        output_schema: output.to_string(),
        idempotent: true,
    }
}

fn object(properties: Value, required: &[&str]) -> Value {
    json!({
        "type": "object", "additionalProperties": false, "properties": properties, "required": required,
    })
}

/// The input of an operation that speaks to a site. Where the company has one site alone, it need not be named.
fn at_site(mut properties: Value, required: &[&str]) -> Value {
    properties["site"] =
        json!({ "type": "string", "pattern": "^[a-z0-9][a-z0-9-]*$", "maxLength": 64 });
    object(properties, required)
}

fn written() -> Value {
    json!({
        "title": text(),
        "content": { "type": "string", "description": "HTML, or the blocks of WordPress's editor" },
        "excerpt": text(),
        "slug": slug(),
        "status": status(&[]),
        "date": time(),
        "author": id(),
        "featuredMedia": { "type": "integer", "minimum": 0 },
        "categories": { "type": "array", "items": id() },
        "tags": { "type": "array", "items": id() },
    })
}

fn post() -> Value {
    json!({ "type": "object", "required": ["id", "link", "slug", "status"] })
}

fn list(name: &str) -> Value {
    json!({ "type": "object", "properties": { name: { "type": "array" } }, "required": [name] })
}

fn id() -> Value {
    json!({ "type": "integer", "minimum": 1 })
}

fn text() -> Value {
    json!({ "type": "string" })
}

fn slug() -> Value {
    json!({ "type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 120 })
}

fn time() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$", "description": "In UTC" })
}

fn status(more: &[&str]) -> Value {
    let known = ["draft", "pending", "private", "publish", "future"];
    let known: Vec<&str> = known.iter().chain(more).copied().collect();
    json!({ "enum": known })
}
