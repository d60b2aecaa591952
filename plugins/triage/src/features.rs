//! What the model sees of a text: hashes of its words, of pairs of words, and of pieces of words.
//!
//! Pieces (three to five letters, word boundaries included) make it robust: typing errors, inflected forms and German
//! compounds share most pieces with words that were learned. Case, accents and the value of digits are taken away
//! first, because hurried writers leave them out or get them wrong.
//!
//! Nothing is stored on the way but the current word, so a call touches little memory.

/// Bytes of a text that are read; what follows is ignored. A request says what it wants early, and the limit keeps
/// the time of a call bounded.
pub const LONGEST_TEXT: usize = 4096;

/// Bytes of one word that are kept, boundaries included.
const LONGEST_WORD: usize = 48;

/// Lengths of the pieces.
const SHORTEST_PIECE: usize = 3;
const LONGEST_PIECE: usize = 5;

/// À to ÿ without their accents; a space for the two signs among them.
const PLAIN_LATIN_1: &[u8; 64] =
    b"aaaaaaaceeeeiiiidnooooo ouuuuytsaaaaaaaceeeeiiiidnooooo ouuuuyty";

/// The two families of features. Each is weighed on its own, so that a long word does not outvote a short one merely by
/// its number of pieces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Words and pairs of words.
    Word,
    /// Pieces of words.
    Piece,
}

/// Calls `each` with the hash of every feature of `text`, repetitions included, in the order of the text.
pub fn visit(text: &str, mut each: impl FnMut(Family, u32)) {
    let mut words = Words {
        word: [b' '; LONGEST_WORD],
        length: 1,
        previous: Fnv::new().0,
    };
    let end = (0..=LONGEST_TEXT.min(text.len()))
        .rev()
        .find(|&end| text.is_char_boundary(end))
        .unwrap_or(0);
    for character in text[..end].chars() {
        match character {
            'a'..='z' => words.push(character as u8),
            'A'..='Z' => words.push(character as u8 + 32),
            '0'..='9' => words.push(b'0'),
            // Left out, so that "don't" and "dont" are one word, and composed and decomposed accents too.
            '\'' | '\u{2019}' | '\u{300}'..='\u{36f}' => {}
            // Signs that say something are words of their own.
            '!' | '?' | '%' | '$' | '#' | '@' => words.whole(&[character as u8], &mut each),
            '€' => words.whole(b"euro", &mut each),
            'ß' => {
                words.push(b's');
                words.push(b's');
            }
            '\u{c0}'..='\u{ff}' => match PLAIN_LATIN_1[character as usize - 0xc0] {
                b' ' => words.end(&mut each),
                plain => words.push(plain),
            },
            // Spaces and punctuation: ASCII, Latin-1, general and ideographic.
            '\0'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' => {
                words.end(&mut each);
            }
            other => {
                let mut bytes = [0; 4];
                for &byte in other.encode_utf8(&mut bytes).as_bytes() {
                    words.push(byte);
                }
            }
        }
    }
    words.end(&mut each);
}

/// The word being read, between the spaces that mark its boundaries.
struct Words {
    word: [u8; LONGEST_WORD],
    length: usize,
    previous: u32,
}

impl Words {
    fn push(&mut self, byte: u8) {
        // The last byte is for the closing boundary.
        if self.length < LONGEST_WORD - 1 {
            self.word[self.length] = byte;
            self.length += 1;
        }
    }

    fn whole(&mut self, word: &[u8], each: &mut impl FnMut(Family, u32)) {
        self.end(each);
        for &byte in word {
            self.push(byte);
        }
        self.end(each);
    }

    fn end(&mut self, each: &mut impl FnMut(Family, u32)) {
        if self.length == 1 {
            return;
        }
        self.word[self.length] = b' ';
        let bounded = &self.word[..=self.length];

        let mut hash = Fnv::new();
        for &byte in &bounded[1..self.length] {
            hash.add(byte);
        }
        each(Family::Word, hash.finish());
        let pair = Fnv(hash.0 ^ self.previous.rotate_left(7).wrapping_mul(0x9e37_79b1));
        each(Family::Word, pair.finish());
        self.previous = hash.0;

        for start in 0..=self.length + 1 - SHORTEST_PIECE {
            let mut hash = Fnv::of_pieces();
            for (index, &byte) in bounded[start..].iter().take(LONGEST_PIECE).enumerate() {
                hash.add(byte);
                if index + 1 >= SHORTEST_PIECE {
                    each(Family::Piece, hash.finish());
                }
            }
        }
        self.length = 1;
    }
}

/// FNV-1a, with a final mixing step: the row of a feature is taken from the upper bits, and FNV's are weak on short
/// input.
struct Fnv(u32);

impl Fnv {
    fn new() -> Self {
        Self(0x811c_9dc5)
    }

    /// Another start, so that a three-letter piece and a three-letter word differ.
    fn of_pieces() -> Self {
        Self(0x9dc5_811c)
    }

    fn add(&mut self, byte: u8) {
        self.0 = (self.0 ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    }

    fn finish(&self) -> u32 {
        let mut hash = self.0;
        hash = (hash ^ (hash >> 16)).wrapping_mul(0x7feb_352d);
        hash = (hash ^ (hash >> 15)).wrapping_mul(0x846c_a68b);
        hash ^ (hash >> 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn features(text: &str) -> Vec<(Family, u32)> {
        let mut all = Vec::new();
        visit(text, |family, hash| all.push((family, hash)));
        all
    }

    fn count(text: &str, family: Family) -> usize {
        features(text)
            .iter()
            .filter(|feature| feature.0 == family)
            .count()
    }

    #[test]
    fn case_accents_apostrophes_and_the_value_of_digits_make_no_difference() {
        assert_eq!(features("Année 2019"), features("annee 2024"));
        assert_eq!(features("STRASSE"), features("Straße"));
        assert_eq!(features("don't"), features("DONT"));
        assert_eq!(features("u\u{308}ber"), features("über"));
    }

    #[test]
    fn punctuation_and_spaces_only_separate() {
        assert_eq!(features("one,two -- three…"), features("one two\n\tthree"));
        assert_eq!(features(" \u{a0}— „“ "), []);
    }

    #[test]
    fn signs_that_say_something_are_words() {
        assert_eq!(count("5€ ok?", Family::Word), 2 * 4);
        assert_eq!(features("5€"), features("5 euro"));
    }

    #[test]
    fn a_word_has_one_hash_a_pair_with_the_word_before_and_its_pieces() {
        // " cat ": three, two and one pieces of three, four and five letters.
        assert_eq!(count("cat", Family::Word), 2);
        assert_eq!(count("cat", Family::Piece), 6);
        // " a " is one piece.
        assert_eq!(count("a", Family::Piece), 1);
    }

    #[test]
    fn the_order_of_words_shows_in_the_pairs_alone() {
        let (mut forward, mut backward) = (features("post early"), features("early post"));
        forward.sort_by_key(|feature| feature.1);
        backward.sort_by_key(|feature| feature.1);
        let common = forward
            .iter()
            .filter(|feature| backward.contains(feature))
            .count();
        assert_eq!(forward.len() - common, 2);
    }

    #[test]
    fn endless_texts_and_words_are_cut() {
        let long = "ü".repeat(LONGEST_TEXT);
        assert_eq!(features(&long), features(&"u".repeat(LONGEST_WORD)));
        let first = "word ".repeat(LONGEST_TEXT / 5 + 1);
        assert_eq!(
            features(&first),
            features(&(first.clone() + "more and more"))
        );
    }

    #[test]
    fn every_script_has_features() {
        assert_eq!(count("会社の サイト", Family::Word), 4);
        assert!(count("возврат", Family::Piece) > 5);
    }
}
