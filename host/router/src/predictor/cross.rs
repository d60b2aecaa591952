//! Choosing the penalty and the weight of shapes by cross-validation inside the training rows: nothing is set by hand
//! for a data set.

use super::design::Design;
use super::ridge::Ridge;
use super::targets::Targets;

/// Parts that the rows are divided into; each is predicted from the others.
pub(super) const FOLDS: usize = 5;

/// Penalties that are tried, strongest first: each solution is a good start for the next.
const PENALTIES: [f32; 8] = [96.0, 48.0, 24.0, 12.0, 6.0, 3.0, 1.5, 0.75];

/// Weights of shapes beside words that are tried, the middle one first.
const SHAPE_SCALES: [f32; 5] = [0.12, 0.05, 0.02, 0.3, 0.7];

/// What came out best.
pub(super) struct Chosen {
    pub(super) penalty: f32,
    pub(super) shape_scale: f32,
    /// By row and model: what was predicted for the row from rows of other folds.
    pub(super) held_out: Vec<f32>,
}

impl Chosen {
    /// The weights that all rows lead to, by word or measure and model, ready to be applied to shapes as they are.
    pub(super) fn weights(&self, design: &Design, targets: &Targets) -> Vec<f32> {
        let every: Vec<usize> = (0..design.len()).collect();
        let ridge = Ridge {
            design,
            rows: &every,
            columns: targets.models,
            targets: &targets.centred,
            known: &targets.known,
            shape_scale: self.shape_scale,
        };
        let mut weights = ridge.solve(self.penalty, &mut vec![0.0; every.len() * targets.models]);
        let shapes = &mut weights[design.width * targets.models..];
        shapes
            .iter_mut()
            .for_each(|weight| *weight *= self.shape_scale);
        weights
    }
}

/// Tries every penalty at the middle weight of shapes, then every weight at the best penalty.
pub(super) fn choose(design: &Design, targets: &Targets) -> Chosen {
    let models = targets.models;
    let values = Values {
        columns: models,
        targets: &targets.centred,
        known: &targets.known,
    };
    let mut best: Option<(f64, Chosen)> = None;
    let attempt = |best: &mut Option<(f64, Chosen)>, penalties: &[f32], shape_scale| {
        let tried = held_out(design, &values, penalties, shape_scale);
        for (penalty, held_out) in penalties.iter().zip(tried) {
            let error = error(targets, &held_out);
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                let chosen = Chosen {
                    penalty: *penalty,
                    shape_scale,
                    held_out,
                };
                *best = Some((error, chosen));
            }
        }
    };
    attempt(&mut best, &PENALTIES, SHAPE_SCALES[0]);
    let penalty = best
        .as_ref()
        .map_or(PENALTIES[0], |(_, chosen)| chosen.penalty);
    for shape_scale in &SHAPE_SCALES[1..] {
        attempt(&mut best, &[penalty, 2.0 * penalty], *shape_scale);
    }
    best.map_or_else(
        || Chosen {
            penalty: PENALTIES[0],
            shape_scale: SHAPE_SCALES[0],
            held_out: vec![0.0; design.len() * models],
        },
        |(_, chosen)| chosen,
    )
}

/// What is to be predicted, by row and column.
pub(super) struct Values<'a> {
    pub(super) columns: usize,
    pub(super) targets: &'a [f32],
    pub(super) known: &'a [f32],
}

/// For each penalty, what is predicted for each row from the rows of other folds.
pub(super) fn held_out(
    design: &Design,
    values: &Values<'_>,
    penalties: &[f32],
    shape_scale: f32,
) -> Vec<Vec<f32>> {
    let (count, columns) = (design.len(), values.columns);
    let mut held_out = vec![vec![0.0_f32; count * columns]; penalties.len()];
    for fold in 0..FOLDS {
        let (inside, outside): (Vec<usize>, Vec<usize>) =
            (0..count).partition(|row| fold_of(*row) != fold);
        let ridge = Ridge {
            design,
            rows: &inside,
            columns,
            targets: values.targets,
            known: values.known,
            shape_scale,
        };
        let mut dual = vec![0.0; inside.len() * columns];
        for (penalty, held_out) in penalties.iter().zip(&mut held_out) {
            let weights = ridge.solve(*penalty, &mut dual);
            for &row in &outside {
                let out = &mut held_out[row * columns..][..columns];
                design.times(row, &weights, columns, shape_scale, out);
            }
        }
    }
    held_out
}

/// Rows come in any order, often sorted by task; the fold depends on the position alone, mixed.
pub(super) fn fold_of(row: usize) -> usize {
    let mixed = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    (mixed % FOLDS as u64) as usize
}

/// Squared error of the differences between models, or of the score where there is only one model.
fn error(targets: &Targets, predicted: &[f32]) -> f64 {
    let models = targets.models;
    (0..predicted.len() / models.max(1))
        .map(|row| {
            let place = row * models..(row + 1) * models;
            let (level, wanted) = targets.split(row, &targets.centred[place.clone()]);
            let (guessed_level, guessed) = targets.split(row, &predicted[place]);
            if models == 1 {
                f64::from(level - guessed_level).powi(2)
            } else {
                wanted
                    .iter()
                    .zip(&guessed)
                    .map(|(a, b)| f64::from(a - b).powi(2))
                    .sum()
            }
        })
        .sum()
}
