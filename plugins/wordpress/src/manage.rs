//! The site itself: its plugins, its users, its settings, and whether it is well.

use polity_sdk::Problem;
use polity_wire::Transport;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::site::Site;

/// A plugin of a site, to be switched.
#[derive(Deserialize)]
pub(crate) struct Switch {
    plugin: String,
    active: bool,
}

/// Which users.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Who {
    role: Option<String>,
    search: Option<String>,
    page: Option<u32>,
}

/// What is looked at.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Checks {
    tests: Vec<String>,
}

pub(crate) fn plugins<T: Transport>(site: &Site<'_, T>) -> Result<Value, Problem> {
    let (plugins, ..) = site.get("wp/v2/plugins", &[])?.list(site.name)?;
    let plugins: Vec<Value> = plugins.iter().map(plugin).collect();
    Ok(json!({ "plugins": plugins }))
}

/// Switching on what is on changes nothing, so this may be repeated.
pub(crate) fn set_plugin<T: Transport>(
    site: &Site<'_, T>,
    switch: &Switch,
) -> Result<Value, Problem> {
    let status = if switch.active { "active" } else { "inactive" };
    let path = format!("wp/v2/plugins/{}", switch.plugin);
    let answer = site.post(&path, &json!({ "status": status }))?;
    Ok(plugin(&answer.body))
}

pub(crate) fn users<T: Transport>(site: &Site<'_, T>, who: &Who) -> Result<Value, Problem> {
    let mut query = vec![
        ("context", "edit".to_owned()),
        ("per_page", "100".to_owned()),
        ("page", who.page.unwrap_or(1).to_string()),
    ];
    query.extend(who.role.clone().map(|role| ("roles", role)));
    query.extend(who.search.clone().map(|search| ("search", search)));
    let (users, total, pages) = site.get("wp/v2/users", &query)?.list(site.name)?;
    let users: Vec<Value> = users.iter().map(user).collect();
    Ok(json!({ "users": users, "total": total, "pages": pages }))
}

pub(crate) fn settings<T: Transport>(site: &Site<'_, T>) -> Result<Value, Problem> {
    Ok(site.get("wp/v2/settings", &[])?.body)
}

/// Whether the site answers, as whom, and what its own health checks say.
pub(crate) fn check<T: Transport>(site: &Site<'_, T>, checks: &Checks) -> Result<Value, Problem> {
    let fields = "name,description,url,home,timezone_string,namespaces";
    let about = site.get("", &[("_fields", fields.to_owned())])?.body;
    let me = site
        .get("wp/v2/users/me", &[("context", "edit".to_owned())])?
        .body;
    let mut tests = Vec::new();
    for test in &checks.tests {
        let found = site
            .get(&format!("wp-site-health/v1/tests/{test}"), &[])?
            .body;
        tests.push(json!({
            "test": test, "status": found["status"], "label": found["label"],
        }));
    }
    Ok(json!({
        "name": about["name"],
        "url": about["home"],
        "timezone": about["timezone_string"],
        "namespaces": about["namespaces"],
        "user": user(&me),
        "tests": tests,
    }))
}

fn plugin(plugin: &Value) -> Value {
    json!({
        "plugin": plugin["plugin"],
        "name": plugin["name"],
        "version": plugin["version"],
        "active": plugin["status"] != "inactive",
    })
}

fn user(user: &Value) -> Value {
    json!({
        "id": user["id"],
        "username": user["username"],
        "name": user["name"],
        "email": user["email"],
        "roles": user["roles"],
        "registered": user["registered_date"],
    })
}
