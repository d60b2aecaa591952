//! What has come of an attempt's answer, and whether it is one.

/// Blanks in a row after which a model is taken to be caught in a loop of them, as some are when they write JSON.
const ENDLESS: u64 = 2_000;

/// Junk below this many characters is an accident of cutting text into pieces.
const ENOUGH: u64 = 8;

/// Counts what one attempt has sent.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pub(super) bytes: u64,
    chars: u64,
    visible: u64,
    junk: u64,
    /// Blanks since the last visible character.
    blanks: u64,
    /// A tool call, or anything else that is no text.
    has_other: bool,
}

impl Content {
    /// Counts a piece of text. False where the text so far is not one: mostly characters that no writer uses, or blanks
    /// without end.
    pub(super) fn text(&mut self, piece: &str) -> bool {
        self.bytes += piece.len() as u64;
        self.blanks = match piece.trim_end() {
            "" => self.blanks + piece.len() as u64,
            text => (piece.len() - text.len()) as u64,
        };
        if piece.is_ascii() && piece.bytes().all(|byte| byte >= b' ' && byte != 0x7f) {
            // Nearly every piece.
            self.chars += piece.len() as u64;
            self.visible += piece.bytes().filter(|byte| *byte != b' ').count() as u64;
        } else {
            for c in piece.chars() {
                self.chars += 1;
                self.visible += u64::from(!c.is_whitespace() && !is_junk(c));
                self.junk += u64::from(is_junk(c));
            }
        }
        self.blanks < ENDLESS && (self.junk < ENOUGH || self.junk * 2 < self.chars)
    }

    pub(super) fn other(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
        self.has_other = true;
    }

    pub(super) fn thinking(&mut self, bytes: u64) {
        self.bytes = self.bytes.saturating_add(bytes);
    }

    /// Whether there is something that a reader could see or use.
    pub(super) fn is_answer(&self) -> bool {
        self.visible > 0 || self.has_other
    }
}

fn is_junk(c: char) -> bool {
    matches!(c, '\u{fffd}' | '\u{0}'..='\u{8}' | '\u{b}' | '\u{e}'..='\u{1f}' | '\u{7f}'..='\u{9f}')
        || matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_no_answer_and_a_tool_call_is_one() {
        let mut content = Content::default();
        assert!(content.text(" \n\t "));
        assert!(!content.is_answer());
        content.other(0);
        assert!(content.is_answer());
    }

    #[test]
    fn blanks_without_end_are_no_text() {
        let mut content = Content::default();
        assert!(content.text("{\"a\": 1,"));
        assert!((0..1999).all(|_| content.text("\n")));
        assert!(!content.text("\n"));
        let mut content = Content::default();
        assert!((0..99).all(|_| content.text(&" ".repeat(1000)) && content.text(".")));
    }

    #[test]
    fn text_of_any_script_passes_and_junk_does_not() {
        for text in [
            "Ünïcödé",
            "日本語のテキスト",
            "مرحبا بالعالم",
            "🙂🙂🙂🙂🙂🙂🙂🙂🙂",
            "a\n\nb\tc",
        ] {
            assert!(Content::default().text(text), "{text}");
        }
        assert!(Content::default().text("one \u{fffd} among many letters"));
        assert!(!Content::default().text(&"\u{fffd}".repeat(20)));
        assert!(!Content::default().text("\u{1}\u{2}\u{3}\u{4}\u{5}\u{6}\u{7}\u{8}ab"));
    }
}
