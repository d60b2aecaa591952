//! The command line, after clig.dev: examples first in every help text, `--json` on every read, data on standard output
//! and talk on standard error, exit codes that scripts can branch on.
//!
//! One file for each command. A command takes its raw arguments, resolves them, and hands back how it ended or a
//! [`Report`](report::Report).

mod act;
mod amend;
mod argument;
mod ask;
mod bundled;
mod chat;
mod compile;
mod completions;
mod confirm;
mod console;
mod cost;
mod db;
mod decide;
mod decisions;
mod doctor;
mod event;
mod exit;
mod explain;
mod files;
mod halt;
mod handbook;
mod host;
mod inbox;
mod init;
mod instances;
mod invocation;
mod ledger;
mod lint;
mod logs;
mod models;
mod out;
mod place;
mod plugin;
mod policies;
mod presence;
mod progress;
mod reload;
mod report;
mod route;
mod router;
mod run;
mod sse;
mod status;
mod table;
mod test;
mod text;
mod token;
mod up;

use std::future::Future;
use std::process::ExitCode;

use clap::{Args, Command as Clap, CommandFactory, FromArgMatches, Parser, Subcommand};

use exit::{EXIT_CODES, Exit};
pub(crate) use host::http_client;
use host::{Host, HostArgs};
use out::Out;
use place::PlaceArgs;
pub(crate) use report::Report;

/// Examples before options: that is what people look for.
const HELP: &str =
    "{about-with-newline}\n{before-help}{usage-heading} {usage}\n\n{all-args}{after-help}";

/// What stands below the first page of help.
const ENVIRONMENT: &str = "\
Environment:
  POLITY_COMPANY, POLITY_DATA, POLITY_URL, POLITY_LISTEN
                in place of the options of these names
  POLITY_TOKEN  the bearer token [default: owner.token in the data folder]
  RUST_LOG      what a host logs: debug, or polity=debug,warn
  NO_COLOR      no colours";

/// Run a company from machine-readable rules, models and people.
#[derive(Debug, Parser)]
#[command(
    name = "polity",
    version,
    disable_help_subcommand = true,
    arg_required_else_help = true,
    before_help = "\
Examples:
  polity up                              run the company of this folder
  polity init my-company                 write a company to start from
  polity chat \"My invoice is wrong\"      ask a model
  polity inbox list                      see what waits for a person
  polity explain                         tell the story of the newest decision",
    after_long_help = format!("{EXIT_CODES}\n\n{ENVIRONMENT}"),
    after_help = "More, with exit codes, places and environment: polity --help"
)]
struct Cli {
    #[command(flatten)]
    common: Common,

    #[command(subcommand)]
    command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
struct Common {
    #[command(flatten)]
    place: PlaceArgs,

    #[command(flatten)]
    host: HostArgs,

    /// Print data as JSON, and errors too.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Up(up::UpArgs),
    Init(init::InitArgs),
    Status(status::StatusArgs),
    Console(console::ConsoleArgs),
    Chat(chat::ChatArgs),
    Models(models::ModelsArgs),
    Route(route::RouteArgs),
    Router(router::RouterArgs),
    Cost(cost::CostArgs),
    Act(act::ActArgs),
    Db(db::DbArgs),
    Decisions(decisions::DecisionsArgs),
    Explain(explain::ExplainArgs),
    Lint(lint::LintArgs),
    Decide(decide::DecideArgs),
    Test(test::TestArgs),
    Ask(ask::AskArgs),
    Run(run::RunArgs),
    Instances(instances::InstancesArgs),
    Event(event::EventArgs),
    Amend(amend::AmendArgs),
    Handbook(handbook::HandbookArgs),
    Inbox(inbox::InboxArgs),
    Halt(halt::HaltArgs),
    Resume(halt::ResumeArgs),
    Reload(reload::ReloadArgs),
    Plugin(plugin::PluginArgs),
    Ledger(ledger::LedgerArgs),
    Token(token::TokenArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
    #[command(name = compile::NAME)]
    Compile(compile::CompileArgs),
}

/// What commands are given beside their own arguments.
struct Context {
    common: Common,
    out: Out,
}

impl Context {
    /// The host that is meant.
    fn host(&self) -> Result<Host, Report> {
        host::find(&self.common.host, &self.common.place)
    }
}

/// Runs the command that the arguments name.
pub(crate) fn run() -> ExitCode {
    let cli = command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match cli {
        Ok(cli) => cli,
        Err(error) => {
            let exit = if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Ok
            };
            // Whoever closed the pipe has read enough.
            let _ = error.print();
            return exit.into();
        }
    };
    let json = cli.common.json;
    let context = Context {
        common: cli.common,
        out: Out { json },
    };
    match dispatch(cli.command, &context) {
        Ok(exit) => exit.into(),
        Err(report) => report.tell(json).into(),
    }
}

fn dispatch(command: Command, context: &Context) -> Result<Exit, Report> {
    match command {
        Command::Up(args) => up::run(&args, context),
        Command::Init(args) => init::run(&args, context.out),
        Command::Status(args) => wait(status::run(&args, context)),
        Command::Console(args) => wait(console::run(&args, context)),
        Command::Chat(args) => wait(chat::run(&args, context)),
        Command::Models(args) => wait(models::run(&args, context)),
        Command::Route(args) => wait(route::run(&args, context)),
        Command::Router(args) => wait(router::run(&args, context)),
        Command::Cost(args) => wait(cost::run(&args, context)),
        Command::Act(args) => wait(act::run(&args, context)),
        Command::Db(args) => wait(db::run(&args, context)),
        Command::Decisions(args) => wait(decisions::run(&args, context)),
        Command::Explain(args) => wait(explain::run(&args, context)),
        Command::Lint(args) => lint::run(&args, context),
        Command::Decide(args) => decide::run(&args, context),
        Command::Test(args) => test::run(&args, context),
        Command::Run(args) => wait(run::run(&args, context)),
        Command::Instances(args) => wait(instances::run(&args, context)),
        Command::Event(args) => wait(event::run(&args, context)),
        Command::Amend(args) => wait(amend::run(&args, context)),
        Command::Ask(args) => wait(ask::run(&args, context)),
        Command::Handbook(args) => handbook::run(&args, context),
        Command::Inbox(args) => wait(inbox::run(&args, context)),
        Command::Halt(args) => wait(halt::run(&args, context)),
        Command::Resume(args) => wait(halt::resume(&args, context)),
        Command::Reload(args) => wait(reload::run(&args, context)),
        Command::Plugin(args) => wait(plugin::run(&args, context)),
        Command::Ledger(args) => wait(ledger::run(&args, context)),
        Command::Token(args) => wait(token::run(&args, context)),
        Command::Doctor(args) => wait(doctor::run(&args, context)),
        Command::Completions(args) => completions::run(&args, context.out),
        Command::Compile(args) => compile::run(&args),
    }
}

/// Runs a command that talks to a host: one thread is plenty.
fn wait(command: impl Future<Output = Result<Exit, Report>>) -> Result<Exit, Report> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime =
        runtime.map_err(|error| Report::new("the command cannot start").because(error))?;
    runtime.block_on(command)
}

/// The whole command line.
fn command() -> Clap {
    dressed(Cli::command())
}

fn dressed(command: Clap) -> Clap {
    command.help_template(HELP).mut_subcommands(dressed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command and subcommand for people, with its words.
    fn all(command: &Clap, words: &str) -> Vec<(String, Clap)> {
        let mut found = vec![(words.to_owned(), command.clone())];
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            found.extend(all(sub, &format!("{words} {}", sub.get_name())));
        }
        found
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        command().debug_assert();
    }

    #[test]
    fn every_help_text_is_as_it_was_agreed() {
        let mut built = command().term_width(100);
        built.build();
        let mut texts: Vec<_> = all(&built, "polity")
            .into_iter()
            .map(|(words, mut command)| {
                (words.replace(' ', "-"), command.render_help().to_string())
            })
            .collect();
        texts.push((
            "polity-long".to_owned(),
            built.render_long_help().to_string(),
        ));
        for (name, help) in texts {
            insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
                insta::assert_snapshot!(format!("help-{name}"), help);
            });
        }
    }

    #[test]
    fn every_command_that_does_something_shows_examples_first() {
        let mut built = command();
        built.build();
        for (words, mut command) in all(&built, "polity") {
            let help = command.render_help().to_string();
            let (examples, usage) = (help.find("Examples:"), help.find("Usage:"));
            assert!(
                examples.is_some() && examples < usage,
                "{words} has no examples before its usage:\n{help}"
            );
        }
    }

    #[test]
    fn an_example_fits_a_narrow_terminal() {
        let mut built = command();
        built.build();
        for (words, command) in all(&built, "polity") {
            let examples = command
                .get_before_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            for line in examples.lines() {
                assert!(line.chars().count() <= 80, "{words}: {line}");
            }
        }
    }

    #[test]
    fn the_long_help_tells_exit_codes_and_environment() {
        let help = command().render_long_help().to_string();
        for words in ["4  waiting for a person", "POLITY_TOKEN", "NO_COLOR"] {
            assert!(help.contains(words), "{help}");
        }
    }

    #[test]
    fn every_example_is_a_command_that_parses() {
        let mut built = command();
        built.build();
        for (words, command) in all(&built, "polity") {
            let examples = command
                .get_before_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            for line in examples
                .lines()
                .filter_map(|line| line.trim().strip_prefix("polity "))
            {
                for part in line.split(" && polity ") {
                    let arguments = shell_words(part);
                    let parsed = super::command().try_get_matches_from(
                        std::iter::once("polity".to_owned()).chain(arguments.iter().cloned()),
                    );
                    assert!(
                        parsed.is_ok(),
                        "`{words}` shows `polity {part}`: {}",
                        parsed.unwrap_err()
                    );
                }
            }
        }
    }

    /// The words of an example: quotes are honoured; redirections, pipes and remarks after two spaces end it.
    fn shell_words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
        let mut chars = line.chars().peekable();
        while let Some(c) = chars.next() {
            match (c, quote) {
                (c, Some(open)) if c == open => quote = None,
                ('\'' | '"', None) => {
                    quote = Some(c);
                    word.get_or_insert_default();
                }
                (' ', None) => {
                    words.extend(word.take());
                    if matches!(chars.peek(), Some(' ' | '|' | '>' | '<')) {
                        break;
                    }
                }
                (c, _) => word.get_or_insert_default().push(c),
            }
        }
        words.extend(word);
        words
    }

    #[test]
    fn a_misspelt_command_is_answered_with_the_one_that_was_meant() {
        let error = command()
            .try_get_matches_from(["polity", "inbx"])
            .unwrap_err()
            .to_string();
        assert!(error.contains("inbox"), "{error}");
    }

    #[test]
    fn options_of_place_are_taken_before_and_after_the_command() {
        for arguments in [
            ["polity", "--data", "/d", "models"],
            ["polity", "models", "--data", "/d"],
        ] {
            let cli =
                Cli::from_arg_matches(&command().try_get_matches_from(arguments).unwrap()).unwrap();
            assert_eq!(
                cli.common.place.data.as_deref(),
                Some(std::path::Path::new("/d"))
            );
        }
    }
}
