//! Models of other modellers.

use std::collections::BTreeMap;

use polity_tables::DecisionTable;
use polity_tables::dmn::tck::{self, Outcome};
use polity_tables::dmn::{ImportError, Model, ModelError};

const MODEL: &str = include_str!("data/leave.dmn");
const CASES: &str = include_str!("data/leave-test-01.xml");

#[test]
fn cases_pass_fail_or_are_unsupported_for_a_reason() {
    let model = Model::parse(MODEL, &[]).unwrap();
    let outcomes: Vec<Outcome> = tck::run(&model, CASES)
        .unwrap()
        .into_iter()
        .map(|test| test.outcome)
        .collect();
    assert_eq!(outcomes[..3], [Outcome::Pass, Outcome::Pass, Outcome::Pass]);
    // The second case expects a wrong number, on purpose.
    assert_eq!(
        outcomes[3],
        Outcome::Fail {
            expected: "25".into(),
            found: "24".into()
        }
    );
    match &outcomes[4] {
        Outcome::Unsupported { reason } => {
            assert!(reason.contains("\"every\" is not carried out"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_decision_that_asks_itself_ends() {
    let model = Model::parse(MODEL, &[]).unwrap();
    match model.decide("Loop", &BTreeMap::new()) {
        Err(ModelError::Unsupported(reason)) => {
            assert!(reason.contains("too many calls"), "{reason}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(
        model.decide("Nothing", &BTreeMap::new()),
        Err(ModelError::UnknownDecision("Nothing".into()))
    );
}

#[test]
fn imported_tables_become_documents() {
    let model = Model::parse(MODEL, &[]).unwrap();
    let documents = model.documents();
    let names: Vec<_> = documents.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["extra-days", "base-days"]);
    let json = serde_json::to_string(&documents[1])
        .unwrap()
        .replace("\"name\":\"\"", "\"name\":\"days\"");
    let table = DecisionTable::load("base-days.json", &json)
        .unwrap_or_else(|problems| panic!("{}", problems[0]));
    assert_eq!(
        table
            .decide(&serde_json::json!({"grade": "senior"}))
            .unwrap()
            .value
            .to_string(),
        "28.5"
    );
}

#[test]
fn what_is_no_model_is_refused() {
    assert!(matches!(
        Model::parse("<a", &[]),
        Err(ImportError::NotXml(_))
    ));
    assert!(matches!(
        Model::parse("<html/>", &[]),
        Err(ImportError::NotDmn(_))
    ));
    let import = r#"<definitions><import namespace="urn:x" name="x" importType="https://www.omg.org/spec/DMN/20230324/MODEL/"/></definitions>"#;
    assert!(matches!(
        Model::parse(import, &[]),
        Err(ImportError::MissingImport { .. })
    ));
    let entities =
        r#"<!DOCTYPE a [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><definitions name="&b;"/>"#;
    assert!(Model::parse(entities, &[]).is_err());
    let deep = format!(
        "<definitions><decision name=\"d\">{}{}</decision></definitions>",
        "<context><contextEntry>".repeat(200),
        "</contextEntry></context>".repeat(200)
    );
    assert!(Model::parse(&deep, &[]).is_err());
}
