//! How long a decision takes: tables of several sizes, the best of several runs, reasons for the answer not included.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use polity_tables::DecisionTable;
use serde_json::{Value, json};

/// Splits the space of the inputs into boxes by cutting at random, so that exactly one row matches.
fn table(rows: usize, columns: usize) -> Value {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    let mut boxes = vec![vec![(0_usize, 10_000_usize); columns]];
    while boxes.len() < rows {
        let at = next(boxes.len());
        let column = next(columns);
        let (low, high) = boxes[at][column];
        if high - low < 2 {
            continue;
        }
        let cut = low + 1 + next(high - low - 1);
        let mut upper = boxes[at].clone();
        boxes[at][column].1 = cut;
        upper[column].0 = cut;
        boxes.push(upper);
    }
    let rules: Vec<Value> = boxes
        .iter()
        .enumerate()
        .map(|(row, sides)| {
            let cells: Vec<String> = sides
                .iter()
                .map(|(low, high)| match (low, high) {
                    (0, 10_000) => "-".to_owned(),
                    _ => format!("[{low}..{high})"),
                })
                .collect();
            json!({"inputEntries": cells, "outputEntries": [format!("\"r{row}\"")]})
        })
        .collect();
    let inputs: Vec<Value> = (0..columns)
        .map(|at| json!({"name": format!("c{at}"), "typeRef": "number"}))
        .collect();
    json!({"name": "bench", "inputs": inputs, "outputs": [{"name": "r", "typeRef": "string"}], "rules": rules})
}

fn main() -> Result<(), Box<dyn Error>> {
    println!("rows x columns | load | decide, best of 7 runs of 20,000");
    for (rows, columns) in [(10, 3), (50, 3), (50, 7), (500, 7), (1_500, 7), (5_000, 10)] {
        let text = table(rows, columns).to_string();
        let start = Instant::now();
        let table =
            DecisionTable::load("bench.json", &text).map_err(|problems| problems[0].to_string())?;
        let load = start.elapsed();
        let inputs: Vec<Value> = (0..256_usize)
            .map(|seed| {
                let fields = (0..columns).map(|at| {
                    (
                        format!("c{at}"),
                        json!((seed * 7919 + at * 104_729) % 10_000),
                    )
                });
                Value::Object(fields.collect())
            })
            .collect();
        for input in &inputs {
            let decision = table.decide(input)?;
            if decision.matched.len() != 1 {
                return Err(format!("{} rows match", decision.matched.len()).into());
            }
        }
        let best = (0..7)
            .map(|_| {
                let start = Instant::now();
                for round in 0..20_000 {
                    black_box(table.decide(black_box(&inputs[round % 256])).ok());
                }
                start.elapsed() / 20_000
            })
            .min()
            .unwrap_or_default();
        println!(
            "{rows} x {columns} | {:.1} ms | {} ns",
            load.as_secs_f64() * 1e3,
            best.as_nanos()
        );
    }
    Ok(())
}
