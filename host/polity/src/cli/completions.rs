//! `polity completions`: what a shell needs to complete commands and options.

use clap::Args;
use clap_complete::Shell;

use super::exit::Exit;
use super::out::Out;
use super::report::Report;

/// Print a completion script for a shell.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity completions bash > /etc/bash_completion.d/polity
  polity completions zsh > ~/.zfunc/_polity
  polity completions fish > ~/.config/fish/completions/polity.fish")]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

pub(crate) fn run(args: &CompletionsArgs, out: Out) -> Result<Exit, Report> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "polity", &mut script);
    out.text(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Ok)
}
