//! Which indexes could help a query.

use crate::seen::{Query, Seen};

const MOST_FIELDS: usize = 3;

/// Lists of fields: equalities first, the most selective before the others, then one range or the order; and every
/// prefix, because a shorter index is cheaper and helps more queries.
pub(crate) fn candidates<'q>(seen: &Seen, query: &'q Query) -> Vec<Vec<String>> {
    let is_field = |path: &str| !path.contains("[]") && !path.split('.').any(|part| part == "*");
    let distinct = |path: &str| seen.distinct(&query.collection, path).unwrap_or(1.0);
    let mut equal: Vec<&'q str> = (query.predicates.iter())
        .filter(|p| matches!(p.op.as_str(), "equal" | "in") && is_field(&p.path))
        // One value for all rows narrows nothing.
        .filter(|p| distinct(&p.path) > 1.0)
        .map(|p| p.path.as_str())
        .collect();
    equal.sort_by(|one, other| {
        distinct(other)
            .total_cmp(&distinct(one))
            .then(one.cmp(other))
    });
    equal.dedup();
    let range = (query.predicates.iter())
        .find(|p| matches!(p.op.as_str(), "range" | "prefix") && is_field(&p.path))
        .map(|p| p.path.as_str());
    let order: Vec<&str> = (query.order.iter())
        .map(|order| order.path.as_str())
        .collect();

    let mut found: Vec<Vec<String>> = Vec::new();
    let mut add = |fields: &[&str]| {
        for length in 1..=fields.len().min(MOST_FIELDS) {
            let prefix: Vec<String> = fields[..length].iter().map(ToString::to_string).collect();
            if !found.contains(&prefix) {
                found.push(prefix);
            }
        }
    };
    let with = |tail: &[&'q str]| {
        let tail = tail
            .iter()
            .filter(|path| is_field(path) && !equal.contains(path));
        equal.iter().chain(tail).copied().collect::<Vec<&'q str>>()
    };
    add(&equal);
    if let Some(range) = range {
        add(&with(&[range]));
    }
    if query.group_by.is_empty() && !order.is_empty() {
        add(&with(&order));
    }
    found
}
