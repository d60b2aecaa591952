//! Numbers that a state gave a person.

use super::digits::Run;
use super::words;
use super::{Category, Match};

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Match>) {
    us_ssn(run, found);
    de_tax_id(run, found);
}

/// There is no check digit, so the form has to be exact: hyphens, or the number's name before it.
fn us_ssn(run: &Run<'_>, found: &mut Vec<Match>) {
    let named = |at: usize| {
        words::before(run.text, at)
            .any(|word| matches!(word.as_str(), "ssn" | "social" | "security"))
    };
    for window in run.windows(&[3, 2, 4]) {
        let span = run.span(window.clone());
        let hyphens = run.separator(window.start) == "-" && run.separator(window.start + 1) == "-";
        let goes_on = window.end < run.groups.len() && run.separator(window.end - 1) == "-";
        if (hyphens || named(span.start))
            && !goes_on
            && run.begins_alone(window.start)
            && run.ends(window.end - 1)
            && is_ssn(&run.joined(window))
        {
            found.push(Match {
                category: Category::UsSsn,
                range: span,
            });
        }
    }
    for window in run.windows(&[9]) {
        let span = run.span(window.clone());
        if named(span.start)
            && run.begins(window.start)
            && run.ends(window.start)
            && is_ssn(&run.joined(window))
        {
            found.push(Match {
                category: Category::UsSsn,
                range: span,
            });
        }
    }
}

/// Ranges that were never issued are something else.
fn is_ssn(digits: &str) -> bool {
    let (area, rest) = digits.split_at(3);
    let (group, serial) = rest.split_at(2);
    area != "000" && area != "666" && !area.starts_with('9') && group != "00" && serial != "0000"
}

fn de_tax_id(run: &Run<'_>, found: &mut Vec<Match>) {
    for lengths in [&[11][..], &[2, 3, 3, 3]] {
        for window in run.windows(lengths) {
            if run.begins_alone(window.start)
                && run.ends(window.end - 1)
                && is_tax_id(&run.joined(window.clone()))
            {
                found.push(Match {
                    category: Category::DeTaxId,
                    range: run.span(window),
                });
            }
        }
    }
}

/// Among the first ten digits exactly one occurs twice or three times (never three in a row) and the others at most
/// once; the eleventh is the ISO 7064 MOD 11,10 check digit.
fn is_tax_id(digits: &str) -> bool {
    let digits: Vec<u8> = digits.bytes().map(|digit| digit - b'0').collect();
    let Some((check, first_ten)) = digits.split_last() else {
        return false;
    };
    if first_ten[0] == 0
        || first_ten
            .windows(3)
            .any(|three| three[0] == three[1] && three[1] == three[2])
    {
        return false;
    }
    let mut repeated = (0..10_u8)
        .map(|digit| first_ten.iter().filter(|other| **other == digit).count())
        .filter(|count| *count > 1);
    if !matches!((repeated.next(), repeated.next()), (Some(2 | 3), None)) {
        return false;
    }
    let mut product = 10_u32;
    for digit in first_ten {
        let sum = (u32::from(*digit) + product) % 10;
        product = (if sum == 0 { 10 } else { sum } * 2) % 11;
    }
    u32::from(*check) == (11 - product) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tax_numbers_are_told_by_their_check_digit_and_their_one_repeated_digit() {
        for digits in ["65929970489", "57549285017", "25768131411"] {
            assert!(is_tax_id(digits), "{digits}");
        }
        for digits in [
            "65929970488",
            "05929970489",
            "12345678901",
            "11111111111",
            "12345678903",
        ] {
            assert!(!is_tax_id(digits), "{digits}");
        }
    }

    #[test]
    fn ranges_that_were_never_issued_are_no_social_security_numbers() {
        assert!(is_ssn("536221234"));
        for digits in [
            "000221234",
            "666221234",
            "900221234",
            "536001234",
            "536220000",
        ] {
            assert!(!is_ssn(digits), "{digits}");
        }
    }
}
