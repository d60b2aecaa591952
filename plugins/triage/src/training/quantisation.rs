//! From trained weights to the bytes of `weights.bin`.

use crate::training::calibration::Calibration;
use crate::training::regression::Model;
use crate::weights::{
    BIASES, COLUMNS, HEADER, LABELS_AT, LONGEST_LABEL, MAGIC, MARGIN_AT, NAMES, OFFSET, ROW,
    ROWS_AT, SCALES, SHARPNESS_AT,
};

/// Largest stored weight.
const LARGEST: f32 = 7.0;

/// Writes the weights of a model with these labels.
///
/// Each column is scaled so that its largest weight becomes the largest number.
pub fn encode(model: &Model, labels: &[String], calibration: Calibration) -> Vec<u8> {
    let mut bytes = vec![0; HEADER + model.rows.len() * ROW];
    bytes[..MAGIC.len()].copy_from_slice(MAGIC);
    put(&mut bytes, ROWS_AT, (model.rows.len() as u32).to_le_bytes());
    put(&mut bytes, LABELS_AT, (labels.len() as u32).to_le_bytes());
    put(
        &mut bytes,
        SHARPNESS_AT,
        calibration.sharpness.to_le_bytes(),
    );
    put(&mut bytes, MARGIN_AT, calibration.margin.to_le_bytes());

    let mut scales = [0.0; COLUMNS];
    for (column, scale) in scales.iter_mut().enumerate() {
        let largest = model
            .rows
            .iter()
            .map(|row| row[column].abs())
            .fold(0.0, f32::max);
        *scale = largest / LARGEST;
        put(&mut bytes, SCALES + 4 * column, scale.to_le_bytes());
        put(
            &mut bytes,
            BIASES + 4 * column,
            model.biases[column].to_le_bytes(),
        );
    }
    for (index, label) in labels.iter().enumerate() {
        let start = NAMES + index * LONGEST_LABEL;
        bytes[start..start + label.len()].copy_from_slice(label.as_bytes());
    }
    for (row, place) in model.rows.iter().zip(bytes[HEADER..].chunks_exact_mut(ROW)) {
        for (byte, columns) in place.iter_mut().enumerate() {
            let [lower, upper] =
                [2 * byte, 2 * byte + 1].map(|column| quantised(row[column], scales[column]));
            *columns = lower | (upper << 4);
        }
    }
    bytes
}

fn quantised(weight: f32, scale: f32) -> u8 {
    if scale == 0.0 {
        return OFFSET;
    }
    // To the nearest, halves up: `round` is another function on every platform.
    let nearest = (weight / scale + 0.5).floor().clamp(-LARGEST, LARGEST);
    (nearest as i8 + OFFSET as i8) as u8
}

fn put(bytes: &mut [u8], at: usize, number: [u8; 4]) {
    bytes[at..at + 4].copy_from_slice(&number);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::weights::Weights;

    #[test]
    fn what_is_written_is_read_back() {
        let mut model = Model {
            rows: vec![[0.0; COLUMNS]; 3],
            biases: [0.0; COLUMNS],
        };
        model.rows[1] = std::array::from_fn(|column| column as f32 - 10.0);
        model.rows[2] = std::array::from_fn(|column| (10.0 - column as f32) / 2.0);
        model.biases[19] = -0.25;
        let labels = [
            "one".to_owned(),
            "a-label-of-exactly-24-byt".chars().take(24).collect(),
        ];
        let calibration = Calibration {
            sharpness: 1.5,
            margin: -0.75,
        };
        let bytes = encode(&model, &labels, calibration);
        let weights = Weights::new(&bytes).unwrap();
        assert_eq!((weights.rows(), weights.labels()), (3, 2));
        assert_eq!((weights.sharpness(), weights.margin()), (1.5, -0.75));
        assert_eq!([weights.label(0), weights.label(1)], labels);
        assert_eq!(weights.bias(19), -0.25);
        for row in 0..3 {
            let (first, last) = weights.row(row);
            let nibbles = u128::from(first) | (u128::from(last) << 64);
            for column in 0..COLUMNS {
                let stored = (nibbles >> (4 * column) & 15) as f32 - 8.0;
                let error = (stored * weights.scale(column) - model.rows[row][column]).abs();
                assert!(
                    error <= weights.scale(column) / 2.0 + 1e-6,
                    "row {row}, column {column}: {error}"
                );
            }
        }
    }

    #[test]
    fn the_nearest_step_is_taken() {
        for (weight, stored) in [
            (0.0, 8),
            (0.49, 8),
            (0.51, 9),
            (-0.49, 8),
            (-0.51, 7),
            (7.0, 15),
            (-7.0, 1),
            (99.0, 15),
        ] {
            assert_eq!(quantised(weight, 1.0), stored, "{weight}");
        }
        assert_eq!(quantised(0.0, 0.0), OFFSET);
    }
}
