//! Exact decimal numbers with PostgreSQL's rules for scale.
//!
//! Money and counts must not change by passing through a float, and a sum must print the same digits on every engine.
//! 38 digits are held in an `i128` with a scale; what does not fit is refused, never rounded in silence.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

/// The greatest number of digits behind the point. With 37 every power of ten and every remainder fits an `i128`.
pub(crate) const MAX_SCALE: u8 = 37;
/// PostgreSQL gives a quotient at least so many significant digits.
const MIN_SIGNIFICANT: i32 = 16;

/// `mantissa / 10^scale`.
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    mantissa: i128,
    scale: u8,
}

impl Decimal {
    /// A decimal from its parts; `None` when the scale is too great.
    pub fn new(mantissa: i128, scale: u8) -> Option<Self> {
        (scale <= MAX_SCALE).then_some(Self { mantissa, scale })
    }

    /// The digits without the point.
    pub fn mantissa(self) -> i128 {
        self.mantissa
    }

    /// How many digits are behind the point.
    pub fn scale(self) -> u8 {
        self.scale
    }

    /// Reads `-12.50`, `3`, `1.5e-3`. `None` when it is no number or does not fit.
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (digits, exponent) = match rest.find(['e', 'E']) {
            Some(at) => (&rest[..at], rest[at + 1..].parse::<i32>().ok()?),
            None => (rest, 0),
        };
        let (mut mantissa, mut scale, mut seen, mut point) = (0i128, 0i32, false, false);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    mantissa = mantissa
                        .checked_mul(10)?
                        .checked_add(i128::from(byte - b'0'))?;
                    scale += i32::from(point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        if !seen {
            return None;
        }
        scale = scale.checked_sub(exponent)?;
        if scale < 0 {
            mantissa = mantissa.checked_mul(pow10(u8::try_from(-scale).ok()?)?)?;
            scale = 0;
        }
        let mantissa = if negative { -mantissa } else { mantissa };
        Self::new(mantissa, u8::try_from(scale).ok()?)
    }

    /// The nearest decimal of 15 significant digits, as PostgreSQL casts a float.
    pub fn from_f64(value: f64) -> Option<Self> {
        if !value.is_finite() {
            return None;
        }
        let parsed = Self::parse(&format!("{value:.14e}"))?;
        Some(parsed.without_trailing_zeros())
    }

    /// The nearest float.
    pub fn to_f64(self) -> f64 {
        if self.scale == 0 && self.mantissa.unsigned_abs() < 1 << 53 {
            return self.mantissa as f64;
        }
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    /// The integer, when there is nothing behind the point and it fits.
    pub fn to_i64_exact(self) -> Option<i64> {
        let plain = self.without_trailing_zeros();
        (plain.scale == 0)
            .then(|| i64::try_from(plain.mantissa).ok())
            .flatten()
    }

    /// The same number with the fewest digits behind the point.
    #[must_use]
    pub fn without_trailing_zeros(mut self) -> Self {
        while self.scale > 0 && self.mantissa % 10 == 0 {
            self.mantissa /= 10;
            self.scale -= 1;
        }
        self
    }

    /// Sum.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.at_scale(scale)?, other.at_scale(scale)?);
        Self::new(a.checked_add(b)?, scale)
    }

    /// Difference.
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.checked_add(other.negated())
    }

    /// Product; the scales add up.
    pub fn checked_mul(self, other: Self) -> Option<Self> {
        let product = Self {
            mantissa: self.mantissa.checked_mul(other.mantissa)?,
            scale: self.scale.checked_add(other.scale)?,
        };
        if product.scale <= MAX_SCALE {
            return Some(product);
        }
        let plain = product.without_trailing_zeros();
        Self::new(plain.mantissa, plain.scale)
    }

    /// Quotient with the scale PostgreSQL gives it (`select_div_scale` in its `numeric.c`), rounded half away from
    /// zero. `None` on division by zero too: ask [`Decimal::is_zero`] before.
    pub fn checked_div(self, other: Self) -> Option<Self> {
        if other.mantissa == 0 {
            return None;
        }
        let (weight_a, first_a) = self.leading();
        let (weight_b, first_b) = other.leading();
        let weight = weight_a - weight_b - i32::from(first_a <= first_b);
        let scale = (MIN_SIGNIFICANT - weight * 4)
            .max(i32::from(self.scale))
            .max(i32::from(other.scale))
            .max(0);
        let scale = u8::try_from(scale).ok().filter(|s| *s <= MAX_SCALE)?;
        // mantissa_a * 10^shift / mantissa_b, by long division so that nothing but the result has to fit.
        let shift = i32::from(scale) + i32::from(other.scale) - i32::from(self.scale);
        let divisor = other.mantissa.unsigned_abs();
        let mut quotient = self.mantissa.unsigned_abs() / divisor;
        let mut rest = self.mantissa.unsigned_abs() % divisor;
        for _ in 0..shift {
            rest = rest.checked_mul(10)?;
            quotient = quotient.checked_mul(10)?.checked_add(rest / divisor)?;
            rest %= divisor;
        }
        if rest >= divisor - rest {
            quotient = quotient.checked_add(1)?;
        }
        let magnitude = i128::try_from(quotient).ok()?;
        let negative = (self.mantissa < 0) != (other.mantissa < 0);
        Self::new(if negative { -magnitude } else { magnitude }, scale)
    }

    /// Remainder with the sign of the dividend.
    pub fn checked_rem(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        let (a, b) = (self.at_scale(scale)?, other.at_scale(scale)?);
        Self::new(a.checked_rem(b)?, scale)
    }

    /// Rounded half away from zero to `places` digits behind the point; negative places round before it.
    pub fn round(self, places: i32) -> Option<Self> {
        self.cut(places, |quotient, rest, unit| {
            if rest.unsigned_abs() >= unit.unsigned_abs() - rest.unsigned_abs() {
                quotient + rest.signum()
            } else {
                quotient
            }
        })
    }

    /// Cut off behind `places`.
    pub fn trunc(self, places: i32) -> Option<Self> {
        self.cut(places, |quotient, _, _| quotient)
    }

    /// The greatest integer not above.
    pub fn floor(self) -> Option<Self> {
        self.cut(0, |quotient, rest, _| quotient - i128::from(rest < 0))
    }

    /// The least integer not below.
    pub fn ceil(self) -> Option<Self> {
        self.cut(0, |quotient, rest, _| quotient + i128::from(rest > 0))
    }

    /// With the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self {
            mantissa: self.mantissa.wrapping_neg(),
            scale: self.scale,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    fn cut(self, places: i32, settle: impl Fn(i128, i128, i128) -> i128) -> Option<Self> {
        let keep = places.clamp(-38, i32::from(MAX_SCALE));
        let drop = i32::from(self.scale) - keep;
        if drop <= 0 {
            return Self::new(self.at_scale(u8::try_from(keep).ok()?)?, keep as u8);
        }
        let Some(unit) = u8::try_from(drop).ok().and_then(pow10) else {
            return Self::new(0, u8::try_from(keep.max(0)).ok()?);
        };
        let cut = settle(self.mantissa / unit, self.mantissa % unit, unit);
        if keep < 0 {
            let unit = pow10(u8::try_from(-keep).ok()?)?;
            return Self::new(cut.checked_mul(unit)?, 0);
        }
        Self::new(cut, keep as u8)
    }

    fn at_scale(self, scale: u8) -> Option<i128> {
        self.mantissa.checked_mul(pow10(scale - self.scale)?)
    }

    /// Weight and value of the first non-zero digit in base 10,000, aligned at the point: what PostgreSQL estimates the
    /// size of a quotient by.
    fn leading(self) -> (i32, i32) {
        if self.mantissa == 0 {
            return (0, 0);
        }
        let digits = self.mantissa.unsigned_abs().to_string();
        let before_point = digits.len() as i32 - i32::from(self.scale);
        let weight = (before_point - 1).div_euclid(4);
        let take = before_point - weight * 4;
        let mut first = 0;
        for at in 0..take {
            let digit = digits.as_bytes().get(at as usize).map_or(0, |d| d - b'0');
            first = first * 10 + i32::from(digit);
        }
        (weight, first)
    }
}

pub(crate) fn pow10(exponent: u8) -> Option<i128> {
    10i128.checked_pow(u32::from(exponent))
}

impl From<i64> for Decimal {
    fn from(value: i64) -> Self {
        Self {
            mantissa: i128::from(value),
            scale: 0,
        }
    }
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.scale == other.scale {
            return self.mantissa.cmp(&other.mantissa);
        }
        let split = |d: &Self| {
            let unit = pow10(d.scale).unwrap_or(i128::MAX);
            (d.mantissa / unit, d.mantissa % unit)
        };
        let ((whole_a, rest_a), (whole_b, rest_b)) = (split(self), split(other));
        let scale = self.scale.max(other.scale);
        let widen = |rest: i128, from: u8| rest * pow10(scale - from).unwrap_or(1);
        whole_a
            .cmp(&whole_b)
            .then_with(|| widen(rest_a, self.scale).cmp(&widen(rest_b, other.scale)))
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let plain = self.without_trailing_zeros();
        (plain.mantissa, plain.scale).hash(state);
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.mantissa.unsigned_abs().to_string();
        let scale = usize::from(self.scale);
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        if scale == 0 {
            return f.write_str(&digits);
        }
        let padded = format!("{digits:0>width$}", width = scale + 1);
        let (whole, rest) = padded.split_at(padded.len() - scale);
        write!(f, "{whole}.{rest}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(text: &str) -> Decimal {
        Decimal::parse(text).unwrap()
    }

    #[test]
    fn a_quotient_has_the_digits_postgresql_prints() {
        for (a, b, quotient) in [
            ("1", "3", "0.33333333333333333333"),
            ("10", "4", "2.5000000000000000"),
            ("100000", "7", "14285.714285714286"),
            ("1.50", "0.7", "2.1428571428571429"),
            ("0", "5", "0.00000000000000000000"),
            ("-7", "2", "-3.5000000000000000"),
        ] {
            assert_eq!(
                d(a).checked_div(d(b)).unwrap().to_string(),
                quotient,
                "{a}/{b}"
            );
        }
    }

    #[test]
    fn numbers_of_any_scale_compare_by_value() {
        assert_eq!(d("1.50"), d("1.5"));
        assert!(d("-0.1") < d("0"));
        assert!(
            d("99999999999999999999999999999999999999")
                > d("0.0000000000000000000000000000000000001")
        );
    }

    #[test]
    fn rounding_goes_half_away_from_zero() {
        assert_eq!(d("2.5").round(0).unwrap().to_string(), "3");
        assert_eq!(d("-2.5").round(0).unwrap().to_string(), "-3");
        assert_eq!(d("1234.567").round(-2).unwrap().to_string(), "1200");
        assert_eq!(d("1.2").round(3).unwrap().to_string(), "1.200");
        assert_eq!(d("-1.5").floor().unwrap().to_string(), "-2");
        assert_eq!(d("-1.5").ceil().unwrap().to_string(), "-1");
    }

    #[test]
    fn what_does_not_fit_is_no_number() {
        for text in ["", ".", "-", "1e400", "1e-60", "1.2.3", "0x10", "1e", "NaN"] {
            assert!(Decimal::parse(text).is_none(), "{text}");
        }
    }
}
