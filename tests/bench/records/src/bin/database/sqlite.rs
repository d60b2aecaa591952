//! SQLite with a write-ahead log. Nobody waits for the disk but the writers of the group commit.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use anyhow::Result;
use rusqlite::types::Value;
use rusqlite::{Connection, params};

use super::{Order, Peer};

const TABLE: &str =
    "(id INTEGER PRIMARY KEY, cust INTEGER, status TEXT, amount NUMERIC, note TEXT)";

pub struct Sqlite {
    connection: Connection,
    file: PathBuf,
    _folder: tempfile::TempDir,
}

impl Sqlite {
    pub fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("bench.db");
        let connection = Connection::open(&file)?;
        connection.execute_batch(&format!(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-262144;
             CREATE TABLE orders {TABLE}; CREATE TABLE events {TABLE};"
        ))?;
        Ok(Self {
            connection,
            file,
            _folder: folder,
        })
    }
}

impl Peer for Sqlite {
    fn name(&self) -> &'static str {
        "SQLite"
    }

    fn load(&mut self, rows: usize) -> Result<()> {
        let ids: Vec<usize> = (1..=rows).collect();
        for batch in ids.chunks(500) {
            let transaction = self.connection.transaction()?;
            {
                let mut insert =
                    transaction.prepare_cached("INSERT INTO orders VALUES (?, ?, ?, ?, ?)")?;
                for id in batch {
                    let order = Order::new(*id);
                    insert.execute(params![
                        order.id as i64,
                        order.cust as i64,
                        order.status,
                        order.amount,
                        order.note
                    ])?;
                }
            }
            transaction.commit()?;
        }
        Ok(())
    }

    fn index(&mut self, name: &str, fields: &[&str]) -> Result<()> {
        let sql = format!("CREATE INDEX {name} ON orders ({})", fields.join(", "));
        Ok(self.connection.execute_batch(&sql)?)
    }

    fn rollup(&mut self) -> Result<Option<&'static str>> {
        Ok(None)
    }

    fn ask(&mut self, sql: &str) -> Result<usize> {
        let mut statement = self.connection.prepare(sql)?;
        let columns = statement.column_count();
        let mut found = statement.query([])?;
        let mut rows: Vec<Vec<Value>> = Vec::new();
        while let Some(row) = found.next()? {
            let row: rusqlite::Result<Vec<Value>> = (0..columns).map(|n| row.get(n)).collect();
            rows.push(row?);
        }
        Ok(rows.len())
    }

    fn write_together(&mut self, writers: usize, each: usize) -> Result<()> {
        thread::scope(|scope| {
            let write = |writer: usize| {
                let file = &self.file;
                move || -> Result<()> {
                    let connection = Connection::open(file)?;
                    connection.busy_timeout(Duration::from_secs(600))?;
                    connection.execute_batch("PRAGMA synchronous=FULL")?;
                    for n in 0..each {
                        let sql = Order::new(10_000_000 + writer * each + n).insert();
                        connection.execute(&sql.replace("orders", "events"), [])?;
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
}
