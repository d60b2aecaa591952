//! The HTTP face of a company: OpenAI's API under `/v1`, our own under `/api`, metrics and health, the console.
//!
//! It composes and decides nothing: who may do what is the charter's to say, what may happen the rules', and every answer
//! is the kernel's, put into the shape that its caller expects.

mod answer;
mod anthropic;
mod api;
mod asker;
mod auth;
mod body;
mod connections;
mod document;
mod failure;
mod fault;
mod front;
mod headers;
mod health;
mod hook;
mod hosts;
mod json;
mod metrics;
mod object;
mod openai;
mod patient;
mod repoll;
mod responses;
mod stream;
mod surrogates;
mod wishes;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use polity_kernel::{Kernel, TokenInfo};
use polity_runtime::digest::Digest;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::console::Sessions;
use crate::otel::Spans;
use hosts::Hosts;
use metrics::Traffic;

pub(crate) use api::amendments::refused as amendment_refused;
pub(crate) use api::halts::{pattern as halt_pattern, refused as halt_refused};
pub(crate) use api::inbox::{as_decider, refused as decide_refused};
pub(crate) use api::ledger::verify;
pub(crate) use api::mutations::of_schema as schema_refused;
pub(crate) use api::plugins;
pub(crate) use api::workflows::{not_cancelled as cancel_refused, not_run as run_refused};
pub(crate) use auth::require;
pub(crate) use body::{SMALL, read as read_body};
pub(crate) use fault::{Fault, Kind};
pub(crate) use hook::Hook;

/// How a host is served.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options {
    /// Names that the host answers to beside those of the loopback interface.
    pub(crate) host_names: Vec<String>,
    /// The secret of the constitution's push hook.
    pub(crate) hook: Option<Hook>,
    /// Where completions are told of, for the count of what became of it.
    pub(crate) spans: Option<Spans>,
}

/// A host about to be served.
pub(crate) struct Server {
    listener: TcpListener,
    app: App,
}

/// What every handler can reach.
pub(crate) type App = Arc<Shared>;

/// See [`App`].
pub(crate) struct Shared {
    pub(crate) kernel: Kernel,
    pub(crate) sessions: Sessions,
    hosts: Hosts,
    traffic: Traffic,
    hook: Option<Hook>,
    spans: Option<Spans>,
    /// Cancelled when no new work is taken.
    pub(crate) ending: CancellationToken,
}

impl Shared {
    fn new(kernel: Kernel, address: SocketAddr, options: &Options) -> Self {
        Self {
            kernel,
            sessions: Sessions::default(),
            hosts: Hosts::new(address, &options.host_names),
            traffic: Traffic::default(),
            hook: options.hook.clone(),
            spans: options.spans.clone(),
            ending: CancellationToken::new(),
        }
    }

    pub(crate) fn now_ms(&self) -> u64 {
        self.kernel.ledger().now_ms()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.ending.is_cancelled() || self.kernel.is_draining()
    }
}

impl Server {
    /// A host behind a listener.
    ///
    /// # Errors
    /// The listener has no address.
    pub(crate) fn new(
        kernel: Kernel,
        listener: TcpListener,
        options: &Options,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        Ok(Self {
            listener,
            app: Arc::new(Shared::new(kernel, address, options)),
        })
    }

    /// The path of a link that opens the console once, as the token's holder; `/login?token=…`.
    pub(crate) fn console_link(&self, token: Arc<TokenInfo>) -> String {
        crate::console::link(&self.app, token)
    }

    /// Serves until `shutdown` resolves. From then on new work is refused with a word on when to try again; returns when
    /// what was in progress has been answered.
    pub(crate) async fn serve(self, shutdown: impl Future<Output = ()>) {
        let Self { listener, app } = self;
        let router = app_router(&app);
        let ending = app.ending.clone();
        let answer = move |request| front::answer(app.clone(), router.clone(), request);
        connections::serve(listener, answer, async {
            shutdown.await;
            ending.cancel();
        })
        .await;
    }
}

/// Every route.
pub(crate) fn app_router(app: &App) -> Router {
    document::routes()
        .merge(crate::console::routes())
        .fallback(front::not_found)
        .method_not_allowed_fallback(front::method_not_allowed)
        .with_state(app.clone())
}

/// Does work that blocks where nobody waits for the thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(Fault::internal)
}

/// The first digits of a digest, enough for a person to tell two versions apart.
pub(crate) fn short(digest: &Digest) -> String {
    digest.to_hex().chars().take(12).collect()
}
