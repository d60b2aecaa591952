//! Finding words in a short list that every request is read with.
//!
//! Nearly no word of a request is in such a list, so what counts is how fast that is seen: by its first letter and its
//! length, before any letter is compared.

/// Words of small ASCII letters and what each means, in the order of their first letters.
pub(super) struct Lexicon<T: 'static> {
    words: &'static [(&'static str, T)],
    /// By first letter: where its words begin; one more at the end.
    begins: [u8; 27],
    /// By first letter: a bit for each length that its words have.
    lengths: [u32; 26],
}

impl<T> Lexicon<T> {
    /// A list that is not in the order of first letters, or too long, does not compile.
    pub(super) const fn new(words: &'static [(&'static str, T)]) -> Self {
        let mut begins = [0; 27];
        let mut lengths = [0; 26];
        let (mut letter, mut at) = (0, 0);
        while letter < lengths.len() {
            begins[letter] = at as u8;
            while at < words.len() && words[at].0.as_bytes()[0] == b'a' + letter as u8 {
                lengths[letter] |= 1 << words[at].0.len();
                at += 1;
            }
            letter += 1;
        }
        begins[letter] = at as u8;
        assert!(at == words.len() && at < u8::MAX as usize);
        Self {
            words,
            begins,
            lengths,
        }
    }

    /// What a word means, in whatever case it is written.
    pub(super) fn find(&self, word: &[u8]) -> Option<&'static T> {
        let letter = usize::from((word.first()? | 0x20).wrapping_sub(b'a'));
        let length = u32::try_from(word.len()).ok()?;
        let bit = 1_u32.checked_shl(length)?;
        if self.lengths.get(letter)? & bit == 0 {
            return None;
        }
        let same_letter = usize::from(self.begins[letter])..usize::from(self.begins[letter + 1]);
        self.words[same_letter]
            .iter()
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(word))
            .map(|(_, meaning)| meaning)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static SOME: Lexicon<u8> = Lexicon::new(&[("and", 1), ("are", 2), ("bug", 3), ("zu", 4)]);

    #[test]
    fn every_word_of_the_list_is_found_in_any_case_and_no_other() {
        for (word, meaning) in [("and", 1), ("ARE", 2), ("Bug", 3), ("zu", 4)] {
            assert_eq!(SOME.find(word.as_bytes()), Some(&meaning), "{word}");
        }
        for word in [
            "", "a", "an", "any", "bun", "c", "{nd", "zz", "\u{e9}", "[nd", "zuz",
        ] {
            assert_eq!(SOME.find(word.as_bytes()), None, "{word}");
        }
        assert_eq!(SOME.find(&[b'a'; 99]), None);
    }
}
