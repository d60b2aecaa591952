//! Which features mean something, and how much: inverse document frequencies.
//!
//! What kind of request a text is shows in its most frequent words and pairs of neighbours. Those come first among the
//! rows and have numbers for kinds; all others, which are many times as many, speak of scores alone.
//!
//! Features are known by their hashes of 32 bits and found in an open-addressed table with one read of memory, mostly one
//! that tells that nobody knows them.

use std::collections::HashMap;

use crate::text::Words;

/// Features that are kept, the most frequent. So many fit what a predictor may weigh.
const MOST: usize = 1 << 15;

/// Of these, at most so many are words and pairs of neighbours.
const MOST_NEAR: usize = 1 << 14;

/// Features that tell kinds apart: the most frequent of the near.
const MOST_TELLING: usize = 1 << 13;

/// Counters of the first pass over the texts, which leaves out what is too rare to be counted exactly.
const SIEVE: usize = 1 << 22;

/// A slot that is free; no feature is known by it.
const FREE: u32 = 0;

/// The features that were seen in training.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vocabulary {
    /// By hash: a bit that is set where something is known, 16 to 32 of them for each. Most of a text is not, and this
    /// is small enough to stay close to the processor.
    sieve: Vec<u64>,
    /// Hash and row, at most two thirds of them taken.
    slots: Vec<(u32, u32)>,
    /// By row: the near first and then the far, the most frequent of each first.
    hashes: Vec<u32>,
    /// Rows of near features.
    near: usize,
    idf: Vec<f32>,
    /// What a feature would weigh that nobody has ever seen.
    unseen: f32,
}

/// A text in the terms of a vocabulary.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    /// Of length 1 unless the text is empty.
    pub(crate) entries: Vec<(u32, f32)>,
    /// Those that tell kinds apart, of length 1 among themselves.
    pub(crate) telling: Vec<(u32, f32)>,
    /// The share of the text's weight that lies in words nobody has seen, 0 to 1.
    pub(crate) strange: f32,
}

impl Vocabulary {
    /// Learns from texts. Features that are too rare teach nothing about other texts and are left out, unless there are
    /// few texts.
    pub(super) fn fit<'a>(texts: impl Iterator<Item = &'a Words> + Clone) -> Self {
        let (count, near) = frequencies(texts.clone().map(Words::near));
        let (_, mut far) = frequencies(texts.map(Words::far));
        far.retain(|hash, _| !near.contains_key(hash));
        let near = most_frequent(near, count, MOST_NEAR);
        let far = most_frequent(far, count, MOST - near.len());
        Self::learned(count, &near, &far)
    }

    /// The same without far pairs: enough to tell kinds apart, and what is strange.
    pub(super) fn fit_near<'a>(texts: impl Iterator<Item = &'a Words> + Clone) -> Self {
        let (count, near) = frequencies(texts.map(Words::near));
        Self::learned(count, &most_frequent(near, count, MOST_NEAR), &[])
    }

    fn learned(count: u32, near: &[(u32, u32)], far: &[(u32, u32)]) -> Self {
        let weight = |seen: u32| (f64::from(1 + count) / f64::from(1 + seen)).ln() as f32 + 1.0;
        let all = || near.iter().chain(far);
        let hashes = all().map(|(hash, _)| *hash).collect();
        let idf = all().map(|(_, seen)| weight(*seen)).collect();
        Self::of(hashes, idf, near.len(), weight(0))
    }

    fn of(hashes: Vec<u32>, idf: Vec<f32>, near: usize, unseen: f32) -> Self {
        let size = (hashes.len() * 3 / 2 + 2).next_power_of_two();
        let mut slots = vec![(FREE, 0); size];
        let mut sieve = vec![0; (size / 8).max(1).next_power_of_two()];
        for (row, &hash) in hashes.iter().enumerate() {
            let (place, bit) = bit(hash, sieve.len());
            sieve[place] |= bit;
            let mut at = hash as usize & (size - 1);
            while slots[at].0 != FREE {
                at = (at + 1) & (size - 1);
            }
            slots[at] = (hash, u32::try_from(row).unwrap_or_default());
        }
        Self {
            sieve,
            slots,
            hashes,
            near,
            idf,
            unseen,
        }
    }

    /// Number of features that mean something.
    pub(crate) fn len(&self) -> usize {
        self.idf.len()
    }

    /// Number of features that tell kinds apart. Their rows come first.
    pub(crate) fn telling(&self) -> usize {
        self.near.min(MOST_TELLING)
    }

    fn find(&self, hash: u32) -> Option<u32> {
        if self.may_know(hash) {
            self.row(hash)
        } else {
            None
        }
    }

    /// False of nearly all that nobody knows.
    fn may_know(&self, hash: u32) -> bool {
        let (place, bit) = bit(hash, self.sieve.len());
        self.sieve[place] & bit != 0
    }

    fn row(&self, hash: u32) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut at = hash as usize & mask;
        loop {
            match self.slots[at] {
                (FREE, _) => return None,
                (known, row) if known == hash => return Some(row),
                _ => at = (at + 1) & mask,
            }
        }
    }

    /// The rows of those that are known, in place of `rows`. The processor looks ahead best where every step is the same:
    /// so what nobody knows is left out first, without a branch, and then all others are looked up.
    fn rows(&self, hashes: &[u32], rows: &mut Vec<u32>) {
        rows.clear();
        rows.resize(hashes.len(), FREE);
        let mut kept = 0;
        for &hash in hashes {
            rows[kept] = hash;
            kept += usize::from(self.may_know(hash));
        }
        rows.truncate(kept);
        let mut found = 0;
        for at in 0..kept {
            if let Some(row) = self.row(rows[at]) {
                rows[found] = row;
                found += 1;
            }
        }
        rows.truncate(found);
    }

    /// A text in these terms.
    pub(crate) fn apply(&self, text: &Words) -> Sparse {
        let mut counter = Counter::new(text.near().len() + text.far().len() / 2);
        let mut rows = Vec::new();
        self.rows(text.near(), &mut rows);
        let mut known = 0.0_f32;
        for &row in &rows {
            counter.count(row);
            known += self.idf[row as usize] * self.idf[row as usize];
        }
        let strange = (text.near().len() - rows.len()) as f32 * self.unseen * self.unseen;
        let near = counter.counted.len();
        self.rows(text.far(), &mut rows);
        rows.iter().for_each(|row| counter.count(*row));
        let most_telling = self.telling() as u32;
        let (mut square, mut square_of_telling) = (0.0_f32, 0.0_f32);
        let mut telling = Vec::with_capacity(near);
        let mut entries: Vec<(u32, f32)> = counter
            .counted
            .iter()
            .map(|&(row, count)| {
                let value = damped(count) * self.idf[row as usize];
                square += value * value;
                if row < most_telling {
                    square_of_telling += value * value;
                    telling.push((row, value));
                }
                (row, value)
            })
            .collect();
        unit(&mut entries, square);
        unit(&mut telling, square_of_telling);
        Sparse {
            entries,
            telling,
            strange: share(strange, known),
        }
    }

    /// How strange each of the texts that this was learned from would be, had it not been there. `texts` are all of
    /// them.
    pub(super) fn strange_without_itself<'a>(
        &self,
        texts: impl Iterator<Item = &'a Words> + Clone,
    ) -> Vec<f32> {
        let (count, frequency) = frequencies(texts.clone().map(Words::near));
        // What was among the most frequent only thanks to the text itself would not be there without it.
        let near = self.hashes[..self.near].iter();
        let fewest = near.filter_map(|hash| frequency.get(hash)).min();
        let least = match fewest {
            Some(fewest) if self.near == MOST_NEAR => *fewest,
            _ => least(count.saturating_sub(1)),
        };
        texts
            .map(|text| {
                let (mut known, mut strange) = (0.0_f32, 0.0_f32);
                for hash in text.near() {
                    let others = frequency.get(hash).map_or(0, |seen| seen - 1);
                    match self.find(*hash) {
                        Some(row) if others >= least => known += self.idf[row as usize].powi(2),
                        _ => strange += self.unseen.powi(2),
                    }
                }
                share(strange, known)
            })
            .collect()
    }

    /// For storing: hash and weight of each row, how many of them are near, and the weight of what is unseen.
    pub(super) fn parts(&self) -> (&[u32], &[f32], usize, f32) {
        (&self.hashes, &self.idf, self.near, self.unseen)
    }

    /// The inverse of [`Vocabulary::parts`]; nothing where the parts do not fit together.
    pub(super) fn from_parts(
        hashes: Vec<u32>,
        idf: Vec<f32>,
        near: usize,
        unseen: f32,
    ) -> Option<Self> {
        let mut sorted = hashes.clone();
        sorted.sort_unstable();
        let is_unique = sorted.is_sorted_by(|a, b| a < b) && sorted.first() != Some(&FREE);
        let fits = is_unique && hashes.len() <= MOST && hashes.len() == idf.len();
        (fits && near <= hashes.len()).then(|| Self::of(hashes, idf, near, unseen))
    }
}

/// Where the bit of a hash is among so many words, a power of two.
fn bit(hash: u32, words: usize) -> (usize, u64) {
    // The upper bits: slots are found by the lower ones.
    let place = hash.rotate_left(16) as usize;
    ((place / 64) & (words - 1), 1 << (place % 64))
}

/// Makes entries whose squares add up to `square` of length 1.
fn unit(entries: &mut [(u32, f32)], square: f32) {
    if square > 0.0 {
        let scale = square.sqrt().recip();
        entries.iter_mut().for_each(|(_, value)| *value *= scale);
    }
}

/// The features that are not too rare, the most frequent first, and so many at most.
fn most_frequent(frequency: HashMap<u32, u32, Plain>, texts: u32, most: usize) -> Vec<(u32, u32)> {
    let least = least(texts);
    let mut known: Vec<(u32, u32)> = frequency
        .into_iter()
        .filter(|(_, seen)| *seen >= least)
        .collect();
    known.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    known.truncate(most);
    known
}

/// How many texts there are, and in how many of them each feature stands that is not too rare.
fn frequencies<'a>(
    texts: impl Iterator<Item = &'a [u32]> + Clone,
) -> (u32, HashMap<u32, u32, Plain>) {
    let mut sieve = vec![0_u8; SIEVE];
    let mut count = 0_u32;
    let mut features = Vec::new();
    let distinct = |text: &[u32], features: &mut Vec<u32>| {
        features.clear();
        features.extend(text);
        features.sort_unstable();
        features.dedup();
    };
    for text in texts.clone() {
        count += 1;
        distinct(text, &mut features);
        for hash in &features {
            let place = &mut sieve[*hash as usize % SIEVE];
            *place = place.saturating_add(1);
        }
    }
    let least = u8::try_from(least(count)).unwrap_or(u8::MAX);
    let mut frequency = HashMap::with_hasher(Plain::default());
    for text in texts {
        distinct(text, &mut features);
        for hash in &features {
            if sieve[*hash as usize % SIEVE] >= least && *hash != FREE {
                *frequency.entry(*hash).or_insert(0) += 1;
            }
        }
    }
    (count, frequency)
}

/// Features are hashes already.
#[derive(Clone, Debug, Default)]
struct Plain(u64);

impl std::hash::BuildHasher for Plain {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self(0)
    }
}

impl std::hash::Hasher for Plain {
    fn finish(&self) -> u64 {
        self.0.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0 << 8 | u64::from(*byte);
        }
    }

    fn write_u32(&mut self, value: u32) {
        self.0 = value.into();
    }
}

/// How often each row was hit. A small open-addressed table: counting this way is faster than sorting.
struct Counter {
    /// Slots that hold a place in `counted` plus one; 0 where free.
    slots: Vec<u16>,
    counted: Vec<(u32, u16)>,
}

impl Counter {
    /// Room for so many rows. More are counted together with others, and no text is long enough for that.
    fn new(most: usize) -> Self {
        let room = (most * 2 + 16).next_power_of_two().min(1 << 16);
        Self {
            slots: vec![0; room],
            counted: Vec::with_capacity(most.min(1 << 14)),
        }
    }

    fn count(&mut self, row: u32) {
        let mask = self.slots.len() - 1;
        let mut slot = row as usize & mask;
        loop {
            match self.slots[slot] {
                0 => {
                    self.counted.push((row, 1));
                    self.slots[slot] = u16::try_from(self.counted.len()).unwrap_or(u16::MAX);
                    return;
                }
                place => {
                    let entry = &mut self.counted[usize::from(place) - 1];
                    if entry.0 == row {
                        entry.1 = entry.1.saturating_add(1);
                        return;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }
}

fn share(part: f32, rest: f32) -> f32 {
    if part + rest > 0.0 {
        part / (part + rest)
    } else {
        0.0
    }
}

/// Texts that a feature must be seen in to be learned from.
fn least(texts: u32) -> u32 {
    match texts {
        0..50 => 1,
        50..200 => 2,
        _ => 3,
    }
}

/// The weight of a feature that is hit so often: a word that is said ten times is not ten times as telling.
fn damped(count: u16) -> f32 {
    match count {
        1 => 1.0,
        2 => 1.693_147_2,
        3 => 2.098_612_3,
        count => 1.0 + f32::from(count).ln(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::text::Look;

    fn words(text: &str) -> Words {
        Look::at(text).words
    }

    #[test]
    fn a_text_has_length_one_and_common_words_weigh_less() {
        let texts: Vec<_> = ["the cat", "the dog", "the cow"].map(words).into();
        let vocabulary = Vocabulary::fit(texts.iter());
        let sparse = vocabulary.apply(&words("the dog"));
        let length: f32 = sparse.entries.iter().map(|(_, v)| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5);
        let the = sparse.entries.iter().find(|(row, _)| *row == 0).unwrap();
        assert!(
            sparse.entries.iter().all(|entry| entry.1 >= the.1),
            "{sparse:?}"
        );
        assert!(sparse.entries.iter().any(|entry| entry.1 > the.1));
        assert_eq!(sparse.strange, 0.0);
    }

    #[test]
    fn strange_texts_are_strange() {
        let texts: Vec<_> = ["the cat", "the dog"].map(words).into();
        let vocabulary = Vocabulary::fit(texts.iter());
        assert_eq!(vocabulary.apply(&words("quantum flux")).strange, 1.0);
        assert_eq!(vocabulary.apply(&words("")).strange, 0.0);
    }

    #[test]
    fn a_text_of_any_length_is_counted() {
        let letter = |number: u32| char::from(b'a' + (number % 26) as u8);
        let word = |number: u32| [number, number / 26, number / 676, 0].map(letter);
        let long: String = (0..4000).flat_map(word).collect();
        let long = long.replace('a', " ");
        let vocabulary = Vocabulary::fit([words(&long)].iter());
        let sparse = vocabulary.apply(&words(&long));
        assert!(sparse.entries.len() > 1000);
        let mut rows: Vec<_> = sparse.entries.iter().map(|(row, _)| row).collect();
        rows.sort_unstable();
        rows.dedup();
        assert_eq!(rows.len(), sparse.entries.len());
    }

    #[test]
    fn it_is_the_same_after_storing() {
        let texts: Vec<_> = ["the cat", "the dog"].map(words).into();
        let vocabulary = Vocabulary::fit(texts.iter());
        let (hashes, idf, near, unseen) = vocabulary.parts();
        let back = |near| Vocabulary::from_parts(hashes.to_vec(), idf.to_vec(), near, unseen);
        assert_eq!(back(near), Some(vocabulary.clone()));
        assert_eq!(back(hashes.len() + 1), None);
        assert_eq!(
            Vocabulary::from_parts(vec![1, 1], vec![0.0; 2], 0, 0.0),
            None
        );
        assert_eq!(Vocabulary::from_parts(vec![FREE], vec![0.0], 0, 0.0), None);
    }
}
