//! Where the ledger is read: through the host that has it open, since only one process can, or directly.

use std::sync::Arc;

use polity_ledger::{Hash, Ledger, OpenError, Options, StoredEvent, SystemClock};
use serde_json::Value;

use crate::cli::Context;
use crate::cli::host::{Host, rows};
use crate::cli::presence::Server;
use crate::cli::report::Report;

/// A ledger, one way or the other.
pub(super) enum Source {
    /// The host has it open.
    Host(Box<Host>),
    /// We have.
    Folder(Ledger),
}

impl Source {
    /// The ledger that the arguments mean.
    pub(super) fn find(context: &Context) -> Result<Self, Report> {
        if context.common.host.url.is_some() {
            return Ok(Self::Host(Box::new(context.host()?)));
        }
        let data = context.common.place.data()?;
        let folder = data.join("ledger");
        if !folder.is_dir() {
            return Err(Report::new("there is no ledger yet")
                .because(format!("{} is not there", folder.display()))
                .hint("it is made when the company first runs: polity up"));
        }
        match Ledger::open(Options::new(&folder, Arc::new(SystemClock))) {
            Ok(ledger) => Ok(Self::Folder(ledger)),
            Err(OpenError::Locked { .. }) if Server::read(&data).is_some() => {
                Ok(Self::Host(Box::new(context.host()?)))
            }
            Err(error) => Err(Report::new("the ledger cannot be opened").caused_by(&error)),
        }
    }
}

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Wanted {
    pub(super) subject: Option<String>,
    pub(super) kind: Option<String>,
    pub(super) limit: u32,
}

impl Wanted {
    /// The newest of them, for the host.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let mut query = vec![
            ("last", "true".to_owned()),
            ("limit", self.limit.to_string()),
        ];
        query.extend(self.subject.clone().map(|subject| ("subject", subject)));
        query.extend(self.kind.clone().map(|kind| ("kind", kind)));
        query
    }
}

impl Source {
    /// The newest events that are wanted, oldest first, as CloudEvents.
    pub(super) async fn newest(&self, wanted: &Wanted) -> Result<Vec<Value>, Report> {
        let ledger = match self {
            Self::Host(host) => {
                return Ok(rows(&host.get(&["api", "ledger"], &wanted.query()).await?).to_vec());
            }
            Self::Folder(ledger) => ledger,
        };
        let limit = wanted.limit as usize;
        let events = match (&wanted.subject, &wanted.kind) {
            (Some(subject), _) => ledger.last_of(subject, limit),
            (None, Some(kind)) => ledger.last_of_kind(kind, limit),
            (None, None) => ledger.last(limit),
        };
        let events =
            events.map_err(|error| Report::new("the ledger cannot be read").caused_by(&error))?;
        let of_kind =
            |event: &StoredEvent| wanted.kind.as_ref().is_none_or(|kind| *kind == event.kind);
        Ok(events
            .iter()
            .filter(|event| of_kind(event))
            .map(StoredEvent::to_cloud_event)
            .collect())
    }

    /// The hash of one event, if there is such an event.
    pub(super) async fn hash(&self, seq: u64) -> Result<Option<Hash>, Report> {
        let Some(before) = seq.checked_sub(1) else {
            return Ok(None);
        };
        match self {
            Self::Folder(ledger) => {
                let event = ledger.event(seq);
                let event = event
                    .map_err(|error| Report::new("the ledger cannot be read").caused_by(&error))?;
                Ok(event.map(|event| event.hash))
            }
            Self::Host(host) => {
                let query = [("after", before.to_string()), ("limit", "1".to_owned())];
                let answer = host.get(&["api", "ledger"], &query).await?;
                let hash = rows(&answer)
                    .first()
                    .and_then(|event| event["hash"].as_str());
                Ok(hash.and_then(|hash| hash.parse().ok()))
            }
        }
    }
}
