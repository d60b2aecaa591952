//! `POST /api/console-links`: the way from a token to the console.

use axum::Json as Answer;
use axum::extract::State;
use http::{HeaderMap, StatusCode};
use polity_constitution::ActorKind;
use serde::Serialize;
use utoipa::ToSchema;

use crate::serve::App;
use crate::serve::auth::holder;
use crate::serve::fault::{Fault, Kind, Problem};

/// A link to the console.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConsoleLink {
    /// The path with its secret; it goes behind the host's own address and opens the console once.
    #[schema(example = "/login?token=…")]
    path: String,
    /// How long it is good for.
    expires_in_ms: u64,
}

/// Make a link to the console
///
/// For the caller, who must be a person. The link is good once and for an hour, and what it opens ends when the caller's
/// token is revoked.
#[utoipa::path(
    post,
    path = "/api/console-links",
    tag = "access",
    responses(
        (status = 201, description = "The link.", body = ConsoleLink),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The console is for people.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn make_link(
    State(app): State<App>,
    headers: HeaderMap,
) -> Result<(StatusCode, Answer<ConsoleLink>), Fault> {
    let (actor, token) = holder(&app.kernel, &headers)?;
    let constitution = app.kernel.constitution();
    let kind = constitution
        .charter()
        .actor(&actor.id)
        .map(|actor| actor.kind);
    if kind != Some(ActorKind::Person) {
        return Err(Fault::new(
            Kind::Forbidden,
            format!("the console is for people, and {} is none", actor.id),
        ));
    }
    let path = crate::console::link(&app, token);
    Ok((
        StatusCode::CREATED,
        Answer(ConsoleLink {
            path,
            expires_in_ms: crate::console::LINK_MS,
        }),
    ))
}
