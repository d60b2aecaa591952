//! Standard output: data, and nothing else. What is said to people about the data goes to standard error.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use super::report::Report;
use super::table::Table;
use super::text::clean;

/// Where a command's data goes, and in which form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    /// The data as JSON, for programs.
    pub(crate) json: bool,
}

impl Out {
    /// One JSON document if JSON is wanted, else what `tell` writes.
    pub(crate) fn show<T: Serialize>(
        self,
        data: &T,
        tell: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Report> {
        let mut out = anstream::stdout().lock();
        if self.json {
            serde_json::to_writer_pretty(&mut out, data).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            tell(&mut out)?;
        }
        Ok(out.flush()?)
    }

    /// One JSON document of one line if JSON is wanted, else what `tell` writes: for what goes on and on.
    pub(crate) fn stream<T: Serialize>(
        self,
        data: &T,
        tell: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Report> {
        let mut out = anstream::stdout().lock();
        if self.json {
            serde_json::to_writer(&mut out, data).map_err(io::Error::from)?;
            writeln!(out)?;
        } else {
            tell(&mut out)?;
        }
        Ok(out.flush()?)
    }

    /// Text that is data and has no other form.
    pub(crate) fn text(self, text: &str) -> Result<(), Report> {
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}

/// Writes a table as wide as the terminal, or as wide as it needs to be where there is none.
pub(crate) fn write_table(out: &mut dyn Write, table: &Table) -> io::Result<()> {
    out.write_all(table.render(width()).as_bytes())
}

/// Says something to the person, if there is one.
pub(crate) fn say(text: impl Display) {
    let _ = writeln!(anstream::stderr().lock(), "{}", clean(&text.to_string()));
}

/// The columns of the terminal that standard output is, if it is one.
pub(crate) fn width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    let (width, _) = terminal_size::terminal_size()?;
    Some(usize::from(width.0))
}
