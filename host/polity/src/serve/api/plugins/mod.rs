//! `/api/plugins`: what runs in the sandbox, and the orders that change it.
//!
//! An order is on record, with whoever gave it, before it is carried out; what came of it is the runtime's to record.

mod upload;
mod view;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::{FromRequest, Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use polity_constitution::Permission;
use polity_kernel::Actor;
use polity_ledger::{Commit, Event};
use polity_runtime::digest::Digest;
use polity_runtime::registry::{Entry, OrderError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::page::{Parameters, Query};
use crate::serve::auth::Caller;
use crate::serve::body;
use crate::serve::fault::{Fault, Kind, Problem};
use crate::serve::json::parse;
use crate::serve::{App, blocking};
use upload::{Upload, UploadForm};

pub(crate) use view::{InspectionView, PluginDetail, PluginView, Serving};

/// The plugins of one moment.
#[derive(Serialize, ToSchema)]
pub(crate) struct Plugins {
    /// Counts up by one for each change.
    generation: u64,
    /// By name.
    items: Vec<PluginView>,
}

/// Where to go back to.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollbackBody {
    /// The digest of a kept version; the newest before the present one where it is absent.
    #[serde(default)]
    #[schema(value_type = Option<String>, pattern = r"^sha256:[0-9a-f]{64}$", example = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    to: Option<Digest>,
}

/// What a checked file would be called.
#[derive(Deserialize)]
pub(crate) struct CheckQuery {
    name: Option<String>,
}

impl Parameters for CheckQuery {
    const NAMES: &'static [&'static str] = &["name"];
}

/// List plugins
#[utoipa::path(
    get,
    path = "/api/plugins",
    tag = "plugins",
    responses(
        (status = 200, description = "Every name in the plugin folder.", body = Plugins),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn list_plugins(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<Plugins>, Fault> {
    caller.allowed(Permission::PluginsRead)?;
    let current = app.kernel.runtime().current();
    let items = current
        .entries()
        .map(|entry| PluginView::of(entry))
        .collect();
    Ok(Answer(Plugins {
        generation: current.number(),
        items,
    }))
}

/// Read a plugin
#[utoipa::path(
    get,
    path = "/api/plugins/{name}",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name.")),
    responses(
        (status = 200, description = "The plugin.", body = PluginDetail),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such plugin.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_plugin(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Answer<PluginDetail>, Fault> {
    caller.allowed(Permission::PluginsRead)?;
    detail(&app, name).await.map(Answer)
}

/// Install a plugin
///
/// Puts it into the plugin folder and loads it; the version before serves until this one does. A version that is refused
/// is not put there. One whose wants are not granted is put there and waits: its `state` is `pending`.
#[utoipa::path(
    put,
    path = "/api/plugins/{name}",
    tag = "plugins",
    params(
        ("name" = String, Path, description = "The plugin's name: lower-case letters, digits, `-` and `_`."),
        ("x-polity-grant" = Option<String>, Header, description = "With a body that is the component alone: the grant file in base64."),
        ("x-polity-signature" = Option<String>, Header, description = "With a body that is the component alone: the signature file in base64."),
    ),
    request_body(content((UploadForm = "multipart/form-data"), (String = "application/wasm"))),
    responses(
        (status = 200, description = "It replaced a version.", body = PluginView),
        (status = 201, description = "It is new.", body = PluginView),
        (status = 400, description = "The name or the form is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is longer than 64 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The plugin is refused; `refusal` says why, for programs.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn install_plugin(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<(StatusCode, Answer<PluginView>), Fault> {
    let actor = caller.allowed(Permission::PluginsManage)?;
    let Upload {
        wasm,
        grant,
        signature,
    } = upload(request, &app).await?;
    let is_new = app.kernel.runtime().current().entry(&name).is_none();
    let facts = json!({ "digest": Digest::of(&wasm), "with_grant": grant.is_some(), "signed": signature.is_some() });
    let kernel = app.kernel.clone();
    let view = order(&app, &actor, "install", name, facts, move |name| {
        kernel
            .runtime()
            .install(name, &wasm, grant.as_deref(), signature.as_deref())
    });
    Ok((
        if is_new {
            StatusCode::CREATED
        } else {
            StatusCode::OK
        },
        Answer(view.await?),
    ))
}

/// Remove a plugin
///
/// Calls in progress finish. Its grant file stays, with the operator's decisions.
#[utoipa::path(
    delete,
    path = "/api/plugins/{name}",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such plugin.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn remove_plugin(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<StatusCode, Fault> {
    let actor = caller.allowed(Permission::PluginsManage)?;
    remove(&app, &actor, name)
        .await
        .map(|()| StatusCode::NO_CONTENT)
}

/// Read a plugin's grant file
#[utoipa::path(
    get,
    path = "/api/plugins/{name}/grant",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name.")),
    responses(
        (status = 200, description = "The file; empty where there is none. It names secrets and does not hold them.", body = String, content_type = "application/toml"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such plugin.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_grant(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
) -> Result<Response, Fault> {
    caller.allowed(Permission::PluginsRead)?;
    let grant = grant_text(&app, &name).await?;
    Ok(([(CONTENT_TYPE, "application/toml; charset=utf-8")], grant).into_response())
}

/// Replace a plugin's grant file
///
/// And load the plugin again, under it.
#[utoipa::path(
    put,
    path = "/api/plugins/{name}/grant",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name.")),
    request_body(content = String, content_type = "application/toml"),
    responses(
        (status = 200, description = "The plugin under its new grant.", body = PluginView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such plugin.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The plugin is refused under this grant, which is not kept.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn set_grant(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Answer<PluginView>, Fault> {
    let actor = caller.allowed(Permission::PluginsManage)?;
    let (head, body) = request.into_parts();
    let grant = body::read(&head.headers, body, body::SMALL).await?;
    let grant = String::from_utf8(grant.into())
        .map_err(|_| Fault::new(Kind::Invalid, "the grant is not UTF-8"))?;
    grant_to(&app, &actor, name, grant).await.map(Answer)
}

/// Roll a plugin back
#[utoipa::path(
    post,
    path = "/api/plugins/{name}/rollback",
    tag = "plugins",
    params(("name" = String, Path, description = "The plugin's name.")),
    request_body(content = Option<RollbackBody>),
    responses(
        (status = 200, description = "The plugin, of the earlier version.", body = PluginView),
        (status = 400, description = "The body is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such plugin, and never was.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "No earlier version is kept, or not this one.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn roll_back_plugin(
    State(app): State<App>,
    caller: Caller,
    Path(name): Path<String>,
    request: Request,
) -> Result<Answer<PluginView>, Fault> {
    let actor = caller.allowed(Permission::PluginsManage)?;
    let (head, body) = request.into_parts();
    let body = body::read(&head.headers, body, body::SMALL).await?;
    let body: Option<RollbackBody> = if body.is_empty() { None } else { parse(&body)? };
    let RollbackBody { to } = body.unwrap_or_default();
    roll_back(&app, &actor, name, to).await.map(Answer)
}

/// Check a plugin
///
/// What would come of installing a file, without changing anything.
#[utoipa::path(
    post,
    path = "/api/plugins/check",
    tag = "plugins",
    params(("name" = Option<String>, Query, description = "What it would be called; what its manifest says where it is absent.")),
    request_body(content((UploadForm = "multipart/form-data"), (String = "application/wasm"))),
    responses(
        (status = 200, description = "What would come of it; that it would be refused is told in the answer.", body = InspectionView),
        (status = 400, description = "The form is not valid.", body = Problem, content_type = "application/problem+json"),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "It is longer than 64 MiB.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is of another kind.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(in crate::serve) async fn check_plugin(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<CheckQuery>,
    request: Request,
) -> Result<Answer<InspectionView>, Fault> {
    // Checking compiles, which is work enough to want the manager's permission for.
    caller.allowed(Permission::PluginsManage)?;
    let Upload {
        wasm,
        grant,
        signature,
    } = upload(request, &app).await?;
    let name = query.name.unwrap_or_else(|| "plugin".to_owned());
    let inspection = blocking(move || {
        app.kernel
            .runtime()
            .inspect(&name, &wasm, grant.as_deref(), signature.as_deref())
    });
    Ok(Answer(InspectionView::of(&inspection.await?)))
}

/// A plugin with its kept versions.
pub(crate) async fn detail(app: &App, name: String) -> Result<PluginDetail, Fault> {
    let entry = entry(app, &name)?;
    let kernel = app.kernel.clone();
    let versions = blocking(move || kernel.runtime().versions(&name)).await?;
    Ok(PluginDetail {
        plugin: PluginView::of(&entry),
        versions: versions.iter().map(ToString::to_string).collect(),
    })
}

/// The grant file of a plugin; empty where there is none.
pub(crate) async fn grant_text(app: &App, name: &str) -> Result<String, Fault> {
    // A name that the registry knows is a plain one, so it leads out of no folder.
    let entry = entry(app, name)?;
    let path = app
        .kernel
        .runtime()
        .folder()
        .join(format!("{}.grant.toml", entry.name));
    match tokio::fs::read_to_string(path).await {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
        Err(error) => Err(Fault::internal(error)),
    }
}

/// Replaces a plugin's grant file.
pub(crate) async fn grant_to(
    app: &App,
    actor: &Actor,
    name: String,
    grant: String,
) -> Result<PluginView, Fault> {
    let kernel = app.kernel.clone();
    let facts = json!({ "grant_digest": Digest::of(grant.as_bytes()) });
    order(app, actor, "grant", name, facts, move |name| {
        kernel.runtime().set_grant(name, &grant)
    })
    .await
}

/// Puts an earlier version back.
pub(crate) async fn roll_back(
    app: &App,
    actor: &Actor,
    name: String,
    to: Option<Digest>,
) -> Result<PluginView, Fault> {
    let kernel = app.kernel.clone();
    order(
        app,
        actor,
        "rollback",
        name,
        json!({ "to": to }),
        move |name| kernel.runtime().roll_back(name, to),
    )
    .await
}

/// Takes a plugin out of the folder.
pub(crate) async fn remove(app: &App, actor: &Actor, name: String) -> Result<(), Fault> {
    entry(app, &name)?;
    record(app, actor, "remove", &name, json!({})).await?;
    let kernel = app.kernel.clone();
    blocking(move || kernel.runtime().remove(&name))
        .await?
        .map_err(refused)
}

async fn upload(request: Request, app: &App) -> Result<Upload, Fault> {
    Upload::from_request(request, app).await
}

fn entry(app: &App, name: &str) -> Result<Arc<Entry>, Fault> {
    let current = app.kernel.runtime().current();
    current
        .entry(name)
        .cloned()
        .ok_or_else(|| refused(OrderError::Unknown(name.to_owned())))
}

/// Records an order and carries it out.
async fn order(
    app: &App,
    actor: &Actor,
    verb: &'static str,
    name: String,
    facts: Value,
    work: impl FnOnce(&str) -> Result<Arc<Entry>, OrderError> + Send + 'static,
) -> Result<PluginView, Fault> {
    record(app, actor, verb, &name, facts).await?;
    let entry = blocking(move || work(&name)).await?.map_err(refused)?;
    Ok(PluginView::of(&entry))
}

async fn record(
    app: &App,
    actor: &Actor,
    verb: &'static str,
    name: &str,
    facts: Value,
) -> Result<(), Fault> {
    if app.is_draining() {
        return Err(Fault::new(
            Kind::Draining,
            "the host is about to end and takes no orders",
        ));
    }
    let data = json!({ "order": verb, "by": actor.id, "facts": facts });
    let event = Event::new("plugin.ordered", "/api", format!("plugin/{name}"), data);
    match app.kernel.ledger().commit(Commit::new().event(event)).await {
        Ok(_) => Ok(()),
        // A name that no event can hold is none that a plugin can have.
        Err(polity_ledger::CommitError::Invalid(_)) => {
            Err(refused(OrderError::Name(name.to_owned())))
        }
        Err(error) => Err(Fault::internal(error)),
    }
}

fn refused(error: OrderError) -> Fault {
    match error {
        OrderError::Unknown(_) => Fault::new(Kind::NotFound, error.to_string()),
        OrderError::Name(_) => Fault::new(Kind::Invalid, error.to_string()),
        OrderError::NoEarlierVersion(_) => Fault::new(Kind::Conflict, error.to_string()),
        OrderError::Refused(refusal) => {
            Fault::new(Kind::PluginRefused, refusal.to_string()).with("refusal", refusal.code())
        }
        OrderError::Io(_) => Fault::internal(error),
    }
}
