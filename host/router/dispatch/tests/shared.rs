//! What all requests share, used by many threads at once and in any order.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use polity_dispatch::budget::{
    AccountId, BudgetLimit, BudgetRules, Budgets, Payer, Period, ReservationId, ReserveError, Scope,
};
use polity_dispatch::{BreakerPolicy, BreakerState, Breakers, Verdict};
use proptest::prelude::*;
use uuid::Uuid;

const NOW: u64 = 1_795_000_000_000;

fn id(number: u64) -> ReservationId {
    ReservationId {
        request: Uuid::from_u128(number.into()),
        attempt: 0,
    }
}

fn rules(company: u64, actor: u64) -> BudgetRules {
    let limit = |scope, period, limit_micro| BudgetLimit {
        scope,
        id: None,
        period,
        limit_micro,
    };
    BudgetRules {
        limits: vec![
            limit(Scope::Company, Period::Day, company),
            limit(Scope::Actor, Period::Hour, actor),
        ],
        ..BudgetRules::default()
    }
}

fn payer(actor: u64) -> Payer {
    Payer {
        actor: format!("agent:{actor}").into(),
        ..Payer::default()
    }
}

fn account(scope: Scope, period: Period, id: &str) -> AccountId {
    AccountId {
        scope,
        period,
        id: id.into(),
    }
}

#[test]
fn threads_that_race_for_the_last_money_do_not_overspend() {
    let budgets = Budgets::new(rules(10_000, 1_000_000));
    let (granted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for thread in 0..8u64 {
            let (budgets, granted, refused) = (&budgets, &granted, &refused);
            scope.spawn(move || {
                let model = Arc::from("m");
                for call in 0..1000 {
                    let id = id(thread * 1000 + call);
                    match budgets.reserve(id, &payer(thread), &model, 70, NOW) {
                        Ok(()) => {
                            budgets.settle(id, 50).unwrap();
                            granted.fetch_add(1, Ordering::Relaxed);
                        }
                        Err(ReserveError::Over(_)) => drop(refused.fetch_add(1, Ordering::Relaxed)),
                        Err(other) => panic!("{other}"),
                    }
                }
            });
        }
    });
    let row = budgets.account(&account(Scope::Company, Period::Day, ""), NOW);
    assert_eq!(row.reserved_micro, 0);
    assert_eq!(row.spent_micro, granted.load(Ordering::Relaxed) * 50);
    // The last one that fits leaves less than a reservation; a race may leave one reservation a thread more.
    assert!(row.spent_micro <= 10_000 && row.spent_micro > 10_000 - 70 * 9);
    assert!(refused.load(Ordering::Relaxed) > 0);
}

#[test]
fn threads_that_share_a_breaker_open_it_once_and_close_it_once() {
    let breakers = Breakers::new(BreakerPolicy::default());
    let (plugin, model): (Arc<str>, Arc<str>) = ("p".into(), "m".into());
    let run = |at: u64, verdict: Verdict| {
        let events = parking_lot::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..500 {
                        let (permit, event) = breakers.admit(&plugin, &model, at, false);
                        events.lock().extend(event);
                        if let Ok(permit) = permit {
                            let event = breakers.record(&plugin, &model, permit, verdict, at);
                            events.lock().extend(event);
                        }
                    }
                });
            }
        });
        events
            .into_inner()
            .into_iter()
            .map(|event| event.to)
            .collect::<Vec<_>>()
    };
    assert_eq!(run(NOW, Verdict::Failure), [BreakerState::Open]);
    assert_eq!(
        run(NOW + 5_000, Verdict::Success),
        [BreakerState::HalfOpen, BreakerState::Closed]
    );
}

#[derive(Clone, Debug)]
enum Act {
    Reserve { actor: u64, micro: u64 },
    Settle { which: usize, permille: u64 },
    Pass(u64),
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        5 => (0u64..3, prop::sample::select(vec![0, 1, 40, 300, 5_000, u64::MAX]))
            .prop_map(|(actor, micro)| Act::Reserve { actor, micro }),
        4 => (any::<usize>(), 0u64..1_500).prop_map(|(which, permille)| Act::Settle { which, permille }),
        1 => (0u64..40_000_000).prop_map(Act::Pass),
        1 => Just(Act::Restart),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn no_interleaving_overspends_by_more_than_attempts_cost_beyond_their_estimates(
        acts in prop::collection::vec(act(), 1..120),
        company in 0u64..2_000,
        actor in 0u64..1_000,
    ) {
        let mut budgets = Budgets::new(rules(company, actor));
        let model: Arc<str> = "m".into();
        let (mut now, mut number) = (NOW, 0);
        let mut open: Vec<(ReservationId, u64)> = Vec::new();
        // By the day: what was charged beyond what was reserved.
        let mut beyond: HashMap<u64, u128> = HashMap::new();
        let mut made_on: HashMap<ReservationId, u64> = HashMap::new();
        for act in acts {
            match act {
                Act::Pass(ms) => now += ms,
                Act::Reserve { actor, micro } => {
                    number += 1;
                    if budgets.reserve(id(number), &payer(actor), &model, micro, now).is_ok() {
                        open.push((id(number), micro));
                        made_on.insert(id(number), now / 86_400_000);
                    }
                }
                Act::Settle { which, permille } if !open.is_empty() => {
                    let (id, micro) = open.swap_remove(which % open.len());
                    let spent = (u128::from(micro) * u128::from(permille) / 1000).min(u64::MAX.into()) as u64;
                    budgets.settle(id, spent).unwrap();
                    prop_assert!(budgets.settle(id, spent).is_err());
                    *beyond.entry(made_on[&id]).or_default() += u128::from(spent.saturating_sub(micro));
                }
                Act::Settle { .. } => {}
                Act::Restart => {
                    let (restored, lost) = Budgets::restore(rules(company, actor), budgets.snapshot());
                    prop_assert_eq!(lost.len(), open.len());
                    open.clear();
                    budgets = restored;
                }
            }
            let day = now / 86_400_000;
            let row = budgets.account(&account(Scope::Company, Period::Day, ""), now);
            let taken = u128::from(row.spent_micro) + u128::from(row.reserved_micro);
            let allowed = u128::from(company) + beyond.get(&day).copied().unwrap_or(0);
            prop_assert!(taken <= allowed, "{} > {}", taken, allowed);
            let reserved: u128 = open.iter()
                .filter(|(id, _)| made_on[id] == day)
                .map(|(_, micro)| u128::from(*micro)).sum();
            prop_assert_eq!(u128::from(row.reserved_micro), reserved);
        }
    }
}
