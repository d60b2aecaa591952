//! A database that changes its own schema, on the real engine, with a house that a test plays.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use polity_database::evolve::{
    Alias, Batch, Class, Field, Index, Life, Link, Mode, Mutation, Policy, Proposal, Rollup, Saved,
    Verdict,
};
use polity_database::{
    Answered, BuildState, Database, Document, Durability, MutationView, Observations, Overseer,
    QueryOptions, Settings, Value,
};
use polity_engine::Mutation as Act;
use serde_json::json;
use uuid::Uuid;

const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

/// What survives a crash beside the engine's own files.
#[derive(Default)]
struct Disk(Mutex<Saved>);

/// A house of one strategy, whose every word the test writes.
struct House {
    policy: Mutex<Policy>,
    says: Mutex<Vec<Proposal>>,
    fails: Mutex<Option<String>>,
    verdict: Mutex<Verdict>,
    asked: Mutex<Vec<Uuid>>,
    answers: Mutex<BTreeMap<Uuid, bool>>,
    disk: Arc<Disk>,
    /// Stores that still succeed.
    stores: AtomicU64,
    ids: AtomicU64,
}

impl House {
    fn new(disk: Arc<Disk>) -> Arc<Self> {
        Arc::new(Self {
            policy: Mutex::new(Policy {
                youngest_ms: 0,
                paid_ms: HOUR,
                ..Policy::default()
            }),
            says: Mutex::default(),
            fails: Mutex::default(),
            verdict: Mutex::new(Verdict::Allow),
            asked: Mutex::default(),
            answers: Mutex::default(),
            ids: AtomicU64::new(1),
            disk,
            stores: AtomicU64::new(u64::MAX),
        })
    }

    fn say(&self, mutation: Mutation) {
        *self.says.lock() = vec![Proposal {
            mutation,
            reason: "it is asked for a thousand times a day".to_owned(),
            evidence: json!({"calls_per_day": 1_000}),
            benefit_us_per_day: 10_000_000_000,
            write_cost_us_per_day: 0,
            storage_bytes: 100,
        }];
    }
}

impl Overseer for House {
    fn settings(&self) -> Settings {
        Settings {
            policy: self.policy.lock().clone(),
            round: Duration::ZERO,
        }
    }

    fn load_percent(&self) -> u8 {
        0
    }

    fn strategies(&self) -> Vec<String> {
        vec!["test@1".to_owned()]
    }

    fn propose(&self, _: &str, _: &Observations) -> Result<Vec<Proposal>, String> {
        match &*self.fails.lock() {
            Some(why) => Err(why.clone()),
            None => Ok(self.says.lock().clone()),
        }
    }

    fn judge(&self, _: &Life) -> Option<Verdict> {
        Some(self.verdict.lock().clone())
    }

    fn ask(&self, life: &Life) {
        self.asked.lock().push(life.id);
    }

    fn answers(&self, asked: &[Life]) -> Vec<Answered> {
        let answers = self.answers.lock();
        let answer = |life: &Life| {
            Some(Answered {
                id: life.id,
                approved: *answers.get(&life.id)?,
                by: "person:ada".to_owned(),
                note: "seen".to_owned(),
            })
        };
        asked.iter().filter_map(answer).collect()
    }

    fn load(&self) -> Result<Saved, String> {
        // Through text, as a real journal keeps it.
        let text = serde_json::to_string(&*self.disk.0.lock()).unwrap();
        serde_json::from_str(&text).map_err(|error| error.to_string())
    }

    fn store(&self, batch: &Batch) -> Result<(), String> {
        let left = self.stores.load(Ordering::SeqCst);
        if left == 0 {
            return Err("the disk is full".to_owned());
        }
        self.stores.store(left - 1, Ordering::SeqCst);
        self.disk.0.lock().store(batch);
        Ok(())
    }

    fn new_id(&self) -> Uuid {
        Uuid::from_u64_pair(7, self.ids.fetch_add(1, Ordering::SeqCst))
    }
}

struct World {
    folder: tempfile::TempDir,
    clock: Arc<AtomicU64>,
    house: Arc<House>,
    database: Database,
}

fn open(folder: &Path, clock: &Arc<AtomicU64>, house: &Arc<House>) -> Database {
    let now = clock.clone();
    let now = Arc::new(move || now.load(Ordering::SeqCst));
    let database = Database::open(&folder.join("records"), now).unwrap();
    database.evolve(house.clone(), false).unwrap();
    database
}

impl World {
    fn new(rows: i64) -> Self {
        let (folder, clock) = (tempfile::tempdir().unwrap(), Arc::new(AtomicU64::new(DAY)));
        let house = House::new(Arc::default());
        let database = open(folder.path(), &clock, &house);
        let documents: Vec<Document> = (0..rows).map(document).collect();
        for batch in documents.chunks(500) {
            let inserted = database
                .engine()
                .insert("orders", batch, Durability::Relaxed);
            inserted.unwrap();
        }
        Self {
            folder,
            clock,
            house,
            database,
        }
    }

    /// The process ends without a word, and another one starts.
    fn crash(self) -> Self {
        let Self {
            folder,
            clock,
            house,
            database,
        } = self;
        database.engine().flush().unwrap();
        drop(database);
        let house_again = House::new(house.disk.clone());
        *house_again.policy.lock() = house.policy.lock().clone();
        house_again
            .ids
            .store(house.ids.load(Ordering::SeqCst), Ordering::SeqCst);
        let database = open(folder.path(), &clock, &house_again);
        Self {
            folder,
            clock,
            house: house_again,
            database,
        }
    }

    fn turn(&self) {
        self.database.evolver().unwrap().turn(false).unwrap();
    }

    fn round(&self) {
        self.clock.fetch_add(HOUR, Ordering::SeqCst);
        self.database.evolver().unwrap().turn(true).unwrap();
    }

    fn all(&self) -> Vec<MutationView> {
        self.database.evolver().unwrap().mutations().unwrap()
    }

    fn newest(&self) -> MutationView {
        self.all().into_iter().next().unwrap()
    }

    fn ask(&self, sql: &str, parameters: &[Value]) -> Vec<Vec<Value>> {
        let mut rows = Vec::new();
        let options = QueryOptions::default();
        let database = &self.database;
        database
            .stream(sql, parameters, &options, &mut |row| {
                rows.push(row.to_vec());
                std::ops::ControlFlow::Continue(())
            })
            .unwrap();
        rows
    }

    fn filter(&self, times: i64) {
        for n in 0..times {
            let rows = self.ask(FILTER, &[Value::text(format!("c{}", n % 100))]);
            assert_eq!(rows[0][0].to_string(), "20");
        }
    }

    fn uses(&self, sql: &str) -> Vec<String> {
        let options = QueryOptions::default();
        self.database.engine().uses(sql, &options).unwrap()
    }

    /// The engine's parts, with how far they are.
    fn parts(&self) -> Vec<(String, BuildState)> {
        let catalogue = self.database.engine().catalogue();
        let orders = catalogue.collection("orders").unwrap();
        let indexes = orders.indexes.iter();
        let rollups = orders.rollups.iter();
        let indexes = indexes.map(|index| (index.name.clone(), index.state.clone()));
        indexes
            .chain(rollups.map(|rollup| (rollup.name.clone(), rollup.state.clone())))
            .collect()
    }
}

const FILTER: &str = "SELECT count(*) FROM orders WHERE customer = $1";
const GROUPS: &str = "SELECT state, sum(total), count(*) FROM orders GROUP BY state ORDER BY state";

fn document(n: i64) -> Document {
    let text = format!(
        r#"{{"customer": "c{}", "state": "s{}", "total": {n}, "note": "n"}}"#,
        n % 100,
        n % 4
    );
    Document::parse(text.as_bytes()).unwrap()
}

fn index() -> Mutation {
    Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec!["customer".to_owned()],
    })
}

fn rollup() -> Mutation {
    Mutation::CreateRollup(Rollup {
        collection: "orders".to_owned(),
        group_by: vec!["state".to_owned()],
        aggregates: vec!["count(*)".to_owned(), "sum(total)".to_owned()],
    })
}

fn field(path: &str) -> Field {
    Field {
        collection: "orders".to_owned(),
        path: path.to_owned(),
        schema: json!({"type": "string"}),
    }
}

#[test]
fn an_index_is_built_hidden_tried_and_kept() {
    let world = World::new(2_000);
    world.filter(40);
    world.house.say(index());
    world.round();
    assert_eq!(world.newest().state, "canary");
    assert_eq!(
        world.parts(),
        [("orders(customer)".to_owned(), BuildState::Hidden)]
    );
    assert!(world.uses(FILTER).is_empty(), "nobody sees it yet");
    world.filter(120);
    world.turn();
    let kept = world.newest();
    assert_eq!(kept.state, "kept", "{}", kept.story);
    let measured = kept.measured.unwrap();
    assert!(
        measured.pairs >= 30 && measured.effect < 0.8,
        "{measured:?}"
    );
    assert_eq!(world.uses(FILTER), ["orders(customer)"]);
    assert!(kept.story.contains("polity db revert"), "{}", kept.story);
    assert!(kept.hash.is_some());
    world.filter(100);
}

#[test]
fn a_rollup_is_kept_and_stays_right_through_writes_during_its_trial() {
    let world = World::new(2_000);
    world.ask(GROUPS, &[]);
    let before = world.ask(GROUPS, &[]);
    world.house.say(rollup());
    world.round();
    for n in 0..140 {
        let rows = world.ask(GROUPS, &[]);
        let documents = [document(n)];
        let engine = world.database.engine();
        engine
            .insert("orders", &documents, Durability::Relaxed)
            .unwrap();
        let sum: i64 = rows
            .iter()
            .map(|row| row[2].to_string().parse::<i64>().unwrap())
            .sum();
        assert_eq!(sum, 2_000 + n);
    }
    world.turn();
    assert_eq!(world.newest().state, "kept", "{}", world.newest().story);
    assert_eq!(
        world.uses(GROUPS),
        ["orders by state: count(*), sum(total)"]
    );
    assert_eq!(before.len(), world.ask(GROUPS, &[]).len());
}

#[test]
fn a_part_that_no_query_uses_is_taken_back_when_its_time_is_over() {
    let world = World::new(500);
    world.house.say(Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec!["note".to_owned()],
    }));
    world.round();
    assert_eq!(world.newest().state, "canary");
    world.clock.fetch_add(30 * DAY, Ordering::SeqCst);
    world.turn();
    let reverted = world.newest();
    assert_eq!(reverted.state, "reverted");
    assert!(
        reverted.words.contains("hardly any query"),
        "{}",
        reverted.words
    );
    assert!(world.parts().is_empty());
    // It rests: proposed again, it is asked for in vain.
    world.round();
    assert_eq!(world.all().len(), 1);
}

#[test]
fn the_rules_and_the_people_decide_before_anything_is_built() {
    let world = World::new(300);
    *world.house.verdict.lock() = Verdict::Deny {
        reason: "no".to_owned(),
    };
    world.house.say(index());
    world.round();
    assert_eq!(world.newest().state, "refused");
    assert!(world.parts().is_empty());

    *world.house.verdict.lock() = Verdict::Allow;
    world
        .house
        .policy
        .lock()
        .modes
        .insert(Class::Rollup, Mode::Suggest);
    world.house.say(rollup());
    world.round();
    let asked = world.newest();
    assert_eq!(asked.state, "asked", "{}", asked.story);
    assert_eq!(*world.house.asked.lock(), [asked.id]);
    world.turn();
    assert!(
        world.parts().is_empty(),
        "nothing is built before the answer"
    );
    world.house.answers.lock().insert(asked.id, true);
    world.turn();
    let tried = world.newest();
    assert_eq!((tried.id, &*tried.state), (asked.id, "canary"));
    assert_eq!(tried.approved_by.as_deref(), Some("person:ada"));
}

#[test]
fn what_was_kept_is_taken_back_when_a_person_says_so() {
    let world = World::new(2_000);
    world.filter(40);
    world.house.say(index());
    world.round();
    world.filter(120);
    world.turn();
    let kept = world.newest();
    assert_eq!(kept.state, "kept");
    world.house.says.lock().clear();
    let evolver = world.database.evolver().unwrap();
    evolver.revert(kept.id, "person:ada").unwrap();
    assert!(world.parts().is_empty());
    let all = world.all();
    assert_eq!(all[0].takes_back, Some(kept.id));
    assert_eq!(all[1].taken_back_by, Some(all[0].id));
    let again = evolver.revert(kept.id, "person:ada").unwrap_err();
    assert!(again.to_string().contains("already"), "{again}");
    assert!(evolver.revert(Uuid::nil(), "person:ada").is_err());
    world.filter(10);
}

#[test]
fn fields_appear_go_out_of_sight_and_come_back_without_touching_a_document() {
    let world = World::new(100);
    let columns = |world: &World| {
        let summary = world
            .database
            .engine()
            .query("SELECT * FROM orders LIMIT 1", &[]);
        summary.unwrap().summary.columns
    };
    let everything = columns(&world);
    let promote = Mutation::PromoteField(field("note"));
    let archive = Mutation::ArchiveField(field("note"));
    let alias = Mutation::AliasField(Alias {
        collection: "orders".to_owned(),
        path: "total".to_owned(),
        alias: "amount".to_owned(),
    });
    world
        .house
        .policy
        .lock()
        .modes
        .insert(Class::Alias, Mode::Auto);
    for mutation in [promote, archive, alias] {
        world.house.say(mutation);
        world.round();
        assert_eq!(world.newest().state, "kept", "{}", world.newest().story);
    }
    assert!(!columns(&world).contains(&"note".to_owned()));
    let named = world.ask(
        "SELECT note, amount FROM orders WHERE id = $1",
        &[Value::Int(1)],
    );
    assert_eq!(named[0][0].to_string(), "n", "it still answers by name");
    let archived = world
        .all()
        .into_iter()
        .find(|view| view.kind == "archive-field")
        .unwrap();
    world.house.says.lock().clear();
    world
        .database
        .evolver()
        .unwrap()
        .revert(archived.id, "person:ada")
        .unwrap();
    assert_eq!(columns(&world), everything);
}

#[test]
fn a_strategy_that_speaks_nonsense_for_ever_is_muted() {
    let world = World::new(50);
    for nonsense in [
        Mutation::CreateIndex(Index {
            collection: "nowhere".to_owned(),
            fields: vec!["customer".to_owned()],
        }),
        Mutation::CreateIndex(Index {
            collection: "orders".to_owned(),
            fields: vec!["never seen".to_owned()],
        }),
    ] {
        world.house.say(nonsense);
        for _ in 0..10 {
            world.round();
        }
    }
    assert!(world.all().is_empty());
    let strategy = &world.database.evolver().unwrap().strategies().unwrap()[0];
    assert!(strategy.standing.muted_until_ms > world.clock.load(Ordering::SeqCst));
    let complaint = strategy.standing.complaint.as_ref().unwrap();
    assert!(complaint.contains("never seen"), "{complaint}");
    world.house.say(index());
    world.round();
    assert!(world.all().is_empty(), "nobody listens");
}

#[test]
fn a_strategy_that_fails_for_ever_is_muted_and_harms_nobody() {
    let world = World::new(50);
    *world.house.fails.lock() = Some("it ran out of fuel".to_owned());
    for _ in 0..20 {
        world.round();
    }
    let strategy = &world.database.evolver().unwrap().strategies().unwrap()[0];
    assert_eq!(strategy.standing.mutes, 1);
    assert_eq!(
        world.ask("SELECT count(*) FROM orders", &[])[0][0].to_string(),
        "50"
    );
}

#[test]
fn proposals_without_number_are_read_up_to_a_limit() {
    let world = World::new(50);
    world.house.say(index());
    let mut says = world.house.says.lock().clone();
    for n in 0..5_000 {
        let mut proposal = says[0].clone();
        proposal.mutation = Mutation::PromoteField(field(&format!("f{n}")));
        proposal.reason = "x".repeat(10_000);
        says.push(proposal);
    }
    *world.house.says.lock() = says;
    world.round();
    assert_eq!(world.all().len(), 1);
    let strategy = &world.database.evolver().unwrap().strategies().unwrap()[0];
    assert!(
        strategy
            .standing
            .complaint
            .as_ref()
            .unwrap()
            .contains("5001")
    );
}

#[test]
fn a_rehearsal_says_what_would_be_and_changes_nothing() {
    let world = World::new(100);
    world.house.say(index());
    let rehearsal = world.database.evolver().unwrap().rehearse().unwrap();
    assert_eq!(rehearsal.proposals.len(), 1);
    let said = serde_json::to_value(&rehearsal.proposals[0]).unwrap();
    assert_eq!(said["admission"], "begun");
    assert_eq!(said["mode"], "auto");
    assert!(world.all().is_empty() && world.parts().is_empty());
    assert_eq!(*world.house.disk.0.lock(), Saved::default());
}

#[test]
fn a_process_that_ends_in_any_state_goes_on_or_undoes() {
    // The journal fails at its nth store: the machine is thrown away there, as in a crash before that step.
    for stores in 0..12 {
        let mut world = World::new(2_000);
        world.filter(40);
        world.house.say(index());
        world.house.stores.store(stores, Ordering::SeqCst);
        world.clock.fetch_add(HOUR, Ordering::SeqCst);
        let evolver = world.database.evolver().unwrap();
        let _ = evolver.turn(true);
        world.filter(130);
        let _ = world.database.evolver().unwrap().turn(false);
        world = world.crash();
        world.turn();
        world.house.say(index());
        for _ in 0..3 {
            world.round();
            world.filter(130);
            world.turn();
        }
        let kept = world.newest();
        assert_eq!(kept.state, "kept", "after {stores} stores: {}", kept.story);
        assert_eq!(
            world.parts(),
            [("orders(customer)".to_owned(), BuildState::Active)]
        );
        assert_eq!(world.all().len(), 1, "nothing was made twice");
        assert_eq!(world.database.engine().count("orders").unwrap(), 2_000);
        world.filter(100);
    }
}

#[test]
fn what_is_kept_and_missing_is_built_again_and_what_is_nobodys_is_dropped() {
    let mut world = World::new(2_000);
    world.filter(40);
    world.house.say(index());
    world.round();
    world.filter(130);
    world.turn();
    assert_eq!(world.newest().state, "kept");
    world.house.says.lock().clear();
    let engine = world.database.engine();
    let gone = Act::DropIndex {
        collection: "orders".to_owned(),
        name: "orders(customer)".to_owned(),
    };
    engine.apply(&gone).unwrap();
    let stray = Act::CreateIndex {
        collection: "orders".to_owned(),
        name: "orders(state)".to_owned(),
        fields: vec!["state".to_owned()],
    };
    engine.begin(&stray).unwrap();
    world = world.crash();
    world.turn();
    assert_eq!(
        world.parts(),
        [("orders(customer)".to_owned(), BuildState::Active)]
    );
}

#[test]
fn an_index_that_slows_queries_down_is_taken_back_within_sixty_runs() {
    // All that is rare came last, and the planner cannot know: it reads the order from the index, row by row, and finds
    // what it wants at the very end.
    let world = World::new(0);
    let documents: Vec<Document> = (0..20_000)
        .map(|n| {
            let text = format!(
                r#"{{"placed": {n}, "rare": {}, "note": "n{n}"}}"#,
                n > 19_000
            );
            Document::parse(text.as_bytes()).unwrap()
        })
        .collect();
    let engine = world.database.engine();
    engine
        .insert("orders", &documents, Durability::Relaxed)
        .unwrap();
    world.house.say(Mutation::CreateIndex(Index {
        collection: "orders".to_owned(),
        fields: vec!["placed".to_owned()],
    }));
    world.round();
    assert_eq!(world.newest().state, "canary");
    let sql = "SELECT note FROM orders WHERE rare = true ORDER BY placed LIMIT 5";
    for _ in 0..60 {
        assert_eq!(world.ask(sql, &[])[0][0].to_string(), "n19001");
    }
    world.turn();
    let tried = world.newest();
    assert_eq!(tried.state, "reverted", "{}", tried.story);
    assert!(tried.words.contains("slower"), "{}", tried.words);
    assert!(world.parts().is_empty());
}

/// Orders that say where their customer lives.
fn flat(world: &World, many: i64) {
    let documents: Vec<Document> = (0..many)
        .map(|n| {
            let text = format!(
                r#"{{"customer": "c{0}", "city": "city {1}", "since": {0}, "total": {n}}}"#,
                n % 40,
                n % 40 % 7
            );
            Document::parse(text.as_bytes()).unwrap()
        })
        .collect();
    let inserted = world
        .database
        .engine()
        .insert("orders", &documents, Durability::Relaxed);
    inserted.unwrap();
}

fn link(fields: &[&str]) -> Mutation {
    Mutation::LinkCollection(Link {
        collection: "orders".to_owned(),
        key: "customer".to_owned(),
        fields: fields.iter().map(ToString::to_string).collect(),
        target: "customers".to_owned(),
    })
}

#[test]
fn a_linked_collection_is_made_when_a_person_agrees_and_old_queries_keep_working() {
    let mut world = World::new(0);
    flat(&world, 400);
    world.house.say(link(&["city", "since"]));
    world.round();
    let asked = world.newest();
    assert_eq!(asked.state, "asked", "no mode makes it without a person");
    world.house.says.lock().clear();
    world.house.answers.lock().insert(asked.id, true);
    world.turn();
    assert_eq!(world.newest().state, "kept", "{}", world.newest().story);
    let joined = "SELECT c.city, count(*) FROM orders o JOIN customers c ON o.customer = c.id GROUP BY c.city ORDER BY c.city";
    let old = "SELECT city, count(*) FROM orders GROUP BY city ORDER BY city";
    assert_eq!(world.ask(joined, &[]), world.ask(old, &[]));
    assert_eq!(world.database.engine().count("customers").unwrap(), 40);

    // It is kept up with every write: a new customer, one that has moved.
    world.ask(
        "INSERT INTO orders (customer, city, since, total) VALUES ('new', 'Ulm', 1, 2), ('c1', 'Bonn', 1, 2)",
        &[],
    );
    world.turn();
    let city = |world: &World, id: &str| {
        let rows = world.ask(
            "SELECT city FROM customers WHERE id = $1",
            &[Value::text(id)],
        );
        rows[0][0].to_string()
    };
    assert_eq!(
        (city(&world, "new"), city(&world, "c1")),
        ("Ulm".into(), "Bonn".into())
    );
    // What was written and not carried over when the process ended is found again.
    world.ask(
        "INSERT INTO orders (customer, city) VALUES ('late', 'Jena')",
        &[],
    );
    world = world.crash();
    world.turn();
    let cities = ["late", "c1"].map(|id| city(&world, id));
    assert_eq!(cities, ["Jena", "Bonn"]);

    // Taken back, nothing of it is left, and nothing of the orders is lost.
    let evolver = world.database.evolver().unwrap();
    evolver.revert(asked.id, "person:ada").unwrap();
    let catalogue = world.database.engine().catalogue();
    assert!(!catalogue.collections.contains_key("customers"));
    assert_eq!(world.database.engine().count("orders").unwrap(), 403);
}

#[test]
fn what_contradicts_itself_is_no_linked_collection() {
    let world = World::new(0);
    flat(&world, 400);
    world.house.say(link(&["total"]));
    world.round();
    let asked = world.newest();
    world.house.answers.lock().insert(asked.id, true);
    world.turn();
    let over = world.newest();
    assert_eq!(over.state, "reverted", "{}", over.story);
    assert!(over.words.contains("contradict"), "{}", over.words);
    assert!(
        !world
            .database
            .engine()
            .catalogue()
            .collections
            .contains_key("customers")
    );
}

#[test]
fn a_linked_collection_that_holds_something_of_its_own_stays() {
    let world = World::new(0);
    flat(&world, 400);
    world.house.say(link(&["city"]));
    world.round();
    let asked = world.newest();
    world.house.says.lock().clear();
    world.house.answers.lock().insert(asked.id, true);
    world.turn();
    world.ask(
        "INSERT INTO customers (id, city) VALUES ('mine', 'Rome')",
        &[],
    );
    let evolver = world.database.evolver().unwrap();
    evolver.revert(asked.id, "person:ada").unwrap();
    let kept = world.ask("SELECT city FROM customers WHERE id = 'mine'", &[]);
    assert_eq!(kept[0][0].to_string(), "Rome", "no record is lost");
}
