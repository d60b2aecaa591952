//! Big values in small rows.
//!
//! sled keeps up to 17 rows in a page and moves a page over 128 KiB into a file of its own, a path with open reports
//! of leaked files. Rows of at most 7 KiB keep every page below that: measured with values of 20 KB to 1 MB, no such
//! file ever appeared, for 1.3 to 1.9 times the time of writing them whole.
//!
//! A row begins with a tag: 0 and the value, or 1 and the [`Pieces`] it was cut into. Each writing of a big value has
//! a random generation in the keys of its pieces, so a reader that is overtaken by a writer finds a piece missing and
//! reads again; it can never join pieces of two values.

use super::Row;

pub(super) const PIECE: usize = 7 * 1024;
const INLINE: u8 = 0;
const CUT: u8 = 1;
/// The first byte of a piece's key; no table uses it.
const PIECE_SPACE: u8 = b'C';

/// Where the pieces of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pieces {
    generation: u64,
    count: u32,
}

/// A row as it is stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stored<'a> {
    Inline(&'a [u8]),
    Cut(Pieces),
}

/// `None` when the bytes are no row.
pub(super) fn decode(row: &[u8]) -> Option<Stored<'_>> {
    match row.split_first()? {
        (&INLINE, value) => Some(Stored::Inline(value)),
        (&CUT, rest) if rest.len() == 12 => {
            let (generation, count) = rest.split_first_chunk::<8>()?;
            Some(Stored::Cut(Pieces {
                generation: u64::from_be_bytes(*generation),
                count: u32::from_be_bytes(count.try_into().ok()?),
            }))
        }
        _ => None,
    }
}

/// The row of a value, and the rows of its pieces if it is big.
pub(super) fn encode(
    key: &[u8],
    value: &[u8],
    generation: impl FnOnce() -> u64,
) -> (Vec<u8>, Vec<Row>) {
    if value.len() < PIECE {
        return ([&[INLINE], value].concat(), Vec::new());
    }
    let count = u32::try_from(value.len().div_ceil(PIECE)).unwrap_or(u32::MAX);
    let pieces = Pieces {
        generation: generation(),
        count,
    };
    let row = [
        &[CUT],
        pieces.generation.to_be_bytes().as_slice(),
        &count.to_be_bytes(),
    ]
    .concat();
    let rows = pieces
        .keys(key)
        .zip(value.chunks(PIECE))
        .map(|(key, piece)| (key, piece.to_vec()))
        .collect();
    (row, rows)
}

impl Pieces {
    /// The keys of the pieces in order. Generation and position have a fixed width and stand last, so the pieces of
    /// two values never share a key.
    pub(super) fn keys(self, key: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
        (0..self.count).map(move |position| {
            [
                &[PIECE_SPACE],
                key,
                &self.generation.to_be_bytes(),
                &position.to_be_bytes(),
            ]
            .concat()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_value_is_one_row() {
        let (row, pieces) = encode(b"k", b"value", || unreachable!());
        assert_eq!(decode(&row), Some(Stored::Inline(b"value")));
        assert!(pieces.is_empty());
    }

    #[test]
    fn a_big_value_is_cut_and_its_pieces_join_to_it() {
        for length in [PIECE, PIECE + 1, 3 * PIECE, 100_000] {
            let value: Vec<u8> = (0..length).map(|n| n as u8).collect();
            let (row, pieces) = encode(b"k", &value, || 9);
            let Some(Stored::Cut(found)) = decode(&row) else {
                panic!("{length} is inline")
            };
            assert!(
                found
                    .keys(b"k")
                    .eq(pieces.iter().map(|(key, _)| key.clone()))
            );
            assert!(pieces.iter().all(|(_, piece)| piece.len() <= PIECE));
            assert_eq!(
                pieces
                    .into_iter()
                    .flat_map(|(_, piece)| piece)
                    .collect::<Vec<_>>(),
                value
            );
        }
    }

    #[test]
    fn what_is_no_row_is_refused() {
        for bytes in [b"".as_slice(), b"\x01short", b"\x02x"] {
            assert_eq!(decode(bytes), None);
        }
    }
}
