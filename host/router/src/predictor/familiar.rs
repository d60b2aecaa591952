//! Whether a text is like anything that is known.
//!
//! A text is strange in three ways: its words are not those of any known task, they are not known at all, or its shape
//! is not that of the task. How much each counts is found by leaving every known task out in turn and looking whether
//! its texts would have been noticed. The threshold is conformal (Vovk, Gammerman and Shafer, 2005): set so that of
//! texts of the known kinds no more than a given share is called strange, with 95 % confidence in that share.

use serde::{Deserialize, Serialize};

use super::design::{Design, Scaling};
use super::tasks::{likeness, sums};
use super::vocabulary::Vocabulary;
use crate::text::{Look, SHAPE};

/// Ways to be strange: words of no task, unknown words, another shape.
const WAYS: usize = 3;

/// Measures of shape at the front that are continuous; the steps of length behind them are not.
const CONTINUOUS: usize = 18;

/// Tasks that are left out in turn, at most: the largest.
const MOST_LEFT_OUT: usize = 16;

/// A task with fewer rows cannot be told from chance.
const LEAST_ROWS: usize = 20;

/// The false-alarm rate at which weights are chosen. The threshold's own rate is chosen later, by policy.
const CHOICE_RATE: f64 = 0.05;

/// What is typical of one task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Typical {
    likeness: [f32; 2],
    strange: [f32; 2],
    shape: Vec<[f32; 2]>,
    distance: [f32; 2],
}

/// What is typical of all that is known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Familiar {
    tasks: Vec<Typical>,
    weights: [f32; WAYS],
    /// Strangeness of known texts, each measured as if it were new; ascending, at most some thousands.
    calibration: Vec<f32>,
}

/// How strange a text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Strangeness {
    /// Roughly in deviations from the typical.
    pub(crate) score: f32,
    /// The task it is most like.
    pub(crate) nearest: usize,
}

/// Rows of a training set with their tasks, as far as strangeness needs them.
struct Known<'a> {
    looks: Vec<&'a Look>,
    of: Vec<usize>,
    tasks: usize,
}

impl Familiar {
    /// Learns what is typical.
    pub(super) fn fit(looks: &[&Look], of: &[usize], tasks: usize) -> Self {
        let all = Known {
            looks: looks.to_vec(),
            of: of.to_vec(),
            tasks,
        };
        let weights = choose_weights(&all);
        let (typical, parts) = all.typical();
        let mut calibration: Vec<f32> = parts
            .iter()
            .map(|parts| strangest(parts, &weights).score)
            .collect();
        calibration.sort_by(f32::total_cmp);
        Self {
            tasks: typical,
            weights,
            calibration,
        }
    }

    /// How strange a text is. `likeness` is its cosine with each task.
    pub(crate) fn strangeness(
        &self,
        likeness: &[f32],
        strange: f32,
        shape: &[f32; SHAPE],
    ) -> Strangeness {
        let mut best = Strangeness {
            score: f32::INFINITY,
            nearest: 0,
        };
        for (task, (typical, &likeness)) in self.tasks.iter().zip(likeness).enumerate() {
            // Shapes take the most time, and need no look where words alone are stranger.
            if weigh(&typical.least_parts(likeness, strange), &self.weights) >= best.score {
                continue;
            }
            let score = weigh(&typical.parts(likeness, strange, shape), &self.weights);
            if score < best.score {
                best = Strangeness {
                    score,
                    nearest: task,
                };
            }
        }
        best
    }

    /// The strangeness that texts of known kinds exceed with no more than this probability; nothing where too little is
    /// known to tell.
    pub(crate) fn threshold(&self, false_alarms: f64) -> Option<f32> {
        let exceeding = allowed(self.calibration.len(), false_alarms)?;
        Some(self.calibration[self.calibration.len() - 1 - exceeding])
    }

    /// The share of known texts that are at least as strange.
    pub(crate) fn share_at_least(&self, score: f32) -> f64 {
        let below = self.calibration.partition_point(|known| *known < score);
        (self.calibration.len() - below + 1) as f64 / (self.calibration.len() + 1) as f64
    }

    pub(crate) fn tasks(&self) -> usize {
        self.tasks.len()
    }

    pub(crate) fn weights(&self) -> [f32; WAYS] {
        self.weights
    }
}

impl Typical {
    fn parts(&self, likeness: f32, strange: f32, shape: &[f32; SHAPE]) -> [f32; WAYS] {
        [
            -deviations(likeness, self.likeness),
            deviations(strange, self.strange),
            deviations(self.distance_of(shape), self.distance),
        ]
    }

    /// The parts of a text whose shape is in the middle of the task's.
    fn least_parts(&self, likeness: f32, strange: f32) -> [f32; WAYS] {
        [
            -deviations(likeness, self.likeness),
            deviations(strange, self.strange),
            deviations(0.0, self.distance),
        ]
    }

    fn distance_of(&self, shape: &[f32; SHAPE]) -> f32 {
        let square: f32 = self
            .shape
            .iter()
            .zip(shape)
            .map(|(typical, &measure)| deviations(measure, *typical).clamp(-5.0, 5.0).powi(2))
            .sum();
        (square / CONTINUOUS as f32).sqrt()
    }
}

impl Known<'_> {
    /// What is typical of each task, and the parts of each row's strangeness for each task, the row itself left out.
    fn typical(&self) -> (Vec<Typical>, Vec<Vec<[f32; WAYS]>>) {
        let vocabulary = Vocabulary::fit_near(self.looks.iter().map(|look| &look.words));
        let scaling = Scaling::fit(self.looks.iter().map(|look| &look.shape));
        let [_, design] = Design::both(&self.looks, &vocabulary, &scaling);
        let (sums, _) = sums(&design, &self.of, self.tasks);
        let likeness = likeness(&design, &self.of, &sums);
        let strange = vocabulary.strange_without_itself(self.looks.iter().map(|look| &look.words));
        let typical: Vec<Typical> = (0..self.tasks)
            .map(|task| {
                let rows: Vec<usize> = (0..self.of.len())
                    .filter(|row| self.of[*row] == task)
                    .collect();
                let mut typical = Typical {
                    likeness: spread(rows.iter().map(|row| likeness[row * self.tasks + task])),
                    strange: spread(rows.iter().map(|row| strange[*row])),
                    shape: (0..CONTINUOUS)
                        .map(|at| {
                            let [mean, deviation] =
                                spread(rows.iter().map(|row| design.shapes[*row][at]));
                            [mean, deviation.max(0.2)]
                        })
                        .collect(),
                    distance: [0.0, 1.0],
                };
                typical.distance = spread(
                    rows.iter()
                        .map(|row| typical.distance_of(&design.shapes[*row])),
                );
                typical
            })
            .collect();
        let parts = (0..self.of.len())
            .map(|row| {
                let of_task = |(task, typical): (usize, &Typical)| {
                    typical.parts(
                        likeness[row * self.tasks + task],
                        strange[row],
                        &design.shapes[row],
                    )
                };
                typical.iter().enumerate().map(of_task).collect()
            })
            .collect();
        (typical, parts)
    }

    /// The parts of the strangeness of texts that are not among the known.
    fn parts_of(&self, strangers: &[&Look], typical: &[Typical]) -> Vec<Vec<[f32; WAYS]>> {
        let vocabulary = Vocabulary::fit_near(self.looks.iter().map(|look| &look.words));
        let scaling = Scaling::fit(self.looks.iter().map(|look| &look.shape));
        let [_, design] = Design::both(&self.looks, &vocabulary, &scaling);
        let (sums, _) = sums(&design, &self.of, self.tasks);
        let centres: Vec<Vec<f32>> = sums.iter().map(|sum| super::tasks::unit(sum)).collect();
        strangers
            .iter()
            .map(|look| {
                let sparse = vocabulary.apply(&look.words);
                let shape = scaling.apply(&look.shape);
                typical
                    .iter()
                    .zip(&centres)
                    .map(|(typical, centre)| {
                        let likeness = sparse
                            .telling
                            .iter()
                            .map(|(word, value)| centre[*word as usize] * value)
                            .sum();
                        typical.parts(likeness, sparse.strange, &shape)
                    })
                    .collect()
            })
            .collect()
    }
}

/// The weights under which left-out tasks are noticed most.
fn choose_weights(all: &Known<'_>) -> [f32; WAYS] {
    let even = [1.0 / WAYS as f32; WAYS];
    let mut sizes = vec![0_usize; all.tasks];
    all.of.iter().for_each(|task| sizes[*task] += 1);
    let mut order: Vec<usize> = (0..all.tasks)
        .filter(|task| sizes[*task] >= LEAST_ROWS)
        .collect();
    order.sort_by_key(|task| (std::cmp::Reverse(sizes[*task]), *task));
    order.truncate(MOST_LEFT_OUT);
    // With two tasks, leaving one out leaves one: nothing general can be learned from that.
    if order.len() < 3 {
        return even;
    }
    let trials: Vec<_> = order
        .iter()
        .map(|&left_out| {
            let kept: Vec<usize> = (0..all.of.len())
                .filter(|row| all.of[*row] != left_out)
                .collect();
            let known = Known {
                looks: kept.iter().map(|row| all.looks[*row]).collect(),
                of: kept
                    .iter()
                    .map(|row| all.of[*row] - usize::from(all.of[*row] > left_out))
                    .collect(),
                tasks: all.tasks - 1,
            };
            let strangers: Vec<&Look> = (0..all.of.len())
                .filter(|row| all.of[*row] == left_out)
                .map(|row| all.looks[row])
                .collect();
            let (typical, parts) = known.typical();
            let strangers = known.parts_of(&strangers, &typical);
            (parts, strangers)
        })
        .collect();
    let mut best = (-1.0, even);
    for weights in simplex() {
        let noticed: f64 = trials
            .iter()
            .map(|(known, strangers)| {
                let mut scores: Vec<f32> = known
                    .iter()
                    .map(|parts| strangest(parts, &weights).score)
                    .collect();
                scores.sort_by(f32::total_cmp);
                let Some(exceeding) = allowed(scores.len(), CHOICE_RATE) else {
                    return 0.0;
                };
                let threshold = scores[scores.len() - 1 - exceeding];
                let noticed = strangers
                    .iter()
                    .filter(|parts| strangest(parts, &weights).score > threshold);
                noticed.count() as f64 / strangers.len().max(1) as f64
            })
            .sum();
        if noticed > best.0 {
            best = (noticed, weights);
        }
    }
    best.1
}

/// Weights that add up to 1, in steps of a sixth.
fn simplex() -> impl Iterator<Item = [f32; WAYS]> {
    (0..=6_u8)
        .flat_map(|a| (0..=6 - a).map(move |b| [a, b, 6 - a - b].map(|part| f32::from(part) / 6.0)))
}

fn strangest(parts: &[[f32; WAYS]], weights: &[f32; WAYS]) -> Strangeness {
    let scores = parts.iter().map(|parts| weigh(parts, weights)).enumerate();
    let best = scores.min_by(|a, b| a.1.total_cmp(&b.1));
    best.map_or(
        Strangeness {
            score: 0.0,
            nearest: 0,
        },
        |(nearest, score)| Strangeness { score, nearest },
    )
}

fn weigh(parts: &[f32; WAYS], weights: &[f32; WAYS]) -> f32 {
    parts
        .iter()
        .zip(weights)
        .map(|(part, weight)| part.clamp(-8.0, 8.0) * weight)
        .sum()
}

fn deviations(value: f32, [mean, deviation]: [f32; 2]) -> f32 {
    (value - mean) / deviation
}

/// Mean and deviation, the latter not so small that nothing else would count.
fn spread(values: impl Iterator<Item = f32>) -> [f32; 2] {
    let (mut sum, mut square, mut count) = (0.0_f64, 0.0_f64, 0_u32);
    for value in values {
        sum += f64::from(value);
        square += f64::from(value).powi(2);
        count += 1;
    }
    let count = f64::from(count.max(1));
    let mean = sum / count;
    [
        mean as f32,
        (square / count - mean * mean).max(0.0).sqrt().max(0.02) as f32,
    ]
}

/// How many of `count` known texts may lie above the threshold so that, with 95 % confidence, a new one does with at
/// most this probability: the largest k with P(Binomial(count, rate) <= k) <= 5 %. Nothing where even 0 is too many.
fn allowed(count: usize, rate: f64) -> Option<usize> {
    if count == 0 || !(rate > 0.0 && rate < 1.0) {
        return None;
    }
    let odds = (rate / (1.0 - rate)).ln();
    let mut log = count as f64 * (-rate).ln_1p();
    let mut sum = 0.0;
    for k in 0..count {
        sum += log.exp();
        if sum > 0.05 {
            return k.checked_sub(1);
        }
        log += odds + ((count - k) as f64 / (k + 1) as f64).ln();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tolerance_is_stricter_than_the_plain_share_and_approaches_it() {
        assert_eq!(allowed(58, 0.05), None);
        assert_eq!(allowed(59, 0.05), Some(0));
        let many = allowed(10_000, 0.05).unwrap();
        assert!((440..500).contains(&many), "{many}");
        assert_eq!(allowed(0, 0.05), None);
        assert_eq!(allowed(100, f64::NAN), None);
    }

    #[test]
    fn weights_cover_every_way_alone_and_none_is_negative() {
        let all: Vec<_> = simplex().collect();
        assert_eq!(all.len(), 28);
        assert!(
            all.iter()
                .all(|weights| (weights.iter().sum::<f32>() - 1.0).abs() < 1e-6)
        );
        for way in 0..WAYS {
            assert!(all.iter().any(|weights| weights[way] == 1.0));
        }
    }
}
