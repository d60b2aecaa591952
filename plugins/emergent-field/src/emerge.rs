//! From observations to proposals.

use std::collections::BTreeMap;

use polity_sdk::strategy::{Field as Declared, Mutation, Proposal};
use serde_json::{Value, json};

use crate::config::Config;
use crate::kinds::{common_type, family};
use crate::seen::{Field, Seen};
use crate::spelling::spellings;
use crate::widen::wider;

/// Proposes, best first: types that no longer fit, then what is asked for, then what is most common.
pub fn propose(config: &Config, at_ms: u64, seen: &Seen) -> Vec<Proposal> {
    let resting = seen.resting();
    let may = |subject: &str| resting.get(subject).is_none_or(|until| at_ms >= *until);
    let mut declared: BTreeMap<&str, usize> = BTreeMap::new();
    for field in seen.fields.iter().filter(|field| field.state == "declared") {
        *declared.entry(&field.collection).or_default() += 1;
    }

    let mut proposals: Vec<Proposal> = (seen.fields.iter())
        .filter(|field| field.state == "declared" && may(&field.subject()))
        .filter_map(|field| wider(config, field))
        .collect();
    let mut emerged: Vec<(&Field, Value)> = (seen.fields.iter())
        .filter(|field| matches!(field.state.as_str(), "emergent" | "") && may(&field.subject()))
        .filter_map(|field| Some((field, type_if_emerged(config, field)?)))
        .collect();
    emerged.sort_by(|(one, _), (other, _)| {
        (other.filters.cmp(&one.filters))
            .then(other.filled.cmp(&one.filled))
            .then(one.path.cmp(&other.path))
    });
    for (field, schema) in emerged {
        let count = declared.entry(&field.collection).or_default();
        if *count < config.fields {
            *count += 1;
            proposals.push(promote(field, &schema));
        }
    }
    proposals.extend(
        spellings(config, seen)
            .into_iter()
            .filter(|(subject, _)| may(subject))
            .map(|(_, p)| p),
    );
    proposals.truncate(config.proposals);
    proposals
}

/// The type of a field that has come to stay.
fn type_if_emerged(config: &Config, field: &Field) -> Option<Value> {
    let depth = field.path.split('.').count();
    if !field.is_one_place() || depth > config.depth {
        return None;
    }
    let scalar = field
        .kinds
        .iter()
        .find(|known| known.kind != "null")
        .is_some_and(|known| family(&known.kind).is_some());
    let asked_for = field.filters >= config.filters;
    let stays = field.filled >= config.docs
        && field.days >= config.days
        && field.share.max(field.recent_share) >= config.share;
    if !scalar || !(asked_for || stays) {
        return None;
    }
    common_type(&field.kinds, config.one_kind)
}

fn promote(field: &Field, schema: &Value) -> Proposal {
    Proposal {
        mutation: Mutation::PromoteField(Declared {
            collection: field.collection.clone(),
            path: field.path.clone(),
            schema: schema.to_string(),
        }),
        reason: format!(
            "{} arrives in {} documents of {} on {} days{}",
            field.path,
            field.filled,
            field.collection,
            field.days,
            if field.filters > 0 {
                format!(", and {} queries compare it", field.filters)
            } else {
                String::new()
            },
        ),
        evidence: evidence(field),
        benefit_us_per_day: 0,
        write_cost_us_per_day: 0,
        storage_bytes: 0,
    }
}

pub(crate) fn evidence(field: &Field) -> String {
    let kinds: BTreeMap<&str, u64> = field
        .kinds
        .iter()
        .map(|known| (known.kind.as_str(), known.count))
        .collect();
    json!({
        "docs": field.docs, "filled": field.filled, "days": field.days, "kinds": kinds, "filters": field.filters,
        "share": (field.share * 1_000.0).round() / 1_000.0,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(change: impl FnOnce(&mut Field)) -> Seen {
        let mut field: Field = serde_json::from_value(json!({
            "collection": "orders", "path": "note", "state": "emergent", "docs": 40, "filled": 40, "share": 0.2,
            "days": 4, "kinds": [{"kind": "text", "count": 40, "recent_share": 1.0, "days": 4}],
        }))
        .unwrap();
        change(&mut field);
        Seen {
            fields: vec![field],
            ..Seen::default()
        }
    }

    fn proposes(change: impl FnOnce(&mut Field)) -> bool {
        !propose(&Config::default(), 0, &field(change)).is_empty()
    }

    #[test]
    fn what_has_come_to_stay_is_declared() {
        let proposals = propose(&Config::default(), 0, &field(|_| {}));
        let Mutation::PromoteField(declared) = &proposals[0].mutation else {
            panic!("{proposals:?}")
        };
        assert_eq!(
            (declared.path.as_str(), declared.schema.as_str()),
            ("note", r#"{"type":"string"}"#)
        );
    }

    #[test]
    fn what_is_rare_new_mixed_or_without_end_is_not() {
        assert!(!proposes(|f| f.filled = 29));
        assert!(!proposes(|f| f.days = 2));
        assert!(!proposes(|f| f.share = 0.005));
        assert!(!proposes(|f| f.path = "lines[].sku".into()));
        assert!(!proposes(|f| f.path = "by_user.*".into()));
        assert!(!proposes(|f| f.path = "a.b.c.d.e.f.g.h.i".into()));
        assert!(!proposes(|f| f.kinds[0].kind = "object".into()));
        assert!(!proposes(|f| f.state = "archived".into()));
        assert!(
            proposes(|f| f.path = "2\\*3".into()),
            "a star in a name is a name"
        );
    }

    #[test]
    fn what_queries_compare_is_declared_at_once() {
        assert!(proposes(|f| (f.days, f.filled, f.filters) = (1, 3, 10)));
    }

    #[test]
    fn what_was_refused_is_not_asked_again_while_it_rests() {
        let mut seen = field(|_| {});
        seen.history.push(crate::seen::Past {
            subject: "orders.note".into(),
            rests_until_ms: Some(5),
        });
        assert!(propose(&Config::default(), 4, &seen).is_empty());
        assert_eq!(propose(&Config::default(), 5, &seen).len(), 1);
    }

    #[test]
    fn a_collection_has_no_more_columns_than_a_person_can_read_past() {
        let one = field(|_| {}).fields.remove(0);
        let fields = (0..3_000)
            .map(|n| Field {
                path: format!("f{n}"),
                ..one.clone()
            })
            .collect();
        let config = Config {
            fields: 100,
            proposals: 5_000,
            ..Config::default()
        };
        let seen = Seen {
            fields,
            ..Seen::default()
        };
        assert_eq!(propose(&config, 0, &seen).len(), 100);
    }

    #[test]
    fn a_declared_type_is_widened_when_data_has_outgrown_it() {
        let outgrown = |recent_share: f64, days: u32, kind: &str| {
            let seen = field(|f| {
                f.state = "declared".into();
                f.schema = Some(json!({"type": "integer"}));
                f.kinds[0].kind = "integer".into();
                f.kinds.push(crate::seen::KindCount {
                    kind: kind.into(),
                    count: 3,
                    recent_share,
                    days,
                });
            });
            let proposals = propose(&Config::default(), 0, &seen);
            proposals.first().map(|proposal| match &proposal.mutation {
                Mutation::WidenField(field) => field.schema.clone(),
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(
            outgrown(0.1, 3, "number").as_deref(),
            Some(r#"{"type":"number"}"#)
        );
        assert_eq!(
            outgrown(0.1, 3, "text").as_deref(),
            Some(r#"{"type":["integer","string"]}"#)
        );
        assert_eq!(
            outgrown(0.1, 3, "null").as_deref(),
            Some(r#"{"type":["integer","null"]}"#)
        );
        assert_eq!(outgrown(0.01, 3, "text"), None);
        assert_eq!(outgrown(0.1, 2, "text"), None);
    }

    #[test]
    fn one_field_under_two_spellings_is_pointed_out() {
        let mut seen = field(|f| (f.path, f.recent_share) = ("customer_id".into(), 0.7));
        let mut other = seen.fields[0].clone();
        (other.path, other.recent_share, other.filled) = ("customerId".into(), 0.3, 35);
        seen.fields.push(other);
        let aliases = |seen: &Seen| {
            (propose(&Config::default(), 0, seen).into_iter())
                .filter_map(|proposal| match proposal.mutation {
                    Mutation::AliasField(alias) => Some((alias.path, alias.alias)),
                    _ => None,
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(
            aliases(&seen),
            [("customer_id".to_owned(), "customerId".to_owned())]
        );
        seen.fields[1].recent_share = 0.9;
        assert!(
            aliases(&seen).is_empty(),
            "documents that have both mean two things"
        );
    }
}
