//! The question before something that cannot be taken back: answered by typing the name, so that no stray key is a yes.

use std::io::{self, BufRead, IsTerminal, Write};

use super::exit::Exit;
use super::report::Report;

/// Asks a person to type `name`; without one there has to be `--yes`.
pub(crate) fn by_name(question: &str, name: &str, yes: bool) -> Result<(), Report> {
    if yes {
        return Ok(());
    }
    if !io::stdin().is_terminal() {
        return Err(
            Report::new("this needs a confirmation, and there is nobody to ask")
                .because("standard input is not a terminal")
                .hint("if it is meant: --yes")
                .exits(Exit::Usage),
        );
    }
    let mut ask = anstream::stderr().lock();
    write!(ask, "{question}\nType {name} to go on: ")?;
    ask.flush()?;
    let mut typed = String::new();
    io::stdin().lock().read_line(&mut typed)?;
    if typed.trim() == name {
        return Ok(());
    }
    Err(Report::new("nothing was changed").because("the name was not typed"))
}
