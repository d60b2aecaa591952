//! What tables answer, and how they refuse.

use polity_tables::{DecideError, DecisionTable, SCHEMA, Status};
use serde_json::{Value, json};

fn load(table: &Value) -> DecisionTable {
    DecisionTable::load("t.json", &table.to_string())
        .unwrap_or_else(|problems| panic!("{}", problems[0]))
}

fn problems(table: &Value) -> Vec<(String, String, String)> {
    DecisionTable::load("t.json", &serde_json::to_string_pretty(table).unwrap())
        .unwrap_err()
        .into_iter()
        .map(|problem| (problem.code, problem.place.pointer, problem.fix))
        .collect()
}

/// Two rows that match 5 together.
fn policy(policy: &str, aggregation: Option<&str>) -> DecisionTable {
    let mut table = json!({
        "name": "t",
        "hitPolicy": policy,
        "inputs": [{"name": "x", "typeRef": "number"}],
        "outputs": [{"name": "y", "typeRef": "number", "allowedValues": [30, 10, 20]}],
        "rules": [
            {"inputEntries": ["<= 5"], "outputEntries": [10]},
            {"inputEntries": [">= 5"], "outputEntries": [20]},
            {"inputEntries": ["5"], "outputEntries": [30]}
        ]
    });
    if let Some(aggregation) = aggregation {
        table["aggregation"] = json!(aggregation);
    }
    load(&table)
}

#[test]
fn every_hit_policy_makes_of_the_rows_what_it_says() {
    for (name, aggregation, value, decided_by) in [
        ("FIRST", None, json!(10), vec![0]),
        ("PRIORITY", None, json!(30), vec![2]),
        ("RULE ORDER", None, json!([10, 20, 30]), vec![0, 1, 2]),
        ("OUTPUT ORDER", None, json!([30, 10, 20]), vec![2, 0, 1]),
        ("COLLECT", None, json!([10, 20, 30]), vec![0, 1, 2]),
        ("COLLECT", Some("SUM"), json!(60), vec![0, 1, 2]),
        ("COLLECT", Some("MIN"), json!(10), vec![0, 1, 2]),
        ("COLLECT", Some("MAX"), json!(30), vec![0, 1, 2]),
        ("COLLECT", Some("COUNT"), json!(3), vec![0, 1, 2]),
    ] {
        let decision = policy(name, aggregation).decide(&json!({"x": 5})).unwrap();
        assert_eq!(
            (decision.value.to_json(), decision.decided_by),
            (value, decided_by),
            "{name} {aggregation:?}"
        );
    }
    assert_eq!(
        policy("UNIQUE", None).decide(&json!({"x": 5})),
        Err(DecideError::NotUnique {
            rows: vec![0, 1, 2]
        })
    );
    assert_eq!(
        policy("ANY", None).decide(&json!({"x": 5})),
        Err(DecideError::Disagree {
            rows: vec![0, 1, 2]
        })
    );
    assert_eq!(
        policy("ANY", None)
            .decide(&json!({"x": 4.999}))
            .unwrap()
            .value
            .to_json(),
        json!(10)
    );
}

#[test]
fn missing_and_ill_typed_inputs_are_errors_and_never_matches() {
    let table = policy("FIRST", None);
    for input in [json!({}), json!({"x": null}), json!(null), json!([])] {
        assert_eq!(
            table.decide(&input),
            Err(DecideError::MissingInput { input: "x".into() }),
            "{input}"
        );
    }
    for input in [
        json!({"x": "5"}),
        json!({"x": true}),
        json!({"x": [5]}),
        json!({"x": 1e300}),
    ] {
        assert!(
            matches!(table.decide(&input), Err(DecideError::WrongType { .. })),
            "{input}"
        );
    }
}

#[test]
fn null_is_a_value_only_where_the_table_says_so_and_never_less_than_anything() {
    let table = load(&json!({
        "name": "t", "hitPolicy": "FIRST",
        "inputs": [{"name": "x", "typeRef": "number", "nullable": true}],
        "outputs": [{"name": "y", "typeRef": "string"}],
        "rules": [
            {"inputEntries": ["<= 5"], "outputEntries": ["\"low\""]},
            {"inputEntries": ["not(<= 5)"], "outputEntries": ["\"high\""]},
            {"inputEntries": ["null"], "outputEntries": ["\"none\""]}
        ]
    }));
    for (input, value) in [
        (json!({"x": 5}), "low"),
        (json!({"x": 5.01}), "high"),
        (json!({}), "none"),
    ] {
        assert_eq!(table.decide(&input).unwrap().value.to_json(), json!(value));
    }
}

#[test]
fn every_kind_of_value_is_compared_as_itself() {
    for (kind, cell, yes, no) in [
        ("number", "0.3", json!(0.3), json!(0.30001)),
        ("integer", "not([2..4], 7)", json!(5), json!(7)),
        ("boolean", "true", json!(true), json!(false)),
        ("string", "not(\"a\", \"b\")", json!("c"), json!("a")),
        ("string", "[\"b\"..\"d\")", json!("cz"), json!("d")),
        (
            "date",
            "> @\"2026-02-28\"",
            json!("2026-03-01"),
            json!("2026-02-28"),
        ),
        (
            "date",
            "date(\"2026-01-01\")",
            json!("2026-01-01"),
            json!("2026-01-02"),
        ),
        (
            "time",
            "[@\"09:00:00\"..@\"17:00:00\"]",
            json!("12:00:00"),
            json!("17:00:01"),
        ),
        (
            "date and time",
            ">= @\"2026-01-01T00:00:00Z\"",
            json!("2026-01-01T01:00:00+01:00"),
            json!("2026-01-01T00:30:00+01:00"),
        ),
        (
            "days and time duration",
            "< @\"PT36H\"",
            json!("P1DT11H"),
            json!("P1DT12H"),
        ),
        (
            "years and months duration",
            "@\"P1Y\"",
            json!("P12M"),
            json!("P13M"),
        ),
        (
            "list",
            "list contains(?, \"x\")",
            json!(["a", "x"]),
            json!(["a"]),
        ),
        ("number", "? > 2 and ? * 2 < 10", json!(4), json!(5)),
    ] {
        let table = load(&json!({
            "name": "t",
            "inputs": [{"name": "x", "typeRef": kind}],
            "outputs": [{"name": "y", "typeRef": "boolean", "defaultOutputEntry": false}],
            "rules": [{"inputEntries": [cell], "outputEntries": [true]}]
        }));
        assert_eq!(
            table.decide(&json!({"x": yes})).unwrap().value.to_json(),
            json!(true),
            "{kind} {cell} {yes}"
        );
        let decision = table.decide(&json!({"x": no})).unwrap();
        assert_eq!(
            (decision.value.to_json(), decision.status),
            (json!(false), Status::Defaulted),
            "{kind} {cell} {no}"
        );
    }
}

#[test]
fn outputs_and_cells_may_compute_with_inputs() {
    let table = load(&json!({
        "name": "t",
        "inputs": [{"name": "order.total", "typeRef": "number"}, {"name": "refund", "typeRef": "number"}],
        "outputs": [{"name": "fee", "typeRef": "number"}, {"name": "note", "typeRef": "string"}],
        "rules": [
            {"inputEntries": ["-", "<= order.total * 0.5"], "outputEntries": ["refund * 0.1", "\"half or less\""]},
            {"inputEntries": ["-", "> order.total * 0.5"], "outputEntries": ["max(refund - order.total / 2, 1)", "\"more\""]}
        ]
    }));
    let decide = |total: f64, refund: f64| {
        table
            .decide(&json!({"order": {"total": total}, "refund": refund}))
            .unwrap()
            .value
            .to_json()
    };
    assert_eq!(
        decide(100.0, 30.3),
        json!({"fee": 3.03, "note": "half or less"})
    );
    assert_eq!(decide(100.0, 80.0), json!({"fee": 30, "note": "more"}));
}

#[test]
fn a_result_that_cannot_be_computed_is_an_error_with_its_row() {
    let table = load(&json!({
        "name": "t", "inputs": [{"name": "x", "typeRef": "number"}], "outputs": [{"name": "y", "typeRef": "number"}],
        "rules": [{"inputEntries": ["-"], "outputEntries": ["1 / x"]}]
    }));
    assert_eq!(
        table.decide(&json!({"x": 4})).unwrap().value.to_json(),
        json!(0.25)
    );
    let error = table.decide(&json!({"x": 0})).unwrap_err();
    assert_eq!(
        error.to_string(),
        "row 1, column \"y\": 1 is divided by zero"
    );
}

#[test]
fn documents_are_refused_with_place_and_fix() {
    let base = json!({
        "name": "t",
        "inputs": [{"name": "x", "typeRef": "number"}, {"name": "k", "typeRef": "string", "allowedValues": ["news", "opinion"]}],
        "outputs": [{"name": "y", "typeRef": "string", "allowedValues": ["yes", "no"]}],
        "rules": [{"inputEntries": ["< 5", "-"], "outputEntries": ["yes"]}]
    });
    type Change = (&'static str, fn(&mut Value));
    let changes: [Change; 12] = [
        ("unknown-field /rule did you mean \"rules\"?", |table| {
            table["rule"] = json!([])
        }),
        (
            "wrong-width /rules/0/inputEntries give it 2 entries, with \"-\" where an input does not matter",
            |table| table["rules"][0]["inputEntries"] = json!(["-"]),
        ),
        (
            "unlisted-value /rules/0/inputEntries/1 did you mean \"news\"?",
            |table| table["rules"][0]["inputEntries"][1] = json!("newz"),
        ),
        (
            "unlisted-value /rules/0/inputEntries/1 did you mean \"opinion\"?",
            |table| table["rules"][0]["inputEntries"][1] = json!("not(\"opinon\")"),
        ),
        (
            "ill-typed-cell /rules/0/inputEntries/0 write 5 without quotation marks, if that is a number",
            |table| table["rules"][0]["inputEntries"][0] = json!("< \"5\""),
        ),
        (
            "unlisted-value /rules/0/outputEntries/0 use one of the values \"yes\" and \"no\"",
            |table| table["rules"][0]["outputEntries"][0] = json!("\"maybe\""),
        ),
        (
            "unknown-value /hitPolicy did you mean \"UNIQUE\"?",
            |table| table["hitPolicy"] = json!("UNIQE"),
        ),
        (
            "no-effect /aggregation set \"hitPolicy\": \"COLLECT\", or remove \"aggregation\"",
            |table| table["aggregation"] = json!("SUM"),
        ),
        ("repeated-input /inputs/1 join the two columns", |table| {
            table["inputs"][1]["name"] = json!("x")
        }),
        (
            "bad-input /inputs/0 write where the value is found, such as `order.amount`, and compute it before the table is asked",
            |table| table["inputs"][0]["expression"] = json!("x + 1"),
        ),
        ("no-values /inputs/0/allowedValues no value", |table| {
            table["inputs"][0]["allowedValues"] = json!("[5..1]")
        }),
        ("bad-expression /rules/0/inputEntries/0 write", |table| {
            table["rules"][0]["inputEntries"][0] = json!("< ")
        }),
    ];
    for (expected, change) in changes {
        let mut table = base.clone();
        change(&mut table);
        let (code, pointer, fix) = problems(&table).swap_remove(0);
        let found = format!("{code} {pointer} {fix}");
        let start = expected.split(' ').take(2).collect::<Vec<_>>().join(" ");
        assert!(
            found.starts_with(expected)
                || (found.starts_with(&start) && expected.len() < start.len() + 12),
            "{found}\n  expected {expected}"
        );
    }
    let errors = DecisionTable::load(
        "decisions/t.json",
        &serde_json::to_string_pretty(&base)
            .unwrap()
            .replace("< 5", "< five"),
    )
    .unwrap_err();
    insta::assert_snapshot!(errors[0].to_string(), @r#"
    decisions/t.json:30:9: "five" is no input of this table (at /rules/0/inputEntries/0)
      fix: put quotation marks round it if it is a text (\"five\" in JSON), or add it to the inputs
    "#);
}

#[test]
fn yaml_and_json_say_the_same() {
    let yaml = "
name: refund
title: Refunds
policy: Small refunds are made at once.
hitPolicy: FIRST
inputs:
  - {name: amount, typeRef: number, unit: EUR}
  - {name: customer.vip, typeRef: boolean}
outputs:
  - {name: outcome, typeRef: string, allowedValues: [approve, ask]}
rules:
  - inputEntries: ['< 50', '-']
    outputEntries: [approve]
  - inputEntries: ['-', true]
    outputEntries: [approve]
    annotation: They have earned it.
  - inputEntries: ['-', '-']
    outputEntries: [ask]
";
    let table = DecisionTable::load("refund.yaml", yaml)
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    let json = DecisionTable::load(
        "refund.json",
        &serde_json::to_string(table.table()).unwrap(),
    )
    .unwrap();
    for input in [
        json!({"amount": 49, "customer": {"vip": false}}),
        json!({"amount": 50, "customer": {"vip": false}}),
        json!({"amount": 50, "customer": {"vip": true}}),
    ] {
        assert_eq!(table.decide(&input), json.decide(&input));
    }
    insta::assert_snapshot!(table.to_terminal());
    insta::assert_snapshot!(table.to_markdown());
    insta::assert_snapshot!(
        table
            .explain(&json!({"amount": 80.5, "customer": {"vip": true}}))
            .unwrap()
            .to_string()
    );
    insta::assert_json_snapshot!(
        table
            .explain(&json!({"amount": 80.5, "customer": {"vip": true}}))
            .unwrap()
    );
}

#[test]
fn what_people_wrote_does_not_become_markup() {
    let table = load(&json!({
        "name": "t", "title": "a | <script> *b*", "policy": "x\n# y",
        "inputs": [{"name": "k", "typeRef": "string"}], "outputs": [{"name": "y|z", "typeRef": "string"}],
        "rules": [{"inputEntries": ["\"a|b`c\""], "outputEntries": ["\"\u{1b}[31m\""], "annotation": "[x](javascript:1)"}]
    }));
    insta::assert_snapshot!(table.to_markdown());
    assert!(!table.to_terminal().contains('\u{1b}'));
}

#[test]
fn the_schema_is_closed_described_and_named_by_its_id() {
    fn walk(node: &Value, path: &str) {
        let Some(fields) = node.as_object() else {
            return;
        };
        if let Some(properties) = fields.get("properties").and_then(Value::as_object) {
            assert!(
                fields.contains_key("additionalProperties"),
                "{path} is open"
            );
            for (name, property) in properties {
                assert!(
                    property["description"].is_string(),
                    "{path}/{name} lacks a description"
                );
            }
        }
        for (name, child) in fields {
            walk(child, &format!("{path}/{name}"));
        }
    }
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    assert!(
        schema["$id"]
            .as_str()
            .unwrap()
            .ends_with("decision.schema.json")
    );
    walk(&schema, "");
}

#[test]
fn huge_tables_and_wild_cells_are_bounded() {
    // Borders of every row in one column would make an index of rows times rows.
    let rules: Vec<Value> = (0..20_000).map(|row| json!({"inputEntries": [format!("[{row}..{})", row + 1)], "outputEntries": [row]})).collect();
    let table = load(
        &json!({"name": "t", "inputs": [{"name": "x", "typeRef": "number"}], "outputs": [{"name": "y", "typeRef": "number"}], "rules": rules}),
    );
    assert_eq!(
        table.decide(&json!({"x": 12_345.5})).unwrap().matched,
        [12_345]
    );
    assert_eq!(
        table.decide(&json!({"x": 20_000})).unwrap().status,
        Status::Undecided
    );
}

#[test]
fn a_table_can_be_asked_from_many_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&policy("FIRST", None));
}
