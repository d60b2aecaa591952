//! The same SELECTs on this engine and on PostgreSQL: the same rows.
//!
//! Needs `initdb`, `pg_ctl` and `psql` on this machine and says so when they are missing. As root the server runs as the
//! user `postgres`, because it refuses to run as root.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use polity_engine::{Document, Durability, Engine, MemoryKv, Mutation, Options, Value};

struct Server {
    folder: tempfile::TempDir,
    bin: PathBuf,
    root: bool,
}

impl Server {
    fn start() -> Option<Self> {
        let mut candidates: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path().join("bin"))
            .collect();
        candidates.extend(std::env::split_paths(&std::env::var_os("PATH")?));
        let bin = candidates
            .into_iter()
            .find(|p| p.join("initdb").exists() && p.join("psql").exists())?;
        let id = Command::new("id").arg("-u").output().ok()?;
        let root = id.stdout.starts_with(b"0\n");
        let folder = tempfile::tempdir().ok()?;
        if root
            && !Command::new("chown")
                .arg("postgres")
                .arg(folder.path())
                .status()
                .ok()?
                .success()
        {
            return None;
        }
        let server = Self { folder, bin, root };
        let data = server.path("data");
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
                "--no-sync",
            ],
        );
        let options = format!(
            "-c listen_addresses='' -c unix_socket_directories={} -c fsync=off -c lc_messages=C",
            server.folder.path().display()
        );
        server.run(
            "pg_ctl",
            &[
                "-D",
                &data,
                "-o",
                &options,
                "-l",
                &server.path("log"),
                "-w",
                "start",
            ],
        );
        Some(server)
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn command(&self, program: &str) -> Command {
        let program = self.bin.join(program);
        if self.root {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        }
    }

    fn run(&self, program: &str, args: &[&str]) {
        let output = self
            .command(program)
            .current_dir(self.folder.path())
            .args(args)
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(output.success(), "{program} {args:?}");
    }

    /// The lines of each query; an error is one line that begins with `ERROR`.
    fn answers(&self, setup: &str, queries: &[String]) -> Vec<Vec<String>> {
        let mut script = format!("{setup}\n");
        for query in queries {
            writeln!(script, "\\echo @@@\n{query};").unwrap();
        }
        let file = self.folder.path().join("corpus.sql");
        std::fs::write(&file, script).unwrap();
        let output = self
            .command("psql")
            .current_dir(self.folder.path())
            .args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-F",
                "|",
                "-P",
                "null=NULL",
                "-U",
                "postgres",
                "-h",
                &self.folder.path().display().to_string(),
            ])
            .args(["-v", "VERBOSITY=terse", "-f"])
            .arg(&file)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        let answers: Vec<Vec<String>> = text
            .split("@@@\n")
            .skip(1)
            .map(|part| part.lines().map(str::to_owned).collect())
            .collect();
        assert_eq!(answers.len(), queries.len(), "{errors}");
        if std::env::var_os("SHOW_ERRORS").is_some() {
            eprintln!("{errors}");
        }
        answers
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self
            .command("pg_ctl")
            .args(["-D", &self.path("data"), "-m", "immediate", "stop"])
            .stdout(std::process::Stdio::null())
            .status();
    }
}

/// A small deterministic source of variety.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.roll(list.len() as u64) as usize]
    }
}

const TEXTS: &[&str] = &[
    "alpha", "Beta", "gamma", "", "é", "a%b", "z_z", "ALPHA", "beta 2", "it's", "Ünï", "a b  ",
];

/// The rows, as JSON documents and as an INSERT.
fn data(dice: &mut Dice) -> (Vec<(&'static str, Vec<Document>)>, String) {
    let mut setup = String::from(
        "CREATE TABLE item (id bigint PRIMARY KEY, a bigint, b bigint, n numeric, t text, u text, f boolean, d text, p bigint);\nCREATE TABLE part (id bigint PRIMARY KEY, item bigint, name text, weight numeric);\nCREATE TABLE note (id bigint PRIMARY KEY, item bigint, data jsonb);\n",
    );
    let mut items = Vec::new();
    for id in 1..=300u64 {
        let null = |dice: &mut Dice, value: String| {
            if dice.roll(7) == 0 {
                "null".to_owned()
            } else {
                value
            }
        };
        let a = dice.roll(40) as i64 - 10;
        let a = null(dice, a.to_string());
        let b = dice.roll(6).to_string();
        let b = null(dice, b);
        let n = format!(
            "{}{}.{:02}",
            if dice.roll(3) == 0 { "-" } else { "" },
            dice.roll(500),
            dice.roll(100)
        );
        let n = null(dice, n);
        let t = dice.pick(TEXTS);
        let t = null(dice, format!("\"{t}\""));
        let u = dice.pick(&["red", "green", "blue"]);
        let u = null(dice, format!("\"{u}\""));
        let f = dice.pick(&["true", "false"]).to_owned();
        let f = null(dice, f);
        let d = format!("\"2024-{:02}-{:02}\"", 1 + dice.roll(12), 1 + dice.roll(28));
        let d = null(dice, d);
        let p = dice.roll(120) + 1;
        items.push(Document::parse(format!(r#"{{"id":{id},"a":{a},"b":{b},"n":{n},"t":{t},"u":{u},"f":{f},"d":{d},"p":{p}}}"#).as_bytes()).unwrap());
    }
    let mut parts = Vec::new();
    for id in 1..=100u64 {
        let item = if dice.roll(6) == 0 {
            "null".to_owned()
        } else {
            (dice.roll(330) + 1).to_string()
        };
        let name = dice.pick(TEXTS);
        parts.push(
            Document::parse(
                format!(
                    r#"{{"id":{id},"item":{item},"name":"{name}","weight":{}.{}}}"#,
                    dice.roll(90),
                    dice.roll(10)
                )
                .as_bytes(),
            )
            .unwrap(),
        );
    }
    let tables = vec![("item", items), ("part", parts), ("note", notes(dice))];
    for (table, documents) in &tables {
        for document in documents {
            let values: Vec<String> = document
                .fields
                .iter()
                .map(|(_, v)| match v {
                    Value::Null => "NULL".to_owned(),
                    Value::Bool(b) => b.to_string(),
                    Value::Text(t) | Value::Json(t) => format!("'{}'", t.replace('\'', "''")),
                    v => v.to_string(),
                })
                .collect();
            writeln!(setup, "INSERT INTO {table} VALUES ({});", values.join(", ")).unwrap();
        }
    }
    (tables, setup)
}

/// Documents inside of a field, with every kind of value at the end of a path, and with nothing there.
fn notes(dice: &mut Dice) -> Vec<Document> {
    (1..=150u64)
        .map(|id| {
            let email = match dice.roll(8) {
                0 => "null".to_owned(),
                1 => dice.roll(40).to_string(),
                2 => format!("{}.50", dice.roll(9)),
                3 => "true".to_owned(),
                _ => format!("\"{}\"", dice.pick(TEXTS)),
            };
            let customer = match dice.roll(9) {
                0 => "null".to_owned(),
                1 => "\"nobody\"".to_owned(),
                2 => "{}".to_owned(),
                _ => format!(r#"{{"email": {email}, "tier": "t{}"}}"#, dice.roll(3)),
            };
            let kind = dice.pick(&["a", "b", "it's"]);
            let item = dice.roll(300) + 1;
            let text = format!(
                r#"{{"id":{id},"item":{item},"data":{{"kind":"{kind}","customer":{customer}}}}}"#
            );
            Document::parse(text.as_bytes()).unwrap()
        })
        .collect()
}

fn condition(dice: &mut Dice, depth: u32) -> String {
    if depth > 0 && dice.roll(2) == 0 {
        let (a, b) = (condition(dice, depth - 1), condition(dice, depth - 1));
        return match dice.roll(5) {
            0 => format!("NOT ({a})"),
            1 | 2 => format!("({a} OR {b})"),
            _ => format!("{a} AND {b}"),
        };
    }
    let op = dice.pick(&["=", "<>", "<", "<=", ">", ">="]);
    let number = dice.roll(40) as i64 - 10;
    let text = dice.pick(TEXTS).replace('\'', "''");
    match dice.roll(17) {
        0 => format!("a {op} {number}"),
        1 => format!("b {op} {}", number.rem_euclid(6)),
        2 => format!("n {op} {number}.{}", number.rem_euclid(10)),
        3 => format!("t {op} '{text}'"),
        4 => format!("u {op} '{}'", dice.pick(&["red", "green", "blue", "pink"])),
        5 => "f".to_owned(),
        6 => format!(
            "{} IS {} NULL",
            dice.pick(&["a", "n", "t", "u", "f"]),
            dice.pick(&["", "NOT"])
        ),
        7 => format!(
            "a {}BETWEEN {number} AND {}",
            dice.pick(&["", "NOT "]),
            number + 12
        ),
        8 => format!(
            "b {}IN (1, {}, 4{})",
            dice.pick(&["", "NOT "]),
            number.rem_euclid(6),
            dice.pick(&["", ", NULL"])
        ),
        9 => format!(
            "t {}{} '{}'",
            dice.pick(&["", "NOT "]),
            dice.pick(&["LIKE", "ILIKE"]),
            dice.pick(&["a%", "%a", "%_a%", "beta%", "%", "a\\%b", "_"])
        ),
        10 => format!("a + b {op} {number}"),
        11 => format!("d {op} '2024-{:02}-10'", dice.roll(12) + 1),
        12 => format!("a IS {}DISTINCT FROM b", dice.pick(&["", "NOT "])),
        13 => format!("n {op} a"),
        14 => format!("coalesce(a, b, 0) {op} {number}"),
        15 => format!("id {op} {}", dice.roll(300)),
        _ => format!(
            "f IS {}{}",
            dice.pick(&["", "NOT "]),
            dice.pick(&["TRUE", "FALSE", "UNKNOWN"])
        ),
    }
}

fn corpus(dice: &mut Dice) -> Vec<String> {
    let mut queries: Vec<String> = include_str!("corpus.sql")
        .lines()
        .filter(|l| !l.trim().is_empty() && !l.starts_with("--"))
        .map(str::to_owned)
        .collect();
    for _ in 0..250 {
        queries.push(format!(
            "SELECT id, a, n, t FROM item WHERE {}",
            condition(dice, 2)
        ));
        let key = dice.pick(&["a", "n", "t", "u", "d", "b"]);
        let direction = dice.pick(&["", "DESC", "ASC NULLS FIRST", "DESC NULLS LAST"]);
        queries.push(format!(
            "SELECT id, {key} FROM item WHERE {} ORDER BY {key} {direction}, id LIMIT {} OFFSET {}",
            condition(dice, 1),
            dice.roll(20),
            dice.roll(5)
        ));
        let group = dice.pick(&["u", "b", "t", "f", "u, b", "b / 2", "lower(t)", "a % 3"]);
        let aggregate = dice.pick(&[
            "count(*)",
            "sum(a)",
            "avg(n)",
            "sum(n), count(n)",
            "min(t), max(n)",
            "count(DISTINCT u)",
            "avg(a), sum(a) / count(a)",
            "sum(a) FILTER (WHERE f)",
            "bool_and(f), bool_or(f)",
            "min(d), max(a)",
        ]);
        queries.push(format!(
            "SELECT {group}, {aggregate} FROM item WHERE {} GROUP BY {group}",
            condition(dice, 1)
        ));
        let join = dice.pick(&["JOIN", "LEFT JOIN"]);
        queries.push(format!("SELECT item.id, part.id, name FROM item {join} part ON part.item = item.id AND weight > {} WHERE {}", dice.roll(60), condition(dice, 1).replace("id ", "item.id ")));
    }
    queries
}

fn engine(tables: &[(&str, Vec<Document>)]) -> Engine {
    let engine = Engine::open(Arc::new(MemoryKv::default()), Options::default()).unwrap();
    for (name, documents) in tables {
        engine.insert(name, documents, Durability::Relaxed).unwrap();
    }
    engine
}

fn answer(engine: &Engine, sql: &str) -> Vec<String> {
    match engine.query(sql, &[]) {
        Ok(answer) => answer
            .rows
            .iter()
            .map(|row| {
                row.iter()
                    .map(|v| {
                        if v.is_null() {
                            "NULL".to_owned()
                        } else {
                            v.to_string()
                        }
                    })
                    .collect::<Vec<_>>()
                    .join("|")
            })
            .collect(),
        Err(error) => vec![format!("ERROR {error}")],
    }
}

fn differences(engine: &Engine, queries: &[String], wanted: &[Vec<String>]) -> Vec<String> {
    let mut different = Vec::new();
    for (sql, wanted) in queries.iter().zip(wanted) {
        let (mut ours, mut theirs) = (answer(engine, sql), wanted.clone());
        if !sql.contains("ORDER BY") {
            ours.sort();
            theirs.sort();
        }
        if ours != theirs {
            let first = ours
                .iter()
                .zip(&theirs)
                .position(|(a, b)| a != b)
                .unwrap_or(ours.len().min(theirs.len()));
            different.push(format!(
                "{sql}\n  ours {} rows, {:?}\n  PostgreSQL {} rows, {:?}",
                ours.len(),
                ours.get(first),
                theirs.len(),
                theirs.get(first)
            ));
        }
    }
    different
}

#[test]
fn every_query_of_the_corpus_gives_the_rows_of_postgresql() {
    let Some(server) = Server::start() else {
        eprintln!("skipped: PostgreSQL is not installed here (apt-get install postgresql)");
        return;
    };
    let mut dice = Dice(20_260_101);
    let (tables, setup) = data(&mut dice);
    let queries = corpus(&mut dice);
    let wanted = server.answers(&setup, &queries);
    assert!(Path::new(&server.path("data")).exists());
    let plain = engine(&tables);
    let different = differences(&plain, &queries, &wanted);
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        queries.len(),
        different.join("\n")
    );
    // The same with every way in that the planner may take.
    for fields in [&["a", "b"][..], &["u", "n"], &["t"], &["d", "id"], &["b"]] {
        let fields = fields.iter().map(|f| (*f).to_owned()).collect::<Vec<_>>();
        plain
            .apply(&Mutation::CreateIndex {
                collection: "item".to_owned(),
                name: fields.join("_"),
                fields,
            })
            .unwrap();
    }
    plain
        .apply(&Mutation::CreateIndex {
            collection: "part".to_owned(),
            name: "item".to_owned(),
            fields: vec!["item".to_owned()],
        })
        .unwrap();
    for fields in [
        &["data->'customer'->>'email'"][..],
        &["data->>'kind'", "data->'customer'->>'tier'", "item"],
    ] {
        plain
            .apply(&Mutation::CreateIndex {
                collection: "note".to_owned(),
                name: fields.join(" "),
                fields: fields.iter().map(|f| (*f).to_owned()).collect(),
            })
            .unwrap();
    }
    let different = differences(&plain, &queries, &wanted);
    assert!(
        different.is_empty(),
        "with indexes {} of {} differ:\n{}",
        different.len(),
        queries.len(),
        different.join("\n")
    );
}
