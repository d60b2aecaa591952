//! Measures of a text's shape: how long it is, how many numbers, signs, lines and choices it has.
//!
//! Length alone says much of how hard a question is; the measures here say most of the rest that words do not.

/// Measures of a shape.
pub(crate) const SHAPE: usize = 28;

/// Steps of length that have a measure each, so that the effect of length need not be a straight line.
const STEPS: usize = 10;

/// The measures of one text, in a fixed order. All are small numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Shape(pub(crate) [f32; SHAPE]);

#[derive(Default)]
struct Counts {
    words: u32,
    letters: u32,
    digits: u32,
    numbers: u32,
    upper: u32,
    operators: u32,
    brackets: u32,
    backslashes: u32,
    dollars: u32,
    sentences: u32,
    questions: u32,
    commas: u32,
    quotes: u32,
    lines: u32,
    choices: u32,
    semicolons: u32,
    high: u32,
}

impl Shape {
    /// The measures of a text of `bytes` bytes of which two pieces were read.
    pub(super) fn of(head: &[u8], tail: &[u8], bytes: usize) -> Self {
        let mut counts = Counts::default();
        counts.read(head);
        counts.read(tail);
        counts.measures(bytes, head.len() + tail.len())
    }
}

impl Counts {
    fn read(&mut self, text: &[u8]) {
        let mut before = b'\n';
        let mut word = 0_u32;
        for &byte in text {
            if byte.is_ascii_alphabetic() || byte >= 0x80 {
                word += 1;
                self.letters += 1;
                self.upper += u32::from(byte.is_ascii_uppercase());
                self.high += u32::from(byte >= 0x80);
            } else {
                let length = word;
                if word > 0 {
                    self.words += 1;
                    word = 0;
                }
                match byte {
                    b'0'..=b'9' => {
                        self.digits += 1;
                        self.numbers += u32::from(!before.is_ascii_digit());
                    }
                    b'+' | b'*' | b'/' | b'=' | b'<' | b'>' | b'^' | b'%' | b'-' => {
                        self.operators += 1
                    }
                    b'(' | b')' | b'[' | b']' | b'{' | b'}' => self.brackets += 1,
                    b'\\' => self.backslashes += 1,
                    b'$' => self.dollars += 1,
                    b'.' | b'!' | b'?' => {
                        self.sentences += u32::from(before.is_ascii_alphanumeric());
                        self.questions += u32::from(byte == b'?');
                    }
                    b',' => self.commas += 1,
                    b'"' | b'\'' | b'`' => self.quotes += 1,
                    b'\n' => self.lines += 1,
                    b';' => self.semicolons += 1,
                    _ => {}
                }
                // "A." or "b)" after a space: one of several answers to choose from.
                if matches!(byte, b'.' | b')')
                    && matches!(before, b'A'..=b'H' | b'a'..=b'h')
                    && length == 1
                {
                    self.choices += 1;
                }
            }
            before = byte;
        }
        self.words += u32::from(word > 0);
    }

    fn measures(&self, bytes: usize, read: usize) -> Shape {
        let log = |count: u32| (count as f32).ln_1p();
        let share = |count: u32, of: usize| count as f32 / (of.max(1)) as f32;
        let length = (bytes as f32).ln_1p();
        let mut measures = [0.0; SHAPE];
        let named = [
            length,
            length * length / 10.0,
            log(self.words),
            self.letters as f32 / self.words.max(1) as f32,
            share(self.digits, read),
            log(self.numbers),
            share(self.upper, read),
            log(self.operators),
            log(self.brackets),
            log(self.backslashes + self.dollars),
            log(self.sentences),
            log(self.questions),
            log(self.commas),
            log(self.quotes),
            log(self.lines),
            log(self.choices),
            log(self.semicolons),
            share(self.high, read),
        ];
        measures[..named.len()].copy_from_slice(&named);
        // From e^3 (20 bytes) in steps of two thirds; the last takes all that is longer.
        let step = (((length - 3.0) * 1.5).max(0.0) as usize).min(STEPS - 1);
        measures[SHAPE - STEPS + step] = 1.0;
        measures
            .iter_mut()
            .for_each(|measure| *measure = measure.min(100.0));
        Shape(measures)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shape_of_an_empty_text_is_finite() {
        assert!(
            Shape::of(b"", b"", 0)
                .0
                .iter()
                .all(|measure| measure.is_finite())
        );
    }

    #[test]
    fn a_longer_text_measures_longer() {
        let short = Shape::of(b"hello there", b"", 11);
        let long = Shape::of(b"hello there", b"", 11_000_000);
        assert!(long.0[0] > short.0[0]);
        assert_eq!(long.0[SHAPE - 1], 1.0);
    }

    proptest! {
        #[test]
        fn every_measure_is_finite_and_small(bytes in proptest::collection::vec(any::<u8>(), 0..3000), length in any::<usize>()) {
            let shape = Shape::of(&bytes, &[], length);
            prop_assert!(shape.0.iter().all(|m| m.is_finite() && (0.0..=100.0).contains(m)));
        }
    }
}
