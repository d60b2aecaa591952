//! The exponential function, the same bits everywhere.
//!
//! The standard library's goes to the platform's mathematics library, and those differ in the last bit; one bit is
//! enough to make retrained weights differ from the committed ones, or the plugin from its tests.

use std::f32::consts::LOG2_E;

/// `ln 2`, its upper bits: a multiple up to 128 is exact.
const LN_2_UPPER: f32 = 0.693_359_4;
/// The rest of `ln 2`.
const LN_2_LOWER: f32 = -2.121_944_4e-4;

/// `e` to the power of `x`, within a few units in the last place, for `x` of at most zero. Below -87 it is zero, and
/// above zero it is that of zero: a softmax whose largest term is taken off first needs no more.
pub fn exp(x: f32) -> f32 {
    let x = x.min(0.0);
    if x < -87.0 {
        return 0.0;
    }
    let power = (x * LOG2_E + 0.5).floor();
    let rest = x - power * LN_2_UPPER - power * LN_2_LOWER;
    // Taylor's series, enough terms for |rest| up to ln 2 / 2.
    let mut sum = 1.0 / 720.0;
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = sum * rest + coefficient;
    }
    // `power` is from -126 to 0, so the exponent stays a normal number's.
    sum * f32::from_bits(((power as i32 + 127) as u32) << 23)
}

/// Replaces scores by probabilities that sum to one; `sharpness` is the inverse of the temperature.
pub fn softmax(scores: &mut [f32], sharpness: f32) {
    let largest = scores.iter().copied().fold(f32::MIN, f32::max);
    let mut total = 0.0;
    for score in scores.iter_mut() {
        *score = exp((*score - largest) * sharpness);
        total += *score;
    }
    for score in scores {
        *score /= total;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_agrees_with_the_exact_value() {
        let mut x = -86.9_f32;
        while x <= 0.0 {
            let exact = f64::from(x).exp();
            let error = (f64::from(exp(x)) - exact).abs() / exact;
            assert!(error < 4e-7, "exp({x}) is off by {error}");
            x += 0.0137;
        }
        assert_eq!(exp(0.0), 1.0);
        assert_eq!(exp(-1000.0), 0.0);
        assert_eq!(exp(f32::NEG_INFINITY), 0.0);
    }

    #[test]
    fn probabilities_sum_to_one_and_keep_the_order() {
        let mut scores = [1.0, -3.0, 2.5, 80.0];
        softmax(&mut scores, 0.1);
        assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-6);
        assert!(scores[3] > scores[2] && scores[2] > scores[0] && scores[0] > scores[1]);
    }
}
