//! What kind of request a text is, by words that ask for it and signs that only some kinds have.
//!
//! It is coarse: it gives learning a cell to begin with on the first day. A predictor that was trained on the company's
//! own tasks replaces it.

use super::lexicon::Lexicon;

/// Bytes that are looked at, at either end.
const SAMPLE: usize = 600;

/// Words that ask for a kind of request, sorted; English and German.
static WORDS: Lexicon<Kind> = Lexicon::new(&[
    ("analyse", Kind::Analysis),
    ("analysiere", Kind::Analysis),
    ("analyze", Kind::Analysis),
    ("berechne", Kind::Mathematics),
    ("bug", Kind::Code),
    ("calculate", Kind::Mathematics),
    ("categorise", Kind::Classification),
    ("categorize", Kind::Classification),
    ("class", Kind::Code),
    ("classify", Kind::Classification),
    ("compare", Kind::Analysis),
    ("compile", Kind::Code),
    ("compute", Kind::Mathematics),
    ("debug", Kind::Code),
    ("def", Kind::Code),
    ("email", Kind::Writing),
    ("equation", Kind::Mathematics),
    ("essay", Kind::Writing),
    ("evaluate", Kind::Analysis),
    ("extract", Kind::Extraction),
    ("extrahiere", Kind::Extraction),
    ("fasse", Kind::Summary),
    ("fn", Kind::Code),
    ("function", Kind::Code),
    ("gedicht", Kind::Writing),
    ("html", Kind::Code),
    ("identify", Kind::Extraction),
    ("import", Kind::Code),
    ("integral", Kind::Mathematics),
    ("javascript", Kind::Code),
    ("json", Kind::Extraction),
    ("klassifiziere", Kind::Classification),
    ("label", Kind::Classification),
    ("letter", Kind::Writing),
    ("list", Kind::Extraction),
    ("math", Kind::Mathematics),
    ("multiply", Kind::Mathematics),
    ("paraphrase", Kind::Writing),
    ("poem", Kind::Writing),
    ("probability", Kind::Mathematics),
    ("prove", Kind::Mathematics),
    ("python", Kind::Code),
    ("refactor", Kind::Code),
    ("regex", Kind::Code),
    ("rewrite", Kind::Writing),
    ("rust", Kind::Code),
    ("schreibe", Kind::Writing),
    ("script", Kind::Code),
    ("sentiment", Kind::Classification),
    ("simplify", Kind::Mathematics),
    ("solve", Kind::Mathematics),
    ("sql", Kind::Code),
    ("story", Kind::Writing),
    ("summarise", Kind::Summary),
    ("summarize", Kind::Summary),
    ("summary", Kind::Summary),
    ("tldr", Kind::Summary),
    ("translate", Kind::Translation),
    ("translation", Kind::Translation),
    ("typescript", Kind::Code),
    ("write", Kind::Writing),
    ("zusammenfassung", Kind::Summary),
]);

/// Words that a question begins with.
const QUESTIONS: [&[u8]; 11] = [
    b"what", b"who", b"when", b"where", b"why", b"how", b"which", b"wer", b"was", b"wie", b"wo",
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Analysis,
    Classification,
    Code,
    Extraction,
    Mathematics,
    Summary,
    Translation,
    Writing,
}

/// Names of the kinds, in the order of [`Kind`].
const NAMES: [&str; 8] = [
    "analysis",
    "classification",
    "code",
    "extraction",
    "mathematics",
    "summary",
    "translation",
    "writing",
];

/// What was found in a text.
pub(super) struct Signs {
    votes: [u32; NAMES.len()],
    code: u32,
    choices: u32,
    question: bool,
}

impl Signs {
    pub(super) fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        let mut signs = Self {
            votes: [0; NAMES.len()],
            code: 0,
            choices: 0,
            question: false,
        };
        if bytes.len() <= 2 * SAMPLE {
            signs.read(bytes);
        } else {
            signs.read(&bytes[..SAMPLE]);
            signs.read(&bytes[bytes.len() - SAMPLE..]);
        }
        signs
    }

    /// Whether the text holds program code.
    pub(super) fn code(&self) -> bool {
        self.code >= 3
    }

    /// The likeliest kind.
    pub(super) fn task(&self) -> &'static str {
        let mut votes = self.votes;
        if self.code() {
            votes[Kind::Code as usize] += 3;
        }
        let most = votes.iter().copied().max().unwrap_or(0);
        if self.choices >= 3 && most < 3 {
            return "choice";
        }
        if most > 0
            && let Some(first) = votes.iter().position(|vote| *vote == most)
        {
            return NAMES[first];
        }
        if self.question {
            "question"
        } else {
            "conversation"
        }
    }

    fn read(&mut self, text: &[u8]) {
        let mut words = 0_u32;
        let mut at = 0;
        while at < text.len() {
            let byte = text[at];
            if byte.is_ascii_alphabetic() {
                let start = at;
                while text.get(at).is_some_and(u8::is_ascii_alphabetic) {
                    at += 1;
                }
                self.word(&text[start..at], words);
                words += 1;
                // "A." or "B)": an answer to choose.
                if at - start == 1
                    && matches!(byte, b'A'..=b'E')
                    && matches!(text.get(at), Some(b'.' | b')' | b':'))
                {
                    self.choices += 1;
                }
                continue;
            }
            match byte {
                b'?' => self.question = true,
                b'{' | b'}' | b';' => self.code += 1,
                b'`' if text[at..].starts_with(b"```") => {
                    self.code += 3;
                    at += 2;
                }
                b'(' if text.get(at + 1) == Some(&b')') => self.code += 1,
                b'=' if text.get(at + 1) == Some(&b'=') => self.code += 1,
                b'-' | b'=' if text.get(at + 1) == Some(&b'>') => self.code += 1,
                b'\\' | b'^' => self.votes[Kind::Mathematics as usize] += 1,
                _ => {}
            }
            at += 1;
        }
    }

    fn word(&mut self, word: &[u8], before: u32) {
        if let Some(kind) = WORDS.find(word) {
            // What is wanted stands at the beginning.
            self.votes[*kind as usize] += if before < 8 { 3 } else { 1 };
        }
        self.question |= before == 0
            && QUESTIONS
                .iter()
                .any(|question| question.eq_ignore_ascii_case(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_signs() {
        for (text, task) in [
            ("Translate to French: good morning", "translation"),
            ("Please summarize this article in two sentences", "summary"),
            ("Solve for x: 3x + 2 = 11", "mathematics"),
            ("fn main() { let x = 1; if x == 1 { go(); } }", "code"),
            (
                "Which one is right?\nA. this\nB. that\nC. neither",
                "choice",
            ),
            ("Who wrote Faust", "question"),
            ("Good morning to you", "conversation"),
            ("Write a poem about rain", "writing"),
            ("Klassifiziere diese Mail", "classification"),
        ] {
            assert_eq!(Signs::of(text).task(), task, "{text}");
        }
    }
}
