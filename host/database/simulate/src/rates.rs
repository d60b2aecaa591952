//! How often a trial is right, over thousands of trials with realistic noise.

use polity_evolve::{Canary, Decision, Sample, Trial};
use serde::Serialize;

use crate::noise::Noise;

/// What a trial is put through.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Conditions {
    /// Cost with the mutation, divided by cost without.
    pub effect: f64,
    /// Noise of a run: the deviation of its logarithm. One run in fifty is slower by far besides.
    pub sigma: f64,
    /// How far the load drifts: the deviation of a slow wave's logarithm.
    pub drift: f64,
}

/// What became of the trials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// Share that was kept.
    pub kept: f64,
    /// Share that was taken back.
    pub reverted: f64,
    /// Share that was taken back within 60 runs.
    pub reverted_in_60: f64,
    /// Runs of a trial, on average.
    pub runs: f64,
}

/// Runs trials until each is decided.
pub fn rates(conditions: Conditions, trials: u32, seed: u64) -> Rates {
    let mut noise = Noise::new(seed);
    let mut rates = Rates::default();
    for _ in 0..trials {
        let (decision, runs) = trial(conditions, &mut noise);
        let kept = decision == Decision::Keep;
        rates.kept += f64::from(u8::from(kept));
        rates.reverted += f64::from(u8::from(!kept));
        rates.reverted_in_60 += f64::from(u8::from(!kept && runs <= 60));
        rates.runs += f64::from(runs);
    }
    let all = f64::from(trials.max(1));
    for rate in [
        &mut rates.kept,
        &mut rates.reverted,
        &mut rates.reverted_in_60,
        &mut rates.runs,
    ] {
        *rate /= all;
    }
    rates
}

fn trial(conditions: Conditions, noise: &mut Noise) -> (Decision, u32) {
    let mut canary = Canary::new(Trial::Gain, noise.bits());
    // A wave of forty to two hundred runs, from anywhere on it.
    let (period, start) = (40.0 + 160.0 * noise.unit(), noise.unit());
    for run in 0..1_000_u32 {
        let wave = (std::f64::consts::TAU * (f64::from(run) / period + start)).sin();
        let load = (conditions.drift * std::f64::consts::SQRT_2 * wave).exp();
        let with = canary.deal(1);
        let effect = if with { conditions.effect } else { 1.0 };
        let cost = 10_000.0 * load * effect * noise.latency(conditions.sigma);
        match canary.add(Sample {
            template: 1,
            with,
            cost: cost as u64,
        }) {
            Decision::Continue => {}
            decision => return (decision, run + 1),
        }
    }
    (canary.conclude(), 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(effect: f64, sigma: f64, drift: f64) -> Rates {
        rates(
            Conditions {
                effect,
                sigma,
                drift,
            },
            1_500,
            11,
        )
    }

    #[test]
    fn harm_is_taken_back_within_sixty_runs_in_nineteen_of_twenty_cases() {
        for effect in [1.1, 1.15, 1.5, 3.0] {
            for (sigma, drift) in [(0.3, 0.6), (0.6, 0.0), (0.6, 0.6)] {
                let rates = at(effect, sigma, drift);
                assert!(
                    rates.reverted_in_60 >= 0.95,
                    "{effect} {sigma} {drift}: {rates:?}"
                );
            }
        }
    }

    #[test]
    fn good_mutations_are_taken_back_in_one_of_fifty_cases_at_most() {
        for (effect, sigma, drift) in [
            (0.5, 0.6, 0.6),
            (0.5, 0.6, 0.0),
            (0.1, 0.6, 0.6),
            (0.01, 1.0, 0.6),
            (0.75, 0.3, 0.3),
        ] {
            let rates = at(effect, sigma, drift);
            assert!(
                rates.reverted <= 0.02,
                "{effect} {sigma} {drift}: {rates:?}"
            );
        }
    }

    #[test]
    fn what_makes_no_difference_is_not_kept() {
        for drift in [0.0, 0.6] {
            let rates = at(1.0, 0.6, drift);
            assert!(rates.kept <= 0.02, "{drift}: {rates:?}");
        }
    }
}
