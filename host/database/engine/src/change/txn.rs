//! One statement's changes: rows with their index entries and rollups, applied together or not at all.

use std::sync::Arc;

use rustc_hash::FxHashMap;

use super::rollup;
use crate::catalogue::{Catalogue, Collection, FieldState, Index, Type};
use crate::codec::key;
use crate::codec::row::{self, FieldId, RowRef};
use crate::error::{DocumentError, EngineError};
use crate::exec::damaged;
use crate::front::{Front, View};
use crate::kv::{Op, TreeId};
use crate::value::{Document, Value};

/// Fields of a row with their values, sorted.
pub(crate) type Fields = Vec<(FieldId, Value)>;

/// Changes that nobody sees yet. There is one at a time.
pub(crate) struct Txn<'f> {
    front: &'f Front,
    pub(crate) catalogue: Arc<Catalogue>,
    before: Arc<Catalogue>,
    trees: FxHashMap<TreeId, View>,
    changes: FxHashMap<(TreeId, Vec<u8>), Option<Vec<u8>>>,
}

impl<'f> Txn<'f> {
    pub(crate) fn new(front: &'f Front) -> Self {
        let catalogue = front.catalogue();
        Self {
            front,
            before: catalogue.clone(),
            catalogue,
            trees: FxHashMap::default(),
            changes: FxHashMap::default(),
        }
    }

    /// The value of a key as this transaction would leave it.
    pub(crate) fn get(&mut self, tree: TreeId, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        // Looking up by parts would need a key of borrowed parts; this copy is small beside the rest of a write.
        if let Some(change) = self.changes.get(&(tree, key.to_vec())) {
            return Ok(change.clone());
        }
        if !self.trees.contains_key(&tree) {
            self.trees
                .insert(tree, self.front.snapshot(&[tree])?.tree(tree));
        }
        self.trees[&tree].get(key)
    }

    pub(crate) fn put(&mut self, tree: TreeId, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.changes.insert((tree, key), value);
    }

    /// The greatest integer among the keys, zero without one.
    pub(crate) fn greatest_id(&mut self, tree: TreeId) -> Result<i64, EngineError> {
        let (class, after) = key::class_bounds(&Value::Int(0));
        let mut greatest = 0;
        self.front.snapshot(&[tree])?.tree(tree).each(
            &[class],
            Some(&[after]),
            true,
            &mut |bytes, _| {
                if let Some(Value::Int(id)) = key::read(&mut &bytes[..], 0) {
                    greatest = id;
                }
                std::ops::ControlFlow::Break(())
            },
        )?;
        // What this transaction has inserted already.
        for (changed, bytes) in self.changes.keys() {
            if *changed == tree
                && let Some(Value::Int(id)) = key::read(&mut &bytes[..], 0)
            {
                greatest = greatest.max(id);
            }
        }
        Ok(greatest)
    }

    /// How much has been gathered.
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    /// The catalogue to change.
    pub(crate) fn edit(&mut self) -> &mut Catalogue {
        Arc::make_mut(&mut self.catalogue)
    }

    /// Makes the changes visible and queues them for the store.
    pub(crate) fn commit(mut self) -> Result<u64, EngineError> {
        // Snapshots held here would make the writer copy every block it touches.
        self.trees.clear();
        let changed = !Arc::ptr_eq(&self.catalogue, &self.before);
        let mut ops: Vec<Op> = self
            .changes
            .drain()
            .map(|((tree, key), value)| (tree, key, value))
            .collect();
        let catalogue = changed.then(|| {
            Arc::make_mut(&mut self.catalogue).version += 1;
            ops.extend(self.catalogue.difference(&self.before));
            self.catalogue.clone()
        });
        self.front.write(ops, catalogue)
    }

    /// Inserts a document; returns its id.
    pub(crate) fn insert(
        &mut self,
        collection: &str,
        document: &Document,
        next_id: &mut dyn FnMut(&mut Self, TreeId) -> Result<i64, EngineError>,
    ) -> Result<Value, EngineError> {
        if !self.catalogue.collections.contains_key(collection) {
            self.edit().add(collection)?;
        }
        let (mut fields, id) = self.resolve(collection, document)?;
        let found = self.catalogue.collection(collection)?.clone();
        let id = match id {
            Some(id) => id,
            None => Value::Int(next_id(self, found.tree)?),
        };
        fields.push((Collection::ID, id.clone()));
        fields.sort_by_key(|(f, _)| *f);
        let found = self.learn(found, &fields, true)?;
        let row_key = key_of(&id);
        if self.get(found.tree, &row_key)?.is_some() {
            return Err(EngineError::Exists {
                what: "a document with the id",
                name: id.to_string(),
            });
        }
        self.write_row(&found, row_key, None, Some(fields))?;
        Ok(id)
    }

    /// Names to numbers; new names become fields. The id is taken out.
    fn resolve(
        &mut self,
        collection: &str,
        document: &Document,
    ) -> Result<(Fields, Option<Value>), EngineError> {
        let mut fields = Vec::with_capacity(document.fields.len() + 1);
        let mut id = None;
        let found = self.catalogue.collection(collection)?.clone();
        for (name, value) in &document.fields {
            let field = match found.names.get(&**name) {
                Some(field) => *field,
                None => {
                    let edited = self.edit().edit(collection)?;
                    match edited.names.get(&**name) {
                        Some(field) => *field,
                        None => edited.add_field(name, FieldState::Emergent)?,
                    }
                }
            };
            if field == Collection::ID {
                id = match value {
                    Value::Null => None,
                    value => Some(check_id(value)?),
                };
                continue;
            }
            fields.push((field, value.clone()));
        }
        fields.sort_by_key(|(f, _)| *f);
        if let Some(twice) = fields.windows(2).find(|w| w[0].0 == w[1].0) {
            let name = self
                .catalogue
                .collection(collection)?
                .field(twice[0].0)
                .name
                .clone();
            return Err(DocumentError::DuplicateKey { key: name, at: 0 }.into());
        }
        Ok((fields, id))
    }

    /// Widens field types to what came, or refuses it where a type is declared.
    fn learn(
        &mut self,
        collection: Arc<Collection>,
        fields: &[(FieldId, Value)],
        whole: bool,
    ) -> Result<Arc<Collection>, EngineError> {
        let mut widened = Vec::new();
        for (id, value) in fields {
            let field = collection.field(*id);
            let joined = field.ty.join(Type::of(value));
            if joined != field.ty {
                if field.declared {
                    return Err(DocumentError::WrongType {
                        field: field.name.clone(),
                        declared: field.ty.to_string(),
                        found: value.kind().to_owned(),
                    }
                    .into());
                }
                widened.push((*id, joined));
            }
        }
        if whole
            && let Some(missing) = collection
                .fields
                .iter()
                .find(|f| f.required && !fields.iter().any(|(id, v)| *id == f.id && !v.is_null()))
        {
            return Err(DocumentError::Missing {
                field: missing.name.clone(),
            }
            .into());
        }
        if widened.is_empty() {
            return Ok(collection);
        }
        let name = collection.name.clone();
        let edited = self.edit().edit(&name)?;
        for (id, ty) in widened {
            edited.field_mut(id).ty = ty;
        }
        Ok(self.catalogue.collection(&name)?.clone())
    }

    /// Changes fields of a row. Returns its fields afterwards.
    pub(crate) fn update(
        &mut self,
        collection: &str,
        row_key: &[u8],
        changes: &Document,
    ) -> Result<Option<Fields>, EngineError> {
        let tree = self.catalogue.collection(collection)?.tree;
        let Some(old) = self.get(tree, row_key)? else {
            return Ok(None);
        };
        let (changed, id) = self.resolve(collection, changes)?;
        let mut fields: Vec<_> = RowRef::new(&old).ok_or_else(damaged)?.fields().collect();
        if let Some(id) = id
            && key_of(&id) != row_key
        {
            return Err(EngineError::unsupported("changing an id", None)
                .with_hint("insert the document anew and delete the old one"));
        }
        for (field, value) in changed {
            match fields.binary_search_by_key(&field, |(f, _)| *f) {
                Ok(at) => fields[at].1 = value,
                Err(at) => fields.insert(at, (field, value)),
            }
        }
        let found = self.catalogue.collection(collection)?.clone();
        let found = self.learn(found, &fields, true)?;
        self.write_row(&found, row_key.to_vec(), Some(&old), Some(fields.clone()))?;
        Ok(Some(fields))
    }

    /// Removes a row. Returns what it was.
    pub(crate) fn delete(
        &mut self,
        collection: &str,
        row_key: &[u8],
    ) -> Result<Option<Vec<u8>>, EngineError> {
        let found = self.catalogue.collection(collection)?.clone();
        let Some(old) = self.get(found.tree, row_key)? else {
            return Ok(None);
        };
        self.write_row(&found, row_key.to_vec(), Some(&old), None)?;
        Ok(Some(old))
    }

    fn write_row(
        &mut self,
        collection: &Collection,
        row_key: Vec<u8>,
        old: Option<&[u8]>,
        new: Option<Fields>,
    ) -> Result<(), EngineError> {
        let old_row = old
            .map(|bytes| RowRef::new(bytes).ok_or_else(damaged))
            .transpose()?;
        let old_value = |field: FieldId| old_row.as_ref().map_or(Value::Null, |row| row.get(field));
        let new_value = |field: FieldId| {
            let fields = new.as_deref().unwrap_or(&[]);
            fields
                .binary_search_by_key(&field, |(f, _)| *f)
                .map_or(Value::Null, |at| fields[at].1.clone())
        };
        for index in collection
            .indexes
            .iter()
            .filter(|i| i.state.covers(&row_key))
        {
            let before = old_row
                .is_some()
                .then(|| entry(collection, index, &old_value, &row_key));
            let after = new
                .is_some()
                .then(|| entry(collection, index, &new_value, &row_key));
            if before == after {
                continue;
            }
            if let Some((key, _)) = before
                && after.as_ref().is_none_or(|(new_key, _)| *new_key != key)
            {
                self.put(index.tree, key, None);
            }
            if let Some((key, hints)) = after {
                self.put(index.tree, key, Some(hints));
            }
        }
        for rollup in collection
            .rollups
            .iter()
            .filter(|r| r.state.covers(&row_key))
        {
            if old_row.is_some() {
                rollup::change(self, rollup, &old_value, -1)?;
            }
            if new.is_some() {
                rollup::change(self, rollup, &new_value, 1)?;
            }
        }
        let bytes = new.as_ref().map(|fields| row::encode(fields));
        self.put(collection.tree, row_key, bytes);
        Ok(())
    }
}

/// The key of an index entry, and the hints that are its value.
pub(crate) fn entry(
    collection: &Collection,
    index: &Index,
    value: &dyn Fn(FieldId) -> Value,
    row_key: &[u8],
) -> (Vec<u8>, Vec<u8>) {
    let (mut key, mut hints) = (
        Vec::with_capacity(32),
        Vec::with_capacity(index.fields.len()),
    );
    for field in &index.fields {
        let value = collection.value(*field, value);
        key::write(&value, &mut key);
        hints.push(key::hint(&value));
    }
    key.extend_from_slice(row_key);
    (key, hints)
}

/// The key of a row.
pub(crate) fn key_of(id: &Value) -> Vec<u8> {
    let mut out = Vec::with_capacity(16);
    key::write(id, &mut out);
    out
}

/// Ids are integers and texts: kinds with one form of each value.
fn check_id(value: &Value) -> Result<Value, DocumentError> {
    match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Text(text) if !text.is_empty() && text.len() <= 1024 => Ok(value.clone()),
        Value::Dec(d) => d
            .to_i64_exact()
            .map(Value::Int)
            .ok_or(DocumentError::BadId {
                found: "a fraction",
            }),
        other => Err(DocumentError::BadId {
            found: other.kind(),
        }),
    }
}
