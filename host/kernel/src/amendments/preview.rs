//! What a constitution would change, before anybody votes: compared with the one in force, with witnesses that the rules
//! themselves have given.

use std::sync::Arc;

use polity_amend::{Comparison, Simulation, Witness, compare, probes};
use polity_constitution::{Constitution, OutcomeKind, Sources};
use polity_ledger::new_id;
use serde::{Deserialize, Serialize};

use super::submit::blocking;
use super::{AmendmentError, Proposal};
use crate::Kernel;
use crate::constitution_store as store;
use crate::law::Law;
use crate::rules::{Book, Facts, Question, rule};

/// Witnesses that are told.
const MAX_WITNESSES: usize = 24;

/// What a proposed constitution would change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    /// What it says otherwise.
    pub comparison: Comparison,
    /// What recorded decisions would become.
    pub simulation: Simulation,
}

impl Kernel {
    /// Compares documents with the constitution in force, and judges the newest recorded decisions by both. Changes
    /// nothing and records nothing.
    ///
    /// # Errors
    /// The documents are not as they should be, or the ledger does not read.
    pub async fn preview_documents(
        &self,
        documents: Vec<(String, String)>,
        decisions: usize,
    ) -> Result<Preview, AmendmentError> {
        let proposed = blocking(move || {
            let sources = documents
                .into_iter()
                .fold(Sources::new(), |sources, (path, text)| {
                    sources.with(path, text)
                });
            Ok(Constitution::from_sources(&sources)?)
        })
        .await?;
        self.preview(proposed, decisions).await
    }

    /// The same for what is voted on.
    ///
    /// # Errors
    /// There is no such amendment, or the ledger does not read.
    pub async fn preview_amendment(
        &self,
        name: &str,
        decisions: usize,
    ) -> Result<Preview, AmendmentError> {
        let amendment = self.known_amendment(name)?.amendment;
        let Some(round) = amendment.current() else {
            return Err(AmendmentError::Invalid("it has no round".to_owned()));
        };
        let Proposal { digest, .. } = &round.proposal;
        let proposed = store::of_digest(&self.inner.ledger, digest)?.ok_or_else(|| {
            AmendmentError::Failed(format!(
                "the proposed documents, sha256:{digest:.12}, are not on record"
            ))
        })?;
        self.preview(proposed, decisions).await
    }

    async fn preview(
        &self,
        proposed: Constitution,
        decisions: usize,
    ) -> Result<Preview, AmendmentError> {
        let in_force = self.constitution();
        let comparison = self.compare_with(&in_force, &proposed).await?;
        let simulation = self.simulate(&in_force, &proposed, decisions).await?;
        Ok(Preview {
            comparison,
            simulation,
        })
    }

    pub(super) async fn compare_with(
        &self,
        before: &Arc<Constitution>,
        after: &Constitution,
    ) -> Result<Comparison, AmendmentError> {
        let (old, new) = (before.clone(), after.clone());
        let comparison = blocking(move || Ok(compare(&old, &new))).await?;
        let (asked, witnesses) = self.witnesses(before, after).await?;
        Ok(comparison.with_witnesses(asked, witnesses))
    }

    async fn witnesses(
        &self,
        before: &Constitution,
        after: &Constitution,
    ) -> Result<(usize, Vec<Witness>), AmendmentError> {
        let mut asked = 0;
        let (old, new) = (self.book_of(before), self.book_of(after));
        let mut found: Vec<Witness> = Vec::new();
        for (at, probe) in probes(before, after).into_iter().enumerate() {
            let (Some(was), Some(is)) = (
                self.judge(&old, &probe.kind, &probe.actor, &probe.input)
                    .await?,
                self.judge(&new, &probe.kind, &probe.actor, &probe.input)
                    .await?,
            ) else {
                continue;
            };
            asked += 1;
            // One of each kind of change, and not each amount between two limits.
            found.extend(Witness::of(probe, was, is).filter(|witness| {
                let alike = found.iter().filter(|known| {
                    (
                        &known.probe.kind,
                        &known.probe.actor,
                        known.before,
                        known.after,
                    ) == (
                        &witness.probe.kind,
                        &witness.probe.actor,
                        witness.before,
                        witness.after,
                    )
                });
                alike.count() < 2
            }));
            if found.len() >= MAX_WITNESSES {
                break;
            }
            if at % 64 == 63 {
                tokio::task::yield_now().await;
            }
        }
        Ok((asked, found))
    }

    /// The judges that a constitution would have with the plugins of now.
    pub(super) fn book_of(&self, constitution: &Constitution) -> Book {
        let law = Arc::new(Law::new(constitution.clone()));
        Book::compile(&self.inner.runtime.current(), law)
    }

    async fn judge(
        &self,
        book: &Book,
        kind: &str,
        actor: &str,
        input: &serde_json::Value,
    ) -> Result<Option<OutcomeKind>, AmendmentError> {
        let (Some(actor), Ok(kind)) = (book.law.actor(actor).cloned(), kind.parse()) else {
            return Ok(None);
        };
        let at_ms = self.inner.clock.now_ms();
        let facts = Facts {
            law: &book.law,
            actor: &actor,
            spent: self.inner.spending.today(&actor.id, at_ms)?,
            model: None,
            request: None,
        };
        let question = Question {
            context: facts.text(),
            kind,
            actor: actor.id.clone(),
            at_ms,
            input: input.to_string(),
        };
        let ruling = rule(book, new_id(at_ms), question).await;
        Ok(Some(ruling.resolution.kind()))
    }
}
