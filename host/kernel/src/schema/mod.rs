//! The records' schema, which changes by itself: who argues for a change, who judges it, and where its history lies.
//!
//! What is watched goes to the strategy plugins, sandboxed and under fuel. What they propose is the action
//! `schema.<kind>` where a rule speaks to it, and what the charter says of its class where none does. What waits for a
//! person lies in the inbox, every step in the ledger.

mod error;
mod house;
mod journal;
mod people;
mod proposals;
mod what_if;

use polity_constitution::{OutcomeKind, Permission};
use polity_database::{Database, Evolver, MutationView, Rehearsal, RevertRefused, StrategyView};
use polity_inbox::Item;
use serde_json::json;
use uuid::Uuid;

pub use error::SchemaError;
pub(crate) use house::House;
pub(crate) use people::ITEM;

use crate::{ActionRequest, Actor, Kernel};

/// The action of taking a change back.
const REVERT: &str = "schema.revert";

impl Kernel {
    /// Every change of the schema: those on their way, then history, the newest first. Of one collection, if it is named.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub async fn mutations(
        &self,
        collection: Option<&str>,
    ) -> Result<Vec<MutationView>, SchemaError> {
        let mut all = self.with_evolver(Evolver::mutations).await??;
        if let Some(collection) = collection {
            all.retain(|mutation| mutation.collection == collection);
        }
        Ok(all)
    }

    /// One change of the schema.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub async fn mutation(&self, id: Uuid) -> Result<MutationView, SchemaError> {
        let found = self
            .with_evolver(move |evolver| evolver.mutation(id))
            .await??;
        found.ok_or(SchemaError::Unknown(id))
    }

    /// The strategies, and how they have done.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub async fn strategies(&self) -> Result<Vec<StrategyView>, SchemaError> {
        Ok(self.with_evolver(Evolver::strategies).await??)
    }

    /// What the strategies would propose now, without any consequence.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub async fn rehearse_mutations(&self) -> Result<Rehearsal, SchemaError> {
        Ok(self.with_evolver(Evolver::rehearse).await??)
    }

    /// Takes a change back, if the rules let that happen: one on its way, or one that was kept.
    ///
    /// # Errors
    /// See [`SchemaError`].
    pub async fn revert_mutation(
        &self,
        actor: &Actor,
        id: Uuid,
    ) -> Result<MutationView, SchemaError> {
        if !actor.may(Permission::RecordsWrite) {
            return Err(SchemaError::Forbidden {
                actor: actor.id.clone(),
            });
        }
        let about = self.mutation(id).await?;
        let kind = REVERT.parse()?;
        if self.guards(&kind) {
            let request = ActionRequest {
                kind,
                input: json!({
                    "id": id,
                    "mutation": about.mutation,
                    "collection": about.collection,
                }),
                context: json!({}),
            };
            let decision = self.act(actor, request).await?;
            if decision.outcome != OutcomeKind::Allow {
                return Err(SchemaError::Judged(Box::new(decision)));
            }
        }
        let by = actor.id.clone();
        let reverted = self.with_evolver(move |evolver| evolver.revert(id, &by));
        match reverted.await? {
            Ok(()) => self.mutation(id).await,
            Err(RevertRefused::Revert(refused)) => Err(SchemaError::Revert(refused)),
            Err(RevertRefused::Stalled(stalled)) => Err(stalled.into()),
        }
    }

    /// A person has decided; changes of the schema may wait for that.
    pub(crate) fn tell_schema(&self, item: &Item) {
        let is_change = item.kind == people::ITEM || item.subject.starts_with("schema.");
        if is_change {
            let inner = self.inner.clone();
            tokio::task::spawn_blocking(move || inner.records.wake());
        }
    }

    async fn with_evolver<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Evolver) -> T + Send + 'static,
    ) -> Result<T, SchemaError> {
        let _visit = self.enter()?;
        let done = self.at_work(move |database: &Database| database.evolver().map(work));
        done.await?.ok_or(SchemaError::Still)
    }

    /// Whether an enforced rule speaks to a kind of action.
    pub(crate) fn guards(&self, kind: &polity_constitution::ActionKind) -> bool {
        let book = self.inner.books.current(&self.inner.runtime);
        let docket = book.docket(kind);
        docket
            .iter()
            .any(|judge| judge.mode == polity_constitution::Mode::Enforce)
    }
}
