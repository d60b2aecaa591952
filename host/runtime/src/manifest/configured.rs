//! Wants that depend on the configuration.
//!
//! Where a plugin speaks to depends, for most adapters, on a URL that the operator configures. Such a want names no
//! host but the place of that URL in `[config]`, and what to take where nothing stands there. What is wanted is then
//! derived from the URL, whole: its host and port, whether it goes without TLS, whether it stays in a private network,
//! and its path, below which the want's own paths lie. So a configured URL and its grant cannot drift apart unseen.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::want::{Capability, Want};
use crate::egress::address::{AddressClass, Reach};
use crate::grant::HostPattern;

/// A URL that the configuration holds, or one in each entry of a table: `/sites/*/url`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredUrl {
    /// Its place in `[config]`, a JSON pointer: `/base_url`.
    pub config: String,
    /// The URL where nothing stands there; without one nothing is wanted then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

impl ConfiguredUrl {
    /// Tells a default that leads nowhere, and a place that is none.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.config.matches("/*").count() > 1 {
            let place = &self.config;
            return Err(format!("`base_url.config` {place:?} has more than one *"));
        }
        match &self.default {
            Some(default) if Target::of(default).is_none() => Err(format!(
                "`base_url.default` {default:?} is no http or https URL of a host"
            )),
            _ => Ok(()),
        }
    }

    /// The URLs that are configured, each with the name of its entry.
    fn found<'c>(&self, config: &'c Value) -> Vec<(String, &'c str)> {
        let Some((table, rest)) = self.config.split_once("/*") else {
            let url = config.pointer(&self.config).and_then(Value::as_str);
            return url.map(|url| (String::new(), url)).into_iter().collect();
        };
        let entries: Vec<(String, &Value)> = match config.pointer(table) {
            Some(Value::Object(entries)) => entries
                .iter()
                .map(|(name, entry)| (name.clone(), entry))
                .collect(),
            Some(Value::Array(entries)) => entries
                .iter()
                .enumerate()
                .map(|(at, entry)| (at.to_string(), entry))
                .collect(),
            _ => Vec::new(),
        };
        entries
            .into_iter()
            .filter_map(|(name, entry)| Some((name, entry.pointer(rest)?.as_str()?)))
            .collect()
    }
}

/// What a URL says of a request.
struct Target {
    host: String,
    path: String,
    plain: bool,
    private: bool,
}

impl Want {
    /// The want under a configuration: one for each URL that it depends on, none where the configuration makes it fall
    /// away.
    pub fn under(&self, config: &Value) -> Vec<Self> {
        let is_there = |pointer: &String| {
            config
                .pointer(pointer)
                .is_some_and(|value| !value.is_null())
        };
        if self.unless_config.as_ref().is_some_and(is_there) {
            return Vec::new();
        }
        let mut want = self.clone();
        let (Capability::Http { base_url, .. } | Capability::Secret { base_url, .. }) =
            &mut want.capability
        else {
            return vec![want];
        };
        let Some(configured) = base_url.take() else {
            return vec![want];
        };
        let mut found = configured.found(config);
        if found.is_empty() {
            let default = configured.default.as_deref();
            found.extend(default.map(|url| (String::new(), url)));
        }
        found
            .into_iter()
            .map(|(entry, url)| want.clone().at(&entry, url))
            .collect()
    }

    /// The want at one URL.
    fn at(mut self, entry: &str, url: &str) -> Self {
        // A text that is no URL reaches nothing. It is the configuration's schema that should have said so; here it
        // must not turn into a grant of something else.
        let target = Target::of(url).unwrap_or_else(|| Target {
            host: url.to_owned(),
            path: String::new(),
            plain: false,
            private: false,
        });
        match &mut self.capability {
            Capability::Http {
                host,
                paths,
                plain,
                private,
                ..
            } => {
                (*host, *plain, *private) = (target.host, target.plain, target.private);
                for path in paths.iter_mut() {
                    path.insert_str(0, &target.path);
                }
                if paths.is_empty() && !target.path.is_empty() {
                    paths.push(format!("{}/*", target.path));
                }
            }
            Capability::Secret { host, env, .. } => {
                *host = target.host;
                if let Some(env) = env {
                    *env = env.replace('*', &as_variable(entry));
                }
            }
            Capability::Folder { .. } | Capability::Limit { .. } => {}
        }
        self
    }
}

/// The name of an entry as a part of a variable's.
fn as_variable(entry: &str) -> String {
    let upper = |c: char| match c.to_ascii_uppercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '_',
    };
    entry.chars().map(upper).collect()
}

impl Target {
    fn of(url: &str) -> Option<Self> {
        let url = Url::parse(url).ok()?;
        let plain = match url.scheme() {
            "http" => true,
            "https" => false,
            _ => return None,
        };
        let host = match url.port() {
            Some(port) => format!("{}:{port}", url.host_str()?),
            None => url.host_str()?.to_owned(),
        };
        let pattern = HostPattern::parse(&host).ok()?;
        let reach = pattern
            .address()
            .map(|address| AddressClass::of(address).reach());
        let private =
            pattern.is_localhost() || matches!(reach, Some(Reach::Private | Reach::Named));
        Some(Self {
            host,
            path: url.path().trim_end_matches('/').to_owned(),
            plain,
            private,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Manifest;
    use crate::grant::Grant;

    fn manifest() -> Manifest {
        let manifest = json!({
            "name": "adapter", "version": "0.1.0", "world": "model-adapter", "summary": "x",
            "wants": [
                {"capability": "http", "base_url": {"config": "/base_url", "default": "https://api.example.com/v1"},
                 "methods": ["POST"], "paths": ["/chat", "/models"], "reason": "to ask"},
                {"capability": "secret", "host": "api.example.com", "header": "authorization",
                 "unless_config": "/base_url", "reason": "the key"}
            ],
            "config_schema": {"type": "object"}
        });
        Manifest::parse(manifest.to_string().as_bytes()).unwrap()
    }

    fn missing(grant: &str) -> Vec<String> {
        let grant = Grant::parse("adapter.grant.toml", grant).unwrap();
        manifest()
            .missing(&grant)
            .iter()
            .map(|missing| missing.toml())
            .collect()
    }

    #[test]
    fn without_a_configured_url_the_default_is_wanted() {
        assert_eq!(
            missing(""),
            [
                "[[http]]\nhost = \"api.example.com\"\nmethods = [\"POST\"]\npaths = [\"/v1/chat\", \"/v1/models\"]\n",
                "[[secret]]\nhost = \"api.example.com\"\nheader = \"authorization\"\nenv = \"ADAPTER_KEY\"\n",
            ]
        );
    }

    #[test]
    fn a_configured_url_says_all_of_what_is_wanted() {
        let wanted = |url: &str| missing(&format!("[config]\nbase_url = \"{url}\"\n"));
        assert_eq!(
            wanted("http://localhost:8080/"),
            [
                "[[http]]\nhost = \"localhost:8080\"\nmethods = [\"POST\"]\npaths = [\"/chat\", \"/models\"]\nplain = true\nprivate = true\n"
            ]
        );
        assert_eq!(
            wanted("https://gpu.example.org:443/llm/v1"),
            [
                "[[http]]\nhost = \"gpu.example.org\"\nmethods = [\"POST\"]\npaths = [\"/llm/v1/chat\", \"/llm/v1/models\"]\n"
            ]
        );
        assert!(wanted("http://[::1]:9/")[0].contains("host = \"[::1]:9\"\n"));
        assert!(wanted("http://10.1.2.3/")[0].contains("private = true\n"));
    }

    #[test]
    fn the_lines_for_a_configured_url_are_what_it_takes() {
        let config = "[config]\nbase_url = \"http://127.0.0.1:8080/v2\"\n";
        let lines = missing(config).concat();
        assert_eq!(missing(&format!("{lines}{config}")), Vec::<String>::new());
        // The grant for another server is no grant for this one.
        let other = lines.replace("8080", "8081");
        assert_eq!(missing(&format!("{other}{config}")).len(), 1);
    }

    #[test]
    fn a_text_that_is_no_url_is_not_taken_for_the_default() {
        let grant = "[[http]]\nhost = \"api.example.com\"\nmethods = [\"POST\"]\n";
        assert_eq!(
            missing(&format!("{grant}[config]\nbase_url = \"nowhere\"\n")).len(),
            1
        );
    }

    fn of_sites(config: &str) -> Vec<String> {
        let manifest = json!({
            "name": "sites", "version": "0.1.0", "world": "connector", "summary": "x",
            "wants": [
                {"capability": "http", "base_url": {"config": "/sites/*/url"}, "methods": ["GET", "POST"],
                 "paths": ["/wp-json/*"], "reason": "to publish"},
                {"capability": "secret", "base_url": {"config": "/sites/*/url"}, "header": "authorization",
                 "user": "polity", "env": "SITE_*_PASSWORD", "reason": "the password"}
            ],
            "config_schema": {"type": "object"}
        });
        let manifest = Manifest::parse(manifest.to_string().as_bytes()).unwrap();
        let grant = Grant::parse("sites.grant.toml", config).unwrap();
        let missing = manifest.missing(&grant);
        missing.iter().map(|missing| missing.toml()).collect()
    }

    #[test]
    fn each_entry_of_a_table_is_wanted_and_has_a_password_of_its_own() {
        assert_eq!(of_sites(""), Vec::<String>::new());
        let config = "[config.sites.tea-room]\nurl = \"https://tea.example.org/blog\"\n\
                      [config.sites.coffee]\nurl = \"https://coffee.example.org\"\n";
        let lines = of_sites(config);
        assert_eq!(
            lines[1],
            "[[http]]\nhost = \"tea.example.org\"\nmethods = [\"GET\", \"POST\"]\npaths = [\"/blog/wp-json/*\"]\n"
        );
        assert_eq!(
            lines[3],
            "[[secret]]\nhost = \"tea.example.org\"\nheader = \"authorization\"\nuser = \"polity\"\nenv = \"SITE_TEA_ROOM_PASSWORD\"\n"
        );
        assert_eq!(lines.len(), 4);
        assert_eq!(
            of_sites(&format!("{}{config}", lines.concat())),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_default_that_is_no_url_is_the_authors_mistake() {
        let text = json!({
            "name": "adapter", "version": "0.1.0", "world": "model-adapter",
            "wants": [{"capability": "http", "base_url": {"config": "/u", "default": "api.example.com"}, "reason": "x"}]
        });
        let error = Manifest::parse(text.to_string().as_bytes()).unwrap_err();
        assert!(error.to_string().contains("wants[0]"), "{error}");
    }
}
