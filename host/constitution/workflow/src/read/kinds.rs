//! Each kind of task.

use serde_json::Value;

use super::{Reader, nearest};
use crate::call::EffectClass;
use crate::function::{BUILT_IN, Function};
use crate::jq::Dialect;
use crate::schema::kind_of;
use crate::task::{Backoff, CallTask, Case, Catch, Each, Flow, Kind, ListId, Listen, Retry};

impl Reader<'_> {
    pub(super) fn kind(&mut self, task: &Value, pointer: &str, siblings: &[String]) -> Kind {
        match kind_of(task) {
            Some("do") => Kind::Do(self.list(&task["do"], &format!("{pointer}/do"))),
            Some("set") => Kind::Set(self.template(&task["set"], &format!("{pointer}/set"))),
            Some("switch") => self.switch(task, pointer, siblings),
            Some("for") => self.each(task, pointer),
            Some("fork") => self.fork(task, pointer),
            Some("try") => self.attempt(task, pointer, siblings),
            Some("raise") => self.raise(task, pointer),
            Some("wait") => Kind::Wait(self.duration(&task["wait"], &format!("{pointer}/wait"))),
            Some("listen") => self.listen(task, pointer),
            Some("emit") => {
                let with = &task["emit"]["event"]["with"];
                Kind::Emit(self.template(with, &format!("{pointer}/emit/event/with")))
            }
            Some("call") => self.call(task, pointer),
            Some("run") => self.run(task, pointer),
            _ => Kind::Refused("this kind of task is unknown".to_owned()),
        }
    }

    fn switch(&mut self, task: &Value, pointer: &str, siblings: &[String]) -> Kind {
        let mut defaults = 0;
        let cases = task["switch"]
            .as_array()
            .into_iter()
            .flatten()
            .enumerate()
            .filter_map(|(index, item)| {
                let (name, case) = item.as_object()?.iter().next()?;
                let here = format!("{pointer}/switch/{index}/{}", crate::text::escaped(name));
                let when = self.expression(&case["when"], &format!("{here}/when"));
                if case.get("when").is_none() {
                    defaults += 1;
                    if defaults > 1 {
                        self.wrong(
                            "two-defaults",
                            &here,
                            "only one case of a switch can be without a condition",
                            "give this one a `when`",
                        );
                    }
                }
                let then = self.flow(&case["then"], &format!("{here}/then"), siblings);
                Some(Case {
                    name: name.clone(),
                    when,
                    then,
                })
            })
            .collect();
        Kind::Switch(cases)
    }

    /// Reads a list in which more arguments are in scope.
    fn list_with(&mut self, names: &[&str], list: &Value, pointer: &str) -> ListId {
        self.scoped(names, |reader| reader.list(list, pointer))
    }

    fn scoped<T>(&mut self, names: &[&str], read: impl FnOnce(&mut Self) -> T) -> T {
        let before = self.scope.clone();
        self.scope
            .extend(names.iter().map(|name| format!("${name}")));
        let result = read(self);
        self.scope = before;
        result
    }

    fn name(&mut self, value: &Value, default: &str, pointer: &str) -> String {
        let name = value.as_str().unwrap_or(default);
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && !name.starts_with("polity_");
        if !plain {
            self.wrong(
                "bad-name",
                pointer,
                format!("\"{name}\" cannot be the name of an argument"),
                "use letters, digits and underscores, beginning with a letter",
            );
            return default.to_owned();
        }
        name.to_owned()
    }

    fn each(&mut self, task: &Value, pointer: &str) -> Kind {
        let spec = &task["for"];
        let each = self.name(&spec["each"], "item", &format!("{pointer}/for/each"));
        let at = self.name(&spec["at"], "index", &format!("{pointer}/for/at"));
        let here = format!("{pointer}/for/in");
        let items = self
            .transform(&spec["in"], &here)
            .unwrap_or(crate::task::Template::Literal(Value::Null));
        let names = [each.as_str(), at.as_str()];
        let condition = self.scoped(&names, |reader| {
            reader.expression(&task["while"], &format!("{pointer}/while"))
        });
        let body = self.list_with(&names, &task["do"], &format!("{pointer}/do"));
        Kind::For {
            each,
            at,
            items,
            condition,
            body,
        }
    }

    fn fork(&mut self, task: &Value, pointer: &str) -> Kind {
        let list = self.list(
            &task["fork"]["branches"],
            &format!("{pointer}/fork/branches"),
        );
        let branches = self.lists.get(list as usize).cloned().unwrap_or_default();
        if branches.is_empty() {
            self.wrong(
                "empty-fork",
                format!("{pointer}/fork"),
                "this fork has no branch",
                "add branches, or remove it",
            );
        }
        Kind::Fork {
            branches,
            compete: task["fork"]["compete"] == true,
        }
    }

    fn attempt(&mut self, task: &Value, pointer: &str, siblings: &[String]) -> Kind {
        let body = self.list(&task["try"], &format!("{pointer}/try"));
        let catch = &task["catch"];
        let here = format!("{pointer}/catch");
        let name = self.name(&catch["as"], "error", &format!("{here}/as"));
        let names = [name.as_str()];
        let with = catch["errors"]["with"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect();
        let catch = self.scoped(&names, |reader| Catch {
            with,
            name: name.clone(),
            when: reader.expression(&catch["when"], &format!("{here}/when")),
            except: reader.expression(&catch["exceptWhen"], &format!("{here}/exceptWhen")),
            retry: reader.retry(&catch["retry"], &format!("{here}/retry")),
            body: catch
                .get("do")
                .map(|list| reader.list(list, &format!("{here}/do"))),
            then: catch
                .get("then")
                .map(|then| reader.flow(then, &format!("{here}/then"), siblings)),
        });
        Kind::Try {
            body,
            catch: Box::new(catch),
        }
    }

    fn retry(&mut self, retry: &Value, pointer: &str) -> Option<Retry> {
        let named;
        let retry = match retry {
            Value::Null => return None,
            Value::String(name) => {
                named = self.text.value["use"]["retries"][name.as_str()].clone();
                if named.is_null() {
                    self.wrong(
                        "unknown-retry",
                        pointer,
                        format!("there is no retry policy \"{name}\" under `use.retries`"),
                        "add it there, or write the policy here",
                    );
                    return None;
                }
                &named
            }
            inline => inline,
        };
        let backoff = if retry["backoff"].get("exponential").is_some() {
            let factor = retry["backoff"]["exponential"]["factor"]
                .as_f64()
                .unwrap_or(2.0);
            Backoff::Exponential(factor.clamp(1.0, 100.0))
        } else if retry["backoff"].get("linear").is_some() {
            Backoff::Linear
        } else {
            Backoff::Constant
        };
        let mut duration = |value: &Value, name: &str| {
            (!value.is_null()).then(|| self.duration(value, &format!("{pointer}/{name}")))
        };
        let limit = &retry["limit"];
        let delay = duration(&retry["delay"], "delay");
        let total = duration(&limit["duration"], "limit/duration");
        let attempt_duration = duration(&limit["attempt"]["duration"], "limit/attempt/duration");
        let jitter = duration(&retry["jitter"]["from"], "jitter/from")
            .zip(duration(&retry["jitter"]["to"], "jitter/to"));
        let attempts = limit["attempt"]["count"]
            .as_u64()
            .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        if attempts.is_none() && total.is_none() && self.dialect == Dialect::Strict {
            self.wrong(
                "unbounded-retry",
                pointer,
                "this retries without end",
                "add limit.attempt.count or limit.duration",
            );
        }
        Some(Retry {
            when: self.expression(&retry["when"], &format!("{pointer}/when")),
            except: self.expression(&retry["exceptWhen"], &format!("{pointer}/exceptWhen")),
            delay,
            backoff,
            jitter,
            attempts,
            attempt_duration,
            duration: total,
        })
    }

    fn raise(&mut self, task: &Value, pointer: &str) -> Kind {
        let here = format!("{pointer}/raise/error");
        let error = &task["raise"]["error"];
        let Some(name) = error.as_str() else {
            return Kind::Raise(self.template(error, &here));
        };
        let known = self.text.value["use"]["errors"][name].clone();
        if known.is_null() {
            self.wrong(
                "unknown-error",
                &here,
                format!("there is no error \"{name}\" under `use.errors`"),
                "add it there, or write the error here",
            );
        }
        Kind::Raise(self.template(&known, &here))
    }

    fn listen(&mut self, task: &Value, pointer: &str) -> Kind {
        let to = self.strategy(&task["listen"]["to"], &format!("{pointer}/listen/to"));
        let each = task.get("foreach").map(|each| {
            let here = format!("{pointer}/foreach");
            let item = self.name(&each["item"], "item", &format!("{here}/item"));
            let at = self.name(&each["at"], "index", &format!("{here}/at"));
            let names = [item.clone(), at.clone()];
            let names = [names[0].as_str(), names[1].as_str()];
            self.scoped(&names, |reader| Each {
                body: each
                    .get("do")
                    .map(|list| reader.list(list, &format!("{here}/do"))),
                output: reader.output(&each["output"], &format!("{here}/output")),
                export: reader.output(&each["export"], &format!("{here}/export")),
                item: item.clone(),
                at: at.clone(),
            })
        });
        Kind::Listen(Box::new(Listen {
            to,
            read: Self::read_as(&task["listen"]["read"]),
            each,
        }))
    }

    /// What this host does not do: an error in a strict document, a fault at run time in others.
    fn refused(&mut self, code: &'static str, pointer: &str, why: String, fix: &str) -> Kind {
        if self.dialect == Dialect::Strict {
            self.wrong(code, pointer, why.clone(), fix);
        }
        Kind::Refused(why)
    }

    fn run(&mut self, task: &Value, pointer: &str) -> Kind {
        let run = &task["run"];
        for process in ["shell", "script", "container"] {
            if run.get(process).is_some() {
                return self.refused(
                    "refused-run",
                    &format!("{pointer}/run/{process}"),
                    format!(
                        "`run.{process}` is refused: a process outside the sandbox has no grants, no limits and no key \
                         that would keep it from running twice"
                    ),
                    "put the work into a plugin and call it as `name:version@catalog`",
                );
            }
        }
        Kind::Run {
            workflow: self.template(&run["workflow"], &format!("{pointer}/run/workflow")),
            awaited: run["await"] != false,
        }
    }

    fn call(&mut self, task: &Value, pointer: &str) -> Kind {
        let name = task["call"].as_str().unwrap_or_default();
        let here = format!("{pointer}/call");
        let with = format!("{pointer}/with");
        let body = self.text.value["use"]["functions"][name].clone();
        if !body.is_null() {
            return self.own_function(name, &body, task, pointer);
        }
        if matches!(name, "grpc" | "asyncapi") {
            return self.refused(
                "refused-call",
                &here,
                format!("`call: {name}` is refused: the host's egress, with its rules and its secrets, speaks HTTP"),
                "call a connector plugin, or the HTTP face of the service",
            );
        }
        // The conformance kit of the specification has them performed by a host of its own.
        if matches!(name, "openapi" | "mcp" | "a2a") && self.dialect == Dialect::Strict {
            return self.refused(
                "refused-call",
                &here,
                format!("`call: {name}` is refused: no part of the host speaks it"),
                "call a connector plugin that does, as `name:version@catalog`, or the address itself with `call: http`",
            );
        }
        let Some(function) = Function::named(name) else {
            let mut known: Vec<&str> = BUILT_IN.iter().map(|built| built.name).collect();
            known.push("http");
            let fix = nearest(name, &known).map_or_else(
                || {
                    format!(
                        "use one of {}, a name under `use.functions`, or name:version@catalog",
                        known.join(", ")
                    )
                },
                |near| format!("did you mean \"{near}\"?"),
            );
            let why = format!("there is no function \"{name}\"");
            if self.dialect == Dialect::Strict {
                self.wrong("unknown-function", &here, why.clone(), fix);
            }
            return Kind::Refused(why);
        };
        self.check_arguments(&function, &task["with"], &with);
        let named = self.with_authentication(&task["with"], &with);
        self.check_authentication(&named, &task["with"], &with);
        let arguments = self.template(&named, &with);
        let (class, declared) = self.class(&function, task, pointer);
        Kind::Call(Box::new(CallTask {
            function,
            arguments,
            class,
            declared,
        }))
    }

    /// Puts a policy from `use.authentications` where its name stands.
    fn with_authentication(&mut self, with: &Value, pointer: &str) -> Value {
        let mut with = with.clone();
        for place in ["/endpoint/authentication", "/authentication"] {
            let Some(slot) = with.pointer_mut(place) else {
                continue;
            };
            let Some(name) = slot.get("use").and_then(Value::as_str).map(str::to_owned) else {
                continue;
            };
            let policy = self.text.value["use"]["authentications"][name.as_str()].clone();
            if policy.is_null() {
                self.wrong(
                    "unknown-authentication",
                    format!("{pointer}{place}/use"),
                    format!("there is no authentication \"{name}\" under `use.authentications`"),
                    "add it there, or write the policy here",
                );
            } else {
                *slot = policy;
            }
        }
        with
    }

    /// Credentials that a document would have to hold, or fetch by itself.
    fn check_authentication(&mut self, named: &Value, written: &Value, pointer: &str) {
        let policy = &named["endpoint"]["authentication"];
        let refused = match policy.as_object().and_then(|fields| fields.iter().next()) {
            Some((kind, _)) if !matches!(kind.as_str(), "basic" | "bearer" | "use") => kind,
            Some((kind, fields)) if fields.get("use").is_some() => kind,
            _ => return,
        };
        if self.dialect == Dialect::Strict {
            let mut place = format!("{pointer}/endpoint/authentication");
            if written.pointer("/endpoint/authentication/use").is_some() {
                place.push_str("/use");
            }
            self.wrong(
                "refused-authentication",
                place,
                format!("the `{refused}` policy is refused: credentials are the operator's, and no workflow holds or fetches one"),
                "write headers: {authorization: '{{secret:NAME}}'}; the host adds what workflows.grant.toml grants for that \
                 header",
            );
        }
    }

    fn own_function(&mut self, name: &str, body: &Value, task: &Value, pointer: &str) -> Kind {
        if self.inside.iter().any(|outer| outer == name) {
            self.wrong(
                "recursive-function",
                format!("{pointer}/call"),
                format!(
                    "the function \"{name}\" calls itself, by way of {}",
                    self.inside.join(", ")
                ),
                "use a loop",
            );
            return Kind::Refused("this function calls itself".to_owned());
        }
        let arguments = self.template(&task["with"], &format!("{pointer}/with"));
        self.inside.push(name.to_owned());
        let at = format!("/use/functions/{}", crate::text::escaped(name));
        let body = self.add(name, body, &at, &[]);
        self.inside.pop();
        self.lists.push(vec![body]);
        Kind::Function {
            name: name.to_owned(),
            arguments,
            list: u32::try_from(self.lists.len() - 1).unwrap_or(u32::MAX),
        }
    }

    /// Misspelt and missing arguments are seen before anything runs; their types are checked with their values.
    fn check_arguments(&mut self, function: &Function, with: &Value, pointer: &str) {
        let Function::BuiltIn(built) = function else {
            return;
        };
        let empty = serde_json::Map::new();
        let given = with.as_object().unwrap_or(&empty);
        let known: Vec<&str> = built
            .required
            .iter()
            .chain(built.optional)
            .copied()
            .collect();
        for name in given.keys().filter(|name| !known.contains(&name.as_str())) {
            let fix = nearest(name, &known).map_or_else(
                || format!("it takes {}", known.join(", ")),
                |near| format!("did you mean \"{near}\"?"),
            );
            self.wrong(
                "unknown-argument",
                format!("{pointer}/{}", crate::text::escaped(name)),
                format!("`{}` has no argument \"{name}\"", built.name),
                fix,
            );
        }
        for name in built
            .required
            .iter()
            .filter(|name| !given.contains_key(**name))
        {
            self.wrong(
                "missing-argument",
                pointer,
                format!("`{}` needs the argument \"{name}\"", built.name),
                format!("add \"{name}\""),
            );
        }
    }

    /// How often the effect may happen, and whether the author said so.
    fn class(&mut self, function: &Function, task: &Value, pointer: &str) -> (EffectClass, bool) {
        let declared = &task["metadata"]["effect"];
        if !declared.is_null() {
            if let Ok(class) = serde_json::from_value::<EffectClass>(declared.clone()) {
                let own = matches!(function, Function::BuiltIn(built) if built.class == Some(EffectClass::Own));
                if (class == EffectClass::Own) == own {
                    return (class, true);
                }
            }
            self.wrong(
                "bad-effect",
                format!("{pointer}/metadata/effect"),
                format!("{declared} is no class of effect that `{}` can have", function.name()),
                "use idempotent, at-most-once or at-least-once; only the host's own records and questions are `own`",
            );
        }
        let reads = match function {
            Function::Http => matches!(
                task["with"]["method"]
                    .as_str()
                    .map(str::to_ascii_lowercase)
                    .as_deref(),
                Some("get" | "head" | "options")
            ),
            Function::BuiltIn(built) => match built.class {
                Some(class) => return (class, false),
                None => false,
            },
            _ => false,
        };
        if !reads && declared.is_null() && self.dialect == Dialect::Strict {
            self.wrong(
                "effect-undeclared",
                pointer,
                format!("`{}` changes something outside, and nothing says how often that may happen", function.name()),
                "add metadata.effect: idempotent (the other side knows the key), at-most-once or at-least-once",
            );
        }
        (EffectClass::AtLeastOnce, false)
    }
}

impl Flow {
    /// The flow that a finished task takes when nothing else was decided.
    pub(crate) fn or<'f>(decided: &'f Option<Self>, otherwise: &'f Self) -> &'f Self {
        decided.as_ref().unwrap_or(otherwise)
    }
}
