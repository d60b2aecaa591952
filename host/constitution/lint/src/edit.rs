//! Cures that a program can carry out, as changes of the document's JSON.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

/// What would cure a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// In one sentence, without a full stop.
    pub title: String,
    /// The changes; none where only a person can make them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub edits: Vec<Edit>,
    /// Whether a person has to fill something in afterwards: which answer a new row gives is not for a program to say.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fill_in: bool,
}

/// One change, as in RFC 6902.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "lowercase")]
pub enum Edit {
    /// Puts a value before the one at this place, or after all where the pointer ends in `-`.
    Add {
        /// Where.
        path: String,
        /// What.
        value: Json,
    },
    /// Puts another value in the place of one.
    Replace {
        /// Where.
        path: String,
        /// What.
        value: Json,
    },
    /// Takes a value away.
    Remove {
        /// Where.
        path: String,
    },
}

/// A change that does not fit the document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no place {0} in the document; it has changed since it was checked, so check it again"
)]
pub struct Misplaced(pub String);

impl Suggestion {
    /// A cure in words.
    pub fn words(title: impl Into<String>) -> Self {
        Self {
            title: title.into(),
            edits: Vec::new(),
            fill_in: false,
        }
    }

    /// A cure as changes.
    pub fn edits(title: impl Into<String>, edits: Vec<Edit>) -> Self {
        Self {
            edits,
            ..Self::words(title)
        }
    }

    /// A cure that a person has to complete.
    #[must_use]
    pub fn to_fill_in(mut self) -> Self {
        self.fill_in = true;
        self
    }

    /// Carries the changes out.
    ///
    /// # Errors
    /// A place does not exist.
    pub fn apply(&self, document: &mut Json) -> Result<(), Misplaced> {
        self.edits.iter().try_for_each(|edit| edit.apply(document))
    }
}

impl Edit {
    fn apply(&self, document: &mut Json) -> Result<(), Misplaced> {
        let (Self::Add { path, .. } | Self::Replace { path, .. } | Self::Remove { path }) = self;
        let misplaced = || Misplaced(path.clone());
        let (parent, last) = path.rsplit_once('/').ok_or_else(misplaced)?;
        let name = last.replace("~1", "/").replace("~0", "~");
        match document.pointer_mut(parent).ok_or_else(misplaced)? {
            Json::Object(fields) => match self {
                Self::Add { value, .. } | Self::Replace { value, .. } => {
                    fields.insert(name, value.clone());
                }
                Self::Remove { .. } => {
                    fields.remove(&name).ok_or_else(misplaced)?;
                }
            },
            Json::Array(items) => {
                let at = match (last, last.parse::<usize>()) {
                    ("-", _) => items.len(),
                    (_, Ok(at)) => at,
                    _ => return Err(misplaced()),
                };
                match self {
                    Self::Add { value, .. } if at <= items.len() => items.insert(at, value.clone()),
                    Self::Replace { value, .. } if at < items.len() => items[at] = value.clone(),
                    Self::Remove { .. } if at < items.len() => {
                        items.remove(at);
                    }
                    _ => return Err(misplaced()),
                }
            }
            _ => return Err(misplaced()),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn changes_are_carried_out_in_order_or_refused() {
        let mut document = json!({"rules": [1, 2, 3], "a/b": 1});
        let cure = Suggestion::edits(
            "x",
            vec![
                Edit::Remove {
                    path: "/rules/0".into(),
                },
                Edit::Add {
                    path: "/rules/-".into(),
                    value: json!(4),
                },
                Edit::Replace {
                    path: "/rules/0".into(),
                    value: json!("two"),
                },
                Edit::Add {
                    path: "/a~1b".into(),
                    value: json!(2),
                },
            ],
        );
        cure.apply(&mut document).unwrap();
        assert_eq!(document, json!({"rules": ["two", 3, 4], "a/b": 2}));
        for path in ["/rules/9", "/x/y", "rules", "/rules/x"] {
            assert!(
                Edit::Remove { path: path.into() }
                    .apply(&mut document)
                    .is_err(),
                "{path}"
            );
        }
    }
}
