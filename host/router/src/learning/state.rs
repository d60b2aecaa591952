//! What was learned, to be kept and taken up again.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cell::Cell;
use super::known::Exemplar;
use super::{Learned, MOST_REGIONS, MOST_TASKS, Pool, at};

/// The version of the stored form.
pub const STATE_VERSION: u32 = 1;

/// Everything that was learned, by name. The same state gives the same decisions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// [`STATE_VERSION`].
    pub version: u32,
    /// By model, task and region, sorted.
    pub cells: Vec<CellState>,
    /// Settled requests, oldest first.
    pub known: Vec<Exemplar>,
    exploration: Pool,
}

/// What was learned of one model for one kind of request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CellState {
    /// The model's key.
    pub model: Arc<str>,
    /// The task; nothing for all tasks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<Arc<str>>,
    /// The region; nothing for all regions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    #[serde(flatten)]
    cell: Cell,
}

/// Why a state cannot be taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// Kept by another version.
    #[error(
        "what was learned is kept in version {found}, this is version {STATE_VERSION}; start without it"
    )]
    Version {
        /// Its version.
        found: u32,
    },
    /// Numbers that no lessons lead to.
    #[error(
        "what was learned of \"{model}\" makes no sense; start without it, or learn again from the ledger"
    )]
    Insane {
        /// The model, or the label of a settled request.
        model: String,
    },
}

impl Learned {
    /// Everything, by name.
    pub(crate) fn state(&self, names: &[Arc<str>]) -> State {
        let mut cells = Vec::new();
        let mut add = |of: &[Cell], task: Option<&Arc<str>>, region: Option<&Arc<str>>| {
            for (cell, model) in of.iter().zip(names).filter(|(cell, _)| !cell.is_empty()) {
                cells.push(CellState {
                    model: model.clone(),
                    task: task.cloned(),
                    region: region.cloned(),
                    cell: *cell,
                });
            }
        };
        add(&self.models, None, None);
        for (name, task) in &self.tasks {
            add(&task.models, Some(name), None);
            for (region, of) in &task.regions {
                add(of, Some(name), Some(region));
            }
        }
        cells.sort_by(|a, b| (&a.model, &a.task, &a.region).cmp(&(&b.model, &b.task, &b.region)));
        State {
            version: STATE_VERSION,
            cells,
            known: self.known.iter().cloned().collect(),
            exploration: self.pool,
        }
    }

    /// The inverse; `slot` says where a model's numbers belong, and nothing for a model too many.
    pub(crate) fn of(
        state: &State,
        mut slot: impl FnMut(&Arc<str>) -> Option<usize>,
    ) -> Result<Self, StateError> {
        if state.version != STATE_VERSION {
            return Err(StateError::Version {
                found: state.version,
            });
        }
        let mut learned = Self {
            pool: state.exploration,
            ..Self::default()
        };
        for kept in &state.cells {
            if !kept.cell.is_sane() {
                return Err(StateError::Insane {
                    model: kept.model.to_string(),
                });
            }
            let Some(slot) = slot(&kept.model) else {
                continue;
            };
            let Some(task) = &kept.task else {
                *at(&mut learned.models, slot) = kept.cell;
                continue;
            };
            if !learned.tasks.contains_key(task) && learned.tasks.len() >= MOST_TASKS {
                continue;
            }
            let task = learned.tasks.entry(task.clone()).or_default();
            match &kept.region {
                None => *at(&mut task.models, slot) = kept.cell,
                Some(region)
                    if task.regions.contains_key(region) || task.regions.len() < MOST_REGIONS =>
                {
                    *at(task.regions.entry(region.clone()).or_default(), slot) = kept.cell;
                }
                Some(_) => {}
            }
        }
        for exemplar in &state.known {
            if !exemplar.is_sane() {
                return Err(StateError::Insane {
                    model: exemplar.label.clone(),
                });
            }
            learned.known.add(exemplar.clone());
        }
        Ok(learned)
    }
}
