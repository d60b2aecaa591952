//! What waits for people, by what it is about.

use std::collections::BTreeMap;

use polity_inbox::Counts;
use serde::Serialize;

use crate::workflows::{GATE, TASK, VOTE};
use crate::{amendments, escalation, schema, uncovered};

/// What the house asks people about. Each is counted where nothing of it waits, too: a gauge that is gone cannot be told
/// from a host that is gone.
const KINDS: [&str; 7] = [
    amendments::ITEM,
    escalation::ITEM,
    GATE,
    schema::ITEM,
    TASK,
    uncovered::ITEM,
    VOTE,
];

/// What other items are counted as.
const OTHER: &str = "other";

/// What waits for people.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct InboxCount {
    /// Items that nobody has decided, by their kind.
    pub open: BTreeMap<&'static str, u64>,
    /// How long the oldest has waited.
    pub oldest_age_ms: u64,
}

impl InboxCount {
    pub(crate) fn of(counts: &Counts) -> Self {
        let mut open: BTreeMap<_, _> = KINDS.into_iter().map(|kind| (kind, 0)).collect();
        for (kind, count) in &counts.open {
            let known = KINDS.into_iter().find(|known| known == kind);
            *open.entry(known.unwrap_or(OTHER)).or_default() += count;
        }
        Self {
            open,
            oldest_age_ms: counts.oldest_age_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_counted_and_unknown_ones_together() {
        let open = [("approval", 2), ("made-up", 3), ("thought-up", 4)];
        let counts = Counts {
            open: open.map(|(kind, count)| (kind.to_owned(), count)).into(),
            ..Counts::default()
        };
        let count = InboxCount::of(&counts);
        assert_eq!(count.open.len(), KINDS.len() + 1);
        assert_eq!(count.open["approval"], 2);
        assert_eq!(count.open["vote"], 0);
        assert_eq!(count.open["other"], 7);
    }
}
