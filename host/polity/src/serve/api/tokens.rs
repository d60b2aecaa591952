//! `/api/tokens`: who may come in.
//!
//! Holders of the role `owner` see, issue and revoke all tokens; everybody else their own.

use axum::Json as Answer;
use axum::extract::{Path, State};
use http::StatusCode;
use polity_constitution::OWNER;
use polity_kernel::{Actor, TokenError, TokenInfo};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::page::Page;
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::Json;

/// A token without its secret.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenView {
    /// Its name for revoking it.
    id: Uuid,
    /// Who its holder is.
    actor: String,
    /// What it is for, in somebody's words.
    label: String,
    /// When it was issued.
    created_ms: u64,
    /// Who issued it.
    issued_by: String,
}

/// A token to be made.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TokenBody {
    /// Who its holder will be, an actor of the charter; the caller where it is absent.
    #[serde(default)]
    #[schema(example = "agent:assistant")]
    actor: Option<String>,
    /// What it is for.
    #[serde(default)]
    #[schema(example = "build server")]
    label: String,
}

/// A token, shown this once.
#[derive(Serialize, ToSchema)]
pub(crate) struct IssuedToken {
    /// What to send as `Authorization: Bearer …`.
    token: String,
    /// Its holder.
    actor: String,
    /// What it is for.
    label: String,
}

/// List tokens
#[utoipa::path(
    get,
    path = "/api/tokens",
    tag = "access",
    responses(
        (status = 200, description = "The tokens in force, oldest first; those of the caller, or all for an owner.", body = Page<TokenView>),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_tokens(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Answer<Page<TokenView>> {
    let items = app
        .kernel
        .tokens()
        .into_iter()
        .filter(|token| may_manage(&actor, &token.actor))
        .map(view)
        .collect();
    Answer(Page { items, next: None })
}

/// Issue a token
#[utoipa::path(
    post,
    path = "/api/tokens",
    tag = "access",
    request_body = TokenBody,
    responses(
        (status = 201, description = "The token. It is not shown again.", body = IssuedToken),
        (status = 400, description = "There is no such actor, or the label is too long.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only an owner issues tokens for somebody else.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn issue_token(
    State(app): State<App>,
    Caller(caller): Caller,
    Json(TokenBody { actor, label }): Json<TokenBody>,
) -> Result<(StatusCode, Answer<IssuedToken>), Fault> {
    let actor = actor.unwrap_or_else(|| caller.id.clone());
    manageable(&caller, &actor)?;
    let token = app
        .kernel
        .issue_token(&caller.id, &actor, &label)
        .await
        .map_err(failed)?;
    Ok((
        StatusCode::CREATED,
        Answer(IssuedToken {
            token,
            actor,
            label,
        }),
    ))
}

/// Revoke a token
#[utoipa::path(
    delete,
    path = "/api/tokens/{id}",
    tag = "access",
    params(("id" = Uuid, Path, description = "The token's id.")),
    responses(
        (status = 204, description = "It opens nothing any more."),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such token, or it is somebody else's.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn revoke_token(
    State(app): State<App>,
    Caller(caller): Caller,
    Path(id): Path<String>,
) -> Result<StatusCode, Fault> {
    let unknown = || Fault::new(Kind::NotFound, format!("there is no token {id}"));
    let id: Uuid = id.parse().map_err(|_| unknown())?;
    let known = app.kernel.tokens().into_iter().find(|token| token.id == id);
    // Whether somebody else's token exists is nobody's business.
    if !known.is_some_and(|token| may_manage(&caller, &token.actor)) {
        return Err(unknown());
    }
    app.kernel
        .revoke_token(&caller.id, id)
        .await
        .map_err(failed)?;
    Ok(StatusCode::NO_CONTENT)
}

fn may_manage(caller: &Actor, actor: &str) -> bool {
    caller.id == actor || caller.roles.iter().any(|role| role == OWNER)
}

fn manageable(caller: &Actor, actor: &str) -> Result<(), Fault> {
    if may_manage(caller, actor) {
        return Ok(());
    }
    let detail = format!(
        "{} may issue tokens for itself only; ask a person with the role `{OWNER}`",
        caller.id
    );
    Err(Fault::new(Kind::Forbidden, detail))
}

fn failed(error: TokenError) -> Fault {
    match error {
        TokenError::UnknownActor { .. } => {
            Fault::new(Kind::Invalid, error.to_string()).pointing("/actor")
        }
        TokenError::Label => Fault::new(Kind::Invalid, error.to_string()).pointing("/label"),
        TokenError::Unknown(_) => Fault::new(Kind::NotFound, error.to_string()),
        error => Fault::internal(error),
    }
}

fn view(token: TokenInfo) -> TokenView {
    let TokenInfo {
        id,
        actor,
        label,
        created_ms,
        issued_by,
        ..
    } = token;
    TokenView {
        id,
        actor,
        label,
        created_ms,
        issued_by,
    }
}
