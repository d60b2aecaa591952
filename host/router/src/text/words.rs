//! Words, pairs of words and beginnings of words, hashed into a fixed number of buckets
//! (feature hashing after Weinberger et al., 2009).

/// Buckets that words are hashed into.
pub(crate) const BUCKETS: usize = 1 << 16;

/// Letters of a longer word that stand for all its forms.
const STEM: usize = 5;

/// Starts of the hashes of each family, so that "a" as a word and as a stem fall into different buckets.
const WORD: u32 = 0x811c_9dc5;
const STEM_FAMILY: u32 = 0x5bd1_e995;
const NUMBER: u32 = 0x27d4_eb2f;
const SIGN: u32 = 0x1656_67b1;

/// How often each bucket was hit. A small open-addressed table: counting this way is faster than sorting.
#[derive(Clone, Debug)]
pub(crate) struct Words {
    /// Slots that hold a place in `counted` plus one; 0 where free.
    slots: Vec<u16>,
    counted: Vec<(u16, u16)>,
}

impl Words {
    /// Room for a text of so many bytes.
    pub(super) fn new(bytes: usize) -> Self {
        // A byte makes at most two features of its own (a character that is a word: itself and its pair).
        let room = (bytes * 2 + 16).next_power_of_two().min(1 << 14);
        Self {
            slots: vec![0; room],
            counted: Vec::with_capacity((bytes / 2).clamp(16, 2048)),
        }
    }

    /// Buckets and how often each was hit, in the order of the first hits.
    pub(crate) fn counts(&self) -> impl Iterator<Item = (u16, u16)> + '_ {
        self.counted.iter().copied()
    }

    /// Counts what stands in a piece of text.
    pub(super) fn read(&mut self, text: &[u8]) {
        let mut before = WORD;
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
                        self.count(stem ^ STEM_FAMILY);
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
                    self.count(step(SIGN, byte));
                    at += 1;
                }
                Class::Space => at += 1,
            }
        }
    }

    fn word(&mut self, hash: u32, before: &mut u32) {
        self.count(hash);
        self.count(before.rotate_left(11) ^ hash.wrapping_mul(0x9e37_79b1));
        *before = hash;
    }

    fn count(&mut self, hash: u32) {
        let bucket = bucket(hash);
        let mask = self.slots.len() - 1;
        let mut slot = usize::from(bucket) & mask;
        loop {
            match self.slots[slot] {
                0 => {
                    // The table never fills: it has more slots than a text of its size has features.
                    self.counted.push((bucket, 1));
                    self.slots[slot] = u16::try_from(self.counted.len()).unwrap_or(u16::MAX);
                    return;
                }
                place => {
                    let entry = &mut self.counted[usize::from(place) - 1];
                    if entry.0 == bucket {
                        entry.1 = entry.1.saturating_add(1);
                        return;
                    }
                }
            }
            slot = (slot + 1) & mask;
        }
    }
}

/// One step of FNV-1a.
fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

/// The finaliser of MurmurHash3, folded: FNV alone leaves neighbours close to each other.
fn bucket(hash: u32) -> u16 {
    let mut hash = hash;
    hash ^= hash >> 16;
    hash = hash.wrapping_mul(0x85eb_ca6b);
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(0xc2b2_ae35);
    hash ^= hash >> 16;
    hash as u16
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

    fn counts(text: &str) -> Vec<(u16, u16)> {
        let mut words = Words::new(text.len());
        words.read(text.as_bytes());
        let mut counts: Vec<_> = words.counts().collect();
        counts.sort_unstable();
        counts
    }

    #[test]
    fn case_and_the_value_of_numbers_make_no_difference() {
        assert_eq!(counts("Refund 250 now"), counts("refund 999 NOW"));
        assert_ne!(counts("refund 250"), counts("refund 25"));
    }

    #[test]
    fn the_order_of_words_makes_a_difference() {
        assert_ne!(counts("dog bites man"), counts("man bites dog"));
    }

    #[test]
    fn forms_of_a_word_share_its_stem() {
        let stem = |text| {
            counts(text)
                .into_iter()
                .map(|(bucket, _)| bucket)
                .collect::<Vec<_>>()
        };
        let (a, b) = (stem("translate"), stem("translation"));
        assert_eq!(a.iter().filter(|bucket| b.contains(bucket)).count(), 1);
    }

    #[test]
    fn scripts_without_spaces_have_words_too() {
        assert!(counts("日本語の質問").len() >= 6);
    }

    proptest! {
        #[test]
        fn every_feature_is_counted_whatever_the_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..6000)) {
            let mut words = Words::new(bytes.len());
            words.read(&bytes);
            let distinct: std::collections::BTreeSet<u16> = words.counts().map(|(bucket, _)| bucket).collect();
            prop_assert_eq!(distinct.len(), words.counts().count());
            prop_assert!(words.counts().all(|(_, count)| count > 0));
        }
    }
}
