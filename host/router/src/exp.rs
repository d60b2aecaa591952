//! An exponential that needs no table and no library: the same bits on every machine, and several at a time where a
//! processor can.

/// e^x for |x| <= 80, to about four digits.
pub(crate) fn exp(x: f32) -> f32 {
    // A number so large that nothing after the point has room beside it: adding it rounds.
    const ROUND: f32 = 12_582_912.0;
    // 2^y = 2^whole * 2^part, and a short polynomial for the part, which lies between -1/2 and 1/2.
    let y = x * std::f32::consts::LOG2_E;
    let rounded = y + ROUND;
    let part = y - (rounded - ROUND);
    let fraction = 1.0
        + part
            * (std::f32::consts::LN_2
                + part * (0.240_226_5 + part * (0.055_504_1 + part * 0.009_618_1)));
    let whole = rounded.to_bits().wrapping_sub(ROUND.to_bits());
    f32::from_bits(whole.wrapping_add(127) << 23) * fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_digits_are_right() {
        for step in -800..=800_i16 {
            let x = f32::from(step) / 10.0;
            let error = (f64::from(exp(x)) / f64::from(x).exp() - 1.0).abs();
            assert!(error < 1e-4, "{x}: {error}");
        }
        assert_eq!(exp(0.0), 1.0);
    }
}
