//! How often each model would be chosen if its quality were drawn from what is believed of it (Thompson, 1933).
//!
//! Instead of drawing once and taking the best, the probability of being the best is computed for each and one is drawn
//! from those. It is the same choice, and the probability of what was chosen is known, as off-policy estimates need it.

use crate::exp::exp;

/// Points that the integral is taken at.
const POINTS: usize = 24;

/// Points that are added up side by side.
const LANES: usize = 8;

/// Deviations that it reaches to either side.
const REACH: f32 = 3.5;

/// The probability that each is the best, for normal beliefs given as mean and deviation. Adds up to 1; empty for none.
pub(crate) fn probabilities(beliefs: &[(f64, f64)]) -> Vec<f64> {
    if beliefs.len() <= 1 {
        return vec![1.0; beliefs.len()];
    }
    // Relative to the highest mean, single precision is enough.
    let top = beliefs
        .iter()
        .map(|(mean, _)| *mean)
        .fold(f64::MIN, f64::max);
    let means: Vec<f32> = beliefs
        .iter()
        .map(|(mean, _)| (mean - top) as f32)
        .collect();
    let scales: Vec<f32> = beliefs
        .iter()
        .map(|(_, deviation)| 1.0 / deviation.max(1e-4) as f32)
        .collect();
    let edges = means.iter().zip(&scales);
    let low = edges
        .clone()
        .map(|(mean, scale)| mean - REACH / scale)
        .fold(f32::MIN, f32::max);
    let high = edges
        .map(|(mean, scale)| mean + REACH / scale)
        .fold(f32::MIN, f32::max);
    let step = (high - low) / POINTS as f32;
    let points: [f32; POINTS] = std::array::from_fn(|point| low + (point as f32 + 0.5) * step);
    // Points lie side by side and beliefs one after the other, so that a processor takes several points at once.
    let mut all = [1.0_f32; POINTS];
    let below: Vec<[f32; POINTS]> = means
        .iter()
        .zip(&scales)
        .map(|(mean, scale)| {
            let mut below = points;
            for (below, all) in below.iter_mut().zip(&mut all) {
                *below = sigmoid((*below - mean) * scale);
                *all *= *below;
            }
            below
        })
        .collect();
    // The density of a logistic over its distribution is what remains of it above: f / F = (1 - F) * scale.
    let sums: Vec<f32> = below
        .iter()
        .zip(&scales)
        .map(|(below, scale)| {
            let mut lanes = [0.0_f32; LANES];
            for (all, below) in all.chunks_exact(LANES).zip(below.chunks_exact(LANES)) {
                for ((lane, all), below) in lanes.iter_mut().zip(all).zip(below) {
                    *lane += all * (1.0 - below);
                }
            }
            lanes.iter().sum::<f32>() * scale
        })
        .collect();
    let whole: f64 = sums.iter().map(|sum| f64::from(*sum)).sum();
    if whole > 1e-30 && whole.is_finite() {
        return sums.iter().map(|sum| f64::from(*sum) / whole).collect();
    }
    // Beliefs so sure that the points miss them: the highest is the best.
    let best = means.iter().position(|mean| *mean == 0.0).unwrap_or(0);
    (0..means.len())
        .map(|at| f64::from(u8::from(at == best)))
        .collect()
}

/// The logistic that is closest to the normal distribution (Bowling et al., 2009).
fn sigmoid(deviations: f32) -> f32 {
    1.0 / (1.0 + exp((deviations * -1.702).clamp(-30.0, 30.0)))
}

/// Which of some probabilities a number between 0 and 1 falls on.
pub(crate) fn draw(probabilities: &[f64], number: f64) -> Option<usize> {
    let mut left = number;
    for (at, probability) in probabilities.iter().enumerate() {
        left -= probability;
        if left < 0.0 {
            return Some(at);
        }
    }
    // Rounding may leave a crumb: it belongs to the last that is possible.
    probabilities
        .iter()
        .rposition(|probability| *probability > 0.0)
}

/// A number from 0 to 1, 1 excluded, that depends on the seed alone (the mixer of Steele, Lea and Flood, 2014).
pub(crate) fn unit(seed: u64) -> f64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn equals_have_equal_chances_and_the_better_a_better_one() {
        let even = probabilities(&[(0.5, 0.1), (0.5, 0.1)]);
        assert!((even[0] - 0.5).abs() < 1e-6);
        // Two normals one deviation of their difference apart: the better wins with probability 0.84.
        let apart = probabilities(&[(0.1 * 2_f64.sqrt(), 0.1), (0.0, 0.1)]);
        assert!((apart[0] - 0.841).abs() < 0.02, "{apart:?}");
        let sure = probabilities(&[(0.9, 1e-9), (0.1, 1e-9), (0.5, 0.0)]);
        assert!(sure[0] > 0.999, "{sure:?}");
    }

    #[test]
    fn the_less_that_is_known_the_more_is_tried() {
        let known = probabilities(&[(0.8, 0.01), (0.6, 0.01)]);
        let unknown = probabilities(&[(0.8, 0.01), (0.6, 0.3)]);
        assert!(
            known[1] < 0.001 && unknown[1] > 0.15,
            "{known:?} {unknown:?}"
        );
    }

    #[test]
    fn draws_follow_the_probabilities() {
        let mut counts = [0; 3];
        for seed in 0..10_000 {
            counts[draw(&[0.2, 0.0, 0.8], unit(seed)).unwrap()] += 1;
        }
        assert!((1850..2150).contains(&counts[0]), "{counts:?}");
        assert_eq!(counts[1], 0);
        assert_eq!(draw(&[], 0.3), None);
    }

    proptest! {
        #[test]
        fn they_are_probabilities_whatever_the_beliefs(beliefs in proptest::collection::vec((-10.0..10.0, 0.0..5.0), 1..60)) {
            let probabilities = probabilities(&beliefs);
            prop_assert!((probabilities.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            prop_assert!(probabilities.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)));
        }
    }
}
