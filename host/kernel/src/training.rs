//! What the router learns from the past beyond single lessons: a predictor, trained from what became of answers.
//!
//! A predictor lies in the data folder under its digest; which one is in force, and since when, is in the ledger. Another
//! one is put in its place while requests are being decided: each finishes on the one it began with.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use polity_ledger::{Commit, CommitError, Event, Ledger, ReadError};
use polity_router::{Predictor, Report, Router, Row, TrainError as Untrainable, train};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::feedback::{LESSON, Taught};
use crate::record::{Record, subject};
use crate::{Actor, Kernel};

/// The kind of event of a predictor that is put in force.
const TRAINED: &str = "router.trained";

/// The ledger's state: the digest of the predictor in force.
const CURRENT: &str = "router/predictor";

/// Lessons that are read at once.
const PAGE: usize = 1000;

/// Rows that one training takes.
const MAX_ROWS: usize = 200_000;

/// Why no predictor was trained.
#[derive(Debug, thiserror::Error)]
pub enum TrainingError {
    /// The rows do not suffice.
    #[error(
        "{0}, or wait for feedback on that many answers; `POST /api/decisions/ID/feedback` takes it"
    )]
    Untrainable(#[from] Untrainable),
    /// More than one training takes.
    #[error("there are {0} rows; send at most {MAX_ROWS}")]
    TooMany(usize),
    /// The predictor could not be kept.
    #[error("the predictor could not be written to {path}: {source}")]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The ledger does not read.
    #[error("the feedback cannot be read: {0}")]
    Read(#[from] ReadError),
    /// The ledger could not take the record.
    #[error("the training could not be recorded: {0}")]
    Record(#[from] CommitError),
    /// The work was given up.
    #[error("the training was given up: {0}")]
    Task(String),
}

/// A predictor that was trained.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Its digest.
    pub digest: String,
    /// Rows that came from feedback on this company's own answers.
    pub from_feedback: usize,
    /// Rows that were sent along.
    pub sent: usize,
    /// What training chose.
    pub report: Report,
    /// The models that it predicts for.
    pub models: Vec<Arc<str>>,
    /// The tasks that it tells apart.
    pub tasks: Vec<Arc<str>>,
}

impl Kernel {
    /// What became of answers, as rows to learn from: a prompt, the score that its model got, the task.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn training_rows(&self) -> Result<Vec<Row>, ReadError> {
        let ledger = &self.inner.ledger;
        let mut rows: BTreeMap<Uuid, Row> = BTreeMap::new();
        let mut after = 0;
        loop {
            let events = ledger.events_of_kind(LESSON, after, PAGE)?;
            let Some(last) = events.last() else {
                return Ok(rows.into_values().collect());
            };
            after = last.seq;
            for event in &events {
                let Some(id) = event
                    .subject
                    .strip_prefix("decision/")
                    .and_then(|id| id.parse().ok())
                else {
                    continue;
                };
                let Ok(taught) = Taught::deserialize(&event.data) else {
                    continue;
                };
                let Some((score, _)) = taught.feedback.quality() else {
                    continue;
                };
                let model = taught.lesson.model.to_string();
                if let Some(row) = rows.get_mut(&id) {
                    // What was said last of an answer counts.
                    row.score.insert(model, score);
                    continue;
                }
                let Some(prompt) = prompt_of(ledger, id)? else {
                    continue;
                };
                let row = Row {
                    prompt,
                    score: BTreeMap::from([(model, score)]),
                    task: Some(taught.lesson.task.to_string()),
                };
                rows.insert(id, row);
            }
        }
    }

    /// Trains a predictor from feedback and from rows that are sent along, and puts it in force.
    ///
    /// # Errors
    /// See [`TrainingError`]; the predictor in force stays.
    pub async fn train_router(
        &self,
        actor: &Actor,
        sent: Vec<Row>,
    ) -> Result<Trained, TrainingError> {
        let kernel = self.clone();
        let sent_count = sent.len();
        let work = move || {
            let mut rows = kernel.training_rows()?;
            let from_feedback = rows.len();
            rows.extend(sent);
            if rows.len() > MAX_ROWS {
                return Err(TrainingError::TooMany(rows.len()));
            }
            let predictor = train(&rows)?;
            let path = path_of(&kernel.settings().data, predictor.digest());
            write(&path, &predictor.to_json()).map_err(|source| TrainingError::Write {
                path: path.clone(),
                source,
            })?;
            Ok((predictor, from_feedback))
        };
        let trained = tokio::task::spawn_blocking(work).await;
        let (predictor, from_feedback) =
            trained.map_err(|error| TrainingError::Task(error.to_string()))??;
        let trained = Trained {
            digest: predictor.digest().to_owned(),
            from_feedback,
            sent: sent_count,
            report: predictor.report().clone(),
            models: predictor.models().to_vec(),
            tasks: predictor.tasks().to_vec(),
        };
        let data = json!({"actor": actor.id, "trained": trained});
        let event = Event::new(TRAINED, "/kernel", "router", data);
        let commit = Commit::new()
            .event(event)
            .put(CURRENT, trained.digest.clone());
        self.inner.ledger.commit(commit).await?;
        let router = self.inner.models.router();
        router.set_predictor(Some(Arc::new(predictor)));
        Ok(trained)
    }

    /// The predictor in force: its digest, and what training chose.
    pub fn predictor(&self) -> Option<Trained> {
        let digest = self.inner.ledger.get(CURRENT).ok()??;
        let digest = String::from_utf8(digest.to_vec()).ok()?;
        let events = self.inner.ledger.last_of_kind(TRAINED, 16).ok()?;
        let trained = events.into_iter().rev().find_map(|event| {
            let trained: Trained = serde_json::from_value(event.data["trained"].clone()).ok()?;
            (trained.digest == digest).then_some(trained)
        })?;
        Some(trained)
    }
}

/// Puts the predictor in force that was in force when the host ended. One that does not read is left out and named: the
/// company's priors serve without it.
pub(crate) fn take_up(ledger: &Ledger, data: &Path, router: &Router) -> Result<(), ReadError> {
    let Some(digest) = ledger.get(CURRENT)? else {
        return Ok(());
    };
    let digest = String::from_utf8_lossy(&digest).into_owned();
    let path = path_of(data, &digest);
    let read = fs::read_to_string(&path).map_err(|error| error.to_string());
    match read.and_then(|text| Predictor::from_json(&text).map_err(|error| error.to_string())) {
        Ok(predictor) if predictor.digest() == digest => {
            router.set_predictor(Some(Arc::new(predictor)));
        }
        Ok(_) => {
            tracing::warn!(path = %path.display(), "the router's predictor is another one and is left out; train it again")
        }
        Err(error) => {
            tracing::warn!(%error, path = %path.display(), "the router's predictor is left out; train it again");
        }
    }
    Ok(())
}

/// What was asked, as far as the record holds it: the texts of the user.
fn prompt_of(ledger: &Ledger, id: Uuid) -> Result<Option<String>, ReadError> {
    let events = ledger.events_of(&subject(id), 0, 100)?;
    let record = events
        .iter()
        .find(|event| event.id == id)
        .and_then(Record::read);
    let input = record.and_then(|record| {
        let text = record.input.whole()?.to_owned();
        serde_json::from_str::<Value>(&text).ok()
    });
    let Some(input) = input else {
        return Ok(None);
    };
    let mut prompt = String::new();
    for message in input["messages"].as_array().into_iter().flatten() {
        if message["role"] != "user" {
            continue;
        }
        let texts: Vec<&str> = match &message["content"] {
            Value::String(text) => vec![text],
            Value::Array(parts) => parts
                .iter()
                .filter_map(|part| part["text"].as_str())
                .collect(),
            _ => Vec::new(),
        };
        for text in texts {
            if !prompt.is_empty() {
                prompt.push('\n');
            }
            prompt.push_str(text);
        }
    }
    Ok((!prompt.is_empty()).then_some(prompt))
}

fn path_of(data: &Path, digest: &str) -> PathBuf {
    let name: String = digest
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(80)
        .collect();
    data.join("router").join(format!("{name}.json"))
}

/// Whole or not at all.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("part");
    {
        use std::io::Write as _;
        let mut file = fs::File::create(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
    }
    fs::rename(&beside, path)
}
