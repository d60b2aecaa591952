//! How records are used, told to one who may not touch all of them.
//!
//! Figures of use are made of all rows and all queries: a count tells how many rows there are, a spread of values what is
//! in a field. So a collection of which somebody may touch some rows alone is left out whole, with all that is told of it,
//! and of the others what speaks of a field that they may not touch.

use polity_engine::Catalogue;
use polity_watch::{Stats, segments};

/// What somebody may touch.
pub struct Sight<'s> {
    /// Whether a collection with all of its rows.
    pub whole: &'s dyn Fn(&str) -> bool,
    /// Whether a field, by its collection and its name.
    pub field: &'s dyn Fn(&str, &str) -> bool,
}

/// Leaves out what would tell of rows or fields that may not be touched.
pub fn discreet(mut stats: Stats, catalogue: &Catalogue, sight: &Sight<'_>) -> Stats {
    let may = |collection: &str, path: &str| {
        let field = segments(path).into_iter().next().unwrap_or_default();
        // A second name of a field is that field.
        let found = catalogue.collections.get(collection);
        let named = found.and_then(|found| {
            let mut fields = found.fields.iter();
            fields.find(|known| known.aliases.contains(&field))
        });
        let name = named.map_or(field.as_str(), |known| known.name.as_str());
        (sight.field)(collection, name)
    };
    let whole = sight.whole;
    stats.collections.retain(|known| whole(&known.collection));
    for known in &mut stats.collections {
        let name = known.collection.clone();
        known.dependencies.retain(|found| may(&name, &found.path));
        for found in &mut known.dependencies {
            found
                .dependents
                .retain(|dependent| may(&name, &dependent.path));
        }
    }
    stats
        .fields
        .retain(|known| whole(&known.collection) && may(&known.collection, &known.path));
    stats.queries.retain(|known| {
        let collection = &known.shape.collection;
        whole(collection) && known.shape.paths().all(|path| may(collection, path))
    });
    stats.accesses.retain(|access| {
        let mut collections = catalogue.collections.values();
        // What is gone is somebody's no more, and its name may say what it was made of.
        let owner = collections.find_map(|found| Some((found, found.fields_of(&access.name)?)));
        owner.is_some_and(|(found, fields)| {
            let mut fields = fields.iter();
            whole(&found.name) && fields.all(|field| (sight.field)(&found.name, field))
        })
    });
    stats
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use polity_engine::{Document, Durability, Engine, MemoryKv, Mutation, Options};
    use polity_watch::{Execution, Op, Shape, Watch};
    use serde_json::json;

    use super::*;

    fn engine() -> Engine {
        let engine = Engine::open(Arc::new(MemoryKv::default()), Options::default()).unwrap();
        let staff = br#"{"name": "ada", "salary": 7, "home": {"street": "x"}}"#;
        for collection in ["staff", "deals"] {
            let document = Document::parse(staff).unwrap();
            engine
                .insert(collection, &[document], Durability::Durable)
                .unwrap();
        }
        for (collection, name, fields) in [
            ("staff", "by name", &["name"][..]),
            ("staff", "by pay", &["name", "salary"]),
            ("staff", "by street", &["home->>'street'"]),
            ("deals", "deals by name", &["name"]),
        ] {
            let index = Mutation::CreateIndex {
                collection: collection.to_owned(),
                name: name.to_owned(),
                fields: fields.iter().map(ToString::to_string).collect(),
            };
            engine.apply(&index).unwrap();
        }
        let alias = Mutation::AddAlias {
            collection: "staff".to_owned(),
            field: "salary".to_owned(),
            alias: "pay".to_owned(),
        };
        engine.apply(&alias).unwrap();
        engine
    }

    fn stats() -> Stats {
        let mut watch = Watch::default();
        let used: Vec<String> = ["by name", "by pay", "by street", "deals by name", "gone"]
            .map(str::to_owned)
            .into();
        for shape in [
            Shape::select("staff").filter("name", Op::Equal),
            Shape::select("staff").filter("pay", Op::Range),
            Shape::select("staff").filter("home.street", Op::Equal),
            Shape::select("staff").group(&["name"], &["sum(salary)"]),
            Shape::select("deals").filter("name", Op::Equal),
        ] {
            let run = Execution {
                shape: &shape,
                fingerprint: shape.fingerprint(),
                rows_examined: 10,
                rows_returned: 1,
                us: 10,
                used: &used,
            };
            watch.executed(&run, 1_000);
        }
        for n in 0..50 {
            let document = json!({"name": "a", "salary": n, "home": {"street": n}});
            watch.wrote("staff", &document, 1_000);
            watch.wrote("deals", &document, 1_000);
        }
        watch.stats(2_000)
    }

    #[test]
    fn nothing_is_told_of_what_may_not_be_touched_and_all_of_the_rest() {
        let (all, engine) = (stats(), engine());
        let hidden = ["salary", "home"];
        let sight = Sight {
            whole: &|collection| collection != "deals",
            field: &|collection, field| collection != "staff" || !hidden.contains(&field),
        };
        let told = discreet(all.clone(), &engine.catalogue(), &sight);
        let text = serde_json::to_string(&told).unwrap();
        for word in ["salary", "pay", "home", "street", "deals", "gone"] {
            assert!(!text.contains(word), "{word} in {text}");
        }
        assert_eq!(told.queries.len(), 1);
        assert_eq!(told.collections.len(), 1);
        let names: Vec<&str> = told
            .accesses
            .iter()
            .map(|known| known.name.as_str())
            .collect();
        assert_eq!(names, ["by name"]);
        let everything = Sight {
            whole: &|_| true,
            field: &|_, _| true,
        };
        let told = discreet(all.clone(), &engine.catalogue(), &everything);
        assert_eq!(told.fields, all.fields);
        assert_eq!(told.queries, all.queries);
        assert_eq!(told.collections, all.collections);
    }
}
