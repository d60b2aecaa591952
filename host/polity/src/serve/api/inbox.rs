//! `/api/inbox`: what waits for a person.

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::Permission;
use polity_inbox::{AnswerKind, DecideError, Filter, InboxError, Item, Which, authority};
use polity_kernel::Actor;
use polity_ledger::Hash;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::IntoParams;
use uuid::Uuid;

use super::page::{Page, Parameters, Query, cursor, limit};
use super::schema;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;
use crate::serve::{App, blocking};

/// The farthest that a list of closed items goes back. What is older is in the ledger.
const FARTHEST: usize = 2000;

/// Which items are wanted.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct ItemQuery {
    /// Those in this state; the open ones where it is absent.
    #[param(value_type = schema::ItemState, inline, required = false, nullable = false)]
    state: Option<Which>,
    /// Those that this role decides.
    #[param(required = false, nullable = false)]
    role: Option<String>,
    /// Those of this kind.
    #[param(required = false, nullable = false)]
    kind: Option<String>,
    /// Those about this subject.
    #[param(required = false, nullable = false)]
    subject: Option<String>,
    /// `true`: those that the caller may decide.
    #[param(required = false, nullable = false)]
    mine: Option<bool>,
    /// The `next` of the page before.
    #[param(
        required = false,
        nullable = false,
        pattern = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
    )]
    after: Option<String>,
    /// Items on the page.
    #[param(value_type = u32, required = false, nullable = false, minimum = 1, maximum = 500, default = 50)]
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

/// A person's answer to an item; [`schema::AnswerBody`] describes it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AnswerBody {
    r#type: AnswerKind,
    #[serde(default)]
    args: Option<Value>,
    #[serde(default)]
    note: String,
    #[serde(default)]
    seen_digest: Option<Hash>,
}

/// List what waits
///
/// Open items come by when they are due, closed ones by when they were raised, the newest first.
#[utoipa::path(
    get,
    path = "/api/inbox",
    tag = "inbox",
    params(ItemQuery),
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
    let after: Option<Uuid> = cursor(query.after)?;
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
    let rest = found.into_iter().skip(begin);
    let items: Vec<_> = rest
        .take(limit + 1)
        .map(|item| view(item, &actor))
        .collect();
    Ok(Answer(Page::cut(items, limit, |last| {
        Some(last.item.id.to_string())
    })))
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
    request_body = schema::AnswerBody,
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
    actor.decider()
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
