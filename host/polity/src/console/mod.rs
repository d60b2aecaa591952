//! The pages for people: what needs them, what was decided, what runs, what happened.
//!
//! Every page is plain HTML that works without a script. Two small libraries make it live: a stream of nudges says that
//! something has changed, and the part of the page that shows it is fetched anew from the page's own address. So there is
//! one way in which anything is rendered, and no state in the browser.

mod amendments;
mod assets;
mod cost;
mod decisions;
mod events;
mod form;
mod inbox;
mod ledger;
mod login;
mod page;
mod plugins;
mod runs;
mod same_site;
mod schema;
mod sessions;
mod spending;
mod text;
mod today;
mod visitor;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use polity_kernel::TokenInfo;

use crate::serve::App;

pub(crate) use sessions::{LINK_MS, Sessions};

/// The path of a link that opens the console once, as the token's holder and for as long as it is in force.
pub(crate) fn link(app: &App, token: Arc<TokenInfo>) -> String {
    format!("/login?token={}", app.sessions.invite(token, app.now_ms()))
}

/// Every page.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(today::show))
        .route("/inbox", get(inbox::list))
        .route("/inbox/{id}", get(inbox::show).post(inbox::decide))
        .route("/decisions", get(decisions::list))
        .route("/decisions/{id}", get(decisions::show))
        .route("/runs", get(runs::list).post(runs::begin))
        .route("/runs/{id}", get(runs::show))
        .route("/runs/{id}/cancel", post(runs::cancel))
        .route("/halts", post(runs::halt))
        .route("/halts/lift", post(runs::lift))
        .route("/amendments", get(amendments::list))
        .route("/amendments/{name}", get(amendments::show))
        .route("/amendments/{name}/vote", post(amendments::vote))
        .route("/amendments/{name}/comment", post(amendments::comment))
        .route("/amendments/{name}/merge", post(amendments::merge))
        .route("/schema", get(schema::list))
        .route("/schema/rehearse", post(schema::rehearse))
        .route("/schema/{id}", get(schema::show))
        .route("/schema/{id}/revert", post(schema::revert))
        .route("/cost", get(cost::show))
        .route("/plugins", get(plugins::list))
        .route("/plugins/{name}", get(plugins::show))
        .route("/plugins/{name}/grant", post(plugins::grant))
        .route("/plugins/{name}/rollback", post(plugins::roll_back))
        .route("/plugins/{name}/remove", post(plugins::remove))
        .route("/ledger", get(ledger::show))
        .route("/ledger/verify", post(ledger::verify))
        .route("/console/waiting", get(page::waiting))
        .route("/console/events", get(events::stream))
        .route("/login", get(login::open).post(login::enter))
        .route("/logout", post(login::leave))
        .route("/assets/{digest}/{name}", get(assets::get))
}
