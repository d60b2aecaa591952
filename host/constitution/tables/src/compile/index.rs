//! Rows by rank: for each rank of each column the rows that let it through, one bit a row. An evaluation is then one row of
//! bits a column, joined by "and". (The bitmap index of R. E. Wu and others, as databases use it for many conditions.)

use super::ranks::Ranks;

/// No index is larger; columns that do not fit are checked row by row.
const MAX_WORDS: usize = 4 << 20;

#[derive(Clone, Debug)]
pub(crate) struct Index {
    words: usize,
    rows: usize,
    columns: Vec<Option<Vec<u64>>>,
}

impl Index {
    /// Of each column's cells and number of ranks.
    pub(super) fn new(rows: usize, columns: &[(Vec<&Ranks>, u32)]) -> Self {
        let words = rows.div_ceil(64);
        let mut left = MAX_WORDS;
        let columns = columns
            .iter()
            .map(|(cells, ranks)| {
                let size = words
                    .checked_mul(*ranks as usize)
                    .filter(|size| *size <= left)?;
                left -= size;
                let mut bits = vec![0_u64; size];
                for (row, cell) in cells.iter().enumerate() {
                    for rank in cell.iter() {
                        bits[rank as usize * words + row / 64] |= 1 << (row % 64);
                    }
                }
                Some(bits)
            })
            .collect();
        Self {
            words,
            rows,
            columns,
        }
    }

    /// The rows that all ranks pass, ascending; of columns without an index, all.
    pub(crate) fn rows<'i>(&'i self, ranks: &'i [u32]) -> impl Iterator<Item = usize> + 'i {
        (0..self.words).flat_map(move |word| {
            let mut bits = if word + 1 == self.words && !self.rows.is_multiple_of(64) {
                (1 << (self.rows % 64)) - 1
            } else {
                u64::MAX
            };
            for (column, rank) in self.columns.iter().zip(ranks) {
                if let Some(column) = column {
                    bits &= column[*rank as usize * self.words + word];
                    if bits == 0 {
                        break;
                    }
                }
            }
            std::iter::from_fn(move || {
                (bits != 0).then(|| {
                    let bit = bits.trailing_zeros() as usize;
                    bits &= bits - 1;
                    word * 64 + bit
                })
            })
        })
    }

    /// Whether a column is indexed.
    pub(crate) fn holds(&self, column: usize) -> bool {
        self.columns[column].is_some()
    }
}
