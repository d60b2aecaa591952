//! What a plugin says about itself and what it would like to do.
//!
//! The manifest travels inside the component, in the custom section
//! `polity:manifest`, so that a signature over the bytes covers it too. It grants
//! nothing: it is the plugin's side of a bargain whose other side is the operator's
//! [`Grant`](crate::grant::Grant). What is wanted and not granted is [`Missing`], and
//! a plugin with a missing want that is not optional is shown, but not loaded.

mod configured;
mod schema;
mod want;
mod world;

use serde::Deserialize;
use serde_json::Value;

pub use configured::ConfiguredUrl;
pub use schema::{ConfigError, ConfigSchema, MANIFEST_SCHEMA, SchemaError};
pub use want::{Capability, Missing, Want};
pub use world::{UnknownWorld, World};

/// The name of the custom section that holds the manifest.
pub const SECTION: &str = "polity:manifest";

/// The longest manifest that is read: a plugin's bytes are not trusted, and this is
/// parsed before anything else is checked.
pub const MAX_BYTES: usize = 256 * 1024;

/// What a plugin says about itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// Kebab-case; also the name of its files in the plugin folder.
    pub name: String,
    /// A semantic version.
    pub version: String,
    /// What it exports.
    pub world: World,
    /// One sentence for a list.
    pub summary: String,
    /// What it needs beyond its own memory.
    pub wants: Vec<Want>,
    /// What its `[config]` table may hold. Absent: nothing may be configured.
    pub config_schema: Option<ConfigSchema>,
}

/// Why a manifest cannot be used. Every variant names the author's next step, since
/// an operator cannot repair a component.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It is longer than [`MAX_BYTES`].
    #[error(
        "the manifest has {size} bytes, more than {MAX_BYTES}; shorten it and rebuild the plugin"
    )]
    TooLong {
        /// Its length.
        size: usize,
    },
    /// It is not JSON.
    #[error("the manifest is not JSON: {0}; correct polity.json and rebuild the plugin")]
    Syntax(#[source] serde_json::Error),
    /// It does not satisfy `manifest.schema.json`.
    #[error("the manifest is wrong: {}; correct polity.json and rebuild the plugin", .0.join("; "))]
    Invalid(Vec<String>),
    /// Its `config_schema` cannot be used.
    #[error("the manifest's config_schema is refused: {0}")]
    ConfigSchema(#[from] SchemaError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    /// For the author's editor.
    #[serde(rename = "$schema", default)]
    _schema: Option<String>,
    name: String,
    version: String,
    world: World,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    wants: Vec<Want>,
    #[serde(default)]
    config_schema: Option<Value>,
}

impl Manifest {
    /// Reads the contents of the custom section.
    pub fn parse(section: &[u8]) -> Result<Self, ManifestError> {
        if section.len() > MAX_BYTES {
            return Err(ManifestError::TooLong {
                size: section.len(),
            });
        }
        let value: Value = serde_json::from_slice(section).map_err(ManifestError::Syntax)?;
        let problems = schema::check_manifest(&value);
        if !problems.is_empty() {
            return Err(ManifestError::Invalid(problems));
        }
        let raw: Raw = serde_json::from_value(value).map_err(ManifestError::Syntax)?;
        let problems: Vec<String> = raw
            .wants
            .iter()
            .enumerate()
            .filter_map(|(i, want)| Some(format!("wants[{i}]: {}", want.check(&raw.name).err()?)))
            .collect();
        if !problems.is_empty() {
            return Err(ManifestError::Invalid(problems));
        }
        Ok(Self {
            name: raw.name,
            version: raw.version,
            world: raw.world,
            summary: raw.summary,
            wants: raw.wants,
            config_schema: raw.config_schema.map(ConfigSchema::new).transpose()?,
        })
    }

    /// What is wanted and not granted, in the manifest's order.
    pub fn missing(&self, grant: &crate::grant::Grant) -> Vec<Missing> {
        self.wants_under(&grant.config)
            .filter(|want| !want.is_granted(grant, self.world))
            .map(|want| Missing::new(&self.name, want))
            .collect()
    }

    /// What is wanted under a configuration, in the manifest's order. An empty one stands for the defaults.
    pub fn wants_under(&self, config: &Value) -> impl Iterator<Item = Want> {
        self.wants.iter().flat_map(|want| want.under(config))
    }

    /// Checks the `[config]` table of a grant. Without a `config_schema` only the empty
    /// table is right: a setting that nothing reads is a mistake worth telling.
    pub fn check_config(&self, config: &Value) -> Result<(), ConfigError> {
        match &self.config_schema {
            Some(schema) => schema.check(config),
            None => ConfigSchema::check_empty(config),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grant::Grant;

    const ADAPTER: &str = r#"{
        "name": "openai", "version": "0.1.0", "world": "model-adapter",
        "summary": "Chat and embeddings.",
        "wants": [
            {"capability": "http", "host": "api.openai.com", "methods": ["POST"], "paths": ["/v1/*"],
             "reason": "to call the models"},
            {"capability": "secret", "host": "api.openai.com", "header": "authorization",
             "template": "Bearer {}", "env": "OPENAI_API_KEY", "reason": "the key"},
            {"capability": "folder", "guest": "/cache", "write": true, "reason": "to keep answers", "optional": true},
            {"capability": "limit", "name": "memory_mb", "value": 128, "reason": "large prompts"}
        ],
        "config_schema": {"type": "object", "properties": {"region": {"enum": ["eu", "us"]}},
                          "additionalProperties": false}
    }"#;

    fn adapter() -> Manifest {
        Manifest::parse(ADAPTER.as_bytes()).unwrap()
    }

    #[test]
    fn everything_wanted_is_missing_from_an_empty_grant() {
        let missing = adapter().missing(&Grant::default());
        assert_eq!(missing.len(), 4);
        insta::assert_snapshot!(
            missing.iter().map(|m| format!("{m}\n")).collect::<String>(),
            @r#"
        "openai" wants POST to api.openai.com at /v1/*: to call the models. To allow it, add to openai.grant.toml:
        [[http]]
        host = "api.openai.com"
        methods = ["POST"]
        paths = ["/v1/*"]

        "openai" wants a credential in the header authorization for api.openai.com: the key. To allow it, add to openai.grant.toml:
        [[secret]]
        host = "api.openai.com"
        header = "authorization"
        template = "Bearer {}"
        env = "OPENAI_API_KEY"

        "openai" would like to read and write a folder as /cache: to keep answers. To allow it, add to openai.grant.toml:
        [[folder]]
        host = "/srv/openai"
        guest = "/cache"
        write = true

        "openai" wants memory_mb = 128: large prompts. To allow it, add to openai.grant.toml:
        [limits]
        memory_mb = 128
        "#
        );
    }

    #[test]
    fn what_missing_prints_is_a_grant_that_leaves_nothing_missing() {
        let manifest = adapter();
        let text: String = manifest
            .missing(&Grant::default())
            .iter()
            .map(|m| format!("{}\n", m.toml()))
            .collect();
        let grant = Grant::parse("openai.grant.toml", &text).unwrap();
        assert_eq!(manifest.missing(&grant), []);
    }

    #[test]
    fn a_grant_of_less_than_is_wanted_is_still_missing() {
        let narrow = Grant::parse(
            "openai.grant.toml",
            "[[http]]\nhost = \"api.openai.com\"\nmethods = [\"POST\"]\npaths = [\"/v1/models\"]\n",
        )
        .unwrap();
        assert!(
            adapter()
                .missing(&narrow)
                .iter()
                .any(|m| matches!(m.want().capability, Capability::Http { .. }))
        );
    }

    #[test]
    fn an_unknown_world_is_named_with_the_ones_that_exist() {
        let text = ADAPTER.replace("model-adapter", "model-adaptor");
        let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("model-adaptor"), "{error}");
        assert!(error.contains("model-adapter"), "{error}");
    }

    #[test]
    fn an_unknown_key_and_a_bad_name_are_both_told() {
        let text = ADAPTER
            .replace("\"openai\"", "\"Open AI\"")
            .replace("\"summary\"", "\"sumary\"");
        let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("sumary"), "{error}");
        assert!(error.contains("/name"), "{error}");
    }

    #[test]
    fn a_want_that_could_never_be_granted_is_the_authors_mistake() {
        let text = ADAPTER.replace(
            "\"host\": \"api.openai.com\", \"methods\"",
            "\"host\": \"*\", \"methods\"",
        );
        let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
        assert!(error.contains("wants[0]"), "{error}");
        for (right, wrong) in [
            ("api.openai.com\", \"methods", "localhost:80\", \"methods"),
            ("/v1/*", "/v1/../*"),
            ("\"POST\"", "\"CONNECT\""),
            ("\"authorization\"", "\"host\""),
            ("memory_mb", "memory_gb"),
            ("128", "1000000"),
        ] {
            let text = ADAPTER.replace(right, wrong);
            let error = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains("wants["), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_manifest_of_half_a_megabyte_is_not_parsed() {
        let long = vec![b' '; MAX_BYTES + 1];
        assert!(matches!(
            Manifest::parse(&long),
            Err(ManifestError::TooLong { .. })
        ));
    }

    #[test]
    fn configuration_is_checked_against_the_plugins_schema() {
        let manifest = adapter();
        let grant = |config: &str| Grant::parse("openai.grant.toml", config).unwrap().config;
        manifest
            .check_config(&grant("[config]\nregion = \"eu\""))
            .unwrap();
        let error = manifest
            .check_config(&grant("[config]\nregoin = \"eu\""))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("regoin") && error.contains("region"),
            "{error}"
        );
    }

    #[test]
    fn a_plugin_without_a_schema_takes_no_configuration() {
        let manifest = Manifest::parse(
            br#"{"name": "quiet", "version": "1.0.0", "world": "constitution-rule", "summary": "x"}"#,
        )
        .unwrap();
        manifest.check_config(&serde_json::json!({})).unwrap();
        assert!(
            manifest
                .check_config(&serde_json::json!({"limit": 1}))
                .is_err()
        );
    }
}
