//! What a command's end says to the program that started it.

use std::process::ExitCode;

/// Part of the interface: scripts branch on these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Exit {
    /// It is done.
    Ok = 0,
    /// It could not be done.
    Failure = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A rule, or a missing permission, forbids it.
    Denied = 3,
    /// It waits for a person.
    Waiting = 4,
    /// It would cost more than the budget has left.
    OverBudget = 5,
    /// A second Ctrl-C ended it before it was done, as a shell says it.
    Interrupted = 130,
}

/// For `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
    0  done
    1  failed
    2  the command line is wrong
    3  denied, by a rule or for want of a permission
    4  waiting for a person
    5  over budget
  130  ended by a second Ctrl-C";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}
