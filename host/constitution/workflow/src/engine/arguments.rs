//! What expressions can read, and how templates are filled.

use serde_json::{Map, Value, json};

use super::Fault;
use super::instance::FrameId;
use super::machine::{Machine, expression, validation};
use crate::schedule::rfc3339;
use crate::task::{Jq, Output, Schema, Template};

/// What `.` and `$output` are, and whose arguments count.
#[derive(Clone, Copy)]
pub(super) struct View<'v> {
    pub(super) frame: Option<FrameId>,
    pub(super) input: &'v Value,
    /// The raw output in `output.as`, the transformed one in `export.as`.
    pub(super) output: Option<&'v Value>,
}

impl<'v> View<'v> {
    pub(super) fn of(frame: FrameId, input: &'v Value) -> Self {
        Self {
            frame: Some(frame),
            input,
            output: None,
        }
    }
}

impl Machine<'_> {
    pub(super) fn eval(&self, jq: &Jq, view: View<'_>) -> Result<Value, Fault> {
        jq.eval(view.input, &|name| self.argument(name, view))
            .map_err(|why| expression(format!("`{}`: {why}", jq.source())))
    }

    pub(super) fn holds(&self, jq: &Jq, view: View<'_>) -> Result<bool, Fault> {
        jq.test(view.input, &|name| self.argument(name, view))
            .map_err(|why| expression(format!("`{}`: {why}", jq.source())))
    }

    /// True where a condition is absent or holds.
    pub(super) fn holds_if_any(&self, jq: Option<&Jq>, view: View<'_>) -> Result<bool, Fault> {
        jq.map_or(Ok(true), |jq| self.holds(jq, view))
    }

    pub(super) fn fill(&self, template: &Template, view: View<'_>) -> Result<Value, Fault> {
        Ok(match template {
            Template::Literal(value) => value.clone(),
            Template::Expr(jq) => self.eval(jq, view)?,
            Template::List(items) => Value::Array(
                items
                    .iter()
                    .map(|item| self.fill(item, view))
                    .collect::<Result<_, _>>()?,
            ),
            Template::Fields(fields) => Value::Object(
                fields
                    .iter()
                    .map(|(name, field)| Ok((name.clone(), self.fill(field, view)?)))
                    .collect::<Result<Map<_, _>, Fault>>()?,
            ),
        })
    }

    pub(super) fn fill_if_any(
        &self,
        template: Option<&Template>,
        view: View<'_>,
        otherwise: impl FnOnce() -> Value,
    ) -> Result<Value, Fault> {
        template.map_or_else(|| Ok(otherwise()), |template| self.fill(template, view))
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&self, template: &Template, view: View<'_>) -> Result<u64, Fault> {
        crate::duration::milliseconds(&self.fill(template, view)?).map_err(expression)
    }

    pub(super) fn fits(schema: Option<&Schema>, value: &Value, what: &str) -> Result<(), Fault> {
        schema.map_or(Ok(()), |schema| {
            schema
                .check(value)
                .map_err(|why| validation(format!("{what} does not fit its schema: {why}")))
        })
    }

    /// `output` or `as`: transforms and checks.
    pub(super) fn transformed(
        &self,
        output: &Output,
        value: Value,
        view: View<'_>,
        what: &str,
    ) -> Result<Value, Fault> {
        let value = self.fill_if_any(output.transform.as_ref(), view, || value)?;
        Self::fits(output.schema.as_ref(), &value, what)?;
        Ok(value)
    }

    fn argument(&self, name: &str, view: View<'_>) -> Value {
        let frame = view
            .frame
            .and_then(|frame| self.instance.frames.get(&frame));
        match name {
            "context" => (*self.instance.context).clone(),
            "input" => match frame {
                Some(frame) => (*frame.input).clone(),
                None => view.input.clone(),
            },
            "output" => view.output.cloned().unwrap_or_default(),
            "workflow" => json!({
                "id": self.instance.id,
                "definition": *self.workflow.source,
                "input": *self.instance.input,
                "startedAt": moment(self.instance.started),
            }),
            "runtime" => {
                json!({"name": "polity", "version": env!("CARGO_PKG_VERSION"), "metadata": {}})
            }
            "secrets" => self
                .workflow
                .secrets
                .iter()
                .map(|name| (name.clone(), Value::from(format!("{{{{secret:{name}}}}}"))))
                .collect::<Map<_, _>>()
                .into(),
            // The host authenticates on the way out; nothing of it enters an instance, which is stored and shown.
            "authorization" => Value::Null,
            "task" => {
                let Some(frame) = frame else {
                    return Value::Null;
                };
                let Some(task) = self.workflow.task(frame.task) else {
                    return Value::Null;
                };
                json!({
                    "name": task.name,
                    "reference": task.pointer,
                    "definition": self.workflow.source.pointer(&task.pointer),
                    "input": *frame.raw,
                    "output": view.output,
                    "startedAt": moment(frame.started),
                })
            }
            name => {
                let mut at = view.frame;
                while let Some(frame) = at.and_then(|id| self.instance.frames.get(&id)) {
                    if let Some(value) = frame.vars.get(name) {
                        return value.clone();
                    }
                    at = frame.parent;
                }
                Value::Null
            }
        }
    }
}

fn moment(ms: u64) -> Value {
    json!({"iso8601": rfc3339(ms), "epoch": {"seconds": ms / 1_000, "milliseconds": ms}})
}
