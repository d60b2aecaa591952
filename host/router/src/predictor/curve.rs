//! How each model fares as prompts get harder.
//!
//! What all models answer and what none does sets no two apart; they part in between. A regression that is linear in the
//! words cannot say so, for words add up. So each model's distance from the others is corrected by a curve over how
//! hard the prompt is taken to be (the item characteristic curves of test theory, after Lord, 1952), fitted on
//! predictions of rows that nothing had learned from.
//!
//! Whether to correct at all is judged by what the corrections are for: how much is gained where a share of the prompts
//! goes to a model in the order of its predicted distance, over all shares. An error that changes no order is none.

use super::targets::Targets;

/// Terms of a correction: the distance itself, and three powers of the level.
const TERMS: usize = 4;

/// Powers of the level in a curve. What is stored has room for a third, which was never worth its place.
const DEGREE: usize = 2;

/// Penalties that are tried, as shares of the rows.
const PENALTIES: [f64; 2] = [0.03, 0.3];

/// Corrections by model; none where they do not help.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Curve {
    /// What one deviation of the level is.
    pub(crate) scale: f32,
    /// By model: a constant, and a weight for each term.
    pub(crate) weights: Vec<[f32; TERMS + 1]>,
}

/// The same numbers one after the other, as they are stored.
pub(super) const NUMBERS: usize = TERMS + 1;

impl Curve {
    /// Fits corrections to predictions, which are by row and model: centred levels and distances.
    pub(super) fn fit(targets: &Targets, predicted: &[f32]) -> Self {
        let models = targets.models;
        let rows = predicted.len() / models.max(1);
        if models < 2 || rows == 0 {
            return Self::default();
        }
        let levels: Vec<f32> = predicted.chunks_exact(models).map(level).collect();
        let square: f64 = levels.iter().map(|level| f64::from(*level).powi(2)).sum();
        let deviation = (square / rows as f64).sqrt();
        if deviation < 1e-6 {
            return Self::default();
        }
        let scale = (1.0 / deviation) as f32;
        let cases = |model: usize| -> Vec<Case> {
            (0..rows)
                .filter(|row| targets.known[row * models + model] > 0.0)
                .map(|row| {
                    let place = row * models..(row + 1) * models;
                    let wanted = targets.split(row, &targets.centred[place.clone()]).1[model];
                    let distance = predicted[place][model] - levels[row];
                    Case {
                        terms: terms(distance, levels[row] * scale).map(f64::from),
                        distance: f64::from(distance),
                        missing: f64::from(wanted - distance),
                    }
                })
                .collect()
        };
        let cases: Vec<Vec<Case>> = (0..models).map(cases).collect();
        let fits = |used: usize, penalty: f64| {
            let fitted: Vec<_> = cases
                .iter()
                .map(|cases| fit(cases, used, penalty))
                .collect();
            let gains = cases.iter().zip(&fitted);
            let gain: f64 = gains.map(|(cases, fitted)| gain(cases, &fitted.0)).sum();
            (gain, fitted)
        };
        // What is fitted without a row leans away from it, so that no curve is held against one that is fitted too: a
        // line through the distances, which changes next to no order.
        let lines = PENALTIES.map(|penalty| fits(1, penalty).0);
        let mut best = (lines.into_iter().fold(f64::MIN, f64::max), Vec::new());
        for penalty in PENALTIES {
            let (gain, fitted) = fits(DEGREE + 1, penalty);
            if gain > best.0 {
                let weights = fitted.into_iter().map(|(_, weights)| weights);
                best = (gain, weights.collect());
            }
        }
        Self {
            scale,
            weights: best.1,
        }
    }

    /// Corrects predictions for one text in place.
    pub(crate) fn bend(&self, predicted: &mut [f32]) {
        if self.weights.is_empty() {
            return;
        }
        let level = level(predicted);
        for (value, weights) in predicted.iter_mut().zip(&self.weights) {
            let terms = terms(*value - level, level * self.scale);
            *value += weights[0];
            for (term, weight) in terms.iter().zip(&weights[1..]) {
                *value += term * weight;
            }
        }
    }

    /// Powers of the level that are made use of.
    pub(super) fn degree(&self) -> usize {
        let used = |weights: &[f32; NUMBERS]| weights.iter().rposition(|weight| *weight != 0.0);
        let most = self.weights.iter().filter_map(used).max();
        most.unwrap_or(1).saturating_sub(1)
    }
}

struct Case {
    terms: [f64; TERMS],
    /// As predicted.
    distance: f64,
    /// What it is short of the truth.
    missing: f64,
}

/// What is gained over chance where rows are taken in the order of their corrected distances.
fn gain(cases: &[Case], corrections: &[f64]) -> f64 {
    let mut order: Vec<(f64, f64)> = cases
        .iter()
        .zip(corrections)
        .map(|(case, correction)| (case.distance + correction, case.distance + case.missing))
        .collect();
    order.sort_by(|a, b| a.0.total_cmp(&b.0));
    let count = order.len().max(1) as f64;
    let gains = order.iter().enumerate();
    gains
        .map(|(rank, (_, truth))| ((rank as f64 + 0.5) / count - 0.5) * truth)
        .sum()
}

fn level(predicted: &[f32]) -> f32 {
    predicted.iter().sum::<f32>() / predicted.len().max(1) as f32
}

/// Levels far from all that was learned from are taken for the last that are not: powers grow fast.
fn terms(distance: f32, level: f32) -> [f32; TERMS] {
    let level = level.clamp(-3.0, 3.0);
    [distance, level, level * level, level * level * level]
}

/// Ridge regression on the first of the terms, all brought to one scale: the correction of each row as all others have
/// it, and the weights.
fn fit(cases: &[Case], used: usize, penalty: f64) -> (Vec<f64>, [f32; NUMBERS]) {
    let count = cases.len().max(1) as f64;
    let mut mean = [0.0; TERMS];
    let mut middle = 0.0;
    for case in cases {
        middle += case.missing / count;
        (0..used).for_each(|at| mean[at] += case.terms[at] / count);
    }
    let mut factor = [0.0_f64; TERMS];
    for at in 0..used {
        let square = cases
            .iter()
            .map(|case| (case.terms[at] - mean[at]).powi(2))
            .sum::<f64>();
        let deviation = (square / count).sqrt();
        factor[at] = if deviation > 1e-9 {
            1.0 / deviation
        } else {
            0.0
        };
    }
    let scaled = |case: &Case| -> [f64; TERMS] {
        std::array::from_fn(|at| (case.terms[at] - mean[at]) * factor[at])
    };
    let mut matrix = [[0.0_f64; TERMS]; TERMS];
    let mut wanted = [0.0_f64; TERMS];
    for case in cases {
        let terms = scaled(case);
        for a in 0..TERMS {
            wanted[a] += terms[a] * (case.missing - middle);
            for b in 0..TERMS {
                matrix[a][b] += terms[a] * terms[b];
            }
        }
    }
    (0..TERMS).for_each(|at| matrix[at][at] += penalty * count);
    let inverse = inverse(matrix);
    let times = |vector: &[f64; TERMS]| -> [f64; TERMS] {
        std::array::from_fn(|a| (0..TERMS).map(|b| inverse[a][b] * vector[b]).sum())
    };
    let weights = times(&wanted);
    let corrections = cases
        .iter()
        .map(|case| {
            let terms = scaled(case);
            let moved = times(&terms);
            let dot =
                |other: &[f64; TERMS]| -> f64 { terms.iter().zip(other).map(|(a, b)| a * b).sum() };
            // What the row itself pulls the fit towards it with is taken off.
            let pull = (1.0 - 1.0 / count - dot(&moved)).max(1e-3);
            case.missing - (case.missing - middle - dot(&weights)) / pull
        })
        .collect();
    let mut found = [0.0_f32; NUMBERS];
    let mut constant = middle;
    for at in 0..used {
        let weight = weights[at] * factor[at];
        constant -= weight * mean[at];
        found[at + 1] = weight as f32;
    }
    found[0] = constant as f32;
    (corrections, found)
}

/// The inverse of a matrix that is positive definite (Gauss and Jordan).
fn inverse(mut matrix: [[f64; TERMS]; TERMS]) -> [[f64; TERMS]; TERMS] {
    let mut inverse: [[f64; TERMS]; TERMS] =
        std::array::from_fn(|a| std::array::from_fn(|b| f64::from(u8::from(a == b))));
    for at in 0..TERMS {
        let pivot = matrix[at][at].max(1e-12);
        for column in 0..TERMS {
            matrix[at][column] /= pivot;
            inverse[at][column] /= pivot;
        }
        for row in (0..TERMS).filter(|row| *row != at) {
            let factor = matrix[row][at];
            for column in 0..TERMS {
                matrix[row][column] -= factor * matrix[at][column];
                inverse[row][column] -= factor * inverse[at][column];
            }
        }
    }
    inverse
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predictor::Row;

    /// Rows of two models and predictions that know only the level; the models part by `gap` of it.
    fn world(gap: impl Fn(f32) -> f32) -> (Targets, Vec<f32>) {
        let levels: Vec<f32> = (0..200_u16)
            .map(|row| f32::from(row % 41) / 20.0 - 1.0)
            .collect();
        let score = |value: f32| f64::from(0.5 + value / 4.0);
        let rows: Vec<Row> = levels
            .iter()
            .map(|level| {
                let half = gap(*level) / 2.0;
                let score = [("a", level + half), ("b", level - half)]
                    .map(|(model, value)| (model.to_owned(), score(value)));
                Row {
                    prompt: String::new(),
                    score: score.into(),
                    task: None,
                }
            })
            .collect();
        let rows: Vec<&Row> = rows.iter().collect();
        let targets = Targets::new(&rows, &["a".to_owned(), "b".to_owned()]);
        let predicted = levels.iter().flat_map(|level| [level / 4.0; 2]).collect();
        (targets, predicted)
    }

    #[test]
    fn models_that_part_in_the_middle_are_told_apart_there() {
        let (targets, predicted) = world(|level| 0.6 * (1.0 - level * level));
        let curve = Curve::fit(&targets, &predicted);
        assert!(curve.degree() >= 2);
        let gap = |level: f32| {
            let mut values = [level; 2];
            curve.bend(&mut values);
            values[0] - values[1]
        };
        assert!(gap(0.0) - gap(0.25) > 0.1, "{} {}", gap(0.0), gap(0.25));
        assert!(gap(0.0) - gap(-0.25) > 0.1);
        assert!(gap(1e6).is_finite());
    }

    #[test]
    fn what_needs_no_correction_gets_next_to_none() {
        let (targets, predicted) = world(|_| 0.0);
        let mut values = [0.1, 0.1];
        Curve::fit(&targets, &predicted).bend(&mut values);
        assert!((values[0] - values[1]).abs() < 1e-3);
        assert_eq!(Curve::fit(&targets, &[]), Curve::default());
    }
}
