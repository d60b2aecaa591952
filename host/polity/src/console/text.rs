//! Times, money and durations as people read them.

use jiff::Timestamp;
use maud::{Markup, html};

/// When, as a distance from now, with the exact time in the element for whoever points at it.
pub(super) fn ago(at_ms: u64, now_ms: u64) -> Markup {
    let words = match now_ms.checked_sub(at_ms) {
        Some(past) if past < 5_000 => "just now".to_owned(),
        Some(past) => format!("{} ago", distance(past)),
        None => format!("in {}", distance(at_ms - now_ms)),
    };
    let exact = exact(at_ms);
    html! { time datetime=(exact) title=(exact) { (words) } }
}

/// RFC 3339, in UTC, to the second.
pub(super) fn exact(at_ms: u64) -> String {
    let at = i64::try_from(at_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok())
        .unwrap_or(Timestamp::MAX);
    format!("{at:.0}")
}

/// The largest whole unit: `3 min`, `2 h`, `5 d`.
fn distance(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// Micro-units as money: two decimals from a unit up, as many as it takes to see something below.
pub(super) fn money(micro: u64, currency: &str) -> String {
    let (units, rest) = (micro / 1_000_000, micro % 1_000_000);
    let amount = match micro {
        0 => "0".to_owned(),
        1..10_000 => format!("0.{rest:06}"),
        10_000..1_000_000 => format!("0.{:04}", rest / 100),
        _ => format!("{units}.{:02}", rest / 10_000),
    };
    format!("{amount} {currency}")
}

/// A time that something took.
pub(super) fn took(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..10_000 => format!("{}.{} ms", micros / 1_000, micros % 1_000 / 100),
        10_000..10_000_000 => format!("{} ms", micros / 1_000),
        _ => format!("{} s", micros / 1_000_000),
    }
}

/// A count with thin groups of three: `12 345`.
pub(super) fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_distance_is_told_in_its_largest_unit() {
        let told = |past: u64| ago(1_700_000_000_000, 1_700_000_000_000 + past).into_string();
        assert!(told(0).contains("just now"));
        assert!(told(59_999).contains("59 s ago"));
        assert!(told(60_000).contains("1 min ago"));
        assert!(told(3_600_000).contains("1 h ago"));
        assert!(told(172_800_000).contains("2 d ago"));
        assert!(ago(10_000, 4_000).into_string().contains("in 6 s"));
        assert!(told(0).contains("2023-11-14T22:13:20Z"), "{}", told(0));
    }

    #[test]
    fn small_money_is_not_rounded_to_nothing() {
        assert_eq!(money(0, "EUR"), "0 EUR");
        assert_eq!(money(7, "EUR"), "0.000007 EUR");
        assert_eq!(money(12_345, "EUR"), "0.0123 EUR");
        assert_eq!(money(12_345_678, "EUR"), "12.34 EUR");
    }

    #[test]
    fn times_keep_two_figures_at_least_where_they_matter() {
        assert_eq!(took(999), "999 µs");
        assert_eq!(took(1_500), "1.5 ms");
        assert_eq!(took(15_000), "15 ms");
        assert_eq!(took(15_000_000), "15 s");
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(count(999), "999");
        assert_eq!(count(1_000), "1\u{202f}000");
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}
