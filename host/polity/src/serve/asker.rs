//! Whoever asks a model for something, on whichever surface.

use std::sync::Arc;

use axum::extract::Request;
use bytes::Bytes;
use http::HeaderMap;
use polity_constitution::Permission;
use polity_kernel::Actor;

use super::App;
use super::auth::{authenticate, require};
use super::body;
use super::fault::Fault;

/// One who may ask, and what he sent.
pub(crate) struct Asker {
    pub(crate) actor: Arc<Actor>,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Asker {
    /// Finds out who asks and whether he may, and only then reads what he sends.
    pub(crate) async fn admit(app: &App, request: Request) -> Result<Self, Fault> {
        let (head, body) = request.into_parts();
        let actor = authenticate(&app.kernel, &head.headers)?;
        require(&actor, Permission::CompletionsCreate)?;
        Ok(Self {
            actor,
            body: body::read(&head.headers, body, body::CONVERSATION).await?,
            headers: head.headers,
        })
    }
}
