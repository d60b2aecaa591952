//! The steps about schedules.

use chrono::{DateTime, SecondsFormat};
use polity_workflow::{Plan, Workflow};

use super::gherkin::Step;
use super::steps::yaml;

/// A schedule and what it has started. The plan is stored after each wake, as a host does.
pub(crate) struct Clockwork<'w> {
    workflow: &'w Workflow,
    plan: String,
    starts: Vec<u64>,
}

impl<'w> Clockwork<'w> {
    pub(crate) fn new(workflow: &'w Workflow) -> Self {
        Self {
            workflow,
            plan: String::new(),
            starts: Vec::new(),
        }
    }

    fn plan(&self) -> Plan {
        serde_json::from_str(&self.plan).expect("the schedule has begun")
    }

    fn keep(&mut self, plan: &Plan) {
        self.plan = serde_json::to_string(plan).expect("a plan can be written");
    }

    fn wake(&mut self, now: u64) {
        let due = self
            .workflow
            .schedule()
            .expect("it has a schedule")
            .due(&self.plan(), now);
        self.keep(&due.plan);
        self.starts.extend(due.starts);
    }

    /// Performs a step. `None` where it is not about schedules.
    pub(crate) fn act(&mut self, step: &Step) -> Option<Result<(), String>> {
        let schedule = self.workflow.schedule()?;
        let at = || {
            let text = step
                .text
                .split('\'')
                .nth(1)
                .expect("a moment in quotation marks");
            let moment = DateTime::parse_from_rfc3339(text)
                .expect("a moment")
                .timestamp_millis();
            u64::try_from(moment).expect("after 1970")
        };
        let text = step.text.as_str();
        if text.starts_with("the schedule begins at ") {
            let plan = schedule.plan(at());
            self.keep(&plan);
        } else if text.starts_with("the host wakes at ") {
            self.wake(at());
        } else if text.starts_with("the host runs until ") {
            while let Some(next) = self.plan().next.filter(|next| *next <= at()) {
                self.wake(next);
            }
        } else if text.starts_with("an instance ends at ") {
            let plan = schedule.ended(&self.plan(), at());
            self.keep(&plan);
        } else if text == "it should have started at:" {
            let found: Vec<String> = self
                .starts
                .iter()
                .map(|ms| {
                    let at = DateTime::from_timestamp_millis(i64::try_from(*ms).unwrap()).unwrap();
                    at.to_rfc3339_opts(SecondsFormat::Secs, true)
                })
                .collect();
            let wanted = step.doc.as_deref().map(yaml).unwrap_or_default();
            let same = serde_json::json!(found) == wanted;
            return Some(if same {
                Ok(())
            } else {
                Err(format!("it started at {found:?}"))
            });
        } else {
            return None;
        }
        Some(Ok(()))
    }
}
