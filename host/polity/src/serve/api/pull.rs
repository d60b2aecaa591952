//! `POST /api/constitution/pull`: the remote has something new. For owners, and for the hooks of code hosts, which know a
//! secret and nothing else of us.

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use polity_constitution::OWNER;
use polity_kernel::{PullError, Pulled};
use serde::Serialize;
use utoipa::ToSchema;

use crate::serve::auth::authenticate;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::hook::Hook;
use crate::serve::{App, SMALL, read_body};

/// What came of asking the remote.
#[derive(Serialize, ToSchema)]
pub(crate) struct PullView {
    /// Whether another constitution is in force now; null for a hook, which does not wait for it.
    changed: Option<bool>,
    /// The commit whose documents are in force.
    commit: Option<String>,
}

/// Ask the constitution's remote
///
/// For an owner, who gets the answer; and for a push hook, which is answered at once. A hook shows the secret of
/// `polity up --constitution-hook-secret`: as a bearer token, as `X-Gitlab-Token`, or by signing the body with it, as
/// GitHub, Gitea and Forgejo do (`X-Hub-Signature-256`). What the hook says is not looked at.
#[utoipa::path(
    post,
    path = "/api/constitution/pull",
    tag = "constitution",
    responses(
        (status = 200, description = "What the remote holds is in force.", body = PullView),
        (status = 202, description = "The remote will be asked.", body = PullView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only an owner or a hook may.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "There is no remote, it does not answer, or what it holds does not load; the constitution before stays in force.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too long.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn pull_constitution(
    State(app): State<App>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Fault> {
    let body = read_body(&headers, body, SMALL).await?;
    let view = |changed| PullView {
        changed,
        commit: app.kernel.constitution().version().commit.clone(),
    };
    if app
        .hook
        .as_ref()
        .is_some_and(|hook: &Hook| hook.is_shown(&headers, &body))
    {
        app.kernel.want_pull();
        return Ok((StatusCode::ACCEPTED, Answer(view(None))).into_response());
    }
    let actor = authenticate(&app.kernel, &headers)?;
    if !actor.roles.iter().any(|role| role == OWNER) {
        let detail = format!(
            "{} does not hold the role `{OWNER}`, which asking the constitution's remote takes",
            actor.id
        );
        return Err(Fault::new(Kind::Forbidden, detail));
    }
    let pulled = app.kernel.pull().await.map_err(refused)?;
    Ok(Answer(view(Some(pulled == Pulled::Changed))).into_response())
}

fn refused(error: PullError) -> Fault {
    let detail = error.to_string();
    match error {
        PullError::Problems(problems) => {
            Fault::new(Kind::Conflict, detail).with("problems", problems.list)
        }
        PullError::NoRemote | PullError::Git(_) => Fault::new(Kind::Conflict, detail),
        error => Fault::internal(error),
    }
}
