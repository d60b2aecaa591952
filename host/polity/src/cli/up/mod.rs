//! `polity up`: runs a company until it is told to stop.
//!
//! The order matters. The folder is claimed first, so that everything after it has one writer; the port next, because
//! that is what fails most; then the slow part. Nothing is announced before it can answer.

mod banner;
mod chores;
mod listen;
mod news;
mod owner;
mod remote;
mod stop;
mod tries;
mod warm;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Args;
use polity_kernel::{CompletionWatch, Kernel, Settings, StartError};
use polity_ledger::{Clock as _, OpenError, SystemClock};
use tokio::net::TcpListener;

pub(crate) use listen::Listen;

use super::Context;
use super::bundled::{self, Seeded};
use super::compile;
use super::exit::Exit;
use super::logs::{self, LogFormat};
use super::out::say;
use super::place::Place;
use super::presence::{Presence, Server};
use super::report::Report;
use crate::otel::{self, Sending, Spans};
use crate::serve;

/// The longest that the last spans are waited for.
const LAST_SPANS: Duration = Duration::from_secs(3);

/// Run the company of a folder: plugins, API, console.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity up                             the company in ./protocols or in ./
  polity up --company my-company        another one
  polity up --listen 127.0.0.1:8000     on another port
  polity up --require-signed            with signed plugins only
  polity up --company company --constitution-remote git@host:company.git")]
pub(crate) struct UpArgs {
    #[command(flatten)]
    listen: Listen,

    /// A further name that the host answers to, for example behind a proxy.
    #[arg(long, value_name = "NAME")]
    host_name: Vec<String>,

    /// Load only plugins that came with Polity or are signed by a key that the charter trusts.
    #[arg(long)]
    require_signed: bool,

    /// Do not put the bundled plugins into the plugin folder.
    #[arg(long, env = "POLITY_NO_BUNDLED", hide_env = true, value_parser = clap::builder::BoolishValueParser::new())]
    no_bundled: bool,

    /// Seconds that running work gets to finish when the host is told to stop.
    #[arg(long, value_name = "SECONDS", default_value_t = 20)]
    drain: u64,

    #[command(flatten)]
    remote: remote::RemoteArgs,

    /// How log lines look.
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Auto)]
    log_format: LogFormat,
}

pub(crate) fn run(args: &UpArgs, context: &Context) -> Result<Exit, Report> {
    let started = Instant::now();
    logs::start(args.log_format);
    let place = match args.remote.is_given() {
        true => context.common.place.to_be_filled()?,
        false => context.common.place.resolve()?,
    };
    let presence = Presence::claim(&place.data)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(1, std::num::NonZero::get))
        .thread_name("polity")
        .enable_all()
        .build()
        .map_err(|error| Report::new("the host cannot start its threads").because(error))?;
    let ended = runtime.block_on(up(args, context, place, presence, started));
    // Whatever has not ended by now was asked to more than once.
    runtime.shutdown_background();
    ended
}

async fn up(
    args: &UpArgs,
    context: &Context,
    place: Place,
    mut presence: Presence,
    started: Instant,
) -> Result<Exit, Report> {
    let hook = args.remote.hook()?;
    let mut stop = stop::Signals::listen()?;
    let listener = args.listen.bind().await?;
    let is_first = !place.data.join("compiled").exists();
    let seeded = if args.no_bundled {
        Seeded::default()
    } else {
        bundled::seed(&place.plugins(), is_first)?
    };
    tell_seeded(&seeded);
    let (spans, sending) = otel::start()?.unzip();
    let compile_ahead = is_first || seeded != Seeded::default();
    let kernel = tokio::select! {
        kernel = start(args, &place, compile_ahead, spans.clone()) => kernel?,
        () = stop.next() => {
            announce("Stopped before it had started.");
            return Ok(Exit::Interrupted);
        }
    };
    let owner = owner::ensure(&kernel, &presence, &place.data).await?;
    let url = url(&listener)?;
    let options = serve::Options {
        host_names: args.host_name.clone(),
        hook,
        spans,
    };
    let server = serve::Server::new(kernel.clone(), listener, &options)
        .map_err(|error| Report::new("the host cannot serve").because(error))?;
    let link = format!("{url}{}", server.console_link(owner));
    presence.announce(&Server {
        url: url.clone(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        company: place.company.clone(),
        started_ms: SystemClock.now_ms(),
    })?;
    banner::show(&banner::Facts {
        kernel: &kernel,
        url: &url,
        link: &link,
        place: &place,
        args: &context.common.place,
        took: started.elapsed(),
    });
    serve_until_stopped(args, kernel, server, sending, stop).await
}

/// Opens the ledger, loads the constitution and compiles plugins, all of which block.
async fn start(
    args: &UpArgs,
    place: &Place,
    compile_ahead: bool,
    spans: Option<Spans>,
) -> Result<Kernel, Report> {
    let settings = Settings {
        plugins: place.plugins(),
        bundled: bundled::digests(),
        compiler: compile::process(),
        require_signed: args.require_signed,
        remote: args.remote.settings(&place.company)?,
        watch: spans.map(|spans| Arc::new(spans) as Arc<dyn CompletionWatch>),
        ..Settings::new(&place.company, &place.data)
    };
    let place = place.clone();
    let started = tokio::task::spawn_blocking(move || {
        if compile_ahead {
            warm::compile_ahead(&place);
        }
        Kernel::start(settings)
    });
    let started = started.await;
    match started {
        Ok(Ok(kernel)) => Ok(kernel),
        Ok(Err(error)) => Err(not_started(&error)),
        Err(error) => Err(Report::new("the company cannot start: this is a bug").because(error)),
    }
}

fn not_started(error: &StartError) -> Report {
    let report = Report::new("the company cannot start").caused_by(error);
    match error {
        StartError::Constitution(_) | StartError::Keys(_) => {
            report.hint("correct that, and see what else there is: polity doctor")
        }
        StartError::Remote(_) => {
            report.hint("see whether git itself can fetch it, as this user: git ls-remote URL")
        }
        StartError::Data { .. } => report.hint("choose a folder that can be written: --data DIR"),
        StartError::Ledger(OpenError::Locked { .. }) => {
            report.hint("wait until it has ended, or choose another folder: --data DIR")
        }
        StartError::Runtime(_) | StartError::Thread(_) => {
            report.hint("see what is missing: polity doctor")
        }
        StartError::Ledger(_) | StartError::Read(_) | StartError::Record(_) => {
            report.hint("see how it stands with the ledger: polity ledger verify")
        }
    }
}

async fn serve_until_stopped(
    args: &UpArgs,
    kernel: Kernel,
    server: serve::Server,
    sending: Option<Sending>,
    mut stop: stop::Signals,
) -> Result<Exit, Report> {
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let shutdown = async move {
        let _ = told.await;
    };
    let mut serving = tokio::spawn(server.serve(shutdown));
    let beside = tokio::spawn({
        let kernel = kernel.clone();
        async move { tokio::join!(news::tell(&kernel), chores::run(&kernel)) }
    });
    let ended = tokio::select! {
        ended = &mut serving => Some(ended),
        () = stop.next() => None,
    };
    if let Some(ended) = ended {
        let report = Report::new("the host stopped serving by itself: this is a bug");
        return Err(ended.err().map_or(report, |error| {
            Report::new("the host stopped serving: this is a bug").because(error)
        }));
    }
    announce(&format!(
        "Draining: running work gets up to {} s. Ctrl-C again stops at once.",
        args.drain
    ));
    let deadline = Duration::from_secs(args.drain);
    let _ = tell.send(());
    let drain = async {
        let begun = Instant::now();
        let answered = tokio::time::timeout(deadline, serving).await.is_ok();
        beside.abort();
        let drained = kernel.drain(deadline.saturating_sub(begun.elapsed())).await;
        // The last completions have ended by now.
        if let Some(sending) = sending {
            sending.finish(LAST_SPANS).await;
        }
        drained.map(|drained| answered && drained.in_progress == 0)
    };
    tokio::select! {
        drained = drain => match drained {
            Ok(whole) => {
                announce(if whole { "Stopped." } else { "Stopped; what was still running has been cut off." });
                Ok(Exit::Ok)
            }
            Err(error) => Err(Report::new("the ledger did not take the last events").caused_by(&error)),
        },
        () = stop.next() => {
            announce("Stopped at once.");
            Ok(Exit::Interrupted)
        }
    }
}

fn url(listener: &TcpListener) -> Result<String, Report> {
    let address = listener
        .local_addr()
        .map_err(|error| Report::new("the port has no address").because(error))?;
    Ok(listen::url(address))
}

fn tell_seeded(Seeded { added, upgraded }: &Seeded) {
    if !added.is_empty() {
        tracing::info!(
            plugins = added.join(", "),
            "the bundled plugins were put into the plugin folder"
        );
    }
    if !upgraded.is_empty() {
        tracing::info!(
            plugins = upgraded.join(", "),
            "bundled plugins were replaced by newer ones"
        );
    }
}

/// To whoever watches; where nobody does, to the log.
fn announce(text: &str) {
    if io::stderr().is_terminal() {
        say(format_args!("\n{text}"));
    } else {
        tracing::info!("{text}");
    }
}
