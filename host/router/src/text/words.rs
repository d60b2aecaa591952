//! Words and signs, pairs of them, and beginnings of words, hashed (feature hashing after Weinberger et al., 2009).
//!
//! Pairs are of tokens that stand up to four places apart, and of words with only signs between them: what a question asks
//! for is said by words that stand near each other more often than by words that touch. Hashes are of 32 bits, so that
//! two features of a text are hardly ever taken for one.

/// Letters of a longer word that stand for all its forms.
const STEM: usize = 5;

/// Tokens of a text whose pairs are taken over more than one place between. What comes later is too much to look at as
/// closely, and says less.
const CLOSELY: usize = 256;

/// Starts of the hashes of each family, so that "a" as a word and as a stem are different features.
const WORD: u32 = 0x811c_9dc5;
const STEM_FAMILY: u32 = 0x5bd1_e995;
const NUMBER: u32 = 0x27d4_eb2f;
const SIGN: u32 = 0x1656_67b1;
const ACROSS: u32 = 0x3c6e_f372;
/// By places apart, less two.
const APART: [u32; 3] = [0x2c1b_3c6d, 0x297a_2d39, 0x1b56_c4e9];

/// What stands in a text. Nothing is counted here: most of it nobody has seen before, and is never looked at again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Words {
    near: Vec<u32>,
    far: Vec<u32>,
}

/// What stood before.
struct Before {
    /// The last four tokens of any kind, the last one first.
    tokens: [u32; 4],
    word: u32,
    closely: usize,
}

impl Words {
    /// Room for a text of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        Self {
            near: Vec::with_capacity(bytes / 2 + 16),
            far: Vec::with_capacity(bytes / 2 + 16),
        }
    }

    /// Words, signs, stems, and pairs of words that follow each other, in the order of the text, each as often as it
    /// stands there.
    pub(crate) fn near(&self) -> &[u32] {
        &self.near
    }

    /// All other pairs.
    pub(crate) fn far(&self) -> &[u32] {
        &self.far
    }

    /// Takes in a piece of text.
    pub(super) fn read(&mut self, text: &[u8]) {
        let mut before = Before {
            tokens: [WORD; 4],
            word: WORD,
            closely: CLOSELY,
        };
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            match CLASS[usize::from(byte)] {
                Class::Letter => {
                    let start = at;
                    let mut hash = WORD;
                    let mut stem = 0;
                    while let Some(&byte) = text.get(at) {
                        if CLASS[usize::from(byte)] != Class::Letter {
                            break;
                        }
                        hash = step(hash, byte.to_ascii_lowercase());
                        at += 1;
                        if at - start == STEM {
                            stem = hash;
                        }
                    }
                    self.word(hash, &mut before);
                    if at - start > STEM {
                        self.near.push(mixed(stem ^ STEM_FAMILY));
                    }
                }
                // Scripts without spaces: each character is a word, and pairs do the rest.
                Class::Ideograph => {
                    let end = (at + 3).min(text.len());
                    let hash = text[at..end]
                        .iter()
                        .fold(WORD, |hash, &byte| step(hash, byte));
                    self.word(hash, &mut before);
                    at = end;
                }
                // The value of a number says little, its length something.
                Class::Digit => {
                    let start = at;
                    while text.get(at).is_some_and(u8::is_ascii_digit) {
                        at += 1;
                    }
                    let length = u8::try_from(at - start).unwrap_or(u8::MAX).min(6);
                    self.word(step(NUMBER, length), &mut before);
                }
                Class::Sign => {
                    let hash = step(SIGN, byte);
                    self.near.push(mixed(hash));
                    self.far.push(mixed(pair(before.tokens[0], hash)));
                    self.apart(hash, &mut before);
                    at += 1;
                }
                Class::Space => at += 1,
            }
        }
    }

    fn word(&mut self, hash: u32, before: &mut Before) {
        self.near.push(mixed(hash));
        let touching = pair(before.tokens[0], hash);
        if before.word == before.tokens[0] {
            self.near.push(mixed(touching));
        } else {
            self.near.push(mixed(pair(before.word, hash) ^ ACROSS));
            self.far.push(mixed(touching));
        }
        self.apart(hash, before);
        before.word = hash;
    }

    fn apart(&mut self, hash: u32, before: &mut Before) {
        let places = if before.closely > 0 { APART.len() } else { 1 };
        before.closely = before.closely.saturating_sub(1);
        for (family, other) in APART.iter().zip(&before.tokens[1..]).take(places) {
            self.far.push(mixed(pair(*other, hash) ^ family));
        }
        let [last, second, third, _] = before.tokens;
        before.tokens = [hash, last, second, third];
    }
}

fn pair(before: u32, hash: u32) -> u32 {
    before.rotate_left(11) ^ hash.wrapping_mul(0x9e37_79b1)
}

/// One step of FNV-1a.
fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

/// The finaliser of MurmurHash3: FNV alone leaves neighbours close to each other.
fn mixed(mut hash: u32) -> u32 {
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^ (hash >> 16)
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Space,
    Letter,
    Digit,
    Sign,
    Ideograph,
}

static CLASS: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Space; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' => Class::Letter,
            b'0'..=b'9' => Class::Digit,
            // Lead bytes of kana, ideographs and Hangul.
            0xe3..=0xed => Class::Ideograph,
            0x80..=0xff => Class::Letter,
            b'!'..=b'~' => Class::Sign,
            _ => Class::Space,
        };
        byte += 1;
    }
    classes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Words {
        let mut words = Words::new(text.len());
        words.read(text.as_bytes());
        words
    }

    fn all(text: &str) -> Vec<u32> {
        let words = read(text);
        let mut all = [words.near, words.far].concat();
        all.sort_unstable();
        all
    }

    #[test]
    fn case_and_the_value_of_numbers_make_no_difference() {
        assert_eq!(all("Refund 250 now"), all("refund 999 NOW"));
        assert_ne!(all("refund 250"), all("refund 25"));
    }

    #[test]
    fn the_order_of_words_makes_a_difference() {
        assert_ne!(all("dog bites man"), all("man bites dog"));
    }

    #[test]
    fn forms_of_a_word_share_its_stem() {
        let (a, b) = (read("translate"), read("translation"));
        let shared = a.near.iter().filter(|hash| b.near.contains(hash));
        assert_eq!(shared.count(), 1);
    }

    #[test]
    fn words_with_only_signs_between_them_are_near() {
        let near = |text| read(text).near;
        assert_eq!(near("yes, no").len(), near("yes no").len() + 1);
        let (a, b) = (near("yes, no"), near("yes; no"));
        assert_eq!(a.iter().filter(|hash| b.contains(hash)).count(), 4);
    }

    #[test]
    fn scripts_without_spaces_have_words_too() {
        assert!(read("日本語の質問").near.len() >= 6);
    }

    proptest! {
        #[test]
        fn a_text_has_no_more_features_than_seven_a_byte(bytes in proptest::collection::vec(any::<u8>(), 0..6000)) {
            let mut words = Words::new(bytes.len());
            words.read(&bytes);
            prop_assert!(words.near.len() <= 2 * bytes.len());
            prop_assert!(words.near.len() + words.far.len() <= 6 * bytes.len());
        }
    }
}
