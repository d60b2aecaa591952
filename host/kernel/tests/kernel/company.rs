//! A company in a temporary folder.

use std::path::Path;
use std::sync::Arc;

use polity_kernel::{
    ActionRequest, Actor, CompletionRequest, Decision, Kernel, Message, Settings, StartError,
};
use polity_ledger::{ManualClock, OpenError};
use polity_tests::Upstream;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A Tuesday in business hours.
pub(crate) const NOON: u64 = 1_700_568_000_000;

/// A company, and the kernel that runs it.
pub(crate) struct Company {
    pub(crate) kernel: Kernel,
    pub(crate) clock: ManualClock,
    folder: TempDir,
}

/// A company that has not started.
pub(crate) struct Plan {
    charter: Value,
    folder: TempDir,
}

pub(crate) fn plan() -> Plan {
    let folder = tempfile::tempdir().unwrap();
    for name in ["company/rules", "company/plugins"] {
        std::fs::create_dir_all(folder.path().join(name)).unwrap();
    }
    let charter = json!({
        "company": {"name": "Example", "currency": "EUR"},
        "people": [
            {"id": "ada", "name": "Ada Example", "roles": ["owner", "finance"]},
            {"id": "bob", "name": "Bob Example", "roles": ["member", "finance"]},
        ],
        "agents": [{"id": "scout", "name": "Scout", "roles": ["agent"]}],
        "roles": {"finance": {"permissions": ["inbox:decide"]}},
        "defaults": {"unmatched": "allow", "due_ms": 3_600_000}
    });
    Plan { charter, folder }
}

impl Plan {
    /// Sets a part of the charter.
    pub(crate) fn charter(mut self, pointer: &str, value: Value) -> Self {
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        self.charter.pointer_mut(parent).unwrap()[name] = value;
        self
    }

    /// Adds a binding.
    pub(crate) fn rule(self, name: &str, binding: Value) -> Self {
        write(
            &self
                .folder
                .path()
                .join(format!("company/rules/{name}.json")),
            binding.to_string(),
        );
        self
    }

    /// Adds a document: `workflows/a.yaml`.
    pub(crate) fn document(self, path: &str, text: &str) -> Self {
        let path = self.folder.path().join("company").join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, text);
        self
    }

    /// Adds a first-party plugin.
    pub(crate) fn plugin(self, name: &str) -> Self {
        let wasm = polity_plugins::find(name).unwrap().wasm;
        self.file(&format!("{name}.wasm"), wasm)
    }

    /// Adds a file to the plugin folder.
    pub(crate) fn file(self, name: &str, content: &[u8]) -> Self {
        write(
            &self.folder.path().join("company/plugins").join(name),
            content,
        );
        self
    }

    /// Adds the adapter for OpenAI's interface with one model, `paid`: a micro-unit for a token of a prompt, two for one
    /// of an answer, and at most 100 tokens in an answer.
    pub(crate) fn openai(self, upstream: &Upstream) -> Self {
        let (host, url) = (upstream.address(), upstream.url());
        let grant = format!(
            "[[http]]\nhost = \"{host}\"\nmethods = [\"GET\", \"POST\"]\nplain = true\nprivate = true\n\
             [config]\nbase_url = \"{url}/v1\"\n\
             [[config.models]]\nid = \"paid\"\nmax_output_tokens = 100\ninput_price = 1000000\noutput_price = 2000000\n"
        );
        self.plugin("openai")
            .file("openai.grant.toml", grant.as_bytes())
    }

    /// Writes what is left to write, and gives the folder with what a kernel is started with in it.
    pub(crate) fn written(self, clock: &ManualClock) -> (TempDir, Settings) {
        let Self { charter, folder } = self;
        write(
            &folder.path().join("company/charter.json"),
            charter.to_string(),
        );
        let settings = settings(folder.path(), clock);
        (folder, settings)
    }

    pub(crate) fn start(self) -> Company {
        let Self { charter, folder } = self;
        write(
            &folder.path().join("company/charter.json"),
            charter.to_string(),
        );
        let clock = ManualClock::new(NOON);
        Company {
            kernel: start(folder.path(), &clock),
            clock,
            folder,
        }
    }
}

impl Company {
    pub(crate) fn ada(&self) -> Arc<Actor> {
        self.kernel.actor("person:ada").unwrap()
    }

    pub(crate) fn bob(&self) -> Arc<Actor> {
        self.kernel.actor("person:bob").unwrap()
    }

    pub(crate) fn scout(&self) -> Arc<Actor> {
        self.kernel.actor("agent:scout").unwrap()
    }

    /// Has an action judged that the agent wants.
    pub(crate) async fn act(&self, kind: &str, input: Value) -> Decision {
        self.kernel
            .act(&self.scout(), action(kind, input))
            .await
            .unwrap()
    }

    pub(crate) fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// Ends the kernel and starts another on the same folders.
    pub(crate) fn restart(self) -> Self {
        let Self {
            kernel,
            clock,
            folder,
        } = self;
        drop(kernel);
        Self {
            kernel: start(folder.path(), &clock),
            clock,
            folder,
        }
    }
}

pub(crate) fn action(kind: &str, input: Value) -> ActionRequest {
    ActionRequest {
        kind: kind.parse().unwrap(),
        input,
        context: Value::Null,
    }
}

pub(crate) fn question(model: &str, text: &str) -> CompletionRequest {
    CompletionRequest::new(model, vec![Message::text("user", text)])
}

/// A whole answer of the interface that the `openai` adapter speaks.
pub(crate) fn openai_answer(text: &str, input_tokens: u64, output_tokens: u64) -> String {
    json!({
        "id": "x", "object": "chat.completion", "model": "paid",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {
            "prompt_tokens": input_tokens,
            "completion_tokens": output_tokens,
            "total_tokens": input_tokens + output_tokens
        }
    })
    .to_string()
}

fn settings(folder: &Path, clock: &ManualClock) -> Settings {
    Settings {
        clock: Arc::new(clock.clone()),
        ..Settings::new(folder.join("company"), folder.join("data"))
    }
}

fn start(folder: &Path, clock: &ManualClock) -> Kernel {
    let settings = settings(folder, clock);
    // What an earlier kernel still had at work lets go of the folder when it has ended.
    for _ in 0..500 {
        match Kernel::start(settings.clone()) {
            Err(StartError::Ledger(OpenError::Locked { .. })) => {
                std::thread::sleep(std::time::Duration::from_millis(20));
            }
            started => return started.unwrap(),
        }
    }
    panic!("the folder stays locked");
}

fn write(path: &Path, content: impl AsRef<[u8]>) {
    std::fs::write(path, content).unwrap();
}
