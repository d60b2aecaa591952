//! The records of a company: the engine alone, and as a host runs it, with all its use watched.

use std::sync::Arc;
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;
use polity_database::{Database, Document, Durability, Engine, QueryOptions};
use polity_engine::{Aggregate, AggregateKind, Mutation, Options, SledKv};

use super::{GROUPS, Order, Peer};

/// What sled may hold beside the engine's own copy of the rows, as in a host.
const STORE_CACHE: u64 = 16 << 20;

/// The engine, without anybody who watches.
pub struct Alone {
    engine: Engine,
    _folder: tempfile::TempDir,
}

/// The database as a host runs it.
pub struct Watched {
    database: Database,
    _folder: tempfile::TempDir,
}

impl Alone {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let store = SledKv::open(&folder.path().join("records"), STORE_CACHE)?;
        Ok(Self {
            engine: Engine::open(Arc::new(store), Options::default())?,
            _folder: folder,
        })
    }
}

impl Watched {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let now = || {
            let passed = SystemTime::now().duration_since(UNIX_EPOCH);
            passed.map_or(0, |passed| passed.as_millis() as u64)
        };
        Ok(Self {
            database: Database::open(&folder.path().join("records"), Arc::new(now))?,
            _folder: folder,
        })
    }
}

macro_rules! peer {
    ($peer:ty, $name:literal, $it:ident => $engine:expr) => {
        impl Peer for $peer {
            fn name(&self) -> &'static str {
                $name
            }

            fn load(&mut self, rows: usize) -> Result<()> {
                let $it = self;
                load($engine, rows)
            }

            fn index(&mut self, name: &str, fields: &[&str]) -> Result<()> {
                let $it = self;
                index($engine, name, fields)
            }

            fn rollup(&mut self) -> Result<Option<&'static str>> {
                let $it = self;
                rollup($engine).map(Some)
            }

            fn ask(&mut self, sql: &str) -> Result<usize> {
                let $it = self;
                ask($engine, sql)
            }

            fn write_together(&mut self, writers: usize, each: usize) -> Result<()> {
                let $it = self;
                write_together($engine, writers, each)
            }
        }
    };
}

peer!(Alone, "Polity's engine", it => &it.engine);
peer!(Watched, "Polity, watched", it => it.database.engine());

fn document(order: &Order) -> Result<Document> {
    let text = format!(
        r#"{{"id":{},"cust":{},"status":"{}","amount":{},"note":"{}"}}"#,
        order.id, order.cust, order.status, order.amount, order.note
    );
    Ok(Document::parse(text.as_bytes())?)
}

fn load(engine: &Engine, rows: usize) -> Result<()> {
    let ids: Vec<usize> = (1..=rows).collect();
    for batch in ids.chunks(500) {
        let documents: Result<Vec<Document>> =
            batch.iter().map(|id| document(&Order::new(*id))).collect();
        engine.insert("orders", &documents?, Durability::Relaxed)?;
    }
    Ok(engine.flush()?)
}

fn index(engine: &Engine, name: &str, fields: &[&str]) -> Result<()> {
    engine.apply(&Mutation::CreateIndex {
        collection: "orders".to_owned(),
        name: name.to_owned(),
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
    })?;
    Ok(())
}

fn rollup(engine: &Engine) -> Result<&'static str> {
    engine.apply(&Mutation::CreateRollup {
        collection: "orders".to_owned(),
        name: "per_status".to_owned(),
        group_by: vec!["status".to_owned()],
        aggregates: vec![Aggregate {
            function: AggregateKind::Sum,
            field: "amount".to_owned(),
        }],
    })?;
    Ok(GROUPS)
}

fn ask(engine: &Engine, sql: &str) -> Result<usize> {
    let options = QueryOptions {
        durability: Durability::Relaxed,
        ..QueryOptions::default()
    };
    Ok(engine.query_with(sql, &[], &options)?.rows.len())
}

fn write_together(engine: &Engine, writers: usize, each: usize) -> Result<()> {
    thread::scope(|scope| {
        let write = |writer: usize| {
            move || -> Result<()> {
                for n in 0..each {
                    let sql = Order::new(10_000_000 + writer * each + n).insert();
                    engine.query(&sql.replace("orders", "events"), &[])?;
                }
                Ok(())
            }
        };
        let writers: Vec<_> = (0..writers).map(|n| scope.spawn(write(n))).collect();
        writers
            .into_iter()
            .try_for_each(|writer| writer.join().expect("a writer panicked"))
    })
}
