//! Finding items, and counting them for the metrics.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::authority::{Actor, authority};
use crate::error::InboxError;
use crate::inbox::{Inbox, decode};
use crate::item::Item;
use crate::key;

const PAGE: usize = 200;

/// Which items to list. The default is all that are open.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Filter {
    /// Open or closed.
    pub which: Which,
    /// Only those that this role decides.
    pub role: Option<String>,
    /// Only this kind.
    pub kind: Option<String>,
    /// Only this subject.
    pub subject: Option<String>,
    /// Only those that this actor may decide.
    pub decidable_by: Option<Actor>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// Open items come by when they are due, then by age; otherwise the newest come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Which {
    /// What waits.
    #[default]
    Open,
    /// What was decided or has expired.
    Closed,
    /// Both.
    All,
}

/// How much waits.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Open items by kind.
    pub open: BTreeMap<String, u64>,
    /// When the oldest of them was raised.
    pub oldest_raised_at_ms: Option<u64>,
    /// How long it has waited, zero when nothing waits.
    pub oldest_age_ms: u64,
}

impl Inbox {
    /// The items that match.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn list(&self, filter: &Filter) -> Result<Vec<Item>, InboxError> {
        let limit = filter.limit.unwrap_or(usize::MAX);
        if filter.which != Which::Open {
            return self.list_newest(filter, limit);
        }
        let mut items = Vec::new();
        self.each_open(|_, id| {
            // Gone means closed since its entry was read.
            items.extend(self.get(id)?.filter(|item| filter.matches(item)));
            Ok(())
        })?;
        items.sort_by_key(|item| {
            (
                item.due_at_ms.unwrap_or(u64::MAX),
                item.raised_at_ms,
                item.id,
            )
        });
        items.truncate(limit);
        Ok(items)
    }

    /// How much waits, for metrics and for the number in the header.
    ///
    /// # Errors
    /// The ledger failed.
    pub fn counts(&self) -> Result<Counts, InboxError> {
        let mut counts = Counts::default();
        self.each_open(|kind, id| {
            *counts.open.entry(kind.to_owned()).or_default() += 1;
            // An id carries the time its item was raised at.
            let raised = id.get_timestamp().map(|time| time.to_unix());
            let raised =
                raised.map(|(seconds, nanos)| seconds * 1000 + u64::from(nanos) / 1_000_000);
            counts.oldest_raised_at_ms = counts.oldest_raised_at_ms.into_iter().chain(raised).min();
            Ok(())
        })?;
        counts.oldest_age_ms = counts
            .oldest_raised_at_ms
            .map_or(0, |at| self.clock.now_ms().saturating_sub(at));
        Ok(counts)
    }

    fn list_newest(&self, filter: &Filter, limit: usize) -> Result<Vec<Item>, InboxError> {
        let mut items = Vec::new();
        let mut before: Option<String> = None;
        while items.len() < limit {
            let page = self.ledger.scan_back(key::ITEMS, before.as_deref(), PAGE)?;
            for (key, bytes) in &page {
                items.extend(Some(decode(key, bytes)?).filter(|item| filter.matches(item)));
            }
            match page.into_iter().next_back() {
                Some((key, _)) => before = Some(key),
                None => break,
            }
        }
        items.truncate(limit);
        Ok(items)
    }

    fn each_open(
        &self,
        mut each: impl FnMut(&str, Uuid) -> Result<(), InboxError>,
    ) -> Result<(), InboxError> {
        let mut after: Option<String> = None;
        loop {
            let page = self.ledger.scan(key::OPEN, after.as_deref(), PAGE)?;
            for (key, id) in &page {
                let id = std::str::from_utf8(id).ok().and_then(|id| id.parse().ok());
                if let (Some(kind), Some(id)) = (key::kind_of_open(key), id) {
                    each(kind, id)?;
                }
            }
            match page.into_iter().next_back() {
                Some((key, _)) => after = Some(key),
                None => return Ok(()),
            }
        }
    }
}

impl Filter {
    fn matches(&self, item: &Item) -> bool {
        let is = |wanted: &Option<String>, value: &str| {
            wanted.as_ref().is_none_or(|wanted| wanted == value)
        };
        let which = match self.which {
            Which::Open => item.is_open(),
            Which::Closed => !item.is_open(),
            Which::All => true,
        };
        which
            && is(&self.role, &item.role)
            && is(&self.kind, &item.kind)
            && is(&self.subject, &item.subject)
            && self
                .decidable_by
                .as_ref()
                .is_none_or(|actor| authority(item, actor).is_ok())
    }
}
