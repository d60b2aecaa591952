//! Labels for answers whose authors are not named, and reading a vote for one of them.

use std::fmt;

use serde_json::Value;

/// A vote is looked for in the first and the last so many characters: a model that writes a novel has still voted at its
/// end or its beginning.
const LOOKED_AT: usize = 4096;

/// A label: `A`, `B`, … `Z`, `AA`, …
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(pub(super) usize);

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut letters = Vec::new();
        let mut left = self.0;
        loop {
            letters.push(char::from(b'A' + (left % 26) as u8));
            match (left / 26).checked_sub(1) {
                Some(more) => left = more,
                None => break,
            }
        }
        letters
            .iter()
            .rev()
            .try_for_each(|letter| write!(f, "{letter}"))
    }
}

impl Label {
    fn parse(text: &str, count: usize) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() || text.len() > 4 {
            return None;
        }
        let mut number = 0usize;
        for letter in text.bytes() {
            let letter = letter.to_ascii_uppercase();
            if !letter.is_ascii_uppercase() {
                return None;
            }
            number = number * 26 + usize::from(letter - b'A') + 1;
        }
        (number <= count).then_some(Self(number - 1))
    }
}

/// What somebody voted for, of so many answers. Nothing that is not clearly a vote counts as one: a sentence that begins
/// with "A" is not a vote for A, and two votes are none.
pub(super) fn read_vote(text: &str, count: usize) -> Option<usize> {
    let start = &text[..text.floor_char_boundary(LOOKED_AT)];
    let end = &text[text.ceil_char_boundary(text.len().saturating_sub(LOOKED_AT))..];
    let whole = start.trim();
    if let Some(label) = Label::parse(bare(whole), count) {
        return Some(label.0);
    }
    json_vote(end, count)
        .or_else(|| spoken_vote(end, count))
        .or_else(|| spoken_vote(start, count))
}

/// `{"vote": "B"}`, alone, in a fence or at the end of other text.
fn json_vote(text: &str, count: usize) -> Option<usize> {
    let (from, to) = (text.rfind('{')?, text.rfind('}')?);
    let value: Value = serde_json::from_str(text.get(from..=to)?).ok()?;
    Some(Label::parse(value.get("vote")?.as_str()?, count)?.0)
}

/// `Vote: B`, `**My vote: B**`, `I vote for answer B.`; the last one that names a label, if no other line names another.
fn spoken_vote(text: &str, count: usize) -> Option<usize> {
    let mut found = None;
    for line in text.lines() {
        let lower = line.to_ascii_lowercase();
        let Some(at) = lower.rfind("vote") else {
            continue;
        };
        // Only ASCII letters changed their case, so positions are the same.
        let rest = &line[at + "vote".len()..];
        let mut words = rest
            .split(|c: char| !c.is_ascii_alphanumeric())
            .filter(|word| !word.is_empty());
        let label = words.find(|word| {
            !matches!(
                *word,
                "is" | "for" | "answer" | "option" | "goes" | "to" | "label" | "Answer" | "Option"
            )
        });
        // "vote for a …" speaks of something; a label is written large, and nothing but a full stop follows it.
        let Some(word) = label.filter(|word| word.bytes().all(|b| b.is_ascii_uppercase())) else {
            continue;
        };
        if words.next().is_some() {
            continue;
        }
        let Some(label) = Label::parse(word, count) else {
            continue;
        };
        match found {
            None => found = Some(label.0),
            Some(other) if other == label.0 => {}
            Some(_) => return None,
        }
    }
    found
}

/// Without what people put round a single letter.
fn bare(text: &str) -> &str {
    let text = text.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let lower = text.to_ascii_lowercase();
    match lower
        .strip_prefix("answer ")
        .or(lower.strip_prefix("option "))
    {
        Some(rest) => &text[text.len() - rest.len()..],
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn labels_go_on_after_the_alphabet() {
        let label = |number: usize| Label(number).to_string();
        assert_eq!(
            [
                label(0),
                label(25),
                label(26),
                label(27),
                label(701),
                label(702)
            ],
            ["A", "Z", "AA", "AB", "ZZ", "AAA"]
        );
    }

    #[test]
    fn a_vote_is_read_however_it_is_written() {
        for text in [
            "B",
            " b. ",
            "**B**",
            "(B)",
            "Answer B",
            "Vote: B",
            "**Vote:** B",
            "My vote is B.",
            "I vote for answer B.",
            "{\"vote\": \"B\"}",
            "Reasons…\n```json\n{\"vote\": \"b\"}\n```",
            "A is wrong because of its units.\nC is better.\n\nVote: B",
            "VOTE: B\nvote: B",
        ] {
            assert_eq!(read_vote(text, 3), Some(1), "{text}");
        }
    }

    #[test]
    fn what_is_not_clearly_a_vote_counts_as_none() {
        for text in [
            "",
            "D",
            "A good answer would name the units.",
            "I cannot vote for a winner here",
            "Vote: A\nVote: B",
            "Vote: A or B",
            "{\"vote\": 3}",
            "{\"vote\": \"AAAAAAAAAAAAAAA\"}",
            "\u{fffd}\u{fffd}",
            "vote",
            "Vote: ",
        ] {
            assert_eq!(read_vote(text, 3), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_label_is_read_back(number in 0usize..2000) {
            let label = Label(number).to_string();
            prop_assert_eq!(read_vote(&format!("Vote: {label}"), 2000), Some(number));
            prop_assert_eq!(read_vote(&label, 2000), Some(number));
            prop_assert_eq!(read_vote(&label, number), None);
        }

        #[test]
        fn no_text_is_too_strange(text in "\\PC{0,60}(vote|Vote: )?[A-F\\n{}\":ÄÖ]{0,20}", count in 0usize..30) {
            if let Some(vote) = read_vote(&text, count) {
                prop_assert!(vote < count);
            }
        }
    }
}
