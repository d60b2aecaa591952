//! Workflows that start by themselves: plans in the ledger, so that no restart forgets a start and none makes it twice.

use std::sync::Arc;

use polity_constitution::Constitution;
use polity_ledger::{Commit, CommitError};
use polity_workflow::{Correlator, Plan, Schedule, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::batch::Batch;
use super::drive::{DriveError, Launch};
use super::key;
use super::start::Beginning;
use super::stored::{Cause, Stored};
use crate::Kernel;

/// The durable state of a schedule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Planned {
    /// As the document says it; another one is another plan.
    pub(super) schedule: Value,
    pub(super) plan: Plan,
    /// Events that it has collected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) correlator: Option<Correlator>,
}

impl Kernel {
    /// The state of a workflow's schedule; none where it has none, or had another schedule.
    fn known_plan(&self, workflow: &Workflow) -> Result<Option<Planned>, DriveError> {
        let written = &workflow.source()["schedule"];
        let known = self.inner.ledger.get(&key::plan(workflow.name()))?;
        let known: Option<Planned> = known.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        Ok(known.filter(|known| known.schedule == *written))
    }

    /// The state of a workflow's schedule, a new one where there is none.
    pub(super) fn planned(&self, workflow: &Workflow) -> Result<Planned, DriveError> {
        let known = self.known_plan(workflow)?;
        Ok(known.unwrap_or_else(|| Planned::new(workflow.source()["schedule"].clone())))
    }

    /// Plans every scheduled workflow of the constitution in force that has no plan yet, and starts what is due. Returns
    /// when the next start is.
    pub(super) async fn start_due(&self) -> Result<Option<u64>, DriveError> {
        let constitution = self.constitution();
        let mut next: Option<u64> = None;
        for workflow in constitution.workflows() {
            let Some(schedule) = workflow.schedule() else {
                continue;
            };
            if schedule.is_event_driven() {
                continue;
            }
            let _alone = self.inner.workflows.planning.lock().await;
            let planned = self.start_one(&constitution, workflow, schedule).await?;
            next = [next, planned].into_iter().flatten().min();
        }
        Ok(next)
    }

    async fn start_one(
        &self,
        constitution: &Arc<Constitution>,
        workflow: &Arc<Workflow>,
        schedule: &Schedule,
    ) -> Result<Option<u64>, DriveError> {
        let now_ms = self.inner.clock.now_ms();
        let place = key::plan(workflow.name());
        let mut planned = match self.known_plan(workflow)? {
            Some(planned) => planned,
            None => {
                let mut planned = self.planned(workflow)?;
                planned.plan = schedule.plan(now_ms);
                let keep = Commit::new().put(place.clone(), json!(planned).to_string());
                self.inner.ledger.commit(keep).await?;
                planned
            }
        };
        let due = schedule.due(&planned.plan, now_ms);
        if due.plan == planned.plan {
            return Ok(planned.plan.next);
        }
        // The plan is written when what it says has begun. In between the host may end: what is begun again then has the
        // same name, and is there already.
        for instant in &due.starts {
            let name = Schedule::start_key(workflow, *instant);
            let (desk, transition) = self.desk(Beginning {
                id: key::derived(*instant, &name),
                constitution: constitution.clone(),
                workflow: workflow.clone(),
                input: json!({}),
                actor: format!("schedule:{}", workflow.name()),
                cause: Cause::Schedule { at_ms: *instant },
            });
            let launch = Launch {
                desk,
                transition,
                name: None,
            };
            match self.launch(launch).await {
                Ok(()) | Err(DriveError::Commit(CommitError::Conflict { .. })) => {}
                Err(error) => return Err(error),
            }
        }
        if due.dropped > 0 {
            tracing::warn!(
                workflow = workflow.name(),
                dropped = due.dropped,
                "starts were missed while the host was down"
            );
        }
        let before = json!(planned).to_string();
        planned.plan = due.plan;
        let keep = Commit::new()
            .expect_value(place.clone(), before)
            .put(place, json!(planned).to_string());
        match self.inner.ledger.commit(keep).await {
            Ok(_) => Ok(planned.plan.next),
            // One that ended at once has planned the next already.
            Err(CommitError::Conflict { .. }) => Ok(self.planned(workflow)?.plan.next),
            Err(error) => Err(error.into()),
        }
    }

    /// Plans the next start of a workflow that starts again some time after it has ended.
    pub(super) fn plan_after(&self, stored: &Stored, batch: &mut Batch) -> Result<(), DriveError> {
        let constitution = self.constitution();
        let Some(workflow) = constitution.workflow(&stored.name) else {
            return Ok(());
        };
        let Some(schedule) = workflow.schedule() else {
            return Ok(());
        };
        let mut planned = self.planned(workflow)?;
        let next = schedule.ended(&planned.plan, self.inner.clock.now_ms());
        if next != planned.plan {
            planned.plan = next;
            batch.put(key::plan(workflow.name()), json!(planned).to_string());
            self.inner.workflows.wake.notify_one();
        }
        Ok(())
    }
}
