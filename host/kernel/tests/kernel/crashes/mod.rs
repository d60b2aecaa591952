//! The power fails at each write of the journal in turn, once with the write on the disk and once without: whatever the
//! moment, every run goes on where it was, comes out as it would have, and repeats nothing that it had noted.
//!
//! The run of the test goes through every kind of task and every function that a workflow can call. Some effects of a
//! kernel without power still happen, since its process is this one: they are those that happened and were not noted.

mod store;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use polity_database::Database;
use polity_inbox::Answer;
use polity_kernel::{InstanceFilter, InstanceView, Kernel, Settings, Waiting};
use polity_ledger::store::MemoryStore;
use polity_ledger::{Clock, ManualClock};
use polity_tests::Upstream;
use polity_workflow::Phase;
use serde_json::json;
use store::{Disk, Fate, Powered};
use tempfile::TempDir;
use uuid::Uuid;

use crate::company::{NOON, Plan, plan};

/// Every kind of task, and every function.
const ALL: &str = "
document: {dsl: 1.0.3, namespace: test, name: all, version: 1.0.0}
timeout: {after: P1D}
do:
  - begin: {set: {amount: 40}}
  - limit:
      call: decide
      with: {table: limit, input: {amount: '${ .amount }'}}
      export: {as: '{limit: .}'}
  - route:
      switch:
        - pay: {when: . == \"pay\", then: each}
        - otherwise: {then: end}
  - each:
      for: {each: n, in: '[1, 2]'}
      do:
        - note: {call: records.insert, with: {collection: notes, record: {n: '${ $n }', open: true}}}
  - both:
      fork:
        branches:
          - pay:
              call: http
              with: {method: post, endpoint: PEER/pay, body: {amount: 40}}
              metadata: {effect: idempotent}
          - post:
              call: create-post:0.1@wordpress
              with: {title: Ten kettles, content: Kettles.}
              metadata: {effect: idempotent}
              output: {as: '{id, status}'}
      export: {as: '$context + {both: .}'}
  - guarded:
      try:
        - once:
            call: http
            with: {method: post, endpoint: PEER/once, body: {amount: 1}}
            metadata: {effect: at-most-once}
            output: {as: '{once: \"sent\"}'}
      catch:
        as: why
        do:
          - look: {set: {once: '${ $why.detail }'}}
      export: {as: '$context + .'}
  - patiently:
      try:
        - down:
            call: http
            with: {method: get, endpoint: PEER/down}
            metadata: {effect: at-least-once}
      catch:
        errors: {with: {status: 503}}
        retry: {delay: PT1S, limit: {attempt: {count: 2}}}
        do:
          - compensate: {call: records.insert, with: {collection: failures, record: {down: true}}}
  - found:
      call: records.query
      with: {collection: notes, where: {open: true}, order: n, fields: [n]}
      export: {as: '$context + {found: .}'}
  - keep:
      call: records.insert
      with: {collection: orders, id: order-1, record: {paid: false}}
  - change:
      call: records.update
      with: {collection: orders, id: order-1, set: {paid: true}, expect: {paid: false}}
      export: {as: '$context + {order: .}'}
  - words:
      call: model
      with: {prompt: Write kind words, model: paid}
      export: {as: '$context + {words: .text}'}
  - weigh:
      call: council
      with: {question: Is it kind?, members: [board]}
  - child:
      run: {workflow: {namespace: test, name: child, version: 1.0.0, input: {n: 3}}}
      export: {as: '$context + {child: .}'}
  - tell:
      emit: {event: {with: {source: https://test.example, type: test.told, data: {n: 1}}}}
  - ask:
      call: human.approve
      with: {title: Go on?, role: finance, proposal: {amount: 40}}
      export: {as: '$context + {asked: .decision}'}
  - task:
      call: human.task
      with: {title: Count, role: finance, proposal: {count: 3}}
      export: {as: '$context + {counted: .count}'}
  - vote:
      call: human.vote
      with: {title: Raise it?, role: finance, quorum: 2}
      export: {as: '$context + {voted: .decision}'}
  - heard:
      listen: {to: {one: {with: {type: test.heard}}}}
      export: {as: '$context + {heard: .[0].n}'}
  - pause: {wait: PT5S}
  - skipped: {if: 'false', raise: {error: {type: https://test.example/no, status: 500}}}
  - result: {set: '${ $context }'}
";

/// Begun by the other.
const CHILD: &str = "
document: {dsl: 1.0.3, namespace: test, name: child, version: 1.0.0}
do:
  - keep: {call: records.insert, with: {collection: children, record: {n: '${ .n }'}}}
  - twice: {set: {n: 6}}
";

/// Begun by the event that the first tells.
const TOLD: &str = "
document: {dsl: 1.0.3, namespace: test, name: told, version: 1.0.0}
schedule: {on: {one: {with: {type: test.told}}}}
do:
  - keep: {call: records.insert, with: {collection: told, record: {n: '${ .[0].data.n }'}}}
";

const LIMIT: &str = r#"{"name": "limit", "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
    "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask"]}],
    "rules": [{"inputEntries": ["<= 50"], "outputEntries": ["pay"]}, {"inputEntries": ["> 50"], "outputEntries": ["ask"]}]}"#;

fn company(peer: &Upstream, secrets: &TempDir) -> Plan {
    let plan = plan()
        .openai(peer)
        .plugin("wordpress")
        .document("decisions/limit.json", LIMIT)
        .document("workflows/all.yaml", &ALL.replace("PEER", &peer.url()))
        .document("workflows/child.yaml", CHILD)
        .document("workflows/told.yaml", TOLD)
        .document(
            "models.json",
            r#"{"councils": {"board": {"members": ["paid", "paid", "paid"], "rounds": 1}}}"#,
        );
    let grants = world::grants(peer, secrets.path()).into_iter();
    grants.fold(plan, |plan, (name, text)| plan.file(name, text.as_bytes()))
}

/// A host between two failures.
struct Life {
    kernel: Kernel,
    follower: tokio::task::JoinHandle<()>,
    power: Arc<Powered>,
}

impl Life {
    fn begin(settings: &Settings, power: Arc<Powered>) -> Self {
        let kernel = Kernel::start(Settings {
            store: Some(power.clone()),
            ..settings.clone()
        })
        .unwrap();
        let followed = kernel.clone();
        let follower = tokio::spawn(async move { followed.follow_workflows().await });
        Self {
            kernel,
            follower,
            power,
        }
    }

    /// Plays the people, the events and the clock until the run has ended or the power fails.
    async fn drive(&self, id: Uuid, clock: &ManualClock) -> Option<InstanceView> {
        let mut idle = 0;
        while self.power.is_on() {
            // Looked at last, the run has ended where all have.
            let all = InstanceFilter::default();
            let all = self.kernel.instances(&all, None, 50).unwrap();
            let run = self.kernel.instance(id).unwrap()?;
            let story = || self.kernel.instance_story(id).unwrap().unwrap();
            assert!(run.phase != Phase::Faulted, "{}", story());
            if all.len() == 3 && all.iter().all(InstanceView::has_ended) {
                return Some(run);
            }
            let mut played = false;
            for waits in &run.waits {
                played |= match waits {
                    Waiting::Person { item, .. } => self.answer(*item).await,
                    Waiting::Event { .. } => self.tell().await,
                    Waiting::Time { at_ms } if *at_ms < clock.now_ms() + 60_000 => {
                        clock.advance(at_ms.saturating_sub(clock.now_ms()) + 1);
                        self.kernel.wake_due().await;
                        true
                    }
                    _ => false,
                };
            }
            idle = if played { 0 } else { idle + 1 };
            assert!(idle < 6_000, "it stands still: {run:?}");
            tokio::time::sleep(Duration::from_millis(if played { 0 } else { 2 })).await;
        }
        None
    }

    async fn answer(&self, item: Uuid) -> bool {
        let item = self.kernel.inbox().get(item).unwrap().unwrap();
        let own = item.evidence["people"][0].as_str().unwrap_or("person:ada");
        let person = self.kernel.actor(own).unwrap();
        let decided = self
            .kernel
            .decide(item.id, &person, Answer::Accept, "because", None)
            .await;
        decided.is_ok()
    }

    async fn tell(&self) -> bool {
        let ada = self.kernel.actor("person:ada").unwrap();
        let event =
            json!({"type": "test.heard", "source": "/test", "id": "heard-1", "data": {"n": 5}});
        // The same event however often: a repetition is taken for one.
        self.kernel
            .receive_event(&ada, event)
            .await
            .is_ok_and(|received| received.new)
    }

    /// Everything that this life still had at work comes to its end.
    async fn end(self, settings: &Settings) {
        self.follower.abort();
        let _ = self.follower.await;
        let _ = self.kernel.drain(Duration::from_secs(30)).await;
        drop(self.kernel);
        let records = settings.data.join("records");
        for _ in 0..3_000 {
            let opened = Database::open(&records, Arc::new(|| NOON));
            if opened.is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("the records stay locked");
    }
}

/// What is left of a run that began on a disk of its own.
struct Left {
    run: InstanceView,
    writes: usize,
}

/// One company with one peer; each trial has a disk and records of its own.
struct Trial {
    _folders: [TempDir; 2],
    settings: Settings,
    clock: ManualClock,
    peer: Upstream,
}

impl Trial {
    async fn new() -> Self {
        let peer = world::peer().await;
        let clock = ManualClock::new(NOON);
        let secrets = tempfile::tempdir().unwrap();
        let (folder, settings) = company(&peer, &secrets).written(&clock);
        Self {
            _folders: [folder, secrets],
            settings,
            clock,
            peer,
        }
    }

    /// Runs the workflow with the power failing once, and looks at what came of it.
    async fn run(&self, fails_at: usize, fate: Fate) -> Left {
        let at = format!("{fate:?} at {fails_at}");
        let settings = &self.settings;
        let _ = std::fs::remove_dir_all(settings.data.join("records"));
        let disk: Disk = Arc::new(MemoryStore::new());
        let first = Life::begin(settings, Powered::until(&disk, fails_at, fate));
        let (before, keys) = (world::asked(&self.peer), world::keys(&self.peer));
        let scout = first.kernel.actor("agent:scout").unwrap();
        first.power.count();
        let begun = first
            .kernel
            .run_workflow(&scout, "all", json!({}), Some("the-run"))
            .await;
        let mut ended = None;
        if let Ok(begun) = &begun {
            ended = first.drive(begun.id, &self.clock).await;
        }
        let (writes, noted) = (first.power.writes(), noted(&first.kernel));
        first.end(settings).await;
        let asked = world::asked(&self.peer);

        let last = Life::begin(settings, Powered::until(&disk, 0, Fate::Kept));
        if ended.is_none() {
            // Whoever began it asks again, under its name.
            let scout = last.kernel.actor("agent:scout").unwrap();
            let again = last
                .kernel
                .run_workflow(&scout, "all", json!({}), Some("the-run"))
                .await
                .unwrap();
            if let Ok(begun) = &begun {
                assert_eq!(begun.id, again.id, "{at}");
            }
            ended = last.drive(again.id, &self.clock).await;
        }
        let run = ended.expect("it ends where the power stays");
        let after = world::asked(&self.peer);
        for task in &noted {
            assert_eq!(
                after.get(&**task),
                asked.get(&**task),
                "{at}: {task} was repeated"
            );
        }
        let count = |name: &str| {
            let of = |counts: &BTreeMap<&str, usize>| counts.get(name).copied().unwrap_or_default();
            of(&after) - of(&before)
        };
        assert!(
            count("once") <= 1,
            "{at}: what may happen once was asked for {} times",
            count("once")
        );
        assert_eq!(
            world::keys(&self.peer) - keys,
            1,
            "{at}: the bank was asked under several keys"
        );
        let story = last.kernel.instance_story(run.id).unwrap().unwrap();
        assert_eq!(run.phase, Phase::Completed, "{at}: {story}");
        last.kernel.ledger().verify(|_| ()).unwrap();
        last.end(settings).await;
        self.own_records(&at);
        Left { run, writes }
    }

    /// What is written into the company's own records is written exactly once.
    fn own_records(&self, at: &str) {
        let folder = self.settings.data.join("records");
        let database = Database::open(&folder, Arc::new(|| NOON)).unwrap();
        for (collection, count) in [
            ("notes", 2),
            ("failures", 1),
            ("orders", 1),
            ("children", 1),
            ("told", 1),
        ] {
            let all = format!("SELECT id FROM {collection}");
            let rows = database.engine().query(&all, &[]).unwrap().rows;
            assert_eq!(rows.len(), count, "{at}: {collection} {rows:?}");
        }
    }
}

/// The effects whose end the journal has.
fn noted(kernel: &Kernel) -> BTreeSet<String> {
    let mut noted = BTreeSet::new();
    let filter = InstanceFilter::default();
    for run in kernel.instances(&filter, None, 50).unwrap() {
        for event in kernel.instance_events(run.id, 1_000).unwrap() {
            if event.kind == "task.completed" {
                let task = event.data["task"].as_str().unwrap_or_default();
                noted.extend(task.rsplit('/').next().map(str::to_owned));
            }
        }
    }
    noted
}

#[tokio::test(flavor = "multi_thread")]
async fn whenever_the_power_fails_the_run_comes_out_as_it_would_have() {
    let trial = Trial::new().await;
    let whole = trial.run(0, Fate::Kept).await;
    let expected = whole.run.output.clone().unwrap();
    eprintln!("{} writes, each of them kept and lost", whole.writes);
    assert_eq!(expected["once"], "sent", "{expected}");
    for fails_at in 1..=whole.writes {
        for fate in [Fate::Kept, Fate::Lost] {
            let mut output = trial.run(fails_at, fate).await.run.output.unwrap();
            if output["once"] != "sent" {
                // Nobody knew, and nothing was asked for again.
                let why = output["once"].as_str().unwrap();
                assert!(why.contains("it may have happened"), "{why}");
                output["once"] = "sent".into();
            }
            assert_eq!(output, expected, "{fate:?} at {fails_at}");
        }
    }
}
