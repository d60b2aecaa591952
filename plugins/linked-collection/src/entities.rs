//! From dependencies to entities.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::names::{is_identifier, is_measure};
use crate::seen::{Collection, Field};

/// Keys with longer values on average are prose.
const LONGEST_KEY: f64 = 40.0;
/// A code that was made up to stand for a name is shorter than this.
const LONGEST_CODE: f64 = 12.0;

/// A record inside records.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    /// The path whose value identifies it.
    pub key: String,
    /// How many there are, about.
    pub keys: u64,
    /// Rows that repeat each, on average.
    pub rows_per_key: f64,
    /// The paths that belong to it, and to none nearer.
    pub fields: Vec<String>,
    /// The text that goes one to one with the key, if there is one.
    pub name: Option<String>,
    /// Bytes a row that are stored again.
    pub saved_per_row: f64,
    /// The worst error of its dependencies.
    pub error: f64,
    /// The weakest evidence of its dependencies.
    pub evidence: f64,
}

/// What holds between the fields of one collection.
struct Known<'a> {
    collection: &'a Collection,
    fields: BTreeMap<&'a str, &'a Field>,
    determines: BTreeMap<&'a str, BTreeSet<&'a str>>,
    keys: BTreeMap<&'a str, (u64, f64)>,
}

/// The entities of a collection, those that save most first.
pub fn entities(config: &Config, collection: &Collection, fields: &[Field]) -> Vec<Entity> {
    let known = Known::of(config, collection, fields);
    let mut chosen: Vec<(&str, Option<&str>)> = Vec::new();
    for path in known.determines.keys() {
        if let Some(name) = known.is_key(config, path) {
            chosen.push((path, name));
        }
    }
    // Of keys that identify each other one is enough: the best named, then the shortest.
    chosen.sort_by(|(one, _), (other, _)| {
        let rank = |path: &str| {
            (
                !is_identifier(path),
                known.bytes(path) as u64,
                path.to_owned(),
            )
        };
        rank(one).cmp(&rank(other))
    });
    let mut keys: Vec<(&str, Option<&str>)> = Vec::new();
    for (path, name) in chosen {
        if !keys.iter().any(|(other, _)| known.are_one(path, other)) {
            keys.push((path, name));
        }
    }
    let shared = known.shared(&keys);
    let mut found: Vec<Entity> = (keys.iter())
        .map(|(key, name)| known.entity(key, *name, &keys, &shared))
        .filter(|entity| known.is_worth_it(config, entity))
        .collect();
    found.sort_by(|one, other| {
        other
            .saved_per_row
            .total_cmp(&one.saved_per_row)
            .then(one.key.cmp(&other.key))
    });
    found
}

impl<'a> Known<'a> {
    fn of(config: &Config, collection: &'a Collection, fields: &'a [Field]) -> Self {
        let fields = (fields.iter())
            .filter(|field| field.collection == collection.collection)
            .map(|field| (field.path.as_str(), field))
            .collect();
        let holds = |dependent: &&'a crate::seen::Dependent| {
            dependent.error <= config.error && dependent.evidence >= config.evidence
        };
        Self {
            fields,
            determines: (collection.dependencies.iter())
                .map(|found| {
                    let dependents = found
                        .dependents
                        .iter()
                        .filter(holds)
                        .map(|dependent| dependent.path.as_str());
                    (found.path.as_str(), dependents.collect())
                })
                .collect(),
            keys: (collection.dependencies.iter())
                .map(|found| (found.path.as_str(), (found.keys, found.rows_per_key)))
                .collect(),
            collection,
        }
    }

    fn holds(&self, key: &str, path: &str) -> bool {
        self.determines
            .get(key)
            .is_some_and(|dependents| dependents.contains(path))
    }

    fn are_one(&self, one: &str, other: &str) -> bool {
        self.holds(one, other) && self.holds(other, one)
    }

    fn bytes(&self, path: &str) -> f64 {
        self.fields.get(path).map_or(0.0, |field| field.mean_bytes)
    }

    /// Whether a field is a key to something, and which text is its name.
    #[expect(clippy::option_option, reason = "a key may have no name")]
    fn is_key(&self, config: &Config, path: &'a str) -> Option<Option<&'a str>> {
        let field = self.fields.get(path)?;
        let (keys, rows_per_key) = *self.keys.get(path)?;
        let kind = field.kind();
        let can_be = matches!(kind, "integer" | "uuid" | "text") && self.bytes(path) <= LONGEST_KEY;
        if !can_be || keys < 2 || rows_per_key < config.rows_per_key {
            return None;
        }
        let dependents = self.determines.get(path)?;
        let texts = || {
            dependents
                .iter()
                .copied()
                .filter(|other| self.fields.get(other).is_some_and(|f| f.is_text()))
        };
        let name = texts().find(|other| self.are_one(path, other) && !is_identifier(other));
        let named = is_identifier(path) || kind == "uuid";
        if named {
            return texts().next().map(|_| name);
        }
        // A code without an identifier's name has to stand for something that is plainly a name.
        let stands_for = texts().find(|other| {
            self.are_one(path, other)
                && self.bytes(other) > self.bytes(path)
                && self.fields.get(other).is_some_and(|field| is_name(field))
        });
        let is_code = kind == "integer" || is_code(field);
        stands_for
            .filter(|_| is_code && !is_measure(path))
            .map(Some)
    }

    /// Fields that several keys determine of which none determines another. Such a field belongs to something finer that
    /// is no key here, as a track's price does to the track and not to its album, its genre and its format; what
    /// belonged to three could not be moved to one.
    fn shared(&self, keys: &[(&'a str, Option<&str>)]) -> BTreeSet<&'a str> {
        let owners = |path: &str| {
            keys.iter()
                .map(|(key, _)| *key)
                .filter(|key| self.holds(key, path))
                .collect::<Vec<_>>()
        };
        let nested = |one: &str, other: &str| self.holds(one, other) || self.holds(other, one);
        (self.fields.keys().copied())
            .filter(|path| {
                let owners = owners(path);
                // A key that several others determine is a reference; it belongs to each of them.
                let is_key = keys.iter().any(|(key, _)| key == path);
                !is_key
                    && (owners.iter().enumerate())
                        .any(|(at, one)| owners[at + 1..].iter().any(|other| !nested(one, other)))
            })
            .filter(|path| {
                // Unless one owner is nearer than all others: the one that every other determines.
                let owners = owners(path);
                !owners.iter().any(|near| {
                    owners
                        .iter()
                        .all(|other| other == near || self.holds(other, near))
                })
            })
            .collect()
    }

    /// What belongs to a key and to no nearer one.
    fn entity(
        &self,
        key: &'a str,
        name: Option<&str>,
        keys: &[(&'a str, Option<&str>)],
        shared: &BTreeSet<&str>,
    ) -> Entity {
        let empty = BTreeSet::new();
        let dependents = self.determines.get(key).unwrap_or(&empty);
        let nearer = |path: &str| {
            keys.iter().any(|(other, _)| {
                *other != key
                    && *other != path
                    && dependents.contains(other)
                    && !self.holds(other, key)
                    && self.holds(other, path)
            })
        };
        let fields: Vec<String> = (dependents.iter())
            .filter(|path| {
                self.fields.contains_key(**path) && !nearer(path) && !shared.contains(**path)
            })
            .map(ToString::to_string)
            .collect();
        let (count, rows_per_key) = self.keys.get(key).copied().unwrap_or((0, 0.0));
        let repeated = 1.0 - 1.0 / rows_per_key.max(1.0);
        let of_row: f64 = (fields.iter())
            .filter_map(|path| self.fields.get(path.as_str()))
            .map(|field| field.mean_bytes * field.share.min(1.0))
            .sum();
        let found = self
            .collection
            .dependencies
            .iter()
            .find(|found| found.path == key);
        let kept = found
            .into_iter()
            .flat_map(|found| &found.dependents)
            .filter(|d| fields.contains(&d.path));
        let (error, evidence) = kept.fold((0.0_f64, f64::MAX), |(error, evidence), dependent| {
            (error.max(dependent.error), evidence.min(dependent.evidence))
        });
        Entity {
            key: key.to_owned(),
            keys: count,
            rows_per_key,
            saved_per_row: of_row * repeated,
            name: name.map(str::to_owned),
            error,
            evidence,
            fields,
        }
    }

    /// Whether splitting pays. A key that is named as one and has a name beside it is an entity whatever it saves: what
    /// is written once cannot contradict itself.
    fn is_worth_it(&self, config: &Config, entity: &Entity) -> bool {
        let row = self.collection.row_bytes.max(1) as f64;
        let saves = entity.saved_per_row >= config.saving * row;
        let has_name = is_identifier(&entity.key) && entity.name.is_some();
        !entity.fields.is_empty() && (saves || has_name)
    }
}

/// Short and of one word: `ALFKI`, `DE`, `A-17`.
fn is_code(field: &Field) -> bool {
    field.mean_bytes <= LONGEST_CODE
        && !field.shapes.is_empty()
        && field
            .shapes
            .iter()
            .all(|shape| !shape.contains([' ', 'a', ',']))
}

/// Letters, and not a number in words: `Speedy Express`, not `12.00 USD`.
fn is_name(field: &Field) -> bool {
    field
        .shapes
        .first()
        .is_some_and(|shape| shape.contains('a') && !shape.contains('9'))
}
