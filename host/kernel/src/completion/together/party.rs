//! Who takes part: the models that `models.json` names, less those that may not answer such a request.

use std::sync::Arc;

use polity_dispatch::{Candidate, Price};
use polity_router::{CascadeSpec, CheckSpec, CouncilSpec, Decision};
use polity_runtime::digest::Digest;
use polity_runtime::registry::Runtime;
use serde_json::json;

use crate::completion::{CompletionRequest, PARTY, price};
use crate::models::{Arrangement, ModelEntry, Models};

/// Those who answer together.
pub(super) enum Party {
    /// They decide together.
    Council {
        spec: CouncilSpec,
        seats: Vec<Arc<ModelEntry>>,
        left_out: Vec<String>,
    },
    /// They are asked one after the other.
    Cascade {
        /// With the steps that are left.
        spec: CascadeSpec,
        /// Of each step.
        seats: Vec<Arc<ModelEntry>>,
        left_out: Vec<String>,
    },
}

impl Party {
    /// None where nobody is left.
    pub(super) fn of(
        models: &Models,
        runtime: &Runtime,
        decision: &Decision,
        arrangement: Arrangement,
    ) -> Option<Self> {
        let may = |key: &str| {
            decision
                .eligible()
                .any(|candidate| &*candidate.model == key)
        };
        let seat = |name: &str| {
            let model = models.named(runtime, name);
            model.filter(|model| may(&model.key))
        };
        let mut left_out = Vec::new();
        let party = match arrangement {
            Arrangement::Council(spec) => {
                let mut seats = Vec::with_capacity(spec.members.len());
                for member in &spec.members {
                    match seat(member) {
                        Some(model) => seats.push(model),
                        None => left_out.push(member.clone()),
                    }
                }
                Self::Council {
                    spec,
                    seats,
                    left_out,
                }
            }
            Arrangement::Cascade(mut spec) => {
                let mut seats = Vec::with_capacity(spec.steps.len());
                spec.steps.retain(|step| match seat(&step.model) {
                    Some(model) => {
                        seats.push(model);
                        true
                    }
                    None => {
                        left_out.push(step.model.clone());
                        false
                    }
                });
                Self::Cascade {
                    spec,
                    seats,
                    left_out,
                }
            }
        };
        (!party.seats().is_empty()).then_some(party)
    }

    fn seats(&self) -> &[Arc<ModelEntry>] {
        match self {
            Self::Council { seats, .. } | Self::Cascade { seats, .. } => seats,
        }
    }

    /// The most that all of it should cost.
    pub(super) fn estimate(&self, request: &CompletionRequest) -> u64 {
        let bytes = request.bytes();
        let of = |seat: &ModelEntry, times: u64| {
            price::estimate(&seat.info, bytes, request.max_output_tokens).saturating_mul(times)
        };
        let (sum, cap) = match self {
            Self::Council { spec, seats, .. } => {
                let rounds = u64::from(spec.rounds) + 1;
                let sum = seats.iter().map(|seat| of(seat, rounds));
                (sum.fold(0, u64::saturating_add), spec.max_cost)
            }
            Self::Cascade { spec, seats, .. } => {
                let sum = spec.steps.iter().zip(seats).map(|(step, seat)| {
                    let samples = step.checks.iter().find_map(|check| match check {
                        CheckSpec::Agree { samples, .. } => Some(u64::from(*samples)),
                        _ => None,
                    });
                    of(seat, samples.unwrap_or(1) + u64::from(step.corrections))
                });
                (sum.fold(0, u64::saturating_add), spec.max_cost)
            }
        };
        sum.min(cap.unwrap_or(u64::MAX))
            .min(max_cost(request).unwrap_or(u64::MAX))
    }

    /// What rules are told of it: as local as its least local model, as dear as its dearest.
    pub(super) fn facts(&self, name: &str) -> String {
        let seats = self.seats();
        let region = seats.first().and_then(|seat| seat.info.region.clone());
        let is_one_region = seats.iter().all(|seat| seat.info.region == region);
        let dearest =
            |price: fn(&ModelEntry) -> u64| seats.iter().map(|seat| price(seat)).max().unwrap_or(0);
        let told = json!({
            "id": name,
            "plugin": PARTY,
            "local": seats.iter().all(|seat| seat.info.local),
            "region": region.filter(|_| is_one_region),
            "input_price": dearest(|seat| seat.info.input_price),
            "output_price": dearest(|seat| seat.info.output_price),
            "models": seats.iter().map(|seat| &*seat.key).collect::<Vec<_>>(),
        });
        format!("\"model\":{told}")
    }

    /// What it is made of, in place of a plugin's bytes.
    pub(super) fn digest(&self) -> Digest {
        let text = match self {
            Self::Council { spec, .. } => json!(spec).to_string(),
            Self::Cascade { spec, .. } => json!(spec).to_string(),
        };
        Digest::of(text.as_bytes())
    }
}

/// The most that the caller pays.
pub(super) fn max_cost(request: &CompletionRequest) -> Option<u64> {
    request.wants.as_ref().and_then(|wants| wants.max_cost)
}

/// The smaller of two limits.
pub(super) fn smaller(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// A seat as the machines want it.
pub(super) fn candidate(seat: &ModelEntry, request: &CompletionRequest) -> Candidate {
    Candidate {
        local: seat.info.local,
        estimate_micro: price::estimate(&seat.info, request.bytes(), request.max_output_tokens),
        price: Price {
            input: seat.info.input_price,
            output: seat.info.output_price,
        },
        context_tokens: seat.info.context_tokens.into(),
        ..Candidate::new(seat.plugin.clone(), seat.id().clone())
    }
}
