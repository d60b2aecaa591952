//! `/api/inbox`: what waits for a person.

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::Permission;
use polity_inbox::{AnswerKind, DecideError, Filter, InboxError, Item, Which, authority};
use polity_kernel::Actor;
use polity_ledger::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::page::{Page, Parameters, Query, foreign_cursor, limit};
use super::schema;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;
use crate::serve::{App, blocking};

/// The farthest that a list of closed items goes back. What is older is in the ledger.
const FARTHEST: usize = 2000;

/// Which items are wanted.
#[derive(Deserialize)]
pub(crate) struct ItemQuery {
    state: Option<Which>,
    role: Option<String>,
    kind: Option<String>,
    subject: Option<String>,
    mine: Option<bool>,
    after: Option<String>,
    limit: Option<u64>,
}

impl Parameters for ItemQuery {
    const NAMES: &'static [&'static str] =
        &["state", "role", "kind", "subject", "mine", "after", "limit"];
}

/// An item, and whether whoever asks may decide it.
#[derive(Serialize)]
pub(crate) struct ItemView {
    #[serde(flatten)]
    item: Item,
    /// Why the caller may not decide it; null where the caller may.
    why_not: Option<String>,
}

/// A person's answer to an item.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    /// `accept`: yes, as proposed. `edit`: yes, but with `args` in place of the proposal. `respond`: neither yes nor no,
    /// `args` is a text for whoever asked. `reject`: no.
    #[schema(value_type = String, example = "accept")]
    r#type: AnswerKind,
    /// See `type`.
    #[serde(default)]
    #[schema(value_type = Object)]
    args: Option<Value>,
    /// Why, for whoever asked and for whoever reads the ledger later.
    #[serde(default)]
    #[schema(example = "The customer is right.")]
    note: String,
    /// The `proposal_digest` of what was read; an answer to another proposal is refused.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    seen_digest: Option<Hash>,
}

/// List what waits
///
/// Open items come by when they are due, closed ones by when they were raised, the newest first.
#[utoipa::path(
    get,
    path = "/api/inbox",
    tag = "inbox",
    params(
        ("state" = Option<String>, Query, description = "`open` (where it is absent), `closed` or `all`."),
        ("role" = Option<String>, Query, description = "Those that this role decides."),
        ("kind" = Option<String>, Query, description = "Those of this kind."),
        ("subject" = Option<String>, Query, description = "Those about this subject."),
        ("mine" = Option<bool>, Query, description = "`true`: those that the caller may decide."),
        ("after" = Option<String>, Query, description = "The `next` of the page before."),
        ("limit" = Option<u32>, Query, description = "Items on the page; 50 where it is absent, at most 500."),
    ),
    responses(
        (status = 200, description = "A page of items.", body = Page<schema::InboxItem>),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_items(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<ItemQuery>,
) -> Result<Answer<Page<ItemView>>, Fault> {
    let actor = caller.allowed(Permission::InboxRead)?;
    let limit = limit(query.limit)?;
    let after = query
        .after
        .map(|id| id.parse::<Uuid>())
        .transpose()
        .map_err(|_| foreign_cursor())?;
    let filter = Filter {
        which: query.state.unwrap_or_default(),
        role: query.role,
        kind: query.kind,
        subject: query.subject,
        decidable_by: query.mine.unwrap_or(false).then(|| as_decider(&actor)),
        limit: Some(FARTHEST),
    };
    let found = blocking(move || app.kernel.inbox().list(&filter))
        .await?
        .map_err(failed)?;
    let begin = match after {
        None => 0,
        Some(after) => found
            .iter()
            .position(|item| item.id == after)
            .map_or(found.len(), |at| at + 1),
    };
    let has_more = found.len() > begin + limit;
    let items: Vec<_> = found
        .into_iter()
        .skip(begin)
        .take(limit)
        .map(|item| view(item, &actor))
        .collect();
    let next = items
        .last()
        .filter(|_| has_more)
        .map(|last| last.item.id.to_string());
    Ok(Answer(Page { items, next }))
}

/// Read an item
#[utoipa::path(
    get,
    path = "/api/inbox/{id}",
    tag = "inbox",
    params(("id" = Uuid, Path, description = "The item's id.")),
    responses(
        (status = 200, description = "The item.", body = schema::InboxItem),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such item.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_item(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
) -> Result<Answer<ItemView>, Fault> {
    let actor = caller.allowed(Permission::InboxRead)?;
    let id = parse_id(&id)?;
    let item = blocking(move || app.kernel.inbox().get(id))
        .await?
        .map_err(failed)?;
    item.map(|item| Answer(view(item, &actor)))
        .ok_or_else(|| unknown(&id.to_string()))
}

/// Decide an item
///
/// Once, and durable when this answers. Only a person who holds the item's role may, and never the one who asked.
#[utoipa::path(
    post,
    path = "/api/inbox/{id}/decision",
    tag = "inbox",
    params(("id" = Uuid, Path, description = "The item's id.")),
    request_body = AnswerBody,
    responses(
        (status = 200, description = "The item, decided.", body = schema::InboxItem),
        (status = 400, description = "The answer is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, or this person may not decide this item.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such item.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is closed already, or the proposal is another one than was read.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn decide_item(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    Json(body): Json<AnswerBody>,
) -> Result<Answer<ItemView>, Fault> {
    let actor = caller.allowed(Permission::InboxDecide)?;
    let id = parse_id(&id)?;
    let AnswerBody {
        r#type,
        args,
        note,
        seen_digest,
    } = body;
    let answer = answer(r#type, args)?;
    let item = app
        .kernel
        .decide(id, &actor, answer, &note, seen_digest)
        .await
        .map_err(refused)?;
    Ok(Answer(view(item, &actor)))
}

fn answer(kind: AnswerKind, args: Option<Value>) -> Result<polity_inbox::Answer, Fault> {
    match (kind, args) {
        (AnswerKind::Accept, None) => Ok(polity_inbox::Answer::Accept),
        (AnswerKind::Reject, None) => Ok(polity_inbox::Answer::Reject),
        (AnswerKind::Edit, Some(proposal)) => Ok(polity_inbox::Answer::Edit(proposal)),
        (AnswerKind::Respond, Some(Value::String(text))) => Ok(polity_inbox::Answer::Respond(text)),
        (AnswerKind::Accept | AnswerKind::Reject, Some(_)) => Err(Fault::at(
            "/args",
            format!("`{kind}` takes no `args`; say why in `note`"),
        )),
        (AnswerKind::Edit, None) => Err(Fault::at(
            "/args",
            "`edit` needs the edited proposal as `args`",
        )),
        (AnswerKind::Respond, _) => Err(Fault::at("/args", "`respond` needs a text as `args`")),
    }
}

/// The actor as the inbox's one function of authority sees it.
pub(crate) fn as_decider(actor: &Actor) -> polity_inbox::Actor {
    polity_inbox::Actor::new(actor.id.clone(), actor.roles.clone())
}

/// Why a decision was not taken.
pub(crate) fn refused(error: DecideError) -> Fault {
    match error {
        DecideError::Refused(_) => Fault::new(Kind::Forbidden, error.to_string()),
        DecideError::Closed(_) | DecideError::ProposalChanged { .. } => {
            Fault::new(Kind::Conflict, error.to_string())
        }
        DecideError::Invalid(detail) => Fault::new(Kind::Invalid, detail),
        DecideError::Inbox(error) => failed(error),
    }
}

fn failed(error: InboxError) -> Fault {
    match error {
        InboxError::NotFound(id) => unknown(&id.to_string()),
        error => Fault::internal(error),
    }
}

fn view(item: Item, actor: &Actor) -> ItemView {
    let why_not = if item.is_open() {
        authority(&item, &as_decider(actor))
            .err()
            .map(|refusal| refusal.to_string())
    } else {
        Some(item.closing())
    };
    ItemView { item, why_not }
}

/// What is no id names no item.
fn parse_id(id: &str) -> Result<Uuid, Fault> {
    id.parse().map_err(|_| unknown(id))
}

fn unknown(id: &str) -> Fault {
    Fault::new(Kind::NotFound, format!("there is no inbox item {id}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_has_exactly_the_arguments_that_it_needs() {
        assert_eq!(
            answer(AnswerKind::Accept, None).unwrap(),
            polity_inbox::Answer::Accept
        );
        assert_eq!(
            answer(AnswerKind::Edit, Some(json!({}))).unwrap(),
            polity_inbox::Answer::Edit(json!({}))
        );
        assert_eq!(
            answer(AnswerKind::Respond, Some(json!("why?"))).unwrap(),
            polity_inbox::Answer::Respond("why?".into())
        );
        for (kind, args) in [
            (AnswerKind::Accept, Some(json!({}))),
            (AnswerKind::Reject, Some(json!("no"))),
            (AnswerKind::Edit, None),
            (AnswerKind::Respond, None),
            (AnswerKind::Respond, Some(json!(7))),
        ] {
            assert!(
                answer(kind, args)
                    .unwrap_err()
                    .detail()
                    .starts_with("/args"),
                "{kind}"
            );
        }
    }
}
