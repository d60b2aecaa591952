//! A company's sites that run WordPress: what is published there, and with which plugins, by whom.
//!
//! One connector serves all sites of a company. A workflow names the site in the input of an operation, so one protocol
//! publishes on any of them; which sites there are, and whose application password opens each, is the operator's, in one
//! grant file.
//!
//! WordPress does not recognise a repetition. Operations that create do, by looking first: see [`posts`] for how.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod config;
mod failure;
mod manage;
mod mark;
mod media;
mod operations;
pub mod posts;
mod site;

use polity_sdk::connector::{Connector, Operation};
use polity_sdk::{Problem, parse, problem};
use polity_wire::{Host, Transport};
use serde::de::DeserializeOwned;
use serde_json::Value;

pub use config::WordPress;
use site::Site;

polity_sdk::manifest!("polity.json");
polity_sdk::export_connector!(Plugin);

/// The plugin, inside a host.
pub struct Plugin;

impl Connector for Plugin {
    fn operations() -> Vec<Operation> {
        operations::all()
    }

    fn call(operation: String, input: String, key: String) -> Result<String, Problem> {
        let config = polity_sdk::config::<WordPress>()?;
        config
            .call(&operation, &input, &key, &Host)
            .map(|output| output.to_string())
    }
}

impl WordPress {
    /// Performs an operation. `key` is the same for every attempt at the same effect.
    pub fn call(
        &self,
        operation: &str,
        input: &str,
        key: &str,
        transport: &impl Transport,
    ) -> Result<Value, Problem> {
        fn read<T: DeserializeOwned>(input: &str) -> Result<T, Problem> {
            parse(input)
        }
        if operation == "list-sites" {
            return Ok(self.listed());
        }
        if !operations::is_known(operation) {
            return Err(problem(
                "not-found",
                format!("there is no operation `{operation}`"),
            ));
        }
        let named: config::Named = read(input)?;
        let (name, place) = self.site(named.site.as_deref())?;
        let site = Site {
            name,
            url: place.url.trim_end_matches('/'),
            key_meta: place.key_meta.as_deref(),
            timeout_ms: self.timeout_ms,
            transport,
        };
        match operation {
            "list-posts" => posts::list(&site, &read(input)?),
            "get-post" => posts::get(&site, read::<posts::One>(input)?.id),
            "create-post" => posts::create(&site, read(input)?, key),
            "update-post" => posts::update(&site, read(input)?),
            "trash-post" => posts::trash(&site, read::<posts::One>(input)?.id),
            "upload-media" => media::upload(&site, &read(input)?, key),
            "list-plugins" => manage::plugins(&site),
            "set-plugin" => manage::set_plugin(&site, &read(input)?),
            "list-users" => manage::users(&site, &read(input)?),
            "get-settings" => manage::settings(&site),
            _ => manage::check(&site, &read(input)?),
        }
    }
}
