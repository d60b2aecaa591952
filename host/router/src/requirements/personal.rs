//! Whether a text holds personal data.
//!
//! It decides whether a request may leave the company, so it errs on one side: a number that might be a card's is taken
//! for one only if its check digit is right, but a text that is too long to be looked through counts as personal.

use serde::{Deserialize, Serialize};

use crate::request::Text;

/// Bytes of a conversation that are looked through.
const LONGEST: usize = 1 << 20;

/// Whether there is any.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PersonalData {
    /// The company does not mind where it goes.
    NotLooked,
    /// None was found.
    None,
    /// Some was found.
    Found(Vec<Found>),
    /// The text is longer than what is looked through, and nothing was found in the beginning.
    TooLong,
}

/// A kind of personal data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Found {
    /// An e-mail address.
    Email,
    /// A number of a payment card.
    Card,
    /// An international bank account number.
    Iban,
    /// A telephone number in international form.
    Phone,
    /// A social security number as written in the United States.
    SocialSecurity,
}

impl Found {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "an e-mail address",
            Self::Card => "a card number",
            Self::Iban => "an IBAN",
            Self::Phone => "a telephone number",
            Self::SocialSecurity => "a social security number",
        }
    }
}

impl PersonalData {
    /// Whether the request must be treated as one that holds personal data.
    pub fn counts(&self) -> bool {
        matches!(self, Self::Found(_) | Self::TooLong)
    }
}

/// Looks through a conversation.
pub(super) fn look(texts: &[Text<'_>]) -> PersonalData {
    let mut found = Vec::new();
    let mut left = LONGEST;
    let mut is_cut = false;
    for text in texts {
        let bytes = text.text.as_bytes();
        is_cut |= bytes.len() > left;
        let piece = &bytes[..bytes.len().min(left)];
        left -= piece.len();
        look_at(piece, &mut found);
    }
    found.sort_unstable();
    found.dedup();
    match (found.is_empty(), is_cut) {
        (false, _) => PersonalData::Found(found),
        (true, true) => PersonalData::TooLong,
        (true, false) => PersonalData::None,
    }
}

fn look_at(text: &[u8], found: &mut Vec<Found>) {
    let mut at = 0;
    while at < text.len() {
        let byte = text[at];
        let begins = at == 0 || !text[at - 1].is_ascii_alphanumeric();
        let (kind, length) = match byte {
            b'@' if is_email(text, at) => (Some(Found::Email), 1),
            b'0'..=b'9' if begins => number(text, at),
            b'A'..=b'Z'
                if begins
                    && text.get(at + 2).is_some_and(u8::is_ascii_digit)
                    && is_iban(&text[at..]) =>
            {
                (Some(Found::Iban), 1)
            }
            _ => (None, 1),
        };
        if let Some(kind) = kind.filter(|kind| !found.contains(kind)) {
            found.push(kind);
        }
        at += length;
    }
}

fn is_email(text: &[u8], at: usize) -> bool {
    let is_local = |byte: &u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'%')
            || *byte >= 0x80
    };
    let is_host =
        |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-') || **byte >= 0x80;
    if at == 0 || !is_local(&text[at - 1]) {
        return false;
    }
    let host: Vec<u8> = text[at + 1..]
        .iter()
        .take(253)
        .take_while(is_host)
        .copied()
        .collect();
    let dot = host
        .iter()
        .rposition(|byte| *byte == b'.' && byte != host.last().unwrap_or(&0));
    // The last label has letters: "user@10.0" is a version, not an address.
    dot.is_some_and(|dot| dot > 0 && host.len() - dot > 2 && host[dot + 1].is_ascii_alphabetic())
        || dot.is_some_and(|dot| dot > 0 && host[dot + 1] >= 0x80)
}

/// What a number is, and how many bytes to go on by. Digits may be grouped by spaces, hyphens and the like; where the
/// groups together are nothing, the search goes on with the second, for the first may be another number.
fn number(text: &[u8], start: usize) -> (Option<Found>, usize) {
    let mut digits = [0_u8; 19];
    let mut groups = [0_usize; 10];
    let (mut count, mut group, mut at) = (0, 0, start);
    let mut first = None;
    let has_plus = start
        .checked_sub(1)
        .is_some_and(|before| text[before] == b'+');
    loop {
        while let Some(digit) = text.get(at).filter(|byte| byte.is_ascii_digit()) {
            if count < digits.len() {
                digits[count] = digit - b'0';
            }
            count += 1;
            groups[group] += 1;
            at += 1;
        }
        first.get_or_insert(at - start);
        let ends_in_word = text.get(at).is_some_and(u8::is_ascii_alphabetic);
        if (13..=19).contains(&count) && digits[0] != 0 && !ends_in_word && luhn(&digits[..count]) {
            return (Some(Found::Card), at - start);
        }
        let gap = text[at..]
            .iter()
            .take(3)
            .position(u8::is_ascii_digit)
            .unwrap_or(0);
        let is_gap = |byte: &u8| matches!(byte, b' ' | b'-' | b'.' | b'(' | b')' | b'/');
        if gap == 0
            || group + 1 == groups.len()
            || count > digits.len()
            || !text[at..at + gap].iter().all(is_gap)
        {
            break;
        }
        at += gap;
        group += 1;
    }
    let kind = if has_plus && (8..=15).contains(&count) {
        Some(Found::Phone)
    } else if groups[..4] == [3, 2, 4, 0] && text[start + 3] == b'-' {
        Some(Found::SocialSecurity)
    } else {
        None
    };
    let length = if kind.is_some() {
        at - start
    } else {
        first.unwrap_or(1)
    };
    (kind, length.max(1))
}

/// The check digit of card numbers (ISO/IEC 7812-1).
fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(at, digit)| {
            let value = u32::from(*digit) * if at % 2 == 1 { 2 } else { 1 };
            value / 10 + value % 10
        })
        .sum();
    // A number of one digit repeated is an example.
    sum.is_multiple_of(10) && digits.iter().any(|digit| *digit != digits[0])
}

/// Check digits of IBANs (ISO 13616): the number, with its first four characters moved to the end, is 1 modulo 97.
fn is_iban(text: &[u8]) -> bool {
    let plain: Vec<u8> = text
        .iter()
        .take(45)
        .enumerate()
        .take_while(|(at, byte)| {
            byte.is_ascii_digit()
                || byte.is_ascii_uppercase()
                || (**byte == b' ' && text.get(at + 1).is_some_and(u8::is_ascii_alphanumeric))
        })
        .map(|(_, byte)| *byte)
        .filter(|byte| *byte != b' ')
        .collect();
    if plain.len() < 15
        || !plain[..2].iter().all(u8::is_ascii_uppercase)
        || !plain[2..4].iter().all(u8::is_ascii_digit)
    {
        return false;
    }
    // Text may follow without a break: "DE89370400440532013000 EUR" is read too far, so shorter ones are tried.
    (15..=plain.len().min(34)).any(|length| {
        let moved = plain[4..length].iter().chain(&plain[..4]);
        moved.fold(0_u32, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            letter => (rest * 100 + u32::from(letter - b'A') + 10) % 97,
        }) == 1
            && length >= 15
            && matches!(length, 15..=34)
            && country_length(&plain[..2]).is_none_or(|expected| expected == length)
    })
}

/// Lengths of the commonest countries' numbers; others may have any length.
fn country_length(country: &[u8]) -> Option<usize> {
    match country {
        b"NO" => Some(15),
        b"BE" => Some(16),
        b"DK" | b"FI" | b"NL" => Some(18),
        b"AT" => Some(20),
        b"CH" => Some(21),
        b"DE" | b"GB" | b"IE" => Some(22),
        b"ES" | b"SE" | b"CZ" => Some(24),
        b"PT" => Some(25),
        b"FR" | b"IT" | b"GR" => Some(27),
        b"PL" | b"HU" => Some(28),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::request::Role;

    fn find(text: &str) -> PersonalData {
        look(&[Text {
            role: Role::User,
            text,
        }])
    }

    #[test]
    fn personal_data_is_found_in_the_middle_of_text() {
        for (text, kind) in [
            ("write to ada@example.org, please", Found::Email),
            ("card 4111 1111 1111 1111 exp", Found::Card),
            ("IBAN: DE89 3704 0044 0532 0130 00.", Found::Iban),
            ("call +49 (30) 1234567", Found::Phone),
            ("ssn 078-05-1120", Found::SocialSecurity),
            ("12 4111111111111111 2027", Found::Card),
            ("4111-1111-1111-1111 10/27 123", Found::Card),
        ] {
            assert_eq!(find(text), PersonalData::Found(vec![kind]), "{text}");
        }
    }

    #[test]
    fn what_only_looks_like_it_is_not_taken_for_it() {
        for text in [
            "order 4111 1111 1111 1112",
            "pkg@1.0.2 and @media",
            "in 2024-05-11 and 1,234,567.89",
            "3.14159265358979",
            "+5 or +12",
            "VERSION A12 of DE12",
        ] {
            assert_eq!(find(text), PersonalData::None, "{text}");
        }
    }

    #[test]
    fn a_text_too_long_to_be_looked_through_counts_as_personal() {
        let long = "a ".repeat(LONGEST);
        assert_eq!(find(&long), PersonalData::TooLong);
        assert!(find(&long).counts());
        assert!(!find("short").counts());
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC{0,300}") {
            let _ = find(&text);
        }

        #[test]
        fn an_address_is_found_wherever_it_stands(before in "[ a-z,.]{0,50}", after in "[ a-z,]{0,50}") {
            let text = format!("{before} ada.lovelace@example.org {after}");
            prop_assert!(find(&text).counts());
        }
    }
}
