//! Amounts as people read them.

use std::fmt;

/// An amount in micro-units of a currency, written as `12.34 EUR`; with as many decimals as it takes, at least two.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Money<'a> {
    pub(crate) micro: u64,
    pub(crate) currency: &'a str,
}

impl fmt::Display for Money<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (units, millionths) = (self.micro / 1_000_000, self.micro % 1_000_000);
        let decimals = format!("{millionths:06}");
        let used = decimals.trim_end_matches('0').len().max(2);
        write!(f, "{units}.{}", &decimals[..used])?;
        match self.currency {
            "" => Ok(()),
            currency => write!(f, " {currency}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_has_as_many_decimals_as_it_takes() {
        let text = |micro, currency| Money { micro, currency }.to_string();
        assert_eq!(text(0, "EUR"), "0.00 EUR");
        assert_eq!(text(12_340_000, ""), "12.34");
        assert_eq!(text(3_500, "EUR"), "0.0035 EUR");
    }
}
