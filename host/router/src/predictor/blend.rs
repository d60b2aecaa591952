//! How far to trust each of two predictions: least squares on predictions of rows that neither had seen (stacking after
//! Wolpert, 1992).

use super::targets::Targets;

/// Weights of the regression on words and of the means by task; neither is negative.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Blend {
    /// For what sets models apart.
    pub(crate) differences: [f32; 2],
    /// For what they share.
    pub(crate) level: [f32; 2],
}

impl Blend {
    pub(super) fn fit(targets: &Targets, words: &[f32], tasks: &[f32]) -> Self {
        let models = targets.models;
        let (mut differences, mut level) = (Normal::default(), Normal::default());
        for row in 0..targets.centred.len() / models.max(1) {
            let place = row * models..(row + 1) * models;
            let wanted = targets.split(row, &targets.centred[place.clone()]);
            let a = targets.split(row, &words[place.clone()]);
            let b = targets.split(row, &tasks[place]);
            level.add(a.0, b.0, wanted.0);
            for model in 0..models {
                differences.add(a.1[model], b.1[model], wanted.1[model]);
            }
        }
        Self {
            differences: differences.solve(),
            level: level.solve(),
        }
    }

    /// Joins two predictions, both centred by model, in place of the first.
    pub(crate) fn join(&self, words: &mut [f32], tasks: &[f32]) {
        let count = words.len().max(1) as f32;
        let (a, b) = (
            words.iter().sum::<f32>() / count,
            tasks.iter().sum::<f32>() / count,
        );
        let level = self.level[0] * a + self.level[1] * b;
        for (word, task) in words.iter_mut().zip(tasks) {
            *word = level + self.differences[0] * (*word - a) + self.differences[1] * (task - b);
        }
    }
}

/// Sums for two unknowns.
#[derive(Default)]
struct Normal {
    aa: f64,
    ab: f64,
    bb: f64,
    ay: f64,
    by: f64,
}

impl Normal {
    fn add(&mut self, a: f32, b: f32, y: f32) {
        let (a, b, y) = (f64::from(a), f64::from(b), f64::from(y));
        self.aa += a * a;
        self.ab += a * b;
        self.bb += b * b;
        self.ay += a * y;
        self.by += b * y;
    }

    fn solve(&self) -> [f32; 2] {
        let alone = |xy: f64, xx: f64| {
            if xx > 1e-9 {
                (xy / xx).clamp(0.0, 2.0) as f32
            } else {
                0.0
            }
        };
        let determinant = self.aa * self.bb - self.ab * self.ab;
        if determinant > 1e-6 * self.aa * self.bb && determinant > 1e-12 {
            let a = (self.ay * self.bb - self.by * self.ab) / determinant;
            let b = (self.by * self.aa - self.ay * self.ab) / determinant;
            if a >= 0.0 && b >= 0.0 {
                return [a.min(2.0) as f32, b.min(2.0) as f32];
            }
        }
        // One of them alone: the one that explains more.
        let explains = |xy: f64, xx: f64| {
            if xx > 1e-9 && xy > 0.0 {
                xy * xy / xx
            } else {
                0.0
            }
        };
        if explains(self.by, self.bb) > explains(self.ay, self.aa) {
            [0.0, alone(self.by, self.bb)]
        } else {
            [alone(self.ay, self.aa), 0.0]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prediction_that_is_right_gets_all_the_weight() {
        let mut normal = Normal::default();
        for (a, b) in [(1.0, 0.3), (-2.0, 0.5), (0.5, -0.7), (0.1, 0.9)] {
            normal.add(a, b, a);
        }
        let [a, b] = normal.solve();
        assert!((a - 1.0).abs() < 1e-4 && b.abs() < 1e-4, "{a} {b}");
    }

    #[test]
    fn nothing_to_learn_from_gives_no_weight() {
        assert_eq!(Normal::default().solve(), [0.0, 0.0]);
    }
}
