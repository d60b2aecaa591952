//! Making a predictor from rows.

use std::collections::BTreeMap;

use super::blend::Blend;
use super::cross;
use super::curve::Curve;
use super::design::{Design, Scaling};
use super::familiar::Familiar;
use super::row::Row;
use super::table::Table;
use super::targets::Targets;
use super::tasks::Tasks;
use super::vocabulary::Vocabulary;
use super::{Predictor, Report};
use crate::text::{Look, SHAPE};

/// Rows with fewer teach less than they mislead.
const LEAST_ROWS: usize = 20;

/// Tasks that are told apart, at most; the rest, the rarest, are one.
const MOST_TASKS: usize = 64;

/// Models that are predicted for, at most.
const MOST_MODELS: usize = 256;

/// The task of rows that name none, and of the rarest.
const OTHER: &str = "other";

/// Why no predictor was made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TrainError {
    /// Too little to learn from.
    #[error("there are {found} rows with a score; give at least {LEAST_ROWS}")]
    TooFewRows {
        /// Rows with a score.
        found: usize,
    },
    /// More models than a predictor keeps.
    #[error(
        "there are {found} models in the rows; a predictor keeps at most {MOST_MODELS}, so leave out the ones that are gone"
    )]
    TooManyModels {
        /// Models with a score.
        found: usize,
    },
}

/// Learns to predict each model's score from the text of a prompt. The same rows give the same predictor, bit for bit.
///
/// # Errors
/// Where there are too few rows, or too many models.
pub fn train(rows: &[Row]) -> Result<Predictor, TrainError> {
    let rows: Vec<&Row> = rows.iter().filter(|row| !row.score.is_empty()).collect();
    if rows.len() < LEAST_ROWS {
        return Err(TrainError::TooFewRows { found: rows.len() });
    }
    let mut models: Vec<String> = rows
        .iter()
        .flat_map(|row| row.score.keys().cloned())
        .collect();
    models.sort();
    models.dedup();
    if models.len() > MOST_MODELS {
        return Err(TrainError::TooManyModels {
            found: models.len(),
        });
    }
    let looks: Vec<Look> = rows.iter().map(|row| Look::at(&row.prompt)).collect();
    let looks: Vec<&Look> = looks.iter().collect();
    let (names, of) = tasks_of(&rows);

    let vocabulary = Vocabulary::fit(looks.iter().map(|look| &look.words));
    let scaling = Scaling::fit(looks.iter().map(|look| &look.shape));
    let [design, telling] = Design::both(&looks, &vocabulary, &scaling);
    let targets = Targets::new(&rows, &models);
    let tasks = Tasks::fit(&telling, &of, names.len(), &targets);
    // The words are asked only what the kind of a prompt does not say. What a kind says is said better by its mean.
    let left_over = targets.without(&tasks.own);
    let regression = cross::choose(&design, &left_over);
    let held_out = regression.held_out.clone();
    let blend = Blend::fit(&targets, &held_out, &tasks.expected);
    let mut joined = held_out;
    for (words, tasks) in joined
        .chunks_exact_mut(targets.models)
        .zip(tasks.expected.chunks_exact(targets.models))
    {
        blend.join(words, tasks);
    }
    let curve = Curve::fit(&targets, &joined);
    joined
        .chunks_exact_mut(targets.models)
        .for_each(|row| curve.bend(row));
    let deviation = deviations(&targets, &joined);

    let weights = regression.weights(&design, &left_over);
    let (scores, count) = (models.len(), names.len());
    let words = vocabulary.len() * scores;
    // What a telling word says of each task, and its part in the middle of each.
    let mut kinds = vec![0.0_f32; telling.width * 2 * count];
    for (word, row) in kinds.chunks_exact_mut(2 * count).enumerate() {
        row[..count].copy_from_slice(&tasks.weights[word * count..][..count]);
        for (number, centre) in row[count..].iter_mut().zip(&tasks.centres) {
            *number = centre[word];
        }
    }
    let mut shapes = vec![0.0_f32; SHAPE * (scores + count)];
    for (at, row) in shapes.chunks_exact_mut(scores + count).enumerate() {
        row[..scores].copy_from_slice(&weights[words + at * scores..][..scores]);
        row[scores..].copy_from_slice(&tasks.weights[(telling.width + at) * count..][..count]);
        row[scores..]
            .iter_mut()
            .for_each(|weight| *weight *= tasks.shape_scale);
    }

    let familiar = Familiar::fit(&looks, &of, names.len());
    Ok(Predictor {
        digest: String::new(),
        report: Report {
            rows: rows.len(),
            words: vocabulary.len(),
            penalties: [regression.differences.penalty, regression.level.penalty],
            shape_scales: [
                regression.differences.shape_scale,
                regression.level.shape_scale,
            ],
            sharpness: tasks.sharpness,
            blend: blend.differences,
            curve: curve.degree(),
            strangeness: familiar.weights(),
        },
        familiar,
        models: models.into_iter().map(Into::into).collect(),
        tasks: names.into_iter().map(Into::into).collect(),
        vocabulary,
        scaling,
        scores: Table::new(&weights[..words], &[scores]),
        kinds: Table::new(&kinds, &[count, count]),
        shapes,
        means: targets.means,
        deviation,
        offsets: tasks.offsets,
        counts: tasks.counts,
        sharpness: tasks.sharpness,
        blend,
        curve,
    }
    .sealed())
}

/// The names of the tasks, and which each row has.
fn tasks_of(rows: &[&Row]) -> (Vec<String>, Vec<usize>) {
    let name = |row: &Row| row.task.clone().unwrap_or_else(|| OTHER.to_owned());
    let mut sizes = BTreeMap::<String, usize>::new();
    for row in rows {
        *sizes.entry(name(row)).or_default() += 1;
    }
    let mut names: Vec<(String, usize)> = sizes.into_iter().collect();
    names.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    if names.len() > MOST_TASKS {
        names.truncate(MOST_TASKS - 1);
        if !names.iter().any(|(name, _)| name == OTHER) {
            names.push((OTHER.to_owned(), 0));
        }
    }
    let mut names: Vec<String> = names.into_iter().map(|(name, _)| name).collect();
    names.sort();
    let other = names.iter().position(|name| name == OTHER).unwrap_or(0);
    let of = rows
        .iter()
        .map(|row| names.binary_search(&name(row)).unwrap_or(other))
        .collect();
    (names, of)
}

/// By model: how far held-out predictions were from the truth.
fn deviations(targets: &Targets, predicted: &[f32]) -> Vec<f32> {
    let models = targets.models;
    let mut squares = vec![0.0_f64; models];
    let mut counts = vec![0.0_f64; models];
    for (at, predicted) in predicted.iter().enumerate() {
        let error = (targets.centred[at] - predicted) * targets.known[at];
        squares[at % models] += f64::from(error).powi(2);
        counts[at % models] += f64::from(targets.known[at]);
    }
    let deviation = |(square, count): (f64, f64)| (square / count.max(1.0)).sqrt().max(0.02) as f32;
    squares.into_iter().zip(counts).map(deviation).collect()
}
