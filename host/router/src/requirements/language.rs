//! Which language a text is in, by its script or its smallest words.

/// Bytes that are looked at.
const SAMPLE: usize = 1024;

/// Small words of languages that share the Latin script, sorted; a word may belong to several.
const WORDS: [(&str, &str); 66] = [
    ("aber", "de"),
    ("al", "es it"),
    ("and", "en"),
    ("are", "en"),
    ("auf", "de"),
    ("avec", "fr"),
    ("che", "it"),
    ("com", "pt"),
    ("como", "es pt"),
    ("con", "es it"),
    ("da", "it pt"),
    ("dans", "fr"),
    ("das", "de pt"),
    ("de", "es fr nl pt"),
    ("dei", "it"),
    ("del", "es it"),
    ("della", "it"),
    ("dem", "de"),
    ("der", "de"),
    ("des", "de fr"),
    ("die", "de nl"),
    ("do", "en pt"),
    ("een", "nl"),
    ("el", "es"),
    ("en", "es fr nl"),
    ("est", "fr"),
    ("et", "fr"),
    ("for", "en"),
    ("het", "nl"),
    ("how", "en"),
    ("ich", "de"),
    ("il", "fr it"),
    ("in", "de en it nl"),
    ("is", "en nl"),
    ("ist", "de"),
    ("la", "es fr it"),
    ("las", "es"),
    ("le", "fr it"),
    ("les", "fr"),
    ("los", "es"),
    ("mit", "de"),
    ("na", "pt"),
    ("nicht", "de"),
    ("niet", "nl"),
    ("no", "en es pt"),
    ("not", "en"),
    ("of", "en nl"),
    ("para", "es pt"),
    ("per", "it"),
    ("por", "es pt"),
    ("pour", "fr"),
    ("que", "es fr pt"),
    ("qui", "fr it"),
    ("sie", "de"),
    ("the", "en"),
    ("to", "en"),
    ("um", "de pt"),
    ("una", "es it"),
    ("und", "de"),
    ("une", "fr"),
    ("van", "nl"),
    ("von", "de"),
    ("was", "de en"),
    ("what", "en"),
    ("with", "en"),
    ("zu", "de"),
];

/// Languages of the Latin script, in the order in which ties are broken.
const LATIN: [&str; 7] = ["en", "de", "es", "fr", "it", "nl", "pt"];

/// The ISO 639-1 code of a text's language, where it shows.
pub(super) fn of(text: &str) -> Option<&'static str> {
    let end = (0..=SAMPLE.min(text.len()))
        .rev()
        .find(|end| text.is_char_boundary(*end))?;
    let sample = &text[..end];
    if !sample.is_ascii()
        && let Some(language) = by_script(sample)
    {
        return Some(language);
    }
    let mut votes = [0_u32; LATIN.len()];
    let mut lower = [0_u8; 8];
    for word in sample
        .split(|c: char| !c.is_alphabetic())
        .filter(|word| (2..=5).contains(&word.len()))
    {
        let lower = &mut lower[..word.len()];
        lower.copy_from_slice(word.as_bytes());
        lower.make_ascii_lowercase();
        if let Ok(at) = WORDS.binary_search_by(|(known, _)| known.as_bytes().cmp(lower)) {
            let of = WORDS[at].1;
            for (vote, language) in votes.iter_mut().zip(LATIN) {
                // A word of one language says more than one that several share.
                *vote += u32::from(of.split(' ').any(|one| one == language))
                    * if of.len() == 2 { 3 } else { 1 };
            }
        }
    }
    let most = *votes.iter().max()?;
    let first = votes.iter().position(|vote| *vote == most)?;
    (most >= 3).then_some(LATIN[first])
}

/// The language of a script that belongs to one.
fn by_script(text: &str) -> Option<&'static str> {
    let (mut han, mut letters) = (0_u32, 0_u32);
    let mut counts = [
        ("ja", 0_u32),
        ("ko", 0),
        ("ru", 0),
        ("el", 0),
        ("ar", 0),
        ("he", 0),
        ("th", 0),
        ("hi", 0),
    ];
    for character in text.chars() {
        letters += u32::from(character.is_alphabetic());
        let at = match character {
            '\u{3040}'..='\u{30ff}' => 0,
            '\u{ac00}'..='\u{d7af}' => 1,
            '\u{400}'..='\u{4ff}' => 2,
            '\u{370}'..='\u{3ff}' => 3,
            '\u{600}'..='\u{6ff}' => 4,
            '\u{590}'..='\u{5ff}' => 5,
            '\u{e00}'..='\u{e7f}' => 6,
            '\u{900}'..='\u{97f}' => 7,
            '\u{4e00}'..='\u{9fff}' => {
                han += 1;
                continue;
            }
            _ => continue,
        };
        counts[at].1 += 1;
    }
    // Japanese mixes kana with ideographs; ideographs without kana are Chinese.
    if counts[0].1 > 0 && (han + counts[0].1) * 3 > letters {
        return Some("ja");
    }
    if han * 3 > letters {
        return Some("zh");
    }
    counts
        .into_iter()
        .find(|(_, count)| count * 3 > letters && *count > 0)
        .map(|(language, _)| language)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_small_words_are_sorted_for_the_search() {
        assert!(WORDS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn languages_show_in_small_words_and_scripts() {
        for (text, language) in [
            ("What is the capital of France?", Some("en")),
            (
                "Ich habe die Rechnung nicht bekommen und brauche sie",
                Some("de"),
            ),
            ("Dónde está la factura que pedí para el mes", Some("es")),
            (
                "Je voudrais une facture pour le mois dans les délais",
                Some("fr"),
            ),
            ("Il conto che ho ricevuto della banca", Some("it")),
            ("請問發票在哪裡", Some("zh")),
            ("請求書はどこですか", Some("ja")),
            ("Где мой счёт", Some("ru")),
            ("4 + 4", None),
            ("", None),
        ] {
            assert_eq!(of(text), language, "{text}");
        }
    }
}
