//! What one model is like for one kind of request, as a few numbers that fade.

use serde::{Deserialize, Serialize};

use super::feedback::Lesson;
use crate::policy::Learning;

/// Share of the newest measurement in a recent mean.
const RECENT: f64 = 0.25;

/// Share of the newest measurement in means of tokens and time.
const MEASURE: f64 = 0.1;

/// Measurements before a mean is used.
const LEAST_MEASURES: u32 = 3;

/// How a change is noticed: a cumulative sum (Page, 1954) of deviations less this slack, in deviations…
const SLACK: f64 = 0.5;

/// …beyond this.
const ALARM: f64 = 8.0;

/// Feedback that the recent mean is worth after a change.
const AFTER_CHANGE: f64 = 6.0;

/// Sums that fade with each new lesson and with time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cell {
    /// Feedback, each lesson by its weight.
    mass: f64,
    /// Differences from what was expected, by weight.
    sum: f64,
    /// When the last lesson came.
    at_ms: u64,
    /// The mean of the last few differences.
    recent: f64,
    /// Cumulative sums of deviations up and down.
    up: f64,
    down: f64,
    measures: u32,
    output_tokens: f64,
    latency_ms: f64,
}

impl Cell {
    pub(super) fn take(&mut self, lesson: &Lesson, now_ms: u64, learning: &Learning) {
        self.measure(lesson);
        let Some(residual) = lesson.residual.filter(|residual| residual.is_finite()) else {
            return;
        };
        let residual = residual.clamp(-1.0, 1.0);
        let weight = if lesson.weight.is_finite() {
            lesson.weight.clamp(0.0, 1.0)
        } else {
            0.0
        };
        let fade = self.fade(now_ms, learning);
        let kept = 1.0 - weight / learning.window.max(2.0);
        self.notice(residual, weight, learning);
        self.mass = self.mass * fade * kept + weight;
        self.sum = self.sum * fade * kept + weight * residual;
        self.recent += RECENT * weight * (residual - self.recent);
        self.at_ms = self.at_ms.max(now_ms);
        if self.up.max(self.down) > ALARM {
            (self.up, self.down) = (0.0, 0.0);
            self.mass = self.mass.min(AFTER_CHANGE);
            self.sum = self.mass * self.recent;
        }
    }

    /// Feedback and the sum of differences as they are now.
    pub(super) fn sums(&self, now_ms: u64, learning: &Learning) -> (f64, f64) {
        let fade = self.fade(now_ms, learning);
        (self.mass * fade, self.sum * fade)
    }

    pub(super) fn mass(&self, now_ms: u64, learning: &Learning) -> f64 {
        self.mass * self.fade(now_ms, learning)
    }

    pub(super) fn output_tokens(&self) -> Option<f64> {
        (self.measures >= LEAST_MEASURES && self.output_tokens > 0.0).then_some(self.output_tokens)
    }

    pub(super) fn latency_ms(&self) -> Option<f64> {
        (self.measures >= LEAST_MEASURES && self.latency_ms > 0.0).then_some(self.latency_ms)
    }

    /// True where nothing has come in yet.
    pub(super) fn is_empty(&self) -> bool {
        self.mass == 0.0 && self.measures == 0
    }

    /// True where every number could have come from lessons.
    pub(super) fn is_sane(&self) -> bool {
        let numbers = [
            self.mass,
            self.sum,
            self.recent,
            self.up,
            self.down,
            self.output_tokens,
            self.latency_ms,
        ];
        numbers.iter().all(|number| number.is_finite())
            && self.mass >= 0.0
            && self.sum.abs() <= self.mass + 1e-9
    }

    /// How much is left of what was known when the last lesson came.
    fn fade(&self, now_ms: u64, learning: &Learning) -> f64 {
        let age = now_ms.saturating_sub(self.at_ms);
        // An exponential for every model of every request is worth avoiding where it is 1 to the second digit.
        if self.mass == 0.0 || age <= learning.half_life_ms / 128 {
            return 1.0;
        }
        (-(age as f64) / learning.half_life_ms.max(1) as f64).exp2()
    }

    fn notice(&mut self, residual: f64, weight: f64, learning: &Learning) {
        // Until there is a mean worth the name, everything deviates from it.
        if self.mass < AFTER_CHANGE {
            return;
        }
        let deviation = ((residual - self.sum / self.mass) / learning.deviation).clamp(-3.0, 3.0);
        self.up = (self.up + weight * (deviation - SLACK)).max(0.0);
        self.down = (self.down + weight * (-deviation - SLACK)).max(0.0);
    }

    fn measure(&mut self, lesson: &Lesson) {
        if lesson.output_tokens.is_none() && lesson.latency_ms.is_none() {
            return;
        }
        let share = if self.measures < LEAST_MEASURES {
            1.0 / f64::from(self.measures + 1)
        } else {
            MEASURE
        };
        let mix = |mean: &mut f64, value: Option<u64>| {
            if let Some(value) = value {
                *mean += share * (value as f64 - *mean);
            }
        };
        mix(&mut self.output_tokens, lesson.output_tokens);
        mix(&mut self.latency_ms, lesson.latency_ms);
        self.measures = self.measures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lesson(residual: f64, weight: f64) -> Lesson {
        Lesson {
            model: "m".into(),
            task: "t".into(),
            region: None,
            residual: Some(residual),
            weight,
            output_tokens: Some(100),
            latency_ms: Some(1000),
        }
    }

    fn mean(cell: &Cell) -> f64 {
        cell.sum / cell.mass
    }

    #[test]
    fn a_sudden_change_is_believed_within_eight_lessons() {
        let learning = Learning::default();
        let mut cell = Cell::default();
        (0..200).for_each(|_| cell.take(&lesson(0.1, 1.0), 0, &learning));
        (0..8).for_each(|_| cell.take(&lesson(-0.8, 1.0), 0, &learning));
        assert!(mean(&cell) < -0.5, "{cell:?}");
    }

    #[test]
    fn chance_is_not_taken_for_change() {
        let learning = Learning::default();
        let mut cell = Cell::default();
        // Right seven times of ten, without order: the mean stays near where it was.
        for number in 0_u64..2000 {
            let chance = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
            cell.take(
                &lesson(if chance % 10 < 7 { 0.3 } else { -0.7 }, 1.0),
                0,
                &learning,
            );
        }
        assert!(mean(&cell).abs() < 0.2, "{cell:?}");
    }

    #[test]
    fn what_is_old_counts_less() {
        let learning = Learning::default();
        let mut cell = Cell::default();
        (0..50).for_each(|_| cell.take(&lesson(0.2, 1.0), 0, &learning));
        let now = cell.mass(0, &learning);
        let later = cell.mass(learning.half_life_ms, &learning);
        assert!((later / now - 0.5).abs() < 0.01);
    }

    proptest! {
        #[test]
        fn no_lesson_makes_it_insane(lessons in proptest::collection::vec((any::<f64>(), any::<f64>(), any::<u64>()), 0..50)) {
            let mut cell = Cell::default();
            for (residual, weight, now) in lessons {
                cell.take(&lesson(residual, weight), now, &Learning::default());
                prop_assert!(cell.is_sane(), "{cell:?}");
            }
        }
    }
}
