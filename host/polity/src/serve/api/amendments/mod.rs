//! `/api/amendments`: how the constitution is changed by vote.

mod schema;

use axum::Json as Answer;
use axum::extract::{Path, State};
use polity_constitution::Permission;
use polity_inbox::AnswerKind;
use polity_kernel::{Actor, AmendmentError, AmendmentView, Preview, Submission};
use polity_ledger::Hash;
use polity_repository::GitError;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::page::{Page, Parameters, Query};
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;
use crate::serve::{App, decide_refused};

/// Recorded decisions that are judged again where nobody says how many.
const USUAL_DECISIONS: u64 = 2_000;

/// What is submitted.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SubmissionBody {
    /// What the amendment is called by: lower-case letters, digits and hyphens.
    #[schema(example = "raise-refund-limit", min_length = 1, max_length = 60)]
    name: String,
    /// The branch; `amend/NAME` where it is absent.
    #[serde(default)]
    branch: Option<String>,
    /// One line.
    #[serde(default)]
    title: Option<String>,
    /// Why it is wanted.
    #[serde(default)]
    why: Option<String>,
}

/// A vote.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct VoteBody {
    /// `accept`, `reject`, or `respond` for neither.
    #[schema(value_type = String, example = "accept")]
    vote: AnswerKind,
    /// Why, in a sentence.
    #[schema(min_length = 1, max_length = 4000)]
    note: String,
    /// The digest of the proposal that was read, as the inbox item has it: the vote is refused where it is another one.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    seen_digest: Option<Hash>,
}

/// A word of the debate, or a reason.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TextBody {
    /// The words.
    #[schema(min_length = 1, max_length = 4000)]
    text: String,
}

/// Why something is wanted.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WhyBody {
    /// In a few words.
    #[serde(default)]
    why: Option<String>,
}

/// Documents that are not in force.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewBody {
    /// The texts of all documents, by their path in the company's folder.
    #[schema(value_type = Object, example = json!({"charter.json": "{…}", "rules/refunds.json": "{…}"}))]
    documents: std::collections::BTreeMap<String, String>,
    /// How many of the newest recorded decisions are judged again.
    #[serde(default)]
    #[schema(required = false, maximum = 20000)]
    decisions: Option<u64>,
}

/// How far a preview looks back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct PreviewQuery {
    /// How many of the newest recorded decisions are judged again.
    #[param(required = false, nullable = false, maximum = 20000)]
    decisions: Option<u64>,
}

impl Parameters for PreviewQuery {
    const NAMES: &'static [&'static str] = &["decisions"];
}

/// What documents would change.
#[derive(Serialize, ToSchema)]
pub(crate) struct PreviewView {
    /// What they say otherwise than the constitution in force: documents, tables, actions, people, witnesses, lint.
    #[schema(value_type = Object)]
    comparison: polity_amend::Comparison,
    /// What recorded decisions would become.
    #[schema(value_type = Object)]
    simulation: polity_amend::Simulation,
    /// Both in words.
    text: String,
}

type Result<T> = std::result::Result<Answer<T>, Fault>;

/// List amendments
#[utoipa::path(
    get,
    path = "/api/amendments",
    tag = "amendments",
    responses(
        (status = 200, description = "All amendments, the newest first.", body = Page<schema::Amendment>),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_amendments(
    State(app): State<App>,
    caller: Caller,
) -> Result<Page<AmendmentView>> {
    caller.allowed(Permission::DecisionsRead)?;
    let items = app.kernel.amendments().map_err(refused)?;
    Ok(Answer(Page { items, next: None }))
}

/// Submit an amendment
///
/// Opens the vote, or a new round of it where the branch has changed: votes on what it was before are void. Who may vote
/// and how many have to agree is settled by the charter in force now.
#[utoipa::path(
    post,
    path = "/api/amendments",
    tag = "amendments",
    request_body = SubmissionBody,
    responses(
        (status = 200, description = "The amendment, with its vote open.", body = schema::Amendment),
        (status = 400, description = "It is no amendment: it changes nothing, or what nobody can vote on.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is closed, there is no such branch, or what it proposes does not load; says how to go on.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn submit_amendment(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<SubmissionBody>,
) -> Result<AmendmentView> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let SubmissionBody {
        name,
        branch,
        title,
        why,
    } = body;
    let submission = Submission {
        name,
        branch,
        title,
        why,
        reverts: None,
    };
    answer(app.kernel.submit_amendment(&actor, submission).await)
}

/// Read an amendment
#[utoipa::path(
    get,
    path = "/api/amendments/{name}",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment.")),
    responses(
        (status = 200, description = "The amendment: rounds, votes, debate.", body = schema::Amendment),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<AmendmentView> {
    caller.allowed(Permission::DecisionsRead)?;
    answer(app.kernel.amendment(&name))
}

/// See what an amendment would change
///
/// Compared with the constitution in force, with inputs that show each difference; and what the newest recorded decisions
/// would become, judged again by both. Nothing is changed or recorded.
#[utoipa::path(
    get,
    path = "/api/amendments/{name}/preview",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment."), PreviewQuery),
    responses(
        (status = 200, description = "What it would change.", body = PreviewView),
        (status = 400, description = "The query is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn preview_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Query(query): Query<PreviewQuery>,
) -> Result<PreviewView> {
    caller.allowed(Permission::DecisionsRead)?;
    let most = decisions(query.decisions);
    previewed(app.kernel.preview_amendment(&name, most).await)
}

/// See what documents would change
///
/// The same for documents that nobody has submitted yet.
#[utoipa::path(
    post,
    path = "/api/amendments/preview",
    tag = "amendments",
    request_body = PreviewBody,
    responses(
        (status = 200, description = "What they would change.", body = PreviewView),
        (status = 400, description = "The body is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The documents do not load; `problems` has all that is wrong.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn preview_documents(
    State(app): State<App>,
    caller: Caller,
    Json(body): Json<PreviewBody>,
) -> Result<PreviewView> {
    caller.allowed(Permission::DecisionsRead)?;
    let most = decisions(body.decisions);
    let documents = body.documents.into_iter().collect();
    previewed(app.kernel.preview_documents(documents, most).await)
}

/// Vote
///
/// Once for each round. Only those who could vote when it opened, and never who submitted it. The same as deciding one's
/// own inbox item.
#[utoipa::path(
    post,
    path = "/api/amendments/{name}/votes",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment.")),
    request_body = VoteBody,
    responses(
        (status = 200, description = "The amendment, with the vote.", body = schema::Amendment),
        (status = 400, description = "The vote is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, or this person may not vote on it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is closed, this person has voted, or the proposal is another one than was read.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn vote_on_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<VoteBody>,
) -> Result<AmendmentView> {
    let actor = voter(&app, caller, &name)?;
    let vote = match body.vote {
        AnswerKind::Accept => polity_inbox::Answer::Accept,
        AnswerKind::Reject => polity_inbox::Answer::Reject,
        AnswerKind::Respond => polity_inbox::Answer::Respond(body.note.clone()),
        AnswerKind::Edit => {
            return Err(Fault::at(
                "/vote",
                "a vote is `accept`, `reject` or `respond`; who wants something else changes the branch and submits it",
            ));
        }
    };
    answer(
        app.kernel
            .vote_on_amendment(&actor, &name, vote, &body.note, body.seen_digest)
            .await,
    )
}

/// Say something about an amendment
#[utoipa::path(
    post,
    path = "/api/amendments/{name}/comments",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment.")),
    request_body = TextBody,
    responses(
        (status = 200, description = "The amendment, with the comment.", body = schema::Amendment),
        (status = 400, description = "The comment is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is closed.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn comment_on_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<TextBody>,
) -> Result<AmendmentView> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    answer(
        app.kernel
            .comment_on_amendment(&actor, &name, &body.text)
            .await,
    )
}

/// Merge an amendment
///
/// Enough people have to have agreed. When this answers, it is in force, under a tag that says who agreed.
#[utoipa::path(
    post,
    path = "/api/amendments/{name}/merge",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment.")),
    responses(
        (status = 200, description = "The amendment, merged and in force.", body = schema::Amendment),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing, or votes are.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is closed, or branch or constitution have moved since the vote; says how to go on.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn merge_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<AmendmentView> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    answer(app.kernel.merge_amendment(&actor, &name).await)
}

/// Propose to take an amendment back
///
/// Makes a branch that undoes a merged amendment, and opens the vote on that.
#[utoipa::path(
    post,
    path = "/api/amendments/{name}/revert",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment.")),
    request_body = WhyBody,
    responses(
        (status = 200, description = "The new amendment, with its vote open.", body = schema::Amendment),
        (status = 400, description = "It is not in force.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "What came later builds on it.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revert_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<WhyBody>,
) -> Result<AmendmentView> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    answer(app.kernel.revert_amendment(&actor, &name, body.why).await)
}

/// Withdraw an amendment
///
/// Only who submitted it may. Votes that are missing are not needed any more.
#[utoipa::path(
    post,
    path = "/api/amendments/{name}/withdraw",
    tag = "amendments",
    params(("name" = String, Path, description = "The amendment.")),
    request_body = WhyBody,
    responses(
        (status = 200, description = "The amendment, withdrawn.", body = schema::Amendment),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Somebody else submitted it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such amendment.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is closed.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn withdraw_amendment(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    Json(body): Json<WhyBody>,
) -> Result<AmendmentView> {
    let actor = caller.allowed(Permission::ActionsSubmit)?;
    let why = body.why.unwrap_or_default();
    answer(app.kernel.withdraw_amendment(&actor, &name, &why).await)
}

/// Who votes may decide inbox items, or voted as somebody who could when the vote opened.
fn voter(
    app: &App,
    caller: Caller,
    name: &str,
) -> std::result::Result<std::sync::Arc<Actor>, Fault> {
    let Caller(actor) = &caller;
    let is_voter = app
        .kernel
        .amendment(name)
        .is_ok_and(|view| view.votes.iter().any(|vote| vote.voter == actor.id));
    if is_voter {
        return Ok(caller.0);
    }
    caller.allowed(Permission::InboxDecide)
}

fn decisions(asked: Option<u64>) -> usize {
    usize::try_from(asked.unwrap_or(USUAL_DECISIONS)).unwrap_or(usize::MAX)
}

fn answer(done: std::result::Result<AmendmentView, AmendmentError>) -> Result<AmendmentView> {
    done.map(Answer).map_err(refused)
}

fn previewed(done: std::result::Result<Preview, AmendmentError>) -> Result<PreviewView> {
    let Preview {
        comparison,
        simulation,
    } = done.map_err(refused)?;
    Ok(Answer(PreviewView {
        text: format!("{comparison}\n{simulation}"),
        comparison,
        simulation,
    }))
}

/// Why something was not done with an amendment.
pub(crate) fn refused(error: AmendmentError) -> Fault {
    let detail = error.to_string();
    match error {
        AmendmentError::Unknown { .. } => Fault::new(Kind::NotFound, detail),
        AmendmentError::Invalid(_) => Fault::new(Kind::Invalid, detail),
        AmendmentError::Forbidden(_) => Fault::new(Kind::Forbidden, detail),
        AmendmentError::Waiting(_) => Fault::new(Kind::Escalated, detail),
        AmendmentError::Problems(problems) => {
            Fault::new(Kind::Conflict, detail).with("problems", problems.list)
        }
        AmendmentError::Moved(_) | AmendmentError::Closed(_) => Fault::new(Kind::Conflict, detail),
        AmendmentError::Git(GitError::NotInstalled(_) | GitError::File { .. }) => {
            Fault::internal(detail)
        }
        AmendmentError::Git(_) => Fault::new(Kind::Conflict, detail),
        AmendmentError::Decide(error) => decide_refused(error),
        AmendmentError::Draining(_) => Fault::new(Kind::Draining, detail),
        error => Fault::internal(error),
    }
}
