//! The training rows as a matrix: sparse words beside scaled shapes.

use super::vocabulary::Vocabulary;
use crate::text::{Look, SHAPE, Shape};

/// How shapes are brought to a common scale: each measure with mean 0 and deviation 1 over the training rows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Scaling {
    pub(super) mean: [f32; SHAPE],
    pub(super) factor: [f32; SHAPE],
}

impl Scaling {
    pub(super) fn fit<'a>(shapes: impl Iterator<Item = &'a Shape> + Clone) -> Self {
        let count = shapes.clone().count().max(1) as f64;
        let mut mean = [0.0_f64; SHAPE];
        let mut square = [0.0_f64; SHAPE];
        for shape in shapes {
            for (at, &measure) in shape.0.iter().enumerate() {
                mean[at] += f64::from(measure) / count;
                square[at] += f64::from(measure) * f64::from(measure) / count;
            }
        }
        let mut factor = [0.0; SHAPE];
        for at in 0..SHAPE {
            let deviation = (square[at] - mean[at] * mean[at]).max(0.0).sqrt();
            // A measure that is always the same says nothing, and would say too much of the first text where it is not.
            factor[at] = if deviation > 1e-4 {
                (1.0 / deviation) as f32
            } else {
                0.0
            };
        }
        Self {
            mean: mean.map(|mean| mean as f32),
            factor,
        }
    }

    /// A shape on the common scale. Extremes are cut off: a prompt of 100 MB is long, not infinitely so.
    pub(super) fn apply(&self, shape: &Shape) -> [f32; SHAPE] {
        std::array::from_fn(|at| ((shape.0[at] - self.mean[at]) * self.factor[at]).clamp(-4.0, 4.0))
    }
}

/// The training rows in the terms of a vocabulary.
pub(super) struct Design {
    pub(super) sparse: Vec<Vec<(u32, f32)>>,
    pub(super) shapes: Vec<[f32; SHAPE]>,
    /// Rows of weights that words have.
    pub(super) width: usize,
}

impl Design {
    /// As scores are learned from it, and as kinds are: with the telling words alone.
    pub(super) fn both(looks: &[&Look], vocabulary: &Vocabulary, scaling: &Scaling) -> [Self; 2] {
        let shapes: Vec<_> = looks
            .iter()
            .map(|look| scaling.apply(&look.shape))
            .collect();
        let words = looks.iter().map(|look| vocabulary.apply(&look.words));
        let (entries, telling) = words.map(|words| (words.entries, words.telling)).collect();
        let of = |sparse, shapes, width| Self {
            sparse,
            shapes,
            width,
        };
        [
            of(entries, shapes.clone(), vocabulary.len()),
            of(telling, shapes, vocabulary.telling()),
        ]
    }

    pub(super) fn len(&self) -> usize {
        self.sparse.len()
    }

    /// `out[column] += value * weights[column]` over all entries of a row.
    pub(super) fn times(
        &self,
        row: usize,
        weights: &[f32],
        columns: usize,
        shape_scale: f32,
        out: &mut [f32],
    ) {
        for &(word, value) in &self.sparse[row] {
            add(out, &weights[word as usize * columns..][..columns], value);
        }
        for (at, value) in self.shapes[row].iter().enumerate() {
            add(
                out,
                &weights[(self.width + at) * columns..][..columns],
                value * shape_scale,
            );
        }
    }

    /// `weights[entry][column] += value * row_values[column]` over all entries of a row.
    pub(super) fn transposed(
        &self,
        row: usize,
        values: &[f32],
        shape_scale: f32,
        weights: &mut [f32],
    ) {
        let columns = values.len();
        for &(word, value) in &self.sparse[row] {
            add(
                &mut weights[word as usize * columns..][..columns],
                values,
                value,
            );
        }
        for (at, value) in self.shapes[row].iter().enumerate() {
            add(
                &mut weights[(self.width + at) * columns..][..columns],
                values,
                value * shape_scale,
            );
        }
    }
}

/// `to += factor * from`.
pub(super) fn add(to: &mut [f32], from: &[f32], factor: f32) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}
