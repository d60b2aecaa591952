//! Where indexes live: made from their rows while both fit into memory, in the store when they do not.

mod shop;

use std::sync::Arc;

use polity_engine::{
    Durability, Engine, EngineError, Fault, FaultyKv, KvStore, MemoryKv, Op, Options,
};
use shop::*;

const META: u32 = 0;
/// Rows are in tree 1, the only index of these tests in tree 2.
const INDEX: u32 = 2;
const QUERIES: [&str; 3] = [
    "SELECT id FROM t WHERE a = 3 ORDER BY id",
    "SELECT id, b FROM t WHERE a > 1 AND a < 5 ORDER BY id",
    "SELECT a FROM t WHERE a IS NULL",
];

fn open(kv: Arc<dyn KvStore>, memory: usize) -> Engine {
    let options = Options {
        memory,
        ..Options::default()
    };
    Engine::open(kv, options).unwrap()
}

fn fill(e: &Engine, from: i64, to: i64) {
    for id in from..=to {
        let text = format!(r#"{{"id":{id},"a":{},"b":"text {id}"}}"#, id % 7);
        e.insert("t", &[doc(&text)], Durability::Relaxed).unwrap();
    }
}

fn in_store(kv: &dyn KvStore, tree: u32) -> usize {
    kv.scan(tree, &[], None, false, usize::MAX).unwrap().len()
}

fn agrees(e: &Engine) {
    same_with_and_without(e, &["i".to_owned()], &QUERIES);
}

#[test]
fn an_index_that_fits_into_memory_costs_the_store_nothing_and_is_there_after_a_restart() {
    let kv = Arc::new(MemoryKv::default());
    {
        let e = open(kv.clone(), 64 << 20);
        fill(&e, 1, 300);
        e.apply(&index("t", "i", &["a"])).unwrap();
        fill(&e, 301, 400);
        e.query("UPDATE t SET a = NULL WHERE id = 10", &[]).unwrap();
        e.query("DELETE FROM t WHERE id = 3", &[]).unwrap();
        agrees(&e);
        e.flush().unwrap();
    }
    assert_eq!(in_store(&*kv, INDEX), 0);
    let e = open(kv.clone(), 64 << 20);
    // Written before anybody has read the index, and after.
    fill(&e, 401, 410);
    agrees(&e);
    fill(&e, 411, 420);
    agrees(&e);
    assert_eq!(rows(&e, "SELECT count(*) FROM t WHERE a = 3"), ["58"]);
}

#[test]
fn a_build_that_was_cut_off_goes_on_where_it_stopped() {
    let kv = Arc::new(MemoryKv::default());
    {
        let e = open(kv.clone(), 64 << 20);
        fill(&e, 1, 200);
        e.begin(&index("t", "i", &["a"])).unwrap();
        e.build_step("t", "i", 80).unwrap();
        fill(&e, 201, 210);
        e.query("UPDATE t SET a = 3 WHERE id = 20 OR id = 190", &[])
            .unwrap();
        e.flush().unwrap();
    }
    let e = open(kv, 64 << 20);
    e.query("UPDATE t SET a = 3 WHERE id = 21 OR id = 191", &[])
        .unwrap();
    while !e.build_step("t", "i", 30).unwrap().complete {}
    e.publish("t", "i", true).unwrap();
    agrees(&e);
}

#[test]
fn a_dropped_index_leaves_nothing_behind_and_can_be_made_again() {
    for memory in [64 << 20, 6_000] {
        let kv = Arc::new(MemoryKv::default());
        let e = open(kv.clone(), memory);
        fill(&e, 1, 200);
        let back = e.apply(&index("t", "i", &["a"])).unwrap();
        agrees(&e);
        let again = e.apply(&back).unwrap();
        e.flush().unwrap();
        assert_eq!(in_store(&*kv, INDEX), 0, "with {memory} bytes");
        let marks = kv.scan(META, b"stored/", Some(b"stored0"), false, 10);
        assert_eq!(marks.unwrap(), [], "with {memory} bytes");
        e.apply(&again).unwrap();
        agrees(&e);
    }
}

#[test]
fn an_index_that_outgrows_memory_moves_into_the_store_once() {
    let kv = Arc::new(MemoryKv::default());
    {
        let e = open(kv.clone(), 12_000);
        fill(&e, 1, 100);
        e.apply(&index("t", "i", &["a"])).unwrap();
        assert_eq!(in_store(&*kv, INDEX), 0);
        fill(&e, 101, 1_000);
        agrees(&e);
        e.flush().unwrap();
        assert_eq!(in_store(&*kv, INDEX), 1_000);
        e.query("DELETE FROM t WHERE a = 2", &[]).unwrap();
        agrees(&e);
    }
    // With more memory it stays where it is.
    let e = open(kv.clone(), 64 << 20);
    agrees(&e);
    fill(&e, 1_001, 1_010);
    e.flush().unwrap();
    assert_eq!(in_store(&*kv, INDEX) as u64, e.count("t").unwrap());
    agrees(&e);
}

#[test]
fn a_store_that_is_opened_with_less_memory_than_it_had_answers_the_same() {
    for memory in [0, 3_000, 20_000] {
        let kv = Arc::new(MemoryKv::default());
        {
            let e = open(kv.clone(), 64 << 20);
            fill(&e, 1, 500);
            e.apply(&index("t", "i", &["a"])).unwrap();
            e.flush().unwrap();
        }
        let e = open(kv, memory);
        agrees(&e);
        fill(&e, 501, 600);
        e.query("UPDATE t SET a = 3 WHERE id < 50", &[]).unwrap();
        agrees(&e);
    }
}

/// A life in which an index outgrows memory, now before its rows do and now after.
fn outgrow(kv: Arc<FaultyKv>, memory: usize) -> Result<(), EngineError> {
    let options = Options {
        memory,
        ..Options::default()
    };
    let e = Engine::open(kv, options)?;
    e.insert("t", &[doc(r#"{"id":0,"a":1,"b":""}"#)], Durability::Durable)?;
    e.apply(&index("t", "i", &["a"]))?;
    for id in 1..=60 {
        let text = format!(r#"{{"id":{id},"a":{},"b":"text {id}"}}"#, id % 7);
        e.insert("t", &[doc(&text)], Durability::Relaxed)?;
    }
    e.query("UPDATE t SET a = 3 WHERE a = 1", &[])?;
    e.insert("t", &[doc(r#"{"id":100,"a":3}"#)], Durability::Durable)?;
    Ok(())
}

#[test]
fn a_crash_at_every_write_of_a_move_leaves_an_index_that_agrees_with_its_rows() {
    for memory in (1_000..1_500).step_by(37) {
        let probe = Arc::new(FaultyKv::new([]));
        outgrow(probe.clone(), memory).unwrap();
        assert!(in_store(&*probe, INDEX) > 0, "it never moved");
        for at in 1..=probe.writes() {
            let kv = Arc::new(FaultyKv::new([Fault::CrashAt(at)]));
            let _ = outgrow(kv.clone(), memory);
            for survivors in [0, 1, usize::MAX] {
                for memory in [memory, 64 << 20] {
                    let e = open(Arc::new(kv.after_crash(survivors)), memory);
                    let known = e.catalogue().collections.get("t").cloned();
                    if known.is_none_or(|t| t.indexes.is_empty()) {
                        continue;
                    }
                    while !e.build_step("t", "i", 50).unwrap().complete {}
                    e.publish("t", "i", true).unwrap();
                    agrees(&e);
                    // Not one entry without its row: an index gives rows out by what it alone says, too.
                    let has = e.count("t").unwrap();
                    assert_eq!(
                        rows(&e, "SELECT count(a) FROM t WHERE a >= 0"),
                        [has.to_string()]
                    );
                }
            }
        }
    }
}

/// A store as format 1 left it: every index in the store, and no marks.
fn of_format_1() -> Arc<MemoryKv> {
    let kv = Arc::new(MemoryKv::default());
    {
        let e = open(kv.clone(), 0);
        fill(&e, 1, 300);
        e.apply(&index("t", "i", &["a"])).unwrap();
        agrees(&e);
        e.flush().unwrap();
    }
    assert_eq!(in_store(&*kv, INDEX), 300);
    let head = kv.get(META, b"head").unwrap().unwrap();
    let head = String::from_utf8(head).unwrap();
    let old = head.replace(r#""format":2"#, r#""format":1"#);
    assert_ne!(head, old);
    let mut ops: Vec<Op> = vec![(META, b"head".to_vec(), Some(old.into_bytes()))];
    let marks = kv.scan(META, b"stored/", Some(b"stored0"), false, 10);
    ops.extend(marks.unwrap().into_iter().map(|(key, _)| (META, key, None)));
    kv.apply(&ops).unwrap();
    kv
}

#[test]
fn a_store_of_the_format_before_opens_and_goes_on() {
    for memory in [0, 64 << 20] {
        let kv = of_format_1();
        for next in [301, 401] {
            let e = open(kv.clone(), memory);
            agrees(&e);
            fill(&e, next, next + 50);
            e.query("DELETE FROM t WHERE id = 7", &[]).unwrap();
            agrees(&e);
            e.flush().unwrap();
            assert_eq!(in_store(&*kv, INDEX) as u64, e.count("t").unwrap());
        }
    }
}

#[test]
fn a_store_of_a_format_to_come_is_refused() {
    let kv = of_format_1();
    let head = br#"{"format":3,"version":1,"next_tree":3}"#.to_vec();
    kv.apply(&[(META, b"head".to_vec(), Some(head))]).unwrap();
    let error = Engine::open(kv, Options::default()).err().unwrap();
    assert!(
        error.to_string().contains("the version that wrote it"),
        "{error}"
    );
}

#[test]
fn readers_get_whole_answers_while_indexes_come_and_go() {
    let e = open(Arc::new(MemoryKv::default()), 64 << 20);
    fill(&e, 1, 2_000);
    std::thread::scope(|scope| {
        let changing = scope.spawn(|| {
            for _ in 0..40 {
                let back = e.apply(&index("t", "i", &["a"])).unwrap();
                e.apply(&back).unwrap();
            }
        });
        while !changing.is_finished() {
            assert_eq!(rows(&e, "SELECT count(*) FROM t WHERE a = 3"), ["286"]);
        }
        changing.join().unwrap();
    });
}
