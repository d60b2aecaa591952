//! Documents that nobody would write: none makes a check panic, run away or print what it should not.

use polity_lint::{Limits, Report, Sources, render};
use polity_tables::DecisionTable;
use proptest::prelude::*;
use serde_json::{Value, json};

const ANY_KIND: [&str; 6] = ["-", "null", "not(null)", "?", "x", "[1,2]"];

/// Cells that fit a column of the kind.
fn cells_of(kind: &str) -> &'static [&'static str] {
    match kind {
        "number" | "integer" => &[
            "< 5",
            ">= 5",
            "[1..5)",
            "(5..1]",
            "not(< 3)",
            "5",
            "-5",
            "null, < 3",
            "!= 4",
            "? > 2",
            "> x",
            "0.5",
            "not(5, [7..9])",
            "79228162514264337593543950335",
            "< -79228162514264337593543950335",
            "< 1/3",
        ],
        "string" => &[
            "\"a\"",
            "\"a\", \"b\"",
            "not(\"a\")",
            "\"\"",
            "< \"\"",
            "[\"a\"..\"b\"]",
            "> \"a\"",
            "not(\"b\", null)",
        ],
        "boolean" => &["true", "false", "not(true)", "true, false", "null, true"],
        "date" => &[
            "@\"2026-01-01\"",
            "> @\"2026-01-01\"",
            "@\"9999-12-31\"",
            "> @\"9999-12-31\"",
            "< date(1,1,1)",
        ],
        "time" => &[
            "> @\"23:59:59.999999999\"",
            "< @\"00:00:00\"",
            "[@\"09:00:00\"..@\"17:00:00\"]",
        ],
        "date and time" => &[
            "> @\"2026-01-01T00:00:00Z\"",
            "<= @\"2026-01-01T00:00:00Z\"",
            "< @\"2026-01-01T00:00:00+05:00\"",
        ],
        "days and time duration" => &["@\"P1D\"", "> @\"PT1S\"", "<= @\"-P3D\""],
        "list" => &["list contains(?, 1)", "[1,2]", "count(?) > 1"],
        _ => &["5", "\"a\"", "< 7", "@\"2026-01-01\""],
    }
}

fn entry(kind: &'static str) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => prop::sample::select(&ANY_KIND[..3]).prop_map(ToOwned::to_owned),
        12 => prop::sample::select(cells_of(kind)).prop_map(ToOwned::to_owned),
        1 => prop::sample::select(&ANY_KIND[..]).prop_map(ToOwned::to_owned),
        1 => prop::option::weighted(0.1, "[-<>=!a-c0-9\"\\[\\](){}.,?*/@ ]{0,12}").prop_map(|text| text.unwrap_or_else(|| "-".to_owned())),
    ]
}

fn column() -> impl Strategy<Value = (&'static str, bool, Option<String>, Vec<String>)> {
    let kinds = vec![
        "number",
        "integer",
        "string",
        "boolean",
        "date",
        "time",
        "date and time",
        "days and time duration",
        "list",
        "Any",
    ];
    prop::sample::select(kinds).prop_flat_map(|kind| {
        (
            Just(kind),
            any::<bool>(),
            prop::option::weighted(0.2, entry(kind)),
            prop::collection::vec(entry(kind), 8),
        )
    })
}

fn document() -> impl Strategy<Value = Value> {
    let policy = prop::sample::select(vec![
        "UNIQUE",
        "FIRST",
        "PRIORITY",
        "ANY",
        "COLLECT",
        "RULE ORDER",
        "OUTPUT ORDER",
    ]);
    let answer = prop::sample::select(vec!["1", "2", "\"a\"", "null", "x", "x + 1"]);
    (prop::collection::vec(column(), 0..4), policy, prop::collection::vec(answer, 0..8), any::<bool>()).prop_map(|(columns, policy, answers, listed)| {
        let inputs: Vec<Value> = columns
            .iter()
            .enumerate()
            .map(|(at, (kind, nullable, allowed, _))| {
                let name = ["x", "y.z", "a b", "w"][at];
                let mut input = json!({"name": name, "typeRef": kind, "nullable": nullable});
                if let Some(allowed) = allowed.as_ref().filter(|allowed| !allowed.is_empty()) {
                    input["allowedValues"] = json!(allowed);
                }
                input
            })
            .collect();
        let mut output = json!({"name": "o"});
        if listed {
            output["allowedValues"] = json!([1, 2, "a"]);
        }
        let rules: Vec<Value> = answers
            .iter()
            .enumerate()
            .map(|(row, answer)| {
                let cells: Vec<&String> = columns.iter().map(|(.., cells)| &cells[row]).collect();
                json!({"inputEntries": cells, "outputEntries": [answer]})
            })
            .collect();
        json!({"name": "t", "hitPolicy": policy, "inputs": inputs, "outputs": [output], "rules": rules})
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_document_is_refused_or_checked_and_its_cures_fit(document in document()) {
        let text = document.to_string();
        let limits = Limits { nodes: 5_000, pairs: 1_000, listed: 10 };
        let report = match DecisionTable::load("t.json", &text) {
            Err(problems) => Report::new(problems.into_iter().map(Into::into).collect()),
            Ok(table) => {
                for value in [json!(null), json!(5), json!("a"), json!("2026-01-01"), json!(true), json!([1])] {
                    let _ = table.explain(&json!({"x": value, "y": {"z": value}, "a b": value, "w": value}));
                }
                let report = Report::of_tables(&[&table], &limits);
                for finding in &report.findings {
                    if let Some(cure) = &finding.suggestion {
                        let mut edited = document.clone();
                        prop_assert!(cure.apply(&mut edited).is_ok(), "{finding:?}");
                        let again = DecisionTable::load("t.json", &edited.to_string());
                        prop_assert!(again.is_ok(), "{:?}\n{}\n{}", finding, again.unwrap_err()[0], text);
                    }
                }
                report
            }
        };
        let sources = Sources::of([("t.json".to_owned(), text)]);
        let shown = render::text(&report, &sources);
        prop_assert!(!shown.contains(char::from(27)));
        render::markdown(&report);
        render::sarif(&report);
    }
}
