//! What rules get to see of an effect, and how what they change comes back into it.

use polity_constitution::ActionKind;
use polity_workflow::Call;
use serde_json::{Value, json};

/// The kinds of action that an effect is: what its author calls it, where he does, and what it is by its function.
pub(super) struct Kinds {
    /// Judged whether or not a rule guards it.
    pub(super) always: Option<ActionKind>,
    /// Judged where a rule guards it.
    pub(super) guarded: Option<ActionKind>,
}

impl Kinds {
    /// `declared` is the task's `metadata.action`.
    pub(super) fn of(call: &Call, declared: Option<&str>) -> Result<Self, String> {
        let parse = |kind: &str| {
            kind.parse::<ActionKind>()
                .map_err(|error| error.to_string())
        };
        // What the author calls it counts; what it is otherwise need not be a kind then.
        let declared = declared.map(parse).transpose()?;
        let is_named = declared.is_some();
        let parse = |kind: &str| match parse(kind) {
            Err(_) if is_named => Ok(None),
            parsed => parsed.map(Some),
        };
        let own = match call {
            // A completion is judged on its own way, with all that is known of the model.
            Call::Model { .. } | Call::Council { .. } => None,
            Call::Connector {
                plugin, operation, ..
            } => parse(&format!("{plugin}.{operation}"))?,
            Call::Catalog { name, catalog, .. } if catalog == "default" => parse(name)?,
            Call::Catalog { name, catalog, .. } => parse(&format!("{catalog}.{name}"))?,
            Call::Decide { .. } => parse("decision.evaluate")?,
            call => parse(call.kind())?,
        };
        // What stays inside the company, or only asks, needs no rule to happen.
        let is_inner = matches!(
            call,
            Call::Decide { .. }
                | Call::RecordsQuery { .. }
                | Call::HumanApprove(_)
                | Call::HumanTask(_)
                | Call::HumanVote { .. }
                | Call::Emit { .. }
                | Call::RunWorkflow { .. }
        );
        Ok(match declared {
            Some(declared) => Self {
                guarded: own.filter(|own| *own != declared),
                always: Some(declared),
            },
            None if is_inner => Self {
                always: None,
                guarded: own,
            },
            None => Self {
                always: own,
                guarded: None,
            },
        })
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &ActionKind> {
        self.always.iter().chain(&self.guarded)
    }
}

/// The input of the action, a JSON object.
pub(super) fn input(call: &Call) -> Value {
    match call {
        Call::Connector { input, .. } | Call::Catalog { input, .. } => match input {
            Value::Object(_) => input.clone(),
            other => json!({ "input": other }),
        },
        Call::RecordsInsert {
            collection,
            record,
            id,
        } => {
            let mut document = record.clone();
            if let Some(id) = id {
                document.insert("id".to_owned(), id.as_str().into());
            }
            json!({ "collections": [collection], "documents": [document] })
        }
        Call::RecordsUpdate {
            collection,
            id,
            set,
            expect,
        } => json!({ "collections": [collection], "id": id, "set": set, "expect": expect }),
        Call::RecordsQuery {
            collection, filter, ..
        } => json!({ "collections": [collection], "where": filter }),
        Call::Emit { event } => event.clone(),
        call => {
            let mut fields = serde_json::to_value(call).unwrap_or_default();
            if let Some(fields) = fields.as_object_mut() {
                fields.remove("call");
                fields.remove("authentication");
            }
            fields
        }
    }
}

/// The effect in the form that the rules or people gave its input.
pub(super) fn amended(call: &Call, form: &Value) -> Result<Call, String> {
    let mut fields = serde_json::to_value(call).map_err(|error| error.to_string())?;
    match call {
        Call::Connector { input, .. } | Call::Catalog { input, .. } => {
            fields["input"] = match input {
                Value::Object(_) => form.clone(),
                _ => form["input"].clone(),
            };
        }
        Call::RecordsInsert { collection, .. } => {
            let documents = form["documents"].as_array().map(Vec::as_slice);
            let (true, Some([document])) = (form["collections"] == json!([collection]), documents)
            else {
                return Err("it is not one document of the same collection any more".to_owned());
            };
            fields["record"] = document.clone();
        }
        Call::RecordsUpdate { collection, .. } => {
            if form["collections"] != json!([collection]) {
                return Err("it names another collection".to_owned());
            }
            for name in ["id", "set", "expect"] {
                fields[name] = form[name].clone();
            }
        }
        Call::RecordsQuery { collection, .. } => {
            if form["collections"] != json!([collection]) {
                return Err("it names another collection".to_owned());
            }
            fields["where"] = form["where"].clone();
        }
        Call::Emit { .. } => fields["event"] = form.clone(),
        _ => {
            for (name, value) in form.as_object().into_iter().flatten() {
                fields[name] = value.clone();
            }
        }
    }
    let changed: Call = serde_json::from_value(fields).map_err(|error| error.to_string())?;
    if changed.kind() == call.kind() {
        Ok(changed)
    } else {
        Err(format!("it is no {} any more", call.kind()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(value: Value) -> Call {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn rules_see_the_data_of_an_effect_and_change_it() {
        for (effect, input_of, form, field) in [
            (
                json!({"call": "connector", "plugin": "payments", "operation": "refund", "input": {"amount": 50}}),
                json!({"amount": 50}),
                json!({"amount": 40}),
                "/input/amount",
            ),
            (
                json!({"call": "records.insert", "collection": "notes", "record": {"n": 50}}),
                json!({"collections": ["notes"], "documents": [{"n": 50}]}),
                json!({"collections": ["notes"], "documents": [{"n": 40}]}),
                "/record/n",
            ),
            (
                json!({"call": "http", "method": "POST", "uri": "https://x.example/", "output": "content",
                    "redirect": false, "body": 50}),
                json!({"method": "POST", "uri": "https://x.example/", "output": "content", "redirect": false, "body": 50}),
                json!({"body": 40}),
                "/body",
            ),
        ] {
            let effect = call(effect);
            assert_eq!(input(&effect), input_of);
            let changed = amended(&effect, &form).unwrap();
            assert_eq!(
                serde_json::to_value(&changed).unwrap().pointer(field),
                Some(&json!(40))
            );
        }
    }

    #[test]
    fn a_change_that_makes_something_else_of_an_effect_is_refused() {
        let insert = call(json!({"call": "records.insert", "collection": "notes", "record": {}}));
        let elsewhere = json!({"collections": ["payments"], "documents": [{}]});
        assert!(amended(&insert, &elsewhere).is_err());
        let http = call(json!({"call": "http", "method": "GET", "uri": "https://x.example/"}));
        assert!(amended(&http, &json!({"call": "emit", "event": {}})).is_err());
        assert!(amended(&http, &json!({"hedaers": {}})).is_err());
    }

    #[test]
    fn what_goes_outside_is_always_judged_and_what_stays_inside_where_a_rule_guards_it() {
        let http = call(json!({"call": "http", "method": "GET", "uri": "https://x.example/"}));
        let kinds = Kinds::of(&http, Some("refund.pay")).unwrap();
        assert_eq!(kinds.always.unwrap().as_str(), "refund.pay");
        assert_eq!(kinds.guarded.unwrap().as_str(), "http");
        let table = call(json!({"call": "decide", "table": "limits"}));
        let kinds = Kinds::of(&table, None).unwrap();
        assert!(kinds.always.is_none());
        assert_eq!(kinds.guarded.unwrap().as_str(), "decision.evaluate");
        assert!(Kinds::of(&http, Some("Refund pay")).is_err());
    }
}
