//! Error rates of a trial: `canary_rates [trials]`.

use polity_simulate::rates::{Conditions, rates};

fn main() {
    let trials = std::env::args()
        .nth(1)
        .and_then(|n| n.parse().ok())
        .unwrap_or(5_000);
    println!("effect  sigma  drift   kept %  reverted %  within 60 runs %  runs");
    for effect in [3.0, 1.5, 1.15, 1.1, 1.0, 0.8, 0.7, 0.6, 0.5, 0.1] {
        for (sigma, drift) in [(0.3, 0.3), (0.6, 0.0), (0.6, 0.6)] {
            let found = rates(
                Conditions {
                    effect,
                    sigma,
                    drift,
                },
                trials,
                2_026,
            );
            println!(
                "{effect:>6.2} {sigma:>6.1} {drift:>6.1} {:>8.2} {:>11.2} {:>17.2} {:>5.0}",
                100.0 * found.kept,
                100.0 * found.reverted,
                100.0 * found.reverted_in_60,
                found.runs,
            );
        }
    }
}
