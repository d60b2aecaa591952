//! Choosing the penalty and the weight of shapes by cross-validation inside the training rows: nothing is set by hand
//! for a data set.

use super::design::Design;
use super::ridge::Ridge;
use super::targets::Targets;

/// Parts that the rows are divided into; each is predicted from the others.
pub(super) const FOLDS: usize = 10;

/// Penalties that are tried, strongest first: each solution is a good start for the next. With stronger ones predictions
/// become smaller, and hardly different otherwise.
const PENALTIES: [f32; 6] = [24.0, 12.0, 6.0, 3.0, 1.5, 0.75];

/// Weights of shapes beside words that are tried, the usual one first.
const SHAPE_SCALES: [f32; 5] = [0.05, 0.02, 0.12, 0.3, 0.7];

/// What came out best.
pub(super) struct Chosen {
    /// For what sets models apart.
    pub(super) differences: Setting,
    /// For what they share.
    pub(super) level: Setting,
    /// By row and model: what was predicted for the row from rows of other folds.
    pub(super) held_out: Vec<f32>,
}

/// How a regression is done.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Setting {
    pub(super) penalty: f32,
    pub(super) shape_scale: f32,
    /// By model: what to multiply its predictions with.
    scales: Vec<f32>,
}

impl Chosen {
    /// The weights that all rows lead to, by word or measure and model, ready to be applied to shapes as they are.
    pub(super) fn weights(&self, design: &Design, targets: &Targets) -> Vec<f32> {
        let every: Vec<usize> = (0..design.len()).collect();
        let models = targets.models;
        let solved = |setting: &Setting| -> Vec<f32> {
            let ridge = Ridge {
                design,
                rows: &every,
                columns: models,
                targets: &targets.centred,
                known: &targets.known,
                shape_scale: setting.shape_scale,
            };
            let mut weights = ridge.solve(setting.penalty, &mut vec![0.0; every.len() * models]);
            let shapes = &mut weights[design.width * models..];
            shapes
                .iter_mut()
                .for_each(|weight| *weight *= setting.shape_scale);
            weights
        };
        let weights = solved(&self.differences);
        let is_same = self.level.penalty == self.differences.penalty
            && self.level.shape_scale == self.differences.shape_scale;
        let level = if is_same {
            weights.clone()
        } else {
            solved(&self.level)
        };
        self.joined(weights, &level, models)
    }

    /// What sets models apart of the one, and what they share of the other, each at its scale.
    fn joined(&self, mut differences: Vec<f32>, level: &[f32], models: usize) -> Vec<f32> {
        let mean = |row: &[f32]| row.iter().sum::<f32>() / row.len() as f32;
        let rows = differences.chunks_exact_mut(models);
        for (row, level) in rows.zip(level.chunks_exact(models)) {
            let middle = mean(row);
            let level = mean(level);
            let scales = self.differences.scales.iter().zip(&self.level.scales);
            for (value, (scale, of_level)) in row.iter_mut().zip(scales) {
                *value = of_level * level + scale * (*value - middle);
            }
        }
        differences
    }
}

/// The best settings for what sets models apart and for what they share: each is another question, and the words that
/// answer it may be few or many.
pub(super) fn choose(design: &Design, targets: &Targets) -> Chosen {
    let values = Values {
        columns: targets.models,
        targets: &targets.centred,
        known: &targets.known,
    };
    let mut folds = Folds::new(design, &values, SHAPE_SCALES[0]);
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut searches = [Part::Differences, Part::Level].map(Search::new);
    for penalty in PENALTIES {
        attempts.push(folds.attempt(targets, penalty));
        // Weak penalties take most of the time.
        let go_on = searches.each_mut().map(|search| search.goes_on(&attempts));
        if go_on == [false; 2] {
            break;
        }
    }
    let usual = searches
        .each_ref()
        .map(|search| search.strongest(&attempts));
    for shape_scale in &SHAPE_SCALES[1..] {
        let mut folds = Folds::new(design, &values, *shape_scale);
        let mut penalties = usual.map(|at| attempts[at].penalty).to_vec();
        penalties.dedup();
        for penalty in penalties {
            attempts.push(folds.attempt(targets, penalty));
        }
    }
    let [differences, level] = [0, 1].map(|at| searches[at].other_weight(&attempts, usual[at]));
    let chosen = Chosen {
        differences: attempts[differences].setting(Part::Differences),
        level: attempts[level].setting(Part::Level),
        held_out: Vec::new(),
    };
    let held_out = attempts[differences].held_out.clone();
    Chosen {
        held_out: chosen.joined(held_out, &attempts[level].held_out, targets.models),
        ..chosen
    }
}

/// What a setting is chosen for.
#[derive(Clone, Copy)]
enum Part {
    Differences,
    Level,
}

/// What was tried.
struct Attempt {
    penalty: f32,
    shape_scale: f32,
    held_out: Vec<f32>,
    /// By part.
    fits: [Fit; 2],
}

impl Attempt {
    fn fit(&self, part: Part) -> &Fit {
        &self.fits[part as usize]
    }

    fn setting(&self, part: Part) -> Setting {
        Setting {
            penalty: self.penalty,
            shape_scale: self.shape_scale,
            scales: self.fit(part).scales.clone(),
        }
    }
}

/// Choosing for one part.
///
/// Of what is not worse than the best by more than chance, the simplest is taken (the rule of one standard error, after
/// Breiman et al., 1984): the strongest penalty, and the usual weight of shapes. Where rows are few, the least error is
/// mostly luck, and luck favours what follows the rows too closely.
struct Search {
    part: Part,
    /// The attempt with the least error.
    least: usize,
}

impl Search {
    fn new(part: Part) -> Self {
        Self { part, least: 0 }
    }

    /// Looks at the last attempt. An error that has grown twice will not shrink again.
    fn goes_on(&mut self, attempts: &[Attempt]) -> bool {
        let last = attempts.len() - 1;
        let error = |at: usize| attempts[at].fit(self.part).error();
        if error(last) < error(self.least) {
            self.least = last;
        }
        last < self.least + 2
    }

    /// The strongest penalty that the best is not better than.
    fn strongest(&self, attempts: &[Attempt]) -> usize {
        let best = attempts[self.least].fit(self.part);
        let is_as_good = |at: &usize| !best.is_better_than(attempts[*at].fit(self.part));
        (0..self.least).find(is_as_good).unwrap_or(self.least)
    }

    /// Another weight of shapes at the same penalty, where it is better than the usual one.
    fn other_weight(&self, attempts: &[Attempt], usual: usize) -> usize {
        let fit = |at: usize| attempts[at].fit(self.part);
        (0..attempts.len())
            .filter(|at| attempts[*at].penalty == attempts[usual].penalty)
            .filter(|at| fit(*at).is_better_than(fit(usual)))
            .min_by(|a, b| fit(*a).error().total_cmp(&fit(*b).error()))
            .unwrap_or(usual)
    }
}

/// How far predictions are from the truth once each model's are brought to their best scale.
///
/// A strong penalty makes all predictions small, and must not look worse than it is for that. And the words of a prompt
/// may say much of how one model differs from the others, and of another nothing.
struct Fit {
    /// By model.
    scales: Vec<f32>,
    /// By row, squared.
    errors: Vec<f64>,
}

impl Fit {
    fn new(targets: &Targets, predicted: &[f32], part: Part) -> Self {
        let models = targets.models;
        let rows = targets
            .centred
            .chunks_exact(models)
            .zip(predicted.chunks_exact(models));
        // By row: what is wanted and what is guessed of each model that is known, or of what they share.
        let pairs: Vec<Vec<[f64; 2]>> = rows
            .enumerate()
            .map(|(row, (wanted, guessed))| {
                let (wanted, guessed) = (targets.split(row, wanted), targets.split(row, guessed));
                match part {
                    Part::Differences => {
                        let pairs = wanted.1.iter().zip(&guessed.1);
                        pairs.map(|(a, b)| [f64::from(*a), f64::from(*b)]).collect()
                    }
                    Part::Level => vec![[f64::from(wanted.0), f64::from(guessed.0)]],
                }
            })
            .collect();
        let columns = match part {
            Part::Differences => models,
            Part::Level => 1,
        };
        let mut scales: Vec<f64> = (0..columns)
            .map(|column| scale(pairs.iter().map(|row| row[column])))
            .collect();
        let error = |row: &Vec<[f64; 2]>| -> f64 {
            let pairs = row.iter().zip(&scales);
            pairs
                .map(|([wanted, guessed], scale)| (wanted - scale * guessed).powi(2))
                .sum()
        };
        let errors = pairs.iter().map(error).collect();
        scales.resize(models, scales[0]);
        Self {
            scales: scales.into_iter().map(|scale| scale as f32).collect(),
            errors,
        }
    }

    fn error(&self) -> f64 {
        self.errors.iter().sum()
    }

    /// By more than one standard error of the difference.
    fn is_better_than(&self, other: &Self) -> bool {
        let count = self.errors.len().max(1) as f64;
        let (mut sum, mut square) = (0.0, 0.0);
        for (own, other) in self.errors.iter().zip(&other.errors) {
            sum += other - own;
            square += (other - own).powi(2);
        }
        let mean = sum / count;
        mean > ((square / count - mean * mean).max(0.0) / count).sqrt()
    }
}

/// What guesses must be multiplied with to be as near as they can to what is wanted, drawn towards nothing where it could
/// be chance (the positive part of James and Stein, 1961).
fn scale(pairs: impl Iterator<Item = [f64; 2]>) -> f64 {
    let (mut wanted, mut both, mut guessed, mut count) = (0.0, 0.0, 0.0, 0.0);
    for [a, b] in pairs {
        wanted += a * a;
        both += a * b;
        guessed += b * b;
        count += 1.0;
    }
    if both <= 0.0 || guessed < 1e-12 {
        return 0.0;
    }
    let left = (wanted - both * both / guessed).max(0.0) / count;
    (both / guessed) * (1.0 - left * guessed / (both * both)).max(0.0)
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

    fn attempt(&mut self, targets: &Targets, penalty: f32) -> Attempt {
        let held_out = self.held_out(penalty);
        Attempt {
            penalty,
            shape_scale: self.shape_scale,
            fits: [Part::Differences, Part::Level].map(|part| Fit::new(targets, &held_out, part)),
            held_out,
        }
    }
}

/// Rows come in any order, often sorted by task; the fold depends on the position alone, mixed.
pub(super) fn fold_of(row: usize) -> usize {
    let mixed = (row as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 33;
    (mixed % FOLDS as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fit(errors: &[f64]) -> Fit {
        Fit {
            scales: vec![1.0],
            errors: errors.to_vec(),
        }
    }

    /// Errors of which every other is one of these.
    fn uneven(low: f64, high: f64) -> Vec<f64> {
        [low, high].repeat(25)
    }

    #[test]
    fn what_is_guessed_too_small_is_brought_to_scale() {
        let pairs = (0..100_u8).map(|row| f64::from(row) / 50.0 - 1.0);
        let found = scale(pairs.map(|value| [value, value / 4.0]));
        assert!((found - 4.0).abs() < 1e-9, "{found}");
    }

    #[test]
    fn what_could_be_chance_is_not_trusted() {
        let sign = |bit: u32| if bit.is_multiple_of(2) { 1.0 } else { -1.0 };
        // Alike in 52 of 100 rows, and in 80.
        let alike = |share: u32| (0..100).map(move |row| (row, share));
        let pairs = |share| {
            alike(share).map(|(row, share)| [sign(row), sign(row + u32::from(row >= share))])
        };
        assert_eq!(scale(pairs(52)), 0.0);
        let trusted = scale(pairs(80));
        assert!(trusted > 0.5 && trusted < 0.6, "{trusted}");
        assert_eq!(scale(pairs(20)), 0.0, "what is mostly wrong says nothing");
        assert_eq!(scale(std::iter::empty()), 0.0);
    }

    #[test]
    fn better_means_by_more_than_chance() {
        let worse = fit(&[1.0; 50]);
        assert!(!fit(&uneven(0.9, 1.09)).is_better_than(&worse));
        assert!(!fit(&[1.0; 50]).is_better_than(&worse));
        assert!(fit(&[0.9; 50]).is_better_than(&worse));
    }

    #[test]
    fn the_strongest_penalty_that_is_as_good_is_taken() {
        let attempt = |penalty: f32, errors: Vec<f64>| Attempt {
            penalty,
            shape_scale: SHAPE_SCALES[0],
            held_out: Vec::new(),
            fits: [fit(&errors), fit(&errors)],
        };
        let mut search = Search::new(Part::Differences);
        let mut attempts = Vec::new();
        for (penalty, errors) in [
            (24.0, vec![2.0; 50]),
            (12.0, uneven(0.9, 1.12)),
            (6.0, vec![1.0; 50]),
            (3.0, uneven(0.95, 1.06)),
        ] {
            attempts.push(attempt(penalty, errors));
            assert!(search.goes_on(&attempts));
        }
        attempts.push(attempt(1.5, vec![3.0; 50]));
        assert!(!search.goes_on(&attempts), "it got worse twice");
        assert_eq!(attempts[search.strongest(&attempts)].penalty, 12.0);
    }
}
