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

/// A URL that the configuration holds.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfiguredUrl {
    /// Its place in `[config]`, a JSON pointer: `/base_url`.
    pub config: String,
    /// The URL where nothing stands there.
    pub default: String,
}

impl ConfiguredUrl {
    /// Tells a default that leads nowhere.
    pub(super) fn check(&self) -> Result<(), String> {
        match Target::of(&self.default) {
            Some(_) => Ok(()),
            None => Err(format!(
                "`base_url.default` {:?} is no http or https URL of a host",
                self.default
            )),
        }
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
    /// The want under a configuration; none where the configuration makes it fall away.
    pub fn under(&self, config: &Value) -> Option<Self> {
        let is_there = |pointer: &String| {
            config
                .pointer(pointer)
                .is_some_and(|value| !value.is_null())
        };
        if self.unless_config.as_ref().is_some_and(is_there) {
            return None;
        }
        let mut want = self.clone();
        let Capability::Http {
            host,
            base_url,
            paths,
            plain,
            private,
            ..
        } = &mut want.capability
        else {
            return Some(want);
        };
        let Some(ConfiguredUrl {
            config: place,
            default,
        }) = base_url.take()
        else {
            return Some(want);
        };
        let configured = config.pointer(&place).and_then(Value::as_str);
        // A text that is no URL reaches nothing. It is the configuration's schema that should have said so; here it
        // must not turn into a grant of something else.
        let target = configured
            .or(Some(&default))
            .and_then(Target::of)
            .unwrap_or_else(|| Target {
                host: configured.unwrap_or(&default).to_owned(),
                path: String::new(),
                plain: false,
                private: false,
            });
        (*host, *plain, *private) = (target.host, target.plain, target.private);
        for path in paths.iter_mut() {
            path.insert_str(0, &target.path);
        }
        if paths.is_empty() && !target.path.is_empty() {
            paths.push(format!("{}/*", target.path));
        }
        Some(want)
    }
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
