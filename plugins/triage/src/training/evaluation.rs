//! How good a model is on lines that were kept from it.

use crate::classifier::classify;
use crate::training::dataset::Dataset;
use crate::weights::Weights;

/// Confidences from which the report tells how many requests remain and how many of those are right.
pub const CONFIDENCES: [f32; 4] = [0.3, 0.5, 0.7, 0.9];

/// Bins of the calibration error.
const BINS: usize = 10;

/// The result of a measurement.
pub struct Evaluation {
    /// The labels.
    pub labels: Vec<String>,
    /// `confusion[wanted][given]`: requests with one label that got another.
    pub confusion: Vec<Vec<usize>>,
    /// Right answers, the true label among the best three counting.
    pub right_in_three: usize,
    /// For each of [`CONFIDENCES`]: requests at least so confident and known, and the right ones among them.
    pub confident: [(usize, usize); CONFIDENCES.len()],
    /// Sum of the confidences of all requests.
    pub confidence: f64,
    /// Expected calibration error: how far confidence is from the share of right answers, averaged over ten bins.
    pub calibration_error: f64,
    /// Requests called unknown.
    pub mistaken_for_unknown: usize,
    /// Lines that are none of the labels.
    pub unknown: usize,
    /// Those of them that were called unknown.
    pub unknown_found: usize,
    /// Those of them that were called known with a confidence of at least one half.
    pub unknown_confident: usize,
}

/// Measures weights on a data set.
pub fn evaluate(weights: &Weights<'_>, data: &Dataset) -> Evaluation {
    let labels = weights.labels();
    let mut evaluation = Evaluation {
        labels: data.labels.clone(),
        confusion: vec![vec![0; labels]; labels],
        right_in_three: 0,
        confident: [(0, 0); CONFIDENCES.len()],
        confidence: 0.0,
        calibration_error: 0.0,
        mistaken_for_unknown: 0,
        unknown: 0,
        unknown_found: 0,
        unknown_confident: 0,
    };
    // For each bin: sum of confidences less number of right answers.
    let mut bins = [0.0_f64; BINS];
    for line in &data.lines {
        let verdict = classify(weights, &line.text);
        let ranking = verdict.ranking(labels);
        let confidence = verdict.probabilities[ranking[0]];
        let Some(wanted) = line.label else {
            evaluation.unknown += 1;
            evaluation.unknown_found += usize::from(!verdict.known);
            evaluation.unknown_confident += usize::from(verdict.known && confidence >= 0.5);
            continue;
        };
        let right = usize::from(ranking[0] == wanted);
        evaluation.confusion[wanted][ranking[0]] += 1;
        evaluation.right_in_three += usize::from(ranking[..3.min(labels)].contains(&wanted));
        evaluation.mistaken_for_unknown += usize::from(!verdict.known);
        for (threshold, (all, correct)) in CONFIDENCES.into_iter().zip(&mut evaluation.confident) {
            if verdict.known && confidence >= threshold {
                *all += 1;
                *correct += right;
            }
        }
        evaluation.confidence += f64::from(confidence);
        let bin = ((confidence * BINS as f32) as usize).min(BINS - 1);
        bins[bin] += f64::from(confidence) - right as f64;
    }
    evaluation.calibration_error =
        bins.iter().map(|difference| difference.abs()).sum::<f64>() / evaluation.requests() as f64;
    evaluation
}

impl Evaluation {
    /// Requests with a label.
    pub fn requests(&self) -> usize {
        self.confusion.iter().flatten().sum()
    }

    /// Requests that got their own label.
    pub fn right(&self) -> usize {
        (0..self.labels.len())
            .map(|label| self.confusion[label][label])
            .sum()
    }

    /// Precision, recall and F1 of a label; a ratio without cases is zero.
    pub fn quality(&self, label: usize) -> [f64; 3] {
        let right = self.confusion[label][label] as f64;
        let wanted: usize = self.confusion[label].iter().sum();
        let given: usize = self.confusion.iter().map(|row| row[label]).sum();
        let ratio = |of: f64| if of > 0.0 { right / of } else { 0.0 };
        [
            ratio(given as f64),
            ratio(wanted as f64),
            ratio((wanted + given) as f64 / 2.0),
        ]
    }

    /// The mean of the labels' F1.
    pub fn macro_f1(&self) -> f64 {
        let labels = self.labels.len();
        (0..labels).map(|label| self.quality(label)[2]).sum::<f64>() / labels as f64
    }

    /// The most frequent confusions: how often, which label was wanted, which was given.
    pub fn confusions(&self, most: usize) -> Vec<(usize, &str, &str)> {
        let mut all = Vec::new();
        for (wanted, row) in self.confusion.iter().enumerate() {
            for (given, &count) in row.iter().enumerate() {
                if wanted != given && count > 0 {
                    all.push((
                        count,
                        self.labels[wanted].as_str(),
                        self.labels[given].as_str(),
                    ));
                }
            }
        }
        all.sort_by(|a, b| b.0.cmp(&a.0).then(a.cmp(b)));
        all.truncate(most);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluation(confusion: [[usize; 2]; 2]) -> Evaluation {
        Evaluation {
            labels: vec!["a".into(), "b".into()],
            confusion: confusion.map(Vec::from).into(),
            right_in_three: 0,
            confident: [(0, 0); CONFIDENCES.len()],
            confidence: 0.0,
            calibration_error: 0.0,
            mistaken_for_unknown: 0,
            unknown: 0,
            unknown_found: 0,
            unknown_confident: 0,
        }
    }

    #[test]
    fn quality_follows_from_the_confusion() {
        let evaluation = evaluation([[6, 2], [0, 4]]);
        assert_eq!((evaluation.requests(), evaluation.right()), (12, 10));
        let [precision, recall, f1] = evaluation.quality(0);
        assert_eq!((precision, recall), (1.0, 0.75));
        assert!((f1 - 2.0 * 0.75 / 1.75).abs() < 1e-12);
        let other = evaluation.quality(1)[2];
        assert!((evaluation.macro_f1() - (f1 + other) / 2.0).abs() < 1e-12);
        assert_eq!(evaluation.confusions(5), [(2, "a", "b")]);
    }

    #[test]
    fn a_label_that_never_occurs_has_no_quality() {
        assert_eq!(evaluation([[3, 0], [0, 0]]).quality(1), [0.0, 0.0, 0.0]);
    }
}
