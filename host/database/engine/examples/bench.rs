//! What the engine costs, SQL text in and rows out: `cargo run --release -p polity-engine --example bench [ROWS]`.
//!
//! Beside it, `bench/sqlite.py` runs the same statements on SQLite.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use polity_engine::{
    Aggregate, AggregateKind, Document, Durability, Engine, Mutation, Options, QueryOptions,
    SledKv, Value,
};

fn p50(runs: usize, mut work: impl FnMut(usize)) -> f64 {
    let mut times: Vec<f64> = (0..runs)
        .map(|n| {
            let start = Instant::now();
            work(n);
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn order(id: usize) -> Document {
    let text = format!(
        r#"{{"id":{id},"cust":{},"status":"s{}","amount":{}.{:02},"note":"note {id} of a usual length for such things"}}"#,
        (id * 7919) % 10_007,
        (id * 31) % 10,
        (id * 37) % 5000,
        id % 100
    );
    Document::parse(text.as_bytes()).expect("a document")
}

fn index(name: &str, fields: &[&str]) -> Mutation {
    Mutation::CreateIndex {
        collection: "orders".to_owned(),
        name: name.to_owned(),
        fields: fields.iter().map(|f| (*f).to_owned()).collect(),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rows: usize = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let folder = std::env::temp_dir().join(format!("polity-engine-bench-{}", std::process::id()));
    let engine = Arc::new(Engine::open(
        Arc::new(SledKv::open(&folder, 32 << 20)?),
        Options::default(),
    )?);
    let documents: Vec<Document> = (1..=rows).map(order).collect();
    let start = Instant::now();
    for part in documents.chunks(500) {
        engine.insert("orders", part, Durability::Relaxed)?;
    }
    engine.flush()?;
    println!(
        "load, batches of 500              {:9.2} us/row",
        start.elapsed().as_secs_f64() * 1e6 / rows as f64
    );
    let relaxed = QueryOptions {
        durability: Durability::Relaxed,
        ..QueryOptions::default()
    };
    let run = |sql: &str| black_box(engine.query_with(sql, &[], &relaxed).map(|a| a.rows.len()));
    let show = |name: &str, time: f64, unit: &str| println!("{name:33} {time:9.2} {unit}");

    show(
        "point read",
        p50(20_000, |n| {
            let _ = run(&format!(
                "SELECT * FROM orders WHERE id = {}",
                1 + n * 7 % rows
            ));
        }),
        "us",
    );
    show(
        "point read, parameter",
        p50(20_000, |n| {
            let _ = engine.query(
                "SELECT * FROM orders WHERE id = $1",
                &[Value::Int((1 + n * 7 % rows) as i64)],
            );
        }),
        "us",
    );
    show(
        "scan with filter",
        p50(15, |n| {
            let _ = run(&format!(
                "SELECT id, amount FROM orders WHERE cust = {}",
                n * 91
            ));
        }) / 1e3,
        "ms",
    );
    show(
        "scan with filter on text",
        p50(15, |_| {
            let _ = run("SELECT count(*) FROM orders WHERE status = 's3'");
        }) / 1e3,
        "ms",
    );
    let by_status = "SELECT status, count(*), sum(amount) FROM orders GROUP BY status";
    show(
        "GROUP BY without rollup",
        p50(15, |_| {
            let _ = run(by_status);
        }) / 1e3,
        "ms",
    );
    show(
        "top 10 without index",
        p50(15, |_| {
            let _ = run("SELECT id, amount FROM orders ORDER BY amount DESC LIMIT 10");
        }) / 1e3,
        "ms",
    );
    let start = Instant::now();
    engine.apply(&index("by_cust", &["cust"]))?;
    show("build index", start.elapsed().as_secs_f64() * 1e3, "ms");
    engine.apply(&index("by_status_amount", &["status", "amount"]))?;
    show(
        "indexed equality, ~10 rows",
        p50(20_000, |n| {
            let _ = run(&format!(
                "SELECT id, amount FROM orders WHERE cust = {}",
                n * 91 % 10_007
            ));
        }),
        "us",
    );
    show(
        "composite range, rows",
        p50(3_000, |n| {
            let _ = run(&format!(
                "SELECT id, note FROM orders WHERE status = 's{}' AND amount >= {} AND amount < {}",
                n % 10,
                n % 4900,
                n % 4900 + 25
            ));
        }),
        "us",
    );
    show(
        "  of so many rows",
        run("SELECT id, note FROM orders WHERE status = 's3' AND amount >= 100 AND amount < 125")
            .unwrap_or(0) as f64,
        "",
    );
    let mut next = rows;
    show(
        "insert with 2 indexes, relaxed",
        p50(10_000, |_| {
            next += 1;
            let _ = run(&format!(
                "INSERT INTO orders (id, cust, status, amount, note) VALUES ({next}, {}, 's3', 12.50, 'a note')",
                next % 1000
            ));
        }),
        "us",
    );
    let documents: Vec<Document> = (next + 1..=next + 20_000).map(order).collect();
    let start = Instant::now();
    for document in &documents {
        engine.insert(
            "orders",
            std::slice::from_ref(document),
            Durability::Relaxed,
        )?;
    }
    show(
        "  mean over 20,000 documents",
        start.elapsed().as_secs_f64() * 1e6 / 20_000.0,
        "us",
    );
    show(
        "insert with 2 indexes, durable",
        p50(300, |n| {
            let _ = engine.insert("orders", &[order(next + 30_000 + n)], Durability::Durable);
        }),
        "us",
    );
    let start = Instant::now();
    let each = 1500;
    std::thread::scope(|scope| {
        for writer in 0..16 {
            let engine = &engine;
            scope.spawn(move || {
                for n in 0..each {
                    let document = order(1_000_000 + writer * each + n);
                    engine
                        .insert("events", &[document], Durability::Durable)
                        .expect("a durable write");
                }
            });
        }
    });
    show(
        "durable, 16 writers",
        (16 * each) as f64 / start.elapsed().as_secs_f64(),
        "writes/s",
    );
    engine.apply(&Mutation::CreateRollup {
        collection: "orders".to_owned(),
        name: "per_status".to_owned(),
        group_by: vec!["status".to_owned()],
        aggregates: vec![Aggregate {
            function: AggregateKind::Sum,
            field: "amount".to_owned(),
        }],
    })?;
    show(
        "GROUP BY by rollup",
        p50(5_000, |_| {
            let _ = run(by_status);
        }),
        "us",
    );
    drop(engine);
    let start = Instant::now();
    let again = Engine::open(
        Arc::new(SledKv::open(&folder, 32 << 20)?),
        Options::default(),
    )?;
    again.query("SELECT count(*) FROM orders", &[])?;
    show(
        "open and first scan",
        start.elapsed().as_secs_f64() * 1e3,
        "ms",
    );
    drop(again);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
