//! Tables, workflows and what is found in them, from the command line and without a host.

mod cli;

use std::path::{Path, PathBuf};

use cli::polity;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

#[test]
fn the_example_company_is_clean() {
    let found = polity(&root(), &["lint", "--json"]).with_code(0).json();
    assert_eq!(found["findings"], serde_json::json!([]), "{found:#}");
    assert_eq!(found["density"].as_array().unwrap().len(), 5);
}

#[test]
fn everything_that_is_wrong_with_a_company_is_found_at_once() {
    let ended = polity(&root().join("tests"), &["lint", "--company", "bad-company"]).with_code(1);
    insta::assert_snapshot!("bad-company", ended.out);
    let sarif = polity(
        &root().join("tests"),
        &["lint", "--company", "bad-company", "--sarif"],
    )
    .with_code(1)
    .json();
    assert_eq!(sarif["version"], "2.1.0");
    polity(
        &root().join("tests"),
        &["lint", "--company", "bad-company", "--markdown"],
    )
    .with_code(1)
    .shows(&["contradiction"]);
}

#[test]
fn every_recorded_case_of_the_example_company_is_answered_as_it_was_recorded() {
    let tried = polity(&root(), &["test", "--json"]).with_code(0).json();
    assert_eq!(tried["failed"], 0, "{tried:#}");
    assert!(tried["cases"].as_array().unwrap().len() >= 18);
}

#[test]
fn a_case_that_fails_is_told_with_its_place_and_both_answers() {
    let folder = tempfile::tempdir().unwrap();
    polity(folder.path(), &["init", "c"]).with_code(0);
    let cases = folder.path().join("c/decisions/data-request.cases.json");
    let case = r#"{"cases": [
        {"name": "wrong", "input": {"identityProven": true, "wish": "erase", "legalHold": true}, "expect": "fulfil"}
    ]}"#;
    std::fs::write(&cases, case).unwrap();
    polity(folder.path(), &["test", "data-request", "--company", "c"])
        .with_code(1)
        .shows(&[
            "FAILED",
            "data-request.cases.json:2",
            "\"fulfil\"",
            "\"hold\"",
        ])
        .says(&["1 case, 1 failed"]);
}

#[test]
fn a_table_answers_without_a_host_and_says_why() {
    let input = r#"{"reason": "dissatisfied", "ageDays": 20, "amount": 30}"#;
    polity(&root(), &["decide", "refund-dispute", "--input", input])
        .with_code(0)
        .shows(&["refuse", "row 6", "The law gives 14 days"]);
    let told = polity(
        &root(),
        &["decide", "refund-dispute", "--input", input, "--json"],
    )
    .with_code(0)
    .json();
    assert_eq!(told["value"], "refuse");
    assert_eq!(told["trace"]["rows"][0]["number"], 6);
    polity(&root(), &["decide", "refund-dispute", "--input", "{}"])
        .with_code(1)
        .says(&["\"reason\" is missing"]);
    polity(&root(), &["decide", "refunds", "--input", "{}"])
        .with_code(1)
        .says(&["refund-dispute"]);
}

#[test]
fn a_question_is_answered_with_the_protocol_that_covers_it() {
    let question = "What happens when a customer disputes a refund?";
    let ended = polity(&root(), &["ask", question]).with_code(0);
    assert!(
        ended
            .out
            .starts_with("Refund dispute (driftwood/refund-dispute 1.0.0)"),
        "{ended:?}"
    );
    let told = ended.shows(&[
        "Above 50 EUR a person decides",
        "rules/refunds.json",
        "polity decide refund-dispute",
        "sha256:",
    ]);
    assert!(!told.out.contains("No protocol"));
    for (question, file) in [
        (
            "How does an article get published?",
            "workflows/publish-article.yaml",
        ),
        ("somebody handed in an expense", "workflows/expense.yaml"),
        (
            "how severe is an outage of sites?",
            "decisions/incident-severity.yaml",
        ),
        (
            "Does personal data of readers leave our machines?",
            "rules/privacy.json",
        ),
    ] {
        let answer = polity(&root(), &["ask", question, "--json"])
            .with_code(0)
            .json();
        assert_eq!(answer["protocol"]["file"], file, "{question}: {answer:#}");
    }
    polity(&root(), &["ask", question, "--mermaid"])
        .with_code(0)
        .shows(&["flowchart TD"]);
    polity(&root(), &["ask", question, "--markdown"])
        .with_code(0)
        .shows(&["# Refund dispute", "## Clauses"]);
}

#[test]
fn a_question_that_nothing_covers_is_answered_with_what_comes_near() {
    polity(
        &root(),
        &["ask", "A customer's parrot bit the courier, and now?"],
    )
    .with_code(1)
    .shows(&["No protocol covers this."]);
    polity(
        &root(),
        &[
            "ask",
            "May the parrot get a refund for its cage in the zoo?",
        ],
    )
    .with_code(1)
    .shows(&["No protocol covers this.", "Nearest", "refund"]);
}
