//! A company in a git repository, the host that runs it, and an amendment to raise its refund limit.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::fs;
use std::path::{Path, PathBuf};

use polity_tests::{Host, Options, git, write};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::cli::{Ended, POLITY, as_holder_of, at};

pub(crate) const NAME: &str = "raise-the-refund-limit";

/// A company in a repository, and the host that runs it.
pub(crate) struct House {
    pub(crate) host: Host,
    pub(crate) joan: String,
    pub(crate) bob: String,
    _folder: TempDir,
}

pub(crate) fn charter(quorum: u64) -> Value {
    json!({
        "company": {"name": "Example Ltd", "currency": "EUR"},
        "people": [
            {"id": "ada", "name": "Ada", "roles": ["owner"]},
            {"id": "joan", "name": "Joan", "roles": ["owner"]},
            {"id": "bob", "name": "Bob", "roles": ["owner"]},
            {"id": "grace", "name": "Grace", "roles": ["member"]},
        ],
        "agents": [{"id": "assistant", "name": "Assistant", "roles": ["agent"]}],
        "defaults": {"unmatched": "allow"},
        "amendments": {"quorum": quorum},
    })
}

pub(crate) fn refunds(soft: u64) -> String {
    format!(
        "{:#}\n",
        json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
            "currency": "EUR",
            "amount": {"pointer": "/amount", "unit": "unit", "currency_pointer": "/currency"},
            "limits": [{"per": "action", "soft_micro": soft * 1_000_000, "hard_micro": 500_000_000}],
        }})
    )
}

pub(crate) fn table(limit: u32) -> String {
    format!(
        "{:#}\n",
        json!({
            "name": "refund", "hitPolicy": "UNIQUE",
            "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
            "outputs": [{"name": "outcome", "typeRef": "string", "permits": ["ask", "pay"]}],
            "rules": [
                {"inputEntries": [format!("<= {limit}")], "outputEntries": ["\"pay\""]},
                {"inputEntries": [format!("> {limit}")], "outputEntries": ["\"ask\""]},
            ],
        })
    )
}

/// Writes the company into a repository of its own.
pub(crate) fn company(folder: &Path) -> PathBuf {
    let company = folder.join("company");
    fs::create_dir_all(&company).unwrap();
    write(&company, "charter.json", format!("{:#}\n", charter(2)));
    write(&company, "rules/refunds.json", refunds(50));
    write(&company, "decisions/refund.json", table(50));
    let cases = r#"{"cases": [{"name": "seventy is asked about", "input": {"amount": 70}, "expect": "ask"}]}"#;
    write(&company, "decisions/refund.cases.json", cases);
    write(
        &company,
        ".gitignore",
        "plugins/*.wasm\n.polity/\n.bundled.json\n",
    );
    git(&company, &["init", "-q", "-b", "main"]);
    git(&company, &["add", "-A"]);
    git(&company, &["commit", "-q", "-m", "The company"]);
    company
}

pub(crate) async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let company = company(folder.path());
    let options = |options: Options| {
        options
            .company(company)
            .without_bundled()
            .first_party("spending-limit")
    };
    let host = Host::start(POLITY, options).await;
    House {
        joan: host.token_for("person:joan").await,
        bob: host.token_for("person:bob").await,
        host,
        _folder: folder,
    }
}

impl House {
    /// Begins the amendment and writes it: the limit is 90 instead of 50.
    pub(crate) async fn written(&self) -> PathBuf {
        let begun = at(
            &self.host,
            &["amend", "new", "Raise the refund limit", "--json"],
        )
        .await
        .with_code(0)
        .json();
        assert_eq!(begun["name"], NAME);
        let folder = PathBuf::from(begun["folder"].as_str().unwrap());
        write(&folder, "rules/refunds.json", refunds(90));
        write(&folder, "decisions/refund.json", table(90));
        folder
    }

    pub(crate) async fn submitted(&self) -> PathBuf {
        let folder = self.written().await;
        at(
            &self.host,
            &["amend", "submit", NAME, "--why", "most are granted anyway"],
        )
        .await
        .with_code(0);
        folder
    }

    pub(crate) async fn vote(&self, token: &str, word: &str, name: &str) -> Ended {
        as_holder_of(
            &self.host,
            Some(token),
            &["amend", word, name, "--note", "seen"],
        )
        .await
    }

    pub(crate) async fn agreed(&self, name: &str) {
        self.vote(&self.joan, "approve", name).await.with_code(0);
        self.vote(&self.bob, "approve", name).await.with_code(0);
    }

    pub(crate) async fn amendment(&self, name: &str) -> Value {
        self.host.read(&format!("/api/amendments/{name}")).await
    }

    pub(crate) async fn digest(&self) -> Value {
        self.host.read("/api/constitution").await["digest"].clone()
    }

    pub(crate) async fn of_seventy(&self) -> Value {
        let body = json!({"kind": "refund.approve", "input": {"amount": 70, "currency": "EUR"}});
        self.host
            .json(self.host.post("/api/actions").json(&body))
            .await["outcome"]
            .clone()
    }

    pub(crate) fn written_folder(&self) -> PathBuf {
        self.host.data.join("amendments").join(NAME)
    }
}
