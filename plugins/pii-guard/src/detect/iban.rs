//! Bank accounts: a country's code, the length that the country uses, and check digits (ISO 13616, mod 97).

use super::words::{is_glued_after, is_glued_before};
use super::{Category, Match};

/// Length by country, from the SWIFT registry.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

pub(crate) fn find(text: &str, found: &mut Vec<Match>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while let Some([a, b, c, d]) = bytes.get(at..at + 4) {
        // Most letters are followed by letters: the digits are the quicker question.
        let is_head = c.is_ascii_digit()
            && d.is_ascii_digit()
            && a.is_ascii_alphabetic()
            && b.is_ascii_alphabetic();
        if is_head
            && !is_glued_before(text, at)
            && let Some(end) = end_of_iban(text, at)
        {
            found.push(Match {
                category: Category::Iban,
                range: at..end,
            });
            at = end;
            continue;
        }
        at += 1;
    }
}

/// The end of a valid number that begins here.
fn end_of_iban(text: &str, start: usize) -> Option<usize> {
    let country = text[start..start + 2].to_ascii_uppercase();
    let (_, length) = LENGTHS.iter().find(|(code, _)| *code == country)?;
    let mut number = String::with_capacity(*length);
    let mut after_separator = false;
    for (offset, c) in text[start..].char_indices() {
        match c {
            c if c.is_ascii_alphanumeric() => {
                number.push(c.to_ascii_uppercase());
                after_separator = false;
                if number.len() == *length {
                    let end = start + offset + 1;
                    return (passes_mod_97(&number) && !is_glued_after(text, end)).then_some(end);
                }
            }
            ' ' | '\u{a0}' | '\u{202f}' | '-' | '.' if !after_separator => after_separator = true,
            _ => return None,
        }
    }
    None
}

fn passes_mod_97(number: &str) -> bool {
    let (head, account) = number.split_at(4);
    let remainder = account
        .bytes()
        .chain(head.bytes())
        .fold(0_u32, |remainder, byte| match byte {
            b'0'..=b'9' => (remainder * 10 + u32::from(byte - b'0')) % 97,
            _ => (remainder * 100 + u32::from(byte - b'A') + 10) % 97,
        });
    remainder == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_iban(text: &str) -> bool {
        let mut found = Vec::new();
        find(text, &mut found);
        found
            == [Match {
                category: Category::Iban,
                range: 0..text.len(),
            }]
    }

    #[test]
    fn the_registrys_examples_are_bank_accounts_however_they_are_spaced() {
        for text in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "de89 3704 0044 0532 0130 00",
            "AT611904300234573201",
            "CH9300762011623852957",
            "FR1420041010050500013M02606",
            "GB29NWBK60161331926819",
            "NL91ABNA0417164300",
            "NO9386011117947",
            "MT84MALT011000012345MTLCAST001S",
            "ES91-2100-0418-4502-0005-1332",
        ] {
            assert!(is_iban(text), "{text}");
        }
    }

    #[test]
    fn a_wrong_digit_length_or_country_is_no_bank_account() {
        for text in [
            "DE88370400440532013000",
            "DE8937040044053201300",
            "DE893704004405320130001",
            "XX89370400440532013000",
            "DE89370400440532013000x",
        ] {
            assert!(!is_iban(text), "{text}");
        }
    }
}
