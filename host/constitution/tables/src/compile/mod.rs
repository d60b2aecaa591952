//! From a document to a table that can be asked: cells are parsed, typed and turned into sets of ranks.

mod axis;
mod cell;
mod column;
mod index;
mod output;
mod ranks;

use std::collections::BTreeSet;
use std::sync::Arc;

pub use axis::Axis;
pub use cell::Cell;
pub use column::Column;
pub use output::{Answer, OutputColumn};
pub use ranks::Ranks;

pub(crate) use index::Index;

use polity_document::suggest;

use crate::decision::DecisionTable;
use crate::feel::SyntaxError;
use crate::table::{Aggregation, HitPolicy, Table};

/// What is wrong with one part of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Stable and lower-case, for programs.
    pub code: &'static str,
    /// The part, as a JSON pointer.
    pub pointer: String,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    /// What to do, in one sentence.
    pub fix: String,
    /// Whether the cause is FEEL that is not carried out here.
    pub unsupported: bool,
}

/// How strictly a table is read.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Names that expressions may use and that are no plain words.
    pub names: Vec<Arc<str>>,
    /// As DMN has it: any input may be null, names may come from outside the table, and what cannot be computed is null.
    pub lenient: bool,
}

impl Fault {
    pub(crate) fn new(
        code: &'static str,
        pointer: String,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            code,
            pointer,
            message: message.into(),
            fix: fix.into(),
            unsupported: false,
        }
    }

    pub(crate) fn syntax(pointer: String, text: &str, error: &SyntaxError) -> Self {
        let before = text
            .get(..error.at)
            .map_or(0, |before| before.chars().count());
        Self {
            unsupported: error.unsupported,
            ..Self::new(
                "bad-expression",
                pointer,
                format!(
                    "{} (character {} of `{}`)",
                    error.message,
                    before + 1,
                    short(text)
                ),
                "write a test such as `< 500`, `[18..65]`, `\"a\", \"b\"`, `not(\"a\")` or `-`",
            )
        }
    }
}

/// A text that fits a message.
pub(crate) fn short(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

/// Compiles a table.
pub(crate) fn compile(table: Arc<Table>, options: &Options) -> Result<DecisionTable, Vec<Fault>> {
    let mut faults = shape(&table);
    if !faults.is_empty() {
        return Err(faults);
    }
    let mut names: Vec<Arc<str>> = options.names.clone();
    for input in &table.inputs {
        for name in [input.label(), input.source()] {
            // A path is read part by part; any other text that is no plain word is a name as a whole.
            if !crate::feel::is_plain_name(name)
                && !name.contains('.')
                && !name.contains(['(', '[', '*', '+'])
            {
                names.push(Arc::from(name));
            }
        }
    }
    let mut columns = Vec::with_capacity(table.inputs.len());
    for at in 0..table.inputs.len() {
        match Column::compile(&table, at, &names, options.lenient) {
            Ok(column) => columns.push((at, column)),
            Err(more) => faults.extend(more),
        }
    }
    let mut outputs = Vec::with_capacity(table.outputs.len());
    for at in 0..table.outputs.len() {
        match OutputColumn::compile(&table, at, &names, options.lenient) {
            Ok(output) => outputs.push((at, output)),
            Err(more) => faults.extend(more),
        }
    }
    if !options.lenient {
        faults.extend(names_known(&table, &columns, &outputs));
    }
    if !faults.is_empty() {
        return Err(faults);
    }
    let columns: Vec<Column> = columns.into_iter().map(|(_, column)| column).collect();
    let outputs = outputs.into_iter().map(|(_, output)| output).collect();
    let cells: Vec<_> = columns
        .iter()
        .map(|column| {
            (
                column.cells.iter().map(|cell| &cell.may).collect(),
                column.axis.count(),
            )
        })
        .collect();
    let index = Index::new(table.rules.len(), &cells);
    Ok(DecisionTable::assemble(
        table,
        columns,
        outputs,
        index,
        options.lenient,
    ))
}

/// What a schema cannot see.
fn shape(table: &Table) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (row, rule) in table.rules.iter().enumerate() {
        for (field, found, wanted, what) in [
            (
                "inputEntries",
                rule.input_entries.len(),
                table.inputs.len(),
                "inputs",
            ),
            (
                "outputEntries",
                rule.output_entries.len(),
                table.outputs.len(),
                "outputs",
            ),
        ] {
            if found != wanted {
                faults.push(Fault::new(
                    "wrong-width",
                    format!("/rules/{row}/{field}"),
                    format!("row {} has {found} entries for {wanted} {what}", row + 1),
                    format!("give it {wanted} entries, with \"-\" where an input does not matter"),
                ));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for (at, input) in table.inputs.iter().enumerate() {
        if input.source().trim().is_empty() {
            faults.push(Fault::new(
                "missing-field",
                format!("/inputs/{at}"),
                "the input has neither a name nor an expression",
                "add \"name\": where the value is found in the input",
            ));
        } else if !seen.insert(input.source()) {
            faults.push(Fault::new(
                "repeated-input",
                format!("/inputs/{at}"),
                format!("the input \"{}\" stands in the table twice", input.source()),
                "join the two columns",
            ));
        }
    }
    if table.outputs.is_empty() {
        faults.push(Fault::new(
            "missing-field",
            "/outputs".to_owned(),
            "the table has no output",
            "add one",
        ));
    }
    if table.outputs.len() > 1 {
        let mut names = BTreeSet::new();
        for (at, output) in table.outputs.iter().enumerate() {
            if output.name.is_empty() || !names.insert(output.name.as_str()) {
                faults.push(Fault::new(
                    "bad-name",
                    format!("/outputs/{at}"),
                    "each of several outputs needs a name of its own",
                    "give it another \"name\"",
                ));
            }
        }
    }
    if let Some(aggregation) = table.aggregation {
        if table.hit_policy != HitPolicy::Collect {
            faults.push(Fault::new(
                "no-effect",
                "/aggregation".to_owned(),
                format!("{} does not aggregate", table.hit_policy.name()),
                "set \"hitPolicy\": \"COLLECT\", or remove \"aggregation\"",
            ));
        } else if table.outputs.len() > 1 && aggregation != Aggregation::Count {
            faults.push(Fault::new(
                "bad-aggregation",
                "/aggregation".to_owned(),
                "a sum, least or greatest is of one output, and the table has several",
                "keep one output, or remove \"aggregation\"",
            ));
        }
    }
    if matches!(
        table.hit_policy,
        HitPolicy::Priority | HitPolicy::OutputOrder
    ) && table
        .outputs
        .iter()
        .all(|output| output.allowed_values.is_none())
    {
        faults.push(Fault::new(
            "no-priority",
            "/outputs/0".to_owned(),
            format!(
                "{} ranks outputs, and no output lists its values",
                table.hit_policy.name()
            ),
            "add \"allowedValues\" with the value that outranks the others first",
        ));
    }
    faults
}

/// Every name that an expression uses must be an input of the table, because only inputs are checked.
fn names_known(
    table: &Table,
    columns: &[(usize, Column)],
    outputs: &[(usize, OutputColumn)],
) -> Vec<Fault> {
    let known: BTreeSet<&str> = table
        .inputs
        .iter()
        .flat_map(|input| {
            [
                input.source(),
                input.source().split('.').next().unwrap_or_default(),
            ]
        })
        .collect();
    let mut faults = Vec::new();
    for (at, column) in columns {
        for (row, cell) in column.cells.iter().enumerate() {
            let mut unknown = BTreeSet::new();
            for test in &cell.tests {
                test.each_name(&mut |name| {
                    if !is_known(&known, name) {
                        unknown.insert(name.to_owned());
                    }
                });
            }
            let listed = column.axis.listed();
            let pointer = format!("/rules/{row}/inputEntries/{at}");
            faults.extend(
                unknown
                    .iter()
                    .map(|name| unknown_name(pointer.clone(), name, &listed)),
            );
        }
    }
    for (at, output) in outputs {
        let listed: Vec<&str> = output
            .listed
            .iter()
            .filter_map(|value| match value {
                crate::value::Value::String(text) => Some(&**text),
                _ => None,
            })
            .collect();
        let answers = output.answers.iter().enumerate();
        let places = answers
            .map(|(row, answer)| (format!("/rules/{row}/outputEntries/{at}"), answer))
            .chain(
                output
                    .default
                    .iter()
                    .map(|answer| (format!("/outputs/{at}/defaultOutputEntry"), answer)),
            );
        for (pointer, answer) in places {
            let Answer::Computed(expr) = answer else {
                continue;
            };
            let mut unknown = BTreeSet::new();
            expr.each_name(&mut |name| {
                if !is_known(&known, name) {
                    unknown.insert(name.to_owned());
                }
            });
            faults.extend(
                unknown
                    .iter()
                    .map(|name| unknown_name(pointer.clone(), name, &listed)),
            );
        }
    }
    faults
}

fn is_known(known: &BTreeSet<&str>, name: &str) -> bool {
    name == "?" || name == "item" || known.contains(name)
}

fn unknown_name(pointer: String, name: &str, listed: &[&str]) -> Fault {
    if listed.is_empty() {
        return Fault::new(
            "unknown-name",
            pointer,
            format!("\"{}\" is no input of this table", short(name)),
            format!(
                "put quotation marks round it if it is a text (\\\"{}\\\" in JSON), or add it to the inputs",
                short(name)
            ),
        );
    }
    Fault::new(
        "unlisted-value",
        pointer,
        format!(
            "\"{}\" is neither an allowed value of this column nor an input of this table",
            short(name)
        ),
        suggest::fix(name, "value", listed.iter().copied()),
    )
}
