//! How a failure is told: one sentence, its cause, and what to do now.
//!
//! Every error that a person can meet goes through here, so that all of them have the same form, and a program that asked
//! for JSON gets them as JSON.

use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::exit::Exit;
use super::text::clean;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const LABEL: Style = Style::new().bold();

/// A failure, ready to be told.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Report {
    /// What could not be done, in one sentence without a full stop.
    message: String,
    /// Why, from near to far.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    /// What to do: each one is enough.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hints: Vec<String>,
    #[serde(skip)]
    exit: Exit,
    /// The reader of our output has gone, which is not a failure and nothing to talk about.
    #[serde(skip)]
    silent: bool,
}

impl Report {
    /// A failure without a more special meaning.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            causes: Vec::new(),
            hints: Vec::new(),
            exit: Exit::Failure,
            silent: false,
        }
    }

    /// The command line is wrong in a way that only a look at the world could tell.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(message).exits(Exit::Usage)
    }

    /// Why it failed.
    pub(crate) fn because(mut self, cause: impl ToString) -> Self {
        let cause = cause.to_string();
        if !cause.is_empty() {
            self.causes.push(cause);
        }
        self
    }

    /// Why it failed, with everything that an error knows of its own causes and does not already say itself.
    pub(crate) fn caused_by(mut self, error: &(dyn Error + 'static)) -> Self {
        let mut next = Some(error);
        while let Some(error) = next {
            let said = error.to_string();
            if !self.causes.iter().any(|cause| cause.contains(&said)) {
                self.causes.push(said);
            }
            next = error.source();
        }
        self
    }

    /// What would help.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// How the command ends.
    pub(crate) fn exits(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// Tells it, and says how the command ends.
    pub(crate) fn tell(&self, json: bool) -> Exit {
        if self.silent {
            return Exit::Ok;
        }
        let text = if json { self.json() } else { self.text() };
        // Nobody is left to be told that they cannot be told.
        let _ = anstream::stderr().lock().write_all(text.as_bytes());
        self.exit
    }

    fn json(&self) -> String {
        let report = serde_json::json!({"error": self, "exit": self.exit as u8});
        format!("{report}\n")
    }

    fn text(&self) -> String {
        let mut text = format!("{ERROR}error:{ERROR:#} {}\n", indented(&self.message));
        for cause in &self.causes {
            let _ = writeln!(text, "  {LABEL}because:{LABEL:#} {}", indented(cause));
        }
        for hint in &self.hints {
            let _ = writeln!(text, "  {LABEL}hint:{LABEL:#} {}", indented(hint));
        }
        text
    }
}

impl std::fmt::Display for Report {
    /// In one line, for where it is only a part of something.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)?;
        self.causes
            .iter()
            .try_for_each(|cause| write!(f, ": {cause}"))
    }
}

/// Texts of several lines stand below their first one.
fn indented(text: &str) -> String {
    clean(text.trim_end()).replace('\n', "\n    ")
}

impl From<io::Error> for Report {
    /// For writing to standard output, which is the only place where an error of the system needs no other words.
    fn from(error: io::Error) -> Self {
        let silent = error.kind() == io::ErrorKind::BrokenPipe;
        Self {
            silent,
            ..Self::new("the output cannot be written").because(error)
        }
    }
}

#[cfg(test)]
impl Report {
    /// As a person sees it, without colours.
    pub(crate) fn seen(&self) -> String {
        anstream::adapter::strip_str(&self.text()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(report: &Report) -> String {
        report.seen()
    }

    #[test]
    fn a_failure_is_a_sentence_its_causes_and_what_to_do() {
        let report = Report::new("the port 7654 of 127.0.0.1 is taken")
            .because("Address already in use (os error 98)")
            .hint("choose another one: polity up --listen 127.0.0.1:7655");
        insta::assert_snapshot!(plain(&report), @r"
        error: the port 7654 of 127.0.0.1 is taken
          because: Address already in use (os error 98)
          hint: choose another one: polity up --listen 127.0.0.1:7655
        ");
    }

    #[test]
    fn a_text_of_several_lines_stays_together() {
        let report = Report::new("it waits for a grant")
            .hint("add this:\n[[http]]\nhost = \"example.com\"\n");
        insta::assert_snapshot!(plain(&report), @r#"
        error: it waits for a grant
          hint: add this:
            [[http]]
            host = "example.com"
        "#);
    }

    #[test]
    fn for_a_program_it_is_one_line_of_json() {
        let report = Report::new("no").because("rule").exits(Exit::Denied);
        assert_eq!(
            report.json(),
            "{\"error\":{\"causes\":[\"rule\"],\"message\":\"no\"},\"exit\":3}\n"
        );
    }

    #[test]
    fn a_cause_that_repeats_its_own_source_is_told_once() {
        #[derive(Debug, thiserror::Error)]
        #[error("it cannot be read: {0}")]
        struct Outer(#[source] io::Error);
        let error = Outer(io::Error::other("disk on fire"));
        let report = Report::new("no").caused_by(&error);
        assert_eq!(report.causes, ["it cannot be read: disk on fire"]);
    }

    #[test]
    fn a_reader_that_has_gone_is_no_failure() {
        let report = Report::from(io::Error::from(io::ErrorKind::BrokenPipe));
        assert_eq!(report.tell(false), Exit::Ok);
    }

    #[test]
    fn what_comes_from_outside_cannot_drive_the_terminal() {
        let report = Report::new("bad \u{1b}]0;owned\u{7} name");
        assert!(!plain(&report).contains('\u{7}') && !report.text().contains("\u{1b}]"));
    }
}
