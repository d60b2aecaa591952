//! The layout of `weights.bin`, read where it lies.
//!
//! ```text
//! offset  bytes
//!      0      8  "triage\0\1": the format and its version
//!      8      4  number of rows
//!     12      4  number of labels
//!     16      4  sharpness, the inverse of the calibrated temperature
//!     20      4  margin from which a text counts as known
//!     24     80  20 scales, one for each column
//!    104     80  20 biases, one for each column
//!    184    456  19 names of labels, 24 bytes each, filled up with zeros
//!    640   10 each  rows: 20 columns of four bits, the even column in the lower half of a byte
//! ```
//!
//! Numbers are little-endian. A feature's hash selects a row. Column 19 belongs to everything that is none of the
//! labels; between the labels and it columns are unused. Four bits store a weight from -7 to 7 plus eight; sixteen
//! levels lose no measurable accuracy here, and twice as many rows in the same space gain some, because fewer features
//! share one.

use std::fmt;

/// Columns of a row.
pub const COLUMNS: usize = 20;
/// The column of everything that is none of the labels.
pub const BACKGROUND: usize = COLUMNS - 1;
/// Most labels that fit.
pub const MOST_LABELS: usize = BACKGROUND;
/// Bytes of a row.
pub const ROW: usize = COLUMNS / 2;
/// Longest name of a label, in bytes.
pub const LONGEST_LABEL: usize = 24;
/// What a stored weight is above its value.
pub const OFFSET: u8 = 8;
/// Bytes before the first row.
pub const HEADER: usize = NAMES + MOST_LABELS * LONGEST_LABEL;

pub(crate) const MAGIC: &[u8; 8] = b"triage\0\x01";
pub(crate) const ROWS_AT: usize = 8;
pub(crate) const LABELS_AT: usize = 12;
pub(crate) const SHARPNESS_AT: usize = 16;
pub(crate) const MARGIN_AT: usize = 20;
pub(crate) const SCALES: usize = 24;
pub(crate) const BIASES: usize = SCALES + 4 * COLUMNS;
pub(crate) const NAMES: usize = BIASES + 4 * COLUMNS;

/// A view of the bytes of `weights.bin`.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    bytes: &'a [u8],
    rows: u32,
    labels: usize,
}

/// The bytes are not weights in this version's format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("weights.bin is not in this version's format; run `cargo run --release -p triage --bin train`")
    }
}

impl std::error::Error for Malformed {}

impl<'a> Weights<'a> {
    /// Checks the frame: format, sizes, length. Constant time; nothing is copied.
    pub fn new(bytes: &'a [u8]) -> Result<Self, Malformed> {
        if bytes.len() <= HEADER || &bytes[..8] != MAGIC {
            return Err(Malformed);
        }
        let weights = Self {
            bytes,
            rows: u32::from_le_bytes(four(bytes, ROWS_AT)),
            labels: u32::from_le_bytes(four(bytes, LABELS_AT)) as usize,
        };
        let length = HEADER as u64 + u64::from(weights.rows) * ROW as u64;
        if bytes.len() as u64 != length || !(2..=MOST_LABELS).contains(&weights.labels) {
            return Err(Malformed);
        }
        Ok(weights)
    }

    /// Number of labels.
    pub fn labels(&self) -> usize {
        self.labels
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows as usize
    }

    /// The name of a label.
    pub fn label(&self, index: usize) -> &'a str {
        let start = NAMES + index * LONGEST_LABEL;
        let name = &self.bytes[start..start + LONGEST_LABEL];
        let end = name
            .iter()
            .position(|&byte| byte == 0)
            .unwrap_or(LONGEST_LABEL);
        std::str::from_utf8(&name[..end]).unwrap_or_default()
    }

    /// What differences of scores are multiplied by before they become probabilities.
    pub fn sharpness(&self) -> f32 {
        self.number(SHARPNESS_AT)
    }

    /// How far the best label must be above the background for a text to count as known.
    pub fn margin(&self) -> f32 {
        self.number(MARGIN_AT)
    }

    /// What the whole numbers of a column are multiplied by.
    pub fn scale(&self, column: usize) -> f32 {
        self.number(SCALES + 4 * column)
    }

    /// The score of a column before any feature is seen.
    pub fn bias(&self, column: usize) -> f32 {
        self.number(BIASES + 4 * column)
    }

    /// Which row a feature has.
    pub fn row_of(&self, hash: u32) -> usize {
        row_of(hash, self.rows)
    }

    /// A row as two little-endian numbers: columns 0 to 15, and 16 to 19.
    pub fn row(&self, index: usize) -> (u64, u16) {
        let start = HEADER + index * ROW;
        let row = &self.bytes[start..start + ROW];
        let mut first = [0; 8];
        first.copy_from_slice(&row[..8]);
        (
            u64::from_le_bytes(first),
            u16::from_le_bytes([row[8], row[9]]),
        )
    }

    fn number(&self, at: usize) -> f32 {
        f32::from_le_bytes(four(self.bytes, at))
    }
}

/// Which of `rows` rows a hash selects: the upper bits decide, so the number need not be a power of two.
pub fn row_of(hash: u32, rows: u32) -> usize {
    ((u64::from(hash) * u64::from(rows)) >> 32) as usize
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_weights_are_well_formed_and_small() {
        let weights = Weights::new(crate::WEIGHTS).unwrap();
        assert_eq!(weights.labels(), 18);
        assert!(crate::WEIGHTS.len() <= 300_000, "{}", crate::WEIGHTS.len());
        for label in 0..weights.labels() {
            assert!(!weights.label(label).is_empty());
        }
    }

    #[test]
    fn cut_padded_and_foreign_bytes_are_refused() {
        let whole = crate::WEIGHTS;
        for length in [0, 7, 8, HEADER, whole.len() - 1] {
            assert_eq!(
                Weights::new(&whole[..length]).err(),
                Some(Malformed),
                "{length}"
            );
        }
        let mut padded = whole.to_vec();
        padded.push(0);
        assert!(Weights::new(&padded).is_err());
        let mut foreign = whole.to_vec();
        foreign[7] = 2;
        assert!(Weights::new(&foreign).is_err());
    }

    #[test]
    fn every_hash_selects_a_row_that_exists() {
        for rows in [1, 3, 29_696, u32::MAX] {
            for hash in [0, 1, u32::MAX / 2, u32::MAX] {
                assert!(row_of(hash, rows) < rows as usize);
            }
        }
        assert_eq!(row_of(u32::MAX, 29_696), 29_695);
    }
}
