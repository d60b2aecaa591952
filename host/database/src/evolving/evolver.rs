//! The evolver: turns of work, done by a thread of its own or by whoever asks for one.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};
use polity_evolve::{Built, DriveError, Effect, Evolution, OutOfTurn, RevertError, State};
use uuid::Uuid;

use super::builds::{Build, REST, STEP};
use super::machine::{Machine, Site};
use super::round::{Quotes, observations, stats};
use super::worker;

/// After the journal failed it is tried again after this.
const STALLED: Duration = Duration::from_secs(30);
/// A strategy may take one part in this many of the time, and so may the rest of a round: one that is slow, or loops until
/// it is stopped, is asked more rarely and holds nobody else up.
const SHARE: u32 = 100;
/// Below this nobody notices.
const SLOW: Duration = Duration::from_millis(100);

/// Nothing may change the schema now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the schema does not change now: {0}")]
pub struct Stalled(pub String);

/// Why a mutation is not taken back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevertRefused {
    /// It cannot be.
    #[error(transparent)]
    Revert(#[from] RevertError),
    /// Nothing can be.
    #[error(transparent)]
    Stalled(#[from] Stalled),
}

/// What changes a database's schema. It ends when this is dropped; what was under way goes on at the next start.
pub struct Evolver {
    pub(super) inner: Arc<Inner>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

pub(super) struct Inner {
    pub(super) site: Site,
    machine: Mutex<Option<Machine>>,
    /// One turn at a time; queries and readers of the history wait for the machine alone.
    turning: Mutex<()>,
    pub(super) pace: Mutex<Pace>,
    pub(super) is_stopping: AtomicBool,
}

#[derive(Default)]
pub(super) struct Pace {
    last_round: Option<Instant>,
    round_took: Duration,
    /// Until when a strategy is not asked.
    rests: BTreeMap<String, Instant>,
    stalled: Option<(Instant, String)>,
}

impl Evolver {
    /// An evolver that works when it is told to.
    pub(crate) fn new(site: Site) -> Self {
        Self {
            inner: Arc::new(Inner {
                site,
                machine: Mutex::default(),
                turning: Mutex::default(),
                pace: Mutex::default(),
                is_stopping: AtomicBool::new(false),
            }),
            thread: Mutex::default(),
        }
    }

    /// Lets it work by itself.
    pub(crate) fn start(&self) -> std::io::Result<()> {
        let inner = self.inner.clone();
        let thread = std::thread::Builder::new()
            .name("evolver".to_owned())
            .spawn(move || worker::work(&inner))?;
        *self.thread.lock() = Some(thread);
        Ok(())
    }

    /// Does what there is to do, first a round of the strategies if that is wished for. Blocks until nothing is left
    /// that does not wait for queries, people or time.
    ///
    /// # Errors
    /// The journal does not store or read; what was done is repeated or undone when it does.
    pub fn turn(&self, with_round: bool) -> Result<(), Stalled> {
        self.inner.turn(with_round)
    }

    /// Something has changed that the evolver waits for.
    pub fn wake(&self) {
        self.inner.site.bell.ring();
    }

    /// Takes a mutation back: one on its way, or one that was kept.
    ///
    /// # Errors
    /// There is none, something rests on it, or nothing can change now.
    pub fn revert(&self, id: Uuid, by: &str) -> Result<(), RevertRefused> {
        let inner = &*self.inner;
        inner.with(|machine| {
            let (new, now) = (inner.site.overseer.new_id(), inner.site.now_ms());
            let effects = machine.evolution.revert(id, new, by, now);
            Ok(match effects {
                Ok(effects) => {
                    inner.site.carry_out(machine, effects)?;
                    Ok(())
                }
                Err(error) => Err(error.into()),
            })
        })?
    }

    /// Works no more. What is under way goes on at the next start.
    pub fn stop(&self) {
        self.inner.is_stopping.store(true, Ordering::SeqCst);
        self.inner.site.bell.ring();
        let Some(thread) = self.thread.lock().take() else {
            return;
        };
        // The house may be let go by the last turn itself.
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the thread that changes the schema panicked");
        }
    }
}

impl Drop for Evolver {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Inner {
    pub(super) fn turn(&self, with_round: bool) -> Result<(), Stalled> {
        let _turn = self.turning.lock();
        self.site.links.carry_over(&self.site.engine);
        self.take_samples()?;
        self.take_answers()?;
        if with_round {
            self.round()?;
        }
        self.tick()?;
        while !self.is_stopping() && self.build()? {
            self.take_samples()?;
            self.tick()?;
        }
        Ok(())
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::SeqCst)
    }

    /// Works on the machine, which is brought up first where it is not. A machine that is ahead of its journal is thrown
    /// away.
    pub(super) fn with<T>(
        &self,
        work: impl FnOnce(&mut Machine) -> Result<T, DriveError>,
    ) -> Result<T, Stalled> {
        let mut machine = self.machine()?;
        let Some(running) = &mut *machine else {
            return Err(Stalled("it is not there".to_owned()));
        };
        match work(running) {
            Ok(done) => Ok(done),
            Err(error) => {
                *machine = None;
                Err(self.stalled(error.to_string()))
            }
        }
    }

    fn machine(&self) -> Result<MutexGuard<'_, Option<Machine>>, Stalled> {
        let mut machine = self.machine.lock();
        if machine.is_some() {
            return Ok(machine);
        }
        if let Some((at, why)) = &self.pace.lock().stalled
            && at.elapsed() < STALLED
        {
            return Err(Stalled(why.clone()));
        }
        match self.site.resume() {
            Ok(resumed) => {
                *machine = Some(resumed);
                self.pace.lock().stalled = None;
                Ok(machine)
            }
            Err(why) => Err(self.stalled(why)),
        }
    }

    fn stalled(&self, why: String) -> Stalled {
        tracing::error!(why, "the schema does not change until this is mended");
        self.pace.lock().stalled = Some((Instant::now(), why.clone()));
        Stalled(why)
    }

    /// Tells the machine a fact. One that comes too late changes nothing.
    fn tell(
        &self,
        machine: &mut Machine,
        fact: Result<Vec<Effect>, OutOfTurn>,
    ) -> Result<(), DriveError> {
        self.site.carry_out(machine, fact.unwrap_or_default())
    }

    fn take_samples(&self) -> Result<(), Stalled> {
        let trials = &self.site.trials;
        if trials.is_idle() && self.machine.lock().is_some() {
            return Ok(());
        }
        let (samples, writes) = (trials.take_samples(), trials.take_writes());
        self.with(|machine| {
            for (id, writes) in writes {
                let us = upkeep(machine, id, &self.site) * writes as f64;
                machine.evolution.upkeep(id, us as u64);
            }
            for (id, sample) in samples {
                let effects = machine.evolution.sampled(id, sample, self.site.now_ms());
                self.site.carry_out(machine, effects)?;
            }
            Ok(())
        })
    }

    fn take_answers(&self) -> Result<(), Stalled> {
        self.with(|machine| {
            let is_asked = |life: &&polity_evolve::Life| matches!(life.state, State::Asked { .. });
            let asked: Vec<_> = machine
                .evolution
                .lives()
                .filter(is_asked)
                .cloned()
                .collect();
            if asked.is_empty() {
                return Ok(());
            }
            for answer in self.site.overseer.answers(&asked) {
                let (id, now) = (answer.id, self.site.now_ms());
                let fact =
                    machine
                        .evolution
                        .answered(id, answer.approved, &answer.by, &answer.note, now);
                self.tell(machine, fact)?;
            }
            Ok(())
        })
    }

    fn tick(&self) -> Result<(), Stalled> {
        let load = self.site.overseer.load_percent();
        self.with(|machine| {
            let effects = machine.evolution.tick(self.site.now_ms(), load);
            self.site.carry_out(machine, effects)
        })
    }

    /// One round. Strategies are asked while nobody waits for the machine.
    fn round(&self) -> Result<(), Stalled> {
        let begun = Instant::now();
        let site = &self.site;
        site.bell.take_use();
        let policy = site.overseer.settings().policy;
        let stats = stats(&site.engine, &site.watching);
        let at_ms = site.now_ms();
        let seen = self.with(|machine| {
            machine.evolution.set_policy(policy);
            Ok(observations(
                &site.engine,
                &stats,
                &machine.evolution,
                at_ms,
            ))
        })?;
        let seen = seen.map_err(|error| self.stalled(error))?;
        let catalogue = site.engine.catalogue();
        let quotes = Quotes::new(&stats, &catalogue, at_ms);
        let mut elsewhere = Duration::ZERO;
        for strategy in site.overseer.strategies() {
            if self.is_stopping() {
                break;
            }
            if self.rests(&strategy) {
                continue;
            }
            let is_muted = self.with(|machine| {
                let standing = machine.evolution.standings().get(&strategy);
                Ok(standing.is_some_and(|standing| at_ms < standing.muted_until_ms))
            })?;
            if is_muted {
                continue;
            }
            let asked = Instant::now();
            let proposed = site.overseer.propose(&strategy, &seen);
            let took = asked.elapsed();
            elsewhere += took;
            if took >= SLOW {
                let rest = Instant::now() + took.saturating_mul(SHARE);
                self.pace.lock().rests.insert(strategy.clone(), rest);
            }
            self.with(|machine| {
                let effects = match proposed {
                    Ok(proposals) => {
                        let proposals = quotes.doable(proposals);
                        let (_, effects) = machine.evolution.proposed(
                            &strategy,
                            proposals,
                            |mutation| quotes.of(mutation),
                            || site.overseer.new_id(),
                            at_ms,
                        );
                        effects
                    }
                    Err(why) => {
                        tracing::warn!(strategy, why, "a strategy has failed");
                        machine.evolution.complained(&strategy, &why, at_ms)
                    }
                };
                site.carry_out(machine, effects)
            })?;
        }
        let mut pace = self.pace.lock();
        pace.last_round = Some(begun);
        pace.round_took = begun.elapsed().saturating_sub(elsewhere);
        pace.rests.retain(|_, until| *until > Instant::now());
        Ok(())
    }

    fn rests(&self, strategy: &str) -> bool {
        let pace = self.pace.lock();
        let until = pace.rests.get(strategy);
        until.is_some_and(|until| *until > Instant::now())
    }

    /// How long it is until the next round may be; none where it may be now.
    pub(super) fn until_round(&self) -> Duration {
        let least = self.site.overseer.settings().round;
        let pace = self.pace.lock();
        let Some(last) = pace.last_round else {
            return Duration::ZERO;
        };
        let rest = least.max(pace.round_took.saturating_mul(SHARE));
        rest.saturating_sub(last.elapsed())
    }

    /// Whether something is on its way that time alone moves on.
    pub(super) fn is_busy(&self) -> bool {
        let machine = self.machine.lock();
        machine
            .as_ref()
            .is_none_or(|machine| machine.evolution.lives().next().is_some())
    }

    /// Brings the first build to its end. Returns whether there was one.
    fn build(&self) -> Result<bool, Stalled> {
        let Some(mut build) = self.with(|machine| Ok(machine.builds.front().cloned()))? else {
            return Ok(false);
        };
        loop {
            if !self.with(|machine| Ok(is_wanted(machine, &build)))? {
                return Ok(true);
            }
            if self.is_stopping() {
                return Ok(false);
            }
            let begun = Instant::now();
            let step = self
                .site
                .engine
                .build_step(&build.collection, &build.name, STEP);
            build.busy += begun.elapsed();
            let ended = match step {
                Ok(progress) if progress.complete => Ok(()),
                Ok(_) => {
                    std::thread::sleep(REST);
                    continue;
                }
                Err(error) => Err(error.to_string()),
            };
            self.with(|machine| {
                if is_wanted(machine, &build) {
                    machine.builds.pop_front();
                }
                self.ended(machine, &build, ended)
            })?;
            return Ok(true);
        }
    }

    fn ended(
        &self,
        machine: &mut Machine,
        build: &Build,
        ended: Result<(), String>,
    ) -> Result<(), DriveError> {
        let (engine, now) = (&self.site.engine, self.site.now_ms());
        let Some(id) = build.life else {
            // Kept long ago: it is shown again without a trial.
            let shown = ended.and_then(|()| {
                let shown = engine.publish(&build.collection, &build.name, true);
                shown.map_err(|error| error.to_string())
            });
            if let Err(error) = shown {
                tracing::warn!(
                    error,
                    name = build.name,
                    "what was kept is not there and cannot be built"
                );
            }
            return Ok(());
        };
        let fact = match ended {
            Ok(()) => {
                let built = Built {
                    bytes: engine
                        .bytes_of(&build.collection, &build.name)
                        .unwrap_or_default(),
                    build_us: u64::try_from(build.busy.as_micros()).unwrap_or(u64::MAX),
                };
                machine.evolution.built(id, built, now)
            }
            Err(error) => machine.evolution.failed(id, &error, now),
        };
        self.tell(machine, fact)
    }

    /// The machine for reading; none where it is not up.
    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&Evolution, &Machine) -> T,
    ) -> Result<T, Stalled> {
        self.with(|machine| Ok(read(&machine.evolution, machine)))
    }
}

/// Whether a build is still the one to be made.
fn is_wanted(machine: &Machine, build: &Build) -> bool {
    let first = machine.builds.front();
    first.is_some_and(|first| first.life == build.life && first.name == build.name)
}

/// What one write more costs because of a mutation: as much as taking in a row when it was built.
fn upkeep(machine: &Machine, id: Uuid, site: &Site) -> f64 {
    let life = machine.evolution.lives().find(|life| life.id == id);
    let Some((life, built)) = life.and_then(|life| Some((life, life.built?))) else {
        return 0.0;
    };
    let rows = site.engine.count(life.mutation().collection());
    built.build_us as f64 / rows.unwrap_or_default().max(1) as f64
}

impl std::fmt::Debug for Evolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Evolver").finish_non_exhaustive()
    }
}
