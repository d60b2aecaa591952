//! How long the searches for overlaps and gaps take: random decision trees of which one row in ten has been damaged, half of
//! the columns numbers and half categories. The best of several runs.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use polity_lint::{Limits, count_gaps, count_overlaps, diff, lint_table};
use polity_tables::DecisionTable;
use serde_json::{Value, json};

struct Random(u64);

impl Random {
    fn below(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below.max(1) as u64) as usize
    }
}

const SIZES: [usize; 2] = [100_000, 12];

/// Cuts the space at random into boxes; then moves a side of one row in ten.
fn table(rows: usize, columns: usize) -> Value {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut boxes = vec![
        (0..columns)
            .map(|at| (0, SIZES[at % 2]))
            .collect::<Vec<_>>(),
    ];
    while boxes.len() < rows {
        let (at, column) = (random.below(boxes.len()), random.below(columns));
        let (low, high) = boxes[at][column];
        if high - low < 2 {
            continue;
        }
        let cut = low + 1 + random.below(high - low - 1);
        let mut upper = boxes[at].clone();
        boxes[at][column].1 = cut;
        upper[column].0 = cut;
        boxes.push(upper);
    }
    for _ in 0..rows / 10 {
        let (at, column) = (random.below(rows), random.below(columns));
        let (low, high) = boxes[at][column];
        let size = SIZES[column % 2];
        boxes[at][column] = match random.below(2) {
            0 if high - low > 1 => (low + 1 + random.below(high - low - 1), high),
            _ => (low, (high + 1 + random.below(size / 4)).min(size)),
        };
    }
    let rules: Vec<Value> = boxes
        .iter()
        .map(|sides| {
            let cells: Vec<String> = sides
                .iter()
                .enumerate()
                .map(|(at, (low, high))| match at % 2 {
                    _ if *low == 0 && *high == SIZES[at % 2] => "-".to_owned(),
                    0 => format!("[{low}..{high})"),
                    _ => (*low..*high)
                        .map(|value| format!("\"v{value}\""))
                        .collect::<Vec<_>>()
                        .join(","),
                })
                .collect();
            json!({"inputEntries": cells, "outputEntries": [format!("\"o{}\"", random.below(5))]})
        })
        .collect();
    let inputs: Vec<Value> = (0..columns)
        .map(|at| match at % 2 {
            0 => json!({"name": format!("c{at}"), "typeRef": "number", "allowedValues": format!("[0..{})", SIZES[0])}),
            _ => json!({"name": format!("c{at}"), "typeRef": "string", "allowedValues": (0..SIZES[1]).map(|value| format!("v{value}")).collect::<Vec<_>>()}),
        })
        .collect();
    json!({"name": "bench", "inputs": inputs, "outputs": [{"name": "o", "typeRef": "string"}], "rules": rules})
}

fn best<T>(runs: usize, mut work: impl FnMut() -> T) -> Duration {
    (0..runs)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .min()
        .unwrap_or_default()
}

fn main() -> Result<(), Box<dyn Error>> {
    let limits = Limits::default();
    println!("rows x columns | overlaps | ms | gaps | ms | all checks, ms | one row amended, ms");
    for (rows, columns) in [(500, 3), (1_500, 3), (1_500, 7), (1_500, 15), (5_000, 10)] {
        let text = table(rows, columns).to_string();
        let table =
            DecisionTable::load("bench.json", &text).map_err(|problems| problems[0].to_string())?;
        let (overlaps, gaps) = (count_overlaps(&table, &limits), count_gaps(&table, &limits));
        let pairs = best(5, || count_overlaps(&table, &limits));
        let open = best(5, || count_gaps(&table, &limits));
        let all = best(2, || lint_table(&table, &limits));
        let mut amended: Value = serde_json::from_str(&text)?;
        amended["rules"][rows / 2]["outputEntries"][0] = json!("\"amended\"");
        let amended = DecisionTable::load("bench.json", &amended.to_string())
            .map_err(|problems| problems[0].to_string())?;
        let changed = diff(&table, &amended, &limits)?;
        if changed.changes.is_empty() || !changed.complete {
            return Err("the amendment was not found".into());
        }
        let compare = best(3, || diff(&table, &amended, &limits));
        println!(
            "{rows} x {columns} | {}{} | {:.1} | {}{} | {:.1} | {:.1} | {:.1}",
            overlaps.overlaps,
            if overlaps.complete { "" } else { "+" },
            pairs.as_secs_f64() * 1e3,
            gaps.gaps,
            if gaps.complete { "" } else { "+" },
            open.as_secs_f64() * 1e3,
            all.as_secs_f64() * 1e3,
            compare.as_secs_f64() * 1e3,
        );
    }
    Ok(())
}
