//! Where each thing is in the store's tables, and how its row is spelled.
//!
//! | table | key | value |
//! |---|---|---|
//! | events | seq, 8 bytes big-endian | see [`crate::row`] |
//! | subjects | subject, zero byte, seq | nothing |
//! | kinds | kind, zero byte, seq | nothing |
//! | state | the caller's key | the caller's bytes |
//! | meta | `head` | seq (8 bytes), hash (32 bytes) of the newest event |
//! | meta | `format` | the version of this table |

use crate::Hash;

pub(crate) const HEAD: &[u8] = b"head";
pub(crate) const FORMAT: &[u8] = b"format";
pub(crate) const FORMAT_NOW: &[u8] = b"2";
/// Has every event in full, which this version reads too.
pub(crate) const FORMAT_BEFORE: &[u8] = b"1";

pub(crate) fn event_key(seq: u64) -> Vec<u8> {
    seq.to_be_bytes().to_vec()
}

/// Subjects and kinds have no zero byte, so no name is a prefix of another's rows.
pub(crate) fn index_key(name: &str, seq: u64) -> Vec<u8> {
    [name.as_bytes(), &[0], &seq.to_be_bytes()].concat()
}

pub(crate) fn index_prefix(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}

/// The name and seq of an index row, `None` if it is none.
pub(crate) fn split_index_key(key: &[u8]) -> Option<(&str, u64)> {
    let (rest, seq) = key.split_last_chunk::<8>()?;
    let name = std::str::from_utf8(rest.strip_suffix(&[0])?).ok()?;
    Some((name, u64::from_be_bytes(*seq)))
}

pub(crate) fn seq_of_event_key(key: &[u8]) -> Option<u64> {
    key.try_into().ok().map(u64::from_be_bytes)
}

pub(crate) fn head_row(seq: u64, hash: &Hash) -> Vec<u8> {
    [seq.to_be_bytes().as_slice(), hash.as_bytes()].concat()
}

pub(crate) fn split_head_row(row: &[u8]) -> Option<(u64, Hash)> {
    let (seq, hash) = row.split_first_chunk::<8>()?;
    Some((
        u64::from_be_bytes(*seq),
        Hash::from(<[u8; 32]>::try_from(hash).ok()?),
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn rows_read_back_as_written(name in "[^\0]{1,40}", seq: u64, bytes: [u8; 32]) {
            let hash = Hash::from(bytes);
            let index = index_key(&name, seq);
            prop_assert_eq!(split_index_key(&index), Some((name.as_str(), seq)));
            prop_assert_eq!(split_head_row(&head_row(seq, &hash)), Some((seq, hash)));
            prop_assert_eq!(seq_of_event_key(&event_key(seq)), Some(seq));
        }

        #[test]
        fn arbitrary_rows_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = (split_index_key(&bytes), split_head_row(&bytes), seq_of_event_key(&bytes));
        }

        #[test]
        fn index_rows_of_one_name_sort_by_seq(name in "[^\0]{1,9}", a: u64, b: u64) {
            prop_assert_eq!(index_key(&name, a).cmp(&index_key(&name, b)), a.cmp(&b));
        }
    }
}
