//! The kernel itself: what it is made of, and how it starts.

use std::fmt;
use std::fs;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwapOption;
use polity_constitution::{Constitution, Problems};
use polity_dispatch::AttemptRecord;
use polity_dispatch::cache::CacheStats;
use polity_inbox::Inbox;
use polity_ledger::{Clock, Commit, CommitError, Event, Ledger, Options, ReadError};
use polity_runtime::registry::{Runtime, Settings as RuntimeSettings};
use polity_runtime::signature::Trust;
use serde_json::json;
use uuid::Uuid;

use crate::Actor;
use crate::budget::{RecoverError, Spending, SpentToday};
use crate::completion::{CompletionEnded, CompletionRecord};
use crate::constitution_live::RefusedConstitution;
use crate::constitution_store as store;
use crate::counters::{Counters, Counting, Elsewhere};
use crate::drain::{Door, Drained, Draining, Visit};
use crate::escalation;
use crate::feedback;
use crate::houses::Houses;
use crate::law::Law;
use crate::models::{AdapterProblem, ModelEntry, Models};
use crate::near::near;
use crate::plugin_journal::PluginJournal;
use crate::policies::policy_problems;
use crate::records::Records;
use crate::remote::{self, RemoteState};
use crate::rules::Books;
use crate::settings::{Settings, StartError};
use crate::tokens::{TokenError, TokenInfo, Tokens};
use crate::training;
use crate::workflows::Workflows;

/// A company at work: its constitution, its plugins, its ledger and its inbox, joined. Clones are handles to the same
/// kernel; it ends when the last one is dropped, better after [`Kernel::drain`].
#[derive(Clone)]
pub struct Kernel {
    pub(crate) inner: Arc<Inner>,
}

/// In the order in which they end: plugins first, then what is told of them, then what is written.
pub(crate) struct Inner {
    pub(crate) books: Books,
    pub(crate) models: Models,
    pub(crate) houses: Houses,
    pub(crate) runtime: Runtime,
    journal: PluginJournal,
    pub(crate) spending: Spending,
    pub(crate) tokens: Tokens,
    pub(crate) counting: Counting,
    pub(crate) door: Door,
    pub(crate) inbox: Inbox,
    pub(crate) records: Records,
    pub(crate) workflows: Workflows,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) ledger: Ledger,
    settings: Settings,
    /// Held while the constitution is read again.
    pub(crate) reloading: tokio::sync::Mutex<()>,
    /// Held while the constitution's remote is asked.
    pub(crate) pulling: tokio::sync::Mutex<()>,
    /// Told when it should be asked.
    pub(crate) pull_wanted: tokio::sync::Notify,
    /// What came of it.
    pub(crate) remote_state: ArcSwapOption<RemoteState>,
    /// Held while an amendment is changed.
    pub(crate) amending: tokio::sync::Mutex<()>,
    /// What the constitution's folder holds, where that is not in force.
    pub(crate) refused: ArcSwapOption<RefusedConstitution>,
}

impl Inner {
    /// Counts a completion that has ended, and tells who watches.
    pub(crate) fn ended(
        &self,
        id: Uuid,
        completion: &CompletionRecord,
        attempts: &[AttemptRecord],
    ) {
        self.counting.completion(completion);
        if let Some(watch) = &self.settings.watch {
            watch.ended(CompletionEnded {
                decision: id,
                at_ms: self.clock.now_ms(),
                completion,
                attempts,
            });
        }
    }
}

impl Kernel {
    /// Reads the constitution, opens the ledger, loads the plugins. Blocks, for as long as plugins take to compile.
    ///
    /// # Errors
    /// What cannot be read or opened. A plugin that cannot be loaded is no error: it is refused, and shown.
    pub fn start(settings: Settings) -> Result<Self, StartError> {
        if let Some(remote) = &settings.remote {
            remote::at_start(&settings.company, &settings.data, &remote.remote)?;
        }
        let (constitution, overlay) = store::load(&settings.company)?;
        let constitution = remote::known(constitution, &settings);
        let charter = constitution.charter();
        let policy = charter.plugins();
        let trust = Trust::new(
            policy.require_signed || settings.require_signed,
            &policy.trusted_keys,
        )?;
        fs::create_dir_all(&settings.data).map_err(|source| StartError::Data {
            path: settings.data.clone(),
            source,
        })?;
        let clock = settings.clock.clone();
        let ledger = match &settings.store {
            Some(store) => Ledger::on(store.clone(), clock.clone())?,
            None => Ledger::open(Options {
                cache_bytes: settings.cache_bytes,
                ..Options::new(settings.data.join("ledger"), clock.clone())
            })?,
        };

        let started = json!({ "version": env!("CARGO_PKG_VERSION") });
        ledger.commit_relaxed(Commit::new().event(Event::new(
            "host.started",
            "/kernel",
            "host",
            started,
        )))?;
        ledger.commit_relaxed(store::record(&constitution, None, &[]))?;
        let spending = Spending::new(ledger.clone());
        let recovered = spending.recover().map_err(|error| match error {
            RecoverError::Read(error) => StartError::Read(error),
            RecoverError::Commit(error) => StartError::Record(error),
        })?;
        if recovered.completions > 0 {
            tracing::warn!(
                completions = recovered.completions,
                micro = recovered.micro,
                "completions were in progress when the host last ended; what was reserved for them counts as spent"
            );
        }

        let journal = PluginJournal::start(ledger.clone()).map_err(StartError::Thread)?;
        let runtime = Runtime::start(RuntimeSettings {
            plugins: settings.plugins.clone(),
            data: settings.data.clone(),
            trust,
            bundled: settings.bundled.clone(),
            compiler: settings.compiler.clone(),
            resolver: settings.resolver.clone(),
            observer: journal.observer(),
        })?;
        // What was loaded is on record before the first decision is.
        journal.flush_blocking();
        // A mistake in a policy is a mistake in the constitution; who can read it is known only now.
        let list = policy_problems(&constitution, &runtime.current());
        if !list.is_empty() {
            let folder = Some(settings.company.clone());
            return Err(Problems { folder, list }.into());
        }
        let models = Models::new(clock.clone(), overlay);
        feedback::take_again(&ledger, models.router())?;
        escalation::settled::take_again(&ledger, models.router())?;
        training::take_up(&ledger, &settings.data, models.router())?;
        let books = Books::new(Law::new(constitution), &runtime);
        let kernel = Self {
            inner: Arc::new(Inner {
                models,
                houses: Houses::default(),
                tokens: Tokens::read(ledger.clone(), clock.clone())?,
                inbox: Inbox::new(ledger.clone(), clock.clone()),
                records: Records::new(settings.data.join("records"), clock.clone(), ledger.clone()),
                workflows: Workflows::new(&ledger)?,
                counting: Counting::default(),
                door: Door::default(),
                reloading: tokio::sync::Mutex::default(),
                amending: tokio::sync::Mutex::default(),
                pulling: tokio::sync::Mutex::default(),
                pull_wanted: tokio::sync::Notify::default(),
                remote_state: ArcSwapOption::empty(),
                refused: ArcSwapOption::empty(),
                books,
                runtime,
                journal,
                spending,
                clock,
                ledger,
                settings,
            }),
        };
        kernel.index_workflows()?;
        kernel.inner.records.attach(Arc::downgrade(&kernel.inner));
        Ok(kernel)
    }

    /// Who holds a token; none where the token is not known, or its actor has left the charter.
    pub fn authenticate(&self, bearer: &str) -> Option<Arc<Actor>> {
        let info = self.inner.tokens.actor_of(bearer)?;
        self.actor(&info.actor)
    }

    /// What is known of a token that is in force, whether or not the charter still knows its actor.
    pub fn token(&self, bearer: &str) -> Option<Arc<TokenInfo>> {
        self.inner.tokens.actor_of(bearer)
    }

    /// Whether a token has been issued and not been revoked since.
    pub fn is_in_force(&self, token: Uuid) -> bool {
        self.inner.tokens.is_in_force(token)
    }

    /// What an actor and everyone together have spent today, in UTC, and what is set aside for completions in progress.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn spent_today(&self, actor: &str) -> Result<SpentToday, ReadError> {
        let inner = &*self.inner;
        inner.spending.accounts(actor, inner.clock.now_ms())
    }

    /// An actor that the charter knows, by its full id.
    pub fn actor(&self, id: &str) -> Option<Arc<Actor>> {
        self.inner.books.law().actor(id).cloned()
    }

    /// Makes a token for an actor, and returns it for the only time. `issued_by` is who is told to have done it: an
    /// actor's id, or `host` where the operator of the machine did.
    ///
    /// # Errors
    /// The charter does not know the actor, or the ledger could not take the record.
    pub async fn issue_token(
        &self,
        issued_by: &str,
        actor: &str,
        label: &str,
    ) -> Result<String, TokenError> {
        let law = self.inner.books.law();
        if law.actor(actor).is_none() {
            return Err(TokenError::UnknownActor {
                asked: actor.to_owned(),
                near: near(actor, law.actor_ids()),
            });
        }
        self.inner.tokens.issue(issued_by, actor, label).await
    }

    /// Ends a token.
    ///
    /// # Errors
    /// There is no such token, or the ledger could not take the record; the token is not accepted any more even then.
    pub async fn revoke_token(&self, revoked_by: &str, id: Uuid) -> Result<TokenInfo, TokenError> {
        self.inner.tokens.revoke(revoked_by, id).await
    }

    /// All tokens, oldest first.
    pub fn tokens(&self) -> Vec<TokenInfo> {
        self.inner.tokens.list()
    }

    /// The models that can be asked now, by id. Providers are asked for their lists at most every half minute, and only
    /// because somebody calls this or names a model that is not known.
    pub async fn models(&self) -> Vec<Arc<ModelEntry>> {
        self.inner.models.all(&self.inner.runtime).await
    }

    /// Names that stand for several models together: `council/<name>`, and the cascades.
    pub fn arrangements(&self) -> Vec<String> {
        self.inner.models.arrangements()
    }

    /// What the cache of answers has done since it was made: at the start, or when `models.json` last changed it.
    pub fn cache_stats(&self) -> CacheStats {
        self.inner.models.cache().stats()
    }

    /// Adapters that could not say which models they have when they were last asked.
    pub fn model_problems(&self) -> Vec<AdapterProblem> {
        self.inner.models.problems()
    }

    /// The plugins.
    pub fn runtime(&self) -> &Runtime {
        &self.inner.runtime
    }

    /// What waits for people.
    pub fn inbox(&self) -> &Inbox {
        &self.inner.inbox
    }

    /// What happened.
    pub fn ledger(&self) -> &Ledger {
        &self.inner.ledger
    }

    /// What may happen.
    pub fn constitution(&self) -> Arc<Constitution> {
        self.inner.books.law().constitution.clone()
    }

    /// Where everything is.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// Counts since the start, and how things stand.
    ///
    /// # Errors
    /// The ledger does not read.
    pub fn counters(&self) -> Result<Counters, ReadError> {
        let inner = &*self.inner;
        let seq = inner.ledger.head()?.map_or(0, |(seq, _)| seq);
        let inbox = self.inbox_count()?;
        let elsewhere = Elsewhere {
            inbox,
            workflows: inner.workflows.count(),
            cache: self.cache_stats(),
            router_decisions: inner.models.decision_times(),
            ledger_seq: seq,
            in_progress: inner.door.inside(),
        };
        Ok(inner.counting.read(&inner.runtime.current(), elsewhere))
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.inner.door.is_closed()
    }

    /// Takes no new work, waits for what is in progress, and puts everything on the disk. To be called once; a second
    /// call waits again.
    ///
    /// # Errors
    /// The ledger takes no more events.
    pub async fn drain(&self, timeout: Duration) -> Result<Drained, CommitError> {
        let inner = &*self.inner;
        let drained = inner.door.close(timeout).await;
        // Whoever asked for a plugin has had this long, too.
        inner.runtime.end();
        inner.journal.flush().await;
        let records = self.inner.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || records.records.close()).await {
            tracing::error!(%error, "the records were not closed");
        }
        let data = json!({ "in_progress": drained.in_progress });
        inner
            .ledger
            .commit(Commit::new().event(Event::new("host.drained", "/kernel", "host", data)))
            .await?;
        Ok(drained)
    }

    pub(crate) fn enter(&self) -> Result<Visit, Draining> {
        self.inner.door.enter()
    }
}

impl fmt::Debug for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kernel")
            .field("company", &self.inner.settings.company)
            .finish_non_exhaustive()
    }
}
