use super::*;

const DAY_MS: u64 = 86_400_000;
/// 2026-11-23 22:30 UTC.
const NOW: u64 = 1_795_473_000_000;

fn limit(scope: Scope, period: Period, limit_micro: u64) -> BudgetLimit {
    BudgetLimit {
        scope,
        id: None,
        period,
        limit_micro,
    }
}

fn rules(limits: Vec<BudgetLimit>) -> BudgetRules {
    BudgetRules {
        currency: "EUR".into(),
        utc_offset_minutes: 60,
        limits,
    }
}

fn id(attempt: u32) -> ReservationId {
    ReservationId {
        request: Uuid::nil(),
        attempt,
    }
}

fn payer(actor: &str) -> Payer {
    Payer {
        actor: actor.into(),
        teams: vec!["support".into(), "support".into()],
        protocol: Some("refunds".into()),
    }
}

fn over(result: Result<(), ReserveError>) -> OverBudget {
    match result {
        Err(ReserveError::Over(over)) => *over,
        other => panic!("{other:?}"),
    }
}

fn spent(budgets: &Budgets, scope: Scope, period: Period, id: &str) -> (u64, u64) {
    let account = AccountId {
        scope,
        period,
        id: id.into(),
    };
    let row = budgets.account(&account, NOW);
    (row.spent_micro, row.reserved_micro)
}

#[test]
fn an_over_budget_error_names_the_budget_what_is_left_and_when_it_resets() {
    let budgets = Budgets::new(rules(vec![
        limit(Scope::Actor, Period::Hour, 1_000_000),
        limit(Scope::Company, Period::Month, 3_000_000),
    ]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    budgets.reserve(id(0), &ada, &m, 900_000, NOW).unwrap();
    budgets.settle(id(0), 400_000).unwrap();
    budgets.reserve(id(1), &ada, &m, 300_000, NOW).unwrap();
    let hour = over(budgets.reserve(id(2), &ada, &m, 500_000, NOW));
    insta::assert_snapshot!(hour);
    let bob = payer("person:bob");
    let month = over(budgets.reserve(id(2), &bob, &m, 2_500_000, NOW));
    insta::assert_snapshot!(month);
    assert_eq!(month.resets_at_ms % 3_600_000, 0);
}

#[test]
fn a_reservation_is_taken_from_every_budget_or_from_none() {
    let budgets = Budgets::new(rules(vec![
        limit(Scope::Team, Period::Day, 100),
        limit(Scope::Model, Period::Day, 50),
    ]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    assert_eq!(
        over(budgets.reserve(id(0), &ada, &m, 60, NOW)).scope,
        Scope::Model
    );
    assert_eq!(spent(&budgets, Scope::Team, Period::Day, "support"), (0, 0));
    budgets.reserve(id(0), &ada, &m, 40, NOW).unwrap();
    assert_eq!(
        spent(&budgets, Scope::Team, Period::Day, "support"),
        (0, 40)
    );
    assert_eq!(spent(&budgets, Scope::Model, Period::Day, "m"), (0, 40));
    assert_eq!(
        spent(&budgets, Scope::Actor, Period::Day, "person:ada"),
        (0, 40)
    );
}

#[test]
fn a_reservation_is_settled_once() {
    let budgets = Budgets::new(rules(vec![]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    budgets.reserve(id(0), &ada, &m, 40, NOW).unwrap();
    assert_eq!(
        budgets.reserve(id(0), &ada, &m, 1, NOW),
        Err(ReserveError::Twice(id(0)))
    );
    let rows = budgets.settle_with(id(0), 30, <[_]>::to_vec).unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.spent_micro == 30));
    assert_eq!(budgets.settle(id(0), 30), Err(NotOpen(id(0))));
    assert_eq!(spent(&budgets, Scope::Company, Period::Day, ""), (30, 0));
}

#[test]
fn a_day_ends_at_midnight_on_the_companys_clock() {
    let budgets = Budgets::new(rules(vec![limit(Scope::Company, Period::Day, 10)]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    // 22:30 UTC is half past eleven at night there.
    budgets.reserve(id(0), &ada, &m, 10, NOW).unwrap();
    let full = over(budgets.reserve(id(1), &ada, &m, 1, NOW));
    assert_eq!(full.resets_at_ms - NOW, 30 * 60_000);
    let next = full.resets_at_ms;
    budgets.reserve(id(1), &ada, &m, 10, next).unwrap();
    // What was reserved yesterday is settled against yesterday.
    budgets.settle(id(0), 10).unwrap();
    let company = AccountId {
        scope: Scope::Company,
        period: Period::Day,
        id: "".into(),
    };
    let today = budgets.account(&company, next);
    assert_eq!((today.spent_micro, today.reserved_micro), (0, 10));
}

#[test]
fn what_is_free_is_granted_even_when_nothing_is_left() {
    let budgets = Budgets::new(rules(vec![limit(Scope::Company, Period::Day, 0)]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    assert!(budgets.reserve(id(0), &ada, &m, 0, NOW).is_ok());
    assert!(budgets.reserve(id(1), &ada, &m, 1, NOW).is_err());
}

#[test]
fn the_largest_amounts_there_are_add_up_exactly() {
    let budgets = Budgets::new(rules(vec![]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    for attempt in 0..3 {
        let micro = if attempt == 2 { 5 } else { u64::MAX };
        budgets.reserve(id(attempt), &ada, &m, micro, NOW).unwrap();
    }
    budgets.settle(id(0), 0).unwrap();
    budgets.settle(id(1), 7).unwrap();
    assert_eq!(spent(&budgets, Scope::Company, Period::Day, ""), (7, 5));
}

#[test]
fn a_snapshot_restores_what_was_spent_and_counts_what_was_open_as_spent() {
    let budgets = Budgets::new(rules(vec![]));
    let (ada, m) = (payer("person:ada"), Arc::from("m"));
    budgets.reserve(id(0), &ada, &m, 40, NOW).unwrap();
    budgets.reserve(id(1), &ada, &m, 9, NOW).unwrap();
    budgets.settle(id(1), 3).unwrap();
    let text = serde_json::to_string(&budgets.snapshot()).unwrap();
    let (restored, lost) = Budgets::restore(rules(vec![]), serde_json::from_str(&text).unwrap());
    assert_eq!(lost.len(), 1);
    assert_eq!((lost[0].id, lost[0].micro), (id(0), 40));
    assert_eq!(spent(&restored, Scope::Company, Period::Day, ""), (43, 0));
    assert_eq!(restored.snapshot().open, []);
}

#[test]
fn accounts_whose_day_is_over_are_thrown_away() {
    let budgets = Budgets::new(rules(vec![]));
    let m = Arc::from("m");
    for day in 0..5u32 {
        for actor in 0..2000 {
            let (id, at) = (id(day * 2000 + actor), NOW + u64::from(day) * DAY_MS);
            let actor = payer(&format!("person:{actor}"));
            budgets.reserve(id, &actor, &m, 1, at).unwrap();
            budgets.settle(id, 1).unwrap();
        }
    }
    assert!(budgets.snapshot().accounts.len() < 5000);
}
