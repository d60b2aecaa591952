//! From a task to an effect: arguments filled, checked and typed.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Fault;
use super::arguments::View;
use super::instance::{FrameId, State};
use super::machine::{EffectRequest, Machine, expression, shallow, validation};
use crate::call::{Call, EffectClass, Http, HttpOutput};
use crate::function::{Function, catalogued};
use crate::schedule::rfc3339;
use crate::task::{Kind, Task, Template};

impl Machine<'_> {
    /// Asks for the effect of a task.
    pub(super) fn request(
        &mut self,
        id: FrameId,
        task: &Task,
        input: &Arc<Value>,
    ) -> Result<(), Fault> {
        let (call, class) = match &task.kind {
            Kind::Emit(event) => (
                self.emitted(id, task, self.filled(event, id, input)?),
                EffectClass::Own,
            ),
            Kind::Run { workflow, awaited } => {
                let run = self.filled(workflow, id, input)?;
                let text = |name: &str| run[name].as_str().unwrap_or_default().to_owned();
                let call = Call::RunWorkflow {
                    namespace: text("namespace"),
                    name: text("name"),
                    version: run["version"].as_str().unwrap_or("latest").to_owned(),
                    input: run.get("input").cloned().unwrap_or_else(|| json!({})),
                    awaited: *awaited,
                };
                (call, EffectClass::Own)
            }
            Kind::Call(call) => {
                let arguments = self.filled(&call.arguments, id, input)?;
                (self.call(&call.function, arguments, input)?, call.class)
            }
            _ => return Ok(()),
        };
        let limit = match call.deadline() {
            Some(deadline) => Some(crate::duration::milliseconds(deadline).map_err(expression)?),
            None => None,
        };
        let Some(frame) = self.instance.frames.get_mut(&id) else {
            return Ok(());
        };
        if let Some(limit) = limit {
            let at = self.now.saturating_add(limit);
            frame.deadline = Some(frame.deadline.map_or(at, |earlier| earlier.min(at)));
        }
        let (path, deadline) = (frame.path.clone(), frame.deadline);
        let attempt = if self.is_in_try(id) {
            *self
                .instance
                .attempts
                .entry(path)
                .and_modify(|count| *count += 1)
                .or_insert(1)
        } else {
            1
        };
        let asks_person = matches!(
            call,
            Call::HumanApprove(_) | Call::HumanTask(_) | Call::HumanVote { .. }
        );
        self.state(
            id,
            State::Effect {
                call: Box::new(call.clone()),
                class,
                attempt,
                sent: false,
                held: false,
            },
        );
        if asks_person {
            self.waiting(id);
        }
        if let Some(frame) = self.instance.frames.get(&id) {
            let id = self.instance.effect_id(frame, attempt);
            self.requests.push(EffectRequest {
                id,
                task: task.pointer.clone(),
                class,
                deadline,
                call,
            });
        }
        Ok(())
    }

    /// Arguments, which become part of the state.
    fn filled(&self, template: &Template, id: FrameId, input: &Value) -> Result<Value, Fault> {
        let value = self.fill(template, View::of(id, input))?;
        shallow(&value)?;
        Ok(value)
    }

    /// A CloudEvent with the attributes that the author left out.
    fn emitted(&self, id: FrameId, task: &Task, event: Value) -> Call {
        let mut event = match event {
            Value::Object(fields) => fields,
            _ => Map::new(),
        };
        let path = self
            .instance
            .frames
            .get(&id)
            .map_or("", |frame| frame.path.as_str());
        let mut default = |name: &str, value: String| {
            event.entry(name).or_insert_with(|| value.into());
        };
        default("specversion", "1.0".to_owned());
        default("id", format!("{}{path}", self.instance.id));
        default("time", rfc3339(self.now));
        default(
            "source",
            format!(
                "/workflows/{}/{}",
                self.workflow.namespace, self.workflow.name
            ),
        );
        default("type", task.name.clone());
        Call::Emit {
            event: Value::Object(event),
        }
    }

    fn call(&self, function: &Function, arguments: Value, input: &Value) -> Result<Call, Fault> {
        let mut with = match arguments {
            Value::Object(fields) => fields,
            Value::Null => Map::new(),
            _ => return Err(expression("`with` must be an object".to_owned())),
        };
        match function {
            Function::BuiltIn(built) => {
                if built.name == "decide" {
                    with.entry("input").or_insert_with(|| input.clone());
                }
                Call::built_in(built.name, with).map_err(validation)
            }
            Function::Http => http(with, input).map(Call::Http),
            Function::OpenApi => Ok(Call::OpenApi {
                document: with.remove("document").unwrap_or_default(),
                operation_id: text(&with, "operationId"),
                parameters: with
                    .get("parameters")
                    .and_then(Value::as_object)
                    .cloned()
                    .unwrap_or_default(),
                authentication: with.remove("authentication").unwrap_or_default(),
                output: output(&with)?,
                redirect: with.get("redirect") == Some(&Value::Bool(true)),
            }),
            Function::Mcp => Ok(Call::Mcp { with }),
            Function::A2a => Ok(Call::A2a { with }),
            Function::Catalog(name) => {
                let (operation, version, catalog) = catalogued(name)
                    .ok_or_else(|| expression(format!("\"{name}\" is no catalogue name")))?;
                Ok(Call::Catalog {
                    name: operation.to_owned(),
                    version: version.to_owned(),
                    catalog: catalog.to_owned(),
                    input: Value::Object(with),
                })
            }
        }
    }
}

fn text(fields: &Map<String, Value>, name: &str) -> String {
    fields
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

fn output(with: &Map<String, Value>) -> Result<HttpOutput, Fault> {
    match with.get("output") {
        None => Ok(HttpOutput::default()),
        Some(value) => serde_json::from_value(value.clone()).map_err(|_| {
            validation(format!(
                "{value} is no output of an HTTP call: use raw, content or response"
            ))
        }),
    }
}

fn http(mut with: Map<String, Value>, input: &Value) -> Result<Http, Fault> {
    let endpoint = with.remove("endpoint").unwrap_or_default();
    let address = endpoint.as_str().or_else(|| endpoint["uri"].as_str());
    let Some(address) = address else {
        return Err(validation(
            "the endpoint of an HTTP call must be an address".to_owned(),
        ));
    };
    let mut fields = |name: &str| match with.remove(name) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(fields)) => Ok(fields),
        Some(_) => Err(validation(format!(
            "the {name} of an HTTP call must be an object"
        ))),
    };
    let (headers, query) = (fields("headers")?, fields("query")?);
    Ok(Http {
        method: text(&with, "method").to_ascii_uppercase(),
        uri: interpolated(address, input)?,
        headers,
        query,
        authentication: endpoint.get("authentication").cloned().unwrap_or_default(),
        output: output(&with)?,
        redirect: with.get("redirect") == Some(&Value::Bool(true)),
        body: with.remove("body").unwrap_or_default(),
    })
}

/// Fills `{name}` with the field of the input, percent-encoded, as simple expansion of RFC 6570 does. Data thus never
/// adds a path, a query or another host to an address.
fn interpolated(address: &str, input: &Value) -> Result<String, Fault> {
    let mut filled = String::with_capacity(address.len());
    let mut rest = address;
    while let Some(open) = rest.find('{') {
        filled.push_str(&rest[..open]);
        // A secret is put in by the host, on the way out.
        if rest[open..].starts_with("{{secret:")
            && let Some(close) = rest[open..].find("}}")
        {
            filled.push_str(&rest[open..open + close + 2]);
            rest = &rest[open + close + 2..];
            continue;
        }
        let Some(close) = rest[open..].find('}') else {
            rest = &rest[open..];
            break;
        };
        let name = &rest[open + 1..open + close];
        match &input[name] {
            Value::String(text) => encode(&mut filled, text),
            Value::Number(number) => encode(&mut filled, &number.to_string()),
            Value::Bool(truth) => encode(&mut filled, &truth.to_string()),
            _ => {
                return Err(expression(format!(
                    "the address needs \"{name}\", which the input does not have as text or number"
                )));
            }
        }
        rest = &rest[open + close + 1..];
    }
    filled.push_str(rest);
    Ok(filled)
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_in_an_address_stays_one_part_of_it() {
        let input = json!({"id": 7, "name": "a/../b?x=1&é", "deep": {}});
        let fill = |address| interpolated(address, &input);
        assert_eq!(
            fill("https://x.example/{id}?q={name}").unwrap(),
            "https://x.example/7?q=a%2F..%2Fb%3Fx%3D1%26%C3%A9"
        );
        assert!(
            fill("https://x.example/{missing}")
                .unwrap_err()
                .detail
                .unwrap()
                .contains("missing")
        );
        assert!(fill("https://x.example/{deep}").is_err());
        assert_eq!(
            fill("https://x.example/{open").unwrap(),
            "https://x.example/{open"
        );
    }
}
