//! What is known of one collection: its fields, its size and its rates.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::count_min::CountMin;
use crate::decay::Decayed;
use crate::dependency::Dependencies;
use crate::field::{FieldUse, size, value_hash};
use crate::hash::hash;
use crate::limits::Limits;
use crate::objects::ObjectUse;
use crate::path::push;

/// A path that waits to enter a full table was seen this often at least.
const SIGHTINGS_TO_ENTER: u32 = 8;
/// A field is looked at for dependencies when it was in this many documents, and in one in five of all.
const DOCS_TO_FOLLOW: u64 = 16;

/// Use of one collection.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Records {
    pub(crate) fields: BTreeMap<String, FieldUse>,
    objects: BTreeMap<String, ObjectUse>,
    newcomers: Option<CountMin>,
    pub(crate) dependencies: Option<Dependencies>,
    pub(crate) docs: u64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    pub(crate) writes: Decayed,
    pub(crate) reads: Decayed,
    pub(crate) untracked: u64,
    pub(crate) first_ms: u64,
}

/// One document on its way into the statistics.
struct Visit<'a> {
    limits: &'a Limits,
    at_ms: u64,
    sample: bool,
    left: usize,
    bytes: u64,
    /// Objects that were seen in this document to hold many keys, for judgement when the walk is over.
    suspects: Vec<String>,
    /// Hashes of what is looked at for dependencies, in the places of their fields.
    hashes: Vec<Option<u64>>,
    /// Fields that have been there long enough to be looked at.
    known: Vec<String>,
    /// Paths that had a value already: the elements of an array share theirs, and a document counts once.
    repeated: bool,
}

impl Visit<'_> {
    /// Counts a value of a field, once for a document.
    fn note(&mut self, field: &mut FieldUse, value: &Value, path: &str, docs: u64) {
        if self.repeated {
            return;
        }
        field.held(value, self.at_ms, self.limits.half_life_ms, self.sample);
        if value.is_array() || value.is_object() {
            return;
        }
        let place = field.place.map(usize::from);
        match place.and_then(|place| self.hashes.get_mut(place)) {
            Some(hash) => *hash = value_hash(value).filter(|_| !value.is_null()),
            // Looked at now and then: it is a walk over the path.
            None if field.docs.is_multiple_of(DOCS_TO_FOLLOW)
                && field.docs * 5 >= docs
                && !path.contains(['*', '[']) =>
            {
                self.known.push(path.to_owned());
            }
            None => {}
        }
    }
}

impl Records {
    pub(crate) fn new(at_ms: u64, with_dependencies: bool) -> Self {
        Self {
            first_ms: at_ms,
            dependencies: with_dependencies.then(Dependencies::default),
            ..Self::default()
        }
    }

    /// A document was written.
    pub(crate) fn wrote(&mut self, document: &Value, at_ms: u64, limits: &Limits) {
        let sample = self.docs < limits.sample_all_until
            || self.docs.is_multiple_of(limits.sample_every.max(1));
        let mut visit = Visit {
            limits,
            at_ms,
            sample,
            left: limits.values,
            bytes: 0,
            suspects: Vec::new(),
            hashes: vec![None; self.dependencies.as_ref().map_or(0, Dependencies::width)],
            known: Vec::new(),
            repeated: false,
        };
        let mut path = String::new();
        self.object(document, &mut path, 0, &mut visit);
        let Visit {
            suspects,
            hashes,
            known,
            bytes,
            ..
        } = visit;
        self.docs += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        self.writes.add(1.0, at_ms, limits.half_life_ms);
        if let Some(dependencies) = &mut self.dependencies {
            dependencies.row(&hashes, limits, sample);
        }
        self.follow(&known, limits);
        for path in &suspects {
            self.judge(path, at_ms, limits);
        }
    }

    /// Counts the keys of an object, and what is in them.
    fn object(&mut self, value: &Value, path: &mut String, depth: usize, visit: &mut Visit<'_>) {
        let Value::Object(members) = value else {
            return;
        };
        if !visit.repeated {
            if let Some(object) = self.objects.get_mut(path.as_str()) {
                object.docs += 1;
            } else if self.objects.len() < visit.limits.paths {
                let object = ObjectUse {
                    docs: 1,
                    ..ObjectUse::default()
                };
                self.objects.insert(path.clone(), object);
            }
        }
        let is_map = self
            .objects
            .get(path.as_str())
            .is_some_and(|object| object.map);
        let own = path.len();
        let mut star_seen = visit.repeated;
        for (key, member) in members {
            if visit.left == 0 {
                self.untracked += 1;
                return;
            }
            visit.left -= 1;
            push(path, key);
            let before = visit.repeated;
            if is_map && !self.fields.contains_key(path.as_str()) {
                path.truncate(own);
                path.push_str(if own == 0 { "*" } else { ".*" });
                visit.repeated = star_seen;
                star_seen = true;
            }
            self.value(member, path, depth + 1, own, visit);
            visit.repeated = before;
            path.truncate(own);
        }
    }

    /// Counts a value at a path, and what is in it.
    fn value(
        &mut self,
        value: &Value,
        path: &mut String,
        depth: usize,
        parent: usize,
        visit: &mut Visit<'_>,
    ) {
        visit.bytes += size(value);
        let docs = self.docs;
        if let Some(field) = self.fields.get_mut(path.as_str()) {
            visit.note(field, value, path, docs);
        } else if self.admit(path, parent, visit) {
            if let Some(field) = self.fields.get_mut(path.as_str()) {
                visit.note(field, value, path, docs);
            }
        } else {
            self.untracked += 1;
            return;
        }
        if depth >= visit.limits.depth {
            return;
        }
        match value {
            Value::Object(_) => self.object(value, path, depth, visit),
            Value::Array(elements) => {
                let own = path.len();
                path.push_str("[]");
                let before = visit.repeated;
                for element in elements.iter().take(visit.limits.elements) {
                    if visit.left == 0 {
                        break;
                    }
                    visit.left -= 1;
                    if element.is_object() {
                        self.object(element, path, depth + 1, visit);
                    } else {
                        self.value(element, path, depth + 1, own, visit);
                    }
                    visit.repeated = true;
                }
                visit.repeated = before;
                path.truncate(own);
            }
            _ => {}
        }
    }

    /// Whether a new path is tracked from now on.
    fn admit(&mut self, path: &str, parent: usize, visit: &mut Visit<'_>) -> bool {
        if path.len() > visit.limits.path_bytes {
            return false;
        }
        if self.fields.len() >= visit.limits.paths && !self.make_room(path, visit) {
            return false;
        }
        let field = FieldUse::new(visit.at_ms, self.docs, visit.limits.half_life_ms);
        self.fields.insert(path.to_owned(), field);
        let parent = &path[..parent];
        if !path.ends_with(['*', ']'])
            && self
                .objects
                .get_mut(parent)
                .is_some_and(ObjectUse::gained_key)
        {
            visit.suspects.push(parent.to_owned());
        }
        true
    }

    /// Takes the place of the least used path, if the newcomer has been seen more often than that.
    fn make_room(&mut self, path: &str, visit: &Visit<'_>) -> bool {
        let seen = self
            .newcomers
            .get_or_insert_with(CountMin::default)
            .add(hash(path.as_bytes()));
        if seen < SIGHTINGS_TO_ENTER {
            return false;
        }
        let (now, half_life) = (visit.at_ms, visit.limits.half_life_ms);
        let lightest = self
            .fields
            .iter()
            // What a query named is in use, however rare it is.
            .filter(|(_, field)| field.reads == 0)
            .min_by(|(_, one), (_, other)| {
                one.filled
                    .value_at(now, half_life)
                    .total_cmp(&other.filled.value_at(now, half_life))
            });
        match lightest {
            Some((lightest, field)) if field.filled.value_at(now, half_life) < f64::from(seen) => {
                let lightest = lightest.clone();
                self.fields.remove(&lightest);
                true
            }
            _ => false,
        }
    }

    /// Decides whether an object is a record or a map, and gathers a map's keys into one.
    fn judge(&mut self, object: &str, at_ms: u64, limits: &Limits) {
        let prefix = if object.is_empty() {
            String::new()
        } else {
            format!("{object}.")
        };
        let keys: Vec<(String, u64)> = self
            .fields
            .range(prefix.clone()..)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .filter(|(path, _)| is_key(&path[prefix.len()..]))
            .map(|(path, field)| (path.clone(), field.docs))
            .collect();
        let Some(known) = self.objects.get_mut(object) else {
            return;
        };
        if !known.is_map(
            keys.iter()
                .map(|(path, docs)| (&path[prefix.len()..], *docs)),
        ) {
            return;
        }
        known.map = true;
        let tail: Vec<String> = keys
            .into_iter()
            .filter(|(path, docs)| !known.is_field(&path[prefix.len()..], *docs))
            .map(|(path, _)| path)
            .collect();
        let within = |path: &str| {
            tail.binary_search_by(|key| key.as_str().cmp(path)).is_ok()
                || tail.iter().any(|key| {
                    path.strip_prefix(key.as_str())
                        .is_some_and(|rest| rest.starts_with(['.', '[']))
                })
        };
        self.fields.retain(|path, _| !within(path));
        self.objects.retain(|path, _| !within(path));
        if let Some(dependencies) = &mut self.dependencies
            && dependencies.forget(within)
        {
            self.fields
                .values_mut()
                .for_each(|field| field.place = None);
        }
        let star = format!("{prefix}*");
        let docs = self.docs;
        self.fields
            .entry(star)
            .or_insert_with(|| FieldUse::new(at_ms, docs, limits.half_life_ms));
    }

    fn follow(&mut self, known: &[String], limits: &Limits) {
        let Some(dependencies) = &mut self.dependencies else {
            return;
        };
        for path in known {
            if let Some(field) = self.fields.get_mut(path) {
                let place = dependencies.follow(path, limits.dependency_fields);
                field.place = place.and_then(|place| u16::try_from(place).ok());
            }
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        self.fields.values().all(FieldUse::is_sound)
            && self.newcomers.as_ref().is_none_or(CountMin::is_sound)
            && self
                .dependencies
                .as_ref()
                .is_none_or(Dependencies::is_sound)
    }
}

/// Whether what is left of a path is one key.
fn is_key(rest: &str) -> bool {
    let mut escaped = false;
    !rest.is_empty()
        && rest != "*"
        && !rest.chars().any(|char| {
            let ends = !escaped && matches!(char, '.' | '[');
            escaped = !escaped && char == '\\';
            ends
        })
}
