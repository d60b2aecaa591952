//! After a crash: what to do with effects that were asked for and not answered.

use serde::{Deserialize, Serialize};

use super::instance::{Instance, State};
use super::machine::EffectRequest;
use crate::Workflow;
use crate::call::EffectClass;

/// What to do with an effect whose answer is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "recovery", rename_all = "lowercase")]
pub enum Recovery {
    /// Perform it (again): it was never sent, or sending it twice does no harm, or its author accepts that.
    Send {
        /// The effect.
        #[serde(flatten)]
        request: EffectRequest,
    },
    /// It may have happened and must not happen twice. Find out, or answer it with an error; do not send it.
    Unknown {
        /// The effect.
        #[serde(flatten)]
        request: EffectRequest,
    },
}

impl Instance {
    /// What a host that has just started must do for this instance. Effects that were answered are not among it.
    pub fn recover(&self, workflow: &Workflow) -> Vec<Recovery> {
        self.frames
            .values()
            .filter_map(|frame| {
                let State::Effect {
                    call,
                    class,
                    attempt,
                    sent,
                    ..
                } = &frame.state
                else {
                    return None;
                };
                let request = EffectRequest {
                    id: self.effect_id(frame, *attempt),
                    task: workflow.task(frame.task)?.pointer.clone(),
                    class: *class,
                    deadline: frame.deadline,
                    call: (**call).clone(),
                };
                Some(if *sent && *class == EffectClass::AtMostOnce {
                    Recovery::Unknown { request }
                } else {
                    Recovery::Send { request }
                })
            })
            .collect()
    }
}
