//! Which buckets mean something, and how much: inverse document frequencies.

use crate::text::{BUCKETS, Words};

/// Marks a bucket that was not seen often enough to be learned from.
const NONE: u32 = u32::MAX;

/// The buckets that were seen in training.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Vocabulary {
    /// By bucket: the row of weights, or [`NONE`].
    index: Vec<u32>,
    /// By row.
    idf: Vec<f32>,
    /// What a bucket would weigh that nobody has ever seen.
    unseen: f32,
}

/// A text in the terms of a vocabulary, of length 1 unless it is empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sparse {
    pub(crate) entries: Vec<(u32, f32)>,
    /// The share of the text's weight that lies in buckets nobody has seen, 0 to 1.
    pub(crate) strange: f32,
}

impl Vocabulary {
    /// Learns from texts. Buckets seen once teach nothing about other texts and are left out, unless there are few texts.
    pub(super) fn fit<'a>(texts: impl Iterator<Item = &'a Words>) -> Self {
        let mut frequency = vec![0_u32; BUCKETS];
        let mut count = 0_u32;
        for text in texts {
            count += 1;
            for (bucket, _) in text.counts() {
                frequency[usize::from(bucket)] += 1;
            }
        }
        let least = least(count);
        Self::of(
            count,
            frequency
                .iter()
                .map(|&seen| if seen < least { 0 } else { seen }),
        )
    }

    /// From the frequency of each bucket; 0 leaves it out.
    fn of(count: u32, frequency: impl Iterator<Item = u32>) -> Self {
        let weight = |seen: u32| (f64::from(1 + count) / f64::from(1 + seen)).ln() as f32 + 1.0;
        let mut index = vec![NONE; BUCKETS];
        let mut idf = Vec::new();
        for (bucket, seen) in frequency.enumerate() {
            if seen > 0 {
                index[bucket] = u32::try_from(idf.len()).unwrap_or(NONE);
                idf.push(weight(seen));
            }
        }
        Self {
            index,
            idf,
            unseen: weight(0),
        }
    }

    /// Number of buckets that mean something.
    pub(crate) fn len(&self) -> usize {
        self.idf.len()
    }

    /// A text in these terms.
    pub(crate) fn apply(&self, text: &Words) -> Sparse {
        let mut entries = Vec::with_capacity(256);
        let (mut known, mut strange) = (0.0_f32, 0.0_f32);
        for (bucket, count) in text.counts() {
            let times = damped(count);
            match self.index[usize::from(bucket)] {
                NONE => strange += (times * self.unseen) * (times * self.unseen),
                row => {
                    let value = times * self.idf[row as usize];
                    known += value * value;
                    entries.push((row, value));
                }
            }
        }
        if known > 0.0 {
            let scale = known.sqrt().recip();
            entries.iter_mut().for_each(|(_, value)| *value *= scale);
        }
        let whole = known + strange;
        Sparse {
            entries,
            strange: if whole > 0.0 { strange / whole } else { 0.0 },
        }
    }

    /// How strange each of the texts that this was learned from would be, had it not been there. `texts` are all of
    /// them.
    pub(super) fn strange_without_itself<'a>(
        &self,
        texts: impl Iterator<Item = &'a Words> + Clone,
    ) -> Vec<f32> {
        let mut frequency = vec![0_u32; BUCKETS];
        let mut count = 0_u32;
        for text in texts.clone() {
            count += 1;
            text.counts()
                .for_each(|(bucket, _)| frequency[usize::from(bucket)] += 1);
        }
        let least = least(count.saturating_sub(1));
        texts
            .map(|text| {
                let (mut known, mut strange) = (0.0_f32, 0.0_f32);
                for (bucket, times) in text.counts() {
                    let others = frequency[usize::from(bucket)] - 1;
                    match self.index[usize::from(bucket)] {
                        row if row != NONE && others >= least => {
                            known += (damped(times) * self.idf[row as usize]).powi(2);
                        }
                        _ => strange += (damped(times) * self.unseen).powi(2),
                    }
                }
                if known + strange > 0.0 {
                    strange / (known + strange)
                } else {
                    0.0
                }
            })
            .collect()
    }

    /// For storing: bucket and weight of each row, and the weight of what is unseen.
    pub(super) fn parts(&self) -> (Vec<u16>, &[f32], f32) {
        let mut buckets = vec![0; self.idf.len()];
        for (bucket, &row) in self.index.iter().enumerate() {
            if row != NONE {
                buckets[row as usize] = u16::try_from(bucket).unwrap_or_default();
            }
        }
        (buckets, &self.idf, self.unseen)
    }

    /// The inverse of [`Vocabulary::parts`]; nothing where the parts do not fit together.
    pub(super) fn from_parts(buckets: &[u16], idf: Vec<f32>, unseen: f32) -> Option<Self> {
        let mut index = vec![NONE; BUCKETS];
        for (row, &bucket) in buckets.iter().enumerate() {
            let place = &mut index[usize::from(bucket)];
            if *place != NONE {
                return None;
            }
            *place = u32::try_from(row).ok()?;
        }
        (buckets.len() == idf.len()).then_some(Self { index, idf, unseen })
    }
}

/// Texts that a bucket must be seen in to be learned from.
fn least(texts: u32) -> u32 {
    if texts < 50 { 1 } else { 2 }
}

/// The weight of a bucket that is hit so often: a word that is said ten times is not ten times as telling.
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
    fn a_text_has_length_one_and_rare_words_weigh_more() {
        let texts: Vec<_> = ["the cat", "the dog", "the cow"].map(words).into();
        let vocabulary = Vocabulary::fit(texts.iter());
        let sparse = vocabulary.apply(&words("the dog"));
        let length: f32 = sparse.entries.iter().map(|(_, v)| v * v).sum();
        assert!((length - 1.0).abs() < 1e-5);
        assert!(sparse.entries[0].1 < sparse.entries[2].1, "{sparse:?}");
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
    fn it_is_the_same_after_storing() {
        let texts: Vec<_> = ["the cat", "the dog"].map(words).into();
        let vocabulary = Vocabulary::fit(texts.iter());
        let (buckets, idf, unseen) = vocabulary.parts();
        let back = Vocabulary::from_parts(&buckets, idf.to_vec(), unseen).unwrap();
        assert_eq!(back, vocabulary);
        assert!(Vocabulary::from_parts(&[1, 1], vec![0.0; 2], 0.0).is_none());
    }
}
