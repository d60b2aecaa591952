//! Following a remote while the host runs.

use std::sync::Arc;

use polity_constitution::Problems;
use polity_ledger::{Commit, Event};
use serde_json::json;
use tokio::time::timeout;

use super::{Brought, PullError, Pulled, RemoteState, bring};
use crate::{Kernel, ReloadError, Reloaded};

impl Kernel {
    /// Asks the remote again and again, and whenever it is told to, for as long as this is polled. Without a remote it
    /// waits for ever.
    pub async fn follow_remote(&self) {
        let Some(every) = self.settings().remote.as_ref().map(|remote| remote.every) else {
            return std::future::pending().await;
        };
        loop {
            if let Err(error) = self.pull().await {
                tracing::debug!(%error, "the constitution's remote was asked");
            }
            let _ = timeout(every, self.inner.pull_wanted.notified()).await;
        }
    }

    /// Has the remote asked soon; many wishes at once are one.
    pub fn want_pull(&self) {
        self.inner.pull_wanted.notify_one();
    }

    /// How it stands with the remote; none where there is none.
    pub fn remote_state(&self) -> Option<Arc<RemoteState>> {
        self.inner.remote_state.load_full()
    }

    /// Asks the remote now, and brings what it holds into force.
    ///
    /// # Errors
    /// See [`PullError`]; the constitution in force stays.
    pub async fn pull(&self) -> Result<Pulled, PullError> {
        let Some(settings) = self.settings().remote.clone() else {
            return Err(PullError::NoRemote);
        };
        let _alone = self.inner.pulling.lock().await;
        let data = self.settings().data.clone();
        let remote = settings.remote.clone();
        let fetched = blocking(move || bring::fetch(&data, &remote)).await;
        let pulled = match fetched {
            Ok(None) => Ok(Pulled::Unchanged),
            Ok(Some(brought)) => self.bring_in(brought).await.map(|()| Pulled::Changed),
            Err(error) => Err(error),
        };
        self.note_pull(&settings.remote.to_string(), &pulled).await;
        pulled
    }

    /// Copies what was staged and puts it in force. Only one at a time may stage.
    pub(crate) async fn bring_in(&self, brought: Brought) -> Result<(), PullError> {
        // Whoever follows the folder sees it before the copy or after it.
        let _reloading = self.inner.reloading.lock().await;
        let (company, data) = (
            self.settings().company.clone(),
            self.settings().data.clone(),
        );
        let version = brought.constitution.version().clone();
        blocking(move || bring::deploy(&company, &data, &version)).await?;
        let loaded = self.read_folder().await.map_err(ReloadError::from)?;
        match self.enact(loaded).await? {
            Reloaded::Changed { .. } | Reloaded::Unchanged => Ok(()),
        }
    }

    /// Trouble is told once, when it begins, and forgotten when it is over.
    async fn note_pull(&self, remote: &str, pulled: &Result<Pulled, PullError>) {
        let known = self.remote_state();
        let (trouble, problems): (Option<String>, Option<Problems>) = match pulled {
            Ok(_) => (None, None),
            Err(PullError::Problems(problems)) => {
                (Some(problems.to_string()), Some(problems.clone()))
            }
            Err(error) => (Some(error.to_string()), None),
        };
        let is_news = trouble.is_some()
            && known.as_ref().and_then(|known| known.trouble.as_ref()) != trouble.as_ref();
        let state = RemoteState {
            remote: remote.to_owned(),
            commit: bring::deployed(&self.settings().data).and_then(|version| version.commit),
            asked_at_ms: self.inner.clock.now_ms(),
            trouble,
            problems,
        };
        if is_news {
            let kept = self.constitution();
            let data = json!({
                "remote": state.remote, "kept": kept.version(), "reason": state.trouble,
                "problems": state.problems.as_ref().map(|problems| &problems.list),
            });
            let subject = format!("constitution/{}", kept.version().digest);
            let event = Event::new("constitution.not-pulled", "/kernel", subject, data);
            if let Err(error) = self.inner.ledger.commit(Commit::new().event(event)).await {
                tracing::error!(%error, "trouble with the constitution's remote could not be recorded");
            }
        }
        self.inner.remote_state.store(Some(Arc::new(state)));
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PullError> + Send + 'static,
) -> Result<T, PullError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done,
        Err(error) => Err(PullError::Failed(format!(
            "it ended before its end: {error}"
        ))),
    }
}
