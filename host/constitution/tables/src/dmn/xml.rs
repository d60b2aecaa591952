//! From DMN's XML to a model. Namespaces of the versions differ, so elements are known by their local names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use roxmltree::{Document, Node, ParsingOptions};

use super::boxed::{Boxed, Function};
use super::model::{ImportError, Model, Service};
use crate::Options;
use crate::decision::DecisionTable;
use crate::feel::{is_plain_name, parse_expression};
use crate::table::{Aggregation, AllowedValues, Entry, HitPolicy, Input, Output, Rule, Table};
use crate::value::Kind;

/// Boxes within boxes.
const MAX_DEPTH: usize = 32;
/// A model of half a megabyte has some thirty thousand elements.
const MAX_NODES: u32 = 2_000_000;

pub(super) fn model(text: &str, others: &[&str]) -> Result<Model, ImportError> {
    let parsed = document(text)?;
    let root = parsed.root_element();
    let mut imports = BTreeMap::new();
    for import in children(root, "import") {
        let namespace = import.attribute("namespace").unwrap_or_default();
        let name = import.attribute("name").unwrap_or_default();
        if import
            .attribute("importType")
            .is_some_and(|kind| !kind.contains("DMN"))
        {
            continue;
        }
        let found = others.iter().find_map(|other| {
            let other = document(other).ok()?;
            (other.root_element().attribute("namespace") == Some(namespace))
                .then(|| read(other.root_element(), BTreeMap::new()))
        });
        let model = found.ok_or_else(|| ImportError::MissingImport {
            name: name.to_owned(),
            namespace: namespace.to_owned(),
        })??;
        imports.insert(Arc::from(name), model);
    }
    read(root, imports)
}

fn document(text: &str) -> Result<Document<'_>, ImportError> {
    let options = ParsingOptions {
        nodes_limit: MAX_NODES,
        ..ParsingOptions::default()
    };
    let parsed = Document::parse_with_options(text, options)
        .map_err(|error| ImportError::NotXml(error.to_string()))?;
    match parsed.root_element().tag_name().name() {
        "definitions" => Ok(parsed),
        other => Err(ImportError::NotDmn(other.to_owned())),
    }
}

fn read(root: Node<'_, '_>, imports: BTreeMap<Arc<str>, Model>) -> Result<Model, ImportError> {
    let mut reader = Reader {
        names: BTreeSet::new(),
        types: BTreeMap::new(),
    };
    for node in root.descendants() {
        if let Some(name) = node.attribute("name")
            && !is_plain_name(name)
            && !node.tag_name().name().starts_with("DMN")
        {
            reader.names.insert(Arc::from(name));
        }
    }
    for (prefix, model) in &imports {
        let inner = model.knowledge.keys().chain(model.decisions.keys());
        reader
            .names
            .extend(inner.filter(|name| !is_plain_name(name)).cloned());
        if !is_plain_name(prefix) {
            reader.names.insert(prefix.clone());
        }
    }
    for item in children(root, "itemDefinition") {
        let name = item.attribute("name").unwrap_or_default();
        reader.types.insert(name.to_owned(), reader.item(item));
    }
    let mut model = Model {
        name: root.attribute("name").unwrap_or_default().to_owned(),
        imports,
        ..Model::default()
    };
    let mut by_id: BTreeMap<&str, Arc<str>> = BTreeMap::new();
    for node in root.children().filter(Node::is_element) {
        let name: Arc<str> = Arc::from(node.attribute("name").unwrap_or_default());
        by_id.insert(node.attribute("id").unwrap_or_default(), name.clone());
        match node.tag_name().name() {
            "inputData" => {
                let kind =
                    child(node, "variable").and_then(|variable| variable.attribute("typeRef"));
                model.inputs.insert(name, reader.kind(kind));
            }
            "decision" => {
                let body = reader.body_of(node, &name)?;
                model.decisions.insert(name, body);
            }
            "businessKnowledgeModel" => {
                if let Some(logic) = child(node, "encapsulatedLogic") {
                    let function = reader.function(logic, &name, 0)?;
                    model.knowledge.insert(name, function);
                }
            }
            _ => {}
        }
    }
    for service in children(root, "decisionService") {
        let named = |element: &str| -> Vec<Arc<str>> {
            children(service, element)
                .filter_map(|node| node.attribute("href"))
                .filter_map(|href| {
                    by_id
                        .get(href.rsplit_once('#').map_or(href, |(_, id)| id))
                        .cloned()
                })
                .collect()
        };
        let parameters = named("inputData")
            .into_iter()
            .chain(named("inputDecision"))
            .collect();
        let name = service.attribute("name").unwrap_or_default();
        let outputs = named("outputDecision");
        model.services.insert(
            Arc::from(name),
            Service {
                outputs,
                parameters,
            },
        );
    }
    Ok(model)
}

struct Reader {
    /// Names that are no plain words; the lexer has to know them.
    names: BTreeSet<Arc<str>>,
    types: BTreeMap<String, Kind>,
}

impl Reader {
    fn item(&self, item: Node<'_, '_>) -> Kind {
        if item.attribute("isCollection") == Some("true") {
            return Kind::List;
        }
        match text_of(item, "typeRef") {
            Some(name) => self.kind(Some(&name)),
            None => Kind::Context,
        }
    }

    fn kind(&self, name: Option<&str>) -> Kind {
        let Some(name) = name else {
            return Kind::Any;
        };
        name.parse()
            .ok()
            .or_else(|| self.types.get(name).copied())
            .unwrap_or(Kind::Any)
    }

    fn names(&self) -> Vec<Arc<str>> {
        self.names.iter().cloned().collect()
    }

    fn body_of(&self, node: Node<'_, '_>, owner: &str) -> Result<Boxed, ImportError> {
        match node.children().find(|child| is_body(*child)) {
            Some(body) => self.body(body, owner, 0),
            None => Ok(Boxed::Unsupported("the decision has no logic".to_owned())),
        }
    }

    fn body(&self, node: Node<'_, '_>, owner: &str, depth: usize) -> Result<Boxed, ImportError> {
        if depth > MAX_DEPTH {
            return Err(ImportError::TooDeep(MAX_DEPTH));
        }
        Ok(match node.tag_name().name() {
            "literalExpression" => self.literal(&text_of(node, "text").unwrap_or_default()),
            "decisionTable" => self.table(node, owner),
            "context" => {
                let mut entries = Vec::new();
                for entry in children(node, "contextEntry") {
                    let name =
                        child(entry, "variable").and_then(|variable| variable.attribute("name"));
                    let body = match entry.children().find(|child| is_body(*child)) {
                        Some(body) => self.body(body, name.unwrap_or(owner), depth + 1)?,
                        None => Boxed::Unsupported("a context entry is empty".to_owned()),
                    };
                    entries.push((name.map(Arc::from), body));
                }
                Boxed::Context(entries)
            }
            "invocation" => {
                let callee = child(node, "literalExpression")
                    .and_then(|callee| text_of(callee, "text"))
                    .unwrap_or_default();
                let mut bindings = Vec::new();
                for binding in children(node, "binding") {
                    let name = child(binding, "parameter")
                        .and_then(|parameter| parameter.attribute("name"));
                    if let Some(body) = binding.children().find(|child| is_body(*child)) {
                        bindings.push((
                            Arc::from(name.unwrap_or_default()),
                            self.body(body, owner, depth + 1)?,
                        ));
                    }
                }
                match parse_expression(&callee, &self.names()) {
                    Ok(callee) => Boxed::Invocation(callee, bindings),
                    Err(error) => Boxed::Unsupported(error.to_string()),
                }
            }
            "list" => {
                let items = node.children().filter(|child| is_body(*child));
                Boxed::List(
                    items
                        .map(|item| self.body(item, owner, depth + 1))
                        .collect::<Result<_, _>>()?,
                )
            }
            "relation" => {
                let columns = children(node, "column")
                    .filter_map(|column| column.attribute("name"))
                    .map(Arc::from)
                    .collect();
                let mut rows = Vec::new();
                for row in children(node, "row") {
                    let cells = row.children().filter(|child| is_body(*child));
                    rows.push(
                        cells
                            .map(|cell| self.body(cell, owner, depth + 1))
                            .collect::<Result<_, _>>()?,
                    );
                }
                Boxed::Relation(columns, rows)
            }
            "functionDefinition" => Boxed::Function(self.function(node, owner, depth + 1)?),
            other => Boxed::Unsupported(format!("<{other}> is not carried out here")),
        })
    }

    fn function(
        &self,
        node: Node<'_, '_>,
        owner: &str,
        depth: usize,
    ) -> Result<Function, ImportError> {
        let parameters = children(node, "formalParameter")
            .filter_map(|parameter| parameter.attribute("name"))
            .map(Arc::from)
            .collect();
        let body = match node.children().find(|child| is_body(*child)) {
            _ if node.attribute("kind").is_some_and(|kind| kind != "FEEL") => Boxed::Unsupported(
                "functions in other languages are not carried out here".to_owned(),
            ),
            Some(body) => self.body(body, owner, depth + 1)?,
            None => Boxed::Unsupported("the function has no body".to_owned()),
        };
        Ok(Function {
            parameters,
            body: Box::new(body),
        })
    }

    fn literal(&self, text: &str) -> Boxed {
        match parse_expression(text, &self.names()) {
            Ok(expr) => Boxed::Literal(expr),
            Err(error) => Boxed::Unsupported(format!("{error}: `{}`", text.trim())),
        }
    }

    fn table(&self, node: Node<'_, '_>, owner: &str) -> Boxed {
        let hit_policy = match node.attribute("hitPolicy") {
            Some("FIRST") => HitPolicy::First,
            Some("PRIORITY") => HitPolicy::Priority,
            Some("ANY") => HitPolicy::Any,
            Some("COLLECT") => HitPolicy::Collect,
            Some("RULE ORDER") => HitPolicy::RuleOrder,
            Some("OUTPUT ORDER") => HitPolicy::OutputOrder,
            _ => HitPolicy::Unique,
        };
        let aggregation = match node.attribute("aggregation") {
            Some("SUM") => Some(Aggregation::Sum),
            Some("MIN") => Some(Aggregation::Min),
            Some("MAX") => Some(Aggregation::Max),
            Some("COUNT") => Some(Aggregation::Count),
            _ => None,
        };
        let values = |node: Node<'_, '_>, name: &str| {
            child(node, name)
                .and_then(|values| text_of(values, "text"))
                .map(AllowedValues::Tests)
        };
        let inputs = children(node, "input")
            .map(|input| {
                let expression = child(input, "inputExpression");
                Input {
                    name: input.attribute("label").map(ToOwned::to_owned),
                    expression: expression
                        .and_then(|expression| text_of(expression, "text"))
                        .map(|text| text.trim().to_owned()),
                    type_ref: self
                        .kind(expression.and_then(|expression| expression.attribute("typeRef"))),
                    allowed_values: values(input, "inputValues"),
                    nullable: true,
                    unit: None,
                }
            })
            .collect();
        let outputs = children(node, "output")
            .map(|output| Output {
                name: output.attribute("name").unwrap_or_default().to_owned(),
                type_ref: self.kind(output.attribute("typeRef")),
                allowed_values: values(output, "outputValues"),
                default_output_entry: child(output, "defaultOutputEntry")
                    .and_then(|entry| text_of(entry, "text"))
                    .map(Entry),
                permits: Vec::new(),
            })
            .collect();
        let entries = |rule: Node<'_, '_>, name: &str, empty: &str| -> Vec<Entry> {
            children(rule, name)
                .map(|entry| text_of(entry, "text").filter(|text| !text.trim().is_empty()))
                .map(|text| Entry(text.unwrap_or_else(|| empty.to_owned())))
                .collect()
        };
        let rules = children(node, "rule")
            .map(|rule| Rule {
                id: rule.attribute("id").map(ToOwned::to_owned),
                input_entries: entries(rule, "inputEntry", "-"),
                output_entries: entries(rule, "outputEntry", "null"),
                annotation: text_of(rule, "description"),
            })
            .collect();
        let table = Table {
            schema: None,
            name: slug(owner),
            title: Some(owner.to_owned()),
            questions: Vec::new(),
            policy: None,
            owner: None,
            decides: None,
            hit_policy,
            aggregation,
            inputs,
            outputs,
            rules,
        };
        let options = Options {
            names: self.names(),
            lenient: true,
        };
        match DecisionTable::compile(table, &options) {
            Ok(table) => Boxed::Table(Box::new(table)),
            Err(faults) => {
                let reasons: Vec<_> = faults
                    .iter()
                    .map(|fault| format!("{}: {}", fault.pointer, fault.message))
                    .collect();
                Boxed::Unsupported(reasons.join("; "))
            }
        }
    }
}

/// A name that a document of ours may have.
fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.ends_with('-') && !slug.is_empty() {
            slug.push('-');
        }
    }
    let slug = slug.trim_matches('-');
    let slug = &slug[..slug.len().min(60)];
    if slug.starts_with(|c: char| c.is_ascii_lowercase()) {
        slug.to_owned()
    } else {
        format!("t-{slug}").trim_end_matches('-').to_owned()
    }
}

const BODIES: [&str; 14] = [
    "literalExpression",
    "decisionTable",
    "context",
    "invocation",
    "list",
    "relation",
    "functionDefinition",
    "conditional",
    "for",
    "some",
    "every",
    "filter",
    "iterator",
    "quantified",
];

fn is_body(node: Node<'_, '_>) -> bool {
    node.is_element() && BODIES.contains(&node.tag_name().name())
}

fn children<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children()
        .filter(move |child| child.is_element() && child.tag_name().name() == name)
}

fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    children(node, name).next()
}

fn text_of(node: Node<'_, '_>, name: &str) -> Option<String> {
    child(node, name).map(|child| child.text().unwrap_or_default().trim().to_owned())
}
