//! Ridge regression with several targets at once, solved in its dual form by conjugate gradients.
//!
//! The dual has one unknown a row and a target and never forms a matrix: thousands of rows over tens of thousands of
//! words take a second on one core.

use super::design::Design;

/// Steps at most. Ridge problems of this kind are solved to three digits in ten to thirty.
const MOST_STEPS: usize = 60;

/// Where to stop: the residual relative to the targets.
const PRECISION: f64 = 2e-3;

/// One regression problem.
pub(super) struct Ridge<'a> {
    pub(super) design: &'a Design,
    /// The rows to learn from.
    pub(super) rows: &'a [usize],
    pub(super) columns: usize,
    /// By design row and column, centred; 0 where `known` is 0.
    pub(super) targets: &'a [f32],
    /// By design row and column: 1 where there is a target.
    pub(super) known: &'a [f32],
    /// How much a shape counts beside the words.
    pub(super) shape_scale: f32,
}

impl Ridge<'_> {
    /// Improves `dual` (one value for each of `rows` and each column) for a penalty, and returns the weights. Starting
    /// from the solution for another penalty saves steps.
    pub(super) fn solve(&self, penalty: f32, dual: &mut [f32]) -> Vec<f32> {
        let columns = self.columns;
        let size = self.rows.len() * columns;
        let mut product = vec![0.0_f32; size];
        self.kernel(dual, penalty, &mut product);
        let mut residual = vec![0.0_f32; size];
        for (at, &row) in self.rows.iter().enumerate() {
            for column in 0..columns {
                let place = at * columns + column;
                residual[place] = self.targets[row * columns + column] - product[place];
            }
        }
        let goal: Vec<f64> = {
            let mut squares = vec![0.0; columns];
            for &row in self.rows {
                for (column, square) in squares.iter_mut().enumerate() {
                    *square += f64::from(self.targets[row * columns + column]).powi(2);
                }
            }
            squares
                .iter()
                .map(|square| square * PRECISION * PRECISION)
                .collect()
        };
        let mut direction = residual.clone();
        let mut length = dots(&residual, &residual, columns);
        for _ in 0..MOST_STEPS {
            if length
                .iter()
                .zip(&goal)
                .all(|(length, goal)| length <= goal)
            {
                break;
            }
            self.kernel(&direction, penalty, &mut product);
            let curvature = dots(&direction, &product, columns);
            let step: Vec<f32> = length
                .iter()
                .zip(&curvature)
                .map(|(length, curvature)| {
                    if *curvature > 1e-20 {
                        (length / curvature) as f32
                    } else {
                        0.0
                    }
                })
                .collect();
            for place in 0..size {
                dual[place] += step[place % columns] * direction[place];
                residual[place] -= step[place % columns] * product[place];
            }
            let next = dots(&residual, &residual, columns);
            let keep: Vec<f32> = next
                .iter()
                .zip(&length)
                .map(|(next, length)| {
                    if *length > 1e-20 {
                        (next / length) as f32
                    } else {
                        0.0
                    }
                })
                .collect();
            for place in 0..size {
                direction[place] = residual[place] + keep[place % columns] * direction[place];
            }
            length = next;
        }
        self.weights(dual)
    }

    /// `(X Xᵀ + penalty) values`, on the known targets.
    fn kernel(&self, values: &[f32], penalty: f32, out: &mut [f32]) {
        let columns = self.columns;
        let weights = self.weights(values);
        let mut sum = vec![0.0_f32; columns];
        for (at, &row) in self.rows.iter().enumerate() {
            sum.fill(0.0);
            self.design
                .times(row, &weights, columns, self.shape_scale, &mut sum);
            let known = &self.known[row * columns..][..columns];
            let place = at * columns..(at + 1) * columns;
            let values = &values[place.clone()];
            for (((out, known), sum), value) in
                out[place].iter_mut().zip(known).zip(&sum).zip(values)
            {
                *out = known * sum + penalty * value;
            }
        }
    }

    /// `Xᵀ values`, on the known targets.
    fn weights(&self, values: &[f32]) -> Vec<f32> {
        let columns = self.columns;
        let mut weights = vec![0.0_f32; (self.design.width + crate::text::SHAPE) * columns];
        let mut masked = vec![0.0_f32; columns];
        for (at, &row) in self.rows.iter().enumerate() {
            for column in 0..columns {
                masked[column] = values[at * columns + column] * self.known[row * columns + column];
            }
            self.design
                .transposed(row, &masked, self.shape_scale, &mut weights);
        }
        weights
    }
}

fn dots(a: &[f32], b: &[f32], columns: usize) -> Vec<f64> {
    let mut dots = vec![0.0; columns];
    for (place, (a, b)) in a.iter().zip(b).enumerate() {
        dots[place % columns] += f64::from(*a) * f64::from(*b);
    }
    dots
}
