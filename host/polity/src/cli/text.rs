//! Words for people: what may reach a terminal, and how sizes, times and sums of money are written.

use std::fmt::Write;

/// Text that may come from a plugin, a model or a stranger, made harmless: what would move the cursor, change colours or
/// rename the window is written out instead of obeyed. Line breaks and tabs stay.
pub(crate) fn clean(text: &str) -> String {
    if !text.chars().any(is_harmful) {
        return text.to_owned();
    }
    let mut clean = String::with_capacity(text.len() + 8);
    for char in text.chars() {
        if is_harmful(char) {
            let _ = write!(clean, "{}", char.escape_unicode());
        } else {
            clean.push(char);
        }
    }
    clean
}

/// The same for what has to stay on one line.
pub(crate) fn one_line(text: &str) -> String {
    clean(&text.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn is_harmful(char: char) -> bool {
    let turns_text_around = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    (char.is_control() && !matches!(char, '\n' | '\t')) || turns_text_around
}

/// `1 plugin`, `2 plugins`.
pub(crate) fn count(number: u64, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

/// `214 ms`, `3.1 s`, `5 min`, `2 h`, `3 d`.
pub(crate) fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..10_000 => format!("{}.{} s", ms / 1_000, ms % 1_000 / 100),
        10_000..120_000 => format!("{} s", ms / 1_000),
        120_000..7_200_000 => format!("{} min", ms / 60_000),
        7_200_000..172_800_000 => format!("{} h", ms / 3_600_000),
        _ => format!("{} d", ms / 86_400_000),
    }
}

/// `812 B`, `15 KB`, `1.2 MB`.
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} KB", bytes / 1_000),
        _ => format!("{}.{} MB", bytes / 1_000_000, bytes % 1_000_000 / 100_000),
    }
}

/// A time in the form that sorts and reads the same everywhere: `2026-03-01 09:30:00Z`.
pub(crate) fn time(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    match time {
        Some(time) => format!(
            "{}Z",
            format!("{time:.0}").trim_end_matches('Z').replace('T', " ")
        ),
        None => "-".to_owned(),
    }
}

/// How long ago a time was, or how soon it will be.
pub(crate) fn relative(ms: u64, now_ms: u64) -> String {
    match now_ms.checked_sub(ms) {
        Some(age) if age < 1_000 => "now".to_owned(),
        Some(age) => format!("{} ago", duration(age)),
        None => format!("in {}", duration(ms - now_ms)),
    }
}

/// Micro-units of a currency: `1.50 EUR`, and as many places as a small sum needs.
pub(crate) fn money(micro: u64, currency: &str) -> String {
    let (units, rest) = (micro / 1_000_000, micro % 1_000_000);
    let mut places = format!("{rest:06}");
    while places.len() > 2 && places.ends_with('0') {
        places.pop();
    }
    format!("{units}.{places} {currency}").trim_end().to_owned()
}

/// The known word that was most likely meant.
pub(crate) fn closest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        // Below this, suggestions surprise more than they help.
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_drives_a_terminal_is_written_out() {
        assert_eq!(clean("a\u{1b}[31mb\n\tc"), "a\\u{1b}[31mb\n\tc");
        assert_eq!(clean("safe\u{202e}exe.fdp"), "safe\\u{202e}exe.fdp");
        assert_eq!(one_line("two\nlines\r\n"), "two lines");
    }

    #[test]
    fn sums_are_written_with_the_places_they_need() {
        assert_eq!(money(1_500_000, "EUR"), "1.50 EUR");
        assert_eq!(money(1_234, "EUR"), "0.001234 EUR");
        assert_eq!(money(0, ""), "0.00");
    }

    #[test]
    fn times_are_written_in_one_form() {
        assert_eq!(time(1_700_000_000_123), "2023-11-14 22:13:20Z");
        assert_eq!(relative(1_000, 1_000), "now");
        assert_eq!(relative(1_000, 181_000), "3 min ago");
        assert_eq!(relative(7_201_000, 1_000), "in 2 h");
    }

    #[test]
    fn numbers_grow_units() {
        assert_eq!(
            (duration(214), duration(3_190), duration(7_200_000)),
            ("214 ms".into(), "3.1 s".into(), "2 h".into())
        );
        assert_eq!(
            (size(812), size(15_800), size(1_290_000)),
            ("812 B".into(), "15 KB".into(), "1.2 MB".into())
        );
        assert_eq!(
            (count(1, "plugin"), count(0, "plugin")),
            ("1 plugin".into(), "0 plugins".into())
        );
    }

    #[test]
    fn a_slip_of_the_finger_is_recognised_and_a_stranger_is_not() {
        assert_eq!(
            closest("spending-limt", ["openai", "spending-limit"]),
            Some("spending-limit")
        );
        assert_eq!(closest("zebra", ["openai", "spending-limit"]), None);
    }
}
