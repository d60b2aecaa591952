//! Which answers say the same.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// When two answers are the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Compare {
    /// The same words, whatever their case, their spaces, and the punctuation round the whole.
    #[default]
    Text,
    /// The same JSON value, whatever its order of fields, its spaces and a fence round it. What is no JSON is compared
    /// as text.
    Json,
}

impl Compare {
    /// A text that is equal for answers that are the same.
    pub fn key(self, answer: &str) -> String {
        if self == Self::Json
            && let Ok(value) = serde_json::from_str::<Value>(unfenced(answer))
        {
            return polity_canonical::to_string(&value);
        }
        let mut key = String::with_capacity(answer.len());
        for word in answer.split_whitespace() {
            if !key.is_empty() {
                key.push(' ');
            }
            key.extend(word.chars().flat_map(char::to_lowercase));
        }
        let is_edge = |c: char| {
            !c.is_alphanumeric() && !matches!(c, '-' | '+' | '(' | ')' | '%' | '$' | '€' | '/')
        };
        let trimmed = key.trim_matches(is_edge);
        if trimmed.is_empty() {
            return key;
        }
        trimmed.to_owned()
    }

    /// Positions of answers that are the same, the largest group first, and of equal ones the one that was first.
    pub fn groups<'a>(self, answers: impl IntoIterator<Item = &'a str>) -> Vec<Vec<usize>> {
        let mut order: HashMap<String, usize> = HashMap::new();
        let mut groups: Vec<Vec<usize>> = Vec::new();
        for (index, answer) in answers.into_iter().enumerate() {
            let group = *order.entry(self.key(answer)).or_insert(groups.len());
            match groups.get_mut(group) {
                Some(members) => members.push(index),
                None => groups.push(vec![index]),
            }
        }
        groups.sort_by_key(|members| std::cmp::Reverse(members.len()));
        groups
    }
}

/// What is between the fences of a code block, where that is all there is.
fn unfenced(answer: &str) -> &str {
    let answer = answer.trim();
    let inner = answer
        .strip_prefix("```")
        .and_then(|rest| rest.strip_suffix("```"))
        .and_then(|rest| rest.split_once('\n'));
    inner.map_or(answer, |(_, inner)| inner.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_the_same_whatever_its_case_spaces_and_outer_punctuation() {
        let key = |text| Compare::Text.key(text);
        assert_eq!(key("  Paris. "), key("\"paris\""));
        assert_eq!(key("New\n York"), key("new york!"));
        assert_ne!(key("-5"), key("5"));
        assert_ne!(key("Paris, Texas"), key("Paris Texas"));
        assert_eq!(key("?!"), "?!");
    }

    #[test]
    fn json_is_the_same_whatever_its_order_and_fence() {
        let key = |text| Compare::Json.key(text);
        assert_eq!(
            key(r#"{"a": 1.0, "b": [true]}"#),
            key("```json\n{\"b\":[true],\"a\":1}\n```")
        );
        assert_ne!(key("[1,2]"), key("[2,1]"));
        assert_eq!(key("No JSON."), key("no json"));
        let deep = "[".repeat(100_000);
        assert_eq!(key(&deep).len(), deep.len());
    }

    #[test]
    fn the_largest_group_comes_first() {
        assert_eq!(
            Compare::Text.groups(["a", "b", "B.", "c", "b"]),
            [vec![1, 2, 4], vec![0], vec![3]]
        );
    }
}
