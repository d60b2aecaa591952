//! From observations to proposals.

use std::collections::BTreeMap;

use polity_sdk::strategy::{Index, Mutation, Proposal};
use serde_json::json;

use crate::candidates::candidates;
use crate::config::Config;
use crate::cost::Cost;
use crate::give_up::give_up;
use crate::planner::Planner;
use crate::seen::{Collection, Query, Seen};
use crate::sums::sums;

/// Queries that are looked at, those that cost most. The rest costs little even together.
const TEMPLATES: usize = 25;
/// A silence this many times as long as the usual one: at a steady rate its chance is e^-10, so the load has gone.
const SILENCE: f64 = 10.0;
/// What is left to gain below this share of all cost is not worth a build.
const LEAST_SHARE: f64 = 0.03;

/// Candidates for the next index that the planner is asked about: the best by this plugin's own model.
const ASKED: usize = 8;

/// Proposes, best first. The planner has the last word on what an index would do, where there is one to ask.
pub fn propose(config: &Config, at_ms: u64, seen: &Seen, planner: &dyn Planner) -> Vec<Proposal> {
    let cost = Cost::of(seen);
    let hot = hot(config, at_ms, seen);
    let mut proposals = sums(config, at_ms, seen, &cost, &hot);
    for collection in &seen.collections {
        proposals.extend(indexes(
            config, at_ms, seen, &cost, collection, &hot, planner,
        ));
    }
    proposals
        .sort_by_key(|proposal| -(proposal.benefit_us_per_day - proposal.write_cost_us_per_day));
    proposals.truncate(config.proposals);
    proposals.extend(give_up(at_ms, seen, &cost));
    proposals
}

/// The queries that are hot or heavy, the most wasteful first.
fn hot<'a>(config: &Config, at_ms: u64, seen: &'a Seen) -> Vec<&'a Query> {
    let waste = |query: &Query| {
        query.calls_per_day * (query.examined_per_call - query.returned_per_call).max(0.0)
    };
    let mut hot: Vec<&Query> = (seen.queries.iter())
        .filter(|query| {
            query.calls_per_day >= config.calls_per_day
                || query.examined_share >= config.examined_share
                    && query.calls_per_day >= config.heavy_calls_per_day
        })
        .filter(|query| waste(query) > 0.0 && is_live(query, at_ms))
        .collect();
    hot.sort_by(|one, other| {
        waste(other)
            .total_cmp(&waste(one))
            .then(one.id.cmp(&other.id))
    });
    hot.truncate(TEMPLATES);
    hot
}

/// Whether it is still asked. A rate of late says nothing of this hour, and what is built for a load that has just gone
/// is built for nothing.
fn is_live(query: &Query, at_ms: u64) -> bool {
    let usual_gap_ms = 86_400_000.0 / query.calls_per_day;
    at_ms.saturating_sub(query.last_ms) as f64 <= SILENCE * usual_gap_ms
}

/// Adds the index that gains most, as long as one gains enough.
fn indexes(
    config: &Config,
    at_ms: u64,
    seen: &Seen,
    cost: &Cost,
    collection: &Collection,
    hot: &[&Query],
    planner: &dyn Planner,
) -> Vec<Proposal> {
    let queries: Vec<&Query> = (hot.iter().copied())
        .filter(|query| query.collection == collection.collection)
        .collect();
    let mut best: Vec<f64> = queries.iter().map(|query| cost.now(query)).collect();
    let all: f64 = queries
        .iter()
        .zip(&best)
        .map(|(query, us)| query.calls_per_day * us)
        .sum();
    let mut found: BTreeMap<Vec<String>, ()> = BTreeMap::new();
    for query in &queries {
        found.extend(
            candidates(seen, query)
                .into_iter()
                .map(|fields| (fields, ())),
        );
    }
    let room = config.indexes.saturating_sub(collection.indexes.len());
    let writes = cost.writes(collection.writes_per_day);
    let mut proposals = Vec::new();
    let mut chosen: Vec<Vec<String>> = Vec::new();
    while proposals.len() < room {
        let mut open: Vec<(Gain, &Vec<String>)> = (found.keys())
            .filter(|fields| is_open(seen, collection, fields, at_ms))
            .map(|fields| {
                let then = |query: &Query| cost.through(seen, query, fields);
                (gain(&queries, &best, then), fields)
            })
            .collect();
        open.sort_by(|(one, a), (other, b)| other.us.total_cmp(&one.us).then(a.cmp(b)));
        open.truncate(ASKED);
        let choice = (open.into_iter())
            .map(|(guess, fields)| {
                let mut all = chosen.clone();
                all.push(fields.clone());
                match planner.ask(&collection.collection, &all) {
                    None => (guess, fields, None),
                    Some(told) => {
                        let then = |query: &Query| told.then(query, cost.now(query));
                        (gain(&queries, &best, then), fields, Some(told))
                    }
                }
            })
            .max_by(|(one, a, _), (other, b, _)| one.us.total_cmp(&other.us).then(b.cmp(a)));
        let Some((gain, fields, told)) = choice else {
            break;
        };
        let fields = fields.clone();
        let bytes = storage(seen, collection, &fields);
        let allowed = collection.rows as f64 * collection.row_bytes as f64 * config.storage_share;
        if gain.us - writes < LEAST_SHARE * all || gain.us <= writes || gain.most < config.gain {
            break;
        }
        found.remove(&fields);
        // A small collection may have an index that is large beside it.
        if bytes > allowed.max(1_048_576.0) {
            continue;
        }
        for (query, best) in queries.iter().zip(&mut best) {
            let then = match &told {
                Some(told) => told.then(query, cost.now(query)),
                None => cost.through(seen, query, &fields),
            };
            *best = best.min(then.unwrap_or(*best));
        }
        chosen.push(fields.clone());
        let is_planned = told.is_some();
        proposals.push(proposal(
            collection, fields, &gain, writes, bytes, is_planned,
        ));
    }
    proposals
}

/// What an index gains over what there is.
struct Gain {
    /// Microseconds a day.
    us: f64,
    /// The largest share of a call that is saved.
    most: f64,
    calls_per_day: f64,
    queries: Vec<String>,
}

fn gain(queries: &[&Query], best: &[f64], then: impl Fn(&Query) -> Option<f64>) -> Gain {
    let mut gain = Gain {
        us: 0.0,
        most: 0.0,
        calls_per_day: 0.0,
        queries: Vec::new(),
    };
    for (query, now) in queries.iter().zip(best) {
        let then = then(query).unwrap_or(*now);
        if then < *now {
            gain.us += query.calls_per_day * (now - then);
            gain.most = gain.most.max(1.0 - then / now);
            gain.calls_per_day += query.calls_per_day;
            gain.queries.push(query.id.clone());
        }
    }
    gain
}

/// Whether an index is neither there, nor the beginning of one that is, nor at rest.
fn is_open(seen: &Seen, collection: &Collection, fields: &[String], at_ms: u64) -> bool {
    let covered = |index: &crate::seen::Index| index.fields.starts_with(fields);
    !collection.indexes.iter().any(covered)
        && !seen.rests(&name(&collection.collection, fields), at_ms)
}

fn name(collection: &str, fields: &[String]) -> String {
    format!("{collection}({})", fields.join(", "))
}

fn storage(seen: &Seen, collection: &Collection, fields: &[String]) -> f64 {
    let key: f64 = fields
        .iter()
        .map(|path| seen.bytes(&collection.collection, path))
        .sum();
    // A document id and what the tree keeps for an entry.
    collection.rows as f64 * (key + 16.0)
}

fn proposal(
    collection: &Collection,
    fields: Vec<String>,
    gain: &Gain,
    writes: f64,
    bytes: f64,
    is_planned: bool,
) -> Proposal {
    Proposal {
        reason: format!(
            "{} is asked for {:.0} times a day by {}, and each call reads rows that an index would skip",
            collection.collection,
            gain.calls_per_day,
            fields.join(" and "),
        ),
        evidence: json!({
            "queries": gain.queries, "calls_per_day": gain.calls_per_day.round(),
            "gain_of_a_call": (gain.most * 100.0).round() / 100.0, "rows": collection.rows,
            "writes_per_day": collection.writes_per_day.round(),
            "by": if is_planned { "the planner" } else { "a model" },
        })
        .to_string(),
        benefit_us_per_day: gain.us as i64,
        write_cost_us_per_day: writes as i64,
        storage_bytes: bytes as u64,
        mutation: Mutation::CreateIndex(Index {
            collection: collection.collection.clone(),
            fields,
        }),
    }
}

#[cfg(test)]
mod tests {
    use polity_sdk::strategy::Rollup;
    use serde_json::Value;

    use super::*;
    use crate::planner::{Nobody, Told};

    fn seen(queries: Value, writes_per_day: f64) -> Seen {
        serde_json::from_value(json!({
            "collections": [{"collection": "orders", "rows": 100_000, "row_bytes": 200, "writes_per_day": writes_per_day}],
            "queries": queries,
            "fields": [
                {"collection": "orders", "path": "customer", "distinct": 5_000, "mean_bytes": 6.0},
                {"collection": "orders", "path": "state", "distinct": 4, "mean_bytes": 6.0},
                {"collection": "orders", "path": "date", "distinct": 700, "mean_bytes": 10.0},
                {"collection": "orders", "path": "one", "distinct": 1, "mean_bytes": 1.0},
            ],
        }))
        .unwrap()
    }

    fn query(predicates: &[(&str, &str)], calls_per_day: f64) -> Value {
        let predicates: Vec<Value> = predicates
            .iter()
            .map(|(path, op)| json!({"path": path, "op": op}))
            .collect();
        json!({
            "id": format!("{predicates:?}"), "collection": "orders", "predicates": predicates,
            "calls_per_day": calls_per_day, "examined_per_call": 100_000.0, "returned_per_call": 20.0,
            "us_per_call": 30_000.0, "last_ms": 0, "examined_share": 0.0,
        })
    }

    fn run(seen: &Seen) -> Vec<Mutation> {
        propose(&Config::default(), 0, seen, &Nobody)
            .into_iter()
            .map(|p| p.mutation)
            .collect()
    }

    fn index(fields: &[&str]) -> Mutation {
        Mutation::CreateIndex(Index {
            collection: "orders".into(),
            fields: fields.iter().map(ToString::to_string).collect(),
        })
    }

    #[test]
    fn a_thousand_calls_a_day_make_an_index_and_nine_hundred_do_not() {
        let asked = |calls| {
            run(&seen(
                json!([query(&[("customer", "equal")], calls)]),
                100.0,
            ))
        };
        assert_eq!(asked(1_000.0), [index(&["customer"])]);
        assert!(asked(900.0).is_empty());
    }

    #[test]
    fn few_calls_that_read_most_of_the_rows_make_one_too() {
        let mut heavy = query(&[("customer", "equal")], 60.0);
        heavy["examined_share"] = json!(0.4);
        assert_eq!(run(&seen(json!([heavy]), 0.0)), [index(&["customer"])]);
    }

    #[test]
    fn equalities_come_before_the_range_and_one_index_serves_two_queries() {
        let queries = json!([
            query(&[("date", "range"), ("state", "equal")], 5_000.0),
            query(&[("state", "equal")], 5_000.0),
        ]);
        assert_eq!(run(&seen(queries, 0.0))[0], index(&["state", "date"]));
    }

    #[test]
    fn what_narrows_nothing_or_cannot_be_looked_up_makes_none() {
        for predicates in [
            &[("one", "equal")][..],
            &[("customer", "other")],
            &[("unknown", "equal")],
        ] {
            assert!(
                run(&seen(json!([query(predicates, 9_000.0)]), 0.0)).is_empty(),
                "{predicates:?}"
            );
        }
    }

    #[test]
    fn a_collection_that_is_mostly_written_gets_none() {
        let queries = json!([query(&[("state", "equal")], 1_000.0)]);
        assert!(run(&seen(queries, 50_000_000.0)).is_empty());
    }

    #[test]
    fn what_is_there_or_rests_is_not_proposed() {
        let mut known = seen(json!([query(&[("customer", "equal")], 5_000.0)]), 0.0);
        let mut resting = known.clone();
        known.collections[0].indexes.push(crate::seen::Index {
            fields: vec!["customer".into(), "date".into()],
            origin: "person".into(),
            ..Default::default()
        });
        assert!(run(&known).is_empty());
        resting.history.push(crate::seen::Past {
            subject: "orders(customer)".into(),
            rests_until_ms: Some(10),
        });
        assert!(run(&resting).is_empty());
        assert_eq!(
            propose(&Config::default(), 10, &resting, &Nobody).len(),
            1,
            "rest ends"
        );
    }

    #[test]
    fn sums_over_groups_make_a_rollup_of_all_that_is_asked() {
        let mut one = query(&[], 2_000.0);
        one["group_by"] = json!(["state"]);
        one["aggregates"] = json!(["sum(total)"]);
        let mut other = one.clone();
        other["aggregates"] = json!(["count(*)"]);
        let rollup = Mutation::CreateRollup(Rollup {
            collection: "orders".into(),
            group_by: vec!["state".into()],
            aggregates: vec!["count(*)".into(), "sum(total)".into()],
        });
        assert_eq!(run(&seen(json!([one.clone(), other]), 100.0)), [rollup]);
        one["inexact"] = json!(true);
        assert!(run(&seen(json!([one.clone()]), 100.0)).is_empty());
        one["inexact"] = json!(false);
        one["group_by"] = json!(["customer", "date"]);
        assert!(
            run(&seen(json!([one]), 100.0)).is_empty(),
            "a group for every row"
        );
    }

    #[test]
    fn an_index_that_costs_more_than_it_saves_is_given_up_unless_a_person_made_it() {
        let mut known = seen(json!([]), 100_000.0);
        for (name, origin, uses) in [
            ("a", "evolved", 0.0),
            ("b", "person", 0.0),
            ("c", "evolved", 5_000.0),
        ] {
            known.collections[0].indexes.push(crate::seen::Index {
                name: name.into(),
                fields: vec![name.into()],
                origin: origin.into(),
                since_ms: Some(0),
                used: Some(crate::seen::Use { uses_per_day: uses }),
            });
        }
        let day = 2 * 86_400_000;
        let proposals = propose(&Config::default(), day, &known, &Nobody);
        assert_eq!(proposals.len(), 1);
        assert!(
            matches!(&proposals[0].mutation, Mutation::DropIndex(index) if index.fields == ["a"])
        );
        assert!(proposals[0].benefit_us_per_day > 1_000_000);
    }

    #[test]
    fn a_load_that_has_gone_is_not_built_for() {
        let known = seen(json!([query(&[("customer", "equal")], 1_000.0)]), 0.0);
        let gap = 86_400;
        assert_eq!(
            propose(&Config::default(), 9 * gap, &known, &Nobody).len(),
            1
        );
        assert!(propose(&Config::default(), 11 * gap, &known, &Nobody).is_empty());
    }

    /// A planner that finds an index of exactly one list of fields useful.
    struct Only(&'static [&'static str], std::cell::Cell<usize>);

    impl Planner for Only {
        fn ask(&self, _: &str, indexes: &[Vec<String>]) -> Option<Told> {
            self.1.set(self.1.get() + 1);
            let ratio = if indexes.iter().any(|fields| fields == self.0) {
                0.01
            } else {
                1.0
            };
            let queries = ["one", "other"].map(|id| (id.to_owned(), ratio));
            Some(Told::new(queries))
        }
    }

    #[test]
    fn the_planner_chooses_among_candidates() {
        let mut one = query(&[("customer", "equal"), ("date", "range")], 5_000.0);
        one["id"] = json!("one");
        let known = seen(json!([one]), 0.0);
        let ask = |planner: &Only| -> Vec<Mutation> {
            let proposals = propose(&Config::default(), 0, &known, planner);
            assert!(proposals.iter().all(|p| p.evidence.contains("the planner")));
            proposals.into_iter().map(|p| p.mutation).collect()
        };
        for fields in [&["customer"][..], &["customer", "date"]] {
            let planner = Only(fields.to_vec().leak(), std::cell::Cell::new(0));
            assert_eq!(ask(&planner), [index(fields)]);
            assert!(planner.1.get() <= 2 * ASKED, "it is asked about few");
        }
        let none = Only(&["nothing"], std::cell::Cell::new(0));
        assert!(ask(&none).is_empty(), "what the planner would not use");
    }

    #[test]
    fn nonsense_is_no_panic() {
        let mut odd = query(&[("customer", "equal")], f64::MAX);
        odd["us_per_call"] = json!(-1.0);
        odd["examined_per_call"] = json!(f64::MAX);
        run(&seen(json!([odd]), f64::MAX));
        assert!(run(&serde_json::from_str("{}").unwrap()).is_empty());
    }
}
