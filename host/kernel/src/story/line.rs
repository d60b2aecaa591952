//! Text of strangers as part of a line that a person reads.

use serde_json::Value;

/// Characters of a text that are shown.
const MAX_SHOWN: usize = 400;

/// One line without control or direction characters, bounded.
pub(super) fn line(text: &str) -> String {
    let visible = |c: &char| !is_mark(*c);
    let spaced = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let mut shown: String = spaced.filter(visible).take(MAX_SHOWN + 1).collect();
    if let Some((end, _)) = shown.char_indices().nth(MAX_SHOWN) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

/// JSON on one line, bounded.
pub(super) fn json(value: &Value) -> String {
    line(&value.to_string())
}

/// A time of day, in UTC.
pub(super) fn time(ms: u64) -> String {
    let time = i64::try_from(ms)
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(
        || format!("{ms} ms"),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}

/// A length of time, in the unit that a person would choose.
pub(super) fn span(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..1_000_000 => format!("{}.{} ms", us / 1_000, us % 1_000 / 100),
        _ => format!("{}.{} s", us / 1_000_000, us % 1_000_000 / 100_000),
    }
}

/// Marks that reorder or hide what stands next to them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_strangers_text_stays_on_its_line_and_in_its_place() {
        assert_eq!(line("a\x1b[31m\nb\u{202e}c\u{9b}d"), "a [31m bc d");
        assert_eq!(line(&"x".repeat(5_000)).chars().count(), MAX_SHOWN + 1);
        assert_eq!(line(&"x".repeat(MAX_SHOWN)).chars().count(), MAX_SHOWN);
    }

    #[test]
    fn spans_are_told_in_the_unit_that_fits() {
        assert_eq!(
            [span(12), span(1_250), span(2_345_678)],
            ["12 µs", "1.2 ms", "2.3 s"]
        );
    }
}
