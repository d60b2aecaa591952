//! `polity ask`: which protocol covers a question. Needs no host and asks no model; a question that nothing covers can be
//! put before a person, and for that it needs a host.

use clap::Args;
use serde::Deserialize;
use serde_json::json;

use super::Context;
use super::decide::load;
use super::exit::Exit;
use super::host::read;
use super::out::say;
use super::report::Report;
use super::text::clean;

/// Find the protocol that answers a question, with its decision tree and clauses; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity ask \"What happens when a customer disputes a refund?\"
  polity ask \"Who approves an expense?\" --markdown
  polity ask \"How does an article get published?\" --mermaid > article.mmd
  polity ask \"May we sell a site?\" --open      put it before a person")]
#[command(
    after_help = "Ends with 1 if no protocol covers the question, with 4 if it was put before a person."
)]
pub(crate) struct AskArgs {
    /// The question, in plain words.
    question: String,

    /// Print the answer as Markdown.
    #[arg(long, conflicts_with = "mermaid")]
    markdown: bool,

    /// Print the decision tree as a Mermaid flowchart.
    #[arg(long)]
    mermaid: bool,

    /// Print the decision tree as an SVG.
    #[arg(long, conflicts_with_all = ["mermaid", "markdown"])]
    svg: bool,

    /// Where no protocol covers the question, put it before a person; needs a running host.
    #[arg(long)]
    open: bool,
}

/// Where a question waits.
#[derive(Deserialize)]
struct Opened {
    item: String,
    role: String,
    new: bool,
}

pub(crate) async fn run(args: &AskArgs, context: &Context) -> Result<Exit, Report> {
    let answer = load(context)?.ask(&args.question);
    let no_tree = || {
        Report::new("what covers this is a rule, which has no tree")
            .hint("leave out --mermaid and --svg to read it")
    };
    let text = if args.mermaid && answer.protocol.is_some() {
        answer.mermaid().ok_or_else(no_tree)?
    } else if args.svg && answer.protocol.is_some() {
        answer.svg().ok_or_else(no_tree)?
    } else if args.markdown {
        answer.markdown()
    } else {
        answer.terminal()
    };
    context
        .out
        .show(&answer, |out| out.write_all(clean(&text).as_bytes()))?;
    if answer.protocol.is_some() {
        return Ok(Exit::Ok);
    }
    if !args.open {
        say(
            "If it should be covered, write a protocol: workflows/NAME.yaml or decisions/NAME.json.",
        );
        say("Or put it before a person: the same command with --open.");
        return Ok(Exit::Failure);
    }
    let request = json!({ "question": args.question });
    let opened = context.host()?.post(&["api", "ask"], &request).await?;
    let Opened { item, role, new } = read(&opened)?;
    let already = if new { "" } else { " already" };
    say(format_args!(
        "It waits{already} for somebody with the role {role}: polity inbox show {item}"
    ));
    Ok(Exit::Waiting)
}
