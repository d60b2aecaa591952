//! The routes and their description, in one list: a route that is not described cannot be added here.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::MethodRouter;
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa::Path as _;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, InfoBuilder, License, OpenApi, OpenApiBuilder, SecurityRequirement,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::{PathItemExt as _, routes};

use super::anthropic::{count, messages};
use super::api::{
    actions, amendments, constitution, decisions, halts, inbox, ledger, links, mutations, plugins,
    protocols, pull, records, route, router, tokens, workflows,
};
use super::openai::{chat, embeddings, models};
use super::responses::create;
use super::{App, health, metrics};

/// The groups of routes, in the order in which a reader needs them.
const TAGS: [(&str, &str); 15] = [
    (
        "openai",
        "OpenAI's API: existing clients work with a changed base URL.",
    ),
    (
        "anthropic",
        "Anthropic's API: existing clients work with a changed base URL.",
    ),
    (
        "actions",
        "May this happen? Judged by the rules and put on record.",
    ),
    ("decisions", "What was decided, and why."),
    (
        "router",
        "Which model would answer, and what became of answers.",
    ),
    ("inbox", "What waits for a person."),
    ("constitution", "The rules in force."),
    (
        "amendments",
        "How the rules are changed: proposed, compared, voted on, merged.",
    ),
    (
        "protocols",
        "Decision tables and workflows: ask them, and find the one that covers a question.",
    ),
    (
        "workflows",
        "Protocols that run: start them, send them events, see where they are, stop them.",
    ),
    (
        "plugins",
        "Rules, model adapters, connectors: install, grant, roll back.",
    ),
    (
        "records",
        "The company's records: asked and changed in SQL, every access judged.",
    ),
    ("ledger", "Everything that happened, hash-chained."),
    ("access", "Tokens and links to the console."),
    ("operation", "Health, metrics, this document."),
];

/// Every operation of the API. What is made of the list is what `$then` makes of it.
macro_rules! operations {
    ($then:ident) => {
        $then![
            chat::create_chat_completion,
            create::create_response,
            embeddings::create_embeddings,
            messages::create_message,
            count::count_message_tokens,
            models::list_models,
            models::get_model,
            models::get_model_of_plugin,
            actions::judge_action,
            decisions::list_decisions,
            decisions::get_decision,
            decisions::get_story,
            decisions::replay_decision,
            route::route_request,
            route::give_feedback,
            router::read_costs,
            router::read_router,
            router::train_router,
            inbox::list_items,
            inbox::get_item,
            inbox::decide_item,
            constitution::get_constitution,
            constitution::reload_constitution,
            pull::pull_constitution,
            amendments::list_amendments,
            amendments::submit_amendment,
            amendments::preview_documents,
            amendments::get_amendment,
            amendments::preview_amendment,
            amendments::vote_on_amendment,
            amendments::comment_on_amendment,
            amendments::merge_amendment,
            amendments::revert_amendment,
            amendments::withdraw_amendment,
            protocols::evaluate_table,
            workflows::run_workflow,
            workflows::list_instances,
            workflows::get_instance,
            workflows::get_instance_story,
            workflows::list_instance_events,
            workflows::cancel_instance,
            workflows::send_event,
            halts::list_halts,
            halts::halt,
            halts::lift_halt,
            protocols::ask_protocols,
            protocols::open_question,
            plugins::list_plugins,
            plugins::check_plugin,
            plugins::get_plugin,
            plugins::install_plugin,
            plugins::remove_plugin,
            plugins::get_grant,
            plugins::set_grant,
            plugins::roll_back_plugin,
            records::query_records,
            records::explain_records,
            records::list_collections,
            records::get_collection,
            records::insert_records,
            records::export_collection,
            records::get_record_stats,
            records::back_records_up,
            mutations::list_mutations,
            mutations::get_mutation,
            mutations::revert_mutation,
            mutations::rehearse_mutations,
            mutations::list_strategies,
            mutations::get_collection_history,
            ledger::list_events,
            ledger::verify_ledger,
            ledger::export_ledger,
            tokens::list_tokens,
            tokens::issue_token,
            tokens::revoke_token,
            links::make_link,
            metrics::get_metrics,
            health::get_livez,
            health::get_readyz,
            self::get_openapi,
        ]
    };
}

/// The routes of the API.
pub(super) fn routes() -> Router<App> {
    /// An operation's path and methods without its description, which takes a hundred times the memory and nobody
    /// may ever ask for.
    macro_rules! router {
        ($($module:ident::$handler:ident),* $(,)?) => {
            utoipa_axum::paste! {
                Router::new()$(.route(
                    &$module::[<__path_ $handler>]::path(),
                    $module::[<__path_ $handler>]::methods().iter().fold(MethodRouter::new(), |router, method| {
                        router.on(method.to_method_filter(), $module::$handler)
                    }),
                ))*
            }
        };
    }
    operations!(router)
}

/// The description of every route.
fn document() -> OpenApi {
    macro_rules! described {
        ($($operation:path),* $(,)?) => {
            OpenApiRouter::<App>::with_openapi(outline())$(.routes(routes!($operation)))*.into_openapi()
        };
    }
    operations!(described)
}

/// Read this document
#[utoipa::path(
    get,
    path = "/api/openapi.json",
    tag = "operation",
    security(()),
    responses((status = 200, description = "OpenAPI 3.1.", body = serde_json::Value)),
)]
pub(crate) async fn get_openapi() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
        // Maps with text keys all the way down, so it always can be written.
        document().to_json().unwrap_or_default().into()
    });
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}

fn outline() -> OpenApi {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token of an actor of the charter; `polity token` issues one.",
        ))
        .build();
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Polity")
                .version(env!("CARGO_PKG_VERSION"))
                .description(Some(
                    "The operating system of an AI-native company. Errors under `/api` are RFC 9457 problems, those under \
                     `/v1` have OpenAI's form, or Anthropic's for its messages; all carry stable codes. Money is in micro-units of the charter's currency, \
                     time in milliseconds since the epoch.",
                ))
                .license(Some(License::new("Apache-2.0"))),
        )
        .tags(Some(TAGS.map(|(name, description)| {
            TagBuilder::new().name(name).description(Some(description)).build()
        })))
        .components(Some({
            let mut components = Components::new();
            components.add_security_scheme("token", SecurityScheme::Http(bearer));
            components
        }))
        .security(Some([SecurityRequirement::new::<_, [&str; 0], &str>("token", [])]))
        .build()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn document() -> Value {
        serde_json::to_value(super::document()).unwrap()
    }

    fn operations() -> Vec<(String, String, Value)> {
        let document = document();
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            let item = item.as_object().unwrap().clone();
            item.into_iter()
                .map(move |(method, operation)| (method, path.clone(), operation))
        });
        operations.collect()
    }

    #[test]
    fn the_document_is_openapi_3_1() {
        assert!(document()["openapi"].as_str().unwrap().starts_with("3.1"));
    }

    #[test]
    fn every_operation_has_a_summary_a_tag_and_an_id_of_its_own() {
        let mut ids = std::collections::BTreeSet::new();
        for (method, path, operation) in operations() {
            let place = format!("{method} {path}");
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|summary| !summary.ends_with('.')),
                "{place}"
            );
            let tag = operation["tags"][0].as_str().unwrap();
            assert!(
                TAGS.iter().any(|(known, _)| *known == tag),
                "{place}: {tag}"
            );
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{place}"
            );
        }
    }

    #[test]
    fn every_answer_is_described_and_errors_have_the_shape_of_their_part() {
        for (method, path, operation) in operations() {
            for (status, response) in operation["responses"].as_object().unwrap() {
                let place = format!("{method} {path} {status}");
                assert!(
                    !response["description"].as_str().unwrap().is_empty(),
                    "{place}"
                );
                if status.as_str() < "400" || path.ends_with("z") {
                    continue;
                }
                let content = response["content"]
                    .as_object()
                    .unwrap_or_else(|| panic!("{place} has no content"));
                let (kind, schema) = if path.starts_with("/v1/messages") {
                    ("application/json", "#/components/schemas/AnthropicError")
                } else if path.starts_with("/v1/") {
                    ("application/json", "#/components/schemas/OpenAiError")
                } else {
                    ("application/problem+json", "#/components/schemas/Problem")
                };
                assert_eq!(content[kind]["schema"]["$ref"], schema, "{place}");
            }
        }
    }

    #[test]
    fn every_operation_that_needs_a_token_says_what_happens_without() {
        for (method, path, operation) in operations() {
            let is_open = operation["security"]
                .as_array()
                .is_some_and(|list| list.contains(&serde_json::json!({})));
            assert_eq!(
                operation["responses"].get("401").is_none(),
                is_open,
                "{method} {path}"
            );
        }
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = document();
        let mut pending = vec![&document];
        while let Some(value) = pending.pop() {
            match value {
                Value::Object(members) => {
                    if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                        assert!(
                            document
                                .pointer(reference.trim_start_matches('#'))
                                .is_some(),
                            "{reference}"
                        );
                    }
                    pending.extend(members.values());
                }
                Value::Array(items) => pending.extend(items),
                _ => {}
            }
        }
    }
}
