//! Linked collections: what repeats within records gets a collection of its own.

mod world;

use polity_database::evolve::{Link, Mutation};
use polity_database::{Document, Durability, Value};
use world::World;

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
