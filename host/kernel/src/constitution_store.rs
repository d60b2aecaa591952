//! Every constitution that was ever in force, in the ledger's state: so that the rules of a day years ago can be read, and
//! what was decided under them can be judged again, whatever became of the folder.

use std::collections::BTreeMap;
use std::path::Path;

use polity_constitution::{Constitution, Problem, Problems, Sources, Version};
use polity_ledger::{Commit, CommitError, Event, Ledger, ReadError};
use polity_router::Overlay;
use serde_json::json;

use crate::digest::sha256;

/// Beside the charter: what the company says of its models.
pub(crate) const MODELS: &str = "models.json";

/// The state key of a constitution.
fn key(version: &Version) -> String {
    format!("constitution/{}", version.digest)
}

/// Reads a folder: what may happen, and what the company says of its models.
pub(crate) fn load(folder: &Path) -> Result<(Constitution, Overlay), Problems> {
    let constitution = Constitution::load(folder)?;
    let overlay = overlay(&constitution, folder)?;
    Ok((constitution, overlay))
}

/// Reads `models.json`. What is wrong with it is wrong with the constitution: half of a push is not put in force.
fn overlay(constitution: &Constitution, folder: &Path) -> Result<Overlay, Problems> {
    let Some(text) = constitution.models() else {
        return Ok(Overlay::default());
    };
    Overlay::parse(text).map_err(|problems| Problems {
        folder: Some(folder.to_owned()),
        list: problems
            .0
            .into_iter()
            .map(|problem| Problem {
                code: "models".to_owned(),
                file: MODELS.to_owned(),
                line: 0,
                column: 0,
                pointer: problem.pointer,
                message: problem.message,
                fix: problem.fix,
            })
            .collect(),
    })
}

/// The commit that puts a constitution on record. `at_next_start` is what of it has to wait for that.
pub(crate) fn record(
    constitution: &Constitution,
    replaced: Option<&Version>,
    at_next_start: &[String],
) -> Commit {
    let documents: BTreeMap<&str, &str> = constitution.sources().iter().collect();
    let version = constitution.version();
    let bindings: Vec<_> = constitution
        .bindings()
        .iter()
        .map(|binding| &binding.name)
        .collect();
    let data = json!({
        "version": version,
        "replaced": replaced,
        "at_next_start": at_next_start,
        "company": constitution.charter().company(),
        "bindings": bindings,
        "documents": documents.iter().map(|(path, text)| (path, sha256(text))).collect::<BTreeMap<_, _>>(),
    });
    let subject = format!("constitution/{}", version.digest);
    Commit::new()
        .event(Event::new("constitution.loaded", "/kernel", subject, data))
        .put(key(version), json!(documents).to_string())
}

/// Keeps the documents of a constitution that is proposed, as those of one that is in force are kept.
pub(crate) fn keep(commit: Commit, constitution: &Constitution) -> Commit {
    let documents: BTreeMap<&str, &str> = constitution.sources().iter().collect();
    commit.put(key(constitution.version()), json!(documents).to_string())
}

/// A constitution that was in force or proposed; none where the ledger does not have it.
pub(crate) fn of_digest(ledger: &Ledger, digest: &str) -> Result<Option<Constitution>, ReadError> {
    let version = Version {
        digest: digest.to_owned(),
        commit: None,
    };
    past(ledger, &version)
}

/// Notes that a folder was refused and the constitution before it stays in force.
pub(crate) async fn record_refusal(
    ledger: &Ledger,
    kept: &Version,
    problems: &Problems,
) -> Result<(), CommitError> {
    let data = json!({ "kept": kept, "problems": problems.list });
    let subject = format!("constitution/{}", kept.digest);
    let event = Event::new("constitution.refused", "/kernel", subject, data);
    ledger.commit(Commit::new().event(event)).await.map(drop)
}

/// A constitution of the past; none where the ledger does not have it.
pub(crate) fn past(ledger: &Ledger, version: &Version) -> Result<Option<Constitution>, ReadError> {
    let Some(stored) = ledger.get(&key(version))? else {
        return Ok(None);
    };
    let documents: Option<BTreeMap<String, String>> = serde_json::from_slice(&stored).ok();
    let constitution = documents.and_then(|documents| from_documents(&documents).ok());
    // The digest is over the documents, so what was altered in the state is not taken for what was in force.
    Ok(constitution.filter(|read| read.version().digest == version.digest))
}

fn from_documents(documents: &BTreeMap<String, String>) -> Result<Constitution, Problems> {
    let sources = documents
        .iter()
        .fold(Sources::new(), |sources, (path, text)| {
            sources.with(path, text)
        });
    Constitution::from_sources(&sources)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use polity_ledger::ManualClock;

    use super::*;

    #[tokio::test]
    async fn a_constitution_can_be_read_back_after_its_folder_has_gone() {
        let folder = tempfile::tempdir().unwrap();
        let charter = r#"{"company": {"name": "Example", "currency": "EUR"},
            "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}], "defaults": {"unmatched": "deny"}}"#;
        fs::write(folder.path().join("charter.json"), charter).unwrap();
        fs::create_dir(folder.path().join("rules")).unwrap();
        fs::write(
            folder.path().join("rules/a.json"),
            r#"{"rule": "x", "guards": ["*"]}"#,
        )
        .unwrap();
        let loaded = Constitution::load(folder.path()).unwrap();
        let version = loaded.version().clone();
        let ledger = Ledger::in_memory(Arc::new(ManualClock::new(0)));
        ledger.commit(record(&loaded, None, &[])).await.unwrap();
        drop(folder);
        let past_one = past(&ledger, &version).unwrap().unwrap();
        assert_eq!(past_one.bindings()[0].rule, "x");
        assert_eq!(past_one.version().digest, version.digest);
        let other = Version {
            digest: "0".repeat(64),
            commit: None,
        };
        assert!(past(&ledger, &other).unwrap().is_none());
        let altered = json!({"charter.json": charter}).to_string();
        ledger
            .commit(Commit::new().put(key(&version), altered))
            .await
            .unwrap();
        assert!(past(&ledger, &version).unwrap().is_none());
    }
}
