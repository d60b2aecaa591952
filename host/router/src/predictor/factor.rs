//! Many columns as mixtures of few.
//!
//! Models of one maker are good at the same things, and what speaks for a task is mostly what its texts are made of. So
//! the numbers that a word has for all of them lie near a space of far fewer dimensions, and a word need not be weighed
//! in more than those.

/// Rows that the space is found by, at most: the most frequent features, which come first.
const MOST_ROWS: usize = 8192;

/// What may be lost, as a share of each group's squares.
const LOSS: f64 = 1e-3;

/// Turns over all pairs of columns, at most. Ten are enough.
const TURNS: usize = 24;

/// An orthogonal change of columns, the most telling first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Factor {
    /// By dimension: what one of it is in each column.
    pub(super) basis: Vec<Vec<f32>>,
    /// By dimension: how to find it from the columns.
    pub(super) finders: Vec<Vec<f32>>,
}

/// The smallest space that keeps nearly all of `rows`, if it has fewer dimensions than `most`. `groups` are the lengths
/// of the groups that the columns fall into, each of which counts alike.
pub(super) fn factor(
    rows: &[f32],
    columns: usize,
    groups: &[usize],
    most: usize,
) -> Option<Factor> {
    let scales = scales(rows, columns, groups);
    let mut gram = vec![vec![0.0_f64; columns]; columns];
    for row in rows.chunks_exact(columns.max(1)).take(MOST_ROWS) {
        let scaled: Vec<f64> = row
            .iter()
            .zip(&scales)
            .map(|(value, scale)| f64::from(*value) * scale)
            .collect();
        for (sums, a) in gram.iter_mut().zip(&scaled).filter(|(_, a)| **a != 0.0) {
            for (sum, b) in sums.iter_mut().zip(&scaled) {
                *sum += a * b;
            }
        }
    }
    let (values, vectors) = eigen(gram);
    let mut order: Vec<usize> = (0..columns).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    let whole: f64 = values.iter().map(|value| value.max(0.0)).sum();
    let mut left = whole;
    let mut kept = 0;
    while kept < columns && left > LOSS * whole {
        left -= values[order[kept]].max(0.0);
        kept += 1;
    }
    if kept >= most {
        return None;
    }
    let along = |scale: &dyn Fn(usize) -> f64| -> Vec<Vec<f32>> {
        let dimension = |at: &usize| {
            (0..columns)
                .map(|column| (vectors[column][*at] * scale(column)) as f32)
                .collect()
        };
        order[..kept].iter().map(dimension).collect()
    };
    Some(Factor {
        basis: along(&|column| 1.0 / scales[column]),
        finders: along(&|column| scales[column]),
    })
}

/// By column: what makes its group's squares add up to 1.
fn scales(rows: &[f32], columns: usize, groups: &[usize]) -> Vec<f64> {
    let mut squares = vec![0.0_f64; columns];
    for row in rows.chunks_exact(columns.max(1)).take(MOST_ROWS) {
        for (square, value) in squares.iter_mut().zip(row) {
            *square += f64::from(*value).powi(2);
        }
    }
    let mut scales = Vec::with_capacity(columns);
    for length in groups {
        let start = scales.len();
        let square: f64 = squares[start..start + length].iter().sum();
        let scale = if square > 1e-30 {
            square.sqrt().recip()
        } else {
            1.0
        };
        scales.resize(start + length, scale);
    }
    scales.resize(columns, 1.0);
    scales
}

/// Eigenvalues and, by row and value, eigenvectors of a symmetric matrix (Jacobi's rotations).
fn eigen(mut matrix: Vec<Vec<f64>>) -> (Vec<f64>, Vec<Vec<f64>>) {
    let size = matrix.len();
    let mut vectors: Vec<Vec<f64>> = (0..size)
        .map(|row| {
            let mut unit = vec![0.0; size];
            unit[row] = 1.0;
            unit
        })
        .collect();
    let trace: f64 = (0..size).map(|at| matrix[at][at].abs()).sum();
    for _ in 0..TURNS {
        let mut largest = 0.0_f64;
        for p in 0..size {
            for q in p + 1..size {
                let off = matrix[p][q];
                largest = largest.max(off.abs());
                if off.abs() <= 1e-12 * trace {
                    continue;
                }
                let theta = (matrix[q][q] - matrix[p][p]) / (2.0 * off);
                let tangent = theta.signum() / (theta.abs() + theta.hypot(1.0));
                let cosine = tangent.hypot(1.0).recip();
                let sine = tangent * cosine;
                let turn = |a: &mut f64, b: &mut f64| {
                    (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
                };
                for row in matrix.iter_mut().chain(&mut vectors) {
                    let (before, after) = row.split_at_mut(q);
                    turn(&mut before[p], &mut after[0]);
                }
                let (before, after) = matrix.split_at_mut(q);
                for (a, b) in before[p].iter_mut().zip(&mut after[0]) {
                    turn(a, b);
                }
            }
        }
        if largest <= 1e-10 * trace {
            break;
        }
    }
    ((0..size).map(|at| matrix[at][at]).collect(), vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows of `columns` numbers that are mixtures of two.
    fn mixtures(columns: usize) -> Vec<f32> {
        (0..500_u16)
            .flat_map(|row| {
                let (a, b) = (f32::from(row % 7) - 3.0, f32::from(row % 11) - 5.0);
                (0..columns).map(move |column| {
                    let angle = column as f32;
                    a * angle.sin() + b * angle.cos()
                })
            })
            .collect()
    }

    #[test]
    fn mixtures_of_two_take_two_dimensions_and_are_what_they_were() {
        let rows = mixtures(12);
        let factor = factor(&rows, 12, &[5, 7], 12).unwrap();
        assert_eq!(factor.basis.len(), 2);
        for row in rows.chunks(12) {
            let mut back = [0.0_f32; 12];
            for (finder, basis) in factor.finders.iter().zip(&factor.basis) {
                let amount: f32 = finder.iter().zip(row).map(|(a, b)| a * b).sum();
                back.iter_mut()
                    .zip(basis)
                    .for_each(|(to, of)| *to += amount * of);
            }
            let error: f32 = back.iter().zip(row).map(|(a, b)| (a - b).abs()).sum();
            assert!(error < 0.05, "{back:?} {row:?}");
        }
    }

    #[test]
    fn what_has_no_fewer_dimensions_stays_as_it_is() {
        let rows: Vec<f32> = (0..900_u32).map(|at| (at * 7919 % 1009) as f32).collect();
        assert_eq!(factor(&rows, 3, &[3], 1), None);
        assert!(factor(&[0.0; 30], 3, &[1, 2], 3).is_some());
    }
}
