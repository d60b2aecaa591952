//! Where something stands, for people, editors and programs at once.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Mark;

/// A part of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, relative to the constitution's folder.
    pub file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    pub line: u32,
    /// The column in characters, from 1; 0 where the file as a whole is meant.
    pub column: u32,
    /// The JSON pointer of the part, empty for the whole document.
    pub pointer: String,
    /// The first byte of the part in the file's text.
    #[serde(default)]
    pub start: usize,
    /// The byte after the part.
    #[serde(default)]
    pub end: usize,
}

impl Place {
    /// A file as a whole.
    pub fn of_file(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn at(file: &str, pointer: &str, mark: &Mark) -> Self {
        Self {
            file: file.to_owned(),
            line: mark.line,
            column: mark.column,
            pointer: pointer.to_owned(),
            start: mark.bytes.start,
            end: mark.bytes.end,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if self.line > 0 {
            write!(f, ":{}:{}", self.line, self.column)?;
        }
        Ok(())
    }
}
