//! The judgement: a pure function of settings and action. No value that was found ever stands in a reason: reasons are
//! read by people and kept in the ledger.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::config::{Config, Mode};
use crate::detect::{Category, Match, find};

/// What is said of an action.
#[derive(Clone, Debug, PartialEq)]
pub enum Judgement {
    /// Nothing was found that matters.
    Allow,
    /// What was found is replaced.
    Redact {
        /// A JSON Patch on the input.
        patch: Value,
    },
    /// A person decides.
    Escalate {
        /// What was found and where.
        reason: String,
    },
    /// It must not happen.
    Deny {
        /// What was found and where.
        reason: String,
    },
}

/// Whether an action stays on the company's own machines, by its context; `false` where that does not say.
pub fn is_local(context: &str) -> bool {
    #[derive(Deserialize)]
    struct Context {
        model: Model,
    }
    #[derive(Deserialize)]
    struct Model {
        local: bool,
    }
    serde_json::from_str(context).is_ok_and(|context: Context| context.model.local)
}

/// Judges the input of an action that leaves the company's machines, or may.
pub fn judge(config: &Config, input: &Value) -> Judgement {
    let mut search = Search {
        config,
        found: BTreeMap::new(),
        patch: Vec::new(),
    };
    search.value(input, &mut String::new());

    let strictest = search
        .found
        .values()
        .map(|found| found.mode)
        .max()
        .unwrap_or(Mode::Ignore);
    match strictest {
        Mode::Ignore => Judgement::Allow,
        Mode::Redact => Judgement::Redact {
            patch: Value::Array(search.patch),
        },
        Mode::Escalate => Judgement::Escalate {
            reason: format!(
                "the input holds {}: may it go out as it is?",
                search.in_words(Mode::Escalate)
            ),
        },
        Mode::Deny => Judgement::Deny {
            reason: format!(
                "the input holds {}, which must not leave the company; take it out and ask again",
                search.in_words(Mode::Deny)
            ),
        },
    }
}

struct Search<'c> {
    config: &'c Config,
    found: BTreeMap<Category, Found>,
    patch: Vec<Value>,
}

struct Found {
    mode: Mode,
    count: usize,
    /// The first place.
    pointer: String,
}

impl Search<'_> {
    fn value(&mut self, value: &Value, pointer: &mut String) {
        if self.config.skip.iter().any(|skipped| skipped == pointer) {
            return;
        }
        match value {
            Value::String(text) => self.text(text, pointer),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.below(item, &index.to_string(), pointer);
                }
            }
            Value::Object(fields) => {
                for (name, item) in fields {
                    self.name(name, pointer);
                    self.below(item, &name.replace('~', "~0").replace('/', "~1"), pointer);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    fn below(&mut self, value: &Value, token: &str, pointer: &mut String) {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(token);
        self.value(value, pointer);
        pointer.truncate(length);
    }

    fn text(&mut self, text: &str, pointer: &str) {
        let matches = self.matches(text);
        let mut redacted = String::new();
        let mut done = 0;
        for Match { category, range } in matches {
            let mode = self.config.categories.mode(category);
            self.note(category, mode, pointer);
            if mode == Mode::Redact {
                redacted.push_str(&text[done..range.start]);
                redacted.push_str(category.placeholder());
                done = range.end;
            }
        }
        if done > 0 {
            redacted.push_str(&text[done..]);
            self.patch
                .push(json!({"op": "replace", "path": pointer, "value": redacted}));
        }
    }

    /// The name of a field cannot be replaced without losing what it stood for, so a person looks instead.
    fn name(&mut self, name: &str, pointer: &str) {
        for Match { category, .. } in self.matches(name) {
            self.note(
                category,
                self.config.categories.mode(category).max(Mode::Escalate),
                pointer,
            );
        }
    }

    fn matches(&self, text: &str) -> Vec<Match> {
        let mut matches = find(text);
        matches.retain(|found| {
            self.config.categories.mode(found.category) != Mode::Ignore
                && !(found.category == Category::Email
                    && self.is_allowed(&text[found.range.clone()]))
        });
        matches
    }

    fn is_allowed(&self, address: &str) -> bool {
        self.config
            .allow_emails
            .iter()
            .any(|allowed| match allowed.strip_prefix('*') {
                Some(at_domain) => {
                    let start = address.len().saturating_sub(at_domain.len());
                    address
                        .get(start..)
                        .is_some_and(|end| end.eq_ignore_ascii_case(at_domain))
                }
                None => address.eq_ignore_ascii_case(allowed),
            })
    }

    fn note(&mut self, category: Category, mode: Mode, pointer: &str) {
        let found = self.found.entry(category).or_insert_with(|| Found {
            mode,
            count: 0,
            pointer: pointer.to_owned(),
        });
        found.mode = found.mode.max(mode);
        found.count += 1;
    }

    /// `2 e-mail addresses (first in /messages/0/content) and 1 secret (in /messages/1/content)`.
    fn in_words(&self, mode: Mode) -> String {
        let parts: Vec<_> = self
            .found
            .iter()
            .filter(|(_, found)| found.mode == mode)
            .map(|(category, Found { count, pointer, .. })| {
                let place = if pointer.is_empty() {
                    "the input itself"
                } else {
                    pointer
                };
                match count {
                    1 => format!("{} (in {place})", category.one()),
                    _ => format!("{count} {} (first in {place})", category.many()),
                }
            })
            .collect();
        parts.join(" and ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789ABCD";

    fn config(value: Value) -> Config {
        serde_json::from_value(value).unwrap()
    }

    fn chat(content: &str) -> Value {
        json!({"model": "gpt-5", "messages": [{"role": "user", "content": content}]})
    }

    fn judged(config_json: Value, content: &str) -> Judgement {
        judge(&config(config_json), &chat(content))
    }

    #[test]
    fn what_is_found_is_replaced_by_its_category_and_nothing_else_is_touched() {
        assert_eq!(
            judged(
                json!({}),
                "Ask ada@example.org or +49 30 901820, order 4711."
            ),
            Judgement::Redact {
                patch: json!([{"op": "replace", "path": "/messages/0/content", "value": "Ask [EMAIL] or [PHONE], order 4711."}])
            }
        );
        assert_eq!(
            judged(json!({}), "Order 4711 costs 12.50 EUR."),
            Judgement::Allow
        );
    }

    #[test]
    fn every_string_is_searched_however_deep() {
        let input = json!({"messages": [
            {"content": [{"type": "text", "text": "write to bo@example.org"}]},
            {"tool_calls": [{"function": {"arguments": "{\"to\":\"cy@example.org\",\"body\":\"\\n+49 30 901820\"}"}}]},
        ], "a/b": {"c~d": "8.8.8.8"}});
        let Judgement::Redact { patch } = judge(&Config::default(), &input) else {
            panic!()
        };
        let mut patches: Vec<_> = patch
            .as_array()
            .unwrap()
            .iter()
            .map(|operation| {
                (
                    operation["path"].as_str().unwrap(),
                    operation["value"].as_str().unwrap(),
                )
            })
            .collect();
        patches.sort_unstable();
        assert_eq!(
            patches,
            [
                ("/a~1b/c~0d", "[IP]"),
                ("/messages/0/content/0/text", "write to [EMAIL]"),
                (
                    "/messages/1/tool_calls/0/function/arguments",
                    "{\"to\":\"[EMAIL]\",\"body\":\"\\n[PHONE]\"}"
                ),
            ]
        );
    }

    #[test]
    fn a_secret_is_denied_by_default_and_the_reason_does_not_repeat_it() {
        let Judgement::Deny { reason } = judged(
            json!({}),
            &format!("use {KEY} please, I am ada@example.org"),
        ) else {
            panic!()
        };
        assert!(
            reason.contains("a secret (in /messages/0/content)"),
            "{reason}"
        );
        assert!(
            !reason.contains("sk-proj") && !reason.contains("ada@"),
            "{reason}"
        );
    }

    #[test]
    fn the_strictest_category_decides() {
        let settings =
            json!({"categories": {"email": "redact", "iban": "escalate", "card": "deny"}});
        let Judgement::Escalate { reason } =
            judged(settings.clone(), "ada@example.org, DE89370400440532013000")
        else {
            panic!()
        };
        assert_eq!(
            reason,
            "the input holds a bank account (in /messages/0/content): may it go out as it is?"
        );
        let judgement = judged(
            settings,
            "DE89370400440532013000 and 4111 1111 1111 1111 and 5500-0055-5555-5559",
        );
        assert!(
            matches!(judgement, Judgement::Deny { reason } if reason.contains("2 payment cards (first in"))
        );
    }

    #[test]
    fn an_ignored_category_is_left_alone() {
        assert_eq!(
            judged(
                json!({"categories": {"email": "ignore"}}),
                "ada@example.org"
            ),
            Judgement::Allow
        );
    }

    #[test]
    fn only_a_context_that_says_so_is_local() {
        assert!(is_local(
            r#"{"company": {}, "model": {"id": "a", "local": true}}"#
        ));
        for elsewhere in [
            r#"{"model": {"local": false}}"#,
            r#"{"model": {"local": "true"}}"#,
            r#"{"model": {"id": "local"}}"#,
            r#"{"local": true}"#,
            "{}",
            "",
        ] {
            assert!(!is_local(elsewhere), "{elsewhere}");
        }
    }

    #[test]
    fn the_companys_own_addresses_can_be_let_through() {
        let settings = json!({"allow_emails": ["Hello@Example.org", "*@driftwood.example"]});
        assert_eq!(
            judged(settings.clone(), "hello@example.org, ada@driftwood.example"),
            Judgement::Allow
        );
        let Judgement::Redact { patch } = judged(
            settings,
            "hello@example.org, eve@notdriftwood.example, eve@example.org",
        ) else {
            panic!()
        };
        assert_eq!(patch[0]["value"], "hello@example.org, [EMAIL], [EMAIL]");
    }

    #[test]
    fn parts_that_are_named_are_not_searched() {
        let input = json!({"to": {"email": "ada@example.org"}, "body": "hi"});
        assert_eq!(
            judge(&config(json!({"skip": ["/to"]})), &input),
            Judgement::Allow
        );
        assert_ne!(
            judge(&config(json!({"skip": ["/t"]})), &input),
            Judgement::Allow
        );
    }

    #[test]
    fn personal_data_in_a_fields_name_goes_before_a_person() {
        let input = json!({"balances": {"ada@example.org": 3}});
        let Judgement::Escalate { reason } = judge(&Config::default(), &input) else {
            panic!()
        };
        assert_eq!(
            reason,
            "the input holds an e-mail address (in /balances): may it go out as it is?"
        );
    }

    #[test]
    fn what_was_redacted_is_not_found_again() {
        let text = "ada@example.org +49 30 901820 DE89370400440532013000 4111111111111111 8.8.8.8 536-22-1234 65929970489";
        let config = config(json!({"categories": {"secret": "redact"}}));
        let Judgement::Redact { patch } = judge(&config, &chat(&format!("{text} {KEY}"))) else {
            panic!()
        };
        let redacted = patch[0]["value"].as_str().unwrap();
        assert_eq!(
            redacted,
            "[EMAIL] [PHONE] [IBAN] [CARD] [IP] [SSN] [TAX-ID] [SECRET]"
        );
        assert_eq!(judge(&config, &chat(redacted)), Judgement::Allow);
    }

    #[test]
    fn the_example_in_the_readme_is_a_configuration() {
        let readme = include_str!("../README.md");
        let example = readme
            .split("```json")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .unwrap();
        let binding: Value = serde_json::from_str(example).unwrap();
        assert!(config(binding["config"].clone()).allow_local);
    }
}
