//! The judges of one kind of action, found once and not for each request.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::RwLock;
use polity_constitution::ActionKind;

use super::Judge;

/// The judges that guard one kind of action.
pub(crate) type Docket = Arc<[Arc<Judge>]>;

/// Kinds that are remembered. A company has dozens; a caller who makes them up only costs himself the search.
const MAX_KINDS: usize = 1024;

/// The dockets that have been asked for, by kind.
#[derive(Default)]
pub(super) struct Dockets(RwLock<HashMap<String, Docket>>);

impl Dockets {
    pub(super) fn of(&self, kind: &ActionKind, judges: &[Arc<Judge>]) -> Docket {
        if let Some(docket) = self.0.read().get(kind.as_str()) {
            return docket.clone();
        }
        let docket: Docket = judges
            .iter()
            .filter(|judge| judge.guards(kind))
            .cloned()
            .collect();
        let mut known = self.0.write();
        if known.len() >= MAX_KINDS {
            known.clear();
        }
        known.insert(kind.as_str().to_owned(), docket.clone());
        docket
    }
}
