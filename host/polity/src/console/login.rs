//! In and out of the console.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Redirect, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, HeaderValue, StatusCode};
use maud::{Markup, html};
use polity_constitution::ActorKind;
use polity_kernel::TokenInfo;

use super::form::Form;
use super::sessions::SESSION_MS;
use super::visitor::{self, COOKIE_NAME};
use super::{page, same_site};
use crate::serve::{App, Fault, Kind};

/// `GET /login`: spends the secret of a link, or asks for a token.
pub(super) async fn open(
    State(app): State<App>,
    headers: HeaderMap,
    RawQuery(query): RawQuery,
) -> Response {
    let query = query.unwrap_or_default();
    let secret = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "token");
    match secret {
        Some((_, secret)) => match app.sessions.redeem(&secret, app.now_ms()) {
            Some(token) if app.kernel.is_in_force(token.id) => welcome(&app, token),
            Some(_) => ask(
                &app,
                StatusCode::UNAUTHORIZED,
                Some("The token that this link was made with has been revoked."),
            ),
            // Somebody who opens a used link and is in already has what they wanted.
            None if visitor::of(&app, &headers).is_some() => Redirect::to("/").into_response(),
            None => ask(
                &app,
                StatusCode::UNAUTHORIZED,
                Some("This link was used already, or it is older than an hour."),
            ),
        },
        None if visitor::of(&app, &headers).is_some() => Redirect::to("/").into_response(),
        None => ask(&app, StatusCode::OK, None),
    }
}

/// `POST /login`: a token opens a session too.
pub(super) async fn enter(State(app): State<App>, headers: HeaderMap, form: Form) -> Response {
    if !same_site::is_own(&headers) {
        return Fault::new(
            Kind::CrossSite,
            "this form was not sent from a page of this console",
        )
        .into_response();
    }
    let token = form.field("token");
    let known = app.kernel.token(token).zip(app.kernel.authenticate(token));
    let Some((token, actor)) = known else {
        return ask(
            &app,
            StatusCode::UNAUTHORIZED,
            Some("This token is not valid."),
        );
    };
    let kind = app
        .kernel
        .constitution()
        .charter()
        .actor(&actor.id)
        .map(|actor| actor.kind);
    if kind != Some(ActorKind::Person) {
        return ask(
            &app,
            StatusCode::FORBIDDEN,
            Some("This token belongs to a program. The console is for people."),
        );
    }
    welcome(&app, token)
}

/// `POST /logout`
pub(super) async fn leave(State(app): State<App>, headers: HeaderMap) -> Response {
    if !same_site::is_own(&headers) {
        return Fault::new(
            Kind::CrossSite,
            "this form was not sent from a page of this console",
        )
        .into_response();
    }
    if let Some(secret) = visitor::secret(&headers) {
        app.sessions.close(secret);
    }
    with_cookie(Redirect::to("/login").into_response(), "", 0)
}

fn welcome(app: &App, token: Arc<TokenInfo>) -> Response {
    let secret = app.sessions.open(token, app.now_ms());
    with_cookie(
        Redirect::to("/").into_response(),
        &secret,
        SESSION_MS / 1000,
    )
}

fn with_cookie(mut response: Response, secret: &str, seconds: u64) -> Response {
    let cookie =
        format!("{COOKIE_NAME}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        response.headers_mut().insert(SET_COOKIE, cookie);
    }
    response
}

fn ask(app: &App, status: StatusCode, notice: Option<&str>) -> Response {
    let constitution = app.kernel.constitution();
    let company = &constitution.charter().company().name;
    page::respond(
        status,
        &page::document("Log in", company, &door(company, notice)),
    )
}

fn door(company: &str, notice: Option<&str>) -> Markup {
    html! {
        main #main {
            section.card.door {
                h1 { (company) }
                @if let Some(notice) = notice {
                    p.notice.stop role="alert" data-testid="notice" { (notice) }
                }
                p { "A fresh link comes from " code { "polity console" } ". Or paste a token, for example the one in " code { "owner.token" } " of the data folder." }
                form.answer method="post" action="/login" {
                    label { "Token" input type="password" name="token" required autocomplete="off" autofocus data-testid="token"; }
                    div.buttons { button.first type="submit" data-testid="log-in" { "Log in" } }
                }
            }
        }
    }
}
