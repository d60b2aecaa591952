//! What is on the disk: torn, full, cut off at any write, backed up, brought in.

mod shop;

use std::sync::Arc;

use polity_engine::{
    AggregateKind, Durability, Engine, EngineError, Fault, FaultyKv, Mutation, Options, SledKv,
    Value,
};
use shop::*;

#[test]
fn a_database_on_disk_is_there_again_after_it_was_closed_even_with_a_torn_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let open = || SledKv::open(folder.path(), 16 << 20).unwrap();
    {
        let e = Engine::open(Arc::new(open()), Options::default()).unwrap();
        e.insert("t", &[doc(r#"{"id":1,"a":"x"}"#)], Durability::Durable)
            .unwrap();
        e.apply(&index("t", "i", &["a"])).unwrap();
        assert!(matches!(
            SledKv::open(folder.path(), 1 << 20),
            Err(polity_engine::KvError::InUse { .. })
        ));
    }
    let mut torn = false;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path
            .file_name()
            .unwrap()
            .to_string_lossy()
            .starts_with("snap.")
        {
            std::fs::write(path, b"").unwrap();
            torn = true;
        }
    }
    let kv = open();
    let repaired = kv.was_repaired();
    let e = Engine::open(Arc::new(kv), Options::default()).unwrap();
    assert_eq!(rows(&e, "SELECT id FROM t WHERE a = 'x'"), ["1"]);
    assert_eq!(e.catalogue().collection("t").unwrap().indexes.len(), 1);
    // Whether sled wrote a snapshot at all is its own affair.
    assert!(repaired || !torn);
}

#[test]
fn a_full_disk_stops_writing_and_recovery_goes_on_with_what_was_stored() {
    let kv = Arc::new(FaultyKv::new([]));
    let e = Engine::open(kv.clone(), Options::default()).unwrap();
    e.insert("t", &[doc(r#"{"id":1}"#)], Durability::Durable)
        .unwrap();
    kv.set_faults([Fault::DiskFullFrom(0)]);
    let error = e
        .insert("t", &[doc(r#"{"id":2}"#)], Durability::Durable)
        .unwrap_err();
    assert!(error.to_string().contains("no space left"), "{error}");
    assert!(matches!(
        e.insert("t", &[doc(r#"{"id":3}"#)], Durability::Relaxed),
        Err(EngineError::Stopped { .. })
    ));
    kv.set_faults([]);
    e.recover().unwrap();
    assert_eq!(rows(&e, "SELECT id FROM t"), ["1"]);
    e.insert("t", &[doc(r#"{"id":4}"#)], Durability::Durable)
        .unwrap();
    assert_eq!(rows(&e, "SELECT id FROM t ORDER BY id"), ["1", "4"]);
}

/// A scripted life with writes, builds and drops; returns how many documents were acknowledged.
fn life(e: &Engine) -> i64 {
    let mut acknowledged = 0;
    let steps = || -> Result<(), EngineError> {
        for i in 1..=12 {
            e.insert(
                "t",
                &[doc(&format!(
                    r#"{{"id":{i},"a":{},"b":"b{}"}}"#,
                    i % 3,
                    i % 2
                ))],
                Durability::Durable,
            )?;
            acknowledged = i;
            match i {
                4 => {
                    e.begin(&index("t", "i", &["a", "b"]))?;
                }
                5 => {
                    e.begin(&rollup(
                        "t",
                        "r",
                        &["b"],
                        &[(AggregateKind::Sum, "a"), (AggregateKind::Max, "a")],
                    ))?;
                }
                6..=11 => {
                    e.build_step("t", "i", 3)?;
                    e.build_step("t", "r", 2)?;
                    e.query("UPDATE t SET a = a + 1 WHERE id = $1", &[Value::Int(i - 5)])?;
                }
                _ => {}
            }
        }
        e.apply(&Mutation::DropIndex {
            collection: "t".to_owned(),
            name: "i".to_owned(),
        })?;
        Ok(())
    }();
    let _ = steps;
    acknowledged
}

#[test]
fn a_crash_at_every_write_leaves_catalogue_and_rows_right() {
    let probe = Arc::new(FaultyKv::new([]));
    life(&Engine::open(probe.clone(), Options::default()).unwrap());
    let writes = probe.writes();
    assert!(writes >= 20, "{writes}");
    for at in 1..=writes {
        for survivors in [0, 1, usize::MAX] {
            let kv = Arc::new(FaultyKv::new([Fault::CrashAt(at)]));
            let acknowledged = Engine::open(kv.clone(), Options::default()).map_or(0, |e| life(&e));
            let e = Engine::open(Arc::new(kv.after_crash(survivors)), Options::default()).unwrap();
            if acknowledged == 0 && !e.catalogue().collections.contains_key("t") {
                continue;
            }
            let count = rows(&e, "SELECT count(*), max(id) FROM t");
            let (stored, greatest) = count[0].split_once('|').unwrap();
            assert_eq!(stored, greatest, "write {at}: a row is missing in between");
            assert!(
                stored.parse::<i64>().unwrap() >= acknowledged,
                "write {at}: an acknowledged row is gone"
            );
            for (collection, name) in e.catalogue().unfinished() {
                while !e.build_step(&collection, &name, 2).unwrap().complete {}
            }
            let found = e.catalogue().collection("t").unwrap().clone();
            let names: Vec<String> = found
                .indexes
                .iter()
                .map(|i| i.name.clone())
                .chain(found.rollups.iter().map(|r| r.name.clone()))
                .collect();
            names
                .iter()
                .for_each(|name| e.publish("t", name, true).unwrap());
            same_with_and_without(
                &e,
                &names,
                &[
                    "SELECT id FROM t WHERE a = 1 AND b = 'b1'",
                    "SELECT b, sum(a), max(a), count(*) FROM t GROUP BY b",
                    "SELECT a, b FROM t WHERE a > 0",
                ],
            );
        }
    }
}

#[test]
fn a_backup_restores_everything_and_a_cut_one_is_refused() {
    let e = shop();
    e.apply(&index("orders", "i", &["customer"])).unwrap();
    e.apply(&rollup(
        "orders",
        "r",
        &["customer"],
        &[(AggregateKind::Sum, "total")],
    ))
    .unwrap();
    let mut bytes = Vec::new();
    assert_eq!(e.backup(&mut bytes, &mut |_, _| {}).unwrap(), 6);
    let again = engine();
    assert_eq!(again.restore(&mut &bytes[..], &mut |_, _| {}).unwrap(), 6);
    for sql in [
        "SELECT * FROM orders ORDER BY id",
        "SELECT customer, sum(total) FROM orders GROUP BY customer ORDER BY 1",
        "SELECT * FROM people ORDER BY id",
    ] {
        assert_eq!(rows(&again, sql), rows(&e, sql));
    }
    assert_eq!(
        again
            .catalogue()
            .collection("orders")
            .unwrap()
            .rollups
            .len(),
        1
    );
    assert_eq!(
        again
            .catalogue()
            .collection("orders")
            .unwrap()
            .indexes
            .len(),
        1
    );
    let cut = &bytes[..bytes.len() - 30];
    assert!(engine().restore(&mut &cut[..], &mut |_, _| {}).is_err());
    assert!(e.restore(&mut &bytes[..], &mut |_, _| {}).is_err());
}

#[test]
fn files_come_in_typed_and_go_out_as_they_came() {
    use polity_engine::Format;
    let e = engine();
    let csv =
        "id,name,price,zip,ok\r\n1,\"a, \"\"b\"\"\nc\",1.50,01234,true\r\n2,,3,\"\",false\r\n";
    let mut last = 0;
    assert_eq!(
        e.import("t", Format::Csv, &mut csv.as_bytes(), &mut |n, _| last = n)
            .unwrap(),
        2
    );
    assert_eq!(last, 2);
    assert_eq!(
        rows(&e, "SELECT price * 2, zip || '!' FROM t ORDER BY id"),
        ["3.00|01234!", "6|!"]
    );
    let mut out = Vec::new();
    e.export("t", Format::Csv, &mut out, &mut |_, _| {})
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), csv);
    for format in [Format::Ndjson, Format::Json] {
        let mut out = Vec::new();
        e.export("t", format, &mut out, &mut |_, _| {}).unwrap();
        let other = engine();
        other
            .import("t", format, &mut &out[..], &mut |_, _| {})
            .unwrap();
        assert_eq!(
            rows(&other, "SELECT * FROM t ORDER BY id"),
            rows(&e, "SELECT * FROM t ORDER BY id")
        );
    }
    let error = e
        .import(
            "t",
            Format::Ndjson,
            &mut &b"{\"id\":5}\n{\"id\":6,\"id\":7}\n"[..],
            &mut |_, _| {},
        )
        .unwrap_err();
    assert!(error.to_string().starts_with("line 2:"), "{error}");
}

#[test]
fn a_declared_collection_refuses_what_does_not_fit() {
    let e = engine();
    let schema = serde_json::json!({"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}, "age": {"type": ["integer", "null"]}}});
    e.declare_schema("people", &schema).unwrap();
    let insert = |text| {
        e.insert("people", &[doc(text)], Durability::Durable)
            .map(|_| ())
            .map_err(|e| e.to_string())
    };
    assert_eq!(insert(r#"{"name":"ada","age":36,"more":[1]}"#), Ok(()));
    assert_eq!(
        insert(r#"{"age":36}"#),
        Err("the field \"name\" is required".to_owned())
    );
    assert_eq!(
        insert(r#"{"name":"bob","age":"old"}"#),
        Err("the field \"age\" is declared as integer and this is text".to_owned())
    );
    assert!(e.query("UPDATE people SET name = NULL", &[]).is_err());
    assert_eq!(rows(&e, "SELECT name, age FROM people"), ["ada|36"]);
}
