//! How sharp probabilities may be, and from where on a text is known.

use crate::exponential::softmax;
use crate::weights::{BACKGROUND, COLUMNS};

/// Share of the requests seen in cross-validation that may be taken for unknown.
const MISTAKEN_FOR_UNKNOWN: f64 = 0.05;

/// Two numbers that are set after the weights.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Calibration {
    /// What differences of scores are multiplied by: the inverse of the temperature.
    pub sharpness: f32,
    /// How far the best label must be above the background.
    pub margin: f32,
}

impl Calibration {
    /// Scores as they are, everything known.
    pub const NONE: Self = Self {
        sharpness: 1.0,
        margin: f32::MIN,
    };
}

/// A line scored by a model that has not seen it.
pub struct Scored {
    /// Scores of the labels, then that of the background.
    scores: Vec<f32>,
    /// The label it should get; none for the background.
    pub label: Option<usize>,
}

impl Scored {
    /// From the classifier's columns.
    pub fn new(columns: [f32; COLUMNS], label: Option<usize>, labels: usize) -> Self {
        let mut scores = columns[..labels].to_vec();
        scores.push(columns[BACKGROUND]);
        Self { scores, label }
    }

    /// The label with the highest score.
    pub fn best(&self) -> Option<usize> {
        let labels = self.scores.len() - 1;
        (0..labels)
            .rev()
            .max_by(|&a, &b| self.scores[a].total_cmp(&self.scores[b]))
    }

    fn margin(&self) -> f32 {
        let (background, labels) = self.scores.split_last().expect("the background is there");
        labels.iter().copied().fold(f32::MIN, f32::max) - background
    }

    /// The score expected at a sharpness, less the score of the right column: the slope of the log loss.
    fn slope(&self, sharpness: f32) -> f64 {
        let mut probabilities = self.scores.clone();
        softmax(&mut probabilities, sharpness);
        let expected: f64 = probabilities
            .iter()
            .zip(&self.scores)
            .map(|(&p, &score)| f64::from(p) * f64::from(score))
            .sum();
        expected - f64::from(self.scores[self.label.unwrap_or(self.scores.len() - 1)])
    }
}

/// Sets both numbers from lines scored in cross-validation.
pub fn calibrate(scored: &[Scored]) -> Calibration {
    Calibration {
        sharpness: sharpness(scored),
        margin: margin(scored),
    }
}

/// Where the log loss is least. It is convex in the sharpness, so its slope changes sign once; looking for that place
/// needs no logarithm, which would be one more function to make the same everywhere.
fn sharpness(scored: &[Scored]) -> f32 {
    let (mut low, mut high) = (0.01_f32, 20.0_f32);
    for _ in 0..40 {
        let middle = (low + high) / 2.0;
        if scored
            .iter()
            .map(|scored| scored.slope(middle))
            .sum::<f64>()
            > 0.0
        {
            high = middle;
        } else {
            low = middle;
        }
    }
    low
}

/// The margin that all but a few requests reach.
fn margin(scored: &[Scored]) -> f32 {
    let mut margins: Vec<f32> = scored
        .iter()
        .filter(|scored| scored.label.is_some())
        .map(Scored::margin)
        .collect();
    margins.sort_by(f32::total_cmp);
    margins[(margins.len() as f64 * MISTAKEN_FOR_UNKNOWN) as usize]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scored(scores: [f32; 3], label: Option<usize>) -> Scored {
        Scored {
            scores: scores.into(),
            label,
        }
    }

    #[test]
    fn confidence_comes_to_match_how_often_the_best_label_is_right() {
        // Three of four are right, and the two labels that matter are one apart.
        let data: Vec<Scored> = (0..100)
            .map(|index| scored([1.0, 0.0, -1e4], Some(usize::from(index % 4 == 0))))
            .collect();
        let mut probabilities = [1.0, 0.0];
        softmax(&mut probabilities, sharpness(&data));
        assert!((probabilities[0] - 0.75).abs() < 1e-3, "{probabilities:?}");
    }

    #[test]
    fn one_request_in_twenty_stays_below_the_margin() {
        let data: Vec<Scored> = (0..100)
            .map(|index| scored([index as f32, -5.0, 0.0], Some(0)))
            .chain((0..50).map(|_| scored([-900.0, -900.0, 0.0], None)))
            .collect();
        assert_eq!(margin(&data), 5.0);
    }

    #[test]
    fn the_best_label_is_never_the_background_and_the_first_of_equals() {
        assert_eq!(scored([1.0, 2.0, 9.0], None).best(), Some(1));
        assert_eq!(scored([2.0, 2.0, 9.0], None).best(), Some(0));
    }
}
