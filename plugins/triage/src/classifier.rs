//! From a text to the probability of each label.
//!
//! A feature counts once, however often it occurs. The rows of the features that are present are added as whole numbers,
//! which makes the sum independent of their order, and only the sums become floating point.

use crate::exponential::softmax;
use crate::features::{Family, visit};
use crate::weights::{BACKGROUND, COLUMNS, OFFSET, Weights};

/// Rows that the set of rows seen has room for.
pub const MOST_ROWS: usize = 1 << 15;

/// Rows that can be added before a lane of eight bits may overflow: 17 times 15 is 255.
const BATCH: u32 = 17;

/// What the classifier says of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Probability of each label; the background takes what is missing to one. Unused places are zero.
    pub probabilities: [f32; BACKGROUND],
    /// How far the best label's score is above the background's.
    pub margin: f32,
    /// Whether the text resembles the requests that the model was trained on.
    pub known: bool,
}

impl Verdict {
    /// The labels from the most to the least probable, equals in their own order.
    pub fn ranking(&self, labels: usize) -> Vec<usize> {
        let mut ranking: Vec<usize> = (0..labels).collect();
        ranking.sort_by(|&a, &b| self.probabilities[b].total_cmp(&self.probabilities[a]));
        ranking
    }
}

/// The score of each column, and what it rests on.
pub struct Scores {
    /// The scores.
    pub columns: [f32; COLUMNS],
    /// Number of different features.
    pub features: u32,
}

/// Classifies a text.
pub fn classify(weights: &Weights<'_>, text: &str) -> Verdict {
    let labels = weights.labels();
    let Scores {
        columns: mut scores,
        features,
    } = scores(weights, text);
    let best = scores[..labels].iter().copied().fold(f32::MIN, f32::max);
    let margin = best - scores[BACKGROUND];

    scores[labels] = scores[BACKGROUND];
    softmax(&mut scores[..=labels], weights.sharpness());
    let mut probabilities = [0.0; BACKGROUND];
    probabilities[..labels].copy_from_slice(&scores[..labels]);
    Verdict {
        probabilities,
        margin,
        // Without a feature the scores are mere biases.
        known: features > 0 && margin >= weights.margin(),
    }
}

/// Scores a text.
pub fn scores(weights: &Weights<'_>, text: &str) -> Scores {
    let mut seen = [0_u64; MOST_ROWS / 64];
    let mut words = Sums::default();
    let mut pieces = Sums::default();
    visit(text, |family, hash| {
        let row = weights.row_of(hash);
        let (place, bit) = (row / 64 % seen.len(), 1 << (row % 64));
        if seen[place] & bit == 0 {
            seen[place] |= bit;
            match family {
                Family::Word => words.add(weights.row(row)),
                Family::Piece => pieces.add(weights.row(row)),
            }
        }
    });
    let features = words.features() + pieces.features();
    let (words, pieces) = (words.finish(), pieces.finish());
    let columns = std::array::from_fn(|column| {
        weights.bias(column) + weights.scale(column) * (words[column] + pieces[column])
    });
    Scores { columns, features }
}

/// What a family of `count` features is divided by, so that long and short texts have scores of one size.
pub fn length(count: u32) -> f32 {
    (count.max(1) as f32).sqrt()
}

/// Sums of rows: eight columns to a machine word until a lane is full, then spread out.
#[derive(Default)]
struct Sums {
    even: u64,
    odd: u64,
    last: u32,
    waiting: u32,
    count: u32,
    totals: [u32; COLUMNS],
}

impl Sums {
    fn add(&mut self, (first, last): (u64, u16)) {
        const LOWER: u64 = 0x0f0f_0f0f_0f0f_0f0f;
        self.even += first & LOWER;
        self.odd += (first >> 4) & LOWER;
        let last = u32::from(last);
        self.last += (last & 0x0f0f) | ((last << 12) & 0x0f0f_0000);
        self.waiting += 1;
        if self.waiting == BATCH {
            self.spread();
        }
    }

    fn features(&self) -> u32 {
        self.count + self.waiting
    }

    fn spread(&mut self) {
        for (index, lane) in self.even.to_le_bytes().into_iter().enumerate() {
            self.totals[2 * index] += u32::from(lane);
        }
        for (index, lane) in self.odd.to_le_bytes().into_iter().enumerate() {
            self.totals[2 * index + 1] += u32::from(lane);
        }
        for (column, lane) in [16, 18, 17, 19].into_iter().zip(self.last.to_le_bytes()) {
            self.totals[column] += u32::from(lane);
        }
        self.count += self.waiting;
        (self.even, self.odd, self.last, self.waiting) = (0, 0, 0, 0);
    }

    fn finish(mut self) -> [f32; COLUMNS] {
        self.spread();
        let offset = i64::from(self.count) * i64::from(OFFSET);
        let length = length(self.count);
        self.totals
            .map(|total| (i64::from(total) - offset) as f32 / length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sums_equal_sums_column_by_column() {
        let mut state = 7_u64;
        let mut sums = Sums::default();
        let mut plain = [0_i64; COLUMNS];
        for _ in 0..1000 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let row = (state, (state >> 23) as u16);
            sums.add(row);
            let nibbles = u128::from(row.0) | (u128::from(row.1) << 64);
            for (column, total) in plain.iter_mut().enumerate() {
                *total += (nibbles >> (4 * column) & 15) as i64 - 8;
            }
        }
        let length = length(1000);
        assert_eq!(sums.finish(), plain.map(|total| total as f32 / length));
    }

    #[test]
    fn what_is_said_twice_counts_once() {
        let weights = Weights::new(crate::WEIGHTS).unwrap();
        let scored = |text| scores(&weights, text).columns;
        assert_eq!(scored("refund refund"), scored("refund refund refund"));
    }

    #[test]
    fn a_text_without_features_is_not_known() {
        let weights = Weights::new(crate::WEIGHTS).unwrap();
        let verdict = classify(&weights, " … ");
        assert!(!verdict.known, "{verdict:?}");
    }

    #[test]
    fn the_ranking_is_from_the_most_probable_label_down() {
        let weights = Weights::new(crate::WEIGHTS).unwrap();
        let verdict = classify(&weights, "please send me the invoice again");
        let ranking = verdict.ranking(weights.labels());
        assert_eq!(ranking.len(), weights.labels());
        assert!(
            ranking.is_sorted_by(|&a, &b| verdict.probabilities[a] >= verdict.probabilities[b])
        );
        assert_eq!(weights.label(ranking[0]), "billing");
    }
}
