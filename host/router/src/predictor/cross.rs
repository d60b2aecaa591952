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

/// Tries penalties at the middle weight of shapes, the strongest first and no further than it helps, then every weight
/// at the best penalty.
pub(super) fn choose(design: &Design, targets: &Targets) -> Chosen {
    let values = Values {
        columns: targets.models,
        targets: &targets.centred,
        known: &targets.known,
    };
    let mut best = (
        f64::INFINITY,
        Chosen {
            penalty: PENALTIES[0],
            shape_scale: SHAPE_SCALES[0],
            held_out: Vec::new(),
        },
    );
    // Weak penalties take most of the time, and an error that has grown twice will not shrink again.
    let mut worse = 0;
    let mut folds = Folds::new(design, &values, SHAPE_SCALES[0]);
    for penalty in PENALTIES {
        let (error, chosen) = folds.attempt(targets, penalty);
        worse = if error < best.0 { 0 } else { worse + 1 };
        if error < best.0 {
            best = (error, chosen);
        } else if worse == 2 {
            break;
        }
    }
    let penalty = best.1.penalty;
    for shape_scale in &SHAPE_SCALES[1..] {
        let mut folds = Folds::new(design, &values, *shape_scale);
        for penalty in [2.0 * penalty, penalty] {
            let (error, chosen) = folds.attempt(targets, penalty);
            if error < best.0 {
                best = (error, chosen);
            }
        }
    }
    best.1
}

/// What is to be predicted, by row and column.
pub(super) struct Values<'a> {
    pub(super) columns: usize,
    pub(super) targets: &'a [f32],
    pub(super) known: &'a [f32],
}

/// What is predicted for each row from the rows of other folds, for one penalty after the other.
pub(super) struct Folds<'a> {
    design: &'a Design,
    values: &'a Values<'a>,
    shape_scale: f32,
    /// By fold: rows to learn from, rows to predict, and the last solution.
    folds: Vec<(Vec<usize>, Vec<usize>, Vec<f32>)>,
}

impl<'a> Folds<'a> {
    pub(super) fn new(design: &'a Design, values: &'a Values<'a>, shape_scale: f32) -> Self {
        let fold = |fold| {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..design.len()).partition(|row| fold_of(*row) != fold);
            let dual = vec![0.0; inside.len() * values.columns];
            (inside, outside, dual)
        };
        Self {
            design,
            values,
            shape_scale,
            folds: (0..FOLDS).map(fold).collect(),
        }
    }

    /// By row and column. The solution for a stronger penalty is a good start for the next.
    pub(super) fn held_out(&mut self, penalty: f32) -> Vec<f32> {
        let columns = self.values.columns;
        let mut held_out = vec![0.0_f32; self.design.len() * columns];
        for (inside, outside, dual) in &mut self.folds {
            let ridge = Ridge {
                design: self.design,
                rows: inside,
                columns,
                targets: self.values.targets,
                known: self.values.known,
                shape_scale: self.shape_scale,
            };
            let weights = ridge.solve(penalty, dual);
            for &row in &*outside {
                let out = &mut held_out[row * columns..][..columns];
                self.design
                    .times(row, &weights, columns, self.shape_scale, out);
            }
        }
        held_out
    }

    fn attempt(&mut self, targets: &Targets, penalty: f32) -> (f64, Chosen) {
        let held_out = self.held_out(penalty);
        let error = error(targets, &held_out);
        let chosen = Chosen {
            penalty,
            shape_scale: self.shape_scale,
            held_out,
        };
        (error, chosen)
    }
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
