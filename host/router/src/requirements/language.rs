//! Which language a text is in, by its script or its smallest words.

use super::lexicon::Lexicon;

/// Bytes that are looked at.
const SAMPLE: usize = 1024;

/// Small words of languages that share the Latin script, sorted; a word may belong to several.
static WORDS: Lexicon<Languages> = Lexicon::new(&[
    ("aber", of_languages("de")),
    ("al", of_languages("es it")),
    ("and", of_languages("en")),
    ("are", of_languages("en")),
    ("auf", of_languages("de")),
    ("avec", of_languages("fr")),
    ("che", of_languages("it")),
    ("com", of_languages("pt")),
    ("como", of_languages("es pt")),
    ("con", of_languages("es it")),
    ("da", of_languages("it pt")),
    ("dans", of_languages("fr")),
    ("das", of_languages("de pt")),
    ("de", of_languages("es fr nl pt")),
    ("dei", of_languages("it")),
    ("del", of_languages("es it")),
    ("della", of_languages("it")),
    ("dem", of_languages("de")),
    ("der", of_languages("de")),
    ("des", of_languages("de fr")),
    ("die", of_languages("de nl")),
    ("do", of_languages("en pt")),
    ("een", of_languages("nl")),
    ("el", of_languages("es")),
    ("en", of_languages("es fr nl")),
    ("est", of_languages("fr")),
    ("et", of_languages("fr")),
    ("for", of_languages("en")),
    ("het", of_languages("nl")),
    ("how", of_languages("en")),
    ("ich", of_languages("de")),
    ("il", of_languages("fr it")),
    ("in", of_languages("de en it nl")),
    ("is", of_languages("en nl")),
    ("ist", of_languages("de")),
    ("la", of_languages("es fr it")),
    ("las", of_languages("es")),
    ("le", of_languages("fr it")),
    ("les", of_languages("fr")),
    ("los", of_languages("es")),
    ("mit", of_languages("de")),
    ("na", of_languages("pt")),
    ("nicht", of_languages("de")),
    ("niet", of_languages("nl")),
    ("no", of_languages("en es pt")),
    ("not", of_languages("en")),
    ("of", of_languages("en nl")),
    ("para", of_languages("es pt")),
    ("per", of_languages("it")),
    ("por", of_languages("es pt")),
    ("pour", of_languages("fr")),
    ("que", of_languages("es fr pt")),
    ("qui", of_languages("fr it")),
    ("sie", of_languages("de")),
    ("the", of_languages("en")),
    ("to", of_languages("en")),
    ("um", of_languages("de pt")),
    ("una", of_languages("es it")),
    ("und", of_languages("de")),
    ("une", of_languages("fr")),
    ("van", of_languages("nl")),
    ("von", of_languages("de")),
    ("was", of_languages("de en")),
    ("what", of_languages("en")),
    ("with", of_languages("en")),
    ("zu", of_languages("de")),
]);

/// Languages of the Latin script, in the order in which ties are broken.
const LATIN: [&str; 7] = ["en", "de", "es", "fr", "it", "nl", "pt"];

/// By language of [`LATIN`]: what a word that belongs to it says.
type Languages = [u8; LATIN.len()];

/// Codes with spaces between them. A word of one language says more than one that several share.
const fn of_languages(codes: &str) -> Languages {
    let codes = codes.as_bytes();
    let mut languages = [0; LATIN.len()];
    let mut at = 0;
    while at < codes.len() {
        let mut language = 0;
        while LATIN[language].as_bytes()[0] != codes[at]
            || LATIN[language].as_bytes()[1] != codes[at + 1]
        {
            language += 1;
        }
        languages[language] = if codes.len() == 2 { 3 } else { 1 };
        at += 3;
    }
    languages
}

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
    let mut vote = |word: &[u8]| {
        if (2..=5).contains(&word.len())
            && let Some(languages) = WORDS.find(word)
        {
            for (vote, says) in votes.iter_mut().zip(languages) {
                *vote += u32::from(*says);
            }
        }
    };
    // Most texts are ASCII, and its letters are told in a fraction of the time.
    if sample.is_ascii() {
        sample
            .as_bytes()
            .split(|byte| !byte.is_ascii_alphabetic())
            .for_each(&mut vote);
    } else {
        sample
            .split(|c: char| !c.is_alphabetic())
            .for_each(|word| vote(word.as_bytes()));
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
