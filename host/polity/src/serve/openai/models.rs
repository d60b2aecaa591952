//! `GET /v1/models`: what can be asked.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use polity_constitution::Permission;
use polity_kernel::{CompleteError, ModelEntry};

use super::schema::{Model, ModelList, ModelPolity};
use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::failure;
use crate::serve::fault::{Fault, Kind, OpenAiError};

/// List the models
///
/// Providers whose list is older than half a minute are asked again.
#[utoipa::path(
    get,
    path = "/v1/models",
    tag = "openai",
    responses(
        (status = 200, description = "Every model that can be asked now.", body = ModelList),
        (status = 401, description = "Who asks is not known.", body = OpenAiError),
        (status = 403, description = "The permission is missing.", body = OpenAiError),
    ),
)]
pub(crate) async fn list_models(State(app): State<App>, caller: Result<Caller, Fault>) -> Response {
    match models(&app, caller).await {
        Ok(data) => axum::Json(ModelList {
            object: "list",
            data,
        })
        .into_response(),
        Err(fault) => fault.into_openai(),
    }
}

/// Read a model
#[utoipa::path(
    get,
    path = "/v1/models/{id}",
    tag = "openai",
    params(("id" = String, Path, description = "The model's id.")),
    responses(
        (status = 200, description = "The model.", body = Model),
        (status = 401, description = "Who asks is not known.", body = OpenAiError),
        (status = 403, description = "The permission is missing.", body = OpenAiError),
        (status = 404, description = "There is no such model.", body = OpenAiError),
    ),
)]
pub(crate) async fn get_model(
    State(app): State<App>,
    caller: Result<Caller, Fault>,
    Path(id): Path<String>,
) -> Response {
    find(&app, caller, &id).await
}

/// Read a model behind its plugin's name
#[utoipa::path(
    get,
    path = "/v1/models/{plugin}/{id}",
    tag = "openai",
    params(
        ("plugin" = String, Path, description = "The adapter's name, or the first part of an id with a slash."),
        ("id" = String, Path, description = "The rest of the model's id."),
    ),
    responses(
        (status = 200, description = "The model.", body = Model),
        (status = 401, description = "Who asks is not known.", body = OpenAiError),
        (status = 403, description = "The permission is missing.", body = OpenAiError),
        (status = 404, description = "There is no such model.", body = OpenAiError),
    ),
)]
pub(crate) async fn get_model_of_plugin(
    State(app): State<App>,
    caller: Result<Caller, Fault>,
    Path((plugin, id)): Path<(String, String)>,
) -> Response {
    find(&app, caller, &format!("{plugin}/{id}")).await
}

async fn find(app: &App, caller: Result<Caller, Fault>, name: &str) -> Response {
    let models = match models(app, caller).await {
        Ok(models) => models,
        Err(fault) => return fault.into_openai(),
    };
    let is_named = |model: &&Model| {
        model.id == name || name.split_once('/') == Some((&model.owned_by, &model.id))
    };
    match models.iter().find(is_named) {
        Some(model) => axum::Json(model).into_response(),
        None => {
            let known = models.iter().map(|model| model.id.as_str());
            let near = crate::serve::json::nearest(name, known)
                .map(str::to_owned)
                .into_iter()
                .collect();
            failure::fault(CompleteError::UnknownModel {
                asked: name.to_owned(),
                near,
                out: Vec::new(),
            })
            .into_openai()
        }
    }
}

async fn models(app: &App, caller: Result<Caller, Fault>) -> Result<Vec<Model>, Fault> {
    caller?.allowed(Permission::CompletionsCreate)?;
    if app.is_draining() {
        return Err(Fault::new(Kind::Draining, "the host is about to end"));
    }
    let models = app.kernel.models().await;
    let together = app.kernel.arrangements().into_iter().map(several);
    Ok(models
        .iter()
        .map(|entry| model(entry))
        .chain(together)
        .collect())
}

/// A council or a cascade: what it takes and costs is its members' to say.
fn several(name: String) -> Model {
    Model {
        id: name,
        object: "model",
        created: 0,
        owned_by: "polity".to_owned(),
        polity: ModelPolity {
            context_tokens: 0,
            max_output_tokens: 0,
            abilities: vec!["chat".to_owned()],
            input_price: 0,
            output_price: 0,
            region: None,
            local: false,
        },
    }
}

fn model(entry: &ModelEntry) -> Model {
    let info = &entry.info;
    Model {
        id: info.id.clone(),
        object: "model",
        created: 0,
        owned_by: entry.plugin.to_string(),
        polity: ModelPolity {
            context_tokens: info.context_tokens,
            max_output_tokens: info.max_output_tokens,
            abilities: info.abilities.clone(),
            input_price: info.input_price,
            output_price: info.output_price,
            region: info.region.clone(),
            local: info.local,
        },
    }
}
