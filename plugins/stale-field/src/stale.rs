//! From observations to proposals.

use polity_sdk::strategy::{Field as Declared, Mutation, Proposal};
use serde_json::json;

use crate::config::Config;
use crate::seen::{Collection, Field, Past, Seen};

const DAY_MS: u64 = 86_400_000;

/// Proposes, best first: what is asked for again, then what was silent longest.
pub fn propose(config: &Config, at_ms: u64, seen: &Seen) -> Vec<Proposal> {
    let mut proposals: Vec<Proposal> = (seen.fields.iter())
        .filter(|field| field.state == "archived")
        .filter_map(|field| restore(field, seen, at_ms))
        .collect();
    let mut stale: Vec<(u64, Proposal)> = (seen.fields.iter())
        .filter(|field| field.state == "declared")
        .filter_map(|field| archive(config, field, seen, at_ms))
        .collect();
    stale.sort_by_key(|(silence, _)| std::cmp::Reverse(*silence));
    proposals.extend(stale.into_iter().map(|(_, proposal)| proposal));
    proposals.truncate(config.proposals);
    proposals
}

fn archive(config: &Config, field: &Field, seen: &Seen, at_ms: u64) -> Option<(u64, Proposal)> {
    let collection =
        (seen.collections.iter()).find(|known| known.collection == field.collection)?;
    let rests =
        past(seen, field).any(|past| past.rests_until_ms.is_some_and(|until| at_ms < until));
    if rests || is_needed(collection, &field.path) {
        return None;
    }
    let month = config.days.saturating_mul(DAY_MS);
    let times = past(seen, field)
        .filter(|past| past.kind == "archive-field" && past.outcome == "kept")
        .count();
    let wait = (month.max(field.longest_read_gap_ms.saturating_mul(config.gaps)))
        .saturating_mul(1 << times.min(20));
    // What was taken back into sight counts as used then.
    let restored = past(seen, field)
        .filter(|past| past.kind == "restore-field")
        .map(|past| past.at_ms)
        .max();
    let used = field
        .last_read_ms
        .max(restored)
        .unwrap_or(0)
        .max(field.first_ms);
    let silence = at_ms.saturating_sub(used);
    let unwritten = field
        .last_filled_ms
        .is_none_or(|last| at_ms.saturating_sub(last) >= month);
    // A memory that is younger than the wait cannot know how long the silence is.
    let watched = at_ms.saturating_sub(collection.first_ms);
    if silence < wait || watched < wait || !(unwritten || field.recent_share < config.share) {
        return None;
    }
    let days = silence / DAY_MS;
    let proposal = proposal(
        field,
        Mutation::ArchiveField(declared(field)),
        format!(
            "nobody has read {} of {} for {days} days, and hardly anybody writes it",
            field.path, field.collection
        ),
        silence,
    );
    Some((silence, proposal))
}

fn restore(field: &Field, seen: &Seen, at_ms: u64) -> Option<Proposal> {
    let archived = past(seen, field)
        .filter(|past| past.kind == "archive-field" && past.outcome == "kept")
        .map(|p| p.at_ms)
        .max()?;
    let rests =
        past(seen, field).any(|past| past.rests_until_ms.is_some_and(|until| at_ms < until));
    let read = field
        .last_read_ms
        .filter(|read| *read > archived && !rests)?;
    Some(proposal(
        field,
        Mutation::RestoreField(declared(field)),
        format!("{} of {} was read again", field.path, field.collection),
        at_ms.saturating_sub(read),
    ))
}

/// Whether something else of the schema rests on a field, or a person has said that it stays.
fn is_needed(collection: &Collection, path: &str) -> bool {
    let argument = format!("({path})");
    collection.protected.iter().any(|known| known == path)
        || collection
            .indexes
            .iter()
            .any(|index| index.fields.iter().any(|known| known == path))
        || collection.links.iter().any(|link| link.key == path)
        || collection.rollups.iter().any(|rollup| {
            rollup.group_by.iter().any(|known| known == path)
                || rollup
                    .aggregates
                    .iter()
                    .any(|text| text.ends_with(&argument))
        })
}

fn past<'a>(seen: &'a Seen, field: &Field) -> impl Iterator<Item = &'a Past> {
    let subject = format!("{}.{}", field.collection, field.path);
    seen.history
        .iter()
        .filter(move |past| past.subject == subject)
}

fn declared(field: &Field) -> Declared {
    Declared {
        collection: field.collection.clone(),
        path: field.path.clone(),
        schema: field
            .schema
            .as_ref()
            .map_or_else(|| "{}".to_owned(), ToString::to_string),
    }
}

fn proposal(field: &Field, mutation: Mutation, reason: String, silence_ms: u64) -> Proposal {
    Proposal {
        mutation,
        reason,
        evidence: json!({
            "reads": field.reads, "last_read_ms": field.last_read_ms, "last_filled_ms": field.last_filled_ms,
            "longest_read_gap_days": field.longest_read_gap_ms / DAY_MS, "silent_days": silence_ms / DAY_MS,
        })
        .to_string(),
        benefit_us_per_day: 0,
        write_cost_us_per_day: 0,
        storage_bytes: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 400 * DAY_MS;

    fn seen(change: impl FnOnce(&mut Seen)) -> Seen {
        let mut seen: Seen = serde_json::from_value(json!({
            "collections": [{"collection": "orders", "first_ms": 0, "written": 1_000}],
            "fields": [{
                "collection": "orders", "path": "fax", "state": "declared", "schema": {"type": "string"},
                "reads": 5, "last_read_ms": NOW - 40 * DAY_MS, "last_filled_ms": NOW - 50 * DAY_MS,
                "longest_read_gap_ms": 2 * DAY_MS,
            }],
        }))
        .unwrap();
        change(&mut seen);
        seen
    }

    fn proposals(change: impl FnOnce(&mut Seen)) -> usize {
        propose(&Config::default(), NOW, &seen(change)).len()
    }

    #[test]
    fn what_nobody_reads_or_writes_for_a_month_is_archived() {
        let proposals = propose(&Config::default(), NOW, &seen(|_| {}));
        assert!(
            matches!(&proposals[0].mutation, Mutation::ArchiveField(field) if field.path == "fax")
        );
    }

    #[test]
    fn what_is_read_written_young_or_needed_is_not() {
        assert_eq!(
            proposals(|s| s.fields[0].last_read_ms = Some(NOW - 29 * DAY_MS)),
            0
        );
        assert_eq!(
            proposals(|s| (s.fields[0].last_filled_ms, s.fields[0].recent_share) = (Some(NOW), 0.5)),
            0
        );
        assert_eq!(
            proposals(|s| (s.fields[0].last_read_ms, s.fields[0].first_ms) = (None, NOW - DAY_MS)),
            0
        );
        assert_eq!(
            proposals(|s| s.collections[0].first_ms = NOW - 20 * DAY_MS),
            0
        );
        assert_eq!(proposals(|s| s.fields[0].state = "emergent".into()), 0);
        assert_eq!(
            proposals(|s| s.collections[0].protected = vec!["fax".into()]),
            0
        );
        let rollup = crate::seen::Rollup {
            aggregates: vec!["max(fax)".into()],
            ..Default::default()
        };
        assert_eq!(proposals(|s| s.collections[0].rollups = vec![rollup]), 0);
    }

    #[test]
    fn what_is_read_once_a_quarter_waits_three_quarters() {
        let quarterly = |silence: u64| {
            proposals(|s| {
                s.fields[0].longest_read_gap_ms = 91 * DAY_MS;
                s.fields[0].last_read_ms = Some(NOW - silence * DAY_MS);
            })
        };
        assert_eq!((quarterly(92), quarterly(272), quarterly(274)), (0, 0, 1));
    }

    #[test]
    fn what_is_read_again_comes_back_and_waits_twice_as_long() {
        let archived = |at_ms: u64| Past {
            subject: "orders.fax".into(),
            kind: "archive-field".into(),
            outcome: "kept".into(),
            at_ms,
            ..Default::default()
        };
        let read_again = seen(|s| {
            s.fields[0].state = "archived".into();
            s.history.push(archived(NOW - 60 * DAY_MS));
        });
        let proposals_now = propose(&Config::default(), NOW, &read_again);
        assert!(matches!(
            &proposals_now[0].mutation,
            Mutation::RestoreField(_)
        ));
        assert_eq!(
            proposals(|s| {
                s.fields[0].state = "archived".into();
                s.history.push(archived(NOW - DAY_MS));
            }),
            0
        );
        assert_eq!(
            proposals(|s| s.history.push(archived(NOW - 300 * DAY_MS))),
            0,
            "40 days are not 60"
        );
    }
}
