//! Wilcoxon's signed-rank test on pairs: whether the typical difference is below or above a value.
//!
//! Latencies have long tails, and a test on means is at the mercy of one pause. Two runs of one pair meet the same
//! noise, so their difference is symmetric about the true effect; that is all the test assumes, and its error rates
//! hold for any noise. Ties take the mean of their ranks, and up to 50 pairs the distribution is computed, not
//! approximated (Wilcoxon 1945; Pratt and Gibbons, "Concepts of Nonparametric Theory", 1981).

const EXACT_UP_TO: usize = 50;

/// The probability of differences as low as these if their middle were `middle` or above. Small: it is below.
pub(crate) fn below(differences: &[f64], middle: f64) -> f64 {
    let shifted: Vec<f64> = differences.iter().map(|d| middle - d).collect();
    upper_tail(&shifted)
}

/// The probability of differences as high as these if their middle were `middle` or below. Small: it is above.
pub(crate) fn above(differences: &[f64], middle: f64) -> f64 {
    let shifted: Vec<f64> = differences.iter().map(|d| d - middle).collect();
    upper_tail(&shifted)
}

/// The middle of the differences: the median of all pairs' means (Hodges and Lehmann 1963).
pub(crate) fn middle(differences: &[f64]) -> f64 {
    let mut means = Vec::with_capacity(differences.len() * (differences.len() + 1) / 2);
    for (at, one) in differences.iter().enumerate() {
        for other in &differences[at..] {
            means.push(f64::midpoint(*one, *other));
        }
    }
    median(&mut means)
}

pub(crate) fn median(values: &mut [f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let at = values.len() / 2;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

fn upper_tail(values: &[f64]) -> f64 {
    // A difference of exactly the value says nothing in either direction.
    let mut values: Vec<f64> = values
        .iter()
        .copied()
        .filter(|value| *value != 0.0)
        .collect();
    if values.is_empty() {
        return 1.0;
    }
    values.sort_unstable_by(|one, other| one.abs().total_cmp(&other.abs()));
    // Twice the rank, so that the mean rank of a tie is whole.
    let mut ranks = vec![0_usize; values.len()];
    let mut start = 0;
    while start < values.len() {
        let same = |at: &usize| values[*at].abs() <= values[start].abs() * (1.0 + 1e-9);
        let end = (start..values.len())
            .take_while(same)
            .last()
            .unwrap_or(start)
            + 1;
        ranks[start..end].fill(start + 1 + end);
        start = end;
    }
    let positive: usize = ranks
        .iter()
        .zip(&values)
        .filter(|(_, value)| **value > 0.0)
        .map(|(rank, _)| rank)
        .sum();
    if values.len() <= EXACT_UP_TO {
        exact(&ranks, positive)
    } else {
        approximate(&ranks, positive)
    }
}

/// Every difference is positive or negative with the same chance; sums are counted rank by rank.
fn exact(ranks: &[usize], at_least: usize) -> f64 {
    let total: usize = ranks.iter().sum();
    let mut chances = vec![0.0; total + 1];
    chances[0] = 1.0;
    let mut reached = 0;
    for rank in ranks {
        for sum in (0..=reached).rev() {
            let half = chances[sum] / 2.0;
            chances[sum] = half;
            chances[sum + rank] += half;
        }
        reached += rank;
    }
    chances[at_least.min(total)..].iter().sum::<f64>().min(1.0)
}

fn approximate(ranks: &[usize], at_least: usize) -> f64 {
    let mean = ranks.iter().sum::<usize>() as f64 / 2.0;
    let variance = ranks.iter().map(|rank| (*rank as f64).powi(2)).sum::<f64>() / 4.0;
    // Half a rank of continuity is one in doubled ranks.
    normal_upper_tail((at_least as f64 - mean - 1.0) / variance.sqrt().max(f64::MIN_POSITIVE))
}

/// 1 − Φ(z), after Abramowitz and Stegun 26.2.17: wrong by 7.5e-8 at most.
fn normal_upper_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z.abs());
    let polynomial = t
        * (0.319_381_530
            + t * (-0.356_563_782
                + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    let tail = (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial;
    if z >= 0.0 { tail } else { 1.0 - tail }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn small_cases_are_those_of_the_printed_tables() {
        // n = 5, all positive: 1/32. n = 8, W+ = 33 of 36: 5 of 256 sign patterns reach it.
        assert_eq!(upper_tail(&[1.0, 2.0, 3.0, 4.0, 5.0]), 1.0 / 32.0);
        let tail = upper_tail(&[-1.0, -2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]);
        assert!((tail - 5.0 / 256.0).abs() < 1e-12, "{tail}");
    }

    #[test]
    fn ties_and_nothing_are_no_problem() {
        assert_eq!(upper_tail(&[]), 1.0);
        assert_eq!(upper_tail(&[0.0; 9]), 1.0);
        assert!((upper_tail(&[2.0; 10]) - 1.0 / 1024.0).abs() < 1e-12);
    }

    #[test]
    fn the_approximation_meets_the_exact_distribution() {
        let ranks: Vec<usize> = (1..=50).map(|rank| 2 * rank).collect();
        for sum in [1_300, 1_500, 1_700, 1_900] {
            let (exact, near) = (exact(&ranks, sum), approximate(&ranks, sum));
            assert!((exact - near).abs() < 0.003, "{sum}: {exact} {near}");
        }
    }

    proptest! {
        #[test]
        fn below_and_above_mirror_each_other(values in proptest::collection::vec(-50.0_f64..50.0, 0..80), at in -5.0_f64..5.0) {
            let mirrored: Vec<f64> = values.iter().map(|value| -value).collect();
            prop_assert!((below(&values, at) - above(&mirrored, -at)).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&below(&values, at)));
        }
    }
}
