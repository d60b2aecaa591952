//! The weights that a text is weighed with: one row for each word, stored in half the bytes.
//!
//! A prompt has up to a thousand words, and each reads a row that lies somewhere in megabytes: how long that takes is a
//! question of how many bytes have to come from memory. So a row is kept in 16-bit steps of its own largest number, which
//! changes no prediction by more than a hundred-thousandth.

use super::document::{PredictorError, bytes_of, decode};

/// Numbers that are added at once.
const LANES: usize = 8;

/// Rows of equally many numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    columns: usize,
    /// Columns rounded up, so that a row is made of whole lanes; what is added is 0.
    stride: usize,
    /// By row: what one step is worth.
    steps: Vec<f32>,
    cells: Vec<i16>,
}

impl Table {
    /// From rows of full numbers.
    pub(super) fn new(rows: &[f32], columns: usize) -> Self {
        let stride = columns.next_multiple_of(LANES);
        let (mut steps, mut cells) = (Vec::new(), Vec::new());
        for row in rows.chunks_exact(columns.max(1)) {
            let largest = row
                .iter()
                .fold(0.0_f32, |most, value| most.max(value.abs()));
            let step = largest / f32::from(i16::MAX);
            steps.push(step);
            // `as` saturates, and makes nothing of nothing.
            cells.extend(row.iter().map(|value| (value / step).round() as i16));
            cells.resize(steps.len() * stride, 0);
        }
        Self {
            columns,
            stride,
            steps,
            cells,
        }
    }

    /// Numbers of a row, those included that only fill it up.
    pub(super) fn stride(&self) -> usize {
        self.stride
    }

    /// `out += factor * row`; `out` has as many numbers as a row has.
    pub(super) fn add(&self, row: usize, factor: f32, out: &mut [f32]) {
        let cells = &self.cells[row * self.stride..][..self.stride];
        let factor = factor * self.steps[row];
        let (cells, _) = cells.as_chunks::<LANES>();
        let (out, _) = out.as_chunks_mut::<LANES>();
        for (out, cells) in out.iter_mut().zip(cells) {
            for (out, cell) in out.iter_mut().zip(cells) {
                *out += factor * f32::from(*cell);
            }
        }
    }

    /// For storing: what a step is worth in each row, and the steps.
    pub(super) fn parts(&self) -> (&[f32], Vec<u8>) {
        let rows = self.cells.chunks_exact(self.stride.max(1));
        let cells = rows.flat_map(|row| &row[..self.columns]);
        (
            &self.steps,
            cells.flat_map(|cell| cell.to_le_bytes()).collect(),
        )
    }

    /// The inverse of [`Table::parts`].
    pub(super) fn from_parts(
        steps: &str,
        cells: &str,
        rows: usize,
        columns: usize,
    ) -> Result<Self, PredictorError> {
        let steps = decode(steps, rows, "steps")?;
        let bytes = bytes_of(cells, "table")?;
        let (pairs, rest) = bytes.as_chunks::<2>();
        if pairs.len() != rows * columns || !rest.is_empty() {
            return Err(PredictorError::Inconsistent("table"));
        }
        let stride = columns.next_multiple_of(LANES);
        let mut cells = Vec::with_capacity(rows * stride);
        for (row, pairs) in pairs.chunks_exact(columns.max(1)).enumerate() {
            cells.extend(pairs.iter().map(|pair| i16::from_le_bytes(*pair)));
            cells.resize((row + 1) * stride, 0);
        }
        Ok(Self {
            columns,
            stride,
            steps,
            cells,
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    #[test]
    fn a_row_is_what_it_was_to_within_a_step() {
        let rows = [0.5, -0.25, 1e-3, 0.0, 0.0, 0.0, -3.0, 2.999, 0.1];
        let table = Table::new(&rows, 3);
        for (row, values) in rows.chunks(3).enumerate() {
            let mut out = vec![1.0; table.stride()];
            table.add(row, 2.0, &mut out);
            for (out, value) in out.iter().zip(values) {
                assert!((out - 1.0 - 2.0 * value).abs() < 2e-4, "{out} {value}");
            }
            assert_eq!(&out[3..], &[1.0; 5]);
        }
    }

    #[test]
    fn it_is_the_same_after_storing() {
        let rows: Vec<f32> = (0..70_u8).map(|value| f32::from(value).sin()).collect();
        let table = Table::new(&rows, 10);
        let (steps, cells) = table.parts();
        let steps: Vec<u8> = steps.iter().flat_map(|step| step.to_le_bytes()).collect();
        let (steps, cells) = (STANDARD.encode(steps), STANDARD.encode(cells));
        assert_eq!(Table::from_parts(&steps, &cells, 7, 10), Ok(table));
        assert!(Table::from_parts(&steps, &cells, 10, 7).is_err());
    }
}
