//! A workflow asks a model: on the way that every completion takes, with its rules, its budget and its record.

use polity_runtime::Delta;
use polity_workflow::{Call, Fault, FaultKind};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{Performance, Unperformed};
use crate::Kernel;
use crate::completion::{Answer, CompleteError, CompletionRequest, Message};

impl Kernel {
    pub(super) async fn ask_a_model(&self, performance: Performance) -> Result<Value, Unperformed> {
        let Performance {
            actor,
            workflow,
            call,
            left,
            accepted,
            ..
        } = performance;
        let (mut request, schema) = request(call)?;
        request.deadline = left;
        request.protocol = Some(workflow);
        let answer = self
            .complete_accepted(&actor, request, false, accepted)
            .await
            .map_err(refused)?;
        let Answer::Whole(completed) = answer else {
            let why = "the model answered in pieces where a whole answer was asked for";
            return Err(Fault::new(FaultKind::Runtime, why).into());
        };
        let mut text = String::new();
        for piece in &completed.content {
            if let Delta::Text(piece) = piece {
                text.push_str(piece);
            }
        }
        if schema.is_null() {
            return Ok(json!({
                "text": text, "model": completed.model, "decision": completed.decision_id,
                "cost_micro": completed.cost_micro,
            }));
        }
        let answer: Value = serde_json::from_str(text.trim()).map_err(|error| {
            let why = format!("the model's answer is not the JSON that was asked for: {error}");
            Fault::new(FaultKind::Validation, why)
        })?;
        let fits = jsonschema::validator_for(&schema).ok().and_then(|schema| {
            schema
                .iter_errors(&answer)
                .next()
                .map(|error| error.to_string())
        });
        match fits {
            None => Ok(answer),
            Some(why) => {
                let why = format!("the model's answer does not fit its schema: {why}");
                Err(Fault::new(FaultKind::Validation, why).into())
            }
        }
    }
}

/// The request, and the schema of its answer.
fn request(call: Call) -> Result<(CompletionRequest, Value), Fault> {
    let mut needed = None;
    let (model, system, prompt, input, schema, budget, privacy) = match call {
        Call::Model {
            prompt,
            system,
            input,
            schema,
            budget,
            model,
            privacy,
            purpose: _,
        } => (
            model.unwrap_or_else(|| "auto".to_owned()),
            system,
            prompt,
            input,
            schema,
            budget,
            privacy,
        ),
        Call::Council {
            question,
            members,
            input,
            schema,
            budget,
            quorum,
        } => {
            let [name] = members.as_slice() else {
                let why = "name one council of models.json, `members: [NAME]`; which models sit on it stands there";
                return Err(Fault::new(FaultKind::Configuration, why));
            };
            let name = name.strip_prefix("council/").unwrap_or(name);
            needed = quorum.and_then(|quorum| usize::try_from(quorum).ok());
            let model = format!("council/{name}");
            (model, None, question, input, schema, budget, None)
        }
        _ => return Err(Fault::new(FaultKind::Runtime, "this asks no model")),
    };
    let asked = if input.is_null() {
        prompt
    } else {
        format!("{prompt}\n\n{input:#}")
    };
    let mut messages = Vec::new();
    messages.extend(system.map(|system| Message::text("system", &system)));
    messages.push(Message::text("user", &asked));
    let response_schema = if schema.is_null() {
        None
    } else {
        let text = RawValue::from_string(schema.to_string())
            .map_err(|error| Fault::new(FaultKind::Validation, error.to_string()))?;
        Some(text)
    };
    let mut wants = polity_router::Wants {
        max_cost: budget,
        ..Default::default()
    };
    match privacy.as_deref() {
        None | Some("public") => {}
        Some("local") => wants.local_only = true,
        Some(tag) => wants.compliance = vec![tag.to_owned()],
    }
    let request = CompletionRequest {
        response_schema,
        quorum: needed,
        wants: (wants != polity_router::Wants::default()).then_some(wants),
        ..CompletionRequest::new(model, messages)
    };
    Ok((request, schema))
}

fn refused(error: CompleteError) -> Unperformed {
    if let CompleteError::Escalated(decision) = &error
        && !decision.inbox_items.is_empty()
    {
        return Unperformed::Asked {
            items: decision.inbox_items.clone(),
            decision: decision.id,
        };
    }
    let why = error.to_string();
    let mut fault = match &error {
        CompleteError::Draining(_) => return Unperformed::Later,
        CompleteError::Invalid(_) => Fault::new(FaultKind::Validation, why),
        CompleteError::UnknownModel { .. } | CompleteError::NoModel(_) => {
            Fault::new(FaultKind::Configuration, why)
        }
        CompleteError::Denied(_)
        | CompleteError::Escalated(_)
        | CompleteError::Amendment { .. } => Fault::new(FaultKind::Authorization, why),
        CompleteError::OverBudget { .. } => Fault::communication(402, why),
        CompleteError::Deadline { .. } => Fault::new(FaultKind::Timeout, why),
        CompleteError::Plugin { error, .. } => super::connector::failed(error),
        _ => Fault::new(FaultKind::Runtime, why),
    };
    if let Some(decision) = error.decision_id() {
        fault.more.insert("decision".to_owned(), json!(decision));
    }
    Unperformed::Failed(fault)
}
