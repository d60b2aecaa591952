//! A council or a cascade that the rules let happen, until it has ended and is on record.

use std::sync::Arc;
use std::time::Instant;

use polity_constitution::CompletionRecords;
use polity_ledger::Commit;
use polity_runtime::Delta;
use polity_runtime::plugin::Outcome;
use uuid::Uuid;

use crate::Kernel;
use crate::completion::about::About;
use crate::completion::running::micros;
use crate::completion::{
    CompleteError, Completed, CompletionRecord, CompletionStatus, Failure, PARTY,
};
use crate::drain::Visit;
use crate::record::Record;

/// `Some` until it has ended. Dropped before that, its caller has gone.
pub(super) struct Session(Option<Box<Open>>);

struct Open {
    kernel: Kernel,
    _visit: Visit,
    id: Uuid,
    record: Record,
    completion: CompletionRecord,
    records: CompletionRecords,
    started: Instant,
}

/// An answer that was found.
pub(super) struct Met {
    pub(super) content: Vec<Delta>,
    pub(super) outcome: Outcome,
    pub(super) cost_micro: u64,
    /// One sentence of printable ASCII.
    pub(super) why: String,
    pub(super) about: About,
}

/// No answer was found.
pub(super) struct Unmet {
    pub(super) detail: String,
    /// The first failure of a model, where one failed.
    pub(super) cause: Option<Box<CompleteError>>,
    pub(super) about: Box<About>,
}

impl Session {
    pub(super) fn new(
        kernel: &Kernel,
        visit: Visit,
        id: Uuid,
        record: Record,
        completion: CompletionRecord,
        records: CompletionRecords,
        started: Instant,
    ) -> Self {
        Self(Some(Box::new(Open {
            kernel: kernel.clone(),
            _visit: visit,
            id,
            record,
            completion,
            records,
            started,
        })))
    }

    /// Records an answer. The models' own records say what was used and paid; this one adds nothing to that.
    pub(super) async fn answered(mut self, met: Met) -> Result<Completed, CompleteError> {
        let Some(open) = self.0.take() else {
            return Err(CompleteError::Invalid("it has ended already".to_owned()));
        };
        let (id, model): (Uuid, Arc<str>) = (open.id, open.completion.model.clone());
        let finish = met.outcome.finish.clone();
        open.write(
            CompletionStatus::Answered,
            Some(finish),
            None,
            Some(&met.about),
        )
        .await?;
        Ok(Completed {
            decision_id: id,
            model,
            plugin: PARTY.into(),
            why: Some(met.why.into()),
            content: met.content,
            outcome: met.outcome,
            cost_micro: met.cost_micro,
            about: Some(Box::new(met.about)),
        })
    }

    /// Records that there is no answer.
    pub(super) async fn failed(
        mut self,
        failure: Failure,
        about: Option<About>,
    ) -> Result<(), CompleteError> {
        match self.0.take() {
            Some(open) => {
                open.write(
                    CompletionStatus::Failed,
                    None,
                    Some(failure),
                    about.as_ref(),
                )
                .await
            }
            None => Ok(()),
        }
    }
}

impl Open {
    fn event(
        &mut self,
        status: CompletionStatus,
        finish: Option<String>,
        error: Option<Failure>,
        about: Option<&About>,
    ) -> Record {
        let completion = CompletionRecord {
            status,
            finish,
            error,
            about: about.map(|about| Box::new(about.shortened())),
            took_us: micros(self.started.elapsed()),
            ..self.completion.clone()
        };
        let mut record = self.record.clone();
        record.details.completion = Some(completion);
        record
    }

    async fn write(
        mut self: Box<Self>,
        status: CompletionStatus,
        finish: Option<String>,
        error: Option<Failure>,
        about: Option<&About>,
    ) -> Result<(), CompleteError> {
        let record = self.event(status, finish, error, about);
        self.kernel.write(self.id, record, self.records).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let Some(mut open) = self.0.take() else {
            return;
        };
        let record = open.event(CompletionStatus::Cancelled, None, None, None);
        let id = open.id;
        let inner = &*open.kernel.inner;
        if let Some(completion) = &record.details.completion {
            inner.ended(id, completion, &[]);
        }
        let commit = Commit::new().event(record.event(id));
        if let Err(error) = inner.ledger.commit_relaxed(commit) {
            tracing::error!(%error, %id, "a cancelled completion could not be recorded");
        }
    }
}
