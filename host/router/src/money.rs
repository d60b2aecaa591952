//! Amounts: whole micro-units, as people read them.

use std::fmt;

/// An amount in micro-units of the company's currency, written with as many decimals as it takes, at least two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Amount(pub(crate) u64);

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let decimals = format!("{:06}", self.0 % 1_000_000);
        let used = decimals.trim_end_matches('0').len().max(2);
        f.pad(&format!("{}.{}", self.0 / 1_000_000, &decimals[..used]))
    }
}

/// What tokens cost at a price per million, rounded up; the highest number where it would be higher.
pub(crate) fn cost(tokens: &[(u64, u64)]) -> u64 {
    let total: u128 = tokens
        .iter()
        .map(|(tokens, price)| u128::from(*tokens) * u128::from(*price))
        .fold(0, u128::saturating_add);
    u64::try_from(total.div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cost_is_rounded_up_and_never_overflows() {
        assert_eq!(cost(&[(1000, 2_500_000), (100, 10_000_000)]), 3500);
        assert_eq!(cost(&[(1, 1)]), 1);
        assert_eq!(
            cost(&[(u64::MAX, u64::MAX), (u64::MAX, u64::MAX)]),
            u64::MAX
        );
        assert_eq!(Amount(3500).to_string(), "0.0035");
        assert_eq!(Amount(12_000_000).to_string(), "12.00");
    }
}
