//! A PostgreSQL server of our own, as it comes but for its memory, at the other end of a Unix socket.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::{env, fs, thread};

use anyhow::{Context as _, Result, ensure};
use postgres::{Client, NoTls, SimpleQueryMessage};

use super::{GROUPS, Order, Peer};

const TABLE: &str = "(id bigint PRIMARY KEY, cust bigint, status text, amount numeric, note text)";

pub struct Postgres {
    client: Client,
    server: Server,
}

/// It is stopped when this is dropped.
struct Server {
    bin: PathBuf,
    is_root: bool,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Result<Self> {
        let installed = fs::read_dir("/usr/lib/postgresql").into_iter().flatten();
        let installed = installed.flatten().map(|entry| entry.path().join("bin"));
        let path = env::var_os("PATH").unwrap_or_default();
        let bin = installed
            .chain(env::split_paths(&path))
            .find(|folder| folder.join("initdb").exists())
            .context("initdb is not on this machine")?;
        let id = Command::new("id").arg("-u").output()?;
        let server = Self {
            bin,
            is_root: id.stdout == b"0\n",
            folder: tempfile::tempdir()?,
        };
        if server.is_root {
            // The server refuses to run as root.
            let owned = Command::new("chown")
                .arg("postgres")
                .arg(server.folder.path())
                .status()?;
            ensure!(owned.success(), "the folder cannot be given to postgres");
        }
        let (data, log) = (server.path("data"), server.path("log"));
        server.run(
            "initdb",
            &[
                "-D",
                &data,
                "-A",
                "trust",
                "-U",
                "postgres",
                "-E",
                "UTF8",
                "--locale=C.UTF-8",
            ],
        )?;
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories={} -c shared_buffers=256MB",
            server.folder.path().display()
        );
        server.run(
            "pg_ctl",
            &["-D", &data, "-o", &options, "-l", &log, "-w", "start"],
        )?;
        Ok(server)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let program = self.bin.join(program);
        let mut command = if self.is_root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(&program);
            command
        } else {
            Command::new(&program)
        };
        let status = command
            .current_dir(self.folder.path())
            .args(arguments)
            .stdout(Stdio::null())
            .status()?;
        ensure!(status.success(), "{} failed", program.display());
        Ok(())
    }

    fn connect(&self) -> Result<Client> {
        let at = format!("host={} user=postgres", self.folder.path().display());
        Ok(Client::connect(&at, NoTls)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let data = self.path("data");
        if let Err(error) = self.run("pg_ctl", &["-D", &data, "-m", "immediate", "-w", "stop"]) {
            eprintln!("PostgreSQL does not stop: {error:#}");
        }
    }
}

impl Postgres {
    pub fn new() -> Result<Self> {
        let server = Server::start()?;
        let mut client = server.connect()?;
        client.batch_execute(&format!(
            "CREATE TABLE orders {TABLE}; CREATE TABLE events {TABLE}; SET synchronous_commit = off"
        ))?;
        Ok(Self { client, server })
    }
}

impl Peer for Postgres {
    fn name(&self) -> &'static str {
        "PostgreSQL"
    }

    fn load(&mut self, rows: usize) -> Result<()> {
        let ids: Vec<usize> = (1..=rows).collect();
        for batch in ids.chunks(500) {
            let rows: Vec<String> = batch
                .iter()
                .map(|id| {
                    let order = Order::new(*id).insert();
                    order
                        .split_once("VALUES ")
                        .map_or(String::new(), |(_, row)| row.to_owned())
                })
                .collect();
            let sql = format!("INSERT INTO orders VALUES {}", rows.join(", "));
            self.client.batch_execute(&sql)?;
        }
        Ok(self.client.batch_execute("VACUUM ANALYZE orders")?)
    }

    fn index(&mut self, name: &str, fields: &[&str]) -> Result<()> {
        let sql = format!(
            "CREATE INDEX {name} ON orders ({}); ANALYZE orders",
            fields.join(", ")
        );
        Ok(self.client.batch_execute(&sql)?)
    }

    /// A materialised view: as of its last refresh, so it has less to do than what is kept with every write.
    fn rollup(&mut self) -> Result<Option<&'static str>> {
        let sql = format!("CREATE MATERIALIZED VIEW per_status AS {GROUPS}");
        self.client.batch_execute(&sql)?;
        Ok(Some("SELECT * FROM per_status"))
    }

    fn ask(&mut self, sql: &str) -> Result<usize> {
        let answer = self.client.simple_query(sql)?;
        let is_row = |message: &&SimpleQueryMessage| matches!(message, SimpleQueryMessage::Row(_));
        Ok(answer.iter().filter(is_row).count())
    }

    fn write_together(&mut self, writers: usize, each: usize) -> Result<()> {
        let clients: Result<Vec<Client>> = (0..writers).map(|_| self.server.connect()).collect();
        thread::scope(|scope| {
            let write = |(writer, mut client): (usize, Client)| {
                move || -> Result<()> {
                    for n in 0..each {
                        let sql = Order::new(10_000_000 + writer * each + n).insert();
                        client.batch_execute(&sql.replace("orders", "events"))?;
                    }
                    Ok(())
                }
            };
            let writers: Vec<_> = clients?
                .into_iter()
                .enumerate()
                .map(|one| scope.spawn(write(one)))
                .collect();
            writers
                .into_iter()
                .try_for_each(|writer| writer.join().expect("a writer panicked"))
        })
    }
}
