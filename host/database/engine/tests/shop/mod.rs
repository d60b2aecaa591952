//! What the tests of the engine share: a small shop, and rows as text.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::sync::Arc;

use polity_engine::{
    Aggregate, AggregateKind, Document, Durability, Engine, MemoryKv, Mutation, Options,
    QueryOptions, Value,
};

pub(crate) fn engine() -> Engine {
    Engine::open(Arc::new(MemoryKv::default()), Options::default()).unwrap()
}

pub(crate) fn doc(text: &str) -> Document {
    Document::parse(text.as_bytes()).unwrap()
}

pub(crate) fn rows(engine: &Engine, sql: &str) -> Vec<String> {
    show(
        engine
            .query(sql, &[])
            .unwrap_or_else(|e| panic!("{sql}: {e}"))
            .rows,
    )
}

pub(crate) fn show(rows: Vec<Vec<Value>>) -> Vec<String> {
    rows.iter()
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
        .collect()
}

pub(crate) fn index(collection: &str, name: &str, fields: &[&str]) -> Mutation {
    Mutation::CreateIndex {
        collection: collection.to_owned(),
        name: name.to_owned(),
        fields: fields.iter().map(|f| (*f).to_owned()).collect(),
    }
}

pub(crate) fn rollup(
    collection: &str,
    name: &str,
    group_by: &[&str],
    aggregates: &[(AggregateKind, &str)],
) -> Mutation {
    Mutation::CreateRollup {
        collection: collection.to_owned(),
        name: name.to_owned(),
        group_by: group_by.iter().map(|f| (*f).to_owned()).collect(),
        aggregates: aggregates
            .iter()
            .map(|(function, field)| Aggregate {
                function: *function,
                field: (*field).to_owned(),
            })
            .collect(),
    }
}

pub(crate) fn shop() -> Engine {
    let engine = engine();
    let orders = [
        r#"{"id":1,"customer":"ada","total":12.50,"qty":3,"paid":true}"#,
        r#"{"id":2,"customer":"bob","total":7,"qty":2,"paid":false}"#,
        r#"{"id":3,"customer":"ada","total":null,"qty":5,"note":"x"}"#,
        r#"{"id":4,"customer":"eve","total":30.25,"qty":null,"paid":true}"#,
    ];
    engine
        .insert("orders", &orders.map(doc), Durability::Durable)
        .unwrap();
    engine
        .insert(
            "people",
            &[
                doc(r#"{"id":"ada","city":"London"}"#),
                doc(r#"{"id":"bob","city":null}"#),
            ],
            Durability::Durable,
        )
        .unwrap();
    engine
}

pub(crate) fn same_with_and_without(e: &Engine, names: &[String], queries: &[&str]) {
    for sql in queries {
        let sorted = |options: &QueryOptions| {
            let mut rows = show(e.query_with(sql, &[], options).unwrap().rows);
            rows.sort();
            rows
        };
        let masked = QueryOptions {
            masked: names.to_vec(),
            ..QueryOptions::default()
        };
        assert_eq!(sorted(&QueryOptions::default()), sorted(&masked), "{sql}");
    }
}
