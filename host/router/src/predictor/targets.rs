//! What is to be predicted: scores, centred by model, with gaps where a model was not asked.

use super::row::Row;

/// The scores of all rows.
pub(super) struct Targets {
    pub(super) models: usize,
    /// By model.
    pub(super) means: Vec<f32>,
    /// By row and model: the score less the model's mean; 0 where there is none.
    pub(super) centred: Vec<f32>,
    /// By row and model: 1 where there is a score.
    pub(super) known: Vec<f32>,
}

impl Targets {
    pub(super) fn new(rows: &[&Row], models: &[String]) -> Self {
        let scores = |row: &Row| -> Vec<Option<f32>> {
            models
                .iter()
                .map(|model| {
                    let score = row
                        .score
                        .get(model)
                        .copied()
                        .filter(|score| score.is_finite());
                    score.map(|score| score.clamp(0.0, 1.0) as f32)
                })
                .collect()
        };
        let scores: Vec<Vec<Option<f32>>> = rows.iter().map(|row| scores(row)).collect();
        let means: Vec<f32> = (0..models.len())
            .map(|model| {
                let known = scores.iter().filter_map(|row| row[model]);
                let (sum, count) = known.fold((0.0, 0_u32), |(sum, count), score| {
                    (sum + f64::from(score), count + 1)
                });
                (sum / f64::from(count.max(1))) as f32
            })
            .collect();
        let flat = || scores.iter().flat_map(|row| row.iter().zip(&means));
        Self {
            models: models.len(),
            centred: flat()
                .map(|(score, mean)| score.map_or(0.0, |score| score - mean))
                .collect(),
            known: flat()
                .map(|(score, _)| f32::from(u8::from(score.is_some())))
                .collect(),
            means,
        }
    }

    /// What a prediction leaves over.
    pub(super) fn without(&self, predicted: &[f32]) -> Self {
        let left = self.centred.iter().zip(predicted).zip(&self.known);
        Self {
            models: self.models,
            means: self.means.clone(),
            centred: left
                .map(|((value, predicted), known)| (value - predicted) * known)
                .collect(),
            known: self.known.clone(),
        }
    }

    /// Splits a row's values, on its known targets, into what all models share and how each differs from that. What
    /// models share says how hard a prompt is; only the differences decide who answers.
    pub(super) fn split(&self, row: usize, values: &[f32]) -> (f32, Vec<f32>) {
        let known = &self.known[row * self.models..][..self.models];
        let count: f32 = known.iter().sum();
        if count == 0.0 {
            return (0.0, vec![0.0; self.models]);
        }
        let level = values
            .iter()
            .zip(known)
            .map(|(value, known)| value * known)
            .sum::<f32>()
            / count;
        let differences = values
            .iter()
            .zip(known)
            .map(|(value, known)| (value - level) * known)
            .collect();
        (level, differences)
    }
}
