//! Changes of the catalogue alone, and the proof that they change no document: a sample of documents is read before,
//! with and after the change, and the field is as it was when the change is taken back.

use polity_engine::{
    Collection, Document, Engine, EngineError, FieldState, Mutation as Act, Value,
};
use polity_evolve::{Alias, Mutation};

use super::translate;

/// Documents that are compared.
const SAMPLED: usize = 200;
/// How often they are compared again where they differ.
const TRIES: usize = 3;

/// What makes a change of the catalogue; none where it is so already, or where there is nothing to change: a type is
/// what the values have in common, and it widens by itself.
pub(super) fn act(engine: &Engine, mutation: &Mutation) -> Result<Option<Act>, String> {
    let wanted = match mutation {
        Mutation::PromoteField(field) | Mutation::RestoreField(field) => {
            (field, FieldState::Column)
        }
        Mutation::ArchiveField(field) => (field, FieldState::Archived),
        Mutation::AliasField(alias) => return add_alias(engine, alias),
        _ => return Ok(None),
    };
    let (field, state) = wanted;
    let act = translate::set_state(field, state)?;
    let name = translate::name(&field.path)?;
    let collection = collection(engine, &field.collection)?;
    let is_so = find(&collection, &name).is_some_and(|known| known.state == state);
    Ok((!is_so).then_some(act))
}

/// What takes a second name away; none where it is gone.
pub(super) fn drop_alias(engine: &Engine, alias: &Alias) -> Result<Option<Act>, String> {
    let collection = collection(engine, &alias.collection)?;
    let owner = owner(&collection, &alias.alias);
    Ok(owner.map(|field| Act::DropAlias {
        collection: alias.collection.clone(),
        field,
        alias: alias.alias.clone(),
    }))
}

fn add_alias(engine: &Engine, alias: &Alias) -> Result<Option<Act>, String> {
    let field = translate::name(&alias.path)?;
    let collection = collection(engine, &alias.collection)?;
    match owner(&collection, &alias.alias) {
        Some(owner) if owner == field => Ok(None),
        Some(owner) => Err(format!("{} is another name of {owner}", alias.alias)),
        None => Ok(Some(Act::AddAlias {
            collection: alias.collection.clone(),
            field,
            alias: alias.alias.clone(),
        })),
    }
}

/// Whether documents say the same with a change and without it, and whether taking it back gives what was.
pub(super) fn verify(engine: &Engine, mutation: &Mutation) -> Result<(), String> {
    let mut tries = 1..=TRIES;
    loop {
        let verified = compare(engine, mutation);
        // A document that somebody changed between two reads is no fault of the mutation.
        if verified.is_ok() || tries.next().is_none() {
            return verified;
        }
    }
}

fn compare(engine: &Engine, mutation: &Mutation) -> Result<(), String> {
    let Some(act) = act(engine, mutation)? else {
        return Ok(());
    };
    let name = mutation.collection();
    let told = |error: EngineError| error.to_string();
    let was = collection(engine, name)?.fields;
    let before = sample(engine, name).map_err(told)?;
    let inverse = engine.apply(&act).map_err(told)?;
    let during = sample(engine, name);
    engine.apply(&inverse).map_err(told)?;
    let after = sample(engine, name).map_err(told)?;
    if during.map_err(told)? != before || after != before {
        return Err("documents were not the same with it".to_owned());
    }
    // Fields that came meanwhile are new ones.
    let is = collection(engine, name)?.fields;
    let same = was
        .iter()
        .zip(&is)
        .all(|(was, is)| was.name == is.name && was.state == is.state && was.aliases == is.aliases);
    if same {
        Ok(())
    } else {
        Err("taking it back did not give what was".to_owned())
    }
}

fn sample(engine: &Engine, collection: &str) -> Result<Vec<Option<Document>>, EngineError> {
    let quoted = collection.replace('"', "\"\"");
    let sql = format!("SELECT id FROM \"{quoted}\" ORDER BY id LIMIT {SAMPLED}");
    let ids = engine.query(&sql, &[])?.rows;
    let read = |row: Vec<Value>| {
        row.first()
            .map_or(Ok(None), |id| engine.get(collection, id))
    };
    ids.into_iter().map(read).collect()
}

fn collection(engine: &Engine, name: &str) -> Result<Collection, String> {
    let catalogue = engine.catalogue();
    let found = catalogue.collections.get(name);
    let found = found.ok_or_else(|| format!("there is no collection {name}"))?;
    Ok((**found).clone())
}

fn find<'c>(collection: &'c Collection, name: &str) -> Option<&'c polity_engine::Field> {
    collection
        .fields
        .iter()
        .find(|field| field.name == name || field.aliases.iter().any(|alias| alias == name))
}

fn owner(collection: &Collection, alias: &str) -> Option<String> {
    find(collection, alias).map(|field| field.name.clone())
}
