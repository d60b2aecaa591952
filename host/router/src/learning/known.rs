//! Requests that were strange once and that a person has settled: their like is strange no more.

use std::collections::VecDeque;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::text::Words;

/// Settled requests that are kept; the oldest go. They are for the time until a predictor is trained with them.
const MOST: usize = 512;

/// Hashed words that are kept of a request.
const MOST_WORDS: usize = 256;

/// Words and pairs that are looked at: the first.
const MOST_HITS: usize = 256;

/// From this likeness on, a request is the like of another.
const LIKE: f32 = 0.5;

/// One settled request: hashed words, no text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exemplar {
    /// What to call it.
    pub label: String,
    /// The task it belongs to.
    pub task: Arc<str>,
    /// Hashed words and their weights, sorted, of length 1.
    words: Vec<(u16, f32)>,
}

/// The settled request that is most like another.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Nearest {
    /// What it is called.
    pub label: String,
    /// The task it belongs to.
    pub task: Arc<str>,
    /// How like it is, 0 to 1.
    pub likeness: f32,
}

/// All settled requests.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Known(VecDeque<Exemplar>);

impl Exemplar {
    pub(crate) fn new(label: String, task: Arc<str>, words: Vec<(u16, f32)>) -> Self {
        Self {
            label: label.chars().take(128).collect(),
            task,
            words,
        }
    }

    /// True where it could have come from a text.
    pub(super) fn is_sane(&self) -> bool {
        self.words.len() <= MOST_WORDS
            && self.words.is_sorted_by(|a, b| a.0 < b.0)
            && self
                .words
                .iter()
                .all(|(_, value)| (0.0..=1.0).contains(value))
    }
}

/// The hashed words of a text, by weight, of length 1.
pub(crate) fn sketch(words: &Words) -> Vec<(u16, f32)> {
    // The upper half of a hash is enough to know a few hundred words by.
    let hashes = words.near().iter().take(MOST_HITS);
    let mut buckets: Vec<u16> = hashes.map(|hash| (hash >> 16) as u16).collect();
    buckets.sort_unstable();
    let mut sketch: Vec<(u16, f32)> = buckets
        .chunk_by(|a, b| a == b)
        .map(|hits| (hits[0], 1.0 + (hits.len() as f32).ln()))
        .take(MOST_WORDS)
        .collect();
    let length = sketch
        .iter()
        .map(|(_, value)| value * value)
        .sum::<f32>()
        .sqrt();
    if length > 0.0 {
        sketch.iter_mut().for_each(|(_, value)| *value /= length);
    }
    sketch
}

impl Known {
    pub(crate) fn add(&mut self, exemplar: Exemplar) {
        self.0.retain(|known| known.words != exemplar.words);
        if self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(exemplar);
    }

    /// The most alike, and whether it is alike enough.
    pub(crate) fn nearest(&self, sketch: &[(u16, f32)]) -> Option<(Nearest, bool)> {
        let alike = self
            .0
            .iter()
            .map(|exemplar| (product(&exemplar.words, sketch), exemplar));
        let (likeness, exemplar) = alike.max_by(|a, b| a.0.total_cmp(&b.0))?;
        let nearest = Nearest {
            label: exemplar.label.clone(),
            task: exemplar.task.clone(),
            likeness,
        };
        Some((nearest, likeness >= LIKE))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Exemplar> {
        self.0.iter()
    }
}

/// The product of two sorted sparse vectors.
fn product(a: &[(u16, f32)], b: &[(u16, f32)]) -> f32 {
    let (mut at, mut sum) = (0, 0.0);
    for (bucket, value) in a {
        while b.get(at).is_some_and(|(other, _)| other < bucket) {
            at += 1;
        }
        match b.get(at) {
            Some((other, theirs)) if other == bucket => sum += value * theirs,
            Some(_) => {}
            None => break,
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Look;

    fn of(text: &str) -> Vec<(u16, f32)> {
        sketch(&Look::at(text).words)
    }

    #[test]
    fn the_like_of_a_settled_request_is_known_and_others_are_not() {
        let mut known = Known::default();
        assert_eq!(known.nearest(&of("x")), None);
        known.add(Exemplar::new(
            "a".into(),
            "permits".into(),
            of("How do I renew the fishing permit for lake Constance?"),
        ));
        let (nearest, is_like) = known
            .nearest(&of("How do I renew my fishing permit for lake Zurich?"))
            .unwrap();
        assert!(is_like, "{nearest:?}");
        let (nearest, is_like) = known
            .nearest(&of("Compose an ode to spring in hexameters"))
            .unwrap();
        assert!(!is_like, "{nearest:?}");
    }

    #[test]
    fn only_so_many_are_kept() {
        let mut known = Known::default();
        for number in 0..2 * MOST {
            known.add(Exemplar::new(
                number.to_string(),
                "t".into(),
                vec![(number as u16, 1.0)],
            ));
        }
        assert_eq!(known.0.len(), MOST);
        assert_eq!(known.0[0].label, MOST.to_string());
    }
}
