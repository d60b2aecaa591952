//! Forms of the console.

use std::collections::BTreeMap;

use axum::extract::{FromRequest, Request};
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;

use crate::serve::{App, Fault, Kind, SMALL, read_body};

/// The fields of a form. A field that is not there is an empty one.
pub(super) struct Form(BTreeMap<String, String>);

impl Form {
    /// A field's value, without the blanks around it.
    pub(super) fn field(&self, name: &str) -> &str {
        self.0.get(name).map_or("", |value| value.trim())
    }
}

impl FromRequest<App> for Form {
    type Rejection = Response;

    async fn from_request(request: Request, _: &App) -> Result<Self, Response> {
        let (head, body) = request.into_parts();
        let kind = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default();
        if kind.split(';').next().unwrap_or_default().trim() != "application/x-www-form-urlencoded"
        {
            let fault = Fault::new(
                Kind::UnsupportedMediaType,
                "the console takes forms only; the API is under /api",
            );
            return Err(fault.into_response());
        }
        let body = read_body(&head.headers, body, SMALL)
            .await
            .map_err(IntoResponse::into_response)?;
        // Browsers send line breaks as carriage return and line feed.
        let fields = url::form_urlencoded::parse(&body);
        Ok(Self(
            fields
                .map(|(name, value)| (name.into_owned(), value.replace("\r\n", "\n")))
                .collect(),
        ))
    }
}
