//! One model, as far as choosing needs to know it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::abilities::{Abilities, Ability};
use super::overlay::ModelOverlay;
use crate::money::cost;

/// What an adapter says of a model. Zero means unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reported {
    /// The adapter's name.
    pub plugin: String,
    /// As requests name it.
    pub id: String,
    /// Longest prompt and answer together.
    #[serde(default)]
    pub context_tokens: u32,
    /// Longest answer.
    #[serde(default)]
    pub max_output_tokens: u32,
    /// Open set; what the router does not know is ignored.
    #[serde(default)]
    pub abilities: Vec<String>,
    /// Micro-units per million prompt tokens.
    #[serde(default)]
    pub input_price: u64,
    /// Micro-units per million answer tokens.
    #[serde(default)]
    pub output_price: u64,
    /// Where prompts are processed.
    #[serde(default)]
    pub region: Option<String>,
    /// True where no prompt leaves the company's own machines.
    #[serde(default)]
    pub local: bool,
}

/// Micro-units per million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Price {
    /// Of the prompt.
    pub input: u64,
    /// Of the answer.
    pub output: u64,
    /// Of the part of the prompt that the provider has in its cache; the price of the prompt where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<u64>,
}

impl Price {
    /// What so many tokens cost, in micro-units, rounded up. `cached` is a part of `input`.
    pub fn of(&self, input: u64, cached: u64, output: u64) -> u64 {
        let cached = cached.min(input);
        cost(&[
            (input - cached, self.input),
            (cached, self.cached.unwrap_or(self.input)),
            (output, self.output),
        ])
    }
}

/// How long an answer takes, before it has been measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Latency {
    /// Until the first token, in milliseconds.
    pub first_token_ms: u32,
    /// For each token after it, in microseconds.
    pub token_us: u32,
}

/// What a model must not be used for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeverFor {
    /// Tasks.
    #[serde(default)]
    pub tasks: BTreeSet<String>,
    /// Compliance tags of requests.
    #[serde(default)]
    pub tags: BTreeSet<String>,
}

/// A model that can be chosen.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Model {
    /// Plugin and id with a slash between: unique.
    pub key: Arc<str>,
    /// As requests name it.
    pub id: Arc<str>,
    /// The adapter's name.
    pub plugin: Arc<str>,
    /// What it can do.
    pub abilities: Abilities,
    /// Longest prompt and answer together, if known.
    pub context_tokens: Option<u32>,
    /// Longest answer, if known.
    pub max_output_tokens: Option<u32>,
    /// What it costs, if known. Local models cost nothing unless the company says otherwise.
    pub price: Option<Price>,
    /// Where prompts are processed, if known.
    pub region: Option<Arc<str>>,
    /// Regions whose rules on where data may be are kept; the region itself, and what the company adds.
    pub residency: BTreeSet<String>,
    /// True where no prompt leaves the company's own machines.
    pub local: bool,
    /// Compliance tags that it satisfies.
    pub compliance: BTreeSet<String>,
    /// Expected score by task, `*` for any other.
    pub quality: BTreeMap<String, f64>,
    /// Expected time.
    pub latency: Option<Latency>,
    /// What it must not be used for.
    pub never_for: NeverFor,
    /// True where the company has taken it out of use.
    pub disabled: bool,
}

impl Model {
    pub(super) fn new(key: String, reported: Reported, said: Option<&ModelOverlay>) -> Self {
        let known = |tokens: u32| Some(tokens).filter(|tokens| *tokens > 0);
        let default = ModelOverlay::default();
        let said = said.unwrap_or(&default);
        let local = said.local.unwrap_or(reported.local);
        let region = said.region.clone().or(reported.region);
        let price = said.price.or_else(|| {
            let is_priced = reported.input_price > 0 || reported.output_price > 0;
            (is_priced || local).then_some(Price {
                input: reported.input_price,
                output: reported.output_price,
                cached: None,
            })
        });
        let mut residency: BTreeSet<String> = said.residency.iter().cloned().collect();
        residency.extend(region.clone());
        let mut abilities = said.abilities.unwrap_or_else(|| {
            reported
                .abilities
                .iter()
                .filter_map(|name| Ability::of(name))
                .collect()
        });
        // The host streams every answer in words; an adapter has no reason to report it.
        let answers = abilities.has(Ability::Chat) || abilities.has(Ability::Classify);
        if said.abilities.is_none() && answers {
            abilities = abilities.with(Ability::Streaming);
        }
        Self {
            id: reported.id.as_str().into(),
            plugin: reported.plugin.as_str().into(),
            key: key.into(),
            abilities,
            context_tokens: said.context_tokens.or(known(reported.context_tokens)),
            max_output_tokens: said.max_output_tokens.or(known(reported.max_output_tokens)),
            price,
            region: region.map(Into::into),
            residency,
            local,
            compliance: said.compliance.clone(),
            quality: said.quality.clone(),
            latency: said.latency,
            never_for: said.never_for.clone(),
            disabled: said.disabled,
        }
    }

    /// What so many tokens cost, in micro-units; nothing where the price is unknown.
    pub fn cost(&self, input: u64, cached: u64, output: u64) -> Option<u64> {
        Some(self.price?.of(input, cached, output))
    }

    /// The score that the company expects of it for a task.
    pub fn prior(&self, task: &str) -> Option<f64> {
        self.quality
            .get(task)
            .or_else(|| self.quality.get("*"))
            .copied()
    }
}
