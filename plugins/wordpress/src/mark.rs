//! How a post is known again: by a mark made of the step's key, and by its slug.

use sha2::{Digest, Sha256};

/// Longest slug that is made of a title. WordPress cuts its own at 200 bytes.
const MAX_SLUG: usize = 80;

/// Sixteen digits that are the same for every attempt at the same step, and another's for no other.
pub(crate) fn of(key: &str) -> String {
    let hash = Sha256::digest(key.as_bytes());
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What carries the mark where it is in the content: invisible to readers, kept by editors.
pub(crate) fn comment(mark: &str) -> String {
    format!("<!-- polity:{mark} -->")
}

/// A title as part of an address; empty where it has no letter of the Latin alphabet.
pub(crate) fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars() {
        let mut plain = [c; 1];
        let text = match c {
            'ä' | 'Ä' | 'æ' | 'Æ' => "ae",
            'ö' | 'Ö' | 'ø' | 'Ø' | 'œ' | 'Œ' => "oe",
            'ü' | 'Ü' => "ue",
            'ß' => "ss",
            'à' | 'á' | 'â' | 'ã' | 'å' | 'À' | 'Á' | 'Â' | 'Ã' | 'Å' => "a",
            'è' | 'é' | 'ê' | 'ë' | 'È' | 'É' | 'Ê' | 'Ë' => "e",
            'ì' | 'í' | 'î' | 'ï' | 'Ì' | 'Í' | 'Î' | 'Ï' => "i",
            'ò' | 'ó' | 'ô' | 'õ' | 'Ò' | 'Ó' | 'Ô' | 'Õ' => "o",
            'ù' | 'ú' | 'û' | 'Ù' | 'Ú' | 'Û' => "u",
            'ç' | 'Ç' => "c",
            'ñ' | 'Ñ' => "n",
            // An apostrophe joins what it stands between.
            '\'' | '’' => "",
            c if c.is_ascii_alphanumeric() => {
                plain[0] = c.to_ascii_lowercase();
                slug.extend(plain);
                continue;
            }
            _ => "-",
        };
        if text != "-" || !(slug.is_empty() || slug.ends_with('-')) {
            slug.push_str(text);
        }
    }
    slug.truncate(MAX_SLUG);
    slug.trim_end_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_has_one_mark_and_another_step_another() {
        assert_eq!(of("a/do/0/post"), of("a/do/0/post"));
        assert_ne!(of("a/do/0/post"), of("a/do/1/post"));
        assert_eq!(of("").len(), 16);
    }

    #[test]
    fn a_title_becomes_an_address_that_people_can_read() {
        for (title, expected) in [
            ("Ten kettles", "ten-kettles"),
            ("  What's new? – Tea & more!  ", "whats-new-tea-more"),
            ("Grüße aus Övelgönne", "gruesse-aus-oevelgoenne"),
            ("Café crème", "cafe-creme"),
            ("чай", ""),
        ] {
            assert_eq!(slug(title), expected, "{title}");
        }
        assert!(slug(&"long ".repeat(50)).len() <= MAX_SLUG);
    }
}
