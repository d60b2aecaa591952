//! What the runtime and its thread share: the current generation, and every way from a file to the next one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Weak};
use std::time::Instant;

use arc_swap::ArcSwap;
use parking_lot::Mutex;

use super::event::{Change, Event};
use super::folder::{self, Files, Fingerprint, Look, Message};
use super::generation::{Entry, Generation, State, Unmet};
use super::loader::{Loaded, Loader, Source};
use super::loading::Loading;
use super::shelf::{self, Shelf, Version};
use super::{OrderError, is_plain};
use crate::digest::Digest;
use crate::plugin::{Plugin, Report};
use crate::refusal::Refusal;

pub(super) struct Shared {
    pub(super) folder: PathBuf,
    pub(super) current: ArcSwap<Generation>,
    pub(super) loader: Loader,
    pub(super) shelf: Shelf,
    pub(super) observer: Arc<dyn Fn(&Event) + Send + Sync>,
    pub(super) messages: Mutex<Sender<Message>>,
    /// What each name looked like when it was last read. The lock also keeps changes in order; nothing is compiled
    /// for a new version while it is held.
    pub(super) known: Mutex<BTreeMap<String, Fingerprint>>,
    /// What is being read and compiled.
    pub(super) loading: Loading,
}

/// What is new about a name.
enum News {
    /// Its files have gone.
    Gone,
    /// It looks like this now.
    Files(Files, Fingerprint),
    /// It looks as it did, and what it waited for has come.
    Again(Files, Fingerprint),
}

impl Shared {
    /// Brings every name up to date before it returns; what it returns is to be looked at again.
    pub(super) fn rescan(self: &Arc<Self>) -> Vec<String> {
        let names = self.names().into_iter();
        names
            .filter(|name| self.look_at(name) == Look::Again)
            .collect()
    }

    /// The same without waiting for what has to be read and compiled.
    pub(super) fn attend_to_all(self: &Arc<Self>) -> Vec<String> {
        let names = self.names().into_iter();
        names
            .filter(|name| self.attend_to(name) == Look::Again)
            .collect()
    }

    fn names(&self) -> BTreeSet<String> {
        let mut names = folder::names(&self.folder).unwrap_or_default();
        names.extend(self.known.lock().keys().cloned());
        names
    }

    /// Brings one name up to date with its files.
    pub(super) fn look_at(self: &Arc<Self>, name: &str) -> Look {
        match self.news(name) {
            None => Look::Done,
            Some(News::Gone) => self.forget(name),
            Some(News::Files(files, now)) => self.load_file(name, &files, &now, false),
            Some(News::Again(files, now)) => self.load_file(name, &files, &now, true),
        }
    }

    /// The same, on a thread of its own where something has to be read: a component may take minutes to compile, and
    /// other changes do not wait for it.
    pub(super) fn attend_to(self: &Arc<Self>, name: &str) -> Look {
        let (files, now, anew) = match self.news(name) {
            None => return Look::Done,
            Some(News::Gone) => return self.forget(name),
            Some(News::Files(files, now)) => (files, now, false),
            Some(News::Again(files, now)) => (files, now, true),
        };
        let messages = self.messages.lock().clone();
        let (shared, owned, look) = (self.clone(), name.to_owned(), now.clone());
        self.loading.begin(name, &now, move || {
            if shared.load_file(&owned, &files, &look, anew) == Look::Again {
                let _ = messages.send(Message::Again(owned));
            }
        })
    }

    fn news(&self, name: &str) -> Option<News> {
        let files = Files::of(&self.folder, name);
        let now = files.fingerprint();
        let is_known = self.known.lock().get(name) == Some(&now);
        match now.is_there() {
            false => Some(News::Gone),
            true if !is_known => Some(News::Files(files, now)),
            true => self
                .has_found_its_credentials(name, &files)
                .then_some(News::Again(files, now)),
        }
    }

    fn forget(&self, name: &str) -> Look {
        let mut known = self.known.lock();
        if Files::of(&self.folder, name).fingerprint().is_there() {
            return Look::Again;
        }
        if known.remove(name).is_some() {
            self.publish_removal(name);
        }
        Look::Done
    }

    /// Whether a plugin waits for a credential that has come since: a file's coming changes none of the plugin's own.
    fn has_found_its_credentials(&self, name: &str, files: &Files) -> bool {
        let current = self.current.load();
        let waits = current
            .entry(name)
            .is_some_and(|entry| matches!(entry.state, State::NeedsCredential { .. }));
        waits && self.loader.has_credentials(name, files)
    }

    /// Reads the files and puts what came of them in force, if they are still the ones that were read. `anew` also
    /// where they were read before.
    fn load_file(
        self: &Arc<Self>,
        name: &str,
        files: &Files,
        now: &Fingerprint,
        anew: bool,
    ) -> Look {
        let started = Instant::now();
        let loaded = if let Some(odd) = now.odd() {
            // Never opened: a pipe would be waited for, and a device has no end.
            Err(Refusal::NoFile(odd.to_owned()))
        } else if is_plain(name) {
            let read = self.loader.read(files);
            // Whatever was read of a file that was written meanwhile, the rest would come as one more version of it.
            if files.fingerprint() != *now {
                return Look::Again;
            }
            read.and_then(|source| {
                let digest = Digest::of(&source.version.wasm);
                let quarantined = self.shelf.history(name).quarantined.remove(&digest);
                match quarantined {
                    Some(reason) => Ok(Outcome::Quarantined { digest, reason }),
                    None => {
                        let loaded = self.loader.load(name, &source, self.reporter())?;
                        Ok(Outcome::Loaded(loaded, source.version))
                    }
                }
            })
        } else {
            Err(Refusal::Name(name.to_owned()))
        };
        // What was cut short says nothing of the file; the next start looks at it again.
        if loaded.is_err() && self.loader.is_ending() {
            return Look::Done;
        }
        let mut known = self.known.lock();
        if files.fingerprint() != *now {
            return Look::Again;
        }
        if known.get(name) == Some(now) && !anew {
            return Look::Done;
        }
        match loaded {
            Ok(Outcome::Loaded(Loaded::Ready(plugin), version)) => {
                self.publish(plugin, &version, started)
            }
            Ok(Outcome::Loaded(Loaded::Pending { digest, unmet }, _)) => {
                self.publish_pending(name, digest, unmet)
            }
            Ok(Outcome::Loaded(Loaded::NeedsCredential { digest, unmet }, _)) => {
                self.publish_need_of_credential(name, digest, unmet)
            }
            Ok(Outcome::Quarantined { digest, reason }) => {
                self.publish_quarantine(name, digest, reason)
            }
            // A file that is still being written looks damaged; it is judged once it rests.
            Err(_) if now.is_fresh() => return Look::Again,
            Err(refusal) => {
                let read = || std::fs::read(&files.wasm).ok();
                let digest = now.odd().is_none().then(read).flatten();
                let digest = digest.map(|bytes| Digest::of(&bytes));
                self.publish_refusal(name, digest, refusal);
            }
        }
        known.insert(name.to_owned(), now.clone());
        Look::Done
    }

    /// What a plugin calls when it has failed once too often.
    fn reporter(self: &Arc<Self>) -> Report {
        let shared: Weak<Self> = Arc::downgrade(self);
        Arc::new(move |identity, error| {
            let Some(shared) = shared.upgrade() else {
                return;
            };
            let (name, digest, reason) =
                (identity.name.clone(), identity.digest, error.to_string());
            let messages = shared.messages.lock().clone();
            let weak = Arc::downgrade(&shared);
            let work = move || {
                if let Some(shared) = weak.upgrade() {
                    shared.quarantine(&name, digest, reason);
                }
            };
            let _ = messages.send(Message::Do(Box::new(work)));
        })
    }

    fn quarantine(self: &Arc<Self>, name: &Arc<str>, digest: Digest, reason: String) {
        let _in_order = self.known.lock();
        let serving = self
            .current
            .load()
            .plugin(name)
            .map(|plugin| plugin.identity().digest);
        if serving != Some(digest) {
            return;
        }
        if let Err(error) = self.shelf.quarantine(name, &digest, &reason) {
            tracing::error!(%error, plugin = &**name, "the quarantine will not outlive a restart");
        }
        self.publish_quarantine(name, digest, reason);
    }

    pub(super) fn install(
        self: &Arc<Self>,
        name: &str,
        wasm: &[u8],
        grant: Option<&str>,
        signature: Option<&[u8]>,
    ) -> Result<Arc<Entry>, OrderError> {
        if !is_plain(name) {
            return Err(OrderError::Name(name.to_owned()));
        }
        let started = Instant::now();
        let files = Files::of(&self.folder, name);
        let grant_text = match grant {
            Some(grant) => Some(grant.to_owned()),
            None => std::fs::read_to_string(&files.grant).ok(),
        };
        let version = Version {
            wasm: wasm.to_vec(),
            signature: signature.map(<[u8]>::to_vec),
        };
        let source = Source {
            version,
            grant: grant_text,
        };
        let loaded = self
            .loader
            .load(name, &source, self.reporter())
            .map_err(Arc::new)?;
        self.shelf.pardon(name, &Digest::of(wasm))?;
        // Nobody looks at the files until all are written, and then they look as they are remembered here.
        let mut known = self.known.lock();
        if let Some(grant) = grant {
            shelf::write(&files.grant, grant.as_bytes())?;
        }
        match signature {
            Some(signature) => shelf::write(&files.signature, signature)?,
            None => drop(std::fs::remove_file(&files.signature)),
        }
        shelf::write(&files.wasm, wasm)?;
        known.insert(name.to_owned(), files.fingerprint());
        match loaded {
            Loaded::Ready(plugin) => self.publish(plugin, &source.version, started),
            Loaded::Pending { digest, unmet } => self.publish_pending(name, digest, unmet),
            Loaded::NeedsCredential { digest, unmet } => {
                self.publish_need_of_credential(name, digest, unmet)
            }
        }
        drop(known);
        self.entry(name)
    }

    pub(super) fn set_grant(
        self: &Arc<Self>,
        name: &str,
        grant: &str,
    ) -> Result<Arc<Entry>, OrderError> {
        self.entry(name)?;
        let files = Files::of(&self.folder, name);
        let source = self.loader.read(&files).map_err(Arc::new)?;
        let Source { version, .. } = source;
        self.install(
            name,
            &version.wasm,
            Some(grant),
            version.signature.as_deref(),
        )
    }

    pub(super) fn remove(self: &Arc<Self>, name: &str) -> Result<(), OrderError> {
        self.entry(name)?;
        let files = Files::of(&self.folder, name);
        if files.wasm.is_dir() {
            let odd = "this is a folder, which is for a person to remove".to_owned();
            return Err(Arc::new(Refusal::NoFile(odd)).into());
        }
        std::fs::remove_file(&files.wasm)?;
        let _ = std::fs::remove_file(&files.signature);
        self.look_at(name);
        Ok(())
    }

    pub(super) fn roll_back(
        self: &Arc<Self>,
        name: &str,
        to: Option<Digest>,
    ) -> Result<Arc<Entry>, OrderError> {
        if !is_plain(name) {
            return Err(OrderError::Unknown(name.to_owned()));
        }
        let current = self.current.load();
        let entry = current.entry(name);
        let from = entry
            .and_then(|entry| entry.serving.as_ref())
            .map(|plugin| plugin.identity().digest);
        let history = self.shelf.history(name);
        // One that was removed comes back; one that never was is not known.
        if entry.is_none() && history.accepted.is_empty() {
            return Err(OrderError::Unknown(name.to_owned()));
        }
        // Without a word of where to: back from what serves; if nothing does, to the last that did.
        let to = match (to, from) {
            (Some(to), _) => history.accepted.contains(&to).then_some(to),
            (None, Some(from)) => history.before(&from),
            (None, None) => history
                .accepted
                .iter()
                .rev()
                .find(|kept| !history.quarantined.contains_key(kept))
                .copied(),
        };
        let to = to.ok_or_else(|| OrderError::NoEarlierVersion(name.to_owned()))?;
        let Version { wasm, signature } = self.shelf.version(name, &to)?;
        let entry = self.install(name, &wasm, None, signature.as_deref())?;
        self.tell(&entry.name, Change::RolledBack { from, to });
        Ok(entry)
    }

    fn entry(&self, name: &str) -> Result<Arc<Entry>, OrderError> {
        self.current
            .load()
            .entry(name)
            .cloned()
            .ok_or_else(|| OrderError::Unknown(name.to_owned()))
    }

    fn publish(&self, plugin: Arc<Plugin>, version: &Version, started: Instant) {
        let name = plugin.name().clone();
        let digest = plugin.identity().digest;
        let provenance = plugin.identity().provenance.clone();
        if let Err(error) = self.shelf.accept(&name, &digest, version) {
            tracing::warn!(%error, plugin = &*name, "this version cannot be kept for a roll-back");
        }
        let replaced = self
            .current
            .load()
            .plugin(&name)
            .map(|before| before.identity().digest);
        self.swap(Entry {
            name: name.clone(),
            serving: Some(plugin),
            state: State::Live,
            guards: Vec::new(),
        });
        let took_us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        self.tell(
            &name,
            Change::Loaded {
                digest,
                replaced,
                provenance,
                took_us,
            },
        );
    }

    fn publish_pending(&self, name: &str, digest: Digest, unmet: Vec<Unmet>) {
        self.keep_serving(
            name,
            State::Pending {
                digest,
                unmet: unmet.clone().into(),
            },
        );
        self.tell(&name.into(), Change::Pending { digest, unmet });
    }

    fn publish_need_of_credential(&self, name: &str, digest: Digest, unmet: Vec<Unmet>) {
        self.keep_serving(
            name,
            State::NeedsCredential {
                digest,
                unmet: unmet.clone().into(),
            },
        );
        self.tell(&name.into(), Change::NeedsCredential { digest, unmet });
    }

    fn publish_refusal(&self, name: &str, digest: Option<Digest>, refusal: Refusal) {
        let (code, reason) = (refusal.code(), refusal.to_string());
        self.keep_serving(
            name,
            State::Refused {
                digest,
                reason: Arc::new(refusal),
            },
        );
        self.tell(
            &name.into(),
            Change::Refused {
                digest,
                code,
                reason,
            },
        );
    }

    /// A file has arrived that cannot serve: the version before it, if any, goes on.
    fn keep_serving(&self, name: &str, state: State) {
        let before = self.current.load().entry(name).cloned();
        let (serving, guards) = match before {
            Some(before) => (before.serving.clone(), before.guards.clone()),
            None => (None, Vec::new()),
        };
        self.swap(Entry {
            name: name.into(),
            serving,
            state,
            guards,
        });
    }

    /// Takes a version out of service and puts the last good one in its place.
    fn publish_quarantine(self: &Arc<Self>, name: &str, digest: Digest, reason: String) {
        let current = self.current.load().entry(name).cloned();
        let serving = current.as_ref().and_then(|entry| entry.serving.clone());
        // At a start nothing serves yet; later it is the bad version or, when its file came back, a good one.
        let still_good = serving
            .clone()
            .filter(|plugin| plugin.identity().digest != digest);
        let restored = still_good.or_else(|| self.last_good(name, &digest));
        let guards = match (&restored, &serving, &current) {
            (Some(_), ..) => Vec::new(),
            (None, Some(plugin), _) => plugin.description().applies_to.clone(),
            // After a restart the quarantined file is asked what it guards, with nothing granted.
            (None, None, _) => self.loader.guards(&Files::of(&self.folder, name)),
        };
        let restored_digest = restored.as_ref().map(|plugin| plugin.identity().digest);
        let state = State::Quarantined {
            digest,
            reason: reason.clone(),
        };
        self.swap(Entry {
            name: name.into(),
            serving: restored,
            state,
            guards,
        });
        self.tell(
            &name.into(),
            Change::Quarantined {
                digest,
                reason,
                restored: restored_digest,
            },
        );
    }

    fn last_good(self: &Arc<Self>, name: &str, bad: &Digest) -> Option<Arc<Plugin>> {
        let good = self.shelf.history(name).before(bad)?;
        let version = self.shelf.version(name, &good).ok()?;
        let grant = std::fs::read_to_string(Files::of(&self.folder, name).grant).ok();
        let source = Source { version, grant };
        match self.loader.load(name, &source, self.reporter()) {
            Ok(Loaded::Ready(plugin)) => Some(plugin),
            Ok(Loaded::Pending { .. } | Loaded::NeedsCredential { .. }) | Err(_) => None,
        }
    }

    fn publish_removal(&self, name: &str) {
        let name: Arc<str> = name.into();
        self.current.rcu(|current| current.with(&name, None));
        self.tell(&name, Change::Removed);
    }

    fn swap(&self, entry: Entry) {
        let name = entry.name.clone();
        self.current
            .rcu(|current| current.with(&name, Some(entry.clone())));
    }

    fn tell(&self, name: &Arc<str>, change: Change) {
        let generation = self.current.load().number();
        (self.observer)(&Event {
            name: name.clone(),
            generation,
            change,
        });
    }
}

enum Outcome {
    Loaded(Loaded, Version),
    Quarantined { digest: Digest, reason: String },
}
