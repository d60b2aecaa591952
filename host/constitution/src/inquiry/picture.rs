//! An answer as a picture. A table is drawn as the choice that it is: one way for each row.

use polity_tables::DecisionTable;
use polity_workflow::{Branch, Step, Tree};

use super::Answer;

impl Answer {
    /// As an SVG; none where nothing covers the question, or what covers it is a rule.
    pub fn svg(&self) -> Option<String> {
        let protocol = self.protocol.as_ref()?;
        match &protocol.tree {
            Some(tree) => Some(tree.svg()),
            None => Some(choice(protocol.drawn.first()?, &self.version.digest).svg()),
        }
    }
}

fn choice(table: &DecisionTable, version: &str) -> Tree {
    let table = table.table();
    let branches = (1..).zip(&table.rules).map(|(number, rule)| {
        let conditions: Vec<String> = table
            .inputs
            .iter()
            .zip(&rule.input_entries)
            .filter(|(_, entry)| entry.0.trim() != "-")
            .map(|(input, entry)| format!("{} {}", input.label(), entry.0))
            .collect();
        let outputs: Vec<&str> = rule
            .output_entries
            .iter()
            .map(|entry| entry.0.as_str())
            .collect();
        let condition = match conditions.is_empty() {
            true => "otherwise".to_owned(),
            false => conditions.join(", "),
        };
        Branch {
            label: format!("{number}. {condition}"),
            goes: Some(outputs.join(", ")),
            steps: Vec::new(),
        }
    });
    let title = table.title.clone().unwrap_or_else(|| table.name.clone());
    Tree {
        workflow: table.name.clone(),
        version: version.chars().take(12).collect(),
        summary: None,
        starts: "when it is asked".to_owned(),
        limit: None,
        steps: vec![Step {
            name: table.name.clone(),
            kind: "switch".to_owned(),
            says: table.hit_policy.name().to_lowercase(),
            condition: None,
            policy: table.policy.clone(),
            effect: None,
            gate: None,
            limit: None,
            branches: branches.collect(),
            then: None,
            line: 1,
            pointer: String::new(),
        }],
        title,
    }
}
