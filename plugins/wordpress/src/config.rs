//! The sites of the company.

use std::collections::BTreeMap;

use polity_sdk::{Problem, problem};
use serde::Deserialize;
use serde_json::{Value, json};

/// The plugin's configuration; `polity.json` documents each field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct WordPress {
    pub(crate) sites: BTreeMap<String, Place>,
    pub(crate) timeout_ms: Option<u32>,
}

/// Where a site is.
#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    pub(crate) url: String,
    pub(crate) key_meta: Option<String>,
}

/// The part of every input that says which site is meant.
#[derive(Deserialize)]
pub(crate) struct Named {
    pub(crate) site: Option<String>,
}

impl WordPress {
    /// The site of a name; without a name the only one there is.
    pub(crate) fn site(&self, name: Option<&str>) -> Result<(&str, &Place), Problem> {
        let known: Vec<&str> = self.sites.keys().map(String::as_str).collect();
        let found = match name {
            Some(name) => self.sites.get_key_value(name),
            None if known.len() == 1 => self.sites.iter().next(),
            None => None,
        };
        if let Some((name, place)) = found {
            return Ok((name, place));
        }
        let fix =
            "add to wordpress.grant.toml:\n[config.sites.NAME]\nurl = \"https://NAME.example\"";
        let (code, why) = match name {
            _ if known.is_empty() => ("not-found", format!("no site is configured; {fix}")),
            Some(name) => (
                "not-found",
                format!(
                    "there is no site `{name}`, only {}; {}",
                    known.join(", "),
                    fix.replace("NAME", name)
                ),
            ),
            None => (
                "invalid",
                format!("say which `site` is meant: {}", known.join(", ")),
            ),
        };
        Err(problem(code, why))
    }

    pub(crate) fn listed(&self) -> Value {
        let sites = self.sites.iter();
        let sites: Vec<Value> = sites
            .map(|(name, place)| json!({ "site": name, "url": place.url }))
            .collect();
        json!({ "sites": sites })
    }
}
