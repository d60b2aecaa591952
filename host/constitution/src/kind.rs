//! Kinds of action and the patterns that guard them. A kind is parsed before anything is looked up by it, so that
//! `Refund.approve` or `refund..approve` cannot walk past a rule that guards `refund.*`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest kind that is accepted.
const MAX_LENGTH: usize = 128;

/// A kind of action, dotted from general to special: `refund.approve`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ActionKind(String);

/// Kinds of action that a rule guards.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum KindPattern {
    /// `*`: every kind.
    All,
    /// `refund.*`: `refund` itself and everything that begins with `refund.`. The stem is included because whoever
    /// guards a subtree does not mean to leave its root open.
    Under(ActionKind),
    /// `refund.approve`: this kind alone.
    Exact(ActionKind),
}

/// Text that is no kind of action, or no pattern of kinds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{}\" is not a kind of action: a kind is lower-case words of letters, digits and hyphens joined by dots, \
     at most {max} characters, for example \"refund.approve\"",
    .0.escape_debug(),
    max = MAX_LENGTH
)]
pub struct KindError(String);

impl ActionKind {
    /// The kind as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KindPattern {
    /// True where the pattern covers the kind.
    pub fn matches(&self, kind: &ActionKind) -> bool {
        match self {
            Self::All => true,
            Self::Under(stem) => kind
                .0
                .strip_prefix(stem.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.')),
            Self::Exact(exact) => exact == kind,
        }
    }
}

impl FromStr for ActionKind {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if is_kind(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(KindError(shortened(text)))
        }
    }
}

impl FromStr for KindPattern {
    type Err = KindError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "*" {
            return Ok(Self::All);
        }
        match text.strip_suffix(".*") {
            Some(stem) => stem.parse().map(Self::Under),
            None => text.parse().map(Self::Exact),
        }
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for KindPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("*"),
            Self::Under(stem) => write!(f, "{stem}.*"),
            Self::Exact(kind) => write!(f, "{kind}"),
        }
    }
}

impl TryFrom<String> for ActionKind {
    type Error = KindError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_kind(&text) {
            Ok(Self(text))
        } else {
            Err(KindError(shortened(&text)))
        }
    }
}

impl TryFrom<String> for KindPattern {
    type Error = KindError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<ActionKind> for String {
    fn from(kind: ActionKind) -> Self {
        kind.0
    }
}

impl From<KindPattern> for String {
    fn from(pattern: KindPattern) -> Self {
        pattern.to_string()
    }
}

fn is_kind(text: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && word
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    text.len() <= MAX_LENGTH
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.split('.').all(word)
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn covers(pattern: &str, kind: &str) -> bool {
        pattern
            .parse::<KindPattern>()
            .unwrap()
            .matches(&kind.parse().unwrap())
    }

    #[test]
    fn an_exact_pattern_covers_one_kind() {
        assert!(covers("refund.approve", "refund.approve"));
        assert!(!covers("refund.approve", "refund.approve.partial"));
        assert!(!covers("refund.approve", "refund"));
    }

    #[test]
    fn a_subtree_covers_its_root_and_all_below_but_no_sibling() {
        for kind in ["refund", "refund.approve", "refund.approve.partial"] {
            assert!(covers("refund.*", kind), "{kind}");
        }
        for kind in [
            "refunds",
            "refunds.approve",
            "refund-2.approve",
            "expense.refund",
        ] {
            assert!(!covers("refund.*", kind), "{kind}");
        }
    }

    #[test]
    fn a_star_covers_everything() {
        assert!(covers("*", "model.complete"));
    }

    #[test]
    fn text_that_could_walk_past_a_rule_is_no_kind() {
        for text in [
            "",
            ".",
            "*",
            "a.*",
            "Refund.approve",
            "refund..approve",
            ".refund",
            "refund.",
            "refund approve",
            "refund/approve",
            "réfund",
            "-refund",
            "refund.-x",
            "2fa.reset",
            "refund\n",
            &"a".repeat(129),
        ] {
            assert!(text.parse::<ActionKind>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn patterns_print_as_they_are_written() {
        for text in ["*", "refund.*", "refund.approve", "site-2.publish.*"] {
            assert_eq!(text.parse::<KindPattern>().unwrap().to_string(), text);
        }
        for text in ["**", "*.approve", "refund*", "refund.*.x", ".*"] {
            assert!(text.parse::<KindPattern>().is_err(), "{text}");
        }
    }
}
