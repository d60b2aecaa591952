//! Whoever may touch some rows alone finds a collection that holds these and no others, whatever they ask.
//!
//! The judge is a second engine, without rights, that holds the allowed rows alone: both must give the same.

mod shop;

use polity_engine::{
    AggregateKind, Document, Durability, Engine, EngineError, QueryOptions, RowRights, Value,
};
use shop::{doc, engine, index, rollup, show};

const OWNERS: [&str; 4] = ["ada", "bob", "eve", "mallory"];

fn deal(n: usize) -> Document {
    let owner = OWNERS[n % 4];
    // Mallory's rows break every computation that looks at them.
    let secret = if owner == "mallory" { "zero" } else { "7" };
    doc(&format!(
        r#"{{"id":{n},"owner":"{owner}","team":{},"customer":"c{}","total":{},"secret":"{secret}"}}"#,
        if n.is_multiple_of(3) {
            "\"red\""
        } else {
            "null"
        },
        n % 7,
        if owner == "mallory" { 0 } else { n % 50 + 1 },
    ))
}

/// Ada's own, and Bob's of the red team.
fn rights() -> RowRights {
    let is = |name: &str, value: &str| (name.to_owned(), vec![Value::text(value)]);
    let allowed = vec![
        vec![is("owner", "ada")],
        vec![is("owner", "bob"), is("team", "red")],
    ];
    RowRights::new([("deals".to_owned(), allowed)].into())
}

fn may(n: usize) -> bool {
    n.is_multiple_of(4) || (n % 4 == 1 && n.is_multiple_of(3))
}

fn options() -> QueryOptions {
    QueryOptions {
        rights: rights(),
        ..QueryOptions::default()
    }
}

/// All rows, with every order and aggregate that could give them away; and the allowed ones alone.
fn both() -> (Engine, Engine) {
    let (all, few) = (engine(), engine());
    for n in 0..400 {
        let put = |engine: &Engine| engine.insert("deals", &[deal(n)], Durability::Durable);
        put(&all).unwrap();
        if may(n) {
            put(&few).unwrap();
        }
    }
    for engine in [&all, &few] {
        for n in 0..9 {
            let customer = doc(&format!(r#"{{"id":"c{n}","name":"customer {n}"}}"#));
            engine
                .insert("customers", &[customer], Durability::Durable)
                .unwrap();
        }
    }
    for (name, fields) in [
        ("by_total", &["total"][..]),
        ("by_customer", &["customer", "total"]),
        ("by_owner", &["owner"]),
        ("by_secret", &["secret", "owner", "team"]),
    ] {
        all.apply(&index("deals", name, fields)).unwrap();
    }
    let sums = [(AggregateKind::Sum, "total"), (AggregateKind::Max, "total")];
    for (name, group) in [
        ("per_customer", &["customer"][..]),
        ("per_owner", &["owner", "team"]),
    ] {
        all.apply(&rollup("deals", name, group, &sums)).unwrap();
    }
    (all, few)
}

#[test]
fn a_query_cannot_tell_that_there_are_other_rows() {
    let (all, few) = both();
    let mut leaks = Vec::new();
    for sql in [
        "SELECT * FROM deals",
        "SELECT id FROM deals WHERE id = 2",
        "SELECT id FROM deals WHERE owner <> 'ada' OR true",
        "SELECT id FROM deals WHERE NOT (owner = 'ada')",
        "SELECT id FROM deals WHERE owner = 'mallory'",
        "SELECT id FROM deals WHERE owner IN ('bob', 'mallory')",
        "SELECT count(*) FROM deals",
        "SELECT count(*), sum(total), min(total), max(secret) FROM deals WHERE total >= 0",
        "SELECT count(DISTINCT owner) FROM deals",
        "SELECT customer, count(*), sum(total), max(total) FROM deals GROUP BY customer",
        "SELECT owner, team, sum(total), max(total) FROM deals GROUP BY owner, team",
        "SELECT customer FROM deals GROUP BY customer HAVING min(total) = 0",
        "SELECT DISTINCT secret FROM deals",
        "SELECT id FROM deals WHERE secret = 'zero'",
        "SELECT id FROM deals WHERE secret > '0' ORDER BY secret, id",
        "SELECT id, total FROM deals ORDER BY total LIMIT 5",
        "SELECT id FROM deals ORDER BY total DESC, id OFFSET 90",
        "SELECT secret, owner, team FROM deals WHERE secret >= '7'",
        // What would fail on a row that is not allowed.
        "SELECT id FROM deals WHERE 100 / total > 3",
        "SELECT id FROM deals WHERE CAST(secret AS integer) = 7",
        "SELECT id, 100 / total FROM deals ORDER BY 100 / total, id",
        "SELECT sum(CAST(secret AS integer)) FROM deals",
        "SELECT CASE WHEN total = 0 THEN 1 / total ELSE total END FROM deals",
        "SELECT max(100 / total) FROM deals GROUP BY customer",
        // Joins, from either side.
        "SELECT b.id FROM deals a JOIN deals b ON a.customer = b.customer WHERE a.id = 4",
        "SELECT a.id FROM deals a JOIN deals b ON a.id = b.total",
        "SELECT c.id, d.id FROM customers c LEFT JOIN deals d ON d.customer = c.id",
        "SELECT c.id, count(d.id) FROM customers c LEFT JOIN deals d ON d.customer = c.id AND d.total > 10 GROUP BY c.id",
        "SELECT c.name FROM customers c LEFT JOIN deals d ON d.customer = c.id WHERE d.id IS NULL",
        "SELECT c.name, d.secret FROM deals d JOIN customers c ON c.id = d.customer WHERE c.id = 'c3'",
        "SELECT count(*) FROM deals a JOIN deals b ON a.owner = b.owner JOIN deals c ON c.id = b.id",
    ] {
        let ask = |engine: &Engine, options: &QueryOptions| {
            let mut rows = match engine.query_with(sql, &[], options) {
                Ok(answer) => show(answer.rows),
                Err(error) => vec![error.to_string()],
            };
            if !sql.contains("ORDER BY") {
                rows.sort();
            }
            rows
        };
        let wanted = ask(&few, &QueryOptions::default());
        for masked in [vec![], vec!["per_owner".to_owned(), "by_owner".to_owned()]] {
            let options = QueryOptions {
                masked,
                ..options()
            };
            if ask(&all, &options) != wanted {
                leaks.push(sql);
            }
        }
    }
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[test]
fn a_plan_of_one_with_rights_is_never_used_for_another() {
    let (all, _) = both();
    let sql = "SELECT count(*) FROM deals WHERE total >= 0";
    let count = |options: &QueryOptions| show(all.query_with(sql, &[], options).unwrap().rows);
    let everything = QueryOptions::default();
    let allowed = (0..400).filter(|n| may(*n)).count().to_string();
    for _ in 0..3 {
        assert_eq!(count(&everything), ["400"]);
        assert_eq!(count(&options()), [allowed.as_str()]);
    }
    let nobody = QueryOptions {
        rights: RowRights::new([("deals".to_owned(), vec![])].into()),
        ..QueryOptions::default()
    };
    assert_eq!(count(&nobody), ["0"]);
    let no_such_field = vec![vec![("onwer".to_owned(), vec![Value::text("ada")])]];
    let misspelt = QueryOptions {
        rights: RowRights::new([("deals".to_owned(), no_such_field)].into()),
        ..QueryOptions::default()
    };
    assert_eq!(count(&misspelt), ["0"], "what nobody has opens nothing");
}

#[test]
fn what_may_not_be_read_is_neither_changed_nor_removed() {
    let (all, few) = both();
    for sql in [
        "UPDATE deals SET total = total + 1 WHERE total < 40",
        "UPDATE deals SET secret = '8' WHERE owner = 'mallory'",
        "UPDATE deals SET total = 100 / total",
        "DELETE FROM deals WHERE secret = 'zero'",
        "DELETE FROM deals WHERE total > 50",
        "DELETE FROM deals WHERE id = 2",
    ] {
        let changed = |engine: &Engine, options: &QueryOptions| {
            engine.query_with(sql, &[], options).unwrap().summary.rows
        };
        assert_eq!(
            changed(&all, &options()),
            changed(&few, &QueryOptions::default()),
            "{sql}"
        );
    }
    let others = "SELECT count(*), min(id), sum(total) FROM deals WHERE owner = 'mallory'";
    assert_eq!(shop::rows(&all, others), ["100|3|0"]);
    let mine = "SELECT id, total, secret FROM deals ORDER BY id";
    let seen = all.query_with(mine, &[], &options()).unwrap();
    assert_eq!(show(seen.rows), shop::rows(&few, mine));
}

#[test]
fn nothing_is_written_that_could_not_be_read_after() {
    let (all, _) = both();
    let before = all.count("deals").unwrap();
    let beyond = |outcome: Result<_, EngineError>| {
        let error = outcome.map(drop).unwrap_err();
        assert!(matches!(error, EngineError::Beyond { .. }), "{error}");
    };
    for sql in [
        "INSERT INTO deals (owner, total) VALUES ('mallory', 1)",
        "INSERT INTO deals (total) VALUES (1)",
        "INSERT INTO deals (owner, team) VALUES ('bob', 'blue')",
        "INSERT INTO deals (owner, total) VALUES ('ada', 1), ('eve', 2)",
        "UPDATE deals SET owner = 'mallory' WHERE id = 4",
        "UPDATE deals SET team = NULL",
    ] {
        beyond(all.query_with(sql, &[], &options()).map(|_| ()));
    }
    let insert = |text: &str| {
        let documents = [doc(text)];
        all.insert_within(&rights(), "deals", &documents, Durability::Durable)
    };
    beyond(insert(r#"{"owner":"eve"}"#).map(|_| ()));
    beyond(insert(r#"{"owner":["ada"]}"#).map(|_| ()));
    assert_eq!(all.count("deals").unwrap(), before);
    insert(r#"{"owner":"ada"}"#).unwrap();
    insert(r#"{"owner":"bob","team":"red"}"#).unwrap();
    assert_eq!(all.count("deals").unwrap(), before + 2);
    let get = |n: i64| {
        let found = all.get_within(&rights(), "deals", &Value::Int(n));
        found.unwrap().is_some()
    };
    assert_eq!([get(4), get(3), get(9), get(1)], [true, false, true, false]);
}

#[test]
fn a_plan_tells_no_value_of_a_row() {
    let (all, _) = both();
    for sql in [
        "SELECT * FROM deals WHERE secret = 'x'",
        "SELECT a.id FROM deals a JOIN deals b ON a.id = b.id",
        "SELECT owner, team, sum(total) FROM deals GROUP BY owner, team",
    ] {
        let plan = all.explain(sql, &options()).unwrap().to_string();
        assert!(
            !plan.contains("mallory") && !plan.contains("zero"),
            "{plan}"
        );
        let told = all.query_with(&format!("EXPLAIN {sql}"), &[], &options());
        assert_eq!(show(told.unwrap().rows).join("\n"), plan.trim_end());
    }
}

#[test]
fn a_plan_tells_no_size_of_what_may_not_be_read() {
    let (all, _) = both();
    let sql = "SELECT d.id FROM customers c JOIN deals d ON d.customer = c.id WHERE d.total > 7";
    let told = |options: &QueryOptions| {
        let plan = all.explain(sql, options).unwrap();
        let rows = all.query_with(&format!("EXPLAIN {sql}"), &[], options);
        (plan.to_string(), show(rows.unwrap().rows).join("\n"))
    };
    let (plan, rows) = told(&QueryOptions::default());
    assert!(plan.contains(" rows, ") && rows.contains(" µs)"), "{plan}");
    let (plan, rows) = told(&options());
    assert_eq!(plan, rows);
    assert!(!plan.contains("rows, ") && !plan.contains("µs"), "{plan}");
    // Where every row of a query may be read, nothing is kept back.
    let open = all.explain("SELECT id FROM customers", &options()).unwrap();
    assert_eq!(open.rows, Some(9));
}

#[test]
fn an_id_that_another_row_has_does_not_tell_of_that_row() {
    let (all, _) = both();
    let insert = |text: &str| {
        let documents = [doc(text)];
        let outcome = all.insert_within(&rights(), "deals", &documents, Durability::Durable);
        outcome.unwrap_err()
    };
    // Row 4 is Ada's; row 3 is Mallory's, and row 403 nobody's.
    let mine = insert(r#"{"id":4,"owner":"ada"}"#);
    assert!(matches!(mine, EngineError::Exists { .. }), "{mine}");
    let theirs = insert(r#"{"id":3,"owner":"ada"}"#);
    let nobodys = insert(r#"{"id":403,"owner":"mallory"}"#);
    assert_eq!(theirs.to_string(), nobodys.to_string());
    assert!(!theirs.to_string().contains('3'), "{theirs}");
    let sql = "INSERT INTO deals (id, owner) VALUES (7, 'ada')";
    let error = all.query_with(sql, &[], &options()).unwrap_err();
    assert!(matches!(error, EngineError::Beyond { .. }), "{error}");
}
