//! How well each model would answer, from the text alone.
//!
//! A ridge regression on hashed words and the shape of the text, joined with the means of the tasks that the text is
//! like. It is small and old-fashioned on purpose: it is trained in seconds on one core, answers in microseconds, and
//! on routing data sets it is as good as routers that embed every prompt with a neural network.

mod blend;
mod cross;
mod curve;
mod design;
mod document;
mod factor;
mod familiar;
mod ridge;
mod row;
mod table;
mod targets;
mod tasks;
mod train;
mod vocabulary;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use blend::Blend;
use curve::Curve;
use design::{Scaling, add};
pub use document::{PREDICTOR_VERSION, PredictorError};
use familiar::Familiar;
pub use row::{Row, RowError, read_rows};
use table::Table;
pub use train::{TrainError, train};
use vocabulary::Vocabulary;

use crate::text::Look;

/// Predicts scores from texts. Immutable; made by [`train`], stored as JSON by [`Predictor::to_json`].
#[derive(Clone, Debug)]
pub struct Predictor {
    digest: String,
    report: Report,
    models: Vec<Arc<str>>,
    tasks: Vec<Arc<str>>,
    vocabulary: Vocabulary,
    scaling: Scaling,
    /// By word: weights for the models.
    scores: Table,
    /// By telling word: weights for the tasks, and its part in the middle of each task.
    kinds: Table,
    /// By measure of shape: weights for the models and for the tasks.
    shapes: Vec<f32>,
    /// By model.
    means: Vec<f32>,
    /// By model: how far predictions are from the truth.
    deviation: Vec<f32>,
    /// By task and model.
    offsets: Vec<f32>,
    /// Training rows of each task.
    counts: Vec<u32>,
    sharpness: f32,
    blend: Blend,
    curve: Curve,
    familiar: Familiar,
}

/// What training chose, for people. The choices are made by cross-validation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Rows learned from.
    pub rows: usize,
    /// Hashed words that occur in two rows or more.
    pub words: usize,
    /// Penalties of the regression on words, for what sets models apart and for what they share.
    pub penalties: [f32; 2],
    /// Weights of the shape of a text beside its words, in either.
    pub shape_scales: [f32; 2],
    /// How sure likeness to a task makes.
    pub sharpness: f32,
    /// Weights of the regression and of the means by task, in what sets models apart.
    pub blend: [f32; 2],
    /// Powers of how hard a prompt is that correct what sets models apart; 0 where none does.
    pub curve: usize,
    /// Weights of the ways to be strange: words of no task, unknown words, another shape.
    pub strangeness: [f32; 3],
}

/// What is predicted for one text.
#[derive(Clone, Debug)]
pub struct Prediction<'p> {
    predictor: &'p Predictor,
    /// By the predictor's models.
    pub(crate) quality: Vec<f32>,
    /// By the predictor's tasks, adding up to 1.
    pub(crate) posterior: Vec<f32>,
    pub(crate) strangeness: familiar::Strangeness,
}

impl Predictor {
    /// Predicts for a prompt.
    pub fn predict(&self, prompt: &str) -> Prediction<'_> {
        self.predict_look(&Look::at(prompt), None)
    }

    /// Predicts for a prompt whose task somebody knows. A task that was not trained on is as good as none.
    pub fn predict_for(&self, prompt: &str, task: &str) -> Prediction<'_> {
        self.predict_look(&Look::at(prompt), Some(task))
    }

    pub(crate) fn predict_look(&self, look: &Look, task: Option<&str>) -> Prediction<'_> {
        let (models, tasks) = (self.models.len(), self.tasks.len());
        let sparse = self.vocabulary.apply(&look.words);
        let shape = self.scaling.apply(&look.shape);
        let mut quality = self.scores.sum(&sparse.entries);
        let mut posterior = self.kinds.sum(&sparse.telling);
        let likeness = posterior.split_off(tasks);
        for (value, weights) in shape.iter().zip(self.shapes.chunks_exact(models + tasks)) {
            add(&mut quality, &weights[..models], *value);
            add(&mut posterior, &weights[models..], *value);
        }
        let strangeness = self.familiar.strangeness(&likeness, sparse.strange, &shape);
        match task.and_then(|task| {
            self.tasks
                .binary_search_by(|known| (**known).cmp(task))
                .ok()
        }) {
            Some(known) => {
                posterior.fill(0.0);
                posterior[known] = 1.0;
            }
            None => tasks::posterior_in_place(&mut posterior, &self.counts, self.sharpness),
        }
        let mut expected = vec![0.0_f32; models];
        for (task, share) in posterior.iter().enumerate() {
            // What is next to impossible changes nothing.
            if *share > 1e-3 {
                add(
                    &mut expected,
                    &self.offsets[task * models..][..models],
                    *share,
                );
            }
        }
        self.blend.join(&mut quality, &expected);
        self.curve.bend(&mut quality);
        for (quality, mean) in quality.iter_mut().zip(&self.means) {
            *quality += mean;
        }
        into_range(&mut quality);
        Prediction {
            predictor: self,
            quality,
            posterior,
            strangeness,
        }
    }

    /// What it predicts for, by name.
    pub fn models(&self) -> &[Arc<str>] {
        &self.models
    }

    /// The tasks that it tells apart, by name.
    pub fn tasks(&self) -> &[Arc<str>] {
        &self.tasks
    }

    /// SHA-256 of its content, in hex: two predictors with the same digest predict the same.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// What training chose.
    pub fn report(&self) -> &Report {
        &self.report
    }

    pub(crate) fn model_index(&self, name: &str) -> Option<usize> {
        self.models
            .binary_search_by(|model| (**model).cmp(name))
            .ok()
    }

    /// How far predictions of a model's score are from the truth, as a deviation; nothing if it is not known.
    pub fn deviation(&self, model: &str) -> Option<f64> {
        Some(f64::from(self.deviation[self.model_index(model)?]))
    }

    pub(crate) fn familiar(&self) -> &Familiar {
        &self.familiar
    }
}

impl Prediction<'_> {
    /// The score that is expected of a model, 0 to 1; nothing if the predictor does not know it.
    pub fn quality(&self, model: &str) -> Option<f64> {
        let index = self.predictor.model_index(model)?;
        Some(f64::from(self.quality[index]))
    }

    /// The likeliest task; nothing where none are told apart.
    pub(crate) fn likeliest(&self) -> Option<(&Arc<str>, f64)> {
        if self.predictor.tasks.len() < 2 {
            return None;
        }
        let likeliest = self
            .posterior
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1))?;
        Some((&self.predictor.tasks[likeliest.0], f64::from(*likeliest.1)))
    }

    /// The likeliest task, and how likely it is.
    pub fn task(&self) -> (&str, f64) {
        let likeliest = self
            .posterior
            .iter()
            .enumerate()
            .max_by(|a, b| a.1.total_cmp(b.1));
        likeliest.map_or(("", 0.0), |(task, share)| {
            (&*self.predictor.tasks[task], f64::from(*share))
        })
    }

    /// How strange the text is, roughly in deviations from what is typical of the task it is most like.
    pub fn strangeness(&self) -> f64 {
        f64::from(self.strangeness.score)
    }

    /// True where the text is stranger than texts of known kinds are with this probability. False where too little is
    /// known to tell: a predictor of 59 rows can tell at 5 %.
    pub fn is_strange(&self, false_alarms: f64) -> bool {
        let threshold = self.predictor.familiar.threshold(false_alarms);
        threshold.is_some_and(|threshold| self.strangeness.score > threshold)
    }
}

/// Moves scores into 0 to 1, and keeps what lies between them as long as there is room: who is better must not be lost
/// because both are good.
fn into_range(scores: &mut [f32]) {
    let highest = scores.iter().copied().fold(f32::MIN, f32::max);
    let lowest = scores.iter().copied().fold(f32::MAX, f32::min);
    let shift = (1.0 - highest).min(0.0) - lowest.min(0.0);
    for score in scores {
        *score = (*score + shift).clamp(0.0, 1.0);
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} rows, {} words; penalties {:?}, shapes {:?}, sharpness {}, blend {:.2?}, curve {}, strangeness {:.2?}",
            self.rows,
            self.words,
            self.penalties,
            self.shape_scales,
            self.sharpness,
            self.blend,
            self.curve,
            self.strangeness
        )
    }
}
