//! Loads that make a careless system build and drop for ever: `thrash`.

use polity_simulate::{run, thrash};

fn main() {
    println!("load                         builds   cost / doing nothing");
    for name in thrash::LOADS {
        for seed in [1, 2, 3] {
            let Some(workload) = thrash::load(name, seed) else {
                continue;
            };
            let report = run(&workload);
            println!("{name:<28} {:>6} {:>10.3}", report.builds, report.ratio());
            if std::env::args().any(|argument| argument == "--events") {
                println!("{report}");
            }
        }
    }
}
