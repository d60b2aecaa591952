//! A query as the engine tells of it, and as the watch remembers it.
//!
//! The engine speaks of one statement over several collections; the watch of one question to one collection. A join is
//! therefore one shape for each side, and none of them is exact: an aggregate kept for one side would not answer it.

use polity_engine::{FieldPath, QueryShape};
use polity_watch::{Fingerprint, Op, Order, Predicate, Shape, escape, join};

/// More columns than this are no choice of columns.
const MAX_RETURNED: usize = 24;

/// The shapes of a query, one for each collection, with their fingerprints. `text` is the query without its literals.
pub(crate) fn shapes(query: &QueryShape, text: &str) -> Vec<(Shape, Fingerprint)> {
    let mut collections = query.collections.clone();
    collections.sort();
    collections.dedup();
    let joined = query.collections.len() > 1;
    let shape = |collection: String| {
        let of = |(owner, field): &(String, String)| (*owner == collection).then(|| path(field));
        let mut shape = Shape::select(collection.clone());
        shape.predicates = query
            .predicates
            .iter()
            .filter(|predicate| predicate.collection == collection)
            .map(|predicate| Predicate {
                path: path(&predicate.field),
                op: op(&predicate.op),
            })
            .collect();
        shape.group_by = query.group_by.iter().filter_map(of).collect();
        // The engine does not say whose field an aggregate or an order of a join is.
        if !joined {
            shape.aggregates = query.aggregates.iter().map(aggregate).collect();
            shape.order = query.order_by.iter().map(order).collect();
        }
        // With a star nothing was asked for by name.
        if query.aggregates.is_empty() && !text.contains('*') {
            let returned: Vec<String> = query.fields.iter().filter_map(of).collect();
            if returned.len() <= MAX_RETURNED {
                shape.returns = returned;
            }
        }
        shape.inexact = query.inexact || joined;
        let fingerprint = shape.fingerprint();
        (shape, fingerprint)
    };
    collections.into_iter().map(shape).collect()
}

/// A column of the engine as a dotted path: a field, or a value inside of one.
pub(crate) fn path(column: &str) -> String {
    match FieldPath::parse(column) {
        None => escape(column),
        Some(inside) => inside
            .keys
            .iter()
            .fold(escape(&inside.root), |path, key| join(&path, key)),
    }
}

fn op(symbol: &str) -> Op {
    match symbol {
        "=" => Op::Equal,
        "<" | "<=" | ">" | ">=" => Op::Range,
        "is null" => Op::IsNull,
        // Whether a pattern begins with its text is in the literal, which nobody keeps.
        _ => Op::Other,
    }
}

fn aggregate((function, field): &(String, Option<String>)) -> String {
    match field {
        Some(field) => format!("{function}({})", path(field)),
        None => format!("{function}(*)"),
    }
}

fn order((field, descending): &(String, bool)) -> Order {
    Order {
        path: path(field),
        descending: *descending,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(collection: &str, field: &str) -> (String, String) {
        (collection.to_owned(), field.to_owned())
    }

    #[test]
    fn a_join_is_one_shape_for_each_side_and_none_is_exact() {
        let query = QueryShape {
            collections: vec!["orders".into(), "customers".into()],
            fields: vec![field("orders", "total"), field("customers", "name")],
            ..QueryShape::default()
        };
        let shapes = shapes(&query, "select total, name from …");
        let names: Vec<_> = shapes.iter().map(|(s, _)| s.collection.as_str()).collect();
        assert_eq!(names, ["customers", "orders"]);
        assert!(shapes.iter().all(|(shape, _)| shape.inexact));
        assert_eq!(shapes[0].0.returns, ["name"]);
    }

    #[test]
    fn a_value_inside_of_a_field_is_a_path() {
        assert_eq!(path("total"), "total");
        assert_eq!(path("a.b"), "a\\.b");
        assert_eq!(
            path("data->'cus.tomer'->>'e''mail'"),
            "data.cus\\.tomer.e'mail"
        );
        assert_eq!(path("a->b"), "a->b", "a field may have any name");
    }

    #[test]
    fn a_key_with_a_dot_is_one_segment_of_a_path() {
        let query = QueryShape {
            collections: vec!["t".into()],
            aggregates: vec![("sum".into(), Some("a.b".into())), ("count".into(), None)],
            ..QueryShape::default()
        };
        let (shape, _) = &shapes(&query, "")[0];
        assert_eq!(shape.aggregates, ["sum(a\\.b)", "count(*)"]);
    }
}
