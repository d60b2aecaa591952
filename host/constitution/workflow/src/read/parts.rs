//! The parts that many kinds of task share: expressions, templates, schemas, timeouts, event filters, the schedule.

use std::sync::Arc;

use serde_json::Value;

use super::Reader;
use crate::duration::milliseconds;
use crate::jq::{Expr, is_expression};
use crate::schedule::{Misfire, Schedule, Trigger};
use crate::task::{
    Correlation, Filter, Input, Jq, Mode, Output, Read, Schema, Strategy, Template, Until,
};
use crate::text::escaped;

impl Reader<'_> {
    /// A field that is an expression, with or without `${ }`.
    pub(super) fn expression(&mut self, value: &Value, pointer: &str) -> Option<Jq> {
        let source = value.as_str()?;
        let key = (source.to_owned(), self.scope.clone());
        if let Some(known) = self.compiled.get(&key) {
            return Some(Arc::clone(known));
        }
        match Expr::compile(source, self.dialect, &self.scope) {
            Ok(compiled) => {
                let compiled = Arc::new(compiled);
                self.compiled.insert(key, Arc::clone(&compiled));
                Some(compiled)
            }
            Err(why) => {
                self.wrong("bad-expression", pointer, why, "correct the jq expression");
                None
            }
        }
    }

    /// A value in which texts of the form `${ ... }` are expressions.
    pub(super) fn template(&mut self, value: &Value, pointer: &str) -> Template {
        match value {
            Value::String(text) if is_expression(text) => self
                .expression(value, pointer)
                .map_or(Template::Literal(Value::Null), Template::Expr),
            Value::Array(items) => {
                let items: Vec<_> = items
                    .iter()
                    .enumerate()
                    .map(|(index, item)| self.template(item, &format!("{pointer}/{index}")))
                    .collect();
                if items
                    .iter()
                    .all(|item| matches!(item, Template::Literal(_)))
                {
                    Template::Literal(value.clone())
                } else {
                    Template::List(items)
                }
            }
            Value::Object(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, field)| {
                        (
                            name.clone(),
                            self.template(field, &format!("{pointer}/{}", escaped(name))),
                        )
                    })
                    .collect();
                if fields
                    .iter()
                    .all(|(_, field)| matches!(field, Template::Literal(_)))
                {
                    Template::Literal(value.clone())
                } else {
                    Template::Fields(fields)
                }
            }
            plain => Template::Literal(plain.clone()),
        }
    }

    /// `from`, `as` and `in`: a text is always an expression, an object may hold some.
    pub(super) fn transform(&mut self, value: &Value, pointer: &str) -> Option<Template> {
        match value {
            Value::Null => None,
            Value::String(_) => self.expression(value, pointer).map(Template::Expr),
            other => Some(self.template(other, pointer)),
        }
    }

    pub(super) fn input(&mut self, input: &Value, pointer: &str) -> Input {
        Input {
            schema: self.schema(&input["schema"], &format!("{pointer}/schema")),
            from: self.transform(&input["from"], &format!("{pointer}/from")),
        }
    }

    pub(super) fn output(&mut self, output: &Value, pointer: &str) -> Output {
        Output {
            schema: self.schema(&output["schema"], &format!("{pointer}/schema")),
            transform: self.transform(&output["as"], &format!("{pointer}/as")),
        }
    }

    fn schema(&mut self, schema: &Value, pointer: &str) -> Option<Schema> {
        if schema.is_null() {
            return None;
        }
        let format = schema["format"].as_str().unwrap_or("json");
        if format != "json" && !format.starts_with("json:") {
            self.wrong(
                "unknown-format",
                format!("{pointer}/format"),
                format!("schemas in \"{format}\" cannot be checked"),
                "write a JSON Schema",
            );
            return None;
        }
        if schema.get("resource").is_some() {
            self.not_as_a_whole(
                "external-schema",
                &format!("{pointer}/resource"),
                "a schema that lies elsewhere can change under a version that must not change",
                "write the schema inline, under `document`",
            );
            return None;
        }
        match jsonschema::validator_for(&schema["document"]) {
            Ok(validator) => Some(Schema(Arc::new(validator))),
            Err(error) => {
                let about: String = error.to_string().chars().take(200).collect();
                self.wrong(
                    "bad-schema",
                    format!("{pointer}/document"),
                    about,
                    "correct the JSON Schema",
                );
                None
            }
        }
    }

    pub(super) fn timeout(&mut self, timeout: &Value, pointer: &str) -> Option<Template> {
        match timeout {
            Value::Null => None,
            Value::String(name) => {
                let root = self.text.value["use"]["timeouts"][name.as_str()]["after"].clone();
                if root.is_null() {
                    self.wrong(
                        "unknown-timeout",
                        pointer,
                        format!("there is no timeout \"{name}\" under `use.timeouts`"),
                        "add it there, or write the duration here",
                    );
                    return None;
                }
                Some(self.duration(&root, pointer))
            }
            timeout => Some(self.duration(&timeout["after"], &format!("{pointer}/after"))),
        }
    }

    /// A duration; one without expressions is checked at once.
    pub(super) fn duration(&mut self, duration: &Value, pointer: &str) -> Template {
        let template = self.template(duration, pointer);
        if let Template::Literal(value) = &template
            && let Err(why) = milliseconds(value)
        {
            self.wrong("bad-duration", pointer, why, "write it like PT30S");
        }
        template
    }

    pub(super) fn strategy(&mut self, to: &Value, pointer: &str) -> Strategy {
        let (mode, filters) = if let Some(one) = to.get("one") {
            (Mode::One, vec![self.filter(one, &format!("{pointer}/one"))])
        } else {
            let (mode, field) = if to.get("all").is_some() {
                (Mode::All, "all")
            } else {
                (Mode::Any, "any")
            };
            let filters = to[field]
                .as_array()
                .into_iter()
                .flatten()
                .enumerate()
                .map(|(index, filter)| self.filter(filter, &format!("{pointer}/{field}/{index}")))
                .collect();
            (mode, filters)
        };
        let here = format!("{pointer}/until");
        let until = match &to["until"] {
            Value::String(_) => self.expression(&to["until"], &here).map(Until::Condition),
            Value::Object(_) => Some(Until::Events(Box::new(self.strategy(&to["until"], &here)))),
            _ => None,
        };
        if mode == Mode::All && filters.is_empty() {
            self.wrong(
                "empty-listen",
                pointer,
                "this waits for all of no events",
                "name the events",
            );
        }
        Strategy {
            mode,
            filters,
            until,
        }
    }

    fn filter(&mut self, filter: &Value, pointer: &str) -> Filter {
        let with = filter["with"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| {
                let here = format!("{pointer}/with/{}", escaped(name));
                (name.clone(), self.template(value, &here))
            })
            .collect();
        let correlate = filter["correlate"]
            .as_object()
            .into_iter()
            .flatten()
            .filter_map(|(name, rule)| {
                let here = format!("{pointer}/correlate/{}", escaped(name));
                let from = self.expression(&rule["from"], &format!("{here}/from"))?;
                let expect = rule
                    .get("expect")
                    .map(|expect| self.template(expect, &format!("{here}/expect")));
                Some(Correlation {
                    name: name.clone(),
                    from,
                    expect,
                })
            })
            .collect();
        Filter { with, correlate }
    }

    pub(super) fn read_as(value: &Value) -> Read {
        match value.as_str() {
            Some("envelope") => Read::Envelope,
            _ => Read::Data,
        }
    }

    pub(super) fn schedule(&mut self, source: &Value) -> Option<Schedule> {
        let schedule = source.get("schedule")?;
        // The specification has no place for these two; metadata is the place it leaves open.
        let ours = &source["document"]["metadata"]["schedule"];
        let zone = ours["zone"].as_str().unwrap_or("UTC");
        let misfire = match ours["misfire"].as_str() {
            None | Some("once") => Misfire::Once,
            Some("skip") => Misfire::Skip,
            Some("all") => Misfire::All,
            Some(other) => {
                self.wrong(
                    "unknown-misfire",
                    "/document/metadata/schedule/misfire",
                    format!("\"{other}\" is no policy for missed starts"),
                    "use skip, once or all",
                );
                Misfire::Once
            }
        };
        let trigger = if let Some(cron) = schedule["cron"].as_str() {
            match Trigger::cron(cron, zone) {
                Ok(trigger) => trigger,
                Err(why) => {
                    self.wrong(
                        "bad-cron",
                        "/schedule/cron",
                        why,
                        "write five fields, like `0 9 * * 1-5`",
                    );
                    return None;
                }
            }
        } else if let Some(on) = schedule.get("on") {
            Trigger::On {
                strategy: self.strategy(on, "/schedule/on"),
                // A workflow is started with whole events, unlike a `listen` task: so the examples of the specification
                // read them.
                read: match schedule["read"].as_str() {
                    Some("data") => Read::Data,
                    _ => Read::Envelope,
                },
            }
        } else {
            let (field, after) = match schedule.get("after") {
                Some(_) => ("after", true),
                None => ("every", false),
            };
            let pointer = format!("/schedule/{field}");
            match milliseconds(&schedule[field]) {
                Ok(ms) if ms >= 1_000 => {
                    if after {
                        Trigger::After(ms)
                    } else {
                        Trigger::Every(ms)
                    }
                }
                Ok(_) => {
                    self.wrong(
                        "bad-schedule",
                        pointer,
                        "a schedule's interval is at least a second",
                        "use PT1S or more",
                    );
                    return None;
                }
                Err(why) => {
                    self.wrong("bad-schedule", pointer, why, "write it like PT15M");
                    return None;
                }
            }
        };
        let field = ["cron", "on", "after", "every"]
            .into_iter()
            .find(|field| schedule.get(field).is_some());
        Some(Schedule {
            trigger,
            misfire,
            zone: zone.to_owned(),
            field: field.unwrap_or("every"),
        })
    }
}
