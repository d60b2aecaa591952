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
            Template::Expr(jq) => spoken(jq.source()).unwrap_or_else(|| jq.source().to_owned()),
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

/// A text with facts put into it, as people would say it: `"Pay \(.amount) back?"` is `Pay {amount} back?`. None for what
/// is no text, or computes what it puts in.
fn spoken(source: &str) -> Option<String> {
    let text = source.trim().strip_prefix('"')?.strip_suffix('"')?;
    let mut said = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '"']) {
        said.push_str(&rest[..at]);
        let inside = rest[at..].strip_prefix("\\(")?;
        let (fact, after) = inside.split_once(')')?;
        let is_fact = |c: char| c.is_alphanumeric() || matches!(c, '.' | '$' | '_' | ' ');
        if !fact.chars().all(is_fact) {
            return None;
        }
        let name = fact
            .trim()
            .rsplit('.')
            .next()
            .filter(|name| !name.is_empty())?;
        said.push_str(&format!("{{{name}}}"));
        rest = after;
    }
    said.push_str(rest);
    Some(said)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_with_facts_in_it_is_told_as_people_say_it() {
        let told = |source: &str| spoken(source);
        assert_eq!(
            told(r#""Pay \($context.amount) EUR for order \(.order)?""#).unwrap(),
            "Pay {amount} EUR for order {order}?"
        );
        assert_eq!(told(r#""plain""#).unwrap(), "plain");
        for computed in [
            r#""\(.a + 1)""#,
            r#""a" + "b""#,
            ".a",
            r#""tab\t""#,
            r#""\(.)""#,
        ] {
            assert_eq!(told(computed), None, "{computed}");
        }
    }
}
