//! Labelled lines: a label, a tab, a text.

use std::collections::{BTreeSet, HashSet};

use crate::weights::{LONGEST_LABEL, MOST_LABELS};

/// The label of lines that are none of the company's business. They teach the model what it does not know.
pub const UNKNOWN: &str = "unknown";

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Index of its label; none for [`UNKNOWN`].
    pub label: Option<usize>,
    /// The request.
    pub text: String,
}

impl Line {
    /// Whether it has at least five words.
    pub fn is_sentence(&self) -> bool {
        self.text.split_whitespace().nth(4).is_some()
    }
}

/// Lines and the labels they use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dataset {
    /// The labels in alphabetical order, without [`UNKNOWN`].
    pub labels: Vec<String>,
    /// The lines in their order.
    pub lines: Vec<Line>,
}

impl Dataset {
    /// Parses a file, finding the labels in it. The error names the line.
    pub fn parse(content: &str) -> Result<Self, String> {
        let rows = rows(content)?;
        let labels: BTreeSet<&str> = rows
            .iter()
            .map(|&(_, label, _)| label)
            .filter(|&label| label != UNKNOWN)
            .collect();
        let labels: Vec<String> = labels.into_iter().map(str::to_owned).collect();
        if !(2..=MOST_LABELS).contains(&labels.len()) {
            return Err(format!(
                "{} labels besides '{UNKNOWN}'; use 2 to {MOST_LABELS}",
                labels.len()
            ));
        }
        if !rows.iter().any(|&(_, label, _)| label == UNKNOWN) {
            return Err(format!(
                "no line is labelled '{UNKNOWN}'; add some that are none of the others"
            ));
        }
        Self::with_labels(&rows, &labels)
    }

    /// Parses a file that may use only the given labels: one to measure with.
    pub fn parse_with(content: &str, labels: &[String]) -> Result<Self, String> {
        Self::with_labels(&rows(content)?, labels)
    }

    fn with_labels(rows: &[(usize, &str, &str)], labels: &[String]) -> Result<Self, String> {
        let lines = rows
            .iter()
            .map(|&(number, label, text)| {
                let index = labels.iter().position(|known| known == label);
                if index.is_none() && label != UNKNOWN {
                    return Err(format!(
                        "line {number}: the training data has no label '{label}'"
                    ));
                }
                Ok(Line {
                    label: index,
                    text: text.to_owned(),
                })
            })
            .collect::<Result<_, String>>()?;
        Ok(Self {
            labels: labels.to_vec(),
            lines,
        })
    }
}

/// Number, label and text of each line.
fn rows(content: &str) -> Result<Vec<(usize, &str, &str)>, String> {
    let mut texts = HashSet::new();
    content
        .lines()
        .enumerate()
        .map(|(index, line)| {
            let number = index + 1;
            let (label, text) = line
                .split_once('\t')
                .ok_or_else(|| format!("line {number}: expected a label, a tab and a text"))?;
            let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
            if label.is_empty() || label.len() > LONGEST_LABEL || !label.bytes().all(fits) {
                return Err(format!(
                    "line {number}: '{label}' is not a label; use up to {LONGEST_LABEL} of a-z, 0-9 and '-'"
                ));
            }
            if text.trim().is_empty() {
                return Err(format!("line {number}: the text is empty"));
            }
            if !texts.insert(text) {
                return Err(format!("line {number}: the text is there already; remove one of the two"));
            }
            Ok((number, label, text))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_found_and_sorted() {
        let data = Dataset::parse("b\tone\nunknown\ttwo\na\tthree\n").unwrap();
        assert_eq!(data.labels, ["a", "b"]);
        assert_eq!(
            data.lines[0],
            Line {
                label: Some(1),
                text: "one".into()
            }
        );
        assert_eq!(data.lines[1].label, None);
    }

    #[test]
    fn errors_name_the_line_and_the_remedy() {
        for (content, error) in [
            (
                "a\tone\nb two\n",
                "line 2: expected a label, a tab and a text",
            ),
            (
                "a\tone\nB\ttwo\n",
                "line 2: 'B' is not a label; use up to 24 of a-z, 0-9 and '-'",
            ),
            ("a\tone\nb\t \n", "line 2: the text is empty"),
            (
                "a\tone\nb\tone\n",
                "line 2: the text is there already; remove one of the two",
            ),
            (
                "a\tone\nunknown\ttwo\n",
                "1 labels besides 'unknown'; use 2 to 19",
            ),
            (
                "a\tone\nb\ttwo\n",
                "no line is labelled 'unknown'; add some that are none of the others",
            ),
        ] {
            assert_eq!(Dataset::parse(content).unwrap_err(), error);
        }
        let labels = ["a".to_owned(), "b".to_owned()];
        assert_eq!(
            Dataset::parse_with("c\tone", &labels).unwrap_err(),
            "line 1: the training data has no label 'c'"
        );
    }
}
