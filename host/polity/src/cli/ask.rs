//! `polity ask`: which protocol covers a question. Needs no host and asks no model.

use clap::Args;

use super::Context;
use super::decide::load;
use super::exit::Exit;
use super::out::say;
use super::report::Report;
use super::text::clean;

/// Find the protocol that answers a question, with its decision tree and clauses; needs no running host.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity ask \"What happens when a customer disputes a refund?\"
  polity ask \"Who approves an expense?\" --markdown
  polity ask \"How does an article get published?\" --mermaid > article.mmd")]
#[command(after_help = "Ends with 1 if no protocol covers the question.")]
pub(crate) struct AskArgs {
    /// The question, in plain words.
    question: String,

    /// Print the answer as Markdown.
    #[arg(long, conflicts_with = "mermaid")]
    markdown: bool,

    /// Print the decision tree as a Mermaid flowchart.
    #[arg(long)]
    mermaid: bool,
}

pub(crate) fn run(args: &AskArgs, context: &Context) -> Result<Exit, Report> {
    let answer = load(context)?.ask(&args.question);
    let text = if args.mermaid && answer.protocol.is_some() {
        answer.mermaid().ok_or_else(|| {
            Report::new("what covers this is a rule, which has no tree")
                .hint("leave out --mermaid to read it")
        })?
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
    say("If it should be covered, write a protocol: workflows/NAME.yaml or decisions/NAME.json.");
    Ok(Exit::Failure)
}
