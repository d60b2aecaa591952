//! What people and the charter declare. The same history holds it, so that replay gives the whole schema.

use serde_json::json;
use uuid::Uuid;

use crate::catalogue::{Conflict, Origin};
use crate::evolution::{Effect, Evolution, persist};
use crate::history::Outcome;
use crate::life::{Batch, Life, State};
use crate::mutation::Mutation;
use crate::proposal::{Proposal, Quote};

impl Evolution {
    /// A person or the charter has changed the schema, and the engine has made it so. It becomes part of history.
    ///
    /// # Errors
    /// Why it does not fit the schema.
    pub fn declared(
        &mut self,
        id: Uuid,
        mutation: Mutation,
        by: &str,
        now_ms: u64,
    ) -> Result<Vec<Effect>, Conflict> {
        let inverse = self.catalogue.apply(&mutation, Origin::Person)?;
        let life = Life {
            id,
            strategy: by.to_owned(),
            proposal: Proposal {
                mutation,
                reason: format!("{by} asked for it"),
                evidence: json!({}),
                benefit_us_per_day: 0,
                write_cost_us_per_day: 0,
                storage_bytes: 0,
            },
            quote: Quote::default(),
            inverse,
            state: State::Activating,
            proposed_ms: now_ms,
            since_ms: now_ms,
            verdict: None,
            approved_by: Some(by.to_owned()),
            build_ms: None,
            built: None,
            takes_back: None,
        };
        let entry = self.entry(&life, Outcome::Kept, Origin::Person, now_ms);
        Ok(vec![persist(Batch {
            entries: vec![entry],
            ..Batch::default()
        })])
    }
}
