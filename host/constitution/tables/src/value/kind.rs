//! The type names that a column may carry, as DMN spells them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What kind of value a column holds.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "&'static str")]
pub enum Kind {
    /// Not said; for an input, taken from the cells of its column.
    #[default]
    Any,
    /// `boolean`
    Boolean,
    /// `number`
    Number,
    /// `integer`: a number without a fraction, so that `<= 10` and `>= 11` leave nothing open between them.
    Integer,
    /// `string`
    String,
    /// `date`
    Date,
    /// `time`
    Time,
    /// `date and time`
    DateTime,
    /// `days and time duration`
    Days,
    /// `years and months duration`
    Months,
    /// `list`
    List,
    /// `context`
    Context,
}

impl Kind {
    /// Every kind with its name.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Any, "Any"),
        (Self::Boolean, "boolean"),
        (Self::Number, "number"),
        (Self::Integer, "integer"),
        (Self::String, "string"),
        (Self::Date, "date"),
        (Self::Time, "time"),
        (Self::DateTime, "date and time"),
        (Self::Days, "days and time duration"),
        (Self::Months, "years and months duration"),
        (Self::List, "list"),
        (Self::Context, "context"),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("Any", |(_, name)| name)
    }

    /// Whether a constant of another kind may stand in a column of this kind.
    pub fn takes(self, other: Self) -> bool {
        self == other
            || self == Self::Any
            || other == Self::Any
            || (self == Self::Integer && other == Self::Number)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no kind of value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "there is no type \"{0}\"; use one of boolean, number, integer, string, date, time, date and time, days and time duration, years and months duration, list, context, Any"
)]
pub struct UnknownKind(pub String);

impl FromStr for Kind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        // Older modellers prefix the language and write camel case.
        let bare = name.rsplit_once(':').map_or(name, |(_, bare)| bare);
        let bare = bare.strip_prefix("feel.").unwrap_or(bare);
        match bare {
            "dateTime" => return Ok(Self::DateTime),
            "dayTimeDuration" | "days and time" => return Ok(Self::Days),
            "yearMonthDuration" | "years and months" => return Ok(Self::Months),
            "any" => return Ok(Self::Any),
            // As modellers with a type system of their own say it.
            "double" | "float" | "decimal" => return Ok(Self::Number),
            "long" | "int" | "short" => return Ok(Self::Integer),
            _ => {}
        }
        Self::ALL
            .iter()
            .find(|(_, known)| *known == bare)
            .map(|(kind, _)| *kind)
            .ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

impl TryFrom<String> for Kind {
    type Error = UnknownKind;

    fn try_from(name: String) -> Result<Self, UnknownKind> {
        name.parse()
    }
}

impl From<Kind> for &'static str {
    fn from(kind: Kind) -> Self {
        kind.name()
    }
}
