//! Loads that make a careless system build and drop for ever.
//!
//! In units of one query that scans: building costs 50, upkeep 0.15 a step, a step is one query, and two queries want
//! one index each. Ten simulated queries make a step and 30 steps a day, so that 6,000 steps are 200 days.

use polity_watch::{Op, Shape};

use crate::workload::{CollectionLoad, FieldLoad, Machine, Phase, QueryLoad, Workload};

const ROWS: u64 = 1_000;
const CALLS_PER_STEP: f64 = 10.0;
const STEPS_PER_DAY: f64 = 30.0;
const BUILD_STEPS: f64 = 50.0;
const UPKEEP_STEPS: f64 = 0.15;

/// A load by name.
pub fn load(name: &str, seed: u64) -> Option<Workload> {
    let rate = CALLS_PER_STEP * STEPS_PER_DAY;
    let phase = |calls_per_day: f64| Phase {
        from_day: 0.0,
        to_day: f64::MAX,
        calls_per_day,
        every_other_days: None,
    };
    let swing = |steps: f64| {
        let days = steps / STEPS_PER_DAY;
        let on = Phase {
            every_other_days: Some(days),
            ..phase(rate)
        };
        [
            vec![on],
            vec![Phase {
                from_day: days,
                ..on
            }],
        ]
    };
    let [a, b] = match name {
        "alternating each 60" => swing(60.0),
        "alternating each 600" => swing(600.0),
        "stable 70/30" => [vec![phase(0.7 * rate)], vec![phase(0.3 * rate)]],
        "one burst of 45" => {
            let days = 45.0 / STEPS_PER_DAY;
            // After the first day, in which nothing is ever changed.
            let burst = Phase {
                from_day: 2.0,
                to_day: 2.0 + days,
                ..phase(rate)
            };
            [vec![burst], Vec::new()]
        }
        "alternating each 7 (daily)" => swing(7.0),
        "a burst of 70 each 900" => {
            let burst = |start: f64| -> Vec<Phase> {
                (0..6)
                    .map(|n| start + f64::from(n) * 900.0)
                    .map(|from| Phase {
                        from_day: from / STEPS_PER_DAY,
                        to_day: (from + 70.0) / STEPS_PER_DAY,
                        ..phase(rate)
                    })
                    .collect()
            };
            [burst(60.0), burst(500.0)]
        }
        _ => return None,
    };
    Some(workload(a, b, seed))
}

/// The names of all loads. The last is made against the rule itself: each burst is just long enough to be built for.
pub const LOADS: [&str; 6] = [
    "alternating each 60",
    "alternating each 600",
    "stable 70/30",
    "one burst of 45",
    "alternating each 7 (daily)",
    "a burst of 70 each 900",
];

fn workload(a: Vec<Phase>, b: Vec<Phase>, seed: u64) -> Workload {
    let machine = Machine::default();
    let scan = machine.scan * ROWS as f64;
    let step = scan * CALLS_PER_STEP;
    let field = |path: &str| FieldLoad {
        path: path.to_owned(),
        distinct: ROWS,
        kind: "integer".to_owned(),
        share: 1.0,
        from_day: 0,
        to_day: u32::MAX,
    };
    let query = |path: &str, phases| QueryLoad {
        shape: Shape::select("t").filter(path, Op::Equal),
        phases,
        index_truth: 1.0,
    };
    Workload {
        days: 200,
        seed,
        collections: vec![CollectionLoad {
            name: "t".to_owned(),
            rows: ROWS,
            row_bytes: 200,
            writes_per_day: UPKEEP_STEPS * step / machine.upkeep * STEPS_PER_DAY,
            fields: vec![field("a"), field("b")],
        }],
        queries: vec![query("a", a), query("b", b)],
        machine: Machine {
            build: BUILD_STEPS * step / ROWS as f64,
            ..machine
        },
    }
}
