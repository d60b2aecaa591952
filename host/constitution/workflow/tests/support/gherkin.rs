//! The part of Gherkin that the conformance kit uses: features, scenarios, steps, doc strings and tables.

/// One scenario.
pub(crate) struct Scenario {
    pub(crate) feature: String,
    pub(crate) name: String,
    pub(crate) steps: Vec<Step>,
}

/// One step, without its keyword.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) text: String,
    pub(crate) doc: Option<String>,
    pub(crate) table: Vec<Vec<String>>,
}

pub(crate) fn parse(text: &str) -> Vec<Scenario> {
    let mut feature = String::new();
    let mut scenarios: Vec<Scenario> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let trimmed = line.trim();
        if let Some(name) = trimmed.strip_prefix("Feature:") {
            feature = name.trim().to_owned();
        } else if let Some(name) = trimmed.strip_prefix("Scenario:") {
            scenarios.push(Scenario {
                feature: feature.clone(),
                name: name.trim().to_owned(),
                steps: Vec::new(),
            });
        } else if trimmed.starts_with("\"\"\"") {
            let indent = line.len() - line.trim_start().len();
            let mut doc = String::new();
            for line in lines.by_ref() {
                if line.trim() == "\"\"\"" {
                    break;
                }
                let cut = line.len() - line.trim_start().len();
                doc.push_str(&line[cut.min(indent)..]);
                doc.push('\n');
            }
            let step = scenarios
                .last_mut()
                .and_then(|scenario| scenario.steps.last_mut());
            step.expect("a doc string follows a step").doc = Some(doc);
        } else if trimmed.starts_with('|') {
            let cells = trimmed
                .trim_matches('|')
                .split('|')
                .map(|cell| cell.trim().to_owned())
                .collect();
            let step = scenarios
                .last_mut()
                .and_then(|scenario| scenario.steps.last_mut());
            step.expect("a table follows a step").table.push(cells);
        } else if let Some(rest) = ["Given ", "When ", "Then ", "And ", "But "]
            .iter()
            .find_map(|keyword| trimmed.strip_prefix(keyword))
        {
            let step = Step {
                text: rest.trim().to_owned(),
                doc: None,
                table: Vec::new(),
            };
            scenarios
                .last_mut()
                .expect("a step belongs to a scenario")
                .steps
                .push(step);
        }
    }
    scenarios
}
