//! Payment cards: a known issuer's prefix, the length that issuer uses, the usual grouping and a valid check digit. One
//! in ten order numbers passes the check digit alone.

use super::digits::Run;
use super::{Category, Match};

/// The ways in which digits of a card are grouped, in print and on the card.
const GROUPINGS: [&[usize]; 9] = [
    &[4, 4, 4, 4],
    &[4, 6, 5],
    &[4, 6, 4],
    &[4, 4, 4, 4, 3],
    &[14],
    &[15],
    &[16],
    &[18],
    &[19],
];

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Match>) {
    for grouping in GROUPINGS {
        for window in run.windows(grouping) {
            if run.begins(window.start)
                && run.ends(window.end - 1)
                && separators_are_alike(run, window.start, window.end)
                && is_card(&run.joined(window.clone()))
            {
                found.push(Match {
                    category: Category::Card,
                    range: run.span(window),
                });
            }
        }
    }
}

fn separators_are_alike(run: &Run<'_>, start: usize, end: usize) -> bool {
    (start + 1..end).all(|index| {
        let separator = run.separator(index - 1);
        separator == run.separator(start)
            && separator.chars().all(|c| c.is_whitespace() || c == '-')
    })
}

fn is_card(digits: &str) -> bool {
    is_issued(digits) && passes_luhn(digits)
}

fn is_issued(digits: &str) -> bool {
    let prefix = |length: usize| digits[..length].parse::<u32>().unwrap_or(0);
    match digits.len() {
        14 => matches!(prefix(3), 300..=305 | 309) || matches!(prefix(2), 36 | 38 | 39),
        15 => matches!(prefix(2), 34 | 37),
        16 => {
            prefix(1) == 4
                || matches!(prefix(2), 51..=55 | 62 | 65 | 50 | 56..=58)
                || matches!(prefix(3), 644..=649)
                || matches!(prefix(4), 2221..=2720 | 3528..=3589 | 6011)
        }
        18 => matches!(prefix(2), 50 | 56..=58 | 62 | 63 | 67),
        19 => prefix(1) == 4 || matches!(prefix(2), 50 | 56..=58 | 62 | 63 | 65 | 67),
        _ => false,
    }
}

fn passes_luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(index, digit)| {
            let digit = u32::from(digit - b'0');
            match index % 2 {
                1 if digit > 4 => digit * 2 - 9,
                1 => digit * 2,
                _ => digit,
            }
        })
        .sum();
    sum.is_multiple_of(10) && digits.bytes().any(|digit| digit != digits.as_bytes()[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_issuers_published_test_numbers_are_cards() {
        for digits in [
            "4111111111111111",
            "4012888888881881",
            "5500005555555559",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "371449635398431",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "38520000023237",
            "36227206271667",
            "6200000000000005",
        ] {
            assert!(is_card(digits), "{digits}");
        }
    }

    #[test]
    fn one_wrong_digit_or_an_unknown_issuer_is_no_card() {
        for digits in [
            "4111111111111112",
            "4111111111111",
            "9111111111111111",
            "1234567812345670",
            "0000000000000000",
            "978020137962480",
        ] {
            assert!(!is_card(digits), "{digits}");
        }
    }
}
