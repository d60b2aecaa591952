//! A running host, as a command finds it and talks to it.

mod client;
mod problem;

pub(crate) use client::{Body, DECISION, Host, broken, http_client};

use std::path::Path;

use clap::Args;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::place::PlaceArgs;
use super::presence::{Server, owner_token};
use super::report::Report;

/// Where the host is, as it was given or not.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct HostArgs {
    /// The host's address [default: as `polity up` left it in the data folder]
    #[arg(
        long,
        value_name = "URL",
        env = "POLITY_URL",
        hide_env = true,
        global = true,
        hide_short_help = true,
        help_heading = "Place"
    )]
    pub(crate) url: Option<String>,
}

/// The environment variable for a token. It is no option: arguments are seen by every user of a machine.
pub(crate) const TOKEN: &str = "POLITY_TOKEN";

/// The host that the arguments mean.
pub(crate) fn find(host: &HostArgs, place: &PlaceArgs) -> Result<Host, Report> {
    let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
    if let Some(url) = &host.url {
        // The owner's token goes to the host that wrote it and to no other.
        let own = || {
            let data = place.data().ok()?;
            let server = Server::read(&data)?;
            (server.url.trim_end_matches('/') == url.trim_end_matches('/'))
                .then(|| owner_token(&data))
                .flatten()
        };
        return Host::new(url, token.or_else(own), None);
    }
    let data = place.data()?;
    let server = Server::read(&data).ok_or_else(|| not_running(&data))?;
    let token = token.or_else(|| owner_token(&data));
    let url = server.url.clone();
    Host::new(&url, token, Some(server))
}

/// Nothing says that a host runs here.
pub(crate) fn not_running(data: &Path) -> Report {
    Report::new("no host is running")
        .because(format!(
            "{} is not there",
            data.join("server.json").display()
        ))
        .hint("start one: polity up")
        .hint("or name another one: --data DIR or --url URL")
}

/// What an answer says, as the type that the host wrote it from.
pub(crate) fn read<T: DeserializeOwned>(answer: &Value) -> Result<T, Report> {
    T::deserialize(answer).map_err(|error| {
        Report::new("the host's answer is not understood")
            .because(error)
            .hint("is the host of another version? compare `polity status` with `polity --version`")
    })
}

/// The rows of a list: a page of ours, or a list of the OpenAI form.
pub(crate) fn rows(answer: &Value) -> &[Value] {
    let array = ["items", "data"]
        .iter()
        .find_map(|name| answer[*name].as_array());
    array.map(Vec::as_slice).unwrap_or_default()
}

/// The rows of a list, as the type that the host wrote them from.
pub(crate) fn read_list<T: DeserializeOwned>(answer: &Value) -> Result<Vec<T>, Report> {
    rows(answer).iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_host_runs_it_is_said_how_to_start_or_find_one() {
        insta::assert_snapshot!(not_running(Path::new("protocols/.polity")).seen(), @"
        error: no host is running
          because: protocols/.polity/server.json is not there
          hint: start one: polity up
          hint: or name another one: --data DIR or --url URL
        ");
    }

    #[test]
    fn an_answer_of_another_version_is_not_guessed_at() {
        let seen = read::<u64>(&serde_json::json!({"a": 1}))
            .unwrap_err()
            .seen();
        insta::assert_snapshot!(seen, @"
        error: the host's answer is not understood
          because: invalid type: map, expected u64
          hint: is the host of another version? compare `polity status` with `polity --version`
        ");
    }
}
