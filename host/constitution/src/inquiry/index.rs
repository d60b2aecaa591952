//! Ranking by BM25: a word counts by how rare it is among the documents, and less with every repetition.

use std::collections::HashMap;

/// How fast repetitions of a word stop counting.
const K1: f64 = 1.2;
/// How much the length of a document counts against it.
const B: f64 = 0.75;

/// Words that stand in every question and say nothing about what is asked for.
const EMPTY: [&str; 62] = [
    "a", "an", "and", "any", "are", "as", "at", "be", "been", "before", "by", "can", "could", "do",
    "does", "for", "from", "get", "has", "have", "happen", "happens", "how", "i", "if", "in", "is",
    "it", "its", "may", "me", "must", "my", "no", "of", "on", "or", "our", "say", "shall",
    "should", "somebody", "that", "the", "there", "they", "this", "to", "us", "was", "we", "what",
    "when", "where", "which", "who", "why", "will", "with", "would", "you", "your",
];

/// A document found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Hit {
    /// Its number.
    pub(super) document: usize,
    /// How well it fits; comparable within one question only.
    pub(super) score: f64,
    /// The part of what the question asks, by weight of its words, that the document speaks of.
    pub(super) coverage: f64,
}

/// Documents as weights of words.
#[derive(Debug, Default)]
pub(super) struct Index {
    documents: Vec<HashMap<String, f64>>,
    lengths: Vec<f64>,
    holders: HashMap<String, usize>,
}

impl Index {
    /// Adds a document: texts, each with what a word in it counts.
    pub(super) fn add<'t>(&mut self, texts: impl IntoIterator<Item = (&'t str, f64)>) {
        let mut words: HashMap<String, f64> = HashMap::new();
        for (text, weight) in texts {
            for word in tokens(text) {
                *words.entry(word).or_default() += weight;
            }
        }
        for word in words.keys() {
            *self.holders.entry(word.clone()).or_default() += 1;
        }
        self.lengths.push(words.values().sum());
        self.documents.push(words);
    }

    /// The documents that share a word with the question, best first.
    pub(super) fn search(&self, question: &str) -> Vec<Hit> {
        let mut asked = tokens(question);
        asked.sort_unstable();
        asked.dedup();
        let all: f64 = asked.iter().map(|word| self.rarity(word)).sum();
        let average = self.lengths.iter().sum::<f64>() / self.lengths.len().max(1) as f64;
        let mut hits: Vec<Hit> = Vec::new();
        for (document, words) in self.documents.iter().enumerate() {
            let (mut score, mut covered) = (0.0, 0.0);
            for word in &asked {
                let Some(count) = words.get(word) else {
                    continue;
                };
                let rarity = self.rarity(word);
                let length = 1.0 - B + B * self.lengths[document] / average;
                score += rarity * count * (K1 + 1.0) / (count + K1 * length);
                covered += rarity;
            }
            if score > 0.0 {
                hits.push(Hit {
                    document,
                    score,
                    coverage: covered / all,
                });
            }
        }
        hits.sort_by(|a, b| {
            b.score
                .total_cmp(&a.score)
                .then(a.document.cmp(&b.document))
        });
        hits
    }

    fn rarity(&self, word: &str) -> f64 {
        let (all, with) = (
            self.documents.len() as f64,
            self.holders.get(word).copied().unwrap_or(0) as f64,
        );
        (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
    }
}

/// The words of a text that say something, without their endings.
fn tokens(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .filter(|word| !EMPTY.contains(&word.as_str()))
        .map(|word| stem(&word))
        .collect()
}

/// `disputes`, `disputed` and `disputing` are asked for alike. What is left is a key and no word.
fn stem(word: &str) -> String {
    let mut stem = word;
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(shorter) = stem.strip_suffix(ending)
            && shorter.chars().count() >= 3
            && !(ending == "s" && shorter.ends_with('s'))
        {
            stem = shorter;
            break;
        }
    }
    stem.strip_suffix('e')
        .filter(|shorter| shorter.chars().count() >= 3)
        .unwrap_or(stem)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_word_are_one_word() {
        for words in [
            "dispute disputes disputed disputing",
            "refund refunds refunded",
            "site sites",
            "expense expenses",
        ] {
            let mut found = tokens(words);
            found.dedup();
            assert_eq!(found.len(), 1, "{words}: {found:?}");
        }
        assert_eq!(tokens("What happens when we do it?"), [""; 0]);
    }

    #[test]
    fn a_rare_word_outranks_a_common_one_and_coverage_tells_what_is_missing() {
        let mut index = Index::default();
        index.add([("customer refund", 1.0)]);
        index.add([("customer invoice", 1.0)]);
        index.add([("customer complaint", 1.0)]);
        let hits = index.search("refund for a customer");
        assert_eq!((hits[0].document, hits[0].coverage), (0, 1.0));
        assert!(hits[1].coverage < 0.2);
        let hits = index.search("customer brings a pony");
        assert!(hits[0].coverage < 0.1);
        assert!(index.search("").is_empty());
        assert!(Index::default().search("refund").is_empty());
    }
}
