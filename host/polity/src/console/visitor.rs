//! Whoever looks at a page, known by the session's cookie.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Redirect, Response};
use http::header::COOKIE;
use http::request::Parts;
use http::{HeaderMap, Method, StatusCode};
use polity_constitution::Permission;
use polity_kernel::{Actor, TokenInfo};

use super::{page, same_site};
use crate::serve::{App, Fault, Kind, require};

/// The cookie's name.
pub(super) const COOKIE_NAME: &str = "polity_session";

/// A person with a session.
pub(super) struct Visitor {
    pub(super) actor: Arc<Actor>,
    /// What the session was opened with.
    pub(super) token: Arc<TokenInfo>,
}

impl Visitor {
    /// The page that says so, where no role of the visitor permits it.
    pub(super) fn lacks(&self, app: &App, permission: Permission) -> Option<Response> {
        let fault = require(&self.actor, permission).err()?;
        Some(page::fault(app, self, &fault))
    }
}

impl FromRequestParts<App> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let is_form = parts.method != Method::GET && parts.method != Method::HEAD;
        if is_form && !same_site::is_own(&parts.headers) {
            let detail = "this form was not sent from a page of this console; open the console and send it from there";
            return Err(Fault::new(Kind::CrossSite, detail).into_response());
        }
        match of(app, &parts.headers) {
            Some(visitor) => Ok(visitor),
            // A fragment or a stream has no use for a page to log in on.
            None if parts.headers.contains_key("hx-request") => {
                Err(StatusCode::UNAUTHORIZED.into_response())
            }
            None => Err(Redirect::to("/login").into_response()),
        }
    }
}

/// The visitor of a session that has not ended, if its token is still in force and its actor still in the charter.
pub(super) fn of(app: &App, headers: &HeaderMap) -> Option<Visitor> {
    let token = app.sessions.token(secret(headers)?, app.now_ms())?;
    if !app.kernel.is_in_force(token.id) {
        return None;
    }
    let actor = app.kernel.actor(&token.actor)?;
    Some(Visitor { actor, token })
}

/// The secret in the session's cookie.
pub(super) fn secret(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|cookies| cookies.to_str().ok());
    cookies
        .flat_map(|cookies| cookies.split(';'))
        .find_map(|cookie| {
            let (name, value) = cookie.trim().split_once('=')?;
            (name == COOKIE_NAME).then_some(value)
        })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_sessions_cookie_is_found_among_others() {
        let headers =
            |value: &'static str| HeaderMap::from_iter([(COOKIE, HeaderValue::from_static(value))]);
        assert_eq!(secret(&headers("polity_session=abc")), Some("abc"));
        assert_eq!(
            secret(&headers("a=b; polity_session=abc; c=d")),
            Some("abc")
        );
        assert_eq!(secret(&headers("not_polity_session=abc")), None);
        assert_eq!(secret(&HeaderMap::new()), None);
    }
}
