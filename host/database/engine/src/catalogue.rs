//! What there is: collections, fields, indexes, rollups.
//!
//! Small, immutable, shared: a reader holds the catalogue its snapshot was taken with. Fields, indexes and rollups refer
//! to one another by number, so renaming and archiving touch no row.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::{Deserialize, Serialize};

use crate::codec::row::FieldId;
use crate::error::EngineError;
use crate::front::homes;
use crate::kv::{KvStore, Op, TreeId};
use crate::path::Path;
use crate::value::Value;

/// The tree of the catalogue itself.
pub(crate) const META: TreeId = 0;
/// What is written; format 1, which had every index in the store, is read too.
const FORMAT: u32 = 2;
const HEAD: &[u8] = b"head";
const COLLECTION: &[u8] = b"collection/";
/// More names than this are data that became keys; a collection refuses them with that advice.
pub(crate) const MAX_COLLECTION_FIELDS: usize = 10_000;
/// Each index is written with each row.
pub(crate) const MAX_INDEXES: usize = 20;

/// Everything that is declared or has been seen.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Catalogue {
    /// Grows with each change.
    pub version: u64,
    /// The next free tree.
    pub(crate) next_tree: TreeId,
    /// By name.
    pub collections: BTreeMap<String, Arc<Collection>>,
}

/// A set of documents.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Collection {
    /// Its name.
    pub name: String,
    pub(crate) tree: TreeId,
    /// In the order they were first seen.
    pub fields: Vec<Field>,
    /// Additional orders.
    pub indexes: Vec<Index>,
    /// Maintained aggregates.
    pub rollups: Vec<Rollup>,
    /// Values inside of fields that indexes have columns for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) paths: Vec<Path>,
    /// The JSON Schema it was declared by.
    pub schema: Option<serde_json::Value>,
    #[serde(skip)]
    pub(crate) names: FxHashMap<String, FieldId>,
}

/// A field of the documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    pub(crate) id: FieldId,
    /// Its name.
    pub name: String,
    /// Other names it answers to.
    pub aliases: Vec<String>,
    /// What its values have in common.
    #[serde(rename = "type")]
    pub ty: Type,
    /// Where it is in its life.
    pub state: FieldState,
    /// A document without it is refused.
    pub required: bool,
    /// The type was declared: other values are refused.
    pub declared: bool,
}

/// Where a field is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FieldState {
    /// Seen in documents, not yet a column.
    Emergent,
    /// A column.
    Column,
    /// Hidden from `SELECT *`; still answers by name.
    Archived,
}

/// The type of a field or of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Type {
    /// Only nulls so far.
    Unknown,
    /// Truth.
    Bool,
    /// Integers.
    Int,
    /// Exact decimals.
    Dec,
    /// Floats.
    Float,
    /// Text.
    Text,
    /// Arrays and objects.
    Json,
    /// Several that do not join.
    Mixed,
}

/// An additional order of a collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// Its name, unique in the collection.
    pub name: String,
    pub(crate) tree: TreeId,
    pub(crate) fields: Vec<FieldId>,
    /// Whether it may be used.
    pub state: BuildState,
    /// How many different values the first column has, the first two, and so on, when it was last counted.
    pub distinct: Vec<u64>,
}

/// An aggregate by groups, kept right by every write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollup {
    /// Its name, unique in the collection.
    pub name: String,
    pub(crate) tree: TreeId,
    pub(crate) group: Vec<FieldId>,
    pub(crate) aggregates: Vec<(AggregateKind, Option<FieldId>)>,
    /// Whether it may be used.
    pub state: BuildState,
}

/// What is computed over a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AggregateKind {
    /// Rows, or values that are not null.
    Count,
    /// Sum.
    Sum,
    /// Mean.
    Avg,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Whether all are true.
    BoolAnd,
    /// Whether any is true.
    BoolOr,
}

/// How far a derived tree is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum BuildState {
    /// Rows up to the cursor are in it.
    Building {
        /// The last row key that is in it; empty before the first.
        cursor: Vec<u8>,
    },
    /// Complete and maintained; used only by queries that ask for it by name.
    Hidden,
    /// Complete and used.
    Active,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    version: u64,
    next_tree: TreeId,
}

impl Catalogue {
    /// Reads it from the store.
    pub(crate) fn load(kv: &dyn KvStore) -> Result<Self, EngineError> {
        let damaged = |reason: String| crate::kv::KvError::Damaged { reason };
        let Some(head) = kv.get(META, HEAD)? else {
            return Ok(Self {
                next_tree: META + 1,
                ..Self::default()
            });
        };
        let head: Head =
            serde_json::from_slice(&head).map_err(|e| damaged(format!("catalogue head: {e}")))?;
        if !(1..=FORMAT).contains(&head.format) {
            return Err(EngineError::invalid(format!(
                "the database has format {} and this version reads 1 to {FORMAT}: use the version that wrote it",
                head.format
            )));
        }
        let mut collections = BTreeMap::new();
        let mut end = COLLECTION.to_vec();
        end.push(0xff);
        for (_, bytes) in kv.scan(META, COLLECTION, Some(&end), false, usize::MAX)? {
            let mut collection: Collection =
                serde_json::from_slice(&bytes).map_err(|e| damaged(format!("catalogue: {e}")))?;
            collection.rename();
            collections.insert(collection.name.clone(), Arc::new(collection));
        }
        let catalogue = Self {
            version: head.version,
            next_tree: head.next_tree,
            collections,
        };
        if head.format == 1 {
            catalogue.bring_up(kv)?;
        }
        Ok(catalogue)
    }

    /// Brings a store of format 1 up to this one: there every index was in the store, and here that has to be said.
    fn bring_up(&self, kv: &dyn KvStore) -> Result<(), EngineError> {
        let collections = self.collections.values();
        let indexes = collections.flat_map(|collection| &collection.indexes);
        let mut ops: Vec<Op> = indexes.map(|index| homes::mark(index.tree)).collect();
        ops.push(self.head());
        kv.apply(&ops)?;
        Ok(kv.sync()?)
    }

    fn head(&self) -> Op {
        let head = Head {
            format: FORMAT,
            version: self.version,
            next_tree: self.next_tree,
        };
        (META, HEAD.to_vec(), serde_json::to_vec(&head).ok())
    }

    /// The writes that make the store's catalogue this one, given the one before.
    pub(crate) fn difference(&self, before: &Self) -> Vec<Op> {
        let mut ops = Vec::new();
        let key = |name: &str| [COLLECTION, name.as_bytes()].concat();
        for (name, collection) in &self.collections {
            if before
                .collections
                .get(name)
                .is_none_or(|old| !Arc::ptr_eq(old, collection))
            {
                ops.push((META, key(name), serde_json::to_vec(&**collection).ok()));
            }
        }
        for name in before
            .collections
            .keys()
            .filter(|name| !self.collections.contains_key(*name))
        {
            ops.push((META, key(name), None));
        }
        ops.push(self.head());
        ops
    }

    /// The collection of that name.
    ///
    /// # Errors
    /// There is none.
    pub fn collection(&self, name: &str) -> Result<&Arc<Collection>, EngineError> {
        self.collections
            .get(name)
            .ok_or_else(|| EngineError::Unknown {
                what: "collection",
                name: name.to_owned(),
                at: None,
                valid: self.collections.keys().cloned().collect(),
            })
    }

    pub(crate) fn edit(&mut self, name: &str) -> Result<&mut Collection, EngineError> {
        self.collection(name)?;
        let found = self.collections.get_mut(name);
        found
            .map(Arc::make_mut)
            .ok_or_else(|| EngineError::invalid("the collection is gone"))
    }

    pub(crate) fn new_tree(&mut self) -> TreeId {
        self.next_tree += 1;
        self.next_tree - 1
    }

    /// Adds an empty collection with its key field.
    pub(crate) fn add(&mut self, name: &str) -> Result<(), EngineError> {
        if name.is_empty() || name.len() > 200 || name.contains('\0') {
            return Err(EngineError::invalid(
                "a collection's name has 1 to 200 bytes and no zero byte",
            ));
        }
        if self.collections.contains_key(name) {
            return Err(EngineError::Exists {
                what: "collection",
                name: name.to_owned(),
            });
        }
        let tree = self.new_tree();
        let mut collection = Collection {
            name: name.to_owned(),
            tree,
            fields: Vec::new(),
            indexes: Vec::new(),
            rollups: Vec::new(),
            paths: Vec::new(),
            schema: None,
            names: FxHashMap::default(),
        };
        collection.add_field("id", FieldState::Column)?;
        self.collections
            .insert(name.to_owned(), Arc::new(collection));
        Ok(())
    }
}

impl Collection {
    /// The number of the field that is the key.
    pub(crate) const ID: FieldId = 1;

    /// Builds the table of names.
    pub(crate) fn rename(&mut self) {
        self.names = self
            .fields
            .iter()
            .flat_map(|f| {
                std::iter::once(&f.name)
                    .chain(&f.aliases)
                    .map(|name| (name.clone(), f.id))
            })
            .collect();
    }

    pub(crate) fn add_field(
        &mut self,
        name: &str,
        state: FieldState,
    ) -> Result<FieldId, EngineError> {
        if self.fields.len() >= MAX_COLLECTION_FIELDS {
            return Err(EngineError::invalid(format!(
                "the collection {:?} has {MAX_COLLECTION_FIELDS} fields and {name:?} would be one more: put names that are data into values",
                self.name
            )));
        }
        let id = self.fields.len() as FieldId + 1;
        self.fields.push(Field {
            id,
            name: name.to_owned(),
            aliases: Vec::new(),
            ty: Type::Unknown,
            state,
            required: false,
            declared: false,
        });
        self.names.insert(name.to_owned(), id);
        Ok(id)
    }

    /// A field by its number.
    pub(crate) fn field(&self, id: FieldId) -> &Field {
        &self.fields[usize::from(id) - 1]
    }

    pub(crate) fn field_mut(&mut self, id: FieldId) -> &mut Field {
        &mut self.fields[usize::from(id) - 1]
    }

    /// A field by a name or an alias.
    pub(crate) fn find(&self, name: &str) -> Option<&Field> {
        self.names.get(name).map(|id| self.field(*id))
    }

    pub(crate) fn require(&self, name: &str) -> Result<FieldId, EngineError> {
        self.find(name)
            .map(|f| f.id)
            .ok_or_else(|| EngineError::Unknown {
                what: "field",
                name: name.to_owned(),
                at: None,
                valid: self.fields.iter().map(|f| f.name.clone()).collect(),
            })
    }

    /// The fields that one of its indexes or rollups is made of, by its name.
    pub fn fields_of(&self, part: &str) -> Option<Vec<String>> {
        let index = self.indexes.iter().find(|index| index.name == part);
        let rollup = self.rollups.iter().find(|rollup| rollup.name == part);
        let ids: Vec<FieldId> = match (index, rollup) {
            (Some(index), _) => index.fields.iter().map(|id| self.root_of(*id)).collect(),
            (_, Some(rollup)) => {
                let kept = rollup.aggregates.iter().filter_map(|(_, field)| *field);
                rollup.group.iter().copied().chain(kept).collect()
            }
            _ => return None,
        };
        Some(self.names_of(&ids))
    }

    /// The columns of one of its indexes, in order.
    pub fn columns_of(&self, index: &Index) -> Vec<String> {
        self.names_of(&index.fields)
    }

    /// The names of these fields; of a value inside of one as SQL writes it (see [`crate::FieldPath`]).
    pub fn names_of(&self, ids: &[FieldId]) -> Vec<String> {
        ids.iter().map(|id| self.name_of(*id)).collect()
    }
}

impl Type {
    /// The type of a value.
    pub fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self::Unknown,
            Value::Bool(_) => Self::Bool,
            Value::Int(_) => Self::Int,
            Value::Dec(_) => Self::Dec,
            Value::Float(_) => Self::Float,
            Value::Text(_) => Self::Text,
            Value::Json(_) => Self::Json,
        }
    }

    /// The least type that holds both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (a, b) if a == b => a,
            (Self::Unknown, other) | (other, Self::Unknown) => other,
            (a, b) if a.is_number() && b.is_number() => {
                if a == Self::Float || b == Self::Float {
                    Self::Float
                } else {
                    Self::Dec
                }
            }
            _ => Self::Mixed,
        }
    }

    /// Whether it is one of the three kinds of number.
    pub fn is_number(self) -> bool {
        matches!(self, Self::Int | Self::Dec | Self::Float)
    }

    /// The value as this type, when it is a number of a narrower kind; anything else as it is.
    pub(crate) fn adapt(self, value: Value) -> Value {
        match (self, value) {
            (Self::Dec, Value::Int(i)) => Value::Dec(i.into()),
            (Self::Float, Value::Int(i)) => Value::Float(i as f64),
            (Self::Float, Value::Dec(d)) => Value::Float(d.to_f64()),
            (_, value) => value,
        }
    }
}

impl BuildState {
    /// Whether every row is in it.
    pub fn is_complete(&self) -> bool {
        !matches!(self, Self::Building { .. })
    }

    /// Whether a change of the row with this key has to be carried over.
    pub(crate) fn covers(&self, row_key: &[u8]) -> bool {
        match self {
            Self::Building { cursor } => row_key <= cursor.as_slice(),
            _ => true,
        }
    }
}

impl std::fmt::Display for Type {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Unknown => "unknown",
            Self::Bool => "boolean",
            Self::Int => "integer",
            Self::Dec => "number",
            Self::Float => "float",
            Self::Text => "text",
            Self::Json => "json",
            Self::Mixed => "mixed",
        })
    }
}
