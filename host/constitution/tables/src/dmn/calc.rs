//! Asking a model. Decisions are computed when something asks for them, once each; depth and work are bounded because a
//! model may call itself.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::boxed::{Boxed, Function};
use super::model::Model;
use crate::decision::DecideError;
use crate::feel::{EvalError, Scope, Variables, evaluate};
use crate::value::Value;

const MAX_DEPTH: usize = 24;
const MAX_CALLS: usize = 20_000;

/// Why a model gave no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// There is no such decision.
    #[error("the model has no decision \"{0}\"")]
    UnknownDecision(String),
    /// The decision needs a part of DMN that is not carried out here.
    #[error("{0}")]
    Unsupported(String),
}

impl Model {
    /// The value of a decision. As DMN has it, what cannot be computed is null.
    ///
    /// # Errors
    /// The decision does not exist, or needs what is not carried out here.
    pub fn decide(
        &self,
        decision: &str,
        inputs: &BTreeMap<String, Value>,
    ) -> Result<Value, ModelError> {
        if !self.decisions.contains_key(decision) {
            return Err(ModelError::UnknownDecision(decision.to_owned()));
        }
        let run = Run::new(self, inputs);
        match run.value(decision) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(ModelError::Unsupported(error.to_string())),
            None => Ok(Value::Null),
        }
    }

    /// Calls a decision service or a business knowledge model with arguments by name.
    ///
    /// # Errors
    /// As [`Self::decide`].
    pub fn invoke(
        &self,
        name: &str,
        arguments: &BTreeMap<String, Value>,
    ) -> Result<Value, ModelError> {
        let run = Run::new(self, arguments);
        let named: Vec<_> = arguments
            .iter()
            .map(|(name, value)| (Some(Arc::from(name.as_str())), value.clone()))
            .collect();
        match run.call(&[Arc::from(name)], &named) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(ModelError::Unsupported(error.to_string())),
            None => Err(ModelError::UnknownDecision(name.to_owned())),
        }
    }
}

struct Run<'m> {
    model: &'m Model,
    inputs: &'m BTreeMap<String, Value>,
    known: RefCell<BTreeMap<&'m str, Value>>,
    depth: Cell<usize>,
    calls: Cell<usize>,
}

impl<'m> Run<'m> {
    fn new(model: &'m Model, inputs: &'m BTreeMap<String, Value>) -> Self {
        Self {
            model,
            inputs,
            known: RefCell::default(),
            depth: Cell::new(0),
            calls: Cell::new(0),
        }
    }

    fn deeper<T>(&self, work: impl FnOnce() -> Result<T, EvalError>) -> Result<T, EvalError> {
        self.calls.set(self.calls.get() + 1);
        if self.depth.get() >= MAX_DEPTH || self.calls.get() > MAX_CALLS {
            return Err(EvalError::TooDeep);
        }
        self.depth.set(self.depth.get() + 1);
        let result = work();
        self.depth.set(self.depth.get() - 1);
        result
    }

    fn boxed(&self, body: &Boxed, scope: &dyn Scope) -> Result<Value, EvalError> {
        match body {
            Boxed::Literal(expr) => null_where_undefined(evaluate(expr, scope)),
            Boxed::Table(table) => match table.decide_in(scope) {
                Ok(decision) => Ok(decision.value),
                Err(DecideError::Cell { reason, .. }) => Err(EvalError::UnknownFunction(reason)),
                Err(_) => Ok(Value::Null),
            },
            Boxed::Context(entries) => {
                let mut inner = Variables {
                    values: BTreeMap::new(),
                    outer: Some(scope),
                };
                for (name, entry) in entries {
                    if let (Boxed::Function(_), Some(name)) = (entry, name) {
                        return Err(EvalError::UnknownFunction(format!(
                            "{name} (a function within a context)"
                        )));
                    }
                    let value = self.boxed(entry, &inner)?;
                    match name {
                        Some(name) => {
                            inner.values.insert(name.clone(), value);
                        }
                        None => return Ok(value),
                    }
                }
                Ok(Value::Context(Arc::new(inner.values)))
            }
            Boxed::Invocation(callee, bindings) => {
                let path = callee
                    .as_path()
                    .ok_or_else(|| EvalError::UnknownFunction("an expression".to_owned()))?;
                let arguments = bindings
                    .iter()
                    .map(|(name, binding)| Ok((Some(name.clone()), self.boxed(binding, scope)?)))
                    .collect::<Result<Vec<_>, EvalError>>()?;
                let name = path
                    .iter()
                    .map(|part| &**part)
                    .collect::<Vec<_>>()
                    .join(".");
                self.call(&path, &arguments)
                    .unwrap_or(Err(EvalError::UnknownFunction(name)))
            }
            Boxed::List(items) => {
                let items = items
                    .iter()
                    .map(|item| self.boxed(item, scope))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok(Value::List(items.into()))
            }
            Boxed::Relation(columns, rows) => {
                let mut list = Vec::with_capacity(rows.len());
                for row in rows {
                    let cells = row
                        .iter()
                        .map(|cell| self.boxed(cell, scope))
                        .collect::<Result<Vec<_>, _>>()?;
                    list.push(Value::Context(Arc::new(
                        columns.iter().cloned().zip(cells).collect(),
                    )));
                }
                Ok(Value::List(list.into()))
            }
            Boxed::Function(_) => Err(EvalError::UnknownFunction(
                "a function as a value".to_owned(),
            )),
            Boxed::Unsupported(reason) if reason.contains("no logic") => Ok(Value::Null),
            Boxed::Unsupported(reason) => Err(EvalError::UnknownFunction(reason.clone())),
        }
    }

    fn apply(
        &self,
        function: &Function,
        arguments: &[(Option<Arc<str>>, Value)],
        scope: &dyn Scope,
    ) -> Result<Value, EvalError> {
        let mut values: BTreeMap<Arc<str>, Value> = BTreeMap::new();
        for (at, parameter) in function.parameters.iter().enumerate() {
            let by_name = arguments
                .iter()
                .find(|(name, _)| name.as_ref() == Some(parameter));
            let by_place = arguments.get(at).filter(|(name, _)| name.is_none());
            let value = by_name
                .or(by_place)
                .map(|(_, value)| value.clone())
                .unwrap_or_default();
            values.insert(parameter.clone(), value);
        }
        let inner = Variables {
            values,
            outer: Some(scope),
        };
        self.deeper(|| self.boxed(&function.body, &inner))
    }
}

impl Scope for Run<'_> {
    fn value(&self, name: &str) -> Option<Result<Value, EvalError>> {
        if let Some(value) = self.inputs.get(name) {
            return Some(Ok(value.clone()));
        }
        if self.model.inputs.contains_key(name) {
            return Some(Ok(Value::Null));
        }
        let (name, body) = self.model.decisions.get_key_value(name)?;
        if let Some(value) = self.known.borrow().get(&**name) {
            return Some(Ok(value.clone()));
        }
        let value = self.deeper(|| self.boxed(body, self));
        if let Ok(value) = &value {
            self.known.borrow_mut().insert(name, value.clone());
        }
        Some(value)
    }

    fn call(
        &self,
        path: &[Arc<str>],
        arguments: &[(Option<Arc<str>>, Value)],
    ) -> Option<Result<Value, EvalError>> {
        match path {
            [name] => {
                if let Some(function) = self.model.knowledge.get(name) {
                    return Some(self.apply(function, arguments, self));
                }
                let service = self.model.services.get(name)?;
                // A service sees what it is told and nothing else.
                let told: BTreeMap<String, Value> = arguments
                    .iter()
                    .enumerate()
                    .filter_map(|(at, (name, value))| {
                        let name = name.as_ref().or(service.parameters.get(at))?;
                        Some((name.to_string(), value.clone()))
                    })
                    .collect();
                let inner = Run {
                    depth: self.depth.clone(),
                    calls: self.calls.clone(),
                    ..Run::new(self.model, &told)
                };
                let mut values = Vec::new();
                for output in &service.outputs {
                    match self.deeper(|| inner.value(output).unwrap_or(Ok(Value::Null))) {
                        Ok(value) => values.push((output.clone(), value)),
                        Err(error) => return Some(Err(error)),
                    }
                }
                Some(Ok(match <[_; 1]>::try_from(values) {
                    Ok([(_, only)]) => only,
                    Err(values) => Value::Context(Arc::new(values.into_iter().collect())),
                }))
            }
            [prefix, rest @ ..] => {
                let model = self.model.imports.get(prefix)?;
                let inner = Run {
                    depth: self.depth.clone(),
                    calls: self.calls.clone(),
                    ..Run::new(model, self.inputs)
                };
                self.deeper(|| inner.call(rest, arguments).transpose())
                    .transpose()
            }
            [] => None,
        }
    }
}

fn null_where_undefined(value: Result<Value, EvalError>) -> Result<Value, EvalError> {
    match value {
        Err(EvalError::Kinds(_) | EvalError::Arithmetic(_)) => Ok(Value::Null),
        other => other,
    }
}
