//! Reports as they are read, tables beside each other, versions of a table, and searches that are given up.

use polity_lint::{
    Code, Direction, Finding, Limits, Report, Sources, across, diff, lint_table, render,
};
use polity_tables::DecisionTable;
use serde_json::{Value, json};

fn load(file: &str, table: &Value) -> DecisionTable {
    DecisionTable::load(file, &serde_json::to_string_pretty(table).unwrap())
        .unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn refund(limit: u32, above: &str) -> Value {
    json!({
        "name": "refund-limit",
        "decides": "refund.outcome",
        "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": "[0..10000]", "unit": "EUR"}],
        "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["approve", "ask", "deny"], "permits": ["deny", "ask", "approve"]}],
        "rules": [
            {"inputEntries": [format!("<= {limit}")], "outputEntries": ["approve"]},
            {"inputEntries": [format!("> {limit}")], "outputEntries": [above]}
        ]
    })
}

fn support() -> Value {
    let mut table = refund(450, "ask");
    table["name"] = json!("support-refund");
    table["inputs"]
        .as_array_mut()
        .unwrap()
        .push(json!({"name": "vip", "typeRef": "boolean"}));
    for rule in table["rules"].as_array_mut().unwrap() {
        rule["inputEntries"]
            .as_array_mut()
            .unwrap()
            .push(json!("-"));
    }
    table["rules"][1]["inputEntries"][1] = json!("true");
    table
}

#[test]
fn every_face_of_a_report_shows_the_same_findings() {
    let (a, b) = (
        load("decisions/refund-limit.json", &refund(500, "ask")),
        load("decisions/support.json", &support()),
    );
    let report = Report::of_tables(&[&a, &b], &Limits::default());
    let sources = Sources::of([&a, &b].map(|table| {
        let document = table.document().unwrap();
        (document.file.clone(), document.text.clone())
    }));
    insta::assert_snapshot!("text", render::text(&report, &sources));
    insta::assert_snapshot!("markdown", render::markdown(&report));
    let mut sarif = render::sarif(&report);
    sarif["runs"][0]["tool"]["driver"]["rules"] = json!("all codes");
    insta::assert_json_snapshot!("sarif", sarif);
    let json = serde_json::to_string(&report).unwrap();
    let again: Report = serde_json::from_str(&json).unwrap();
    assert_eq!(again.findings, report.findings);
}

#[test]
fn tables_that_decide_one_fact_must_agree_and_others_need_not() {
    let (a, b) = (
        load("a.json", &refund(500, "ask")),
        load("b.json", &support()),
    );
    let found = across(&[&a, &b], &Limits::default());
    let disagree: Vec<&Finding> = found
        .iter()
        .filter(|finding| finding.code == Code::TablesDisagree)
        .collect();
    assert_eq!(disagree.len(), 1);
    let witness = disagree[0].witness.clone().unwrap();
    assert_ne!(
        a.decide(&witness).unwrap().value,
        b.decide(&witness).unwrap().value
    );
    assert_eq!(
        found
            .iter()
            .filter(|finding| finding.code == Code::ThresholdsDisagree)
            .count(),
        1
    );

    let mut other = support();
    other["decides"] = json!("support.outcome");
    let found = across(&[&a, &load("b.json", &other)], &Limits::default());
    assert!(
        found
            .iter()
            .all(|finding| finding.code == Code::ThresholdsDisagree)
    );
    assert_eq!(
        across(
            &[&a, &load("b.json", &refund(500, "ask"))],
            &Limits::default()
        ),
        []
    );
}

#[test]
fn an_amendment_is_told_by_the_inputs_that_it_changes() {
    let (old, new) = (
        load("a.json", &refund(500, "ask")),
        load("a.json", &refund(450, "ask")),
    );
    let less = diff(&old, &new, &Limits::default()).unwrap();
    assert_eq!(less.verdicts["outcome"], Direction::Less);
    assert_eq!(
        diff(&new, &old, &Limits::default()).unwrap().verdicts["outcome"],
        Direction::More
    );
    assert_eq!(
        diff(&old, &old, &Limits::default()).unwrap().to_string(),
        "refund-limit: every input is answered as before"
    );
    let mixed = diff(
        &old,
        &load("a.json", &refund(600, "deny")),
        &Limits::default(),
    )
    .unwrap();
    assert_eq!(mixed.verdicts["outcome"], Direction::Other);
    insta::assert_snapshot!("amendment", format!("{less}\n{mixed}"));
    for change in less.changes.iter().chain(&mixed.changes) {
        assert_eq!(
            old.decide(&change.witness).unwrap().value.to_string(),
            change.before
        );
    }
}

#[test]
fn rows_that_are_only_written_otherwise_change_nothing() {
    let old = load("a.json", &refund(500, "ask"));
    let mut split = refund(500, "ask");
    split["rules"] = json!([
        {"inputEntries": ["(500..700]"], "outputEntries": ["ask"]},
        {"inputEntries": ["[0..500]"], "outputEntries": ["\"approve\""]},
        {"inputEntries": ["> 700"], "outputEntries": ["ask"]}
    ]);
    assert_eq!(
        diff(&old, &load("a.json", &split), &Limits::default())
            .unwrap()
            .changes,
        []
    );
}

#[test]
fn a_search_that_would_not_end_is_given_up_and_says_so() {
    // Half of the cells of 200 random rows over twelve columns ask for nothing: nobody can say soon what they leave open.
    let mut state = 7_u64;
    let mut random = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let rules: Vec<Value> = (0..200)
        .map(|_| {
            let cells: Vec<String> = (0..12)
                .map(|_| {
                    let (low, size) = (random(900), 50 + random(400));
                    if random(2) == 0 {
                        "-".to_owned()
                    } else {
                        format!("[{low}..{}]", low + size)
                    }
                })
                .collect();
            json!({"inputEntries": cells, "outputEntries": [random(3)]})
        })
        .collect();
    let inputs: Vec<Value> = (0..12)
        .map(|at| json!({"name": format!("c{at}"), "typeRef": "number"}))
        .collect();
    let table = load(
        "wild.json",
        &json!({"name": "wild", "hitPolicy": "ANY", "inputs": inputs, "outputs": [{"name": "o", "typeRef": "number"}], "rules": rules}),
    );
    let limits = Limits {
        nodes: 2_000,
        pairs: 500,
        listed: 5,
    };
    let findings = lint_table(&table, &limits);
    let incomplete: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.code == Code::Incomplete)
        .map(|finding| finding.message.as_str())
        .collect();
    assert!(
        incomplete
            .iter()
            .any(|message| message.contains("search for gaps")),
        "{incomplete:?}"
    );
    assert!(
        incomplete
            .iter()
            .any(|message| message.contains("overlapping pairs")),
        "{incomplete:?}"
    );
    assert!(findings.len() < 40);
}

#[test]
fn cells_that_depend_on_other_inputs_are_no_certainty() {
    let table = load(
        "t.json",
        &json!({
            "name": "t",
            "inputs": [{"name": "amount", "typeRef": "number"}, {"name": "limit", "typeRef": "number"}],
            "outputs": [{"name": "o", "typeRef": "boolean"}],
            "rules": [
                {"inputEntries": ["<= limit", "-"], "outputEntries": [true]},
                {"inputEntries": ["> limit", "-"], "outputEntries": [false]}
            ]
        }),
    );
    let findings = lint_table(&table, &Limits::default());
    assert!(
        findings
            .iter()
            .all(|finding| finding.severity == polity_lint::Severity::Note),
        "{findings:?}"
    );
    assert!(findings.iter().any(|finding| {
        finding
            .message
            .contains("no row is certain to answer any input")
    }));
}

#[test]
fn codes_have_distinct_names_that_read_back() {
    let names: std::collections::BTreeSet<_> = Code::ALL.iter().map(|code| code.name()).collect();
    assert_eq!(names.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(
            serde_json::from_value::<Code>(json!(code.name())).unwrap(),
            *code
        );
    }
}
