//! Collections and plans as the API shows them.

use polity_database::{BuildState, Collection, PlanNode};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Every collection.
#[derive(Serialize, ToSchema)]
pub(crate) struct Collections {
    /// By name.
    pub(super) items: Vec<CollectionView>,
}

/// A set of documents.
#[derive(Serialize, ToSchema)]
pub(crate) struct CollectionView {
    /// Its name.
    #[schema(example = "orders")]
    name: String,
    /// How many documents it has.
    rows: u64,
    /// Its fields, in the order they were first seen.
    fields: Vec<FieldView>,
    /// Additional orders.
    indexes: Vec<IndexView>,
    /// Maintained aggregates, by name.
    rollups: Vec<String>,
}

/// A field of the documents.
#[derive(Serialize, ToSchema)]
pub(crate) struct FieldView {
    /// Its name.
    name: String,
    /// What its values have in common: `unknown`, `bool`, `int`, `dec`, `float`, `text`, `json` or `mixed`.
    r#type: String,
    /// `emergent` while it was only seen in documents, `column`, or `archived` where `SELECT *` leaves it out.
    state: String,
    /// Whether a document without it is refused.
    required: bool,
}

/// An additional order.
#[derive(Serialize, ToSchema)]
pub(crate) struct IndexView {
    /// Its name.
    name: String,
    /// Its columns, in order.
    fields: Vec<String>,
    /// `building`, `hidden` or `active`.
    state: String,
}

/// One step of a plan and the steps that it takes its rows from.
#[derive(Serialize, ToSchema)]
pub(crate) struct PlanView {
    /// What is done.
    #[schema(example = "read index and rows")]
    pub(crate) step: String,
    /// To what, by which conditions.
    detail: String,
    /// Expected rows; null where they would tell of rows that the caller may not touch.
    rows: Option<u64>,
    /// Expected microseconds, with all steps below; null as above.
    cost_us: Option<f64>,
    /// The index or rollup that is used.
    uses: Option<String>,
    /// Where the rows come from.
    #[schema(no_recursion)]
    inputs: Vec<Self>,
    /// The whole plan as text; in the last step alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    text: Option<String>,
}

/// How records are used.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(crate) struct StatsView {
    /// Collections with rows, reads and writes.
    collections: Vec<Value>,
    /// The heaviest query shapes, without literals.
    queries: Vec<Value>,
    /// Fields of all collections.
    fields: Vec<Value>,
    /// Indexes and rollups that answered queries.
    accesses: Vec<Value>,
}

impl CollectionView {
    pub(super) fn of(found: &Collection, rows: u64) -> Self {
        Self {
            name: found.name.clone(),
            rows,
            fields: found
                .fields
                .iter()
                .map(|field| FieldView {
                    name: field.name.clone(),
                    r#type: word(field.ty),
                    state: word(field.state),
                    required: field.required,
                })
                .collect(),
            indexes: found
                .indexes
                .iter()
                .map(|index| IndexView {
                    name: index.name.clone(),
                    fields: found.columns_of(index),
                    state: state(&index.state),
                })
                .collect(),
            rollups: found
                .rollups
                .iter()
                .map(|rollup| rollup.name.clone())
                .collect(),
        }
    }
}

impl PlanView {
    pub(super) fn of(node: PlanNode) -> Self {
        let text = node.to_string();
        Self {
            text: Some(text),
            ..Self::step(node)
        }
    }

    fn step(node: PlanNode) -> Self {
        Self {
            step: node.step,
            detail: node.detail,
            rows: node.rows,
            cost_us: node.cost,
            uses: node.uses,
            inputs: node.inputs.into_iter().map(Self::step).collect(),
            text: None,
        }
    }
}

/// A value that is written as one word.
fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        _ => String::new(),
    }
}

fn state(state: &BuildState) -> String {
    match state {
        BuildState::Building { .. } => "building",
        BuildState::Hidden => "hidden",
        BuildState::Active => "active",
    }
    .to_owned()
}
