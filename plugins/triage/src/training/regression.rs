//! Multinomial logistic regression by AdaGrad, one example at a time.

use crate::classifier::length;
use crate::exponential::softmax;
use crate::features::{Family, visit};
use crate::training::dataset::Line;
use crate::weights::{BACKGROUND, COLUMNS, row_of};

// Chosen by cross-validation; accuracy is flat around them.
const EPOCHS: usize = 15;
const RATE: f32 = 0.2;
/// Strength of the pull to zero, felt by the weights of an example's own features.
const L2: f32 = 1e-3;
/// Squared gradient that each weight starts from, so that its first step is bounded.
const START: f32 = 1e-3;
const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

/// A line as the regression sees it.
pub struct Example {
    words: Vec<u32>,
    pieces: Vec<u32>,
    /// None for what belongs to the background.
    label: Option<usize>,
}

/// Weights before they are rounded.
pub struct Model {
    /// One row for each row of the hash space.
    pub rows: Vec<[f32; COLUMNS]>,
    /// One bias for each column.
    pub biases: [f32; COLUMNS],
}

impl Example {
    /// The rows of a line's features, each once, as the classifier counts them.
    pub fn new(line: &Line, rows: u32) -> Self {
        let mut seen = vec![false; rows as usize];
        let mut example = Self {
            words: Vec::new(),
            pieces: Vec::new(),
            label: line.label,
        };
        visit(&line.text, |family, hash| {
            let row = row_of(hash, rows);
            if !std::mem::replace(&mut seen[row], true) {
                let family = match family {
                    Family::Word => &mut example.words,
                    Family::Piece => &mut example.pieces,
                };
                family.push(row as u32);
            }
        });
        example
    }

    fn families(&self) -> [(&[u32], f32); 2] {
        [&self.words, &self.pieces]
            .map(|family| (family.as_slice(), 1.0 / length(family.len() as u32)))
    }
}

/// Trains on examples with so many labels.
pub fn train(examples: &[&Example], labels: usize, rows: u32) -> Model {
    // While training, the background follows the labels without a gap.
    let columns = labels + 1;
    let mut model = Model {
        rows: vec![[0.0; COLUMNS]; rows as usize],
        biases: [0.0; COLUMNS],
    };
    let mut squares = vec![[START; COLUMNS]; rows as usize];
    let mut bias_squares = [START; COLUMNS];
    let mut order: Vec<usize> = (0..examples.len()).collect();
    let mut random = Random(SEED);
    for _ in 0..EPOCHS {
        random.shuffle(&mut order);
        for &index in &order {
            let example = examples[index];
            let errors = model.errors(example, columns);
            for column in 0..columns {
                step(
                    &mut model.biases[column],
                    &mut bias_squares[column],
                    errors[column],
                );
            }
            for (family, weight) in example.families() {
                for &row in family {
                    let row = row as usize;
                    for column in 0..columns {
                        let value = &mut model.rows[row][column];
                        let gradient = errors[column] * weight + L2 * *value;
                        step(value, &mut squares[row][column], gradient);
                    }
                }
            }
        }
    }
    for row in model.rows.iter_mut().chain([&mut model.biases]) {
        row.swap(labels, BACKGROUND);
    }
    model
}

impl Model {
    /// By how much the probability of each column is too high.
    fn errors(&self, example: &Example, columns: usize) -> [f32; COLUMNS] {
        let mut scores = self.biases;
        for (family, weight) in example.families() {
            let mut sums = [0.0; COLUMNS];
            for &row in family {
                for (sum, value) in sums.iter_mut().zip(&self.rows[row as usize]) {
                    *sum += value;
                }
            }
            for (score, sum) in scores.iter_mut().zip(sums) {
                *score += sum * weight;
            }
        }
        softmax(&mut scores[..columns], 1.0);
        scores[example.label.unwrap_or(columns - 1)] -= 1.0;
        scores
    }
}

fn step(value: &mut f32, squares: &mut f32, gradient: f32) {
    *squares += gradient * gradient;
    *value -= RATE * gradient / squares.sqrt();
}

/// xorshift64: small, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn shuffle(&mut self, order: &mut [usize]) {
        for index in (1..order.len()).rev() {
            order.swap(index, self.below(index + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_learns_to_tell_two_labels_and_the_background_apart() {
        let lines = [
            (Some(0), "green apple"),
            (Some(1), "fast car"),
            (None, "x y z"),
        ];
        let examples: Vec<Example> = lines
            .iter()
            .map(|&(label, text)| {
                Example::new(
                    &Line {
                        label,
                        text: text.into(),
                    },
                    1000,
                )
            })
            .collect();
        let model = train(&examples.iter().collect::<Vec<_>>(), 2, 1000);
        for example in &examples {
            // In the trained model the background has moved to the last column.
            let errors = model.errors(example, COLUMNS);
            let column = example.label.unwrap_or(BACKGROUND);
            for other in [0, 1, BACKGROUND]
                .into_iter()
                .filter(|&other| other != column)
            {
                assert!(errors[other] < 0.1, "{errors:?}");
            }
        }
    }

    #[test]
    fn shuffling_keeps_every_element() {
        let mut order: Vec<usize> = (0..100).collect();
        Random(SEED).shuffle(&mut order);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
    }
}
