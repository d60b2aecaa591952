//! `polity chat`: asks a model and prints the answer as it comes.

mod events;

use std::io::{self, IsTerminal, Read as _, Write};

use clap::Args;
use reqwest::Method;
use serde_json::json;

use super::Context;
use super::exit::Exit;
use super::host::{Body, DECISION, Host, broken, rows};
use super::out::say;
use super::report::Report;
use super::sse::Sse;
use super::text::clean;
use events::{Event, event};

/// Ask a model; the answer is printed as it comes.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity chat --model triage \"I was charged twice\"
  polity chat --system 'Answer in one word' 'Is 17 prime?'
  polity chat --model triage < mail.txt")]
pub(crate) struct ChatArgs {
    /// What to ask; - or nothing reads standard input.
    text: Option<String>,

    /// The model [default: the first that chats, or else that classifies].
    #[arg(short, long)]
    model: Option<String>,

    /// What the model is told before.
    #[arg(short, long, value_name = "TEXT")]
    system: Option<String>,

    /// The longest answer wanted, in tokens.
    #[arg(long, value_name = "TOKENS")]
    max_tokens: Option<u32>,

    /// From 0: how freely the model chooses its words.
    #[arg(long, value_name = "NUMBER")]
    temperature: Option<f64>,
}

pub(crate) async fn run(args: &ChatArgs, context: &Context) -> Result<Exit, Report> {
    let text = question(args)?;
    let host = context.host()?;
    let model = match &args.model {
        Some(model) => model.clone(),
        None => first_model(&host).await?,
    };
    let mut messages = Vec::new();
    messages.extend(
        args.system
            .iter()
            .map(|system| json!({"role": "system", "content": system})),
    );
    messages.push(json!({"role": "user", "content": text}));
    let stream = !context.out.json;
    let mut request = json!({"model": model, "messages": messages, "stream": stream});
    if let Some(tokens) = args.max_tokens {
        request["max_completion_tokens"] = tokens.into();
    }
    if let Some(temperature) = args.temperature {
        request["temperature"] = temperature.into();
    }
    let path = ["v1", "chat", "completions"];
    if !stream {
        let answer = host.post(&path, &request).await?;
        context.out.show(&answer, |_| Ok(()))?;
        return Ok(Exit::Ok);
    }
    let mut response = host
        .send(Method::POST, &path, &[], Body::Json(&request))
        .await?;
    let decision = response
        .headers()
        .get(DECISION)
        .and_then(|id| id.to_str().ok())
        .map(str::to_owned);
    let mut stream = Sse::default();
    let mut writer = Writer::default();
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        for data in stream.feed(&chunk) {
            match event(&data)? {
                Event::Text(text) => writer.write(&text)?,
                Event::Other => {}
                Event::End => {
                    writer.end()?;
                    if let Some(decision) = decision.filter(|_| io::stderr().is_terminal()) {
                        say(format_args!("\nThe whole story: polity explain {decision}"));
                    }
                    return Ok(Exit::Ok);
                }
            }
        }
    }
    writer.end()?;
    Err(Report::new("the answer broke off").because("the stream ended before its last event"))
}

fn question(args: &ChatArgs) -> Result<String, Report> {
    let given = args.text.as_deref().filter(|text| *text != "-");
    if let Some(text) = given {
        return Ok(text.to_owned());
    }
    if args.text.is_none() && io::stdin().is_terminal() {
        return Err(
            Report::usage("there is nothing to ask").hint("polity chat \"My invoice is wrong\"")
        );
    }
    let mut text = String::new();
    io::stdin()
        .lock()
        .read_to_string(&mut text)
        .map_err(|error| {
            Report::usage("the question on standard input cannot be read").because(error)
        })?;
    Ok(text)
}

async fn first_model(host: &Host) -> Result<String, Report> {
    let answer = host.get(&["v1", "models"], &[]).await?;
    let able = |ability: &str| {
        rows(&answer).iter().find(|model| {
            let abilities = model["polity"]["abilities"].as_array();
            abilities.is_none_or(|abilities| {
                abilities.is_empty() || abilities.iter().any(|known| known == ability)
            })
        })
    };
    // A label is an answer too, where nobody gives a better one.
    let first = able("chat").or_else(|| able("classify"));
    let first = first.and_then(|model| model["id"].as_str());
    first.map(str::to_owned).ok_or_else(|| {
        Report::new("there is no model to ask")
            .hint("see what the adapters wait for: polity plugin list")
    })
}

/// Writes an answer piece by piece and ends it with a line break.
#[derive(Default)]
struct Writer {
    wrote: bool,
    ends_in_break: bool,
}

impl Writer {
    fn write(&mut self, text: &str) -> io::Result<()> {
        let text = clean(text);
        self.wrote |= !text.is_empty();
        self.ends_in_break = text.ends_with('\n');
        let mut out = anstream::stdout().lock();
        out.write_all(text.as_bytes())?;
        out.flush()
    }

    fn end(&mut self) -> io::Result<()> {
        if self.wrote && !self.ends_in_break {
            writeln!(anstream::stdout().lock())?;
        }
        Ok(())
    }
}
