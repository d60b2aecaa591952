//! What watching costs: microseconds a write and a query, `cost [rows]`.

use std::time::Instant;

use polity_watch::{Execution, Op, Shape, Watch};
use serde_json::{Map, Value, json};

fn main() {
    let rows = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(50_000_u64);
    for columns in [8_u64, 35] {
        let documents: Vec<Value> = (0..1_000_u64)
            .map(|n| {
                let field = |column: u64| {
                    let value = n.wrapping_mul(2_654_435_761).wrapping_add(column)
                        % (3 + column * column * 40);
                    let value = if column.is_multiple_of(3) {
                        json!(format!("Name {value}"))
                    } else {
                        json!(value)
                    };
                    (format!("column_{column}"), value)
                };
                Value::Object((0..columns).map(field).collect::<Map<_, _>>())
            })
            .collect();
        let mut watch = Watch::default();
        for (part, from, to) in [("first rows", 0, rows / 5), ("later rows", rows / 5, rows)] {
            let start = Instant::now();
            for n in from..to {
                watch.wrote("t", &documents[(n % 1_000) as usize], n * 100);
            }
            let us = start.elapsed().as_micros() as f64 / (to - from) as f64;
            println!("{columns} fields, {part}: {us:.2} us a write");
        }
        let shape = Shape::select("t")
            .filter("column_1", Op::Equal)
            .order_by("column_2");
        let run = Execution::of(&shape).examined(100).returned(1).took_us(30);
        let start = Instant::now();
        (0..rows).for_each(|n| watch.executed(&run, rows * 100 + n));
        println!(
            "{:.2} us a query",
            start.elapsed().as_micros() as f64 / rows as f64
        );
        let size = watch.snapshot().map_or(0, |bytes| bytes.len());
        println!("snapshot {} KiB", size / 1024);
    }
}
