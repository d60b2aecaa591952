//! The routes and their description, in one list: a route that is not described cannot be added here.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::header::CONTENT_TYPE;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, InfoBuilder, License, OpenApi, OpenApiBuilder, SecurityRequirement,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

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

/// Every route of the API with its description.
pub(super) fn routes() -> (Router<App>, OpenApi) {
    OpenApiRouter::with_openapi(outline())
        .routes(routes!(chat::create_chat_completion))
        .routes(routes!(create::create_response))
        .routes(routes!(embeddings::create_embeddings))
        .routes(routes!(messages::create_message))
        .routes(routes!(count::count_message_tokens))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_model))
        .routes(routes!(models::get_model_of_plugin))
        .routes(routes!(actions::judge_action))
        .routes(routes!(decisions::list_decisions))
        .routes(routes!(decisions::get_decision))
        .routes(routes!(decisions::get_story))
        .routes(routes!(decisions::replay_decision))
        .routes(routes!(route::route_request))
        .routes(routes!(route::give_feedback))
        .routes(routes!(router::read_costs))
        .routes(routes!(router::read_router))
        .routes(routes!(router::train_router))
        .routes(routes!(inbox::list_items))
        .routes(routes!(inbox::get_item))
        .routes(routes!(inbox::decide_item))
        .routes(routes!(constitution::get_constitution))
        .routes(routes!(constitution::reload_constitution))
        .routes(routes!(pull::pull_constitution))
        .routes(routes!(
            amendments::list_amendments,
            amendments::submit_amendment
        ))
        .routes(routes!(amendments::preview_documents))
        .routes(routes!(amendments::get_amendment))
        .routes(routes!(amendments::preview_amendment))
        .routes(routes!(amendments::vote_on_amendment))
        .routes(routes!(amendments::comment_on_amendment))
        .routes(routes!(amendments::merge_amendment))
        .routes(routes!(amendments::revert_amendment))
        .routes(routes!(amendments::withdraw_amendment))
        .routes(routes!(protocols::evaluate_table))
        .routes(routes!(workflows::run_workflow))
        .routes(routes!(workflows::list_instances))
        .routes(routes!(workflows::get_instance))
        .routes(routes!(workflows::get_instance_story))
        .routes(routes!(workflows::list_instance_events))
        .routes(routes!(workflows::cancel_instance))
        .routes(routes!(workflows::send_event))
        .routes(routes!(halts::list_halts, halts::halt))
        .routes(routes!(halts::lift_halt))
        .routes(routes!(protocols::ask_protocols, protocols::open_question))
        .routes(routes!(plugins::list_plugins))
        .routes(routes!(plugins::check_plugin))
        .routes(routes!(
            plugins::get_plugin,
            plugins::install_plugin,
            plugins::remove_plugin
        ))
        .routes(routes!(plugins::get_grant, plugins::set_grant))
        .routes(routes!(plugins::roll_back_plugin))
        .routes(routes!(records::query_records))
        .routes(routes!(records::explain_records))
        .routes(routes!(records::list_collections))
        .routes(routes!(records::get_collection, records::insert_records))
        .routes(routes!(records::export_collection))
        .routes(routes!(records::get_record_stats))
        .routes(routes!(records::back_records_up))
        .routes(routes!(mutations::list_mutations))
        .routes(routes!(mutations::get_mutation))
        .routes(routes!(mutations::revert_mutation))
        .routes(routes!(mutations::rehearse_mutations))
        .routes(routes!(mutations::list_strategies))
        .routes(routes!(mutations::get_collection_history))
        .routes(routes!(ledger::list_events))
        .routes(routes!(ledger::verify_ledger))
        .routes(routes!(ledger::export_ledger))
        .routes(routes!(tokens::list_tokens, tokens::issue_token))
        .routes(routes!(tokens::revoke_token))
        .routes(routes!(links::make_link))
        .routes(routes!(metrics::get_metrics))
        .routes(routes!(health::get_livez))
        .routes(routes!(health::get_readyz))
        .routes(routes!(get_openapi))
        .split_for_parts()
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
        routes().1.to_json().unwrap_or_default().into()
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
        serde_json::to_value(routes().1).unwrap()
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
