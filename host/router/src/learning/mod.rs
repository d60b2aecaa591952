//! What feedback has taught: how far each model is from what was expected of it.
//!
//! Expectation comes from the predictor, or from priors. What is learned is the *difference*, so that it corrects a
//! prediction without throwing away what the prediction knows of the single prompt. Differences are kept for each model,
//! each model and task, and each model, task and region; each is drawn towards the one above it by as much as it lacks
//! feedback of its own (hierarchical shrinkage). Everything fades, and a sudden change is noticed ([`Cell`]).

mod cell;
mod feedback;
mod known;
mod pool;
mod state;

use std::collections::HashMap;
use std::sync::Arc;

pub(crate) use cell::Cell;
pub use feedback::{Feedback, Lesson, Settled};
pub use known::{Exemplar, Nearest};
pub(crate) use known::{Known, sketch};
pub(crate) use pool::Pool;
pub use state::{CellState, STATE_VERSION, State, StateError};

use crate::policy::Learning;

/// Tasks that are told apart. Names come from callers; whoever invents one for each request teaches only the model's
/// cell.
const MOST_TASKS: usize = 512;

/// Regions that are told apart within a task.
const MOST_REGIONS: usize = 64;

/// Everything that was learned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    /// By slot.
    models: Vec<Cell>,
    tasks: HashMap<Arc<str>, Task>,
    pub(crate) known: Known,
    pub(crate) pool: Pool,
}

#[derive(Clone, Debug, Default)]
struct Task {
    models: Vec<Cell>,
    regions: HashMap<Arc<str>, Vec<Cell>>,
}

/// What is believed of one model for one kind of request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Belief {
    /// To be added to what was expected.
    pub(crate) offset: f64,
    /// How sure: the deviation of the offset.
    pub(crate) deviation: f64,
    /// Feedback on this task.
    pub(crate) feedback: f64,
    /// Tokens of an answer, if measured.
    pub(crate) output_tokens: Option<f64>,
    /// Milliseconds until a whole answer, if measured.
    pub(crate) latency_ms: Option<f64>,
}

/// The cells that matter for one request.
pub(crate) struct Page<'l> {
    models: &'l [Cell],
    task: &'l [Cell],
    region: &'l [Cell],
}

impl Learned {
    /// What matters for a request of a task and a region.
    pub(crate) fn page(&self, task: &str, region: Option<&str>) -> Page<'_> {
        let task = self.tasks.get(task);
        let cells = task.and_then(|task| task.regions.get(region?));
        Page {
            models: &self.models,
            task: task.map_or(&[], |task| &task.models),
            region: cells.map_or(&[], |cells| cells),
        }
    }

    /// Feedback that a task has, over all models.
    pub(crate) fn feedback_of(&self, task: &str, now_ms: u64, learning: &Learning) -> f64 {
        let cells = self.tasks.get(task).map_or(&[][..], |task| &task.models);
        cells.iter().map(|cell| cell.mass(now_ms, learning)).sum()
    }

    /// Takes a lesson on the model of a slot.
    pub(crate) fn take(&mut self, slot: usize, lesson: &Lesson, now_ms: u64, learning: &Learning) {
        at(&mut self.models, slot).take(lesson, now_ms, learning);
        if !self.tasks.contains_key(&lesson.task) && self.tasks.len() >= MOST_TASKS {
            return;
        }
        let task = self.tasks.entry(lesson.task.clone()).or_default();
        at(&mut task.models, slot).take(lesson, now_ms, learning);
        let Some(region) = &lesson.region else { return };
        if task.regions.contains_key(region) || task.regions.len() < MOST_REGIONS {
            at(task.regions.entry(region.clone()).or_default(), slot)
                .take(lesson, now_ms, learning);
        }
    }
}

impl Page<'_> {
    /// What is believed of the model of a slot.
    pub(crate) fn belief(&self, slot: usize, now_ms: u64, learning: &Learning) -> Belief {
        let [model, task, region] =
            [self.models, self.task, self.region].map(|cells| cells.get(slot));
        // At each level: what the level above says is worth as much feedback as it has itself, but no more than the
        // policy gives it. The precision of a sum of two variances.
        let (mut offset, mut mass) = (0.0, learning.prior);
        let levels = [
            (model, f64::INFINITY),
            (task, learning.across_tasks),
            (region, learning.across_regions),
        ];
        for (cell, above) in levels {
            let prior = 1.0 / (1.0 / mass + 1.0 / above);
            let (own, sum) = cell.map_or((0.0, 0.0), |cell| cell.sums(now_ms, learning));
            mass = prior + own;
            offset = (prior * offset + sum) / mass;
        }
        let measured =
            |of: fn(&Cell) -> Option<f64>| task.and_then(of).or_else(|| model.and_then(of));
        Belief {
            offset,
            deviation: learning.deviation / mass.sqrt(),
            feedback: task.map_or(0.0, |cell| cell.mass(now_ms, learning)),
            output_tokens: measured(Cell::output_tokens),
            latency_ms: measured(Cell::latency_ms),
        }
    }
}

fn at(cells: &mut Vec<Cell>, slot: usize) -> &mut Cell {
    if cells.len() <= slot {
        cells.resize(slot + 1, Cell::default());
    }
    &mut cells[slot]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lesson(task: &str, region: Option<&str>, residual: f64) -> Lesson {
        Lesson {
            model: "m".into(),
            task: task.into(),
            region: region.map(Into::into),
            residual: Some(residual),
            weight: 1.0,
            output_tokens: None,
            latency_ms: None,
        }
    }

    #[test]
    fn what_one_task_teaches_counts_a_little_for_another() {
        let learning = Learning::default();
        let mut learned = Learned::default();
        for _ in 0..50 {
            learned.take(0, &lesson("code", None, -0.4), 0, &learning);
        }
        let of = |task| learned.page(task, None).belief(0, 0, &learning);
        let (code, other) = (of("code"), of("other"));
        assert!(
            code.offset < -0.3 && (-0.4..-0.1).contains(&other.offset),
            "{code:?} {other:?}"
        );
        assert!(code.deviation < other.deviation);
        assert_eq!(other.feedback, 0.0);
    }

    #[test]
    fn a_region_may_differ_from_its_task() {
        let learning = Learning::default();
        let mut learned = Learned::default();
        for _ in 0..60 {
            learned.take(0, &lesson("code", Some("eu"), 0.3), 0, &learning);
            learned.take(0, &lesson("code", Some("us"), -0.3), 0, &learning);
        }
        let of = |region| {
            learned
                .page("code", Some(region))
                .belief(0, 0, &learning)
                .offset
        };
        assert!(
            of("eu") > 0.15 && of("us") < -0.15,
            "{} {}",
            of("eu"),
            of("us")
        );
        assert!(of("asia").abs() < 0.1);
    }

    #[test]
    fn invented_tasks_take_no_memory_without_end() {
        let learning = Learning::default();
        let mut learned = Learned::default();
        for number in 0..5000 {
            learned.take(
                0,
                &lesson(&number.to_string(), Some(&number.to_string()), 0.1),
                0,
                &learning,
            );
        }
        assert_eq!(learned.tasks.len(), MOST_TASKS);
    }
}
