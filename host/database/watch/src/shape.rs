//! A query without its literals. Two executions with one shape are the same question asked of other values.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::hash::hash;

/// How a field is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// `=`.
    Equal,
    /// `IN (…)`, of any length.
    In,
    /// `<`, `<=`, `>`, `>=`, `BETWEEN`.
    Range,
    /// `LIKE 'abc%'`.
    Prefix,
    /// `IS NULL`.
    IsNull,
    /// Anything that no index answers.
    Other,
}

/// One comparison.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Predicate {
    /// Dotted path.
    pub path: String,
    /// How it is compared.
    pub op: Op,
}

/// One field of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Order {
    /// Dotted path.
    pub path: String,
    /// From large to small.
    #[serde(default)]
    pub descending: bool,
}

/// What a query asks of one collection. A join is one shape for each side.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Which collection.
    pub collection: String,
    /// Comparisons that all have to hold.
    #[serde(default)]
    pub predicates: Vec<Predicate>,
    /// The order asked for.
    #[serde(default)]
    pub order: Vec<Order>,
    /// Paths it groups by.
    #[serde(default)]
    pub group_by: Vec<String>,
    /// SQL aggregates, for example `sum(amount)`.
    #[serde(default)]
    pub aggregates: Vec<String>,
    /// Paths that are returned; empty where that is not one by one, as in `SELECT *`.
    #[serde(default)]
    pub returns: Vec<String>,
    /// Whether it has a part that this shape does not say (a disjunction, an expression, a join): an aggregate kept
    /// for the shape alone would not answer it.
    #[serde(default)]
    pub inexact: bool,
}

/// The identity of a shape: 64 bits, written as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl Shape {
    /// Starts the shape of a read of a collection.
    pub fn select(collection: impl Into<String>) -> Self {
        Self {
            collection: collection.into(),
            ..Self::default()
        }
    }

    /// Adds a comparison.
    #[must_use]
    pub fn filter(mut self, path: impl Into<String>, op: Op) -> Self {
        let path = path.into();
        self.predicates.push(Predicate { path, op });
        self
    }

    /// Adds a field to the order, ascending.
    #[must_use]
    pub fn order_by(mut self, path: impl Into<String>) -> Self {
        self.order.push(Order {
            path: path.into(),
            descending: false,
        });
        self
    }

    /// Groups by paths and computes aggregates.
    #[must_use]
    pub fn group(mut self, by: &[&str], aggregates: &[&str]) -> Self {
        self.group_by = by.iter().map(ToString::to_string).collect();
        self.aggregates = aggregates.iter().map(ToString::to_string).collect();
        self
    }

    /// The same question in one way of writing it: comparisons, aggregates and returned paths in order and once, `IN`
    /// as equality with any of several. The orders of `order` and `group_by` stay; the first has a meaning, and the
    /// second's comes from sorting too, as groups have none.
    #[must_use]
    pub fn normalised(mut self) -> Self {
        self.predicates.sort();
        self.predicates.dedup();
        self.aggregates = self
            .aggregates
            .iter()
            .map(|aggregate| aggregate.split_whitespace().collect::<String>())
            .collect();
        for list in [&mut self.aggregates, &mut self.returns, &mut self.group_by] {
            list.sort();
            list.dedup();
        }
        self
    }

    /// The identity of the normalised shape. An engine keeps it with its plan.
    pub fn fingerprint(&self) -> Fingerprint {
        let shape = self.clone().normalised();
        // Lengths before parts: no two shapes run into the same bytes.
        let mut bytes = Vec::new();
        let mut part = |text: &str| {
            bytes.extend_from_slice(&(text.len() as u64).to_le_bytes());
            bytes.extend_from_slice(text.as_bytes());
        };
        part(&shape.collection);
        for predicate in &shape.predicates {
            part("where");
            part(&predicate.path);
            part(&format!("{:?}", predicate.op));
        }
        for order in &shape.order {
            part(if order.descending { "desc" } else { "asc" });
            part(&order.path);
        }
        for (name, list) in [
            ("group", &shape.group_by),
            ("aggregate", &shape.aggregates),
            ("return", &shape.returns),
        ] {
            part(name);
            list.iter().for_each(|path| part(path));
        }
        part(if shape.inexact { "inexact" } else { "exact" });
        Fingerprint(hash(&bytes))
    }

    /// Every path that the query reads by name.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.predicates
            .iter()
            .map(|predicate| predicate.path.as_str())
            .chain(self.order.iter().map(|order| order.path.as_str()))
            .chain(self.group_by.iter().map(String::as_str))
            .chain(self.returns.iter().map(String::as_str))
            .chain(self.aggregates.iter().filter_map(|text| argument(text)))
    }
}

/// `amount` of `sum(amount)`; nothing of `count(*)`.
fn argument(aggregate: &str) -> Option<&str> {
    let (_, rest) = aggregate.split_once('(')?;
    let argument = rest.strip_suffix(')')?.trim();
    (argument != "*" && !argument.is_empty()).then_some(argument)
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_comparisons_does_not_matter_and_the_order_of_sorting_does() {
        let ab = Shape::select("t")
            .filter("a", Op::Equal)
            .filter("b", Op::Range);
        let ba = Shape::select("t")
            .filter("b", Op::Range)
            .filter("a", Op::Equal);
        assert_eq!(ab.fingerprint(), ba.fingerprint());
        let ab = Shape::select("t").order_by("a").order_by("b");
        let ba = Shape::select("t").order_by("b").order_by("a");
        assert_ne!(ab.fingerprint(), ba.fingerprint());
    }

    #[test]
    fn parts_do_not_run_into_each_other() {
        let one = Shape::select("t").group(&["ab"], &["c"]);
        let other = Shape::select("t").group(&["a"], &["bc"]);
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn an_aggregate_reads_its_argument() {
        let shape = Shape::select("t").group(&["k"], &["sum( amount )", "count(*)", "broken("]);
        assert_eq!(shape.paths().collect::<Vec<_>>(), ["k", "amount"]);
    }

    #[test]
    fn a_fingerprint_reads_back_from_what_it_shows() {
        let fingerprint = Shape::select("t").fingerprint();
        assert_eq!(fingerprint.to_string().parse(), Ok(fingerprint));
    }
}
