//! Values as PostgreSQL prints them.

use std::fmt;

use super::Value;

/// The text PostgreSQL's `psql` shows, null as nothing.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Bool(true) => f.write_str("t"),
            Self::Bool(false) => f.write_str("f"),
            Self::Int(i) => write!(f, "{i}"),
            Self::Dec(d) => write!(f, "{d}"),
            Self::Float(v) => f.write_str(&float(*v)),
            Self::Text(text) | Self::Json(text) => f.write_str(text),
        }
    }
}

/// The shortest digits that read back the same; an exponent outside of 1e-4 to 1e15, with two digits and a sign.
fn float(value: f64) -> String {
    if value == 0.0 {
        return if value.is_sign_negative() { "-0" } else { "0" }.to_owned();
    }
    let text = format!("{value:e}");
    let Some((digits, exponent)) = text.split_once('e') else {
        return text;
    };
    let power: i32 = exponent.parse().unwrap_or(0);
    if (-4..15).contains(&power) {
        return format!("{value}");
    }
    let sign = if power < 0 { '-' } else { '+' };
    format!("{digits}e{sign}{:02}", power.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_look_as_in_psql() {
        for (value, text) in [
            (0.1, "0.1"),
            (1e20, "1e+20"),
            (1.5e-7, "1.5e-07"),
            (123456789012345.0, "123456789012345"),
            (1e15, "1e+15"),
            (-2.0, "-2"),
            (0.0001, "0.0001"),
        ] {
            assert_eq!(Value::Float(value).to_string(), text);
        }
    }
}
