//! Which task a text belongs to, by a ridge regression on membership, and how well each model does each task.

use super::cross::{FOLDS, Folds, Values, fold_of};
use super::design::{Design, add};
use super::ridge::Ridge;
use super::targets::Targets;
use crate::exp::exp;
use crate::text::SHAPE;

/// Rows that a task's mean is drawn towards the overall mean with.
const PRIOR_ROWS: f32 = 20.0;

/// Sharpnesses of the posterior that are tried.
const SHARPNESS: [f32; 8] = [2.0, 4.0, 8.0, 16.0, 27.0, 40.0, 60.0, 90.0];

/// Weight of shapes beside words.
const SHAPE_SCALE: f32 = 0.12;

/// Penalties of the regression that are tried, strongest first.
const PENALTIES: [f32; 3] = [6.0, 2.0, 0.7];

/// What training finds out about tasks.
pub(super) struct Tasks {
    /// By word or measure of shape, and task: what speaks for the task.
    pub(super) weights: Vec<f32>,
    /// By task and word: the middle of the task's rows, of length 1.
    pub(super) centres: Vec<Vec<f32>>,
    /// Rows of each task.
    pub(super) counts: Vec<u32>,
    /// How sure what speaks for a task makes.
    pub(super) sharpness: f32,
    /// The weight of shapes that `weights` were found with.
    pub(super) shape_scale: f32,
    /// By task and model: how far the task's mean score is from the model's mean.
    pub(super) offsets: Vec<f32>,
    /// By row and model: the offset that is expected of the row, by the means of the other folds.
    pub(super) expected: Vec<f32>,
    /// By row and model: the offset of the row's own task, by the means of the other folds.
    pub(super) own: Vec<f32>,
}

impl Tasks {
    pub(super) fn fit(design: &Design, of: &[usize], tasks: usize, targets: &Targets) -> Self {
        let (sums, counts) = sums(design, of, tasks);
        let models = targets.models;
        let Membership {
            weights,
            held_out,
            sharpness,
        } = membership(design, of, &counts);
        let mut fitted = Self {
            weights,
            centres: sums.iter().map(|sum| unit(sum)).collect(),
            sharpness,
            shape_scale: SHAPE_SCALE,
            counts,
            offsets: vec![0.0; tasks * models],
            expected: vec![0.0; design.len() * models],
            own: Vec::with_capacity(design.len() * models),
        };
        let places = tasks * models;
        // By fold, task and model.
        let mut totals = vec![0.0_f32; FOLDS * places];
        let mut weights = vec![0.0_f32; FOLDS * places];
        for (row, &task) in of.iter().enumerate() {
            for model in 0..models {
                let place = fold_of(row) * places + task * models + model;
                totals[place] += targets.centred[row * models + model];
                weights[place] += targets.known[row * models + model];
            }
        }
        let offsets_without = |fold: Option<usize>| -> Vec<f32> {
            let inside = |place: usize, values: &[f32]| -> f32 {
                let folds = (0..FOLDS).filter(|other| Some(*other) != fold);
                folds.map(|other| values[other * places + place]).sum()
            };
            (0..places)
                .map(|place| inside(place, &totals) / (inside(place, &weights) + PRIOR_ROWS))
                .collect()
        };
        fitted.offsets = offsets_without(None);
        let without: Vec<Vec<f32>> = (0..FOLDS).map(|fold| offsets_without(Some(fold))).collect();
        for (row, own) in of.iter().enumerate() {
            let offsets = &without[fold_of(row)];
            fitted.own.extend(&offsets[own * models..][..models]);
        }
        let expected = |sharpness: f32| -> Vec<f32> {
            let mut expected = vec![0.0_f32; of.len() * models];
            for (row, expected) in expected.chunks_exact_mut(models).enumerate() {
                let mut posterior = held_out[row * tasks..][..tasks].to_vec();
                posterior_in_place(&mut posterior, &fitted.counts, sharpness);
                let offsets = without[fold_of(row)].chunks_exact(models);
                for (offsets, share) in offsets.zip(&posterior) {
                    add(expected, offsets, *share);
                }
            }
            expected
        };
        // What makes the true tasks likeliest is a start; what counts is how well their means tell models apart.
        fitted.expected = expected(sharpness);
        let mut least = distance(targets, &fitted.expected);
        for sharpness in SHARPNESS {
            let expected = expected(sharpness);
            let distance = distance(targets, &expected);
            if distance < least {
                (least, fitted.sharpness, fitted.expected) = (distance, sharpness, expected);
            }
        }
        fitted
    }
}

struct Membership {
    weights: Vec<f32>,
    /// By row and task, from the rows of other folds.
    held_out: Vec<f32>,
    sharpness: f32,
}

/// The regression of membership under which the true tasks are likeliest.
fn membership(design: &Design, of: &[usize], counts: &[u32]) -> Membership {
    let (rows, tasks) = (design.len(), counts.len());
    if tasks == 1 {
        return Membership {
            weights: vec![0.0; design.width + SHAPE],
            held_out: vec![0.0; rows],
            sharpness: SHARPNESS[0],
        };
    }
    let mut targets = vec![0.0_f32; rows * tasks];
    for (row, &own) in of.iter().enumerate() {
        for (task, &count) in counts.iter().enumerate() {
            targets[row * tasks + task] =
                f32::from(u8::from(task == own)) - count as f32 / rows as f32;
        }
    }
    let known = vec![1.0_f32; rows * tasks];
    let values = Values {
        columns: tasks,
        targets: &targets,
        known: &known,
    };
    let mut best: Option<(f64, f32, f32, Vec<f32>)> = None;
    let mut folds = Folds::new(design, &values, SHAPE_SCALE);
    for penalty in PENALTIES {
        let held_out = folds.held_out(penalty);
        for sharpness in SHARPNESS {
            let surprise = surprise(&held_out, of, counts, sharpness);
            if best.as_ref().is_none_or(|(least, ..)| surprise < *least) {
                best = Some((surprise, penalty, sharpness, held_out.clone()));
            }
        }
    }
    let (_, penalty, sharpness, held_out) =
        best.unwrap_or((0.0, PENALTIES[0], SHARPNESS[0], vec![0.0; rows * tasks]));
    let every: Vec<usize> = (0..rows).collect();
    let ridge = Ridge {
        design,
        rows: &every,
        columns: tasks,
        targets: &targets,
        known: &known,
        shape_scale: SHAPE_SCALE,
    };
    Membership {
        weights: ridge.solve(penalty, &mut vec![0.0; rows * tasks]),
        held_out,
        sharpness,
    }
}

/// How far what is expected of models is from what they scored, as differences between them.
fn distance(targets: &Targets, expected: &[f32]) -> f64 {
    let models = targets.models;
    let left = targets.without(expected).centred;
    let rows = left.chunks_exact(models).enumerate();
    rows.flat_map(|(row, left)| targets.split(row, left).1)
        .map(|left| f64::from(left).powi(2))
        .sum()
}

/// How little likely the true tasks are.
fn surprise(scores: &[f32], of: &[usize], counts: &[u32], sharpness: f32) -> f64 {
    let tasks = counts.len();
    of.iter()
        .enumerate()
        .map(|(row, &own)| {
            let mut posterior = scores[row * tasks..][..tasks].to_vec();
            posterior_in_place(&mut posterior, counts, sharpness);
            -f64::from(posterior[own].max(1e-9)).ln()
        })
        .sum()
}

/// Turns what speaks for each task into probabilities.
pub(super) fn posterior_in_place(likeness: &mut [f32], counts: &[u32], sharpness: f32) {
    let highest = likeness.iter().copied().fold(f32::MIN, f32::max);
    let mut sum = 0.0;
    for (value, &count) in likeness.iter_mut().zip(counts) {
        *value = exp(((*value - highest) * sharpness).max(-80.0)) * count.max(1) as f32;
        sum += *value;
    }
    likeness.iter_mut().for_each(|value| *value /= sum);
}

/// The sum of each task's rows, and their number.
pub(super) fn sums(design: &Design, of: &[usize], tasks: usize) -> (Vec<Vec<f32>>, Vec<u32>) {
    let mut sums = vec![vec![0.0_f32; design.width]; tasks];
    let mut counts = vec![0; tasks];
    for (row, &task) in of.iter().enumerate() {
        counts[task] += 1;
        for &(word, value) in &design.sparse[row] {
            sums[task][word as usize] += value;
        }
    }
    (sums, counts)
}

/// The cosine of each row with the middle of each task, the row itself left out.
pub(super) fn likeness(design: &Design, of: &[usize], sums: &[Vec<f32>]) -> Vec<f32> {
    let tasks = sums.len();
    let squares: Vec<f32> = sums
        .iter()
        .map(|sum| sum.iter().map(|value| value * value).sum())
        .collect();
    // By word, so that a row touches memory once a word.
    let mut by_word = vec![0.0_f32; design.width * tasks];
    for (task, sum) in sums.iter().enumerate() {
        for (word, value) in sum.iter().enumerate() {
            by_word[word * tasks + task] = *value;
        }
    }
    let mut likeness = vec![0.0_f32; design.len() * tasks];
    for (row, &own) in of.iter().enumerate() {
        let out = &mut likeness[row * tasks..][..tasks];
        for &(word, value) in &design.sparse[row] {
            add(out, &by_word[word as usize * tasks..][..tasks], value);
        }
        for (task, value) in out.iter_mut().enumerate() {
            let square = if task == own {
                // |s - x|² = |s|² - 2 s·x + |x|², and x has length 1.
                let square = squares[task] - 2.0 * *value + 1.0;
                *value -= 1.0;
                square
            } else {
                squares[task]
            };
            *value = if square > 1e-9 {
                *value / square.sqrt()
            } else {
                0.0
            };
        }
    }
    likeness
}

pub(super) fn unit(sum: &[f32]) -> Vec<f32> {
    let square: f32 = sum.iter().map(|value| value * value).sum();
    let scale = if square > 0.0 {
        square.sqrt().recip()
    } else {
        0.0
    };
    sum.iter().map(|value| value * scale).collect()
}
