//! What is being built: hidden, a few rows at a time, with a rest between.

use std::time::Duration;

use polity_engine::{Engine, EngineError, Mutation as Act};
use uuid::Uuid;

/// Rows of one step. Up to a few hundred, readers beside it notice nothing.
pub(super) const STEP: usize = 200;
/// The rest after each step, so that a build takes a part of the machine and not all of it.
pub(super) const REST: Duration = Duration::from_millis(2);

/// One build.
#[derive(Clone, Debug)]
pub(super) struct Build {
    /// The mutation it belongs to; none for something that was kept long ago and is missing.
    pub(super) life: Option<Uuid>,
    pub(super) collection: String,
    pub(super) name: String,
    /// Time at work, without rests.
    pub(super) busy: Duration,
}

/// Begins to build, or takes what there is of it and builds on: the engine carries every write over to a part that is
/// built, so that part is as good as a new one.
pub(super) fn begin(engine: &Engine, act: &Act) -> Result<(String, String), EngineError> {
    let (Act::CreateIndex {
        collection, name, ..
    }
    | Act::CreateRollup {
        collection, name, ..
    }) = act
    else {
        return Err(EngineError::Mutation("there is nothing to build".into()));
    };
    match state(engine, collection, name) {
        None => drop(engine.begin(act)?),
        // Nobody's who is on record; it proves itself like any other.
        Some(State::Active) => engine.publish(collection, name, false)?,
        Some(State::Building | State::Hidden) => {}
    }
    Ok((collection.clone(), name.clone()))
}

/// Gives it up, whatever there is of it.
pub(super) fn give_up(engine: &Engine, act: &Act) -> Result<(), EngineError> {
    let (Act::DropIndex { collection, name } | Act::DropRollup { collection, name }) = act else {
        return Err(EngineError::Mutation("there is nothing to drop".into()));
    };
    match state(engine, collection, name) {
        Some(_) => engine.begin(act).map(drop),
        None => Ok(()),
    }
}

/// How far an index or a rollup is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Building,
    Hidden,
    Active,
}

impl State {
    pub(super) fn of(state: &polity_engine::BuildState) -> Self {
        match state {
            polity_engine::BuildState::Building { .. } => Self::Building,
            polity_engine::BuildState::Hidden => Self::Hidden,
            polity_engine::BuildState::Active => Self::Active,
        }
    }
}

/// How far it is; none where it is not there.
pub(super) fn state(engine: &Engine, collection: &str, name: &str) -> Option<State> {
    let catalogue = engine.catalogue();
    let found = catalogue.collections.get(collection)?;
    let index = found.indexes.iter().find(|index| index.name == name);
    let rollup = found.rollups.iter().find(|rollup| rollup.name == name);
    let state = index
        .map(|index| &index.state)
        .or(rollup.map(|rollup| &rollup.state));
    state.map(State::of)
}
