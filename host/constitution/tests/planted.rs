//! A company in which one thing is wrong: the linter names it, says where, shows it and knows a cure. A company in which
//! nothing is wrong is left in peace.

use polity_constitution::{Sources, lint_documents};
use polity_lint::{Code, Finding, Report, Severity, render};
use serde_json::{Value, json};

const CHARTER: &str = r#"{
    "company": {"name": "Example", "currency": "EUR"},
    "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
    "defaults": {"unmatched": "deny"}
}"#;

const RULE: &str = r#"{"rule": "spending-limit", "guards": ["refund.pay"], "policy": "Refunds stay small.", "config": {
    "currency": "EUR", "amount": {"pointer": "/amount", "unit": "unit"}, "limits": [{"per": "action", "soft_micro": 50000000}]
}}"#;

const WORKFLOW: &str = r#"
document: {dsl: 1.0.3, namespace: shop, name: refund, version: 1.0.0}
schedule: {on: {one: {with: {type: shop.refund.asked}}}}
timeout: {after: P21D}
do:
  - outcome:
      call: decide
      with: {table: refund, input: {amount: '${ .[0].data.amount }'}}
      output: {as: '{outcome: .}'}
  - route:
      switch:
        - pay: {when: .outcome == "pay", then: pay}
        - otherwise: {then: ask}
  - ask:
      call: human.approve
      with: {title: Pay it back?, role: owner, proposal: {}, deadline: P2D, escalate: {after: P1D, role: owner}}
      then: end
  - pay:
      call: http
      with: {method: post, endpoint: 'https://bank.example/refunds', body: {}}
      timeout: {after: PT30S}
      metadata: {action: refund.pay, effect: idempotent}
"#;

/// Documents in the place of others, by their path.
type Documents = Vec<(&'static str, String)>;

fn table(rows: &Value) -> String {
    json!({
        "name": "refund", "title": "Refunds", "hitPolicy": "UNIQUE",
        "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": "[0..1000]"}],
        "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask", "refuse"], "permits": ["refuse", "ask", "pay"]}],
        "rules": rows,
    })
    .to_string()
}

fn row(test: &str, answer: &str) -> Value {
    json!({"inputEntries": [test], "outputEntries": [answer]})
}

/// A company in which nothing is wrong.
fn company() -> Vec<(String, String)> {
    let rows = json!([row("<= 50", "pay"), row("> 50", "ask")]);
    [
        ("charter.json", CHARTER.to_owned()),
        ("rules/refunds.json", RULE.to_owned()),
        ("decisions/refund.json", table(&rows)),
        ("workflows/refund.yaml", WORKFLOW.to_owned()),
    ]
    .map(|(file, text)| (file.to_owned(), text))
    .into()
}

fn check(documents: Vec<(String, String)>) -> Report {
    let sources = documents
        .into_iter()
        .fold(Sources::new(), |sources, (file, text)| {
            sources.with(file, text)
        });
    lint_documents(&sources).report
}

/// The same company with some documents in the place of others, or beside them.
fn with(changed: &[(&str, String)]) -> Report {
    let mut documents = company();
    for (file, text) in changed {
        documents.retain(|(known, _)| known != file);
        documents.push(((*file).to_owned(), text.clone()));
    }
    check(documents)
}

fn workflow(old: &str, new: &str) -> Documents {
    assert!(WORKFLOW.contains(old), "{old}");
    vec![("workflows/refund.yaml", WORKFLOW.replace(old, new))]
}

fn rows(rows: Value) -> Documents {
    vec![("decisions/refund.json", table(&rows))]
}

/// What a finding must have to be of use.
fn is_useful(finding: &Finding) {
    assert!(!finding.message.is_empty());
    assert!(finding.place.line > 0, "no place: {finding:?}");
    assert!(
        finding
            .suggestion
            .as_ref()
            .is_some_and(|cure| !cure.title.is_empty()),
        "no cure: {finding:?}"
    );
    let needs_witness = !matches!(
        finding.code,
        Code::Unreadable | Code::IllTypedCell | Code::EffectClassUndeclared | Code::UnknownTarget
    );
    assert!(
        finding.witness.is_some() || !needs_witness,
        "no witness: {finding:?}"
    );
}

#[test]
fn a_company_in_which_nothing_is_wrong_is_left_in_peace() {
    let report = check(company());
    assert!(report.findings.is_empty(), "{}", render::markdown(&report));
    let kinds: Vec<_> = report
        .density
        .iter()
        .map(|density| (density.name.as_str(), density.rows))
        .collect();
    assert_eq!(
        kinds,
        [("refund", 2), ("refund", 4)],
        "a table and a workflow"
    );
    assert!(report.density.iter().all(|density| density.decided == 1.0));
}

#[test]
fn whatever_is_planted_is_found_where_it_stands_with_a_witness_and_a_cure() {
    let two = |decides: &str, line: u32| {
        json!({
            "name": "other", "hitPolicy": "UNIQUE", "decides": decides,
            "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": "[0..1000]"}],
            "outputs": [{"name": "outcome", "typeRef": "string"}],
            "rules": [row(&format!("<= {line}"), "\"pay\""), row(&format!("> {line}"), "\"refuse\"")],
        })
        .to_string()
    };
    let mut deciding: Value =
        serde_json::from_str(&table(&json!([row("<= 50", "pay"), row("> 50", "ask")]))).unwrap();
    deciding["decides"] = json!("refund.outcome");
    let wide = json!({
        "name": "refund", "hitPolicy": "UNIQUE",
        "inputs": [
            {"name": "amount", "typeRef": "number", "allowedValues": "[0..1000]"},
            {"name": "vip", "typeRef": "boolean"},
        ],
        "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask", "refuse"]}],
        "rules": [
            {"inputEntries": ["<= 50", "true"], "outputEntries": ["pay"]},
            {"inputEntries": ["<= 50", "false"], "outputEntries": ["pay"]},
            {"inputEntries": ["> 50", "true"], "outputEntries": ["ask"]},
            {"inputEntries": ["> 50", "false"], "outputEntries": ["ask"]},
        ],
    })
    .to_string();
    let first = |rows: Value| {
        let mut table: Value = serde_json::from_str(&table(&rows)).unwrap();
        table["hitPolicy"] = json!("FIRST");
        vec![("decisions/refund.json", table.to_string())]
    };
    let nullable = |rows: Value| {
        let mut table: Value = serde_json::from_str(&table(&rows)).unwrap();
        table["inputs"][0]["nullable"] = json!(true);
        table["hitPolicy"] = json!("FIRST");
        vec![("decisions/refund.json", table.to_string())]
    };
    let rule = |old: &str, new: &str| RULE.replace(old, new);
    let twin = WORKFLOW.replace("name: refund,", "name: again,");
    let loop_of = "  - again:\n      set: {a: 1}\n      then: more\n  - more:\n      set: {a: 2}\n      then: again\n";
    let planted: Vec<(&str, Code, Documents)> = vec![
        ("rows with two answers", Code::Contradiction, rows(json!([row("<= 60", "pay"), row("> 50", "ask")]))),
        ("rows with one answer that meet", Code::Overlap, rows(json!([row("<= 40", "pay"), row("[20..50]", "pay"), row("> 50", "ask")]))),
        ("inputs that nobody answers", Code::Gap, rows(json!([row("<= 50", "pay"), row("> 60", "ask")]))),
        ("a row twice", Code::DuplicateRow, rows(json!([row("<= 50", "pay"), row("<= 50", "pay"), row("> 50", "ask")]))),
        ("a row within another", Code::SubsumedRow, rows(json!([row("<= 50", "pay"), row("[10..20]", "pay"), row("> 50", "ask")]))),
        ("a row that others take all of", Code::UnreachableRow, first(json!([row("<= 50", "pay"), row("> 50", "ask"), row("[40..60]", "refuse")]))),
        ("rows that could be one", Code::MergeableRows, rows(json!([row("<= 20", "pay"), row("(20..50]", "pay"), row("> 50", "ask")]))),
        ("a column that never matters", Code::IdleColumn, vec![("decisions/refund.json", wide)]),
        ("nothing that is let through", Code::NullApproves, nullable(json!([row("> 50", "ask"), row("-", "pay")]))),
        ("a cell of another type", Code::IllTypedCell, rows(json!([row("\"low\"", "pay"), row("<= 1000", "ask")]))),
        ("no default", Code::NoDefault, rows(json!([row("<= 50", "pay"), row("> 60", "ask")]))),
        ("tables that disagree on one fact", Code::TablesDisagree, vec![
            ("decisions/refund.json", deciding.to_string()),
            ("decisions/other.json", two("refund.outcome", 50)),
        ]),
        ("lines that nearly meet", Code::ThresholdsDisagree, vec![("decisions/other.json", two("something.else", 48))]),
        ("a limit of a rule beside a line of a table", Code::ThresholdsDisagree, vec![("rules/refunds.json", rule("50000000", "45000000"))]),
        ("a case that no table answers", Code::NeverMatches, workflow("\"pay\", then", "\"paid\", then")),
        ("a way to nowhere", Code::UnknownTarget, workflow("then: ask}", "then: asks}")),
        ("a switch without a default", Code::NoDefault, workflow("        - otherwise: {then: ask}\n", "")),
        ("a task that nothing leads to", Code::UnreachableTask, workflow("  - pay:\n", "  - lost:\n      set: {a: 1}\n      then: end\n  - pay:\n")),
        ("a wait without limit", Code::OpenWait, vec![("workflows/refund.yaml", WORKFLOW.replace("timeout: {after: P21D}\n", "").replace("  - pay:\n", "  - listen:\n      listen: {to: {one: {with: {type: shop.money.came}}}}\n  - pay:\n").replace("      then: end\n  - listen", "  - listen"))]),
        ("a loop without an end", Code::UnboundedLoop, workflow("  - pay:\n", &format!("{loop_of}  - pay:\n")).into_iter().map(|(file, text)| (file, text.replace("then: ask}", "then: again}"))).collect()),
        ("an effect before its approval", Code::EffectBeforeApproval, workflow("proposal: {}, deadline: P2D, escalate: {after: P1D, role: owner}}\n      then: end", "proposal: {}, deadline: P2D, escalate: {after: P1D, role: owner}}\n      metadata: {approves: refund.pay}\n      then: end")),
        ("an effect of which nobody says how often", Code::EffectClassUndeclared, workflow("action: refund.pay, effect: idempotent", "action: refund.pay")),
        ("a question without a deadline", Code::GateWithoutDeadline, workflow(", deadline: P2D, escalate: {after: P1D, role: owner}", "")),
        ("a question that nobody else gets", Code::GateWithoutEscalation, workflow(", escalate: {after: P1D, role: owner}", "")),
        ("a role that nobody knows", Code::UnknownRole, workflow("role: owner", "role: treasurer")),
        ("an action without a rule", Code::UnboundAction, workflow("action: refund.pay", "action: refund.settle")),
        ("a rule without an action", Code::RuleNeverApplies, vec![("rules/refunds.json", rule("\"refund.pay\"", "\"refund.pay\", \"gift.*\""))]),
        ("a workflow that nothing starts", Code::NobodyTriggers, workflow("schedule: {on: {one: {with: {type: shop.refund.asked}}}}\n", "")),
        ("two workflows on one event", Code::SharedTrigger, vec![("workflows/again.yaml", twin.clone())]),
        ("one list of steps in two workflows", Code::DuplicateSteps, vec![("workflows/again.yaml", twin)]),
        ("two rules that disagree", Code::RulesDisagree, vec![("rules/again.json", rule("50000000", "40000000"))]),
        ("one rule twice", Code::DuplicateRule, vec![("rules/again.json", RULE.to_owned())]),
    ];
    let mut missed = Vec::new();
    for (what, code, documents) in planted {
        let report = with(&documents);
        let found: Vec<&Finding> = report
            .findings
            .iter()
            .filter(|finding| finding.code == code)
            .collect();
        if found.is_empty() {
            missed.push(format!("{what}:\n{}", render::markdown(&report)));
            continue;
        }
        let files: Vec<&str> = documents.iter().map(|(file, _)| *file).collect();
        assert!(
            found
                .iter()
                .any(|finding| files.contains(&finding.place.file.as_str())
                    || finding
                        .related
                        .iter()
                        .any(|(place, _)| files.contains(&place.file.as_str()))),
            "{what} is found elsewhere: {found:?}"
        );
        found.iter().for_each(|finding| is_useful(finding));
    }
    assert!(missed.is_empty(), "not found: {}", missed.join("\n"));
}

#[test]
fn a_way_into_another_block_is_found() {
    let report = with(&workflow(
        "  - pay:\n",
        "  - block:\n      do:\n        - inner:\n            set: {a: 1}\n            then: pay\n  - pay:\n",
    ));
    let found = report.findings.iter().any(|finding| {
        matches!(finding.code, Code::CrossScopeTarget | Code::UnknownTarget)
            && finding.message.contains("pay")
    });
    assert!(found, "{}", render::markdown(&report));
}

#[test]
fn events_that_one_source_sends_and_another_does_not_are_two_triggers() {
    let narrowed = |source: &str| format!("with: {{type: shop.refund.asked, source: {source}}}");
    let of = |source: &str| WORKFLOW.replace("with: {type: shop.refund.asked}", &narrowed(source));
    let shared = |mine: &str, other: &str| {
        let report = with(&[
            ("workflows/refund.yaml", of(mine)),
            (
                "workflows/again.yaml",
                of(other).replace("name: refund,", "name: again,"),
            ),
        ]);
        report
            .findings
            .iter()
            .any(|finding| finding.code == Code::SharedTrigger)
    };
    assert!(!shared("/web", "/phone"));
    assert!(shared("/web", "/web"));
}

#[test]
fn a_workflow_is_told_how_it_could_say_the_same_in_less() {
    let steps = "  - lost:\n      set: {a: 1, b: 2}\n      then: end\n  - pay:\n";
    let text = WORKFLOW.replace("  - pay:\n", steps).replace(
        "      output: {as: '{outcome: .}'}",
        "      output: {as: '{outcome: .}'}\n      then: continue",
    );
    let report = with(&[("workflows/refund.yaml", text)]);
    let density = &report.density[1];
    assert_eq!((density.rows, density.rows_needed), (5, 4), "{density:?}");
    let titles: Vec<&str> = density
        .best_edits
        .iter()
        .map(|saving| saving.suggestion.title.as_str())
        .collect();
    assert_eq!(titles.len(), 2, "{titles:?}");
    assert!(
        titles[0].contains("lost") && titles[1].contains("continue"),
        "{titles:?}"
    );
    assert!(density.best_edits.iter().all(|saving| saving.tokens > 0));
}

#[test]
fn sarif_has_the_members_that_code_hosts_read() {
    let report = with(&rows(json!([row("<= 60", "pay"), row("> 50", "ask")])));
    let sarif = render::sarif(&report);
    assert_eq!(sarif["version"], "2.1.0");
    let run = &sarif["runs"][0];
    let rules = run["tool"]["driver"]["rules"].as_array().unwrap();
    for result in run["results"].as_array().unwrap() {
        let index = usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap();
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(["note", "warning", "error"].contains(&result["level"].as_str().unwrap()));
        let place = &result["locations"][0]["physicalLocation"];
        assert!(
            place["artifactLocation"]["uri"]
                .as_str()
                .unwrap()
                .contains('/')
        );
        assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
        assert!(
            !result["partialFingerprints"]["finding/v1"]
                .as_str()
                .unwrap()
                .is_empty()
        );
        assert!(result["message"]["text"].as_str().unwrap().ends_with('.'));
    }
    let worst = report.worst();
    assert_eq!(worst, Some(Severity::Error));
}

#[test]
fn the_example_company_has_neither_errors_nor_warnings() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocols");
    let report = polity_constitution::lint(folder).report;
    assert!(
        report.worst() <= Some(Severity::Note),
        "{}",
        render::markdown(&report)
    );
}
