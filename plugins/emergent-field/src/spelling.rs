//! `customer_id` and `customerId`: one field that two writers spell differently.

use std::collections::BTreeMap;

use polity_sdk::strategy::{Alias, Mutation, Proposal};
use serde_json::json;

use crate::config::Config;
use crate::seen::{Field, Seen};

/// Documents may have both spellings this often before they mean two things.
const OVERLAP: f64 = 0.05;

/// Aliases and the subjects they are remembered under. A person decides on each: nobody but a person knows.
pub(crate) fn spellings(config: &Config, seen: &Seen) -> Vec<(String, Proposal)> {
    let mut alike: BTreeMap<(&str, String), Vec<&Field>> = BTreeMap::new();
    for field in &seen.fields {
        let stays = field.filled >= config.docs && field.days >= config.days;
        if stays && field.is_one_place() && field.state != "archived" {
            alike
                .entry((&field.collection, plain(&field.path)))
                .or_default()
                .push(field);
        }
    }
    let mut proposals = Vec::new();
    for fields in alike.values_mut().filter(|fields| fields.len() == 2) {
        // The declared one keeps its name, then the more frequent one.
        fields.sort_by_key(|field| (field.state != "declared", std::cmp::Reverse(field.filled)));
        let (one, other) = (fields[0], fields[1]);
        let same_kind = main_kind(one) == main_kind(other);
        // Shares that add up to more than all documents must overlap.
        let apart = one.recent_share + other.recent_share <= 1.0 + OVERLAP;
        if same_kind && apart && other.state != "declared" {
            let subject = format!("alias {}", other.subject());
            proposals.push((subject, proposal(one, other)));
        }
    }
    proposals
}

fn proposal(one: &Field, other: &Field) -> Proposal {
    Proposal {
        mutation: Mutation::AliasField(Alias {
            collection: one.collection.clone(),
            path: one.path.clone(),
            alias: other.path.clone(),
        }),
        reason: format!("{} and {} of {} seem to be one field in two spellings", one.path, other.path, one.collection),
        evidence: json!({"filled": [one.filled, other.filled], "recent_share": [one.recent_share, other.recent_share]})
            .to_string(),
        benefit_us_per_day: 0,
        write_cost_us_per_day: 0,
        storage_bytes: 0,
    }
}

fn plain(path: &str) -> String {
    path.chars()
        .filter(|char| !matches!(char, '_' | '-' | ' '))
        .flat_map(char::to_lowercase)
        .collect()
}

fn main_kind(field: &Field) -> Option<&str> {
    field
        .kinds
        .iter()
        .find(|known| known.kind != "null")
        .map(|known| known.kind.as_str())
}
