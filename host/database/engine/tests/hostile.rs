//! What somebody sends who means harm, or makes a mistake that looks the same: refused, bounded, survived.

mod shop;

use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;

use polity_engine::{
    Document, Durability, Engine, EngineError, Format, KvError, Limits, MAX_DOCUMENT, Options,
    QueryOptions, SledKv, Value, read_documents,
};
use serde_json::json;
use shop::*;

/// A document of a gigabyte that is made while it is read.
struct Endless {
    given: u64,
}

const GIGABYTE: u64 = 1 << 30;

impl Read for Endless {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        let head = br#"{"a":""#;
        for byte in out.iter_mut() {
            *byte = *head.get(self.given as usize).unwrap_or(&b'x');
            self.given += 1;
        }
        let over = self.given.saturating_sub(GIGABYTE);
        Ok(out.len() - over.min(out.len() as u64) as usize)
    }
}

#[test]
fn a_document_of_a_gigabyte_is_refused_and_never_held() {
    for format in [Format::Ndjson, Format::Csv] {
        let mut input = BufReader::new(Endless { given: 0 });
        let e = engine();
        let error = e.import("t", format, &mut input, &mut |_, _| {});
        let error = error.unwrap_err().to_string();
        assert!(error.contains("limit"), "{format:?}: {error}");
        let read = input.get_ref().given;
        assert!(
            read < 4 * MAX_DOCUMENT as u64,
            "{format:?} read {read} bytes of it"
        );
        assert!(input.fill_buf().is_ok());
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(MAX_DOCUMENT));
    let error = Document::parse(long.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("keep big content in a file"));
}

#[test]
fn ten_thousand_fields_five_hundred_levels_and_what_is_no_value_are_refused_by_name() {
    let wide: String = (0..10_000).map(|n| format!("\"f{n}\":1,")).collect();
    let deep = format!("{}1{}", "{\"a\":".repeat(500), "}".repeat(500));
    let wide = format!("{{{wide}\"z\":1}}");
    for (text, words) in [
        (wide.as_bytes(), "more than 4096 fields"),
        (deep.as_bytes(), "deeper than 64 levels"),
        (br#"{"a": NaN}"#, "not JSON"),
        (br#"{"a": Infinity}"#, "not JSON"),
        (br#"{"a": -Infinity}"#, "not JSON"),
        (br#"{"a": 1, "b": {"c": 1, "c": 2}}"#, "\"c\" is twice"),
        (b"{\"a\": \"\xff\"}", "not UTF-8"),
        (br#"{"a": "\ud800"}"#, "not JSON"),
        (b"{\"a\": 1}}", "not JSON"),
        (b"", "not JSON"),
    ] {
        let error = Document::parse(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    // A number beyond all floats is a decimal or refused, and never infinite.
    let huge = Document::parse(br#"{"a": 1e400}"#);
    assert!(huge.is_err() || !format!("{huge:?}").contains("inf"));
}

#[test]
fn a_pattern_made_to_hang_is_stopped() {
    let e = engine();
    let text = "a".repeat(1 << 20);
    let document = doc(&format!(r#"{{"id":1,"text":"{text}"}}"#));
    e.insert("t", &[document], Durability::Durable).unwrap();
    let pattern = format!("%{}b", "a".repeat(1 << 19));
    let error = e.query(
        "SELECT id FROM t WHERE text LIKE $1",
        &[Value::text(pattern)],
    );
    let error = error.unwrap_err().to_string();
    assert!(error.contains("shorten the pattern"), "{error}");
    let wild = "%a".repeat(2_000) + "b";
    let found = e.query("SELECT id FROM t WHERE text LIKE $1", &[Value::text(wild)]);
    assert!(found.unwrap().rows.is_empty());
    for sql in [
        "SELECT id FROM t WHERE text ~ '(a+)+$'",
        "SELECT id FROM t WHERE text SIMILAR TO '(a+)+'",
        "SELECT regexp_replace(text, '(a+)+$', '') FROM t",
    ] {
        let error = e.query(sql, &[]).unwrap_err();
        assert!(matches!(error, EngineError::Unsupported { .. }), "{error}");
    }
}

#[test]
fn a_query_that_multiplies_rows_ends_at_its_limits() {
    let e = engine();
    let documents: Vec<Document> = (0..3_000)
        .map(|n| doc(&format!(r#"{{"id":{n},"same":1}}"#)))
        .collect();
    e.insert("t", &documents, Durability::Durable).unwrap();
    let cross = "SELECT a.id FROM t a CROSS JOIN t b";
    let error = e.query(cross, &[]).unwrap_err().to_string();
    assert!(error.contains("join on an equality"), "{error}");
    // 27 billion rows, of which the caller takes some.
    let many = "SELECT a.id FROM t a JOIN t b ON a.same = b.same JOIN t c ON b.same = c.same";
    for limits in [
        Limits {
            rows: 10_000,
            ..Limits::default()
        },
        Limits {
            micros: 100_000,
            ..Limits::default()
        },
        Limits {
            memory: 1 << 20,
            ..Limits::default()
        },
    ] {
        let options = QueryOptions {
            limits,
            ..QueryOptions::default()
        };
        for sql in [many.to_owned(), format!("{many} ORDER BY c.id")] {
            let error = e.query_with(&sql, &[], &options).unwrap_err();
            assert!(matches!(error, EngineError::Limit { .. }), "{error}");
        }
    }
    let count = format!("SELECT count(*) FROM ({many}) x");
    assert!(e.query(&count, &[]).is_err(), "no way round");
}

#[test]
fn a_schema_that_is_declared_while_an_index_is_built_leaves_both_right() {
    let e = engine();
    let documents: Vec<Document> = (0..2_000)
        .map(|n| doc(&format!(r#"{{"id":{n},"cust":{},"note":"n"}}"#, n % 50)))
        .collect();
    e.insert("t", &documents, Durability::Durable).unwrap();
    e.begin(&index("t", "i", &["cust"])).unwrap();
    let mut steps = 0;
    loop {
        let progress = e.build_step("t", "i", 100).unwrap();
        steps += 1;
        match steps {
            3 => e
                .declare_schema(
                    "t",
                    &json!({"properties": {"cust": {"type": "integer"}, "vat": {"type": "string"}}, "required": ["cust"]}),
                )
                .unwrap(),
            5 => {
                let added = [doc(r#"{"id":9000,"cust":7,"vat":"x"}"#)];
                e.insert("t", &added, Durability::Durable).unwrap();
                let bad = [doc(r#"{"id":9001,"cust":"seven"}"#)];
                assert!(e.insert("t", &bad, Durability::Durable).is_err());
                let run = |sql: &str| e.query(sql, &[]).unwrap();
                run("UPDATE t SET cust = 7 WHERE id = 8");
                run("DELETE FROM t WHERE id = 1957");
            }
            6 => {
                let twice = e.begin(&index("t", "i", &["cust"])).unwrap_err();
                assert!(matches!(twice, EngineError::Exists { .. }), "{twice}");
            }
            _ => {}
        }
        if progress.complete {
            break;
        }
    }
    e.publish("t", "i", true).unwrap();
    same_with_and_without(
        &e,
        &["i".to_owned()],
        &[
            "SELECT id FROM t WHERE cust = 7",
            "SELECT cust, count(*) FROM t GROUP BY cust",
            "SELECT id FROM t WHERE cust > 45 ORDER BY cust, id",
        ],
    );
    assert_eq!(rows(&e, "SELECT count(*) FROM t WHERE cust = 7"), ["41"]);
}

/// Bytes lost at the end of the log, as a bad disk or a cut copy loses them.
#[test]
fn a_log_that_is_cut_off_is_read_as_far_as_it_goes_or_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("db");
    {
        let kv = SledKv::open(folder.path(), 16 << 20).unwrap();
        let e = Engine::open(Arc::new(kv), Options::default()).unwrap();
        for n in 0..200 {
            let document = doc(&format!(r#"{{"id":{n},"text":"{}"}}"#, "x".repeat(2_000)));
            e.insert("t", &[document], Durability::Durable).unwrap();
        }
    }
    let whole = std::fs::read(&log).unwrap();
    let mut read = 0;
    for lost in [1, 100, 4_096, 65_536, whole.len() / 2, whole.len()] {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            if entry.path().is_file() {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        std::fs::write(copy.path().join("db"), &whole[..whole.len() - lost]).unwrap();
        let counted = SledKv::open(copy.path(), 16 << 20)
            .map_err(EngineError::from)
            .and_then(|kv| Engine::open(Arc::new(kv), Options::default()))
            .and_then(|e| e.query("SELECT count(*), max(id) FROM t", &[]));
        match counted {
            Ok(answer) => {
                let row = show(answer.rows).remove(0);
                let (count, last) = row.split_once('|').unwrap();
                let count: i64 = count.parse().unwrap();
                assert!(count <= 200, "{row}");
                assert_eq!(last, (count - 1).to_string(), "no hole in the middle");
                read += 1;
            }
            Err(EngineError::Store(KvError::Damaged { reason })) => {
                assert!(!reason.is_empty());
            }
            // Nothing at all was left.
            Err(EngineError::Unknown { .. } | EngineError::Store(_)) => {}
            Err(other) => panic!("{lost} bytes lost: {other}"),
        }
    }
    assert!(read > 0, "a few bytes lost cost nothing");
}

#[test]
fn documents_come_one_by_one_however_many_there_are() {
    let line = b"{\"a\":1}\n".repeat(50_000);
    let (mut greatest, mut all) = (0, 0);
    let take = &mut |batch: &[Document]| {
        greatest = greatest.max(batch.len());
        all += batch.len();
        Ok(())
    };
    let read = read_documents(Format::Ndjson, &mut &line[..], take, &mut |_, _| {});
    assert_eq!((read.unwrap(), all), (50_000, 50_000));
    assert!(greatest <= 5_000, "{greatest} were held at once");
}
