//! Whether the host lives, and whether it is ready for work.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use super::App;

/// Whether the host is ready, and what it waits for.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readiness {
    /// Whether all of it holds.
    ready: bool,
    /// Work is taken.
    accepting: bool,
    /// The ledger can be read.
    ledger: bool,
}

/// Does the host live
#[utoipa::path(get, path = "/livez", tag = "operation", security(()), responses((status = 200, description = "It does.", body = String, content_type = "text/plain")))]
pub(crate) async fn get_livez() -> &'static str {
    "ok\n"
}

/// Is the host ready for work
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "operation",
    security(()),
    responses(
        (status = 200, description = "It is.", body = Readiness),
        (status = 503, description = "It is not, or no more: it starts or ends.", body = Readiness),
    ),
)]
pub(crate) async fn get_readyz(State(app): State<App>) -> Response {
    let accepting = !app.is_draining();
    let ledger = app.kernel.ledger().head().is_ok();
    // What lay in the plugin folder when the host started has been read before anything was served, be it nothing.
    let ready = accepting && ledger;
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        axum::Json(Readiness {
            ready,
            accepting,
            ledger,
        }),
    )
        .into_response()
}
