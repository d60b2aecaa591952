//! What may change, and nothing else: a closed set, each with a way back.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

const LONGEST_NAME: usize = 512;
const MOST_FIELDS: usize = 64;
const LARGEST_SCHEMA: usize = 16 * 1024;

/// Fields in the order of an index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Index {
    /// Where it is.
    pub collection: String,
    /// Dotted paths, most significant first.
    pub fields: Vec<String>,
}

/// An aggregate that is kept up to date with every write.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Rollup {
    /// Where it is.
    pub collection: String,
    /// Dotted paths to group by.
    pub group_by: Vec<String>,
    /// SQL aggregates, for example `sum(amount)`.
    pub aggregates: Vec<String>,
}

/// One field, and the type it has or should have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Field {
    /// Where it is.
    pub collection: String,
    /// Dotted path.
    pub path: String,
    /// A JSON Schema of the field's values.
    pub schema: Value,
}

/// A second name for a field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alias {
    /// Where it is.
    pub collection: String,
    /// The path that holds the values.
    pub path: String,
    /// The name that shall answer too.
    pub alias: String,
}

/// Fields that shall live in a collection of their own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Where the fields are now.
    pub collection: String,
    /// The path whose value identifies a linked record.
    pub key: String,
    /// The paths that the key determines.
    pub fields: Vec<String>,
    /// The new collection.
    pub target: String,
}

/// A change that the host knows how to make and how to take back. As `wit/strategy.wit` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Mutation {
    /// Keep an index.
    CreateIndex(Index),
    /// Give an index up.
    DropIndex(Index),
    /// Keep an aggregate.
    CreateRollup(Rollup),
    /// Give an aggregate up.
    DropRollup(Rollup),
    /// Declare a field that has emerged from incoming data.
    PromoteField(Field),
    /// Let a field take more types than it did.
    WidenField(Field),
    /// Answer to a second name.
    AliasField(Alias),
    /// Take a stale field out of the schema; its bytes stay.
    ArchiveField(Field),
    /// Take an archived field back.
    RestoreField(Field),
    /// Split fields off into a linked collection.
    LinkCollection(Link),
}

/// The classes that a policy speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Indexes.
    Index,
    /// Rollups.
    Rollup,
    /// Fields that appear or widen.
    Field,
    /// Second names.
    Alias,
    /// Fields that go out of sight and come back.
    Archive,
    /// Linked collections.
    Link,
}

/// How a mutation proves itself before it counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trial {
    /// Queries run with and without it, and it has to make them faster.
    Gain,
    /// Queries run with and without it, and it must not make them slower.
    Harm,
    /// Documents must say the same before and after, and taking it back must give what was.
    Invariants,
}

/// Why a mutation makes no sense whatever the schema is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A name is empty or too long.
    #[error("{0} needs a name of 1 to {LONGEST_NAME} bytes without control characters")]
    Name(&'static str),
    /// No fields, or too many.
    #[error("{0} needs 1 to {MOST_FIELDS} fields, each once")]
    Fields(&'static str),
    /// A schema that is no object, or a very large one.
    #[error("the field's schema has to be a JSON object of at most {LARGEST_SCHEMA} bytes")]
    Schema,
    /// A link to the collection itself, or of the key by the key.
    #[error(
        "a linked collection needs a target other than its source, and fields other than its key"
    )]
    Circular,
}

impl Mutation {
    /// Its class.
    pub fn class(&self) -> Class {
        match self {
            Self::CreateIndex(_) | Self::DropIndex(_) => Class::Index,
            Self::CreateRollup(_) | Self::DropRollup(_) => Class::Rollup,
            Self::PromoteField(_) | Self::WidenField(_) => Class::Field,
            Self::AliasField(_) => Class::Alias,
            Self::ArchiveField(_) | Self::RestoreField(_) => Class::Archive,
            Self::LinkCollection(_) => Class::Link,
        }
    }

    /// How it proves itself.
    pub fn trial(&self) -> Trial {
        match self {
            Self::CreateIndex(_) | Self::CreateRollup(_) => Trial::Gain,
            Self::DropIndex(_) | Self::DropRollup(_) => Trial::Harm,
            _ => Trial::Invariants,
        }
    }

    /// Whether it gives up something that costs time to make again.
    pub fn is_drop(&self) -> bool {
        matches!(self, Self::DropIndex(_) | Self::DropRollup(_))
    }

    /// Whether it changes the catalogue alone, and so needs no turn among the builds.
    pub fn is_light(&self) -> bool {
        matches!(self.class(), Class::Field | Class::Alias | Class::Archive)
    }

    /// The name of what is changed. Making and giving up an index speak of one subject.
    pub fn subject(&self) -> String {
        match self {
            Self::CreateIndex(index) | Self::DropIndex(index) => index.name(),
            Self::CreateRollup(rollup) | Self::DropRollup(rollup) => rollup.name(),
            Self::PromoteField(field)
            | Self::WidenField(field)
            | Self::ArchiveField(field)
            | Self::RestoreField(field) => field_name(&field.collection, &field.path),
            Self::AliasField(alias) => {
                format!("alias {}", field_name(&alias.collection, &alias.alias))
            }
            Self::LinkCollection(link) => {
                format!("link {}", field_name(&link.collection, &link.key))
            }
        }
    }

    /// Which collection it changes.
    pub fn collection(&self) -> &str {
        match self {
            Self::CreateIndex(index) | Self::DropIndex(index) => &index.collection,
            Self::CreateRollup(rollup) | Self::DropRollup(rollup) => &rollup.collection,
            Self::PromoteField(field)
            | Self::WidenField(field)
            | Self::ArchiveField(field)
            | Self::RestoreField(field) => &field.collection,
            Self::AliasField(alias) => &alias.collection,
            Self::LinkCollection(link) => &link.collection,
        }
    }

    /// The name of its kind, as in the action `schema.create-index` that rules speak of.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::CreateIndex(_) => "create-index",
            Self::DropIndex(_) => "drop-index",
            Self::CreateRollup(_) => "create-rollup",
            Self::DropRollup(_) => "drop-rollup",
            Self::PromoteField(_) => "promote-field",
            Self::WidenField(_) => "widen-field",
            Self::AliasField(_) => "alias-field",
            Self::ArchiveField(_) => "archive-field",
            Self::RestoreField(_) => "restore-field",
            Self::LinkCollection(_) => "link-collection",
        }
    }

    /// Whether it can be one at all: a strategy may send anything.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check(&self) -> Result<(), Malformed> {
        name("a collection", self.collection())?;
        match self {
            Self::CreateIndex(index) | Self::DropIndex(index) => fields("an index", &index.fields),
            Self::CreateRollup(rollup) | Self::DropRollup(rollup) => {
                fields("a rollup", &rollup.group_by)?;
                fields("a rollup", &rollup.aggregates)
            }
            Self::PromoteField(field)
            | Self::WidenField(field)
            | Self::ArchiveField(field)
            | Self::RestoreField(field) => {
                name("a field", &field.path)?;
                let fits =
                    field.schema.is_object() && field.schema.to_string().len() <= LARGEST_SCHEMA;
                if fits { Ok(()) } else { Err(Malformed::Schema) }
            }
            Self::AliasField(alias) => {
                name("a field", &alias.path)?;
                name("an alias", &alias.alias)?;
                if alias.path == alias.alias {
                    return Err(Malformed::Circular);
                }
                Ok(())
            }
            Self::LinkCollection(link) => {
                name("a key", &link.key)?;
                name("a target", &link.target)?;
                fields("a linked collection", &link.fields)?;
                if link.target == link.collection || link.fields.contains(&link.key) {
                    return Err(Malformed::Circular);
                }
                Ok(())
            }
        }
    }
}

impl Index {
    /// `orders(customer, date)`: under this name an engine reports its use.
    pub fn name(&self) -> String {
        format!("{}({})", self.collection, self.fields.join(", "))
    }
}

impl Rollup {
    /// `orders by customer: sum(total)`: under this name an engine reports its use.
    pub fn name(&self) -> String {
        format!(
            "{} by {}: {}",
            self.collection,
            self.group_by.join(", "),
            self.aggregates.join(", ")
        )
    }
}

pub(crate) fn field_name(collection: &str, path: &str) -> String {
    format!("{collection}.{path}")
}

impl fmt::Display for Mutation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AliasField(alias) => write!(
                f,
                "alias-field {}.{} as {}",
                alias.collection, alias.path, alias.alias
            ),
            Self::LinkCollection(link) => write!(
                f,
                "link-collection {} by {}.{}",
                link.target, link.collection, link.key
            ),
            other => write!(f, "{} {}", other.kind(), other.subject()),
        }
    }
}

fn name(what: &'static str, name: &str) -> Result<(), Malformed> {
    let fits = !name.is_empty() && name.len() <= LONGEST_NAME && !name.contains(char::is_control);
    if fits {
        Ok(())
    } else {
        Err(Malformed::Name(what))
    }
}

fn fields(what: &'static str, fields: &[String]) -> Result<(), Malformed> {
    if fields.is_empty() || fields.len() > MOST_FIELDS {
        return Err(Malformed::Fields(what));
    }
    for (at, field) in fields.iter().enumerate() {
        name(what, field)?;
        if fields[..at].contains(field) {
            return Err(Malformed::Fields(what));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mutation_is_written_as_the_contract_names_it() {
        let mutation = Mutation::CreateIndex(Index {
            collection: "orders".to_owned(),
            fields: vec!["customer".to_owned()],
        });
        let written =
            json!({"kind": "create-index", "collection": "orders", "fields": ["customer"]});
        assert_eq!(json!(mutation), written);
        assert_eq!(mutation.to_string(), "create-index orders(customer)");
    }

    #[test]
    fn what_cannot_be_a_mutation_is_refused() {
        let index = |fields: &[&str]| {
            Mutation::CreateIndex(Index {
                collection: "t".to_owned(),
                fields: fields.iter().map(ToString::to_string).collect(),
            })
        };
        assert!(index(&["a", "b"]).check().is_ok());
        for fields in [&[][..], &["a", "a"], &[""], &["a\u{0}"]] {
            assert!(index(fields).check().is_err(), "{fields:?}");
        }
        let field = Mutation::PromoteField(Field {
            collection: "t".to_owned(),
            path: "a".to_owned(),
            schema: json!("no object"),
        });
        assert_eq!(field.check(), Err(Malformed::Schema));
        let link = Mutation::LinkCollection(Link {
            collection: "t".to_owned(),
            key: "k".to_owned(),
            fields: vec!["k".to_owned()],
            target: "u".to_owned(),
        });
        assert_eq!(link.check(), Err(Malformed::Circular));
    }
}
