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
    // A limit that is tried in shadow beside the one that counts is what it has on purpose.
    let findings = found["findings"].as_array().unwrap();
    let told: Vec<_> = findings
        .iter()
        .map(|finding| {
            (
                &finding["severity"],
                &finding["code"],
                &finding["place"]["file"],
            )
        })
        .collect();
    let trial = ["note", "rules-disagree", "rules/refunds-tried.json"].map(serde_json::Value::from);
    assert_eq!(told, [(&trial[0], &trial[1], &trial[2])], "{found:#}");
    // Eight tables and ten workflows.
    assert_eq!(found["density"].as_array().unwrap().len(), 18);
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
    let cases = tried["cases"].as_array().unwrap();
    let folder = root().join("protocols");
    for (shelf, kind) in [("decisions", "table"), ("workflows", "workflow")] {
        for entry in std::fs::read_dir(folder.join(shelf)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let name = name.split('.').next().unwrap();
            assert!(
                cases
                    .iter()
                    .any(|case| case["protocol"] == name && case["kind"] == kind),
                "nobody has recorded a case of the {kind} {name}"
            );
        }
    }
}

#[test]
fn a_workflow_that_takes_another_way_than_recorded_is_told_with_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    polity(folder.path(), &["init", "c"]).with_code(0);
    let cases = folder.path().join("c/workflows/weekly-report.cases.json");
    std::fs::write(
        &cases,
        r#"{"cases": [
        {"name": "nobody reads it", "answers": {"last": {"output": []}, "draft": {"output": "x"}, "read": {"silence": true}},
         "expect": {"path": ["nothingYet", "look", "draft", "read"], "output": {}}},
        {"name": "nobody wrote it", "answers": {"last": {"output": []}}, "expect": {"path": ["nothingYet"]}}
    ]}"#,
    )
    .unwrap();
    let ended = polity(folder.path(), &["test", "weekly-report", "--company", "c"]);
    ended
        .with_code(1)
        .shows(&[
            "FAILED workflow weekly-report: nobody reads it",
            r#""last","note","draft","read""#,
            "408",
            r#"no answer is recorded for \"draft\" (model)"#,
        ])
        .says(&["2 cases, 2 failed"]);
    let misspelt = r#"{"cases": [{"name": "x", "answers": {"raed": {"silence": true}}, "expect": {"takes": "P1D"}}]}"#;
    std::fs::write(&cases, misspelt).unwrap();
    polity(folder.path(), &["test", "--company", "c"])
        .with_code(1)
        .says(&["has no task \"raed\"", "did you mean \"read\"?"]);
}

#[test]
fn the_handbook_shows_what_people_wrote_and_never_runs_it() {
    let folder = tempfile::tempdir().unwrap();
    polity(folder.path(), &["init", "c"]).with_code(0);
    let evil = "<script>alert(1)</script><img src=x onerror=alert(2)>";
    let charter = folder.path().join("c/charter.json");
    let text = std::fs::read_to_string(&charter).unwrap();
    std::fs::write(&charter, text.replace("Ada Keller", evil)).unwrap();
    let workflow = folder.path().join("c/workflows/expense.yaml");
    let text = std::fs::read_to_string(&workflow).unwrap();
    std::fs::write(
        &workflow,
        text.replace("title: Expense", &format!("title: \"{evil}\"")),
    )
    .unwrap();
    let written = polity(
        folder.path(),
        &["handbook", "--company", "c", "--out", "site", "--json"],
    )
    .with_code(0)
    .json();
    let pages = std::fs::read_dir(folder.path().join("site"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "html"));
    let mut seen = 0;
    for page in pages {
        let text = std::fs::read_to_string(&page).unwrap();
        assert!(!text.contains("<script>alert"), "{}", page.display());
        assert!(!text.contains("<img"), "{}", page.display());
        assert!(
            !text.contains("http://") || text.contains("www.w3.org"),
            "{}",
            page.display()
        );
        seen += 1;
    }
    assert_eq!(written["pages"], seen);
    let page = |name: &str| std::fs::read_to_string(folder.path().join("site").join(name)).unwrap();
    assert!(page("workflow-expense.html").contains("&lt;script&gt;alert(1)"));
    let refunds = page("workflow-refund-dispute.html");
    for part in [
        "<svg",
        "Above 50 EUR a person decides",
        "table-refund-dispute.html",
        "rule-refunds.html",
    ] {
        assert!(refunds.contains(part), "{part}");
    }
    // A name that would end the script ends nothing.
    assert!(!page("search.js").contains("</script"));

    // Written again it is the same; what is no handbook is left alone.
    polity(
        folder.path(),
        &["handbook", "--company", "c", "--out", "site"],
    )
    .with_code(0);
    polity(folder.path(), &["handbook", "--company", "c", "--out", "c"])
        .with_code(1)
        .says(&["no handbook"]);
}

#[test]
fn a_case_that_fails_is_told_with_its_place_and_both_answers() {
    let folder = tempfile::tempdir().unwrap();
    polity(folder.path(), &["init", "c"]).with_code(0);
    let cases = folder.path().join("c/decisions/amendment-route.cases.json");
    let case = r#"{"cases": [
        {"name": "wrong", "input": {"personalData": true, "direction": "looser", "costPerMonth": 1}, "expect": 2}
    ]}"#;
    std::fs::write(&cases, case).unwrap();
    polity(
        folder.path(),
        &["test", "amendment-route", "--company", "c"],
    )
    .with_code(1)
    .shows(&[
        "FAILED",
        "amendment-route.cases.json:2",
        "expected 2",
        "found    3",
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
            .starts_with("Refund dispute (driftwood/refund-dispute 1.1.0)"),
        "{ended:?}"
    );
    let told = ended.shows(&[
        "Above 50 EUR a person decides",
        "rules/payments.json",
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
