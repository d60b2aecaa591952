//! From a mutation as strategies and people speak of it to what the engine does.

use polity_engine::{Aggregate, AggregateKind, Catalogue, FieldPath, FieldState, Mutation as Act};
use polity_evolve::{Field, Index, Mutation, Rollup};
use polity_watch::segments;

/// The field at a path; none where the path leads into a field, which this engine keeps as one value.
pub(super) fn field(path: &str) -> Option<String> {
    let mut keys = segments(path);
    let key = keys.pop()?;
    let is_inside = !keys.is_empty() || key == "*" || key.contains("[]");
    (!is_inside).then_some(key)
}

/// The column of an index at a path: a field, or a value inside of one; none for elements of arrays and keys of maps.
pub(super) fn column(path: &str) -> Option<String> {
    let mut keys = segments(path);
    if path.is_empty() || keys.iter().any(|key| key == "*" || key.contains("[]")) {
        return None;
    }
    let root = keys.remove(0);
    if keys.is_empty() {
        return Some(root);
    }
    Some(FieldPath { root, keys }.to_string())
}

/// Why a mutation is not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cannot {
    /// It speaks of what is not there, or of what is nothing.
    Nonsense(String),
    /// It makes sense, and this engine does not do it.
    Beyond(String),
}

/// Whether the engine can do it, and why not.
pub(super) fn can(catalogue: &Catalogue, mutation: &Mutation) -> Result<(), Cannot> {
    let nonsense = |reason: String| Err(Cannot::Nonsense(reason));
    let Ok(collection) = catalogue.collection(mutation.collection()) else {
        return nonsense(format!("there is no collection {}", mutation.collection()));
    };
    let known = |path: &String| {
        let Some(name) = field(path) else {
            return Err(Cannot::Beyond(format!("{path} lies inside a field")));
        };
        let is_there = collection
            .fields
            .iter()
            .any(|field| field.name == name || field.aliases.contains(&name));
        if is_there {
            Ok(())
        } else {
            nonsense(format!("there is no field {path} in {}", collection.name))
        }
    };
    match mutation {
        Mutation::CreateIndex(index) | Mutation::DropIndex(index) => {
            index.fields.iter().try_for_each(|path| {
                if column(path).is_none() {
                    return known(path);
                }
                // What lies inside of a field is there or not from row to row.
                let root = segments(path).into_iter().next().unwrap_or_default();
                known(&polity_watch::escape(&root))
            })
        }
        Mutation::CreateRollup(rollup) | Mutation::DropRollup(rollup) => {
            rollup.group_by.iter().try_for_each(known)?;
            for kept in aggregates(rollup).map_err(Cannot::Nonsense)? {
                known(&polity_watch::escape(&kept.field))?;
            }
            Ok(())
        }
        Mutation::PromoteField(field)
        | Mutation::WidenField(field)
        | Mutation::ArchiveField(field)
        | Mutation::RestoreField(field) => known(&field.path),
        Mutation::AliasField(alias) => known(&alias.path),
        Mutation::LinkCollection(link) => {
            known(&link.key)?;
            link.fields.iter().try_for_each(known)?;
            // A linked record is found by its key, so that is its `id`.
            let has_id = |path: &String| field(path).is_some_and(|name| name == "id");
            if catalogue.collections.contains_key(&link.target) {
                return Err(Cannot::Beyond(format!(
                    "there is a collection {} already",
                    link.target
                )));
            }
            if link.fields.iter().any(has_id) {
                return Err(Cannot::Beyond(
                    "the key of the rows stays with the rows".to_owned(),
                ));
            }
            Ok(())
        }
    }
}

/// What makes an index. Its name is its subject, so that use is told of under the name that history knows.
pub(super) fn create_index(index: &Index) -> Result<Act, String> {
    Ok(Act::CreateIndex {
        collection: index.collection.clone(),
        name: index.name(),
        fields: columns(&index.fields)?,
    })
}

/// What makes a rollup.
pub(super) fn create_rollup(rollup: &Rollup) -> Result<Act, String> {
    Ok(Act::CreateRollup {
        collection: rollup.collection.clone(),
        name: rollup.name(),
        group_by: names(&rollup.group_by)?,
        aggregates: aggregates(rollup)?,
    })
}

/// What gives an index up.
pub(super) fn drop_index(index: &Index) -> Act {
    Act::DropIndex {
        collection: index.collection.clone(),
        name: index.name(),
    }
}

/// What gives a rollup up.
pub(super) fn drop_rollup(rollup: &Rollup) -> Act {
    Act::DropRollup {
        collection: rollup.collection.clone(),
        name: rollup.name(),
    }
}

/// What brings a field into a state.
pub(super) fn set_state(of: &Field, state: FieldState) -> Result<Act, String> {
    Ok(Act::SetFieldState {
        collection: of.collection.clone(),
        field: name(&of.path)?,
        state,
    })
}

/// The field's own name.
pub(super) fn name(path: &str) -> Result<String, String> {
    field(path).ok_or_else(|| format!("{path} lies inside a field"))
}

fn columns(paths: &[String]) -> Result<Vec<String>, String> {
    let column =
        |path: &String| column(path).ok_or_else(|| format!("{path} is no single value of a row"));
    paths.iter().map(column).collect()
}

fn names(paths: &[String]) -> Result<Vec<String>, String> {
    paths.iter().map(|path| name(path)).collect()
}

/// The count of rows is kept by every rollup, so it is none of its aggregates.
fn aggregates(rollup: &Rollup) -> Result<Vec<Aggregate>, String> {
    let mut kept = Vec::new();
    for text in &rollup.aggregates {
        let parts = text
            .split_once('(')
            .and_then(|(function, rest)| Some((function, rest.strip_suffix(')')?)));
        let Some((function, path)) = parts else {
            return Err(format!("{text} is no aggregate"));
        };
        let function = match function {
            "count" => AggregateKind::Count,
            "sum" => AggregateKind::Sum,
            "avg" => AggregateKind::Avg,
            "min" => AggregateKind::Min,
            "max" => AggregateKind::Max,
            _ => return Err(format!("a rollup does not keep {text}")),
        };
        if path != "*" {
            let field = name(path)?;
            kept.push(Aggregate { function, field });
        } else if function != AggregateKind::Count {
            return Err(format!("{text} is no aggregate"));
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_field_or_lies_inside_one() {
        assert_eq!(field("total"), Some("total".to_owned()));
        assert_eq!(field("a\\.b"), Some("a.b".to_owned()));
        for inside in ["a.b", "lines[].sku", "*", "labels.*", ""] {
            assert_eq!(field(inside), None, "{inside}");
        }
    }

    #[test]
    fn a_column_of_an_index_lies_inside_a_field_too() {
        let sql = |path: &str| column(path).unwrap();
        assert_eq!(sql("total"), "total");
        assert_eq!(sql("a\\.b"), "a.b");
        assert_eq!(sql("data.customer.e'mail"), "data->'customer'->>'e''mail'");
        for path in ["total", "a\\.b", "data.customer.e'mail"] {
            assert_eq!(crate::shapes::path(&sql(path)), path);
        }
        for none in ["lines[].sku", "*", "labels.*", ""] {
            assert_eq!(column(none), None, "{none}");
        }
    }

    #[test]
    fn aggregates_are_read_as_strategies_write_them() {
        let rollup = |aggregates: &[&str]| Rollup {
            collection: "orders".to_owned(),
            group_by: vec!["customer".to_owned()],
            aggregates: aggregates.iter().map(ToString::to_string).collect(),
        };
        let kept = aggregates(&rollup(&["count(*)", "sum(total)", "max(a\\.b)"])).unwrap();
        let fields: Vec<&str> = kept.iter().map(|kept| kept.field.as_str()).collect();
        assert_eq!(fields, ["total", "a.b"]);
        for odd in ["sum", "sum(", "sum(*)", "median(total)", "sum(a.b)"] {
            assert!(aggregates(&rollup(&[odd])).is_err(), "{odd}");
        }
    }
}
