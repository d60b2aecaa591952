//! The constitution in force, with what is derived from it once so that no request has to derive it.

use std::collections::HashMap;
use std::sync::Arc;

use polity_constitution::{Charter, Constitution, Version};
use serde_json::json;

use crate::Actor;

/// One version of the constitution, in force until the next one is.
pub(crate) struct Law {
    pub(crate) constitution: Arc<Constitution>,
    pub(crate) version: Arc<Version>,
    actors: HashMap<String, Arc<Actor>>,
    /// What rules are told of the company: the members of a JSON object.
    pub(crate) facts: Box<str>,
}

impl Law {
    pub(crate) fn new(constitution: Constitution) -> Self {
        let charter = constitution.charter();
        let actors = charter
            .actors()
            .map(|actor| (actor.id.clone(), Arc::new(Actor::of(charter, actor))))
            .collect();
        let company = charter.company();
        let told = json!({ "name": company.name, "currency": company.currency });
        Self {
            facts: format!("\"company\":{told}").into(),
            actors,
            version: Arc::new(constitution.version().clone()),
            constitution: Arc::new(constitution),
        }
    }

    pub(crate) fn charter(&self) -> &Charter {
        self.constitution.charter()
    }

    pub(crate) fn actor(&self, id: &str) -> Option<&Arc<Actor>> {
        self.actors.get(id)
    }

    pub(crate) fn actor_ids(&self) -> impl Iterator<Item = &str> {
        self.actors.keys().map(String::as_str)
    }
}
