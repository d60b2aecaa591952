//! Choosing the penalty and the weight of shapes by cross-validation inside the training rows: nothing is set by hand
//! for a data set.

use super::design::Design;
use super::ridge::Ridge;
use super::targets::Targets;

/// Parts that the rows are divided into; each is predicted from the others.
pub(super) const FOLDS: usize = 5;

/// Penalties that are tried, strongest first: each solution is a good start for the next.
const PENALTIES: [f32; 7] = [96.0, 48.0, 24.0, 12.0, 6.0, 3.0, 1.5];

/// Weights of shapes beside words that are tried.
const SHAPE_SCALES: [f32; 4] = [0.05, 0.12, 0.3, 0.7];

/// What came out best.
pub(super) struct Chosen {
    pub(super) penalty: f32,
    pub(super) shape_scale: f32,
    /// By row and model: what was predicted for the row from rows of other folds.
    pub(super) held_out: Vec<f32>,
}

/// Tries everything.
pub(super) fn choose(design: &Design, targets: &Targets) -> Chosen {
    let count = design.len();
    let models = targets.models;
    let mut best: Option<(f64, Chosen)> = None;
    for shape_scale in SHAPE_SCALES {
        let mut held_out = vec![vec![0.0_f32; count * models]; PENALTIES.len()];
        for fold in 0..FOLDS {
            let (inside, outside): (Vec<usize>, Vec<usize>) =
                (0..count).partition(|row| fold_of(*row) != fold);
            let ridge = Ridge {
                design,
                rows: &inside,
                columns: models,
                targets: &targets.centred,
                known: &targets.known,
                shape_scale,
            };
            let mut dual = vec![0.0; inside.len() * models];
            for (penalty, held_out) in PENALTIES.iter().zip(&mut held_out) {
                let weights = ridge.solve(*penalty, &mut dual);
                for &row in &outside {
                    let out = &mut held_out[row * models..][..models];
                    design.times(row, &weights, models, shape_scale, out);
                }
            }
        }
        for (penalty, held_out) in PENALTIES.into_iter().zip(held_out) {
            let error = error(targets, &held_out);
            if best.as_ref().is_none_or(|(least, _)| error < *least) {
                let chosen = Chosen {
                    penalty,
                    shape_scale,
                    held_out,
                };
                best = Some((error, chosen));
            }
        }
    }
    best.map_or_else(
        || Chosen {
            penalty: PENALTIES[0],
            shape_scale: SHAPE_SCALES[0],
            held_out: vec![0.0; count * models],
        },
        |(_, chosen)| chosen,
    )
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
