//! The words for parts of a workflow that several pictures share.

use crate::task::{Filter, Mode, Strategy, Template, Until};

/// Which events are waited for: `all of com.a.paid and com.a.shipped`.
pub(crate) fn events(strategy: &Strategy) -> String {
    let names: Vec<String> = strategy.filters.iter().map(filter).collect();
    let list = |word: &str| names.join(&format!(" {word} "));
    let mut words = match strategy.mode {
        _ if names.is_empty() => "any event".to_owned(),
        Mode::One => list("or"),
        Mode::Any => list("or"),
        Mode::All => list("and"),
    };
    match &strategy.until {
        Some(Until::Condition(condition)) => {
            words.push_str(&format!(", until {}", condition.source()))
        }
        Some(Until::Events(until)) => words.push_str(&format!(", until {}", events(until))),
        None => {}
    }
    words
}

fn filter(filter: &Filter) -> String {
    let kind = filter
        .with
        .iter()
        .find(|(name, _)| name == "type")
        .or(filter.with.first());
    let mut words = match kind {
        Some((_, Template::Literal(value))) => value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned),
        Some((name, _)) => format!("an event with a certain {name}"),
        None => "an event".to_owned(),
    };
    let keys: Vec<&str> = filter
        .correlate
        .iter()
        .map(|rule| rule.name.as_str())
        .collect();
    if !keys.is_empty() {
        words.push_str(&format!(" of the same {}", keys.join(" and ")));
    }
    words
}

/// A template as its author wrote it, cut to a line.
pub(crate) fn template(template: &Template) -> String {
    fn write(template: &Template) -> String {
        match template {
            Template::Literal(serde_json::Value::String(text)) => text.clone(),
            Template::Literal(value) => value.to_string(),
            Template::Expr(jq) => jq.source().to_owned(),
            Template::List(items) => format!(
                "[{}]",
                items.iter().map(write).collect::<Vec<_>>().join(", ")
            ),
            Template::Fields(fields) => {
                let fields: Vec<_> = fields
                    .iter()
                    .map(|(name, field)| format!("{name}: {}", write(field)))
                    .collect();
                format!("{{{}}}", fields.join(", "))
            }
        }
    }
    line(&write(template), 80)
}

/// One line of at most so many characters, without control characters.
pub(crate) fn line(text: &str, most: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut kept: String = line
        .chars()
        .filter(|c| !c.is_control())
        .take(most)
        .collect();
    if kept.chars().count() < line.chars().count() {
        kept.push('…');
    }
    kept
}

/// A duration in words, where it is known before anything runs.
pub(crate) fn duration(value: &Template) -> String {
    match value {
        Template::Literal(literal) => crate::duration::milliseconds(literal)
            .map_or_else(|_| template(value), crate::duration::in_words),
        other => template(other),
    }
}
