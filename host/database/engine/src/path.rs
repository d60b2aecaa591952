//! Values inside of JSON fields as columns of an index.
//!
//! `data->'customer'->>'email'` is what SQL calls such a value, and the name of the column. Where an index has it, the
//! collection gives it a number beyond those of fields, and whatever reads fields by number reads it too: planner, scans
//! and index entries know no difference. It is never stored with the row, and when its last index goes it goes as well.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::catalogue::{Collection, Type};
use crate::codec::row::{FieldId, RowRef};
use crate::error::EngineError;
use crate::value::Value;

/// Numbers from here on are paths.
const FIRST: FieldId = 0x8000;
/// Deeper paths are data that became keys.
const DEEPEST: usize = 16;

/// The name of a value inside a field: `data->'customer'->>'email'`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    /// The field.
    pub root: String,
    /// The keys inside, from the outermost.
    pub keys: Vec<String>,
}

/// A path that an index has a column for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Path {
    pub(crate) id: FieldId,
    pub(crate) root: FieldId,
    pub(crate) keys: Vec<String>,
}

impl FieldPath {
    /// Reads what [`FieldPath`] displays; nothing where it is the name of a field.
    pub fn parse(text: &str) -> Option<Self> {
        let (root, mut rest) = text.split_at(text.find("->")?);
        let mut keys = Vec::new();
        loop {
            let is_last = rest.starts_with("->>");
            rest = rest.strip_prefix(if is_last { "->>" } else { "->" })?;
            rest = rest.strip_prefix('\'')?;
            let mut key = String::new();
            loop {
                let (piece, behind) = rest.split_once('\'')?;
                key.push_str(piece);
                rest = behind;
                match rest.strip_prefix('\'') {
                    Some(more) => rest = more,
                    None => break,
                }
                key.push('\'');
            }
            keys.push(key);
            if is_last {
                break;
            }
        }
        (rest.is_empty() && !root.is_empty()).then(|| Self {
            root: root.to_owned(),
            keys,
        })
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.root)?;
        for (nth, key) in self.keys.iter().enumerate() {
            let arrow = if nth + 1 == self.keys.len() {
                "->>"
            } else {
                "->"
            };
            write!(f, "{arrow}'{}'", key.replace('\'', "''"))?;
        }
        Ok(())
    }
}

impl Path {
    /// The value in that of the root: what `->` and `->>` give.
    fn read(&self, root: Value) -> Value {
        let Some((last, outer)) = self.keys.split_last() else {
            return root;
        };
        let inner = outer
            .iter()
            .fold(root, |value, key| value.arrow(key, false));
        inner.arrow(last, true)
    }
}

/// Whether a number is that of a path, which no row has bytes for.
pub(crate) fn is_path(id: FieldId) -> bool {
    id >= FIRST
}

impl Collection {
    /// The path of a number.
    pub(crate) fn path(&self, id: FieldId) -> Option<&Path> {
        if !is_path(id) {
            return None;
        }
        self.paths.iter().find(|path| path.id == id)
    }

    /// The path from a field along keys, if an index has it.
    pub(crate) fn path_along(&self, root: FieldId, keys: &[&str]) -> Option<FieldId> {
        let mut paths = self.paths.iter();
        let found = paths.find(|path| path.root == root && path.keys == keys);
        found.map(|path| path.id)
    }

    /// The number of a field or, made if need be, of a path by its name.
    pub(crate) fn column(&mut self, name: &str) -> Result<FieldId, EngineError> {
        // A field may have any name, that of a path too.
        if self.find(name).is_some() {
            return self.require(name);
        }
        let Some(path) = FieldPath::parse(name) else {
            return self.require(name);
        };
        let root = self.require(&path.root)?;
        if path.keys.len() > DEEPEST {
            return Err(EngineError::Mutation(format!(
                "a path has at most {DEEPEST} keys"
            )));
        }
        let keys: Vec<&str> = path.keys.iter().map(String::as_str).collect();
        if let Some(id) = self.path_along(root, &keys) {
            return Ok(id);
        }
        let mut free = (FIRST..FieldId::MAX).filter(|id| self.path(*id).is_none());
        let id = free.next();
        let id = id.ok_or_else(|| EngineError::invalid("there is no room for another path"))?;
        self.paths.push(Path {
            id,
            root,
            keys: path.keys,
        });
        Ok(id)
    }

    /// Forgets paths that no index has any more.
    pub(crate) fn prune_paths(&mut self) {
        let indexes = &self.indexes;
        let is_used = |id: FieldId| indexes.iter().any(|index| index.fields.contains(&id));
        self.paths.retain(|path| is_used(path.id));
    }

    /// The name of a field or of a path.
    pub(crate) fn name_of(&self, id: FieldId) -> String {
        match self.path(id) {
            None => self.field(id).name.clone(),
            Some(path) => FieldPath {
                root: self.field(path.root).name.clone(),
                keys: path.keys.clone(),
            }
            .to_string(),
        }
    }

    /// The field that a number is of, or in which its path begins.
    pub(crate) fn root_of(&self, id: FieldId) -> FieldId {
        self.path(id).map_or(id, |path| path.root)
    }

    /// What values of a field or a path have in common.
    pub(crate) fn type_of(&self, id: FieldId) -> Type {
        if is_path(id) {
            Type::Text
        } else {
            self.field(id).ty
        }
    }

    /// The value of a field or of a path, of a row whose fields `stored` gives.
    pub(crate) fn value(&self, id: FieldId, stored: &dyn Fn(FieldId) -> Value) -> Value {
        match self.path(id) {
            None => stored(id),
            Some(path) => path.read(stored(path.root)),
        }
    }
}

/// Reads one column of rows.
#[derive(Debug, Clone)]
pub(crate) enum Column {
    Field(FieldId),
    Path(Arc<Path>),
}

impl Column {
    pub(crate) fn of(collection: &Collection, id: FieldId) -> Self {
        match collection.path(id) {
            None => Self::Field(id),
            Some(path) => Self::Path(Arc::new(path.clone())),
        }
    }

    #[inline]
    pub(crate) fn read(&self, row: &RowRef<'_>) -> Value {
        match self {
            Self::Field(id) => row.get(*id),
            Self::Path(path) => path.read(row.get(path.root)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_path_reads_back_from_its_name(root in "[a-z '\\\\]{1,6}", keys in prop::collection::vec("[a-z'>\\-é]{0,5}", 1..4)) {
            let path = FieldPath { root, keys };
            prop_assert_eq!(FieldPath::parse(&path.to_string()), Some(path));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[a'>\\-é ]{0,20}") {
            FieldPath::parse(&text);
        }
    }

    #[test]
    fn what_is_no_path_is_none() {
        for text in [
            "a",
            "a->'b'",
            "a->>b",
            "a->>'b",
            "->>'b'",
            "a->>'b'x",
            "a->'b'->>'c'->>'d'",
        ] {
            assert_eq!(FieldPath::parse(text), None, "{text}");
        }
    }
}
