//! Amounts of money from JSON, exactly. A binary fraction never touches them: `12.10` is twelve million one hundred
//! thousand micro-units and not one less.

use std::fmt::{self, Write as _};

use serde_json::Value;

/// Why a value is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AmountError {
    /// There is none.
    Missing,
    /// It is neither a number nor a decimal in a string.
    NotANumber,
    /// It is below zero.
    Negative,
    /// It is past what can be counted.
    TooLarge,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::NotANumber => "is not a number",
            Self::Negative => "is negative",
            Self::TooLarge => "is too large to count",
        })
    }
}

/// Micro-units from a number, or from a string that holds nothing but a decimal. A part of a micro-unit counts as a
/// whole one, so that rounding never slips below a limit.
///
/// # Errors
/// What is wrong with the value.
pub fn micro_from(value: Option<&Value>, micro_per_unit: u64) -> Result<u64, AmountError> {
    match value {
        None | Some(Value::Null) => Err(AmountError::Missing),
        Some(Value::Number(number)) => decimal(&number.to_string(), micro_per_unit),
        Some(Value::String(text)) if !text.contains(['e', 'E', '+']) => {
            decimal(text, micro_per_unit)
        }
        Some(_) => Err(AmountError::NotANumber),
    }
}

/// `1234567` micro-units as `1.234567`, with two decimals at least.
pub(crate) fn in_units(micro: u64, currency: Option<&str>) -> String {
    let mut text = format!("{}.{:06}", micro / 1_000_000, micro % 1_000_000);
    while text.ends_with('0') && text.len() - text.rfind('.').unwrap_or(0) > 3 {
        text.pop();
    }
    if let Some(currency) = currency {
        let _ = write!(text, " {currency}");
    }
    text
}

/// `-?digits(.digits)?(e[+-]?digits)?`, scaled.
fn decimal(text: &str, micro_per_unit: u64) -> Result<u64, AmountError> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            exponent
                .parse::<i32>()
                .map_err(|_| AmountError::NotANumber)?,
        ),
        None => (unsigned, 0),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, "0"));
    let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !all_digits(whole) || !all_digits(fraction) {
        return Err(AmountError::NotANumber);
    }

    let significant = format!("{whole}{fraction}");
    let significant = significant.trim_start_matches('0');
    if significant.is_empty() {
        return Ok(0);
    }
    if negative {
        return Err(AmountError::Negative);
    }
    // The amount is `significant * 10^shift * micro_per_unit`.
    let shift = i64::from(exponent) - fraction.len() as i64;
    if significant.len() as i64 + shift > 20 {
        return Err(AmountError::TooLarge);
    }
    // Digits past the thirtieth decide at most whether there is a remainder.
    let (kept, cut) = significant.split_at(significant.len().min(30));
    let shift = shift + cut.len() as i64;
    let remainder = cut.bytes().any(|b| b != b'0');
    let value: u128 = kept.parse().map_err(|_| AmountError::TooLarge)?;
    let scaled = value
        .checked_mul(u128::from(micro_per_unit))
        .ok_or(AmountError::TooLarge)?;
    let (micro, exact) = if shift >= 0 {
        let power = 10_u128
            .checked_pow(shift as u32)
            .ok_or(AmountError::TooLarge)?;
        (
            scaled.checked_mul(power).ok_or(AmountError::TooLarge)?,
            !remainder,
        )
    } else {
        match 10_u128.checked_pow(shift.unsigned_abs().min(64) as u32) {
            Some(power) => (scaled / power, !remainder && scaled % power == 0),
            // The power is past 10^38, and what it divides is below that.
            None => (0, false),
        }
    };
    let rounded_up = if exact { micro } else { micro + 1 };
    u64::try_from(rounded_up).map_err(|_| AmountError::TooLarge)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn units(value: Value) -> Result<u64, AmountError> {
        micro_from(Some(&value), 1_000_000)
    }

    #[test]
    fn decimals_are_exact() {
        assert_eq!(units(json!(12.1)), Ok(12_100_000));
        assert_eq!(units(json!(0.1)), Ok(100_000));
        assert_eq!(units(json!("12.10")), Ok(12_100_000));
        assert_eq!(units(json!("0.000001")), Ok(1));
        assert_eq!(units(json!(1e3)), Ok(1_000_000_000));
        assert_eq!(
            units(json!(1e-7)),
            Ok(1),
            "a part of a micro-unit counts as one"
        );
        assert_eq!(
            units(json!("1.0000000000000000000000000000000000000001")),
            Ok(1_000_001)
        );
        assert_eq!(units(json!(0)), Ok(0));
        assert_eq!(units(json!("-0.00")), Ok(0));
        assert_eq!(micro_from(Some(&json!(1299)), 10_000), Ok(12_990_000));
        assert_eq!(micro_from(Some(&json!(u64::MAX)), 1), Ok(u64::MAX));
    }

    #[test]
    fn what_cannot_be_compared_is_no_amount() {
        assert_eq!(micro_from(None, 1), Err(AmountError::Missing));
        assert_eq!(units(json!(null)), Err(AmountError::Missing));
        assert_eq!(units(json!(-0.01)), Err(AmountError::Negative));
        assert_eq!(units(json!(1e300)), Err(AmountError::TooLarge));
        assert_eq!(
            units(json!("99999999999999999999")),
            Err(AmountError::TooLarge)
        );
        for value in [
            json!("12,10"),
            json!("€12"),
            json!(""),
            json!(" 12"),
            json!("1e3"),
            json!("+5"),
            json!("1."),
            json!(".5"),
            json!("0x10"),
            json!("--1"),
            json!(true),
            json!([12]),
            json!({"value": 12}),
        ] {
            assert_eq!(
                units(value.clone()),
                Err(AmountError::NotANumber),
                "{value}"
            );
        }
    }

    #[test]
    fn amounts_print_with_the_decimals_they_need() {
        assert_eq!(in_units(12_500_000, Some("EUR")), "12.50 EUR");
        assert_eq!(in_units(4_200, None), "0.0042");
        assert_eq!(in_units(0, None), "0.00");
        assert_eq!(in_units(1, None), "0.000001");
    }
}
