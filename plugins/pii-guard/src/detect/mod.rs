//! Detectors. Each takes a text and says where in it something of its category stands; together they settle which one
//! a stretch belongs to.
//!
//! Every detector is linear in the length of the text, whatever the text: an action's input may come from anyone.

mod card;
mod digits;
mod email;
mod iban;
mod ipv4;
mod national_id;
mod phone;
mod secret;
mod words;

use std::ops::Range;

/// What was found. The order is the order of precedence where two claim the same stretch: what is certain goes before
/// what is likely.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Category {
    /// API keys, tokens, passwords, private keys.
    Secret,
    /// Bank accounts.
    Iban,
    /// Payment cards.
    Card,
    /// E-mail addresses.
    Email,
    /// United States social security numbers.
    UsSsn,
    /// German tax identification numbers.
    DeTaxId,
    /// Public IPv4 addresses.
    Ipv4,
    /// Telephone numbers.
    Phone,
}

/// Where something was found, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// What it is.
    pub category: Category,
    /// Where it stands.
    pub range: Range<usize>,
}

impl Category {
    /// Every category.
    pub const ALL: [Self; 8] = [
        Self::Secret,
        Self::Iban,
        Self::Card,
        Self::Email,
        Self::UsSsn,
        Self::DeTaxId,
        Self::Ipv4,
        Self::Phone,
    ];

    /// What stands in its place after redaction.
    pub const fn placeholder(self) -> &'static str {
        match self {
            Self::Secret => "[SECRET]",
            Self::Iban => "[IBAN]",
            Self::Card => "[CARD]",
            Self::Email => "[EMAIL]",
            Self::UsSsn => "[SSN]",
            Self::DeTaxId => "[TAX-ID]",
            Self::Ipv4 => "[IP]",
            Self::Phone => "[PHONE]",
        }
    }

    pub(crate) const fn one(self) -> &'static str {
        match self {
            Self::Secret => "a secret",
            Self::Iban => "a bank account",
            Self::Card => "a payment card",
            Self::Email => "an e-mail address",
            Self::UsSsn => "a social security number",
            Self::DeTaxId => "a tax identification number",
            Self::Ipv4 => "an IP address",
            Self::Phone => "a telephone number",
        }
    }

    pub(crate) const fn many(self) -> &'static str {
        match self {
            Self::Secret => "secrets",
            Self::Iban => "bank accounts",
            Self::Card => "payment cards",
            Self::Email => "e-mail addresses",
            Self::UsSsn => "social security numbers",
            Self::DeTaxId => "tax identification numbers",
            Self::Ipv4 => "IP addresses",
            Self::Phone => "telephone numbers",
        }
    }
}

/// Everything that stands in a text, in order and without overlaps.
pub fn find(text: &str) -> Vec<Match> {
    if is_embedded_file(text) {
        return Vec::new();
    }
    let mut found = Vec::new();
    secret::find(text, &mut found);
    email::find(text, &mut found);
    iban::find(text, &mut found);
    for run in digits::runs(text) {
        card::find(&run, &mut found);
        national_id::find(&run, &mut found);
        ipv4::find(&run, &mut found);
        phone::find(&run, &mut found);
    }
    without_overlaps(found)
}

/// An image or sound in a chat message. Its letters mean nothing, and there are millions of them.
fn is_embedded_file(text: &str) -> bool {
    let head = text.get(..128).unwrap_or(text);
    head.starts_with("data:")
        && head.find(";base64,").is_some_and(|at| {
            text[at + 8..]
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'-' | b'_'))
        })
}

fn without_overlaps(mut found: Vec<Match>) -> Vec<Match> {
    found.sort_by_key(|found| (found.range.start, found.category, found.range.end));
    let mut kept: Vec<Match> = Vec::with_capacity(found.len());
    for next in found {
        match kept.last_mut() {
            Some(last) if next.range.start < last.range.end => {
                if next.category < last.category {
                    *last = next;
                }
            }
            _ => kept.push(next),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_goes_before_what_is_likely() {
        // The digits of the account would pass for a telephone number with their leading zeros.
        let text = "GB82 WEST 1234 5698 7654 32";
        assert_eq!(
            find(text),
            [Match {
                category: Category::Iban,
                range: 0..text.len()
            }]
        );
    }

    #[test]
    fn an_embedded_image_is_not_searched_but_text_that_pretends_to_be_one_is() {
        assert!(
            find(&format!(
                "data:image/png;base64,{}+4930901820",
                "A".repeat(500)
            ))
            .is_empty()
        );
        assert_eq!(find("data:image/png;base64,AAAA ada@example.org").len(), 1);
    }

    #[test]
    fn a_long_hostile_text_takes_no_longer_than_its_length_allows() {
        for unit in [
            "1 ",
            "a@",
            "token=",
            "eyJ.",
            "-----BEGIN PRIVATE KEY-----",
            "+49 ",
            "DE89 ",
            "0",
            "password is ",
            "sk-",
            "a.",
        ] {
            find(&unit.repeat(200_000 / unit.len()));
        }
    }

    #[test]
    fn no_text_breaks_a_detector() {
        for text in [
            "",
            "@",
            "@.",
            "+",
            "(",
            "é@é.é",
            "＋49",
            "DE",
            "🙂@🙂.🙂",
            "\\n0",
            "=",
            "password=",
            "password is",
            "://:@",
            "0(0)0",
            "é0171 1234567é",
        ] {
            find(text);
        }
    }
}
