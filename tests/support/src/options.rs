//! The company that a test's host runs, and how the host is started.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::Upstream;

/// What to start a host with. Without a word: a company of three (`person:ada` owns it, `person:grace` is a member,
/// `agent:assistant` an agent) where whatever no rule guards is allowed, with no rules and no plugins.
pub struct Options {
    pub(crate) company: Option<PathBuf>,
    pub(crate) arguments: Vec<OsString>,
    pub(crate) environment: Vec<(OsString, OsString)>,
    charter: Value,
    files: Vec<(String, Vec<u8>)>,
}

impl Options {
    pub(crate) fn new() -> Self {
        Self {
            company: None,
            arguments: Vec::new(),
            environment: Vec::new(),
            charter: json!({
                "company": {"name": "Example Ltd", "currency": "EUR"},
                "people": [
                    {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
                    {"id": "grace", "name": "Grace Example", "roles": ["member"]},
                ],
                "agents": [{"id": "assistant", "name": "Assistant", "roles": ["agent"]}],
                "defaults": {"unmatched": "allow"},
            }),
            files: Vec::new(),
        }
    }

    /// Runs a company that lies in a folder already. What else is asked for is written into it.
    #[must_use]
    pub fn company(mut self, folder: impl Into<PathBuf>) -> Self {
        self.company = Some(folder.into());
        self.charter = Value::Null;
        self
    }

    /// Replaces the charter.
    #[must_use]
    pub fn charter(mut self, charter: Value) -> Self {
        self.charter = charter;
        self
    }

    /// Sets one field of the charter.
    #[must_use]
    pub fn amend_charter(mut self, field: &str, value: Value) -> Self {
        self.charter[field] = value;
        self
    }

    /// Puts a rule in force: `rules/<name>.json`.
    #[must_use]
    pub fn rule(self, name: &str, binding: Value) -> Self {
        self.file(format!("rules/{name}.json"), binding.to_string())
    }

    /// Drops a plugin into the folder.
    #[must_use]
    pub fn plugin(self, name: &str, wasm: impl Into<Vec<u8>>) -> Self {
        self.file(format!("plugins/{name}.wasm"), wasm)
    }

    /// Leaves the plugins that the host would bring along out of the folder; what a test drops there is all there is.
    #[must_use]
    pub fn without_bundled(self) -> Self {
        self.argument("--no-bundled")
    }

    /// Drops a first-party plugin into the folder.
    ///
    /// # Panics
    /// When there is no such plugin.
    #[must_use]
    pub fn first_party(self, name: &str) -> Self {
        let plugin = polity_plugins::find(name)
            .unwrap_or_else(|| panic!("no first-party plugin is called {name}"));
        self.plugin(name, plugin.wasm)
    }

    /// Writes a plugin's grant file.
    #[must_use]
    pub fn grant(self, plugin: &str, toml: &str) -> Self {
        self.file(format!("plugins/{plugin}.grant.toml"), toml)
    }

    /// Puts the `openai` adapter to work with `upstream` as its provider, serving `models` at a price of 1 unit a
    /// million prompt tokens and 2 units a million answer tokens.
    #[must_use]
    pub fn openai(self, upstream: &Upstream, models: &[&str]) -> Self {
        let models: Vec<String> = models
            .iter()
            .map(|model| {
                format!(
                    "{{ id = {model:?}, abilities = [\"chat\", \"tools\", \"json-schema\"], input_price = 1000000, output_price = 2000000 }}"
                )
            })
            .collect();
        let grant = format!(
            "[[http]]\nhost = \"{address}\"\nmethods = [\"GET\", \"POST\"]\nplain = true\nprivate = true\n\n\
             [config]\nbase_url = \"http://{address}/v1\"\nmodels = [{models}]\n",
            address = upstream.address(),
            models = models.join(", "),
        );
        self.first_party("openai").grant("openai", &grant)
    }

    /// Says in the grant of the `openai` adapter, which was written before, that one of its models has vectors, too.
    ///
    /// # Panics
    /// When no such grant was written.
    #[must_use]
    pub fn embedding(mut self, model: &str) -> Self {
        let grant = self
            .files
            .iter_mut()
            .find(|(path, _)| path == "plugins/openai.grant.toml");
        let (_, content) = grant.expect("the openai adapter is granted first");
        let text = String::from_utf8_lossy(content).into_owned();
        let without = format!("{{ id = {model:?}, abilities = [");
        assert!(text.contains(&without), "no model is called {model}");
        *content = text
            .replace(&without, &format!("{without}\"embed\", "))
            .into_bytes();
        self
    }

    /// Writes any file of the company.
    #[must_use]
    pub fn file(mut self, path: impl Into<String>, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((path.into(), content.into()));
        self
    }

    /// Adds an argument to `polity up`.
    #[must_use]
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Sets an environment variable of the host.
    #[must_use]
    pub fn environment(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.environment.push((name.into(), value.into()));
        self
    }

    pub(crate) fn write(&self, company: &Path) {
        for folder in ["rules", "plugins"] {
            fs::create_dir_all(company.join(folder)).expect("the company's folder can be made");
        }
        if !self.charter.is_null() {
            let charter = serde_json::to_vec_pretty(&self.charter).expect("a charter is JSON");
            fs::write(company.join("charter.json"), charter).expect("the charter can be written");
        }
        for (path, content) in &self.files {
            let path = company.join(path);
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).expect("a folder of the company can be made");
            }
            fs::write(&path, content).expect("a file of the company can be written");
        }
    }
}
