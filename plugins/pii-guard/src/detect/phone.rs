//! Telephone numbers. An international one is told by its plus sign. A national one is only digits, so it needs a form
//! that little else has, or a word before it that says what it is.

use std::ops::Range;

use super::digits::Run;
use super::{Category, Match, words};

/// Words that announce a telephone number, in the languages of the corpus.
const ANNOUNCES: &[&str] = &[
    "tel",
    "telefon",
    "telephone",
    "phone",
    "phones",
    "mobile",
    "mobil",
    "handy",
    "fon",
    "cell",
    "fax",
    "whatsapp",
    "sms",
    "call",
    "ring",
    "dial",
    "rufnummer",
    "hotline",
    "anrufen",
    "erreichbar",
    "erreichen",
    "téléphone",
    "tél",
    "telefono",
    "teléfono",
    "móvil",
    "telefoon",
    "durchwahl",
    "landline",
    "festnetz",
];
/// Words that announce another number.
const DENIES: &[&str] = &[
    "order",
    "orders",
    "invoice",
    "bestellung",
    "bestellnummer",
    "rechnung",
    "rechnungsnummer",
    "ticket",
    "sku",
    "ref",
    "reference",
    "article",
    "artikel",
    "artikelnummer",
    "kundennummer",
    "customer",
    "auftrag",
    "tracking",
    "sendung",
    "isbn",
    "ean",
    "gtin",
    "serial",
    "seriennummer",
    "id",
    "case",
    "account",
    "konto",
    "post",
    "revision",
    "batch",
    "lot",
    "commande",
    "pedido",
    "version",
    "part",
    "plu",
    "asin",
    "vertrag",
    "aktenzeichen",
];

/// What the words before a number say it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Announced {
    Phone,
    Other,
    Nothing,
}

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Match>) {
    let mut next = 0;
    for start in 0..run.groups.len() {
        if start < next || run.groups[start].is_date {
            continue;
        }
        // The middle of a row of groups is the middle of another number, an account's for example.
        let is_first = start == next || run.groups[start - 1].is_date;
        if let Some((range, end)) = number_at(run, start, is_first) {
            found.push(Match {
                category: Category::Phone,
                range,
            });
            next = end;
        }
    }
}

/// The number that begins at a group, and the group after it.
fn number_at(run: &Run<'_>, start: usize, is_first: bool) -> Option<(Range<usize>, usize)> {
    let begin = opened(run.text, run.groups[start].range.start);
    let digits = run.digits(start);
    if let Some(plus) = plus_before(run.text, begin) {
        let end = (!digits.starts_with('0'))
            .then(|| reach(run, start, 8..=15))
            .flatten()?;
        return Some((plus..run.groups[end - 1].range.end, end));
    }
    if !is_first || !run.begins_alone(start) {
        return None;
    }
    let announced = announced(run.text, begin);
    if announced == Announced::Other {
        return None;
    }
    let named = announced == Announced::Phone;
    let in_parentheses = begin < run.groups[start].range.start;
    let end = if digits.starts_with("00") && !digits.starts_with("000") {
        reach(run, start, 10..=17)
    } else if digits.starts_with('0') {
        with_trunk_zero(run, start, named, in_parentheses)
    } else {
        north_american(run, start, named, in_parentheses)
    };
    let end = end.or_else(|| {
        if named {
            reach(run, start, 6..=13)
        } else {
            None
        }
    })?;
    Some((begin..run.groups[end - 1].range.end, end))
}

/// The group after the last one that belongs to a number of this many digits.
fn reach(run: &Run<'_>, start: usize, lengths: std::ops::RangeInclusive<usize>) -> Option<usize> {
    let mut digits = 0;
    let mut end = start;
    while end < run.groups.len() && !run.groups[end].is_date {
        let length = run.len_of(end);
        // A complete number, then a space: what follows is another number.
        let complete = digits >= 10
            && end > start
            && run.len_of(end - 1) >= 4
            && run.separator(end - 1) == " ";
        if digits + length > *lengths.end() || complete {
            break;
        }
        digits += length;
        end += 1;
    }
    (lengths.contains(&digits) && run.ends(end - 1)).then_some(end)
}

/// `030 901820`, `0171-1234567`, `(030) 90 18 20`, `01 23 45 67 89`, `07700 900123`, `01711234567`.
fn with_trunk_zero(
    run: &Run<'_>,
    start: usize,
    named: bool,
    in_parentheses: bool,
) -> Option<usize> {
    let in_pairs =
        start + 5 <= run.groups.len() && (start..start + 5).all(|index| run.len_of(index) == 2);
    if in_pairs && run.ends(start + 4) {
        return Some(start + 5);
    }
    let end = reach(run, start, 9..=12)?;
    let area = run.len_of(start);
    let digits = run.joined(start..end);
    let is_form = match end - start {
        1 => is_mobile(&digits),
        _ => (3..=6).contains(&area) || (in_parentheses && area >= 2),
    };
    (is_form || named).then_some(end)
}

/// Unseparated digits that are a mobile number in Germany, the United Kingdom or France.
fn is_mobile(digits: &str) -> bool {
    let second_and_third = digits.as_bytes().get(1..3);
    matches!(
        (digits.len(), second_and_third),
        (11 | 12, Some(b"15" | b"16" | b"17"))
            | (11, Some([b'7', _]))
            | (10, Some([b'6' | b'7', _]))
    )
}

/// `(415) 555-2671`, `415-555-2671`, `1-800-555-0199`; with spaces alone only where it is named.
fn north_american(run: &Run<'_>, start: usize, named: bool, in_parentheses: bool) -> Option<usize> {
    let first = if run.digits(start) == "1" {
        start + 1
    } else {
        start
    };
    let end = first + 3;
    let is_form = end <= run.groups.len()
        && [3, 3, 4]
            .iter()
            .zip(first..end)
            .all(|(length, index)| run.len_of(index) == *length)
        && [first, first + 1]
            .iter()
            .all(|index| !run.digits(*index).starts_with(['0', '1']));
    if !is_form || !run.ends(end - 1) {
        return None;
    }
    let goes_on = end < run.groups.len() && matches!(run.separator(end - 1), "-" | ".");
    let punctuated = run.separator(first) == run.separator(first + 1)
        && matches!(run.separator(first), "-" | ".");
    let in_parentheses = in_parentheses || run.separator(first).contains(')');
    (!goes_on && (punctuated || in_parentheses || named)).then_some(end)
}

/// Where the number begins if a parenthesis opens before its first digit.
fn opened(text: &str, start: usize) -> usize {
    if text[..start].ends_with('(') {
        start - 1
    } else {
        start
    }
}

/// The place of a plus sign directly before, if it begins a number.
fn plus_before(text: &str, start: usize) -> Option<usize> {
    let at = text[..start].trim_end_matches(' ').len().checked_sub(1)?;
    let near = start - at <= 2 && text.as_bytes()[at] == b'+';
    (near && !words::is_glued_before(text, at)).then_some(at)
}

/// The nearest word counts most, but `Tel.-Nr.` and `call me on my new number:` are telephone numbers too.
fn announced(text: &str, at: usize) -> Announced {
    for word in words::before(text, at) {
        if ANNOUNCES.contains(&word.as_str()) {
            return Announced::Phone;
        }
        if DENIES.contains(&word.as_str()) {
            return Announced::Other;
        }
    }
    Announced::Nothing
}
