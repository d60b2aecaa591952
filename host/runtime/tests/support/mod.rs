//! A runtime on a folder of its own, and what it told of itself.

#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test file uses a part of it"
)]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use polity_runtime::egress::{Resolver, SystemResolver};
use polity_runtime::failure::CallError;
use polity_runtime::plugin::{Action, Evaluation, Message, Plugin, Request};
use polity_runtime::registry::{Change, Event, Runtime, Settings};
use polity_runtime::signature::Trust;
use polity_runtime::{CompilerProcess, Delta, Reply};

/// Long enough for a machine that compiles other things; a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

pub struct Host {
    pub runtime: Runtime,
    pub events: Receiver<Event>,
    folder: tempfile::TempDir,
}

impl Host {
    pub fn empty() -> Self {
        Self::with(Trust::default(), Arc::new(SystemResolver))
    }

    pub fn with(trust: Trust, resolver: Arc<dyn Resolver>) -> Self {
        Self::on(tempfile::tempdir().unwrap(), trust, resolver, None)
    }

    fn on(
        folder: tempfile::TempDir,
        trust: Trust,
        resolver: Arc<dyn Resolver>,
        compiler: Option<CompilerProcess>,
    ) -> Self {
        let (sender, events) = channel();
        let runtime = Runtime::start(Settings {
            plugins: folder.path().join("plugins"),
            data: folder.path().join("data"),
            trust,
            bundled: BTreeSet::new(),
            compiler,
            resolver,
            observer: Arc::new(move |event: &Event| drop(sender.send(event.clone()))),
        })
        .unwrap();
        Self {
            runtime,
            events,
            folder,
        }
    }

    /// Ends this runtime and starts another on the same folders.
    pub fn restarted(self) -> Self {
        self.restarted_with(None)
    }

    /// The same; components are compiled by this process from then on.
    pub fn restarted_with(self, compiler: Option<CompilerProcess>) -> Self {
        let Self {
            runtime, folder, ..
        } = self;
        drop(runtime);
        Self::on(folder, Trust::default(), Arc::new(SystemResolver), compiler)
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.runtime.folder().join(name)
    }

    pub fn install(&self, name: &str, wasm: &[u8], grant: &str) -> Arc<Plugin> {
        let entry = self.runtime.install(name, wasm, Some(grant), None).unwrap();
        entry
            .serving
            .clone()
            .unwrap_or_else(|| panic!("{name} does not serve: {:?}", entry.state))
    }

    /// Waits for a change of a plugin.
    pub fn wait_for(&self, change: &str, name: &str) -> Event {
        loop {
            let event = self
                .events
                .recv_timeout(PATIENCE)
                .unwrap_or_else(|_| panic!("{name} was never {change}"));
            if event.change.name() == change && *event.name == *name {
                return event;
            }
        }
    }

    pub fn refusal(&self, name: &str) -> String {
        match self.wait_for("refused", name).change {
            Change::Refused { code, reason, .. } => format!("{code}: {reason}"),
            _ => unreachable!("the event was waited for by its name"),
        }
    }
}

pub fn action(input: serde_json::Value) -> Action {
    Action {
        kind: "hostile.act".into(),
        actor: "person:ada".into(),
        at_ms: 1_700_000_000_000,
        input: input.to_string(),
        context: "{}".into(),
    }
}

pub fn evaluate(plugin: &Plugin, input: serde_json::Value) -> Result<Evaluation, CallError> {
    plugin.evaluate(&action(input), None)
}

pub fn request(model: &str, prompt: &str) -> Request {
    Request {
        model: model.into(),
        messages: vec![Message {
            role: "user".into(),
            content: serde_json::json!({ "content": prompt }).to_string(),
        }],
        tools: "[]".into(),
        response_schema: None,
        max_output_tokens: None,
        temperature: None,
        extra: "{}".into(),
    }
}

/// Completes and joins the answer's text.
pub async fn complete(plugin: &Plugin, model: &str, prompt: &str) -> Result<String, CallError> {
    let completion = plugin
        .complete(&request(model, prompt), Reply::Collect(Vec::new()), None)
        .await?;
    Ok(completion
        .pieces
        .iter()
        .map(|piece| match piece {
            Delta::Text(text) | Delta::Thinking(text) => text.as_str(),
            Delta::ToolCall(call) => call.arguments.as_str(),
        })
        .collect())
}
