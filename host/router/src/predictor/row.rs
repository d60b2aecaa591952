//! What a predictor learns from: prompts, and how well each model answered them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One prompt and the scores that models got for it. Unknown fields are ignored, so that logs can be used as they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// What was asked.
    pub prompt: String,
    /// By model, 0 for a useless answer to 1 for a perfect one. Models may be missing.
    #[serde(alias = "scores")]
    pub score: BTreeMap<String, f64>,
    /// What kind of request it was, if somebody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
}

/// A line that cannot be learned from.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct RowError {
    /// From 1.
    pub line: usize,
    /// What is wrong and what is expected.
    pub problem: String,
}

/// Reads JSON lines; empty ones are skipped.
///
/// # Errors
/// At the first line that is not a row, or whose scores are not between 0 and 1.
pub fn read_rows(text: &str) -> Result<Vec<Row>, RowError> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let error = |problem: String| RowError {
                line: index + 1,
                problem,
            };
            let row: Row = serde_json::from_str(line).map_err(|problem| {
                error(format!(
                    "{problem}; expected {{\"prompt\": \"...\", \"score\": {{\"model\": 0.7}}, \"task\": \"...\"}}"
                ))
            })?;
            match row.score.iter().find(|(_, score)| !(0.0..=1.0).contains(*score)) {
                Some((model, score)) => Err(error(format!(
                    "the score of \"{model}\" is {score}; divide scores so that they lie between 0 and 1"
                ))),
                None => Ok(row),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_needs_a_prompt_and_scores_and_no_more() {
        let rows = read_rows("{\"prompt\":\"hi\",\"score\":{\"a\":1}}\n\n{\"prompt\":\"x\",\"scores\":{},\"task\":\"t\",\"more\":1}\n").unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[1].task.as_deref(), Some("t"));
    }

    #[test]
    fn an_error_names_the_line_and_what_to_do() {
        let error =
            read_rows("{\"prompt\":\"hi\",\"score\":{}}\n{\"prompt\":\"hi\",\"score\":{\"a\":7}}")
                .unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: the score of \"a\" is 7; divide scores so that they lie between 0 and 1"
        );
        assert_eq!(read_rows("{").unwrap_err().line, 1);
    }
}
