//! Training: from labelled requests to `weights.bin` and the report in the README.
//!
//! It is deterministic: one order of the data, one seed, and operations that round alike everywhere. A test trains
//! again and compares the bytes.

pub mod calibration;
pub mod dataset;
pub mod evaluation;
pub mod quantisation;
pub mod regression;
pub mod report;

use calibration::{Calibration, Scored};
use dataset::Dataset;
use regression::Example;

use crate::classifier::{MOST_ROWS, scores};
use crate::weights::Weights;

/// Rows of the weights: as many as fit into 300 kB.
pub const ROWS: u32 = 29_696;
const _: () = assert!(ROWS as usize <= MOST_ROWS);

/// Parts that cross-validation divides the requests into.
const FOLDS: usize = 5;

/// What training produces.
pub struct Trained {
    /// The bytes of `weights.bin`.
    pub weights: Vec<u8>,
    /// Share of the sentences among the requests that got their own label from a model trained without them.
    pub cross_validated_accuracy: f64,
}

/// Trains on a data set.
///
/// Calibration wants requests that the model has not seen. Setting some aside would lose them for training, so each
/// fifth of the data is scored by a model trained on the other four, through the code and the four bits that the plugin
/// uses; the final model is trained on everything. Only sentences are scored: the data's shorter lines are there for
/// their vocabulary, and less confidence suits a single word than a request.
pub fn train(data: &Dataset) -> Trained {
    let examples: Vec<Example> = data
        .lines
        .iter()
        .map(|line| Example::new(line, ROWS))
        .collect();
    let mut scored = Vec::with_capacity(examples.len());
    for fold in 0..FOLDS {
        let in_fold = |index: usize| index % FOLDS == fold;
        let rest: Vec<&Example> = examples
            .iter()
            .enumerate()
            .filter(|&(index, _)| !in_fold(index))
            .map(|(_, example)| example)
            .collect();
        let model = regression::train(&rest, data.labels.len(), ROWS);
        let bytes = quantisation::encode(&model, &data.labels, Calibration::NONE);
        let weights = Weights::new(&bytes).expect("what was just encoded is well formed");
        let apart = data
            .lines
            .iter()
            .enumerate()
            .filter(|&(index, line)| in_fold(index) && line.is_sentence());
        for (_, line) in apart {
            scored.push(Scored::new(
                scores(&weights, &line.text).columns,
                line.label,
                data.labels.len(),
            ));
        }
    }
    let calibration = calibration::calibrate(&scored);
    let requests = scored.iter().filter(|scored| scored.label.is_some());
    let correct = requests
        .clone()
        .filter(|scored| scored.best() == scored.label)
        .count();

    let all: Vec<&Example> = examples.iter().collect();
    let model = regression::train(&all, data.labels.len(), ROWS);
    Trained {
        weights: quantisation::encode(&model, &data.labels, calibration),
        cross_validated_accuracy: correct as f64 / requests.count() as f64,
    }
}
