//! The weights that a text is weighed with: one row for each word, stored in half the bytes.
//!
//! A prompt has up to a thousand words, and each reads a row that lies somewhere in megabytes: how long that takes is a
//! question of how many bytes have to come from memory. So a row is kept in 16-bit steps, as amounts of few things where
//! its columns are mixtures of them (`factor`). Sums are taken in whole numbers, which a processor multiplies many of at a
//! time.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::document::{PredictorError, bytes_of, decode, encode};
use super::factor::{Factor, factor};

/// Numbers that are added at once.
const LANES: usize = 8;

/// Lanes whose sums fit the registers of a processor.
const BLOCK: usize = 4;

/// What the factors of all rows of a sum add up to, at most, as whole numbers: with the rounding of as many rows as a
/// text can have, and cells of 16 bits, a sum fits 32.
const ROOM: f32 = 56_000.0;

/// A part of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[repr(align(16))]
struct Lane([i16; LANES]);

/// Rows of equally many numbers.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Table {
    columns: usize,
    /// What the numbers of a row are amounts of, by number and column; empty where they are the columns themselves.
    basis: Vec<f32>,
    /// Numbers of a row.
    width: usize,
    /// The same in lanes, the last of which is filled up with 0.
    stride: usize,
    /// What one step is worth.
    step: f32,
    lanes: Vec<Lane>,
}

/// A table as it is stored: little-endian numbers in base64.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Stored {
    /// What the numbers of rows are made of.
    basis: String,
    step: f32,
    cells: String,
}

impl Table {
    /// From rows of full numbers, whose columns fall into groups of these lengths.
    pub(super) fn new(rows: &[f32], groups: &[usize]) -> Self {
        let columns: usize = groups.iter().sum();
        // It pays where a row becomes shorter by a lane.
        let most = columns.saturating_sub(1) / LANES * LANES + 1;
        let (basis, reduced) = match factor(rows, columns, groups, most.min(columns)) {
            Some(Factor { basis, finders }) => {
                let amounts = rows.chunks_exact(columns.max(1)).flat_map(|row| {
                    let amount = |finder: &Vec<f32>| -> f32 {
                        finder.iter().zip(row).map(|(a, b)| a * b).sum()
                    };
                    finders.iter().map(amount).collect::<Vec<f32>>()
                });
                let amounts = amounts.collect();
                // Nothing at all has no dimensions, and rows have at least one.
                if basis.is_empty() {
                    (vec![0.0; columns], vec![0.0; rows.len() / columns.max(1)])
                } else {
                    (basis.concat(), amounts)
                }
            }
            None => (Vec::new(), rows.to_vec()),
        };
        let width = match basis.len() {
            0 => columns,
            length => length / columns.max(1),
        };
        let largest = reduced.iter().fold(0.0_f32, |most, it| most.max(it.abs()));
        let step = largest / f32::from(i16::MAX);
        // `as` saturates, and makes nothing of nothing.
        let cells: Vec<i16> = reduced
            .iter()
            .map(|value| (value / step).round() as i16)
            .collect();
        Self::of(columns, basis, width, step, &cells)
    }

    fn of(columns: usize, basis: Vec<f32>, width: usize, step: f32, cells: &[i16]) -> Self {
        let stride = width.div_ceil(LANES);
        let mut lanes = vec![Lane::default(); cells.len() / width.max(1) * stride];
        for (row, cells) in cells.chunks_exact(width.max(1)).enumerate() {
            for (lane, cells) in lanes[row * stride..].iter_mut().zip(cells.chunks(LANES)) {
                lane.0[..cells.len()].copy_from_slice(cells);
            }
        }
        Self {
            columns,
            basis,
            width,
            stride,
            step,
            lanes,
        }
    }

    /// The sum of rows, each times its factor, by column.
    pub(super) fn sum(&self, entries: &[(u32, f32)]) -> Vec<f32> {
        let (whole, most) = entries
            .iter()
            .fold((0.0_f32, 0.0_f32), |(whole, most), (_, factor)| {
                (whole + factor.abs(), most.max(factor.abs()))
            });
        let scale = (ROOM / whole).min(f32::from(i16::MAX) / most);
        let entries: Vec<(u32, i16)> = entries
            .iter()
            .map(|&(row, factor)| {
                let steps = factor * scale;
                (row, (steps + 0.5_f32.copysign(steps)) as i16)
            })
            .collect();
        let mut sums = Vec::with_capacity(self.stride * LANES);
        let step = self.step / scale;
        let mut add = |lanes: &[[i32; LANES]]| {
            sums.extend(lanes.as_flattened().iter().map(|sum| *sum as f32 * step));
        };
        let mut at = 0;
        while at + BLOCK <= self.stride {
            add(&self.block::<BLOCK>(&entries, at));
            at += BLOCK;
        }
        if at + 2 <= self.stride {
            add(&self.block::<2>(&entries, at));
            at += 2;
        }
        if at < self.stride {
            add(&self.block::<1>(&entries, at));
        }
        self.columns_of(sums)
    }

    /// The same for some of the lanes, in steps.
    fn block<const B: usize>(&self, entries: &[(u32, i16)], at: usize) -> [[i32; LANES]; B] {
        let mut sums = [[0; LANES]; B];
        for &(row, factor) in entries {
            let lanes = &self.lanes[row as usize * self.stride + at..][..B];
            for (sums, lane) in sums.iter_mut().zip(lanes) {
                for (sum, cell) in sums.iter_mut().zip(&lane.0) {
                    *sum += i32::from(factor) * i32::from(*cell);
                }
            }
        }
        sums
    }

    /// Sums of rows as sums of columns.
    fn columns_of(&self, mut sums: Vec<f32>) -> Vec<f32> {
        if self.basis.is_empty() {
            sums.truncate(self.columns);
            return sums;
        }
        let mut columns = vec![0.0; self.columns];
        for (sum, basis) in sums.iter().zip(self.basis.chunks_exact(self.columns)) {
            super::design::add(&mut columns, basis, *sum);
        }
        columns
    }

    /// The stored form.
    pub(super) fn stored(&self) -> Stored {
        let rows = self.lanes.chunks_exact(self.stride.max(1));
        let cells = rows.flat_map(|row| row.iter().flat_map(|lane| lane.0).take(self.width));
        Stored {
            basis: encode(&self.basis),
            step: self.step,
            cells: STANDARD.encode(cells.flat_map(i16::to_le_bytes).collect::<Vec<u8>>()),
        }
    }

    /// The inverse of [`Table::stored`].
    pub(super) fn from_stored(
        stored: &Stored,
        rows: usize,
        columns: usize,
    ) -> Result<Self, PredictorError> {
        let length = bytes_of(&stored.basis, "basis")?.len() / 4;
        let basis = decode(&stored.basis, length, "basis")?;
        let width = match length {
            0 => columns,
            length if columns > 0 && length.is_multiple_of(columns) => length / columns,
            _ => return Err(PredictorError::Inconsistent("basis")),
        };
        let bytes = bytes_of(&stored.cells, "cells")?;
        let (pairs, rest) = bytes.as_chunks::<2>();
        if pairs.len() != rows * width || !rest.is_empty() {
            return Err(PredictorError::Inconsistent("cells"));
        }
        let cells: Vec<i16> = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        Ok(Self::of(columns, basis, width, stored.step, &cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(table: &Table, row: u32, factor: f32) -> Vec<f32> {
        table.sum(&[(row, factor)])
    }

    #[test]
    fn a_row_is_what_it_was_to_within_a_step() {
        let rows = [0.5, -0.25, 1e-3, 0.0, 0.0, 0.0, -3.0, 2.999, 0.1];
        let table = Table::new(&rows, &[1, 2]);
        for (at, values) in (0..).zip(rows.chunks(3)) {
            for (out, value) in row(&table, at, 2.0).iter().zip(values) {
                assert!((out - 2.0 * value).abs() < 2e-4, "{out} {value}");
            }
        }
    }

    #[test]
    fn rows_that_are_alike_are_kept_in_short() {
        let rows: Vec<f32> = (0..400_u16)
            .flat_map(|at| {
                let (a, b) = (f32::from(at % 13) - 6.0, f32::from(at % 5));
                (0..70_u8).map(move |column| a + b * f32::from(column % 4))
            })
            .collect();
        let table = Table::new(&rows, &[40, 30]);
        assert_eq!((table.width, table.stride), (2, 1));
        for at in [0_u16, 57, 399] {
            for (out, value) in row(&table, at.into(), 1.0)
                .iter()
                .zip(&rows[usize::from(at) * 70..])
            {
                assert!((out - value).abs() < 0.02, "{out} {value}");
            }
        }
    }

    #[test]
    fn it_is_the_same_after_storing() {
        let long: Vec<f32> = (0..4000_u16)
            .map(|value| f32::from(value).sin().powi(3))
            .collect();
        let short: Vec<f32> = (0..4000_u16).map(|value| f32::from(value % 10)).collect();
        for (rows, columns) in [(&long, 40), (&short, 10), (&short, 80)] {
            let table = Table::new(rows, &[columns]);
            let (stored, count) = (table.stored(), rows.len() / columns);
            assert_eq!(Table::from_stored(&stored, count, columns), Ok(table));
            assert!(Table::from_stored(&stored, columns, count).is_err());
        }
    }
}
