//! Golden files: a document, what the linter finds in it, and what becomes of it when the cures that need no person are
//! carried out, one after the other. `INSTA_UPDATE=always cargo test` writes the second and third anew.

use std::fs;
use std::path::Path;

use polity_lint::{Limits, Report, Severity, Sources};
use polity_tables::DecisionTable;

#[test]
fn documents_are_found_wrong_and_cured_as_their_golden_files_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ui");
    let mut names: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter_map(|name| name.strip_suffix(".json").map(ToOwned::to_owned))
        .filter(|name| !name.ends_with(".cured"))
        .collect();
    names.sort();
    assert!(names.len() >= 8, "{names:?}");
    for name in names {
        let file = format!("{name}.json");
        let text = fs::read_to_string(folder.join(&file)).unwrap();
        let report = report(&file, &text);
        let found =
            polity_lint::render::text(&report, &Sources::of([(file.clone(), text.clone())]));
        compare(&folder.join(format!("{name}.findings")), &found);
        compare(
            &folder.join(format!("{name}.cured.json")),
            &cured(&file, &text),
        );
    }
}

fn report(file: &str, text: &str) -> Report {
    match DecisionTable::load(file, text) {
        Ok(table) => Report::of_tables(&[&table], &Limits::default()),
        Err(problems) => Report::new(problems.into_iter().map(Into::into).collect()),
    }
}

/// Carries out the first cure that a program can, until there is none. Rows to fill in are for people.
fn cured(file: &str, text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..50 {
        let cure = report(file, &text)
            .findings
            .into_iter()
            .find_map(|finding| {
                finding.suggestion.filter(|cure| {
                    !cure.edits.is_empty() && !cure.fill_in && finding.severity >= Severity::Note
                })
            });
        let Some(cure) = cure else {
            break;
        };
        let mut document = serde_json::from_str(&text).unwrap();
        cure.apply(&mut document).unwrap();
        text = serde_json::to_string_pretty(&document).unwrap() + "\n";
        DecisionTable::load(file, &text)
            .unwrap_or_else(|problems| panic!("{}: {text}", problems[0]));
    }
    text
}

fn compare(golden: &Path, found: &str) {
    if std::env::var("INSTA_UPDATE").as_deref() == Ok("always") {
        fs::write(golden, found).unwrap();
    }
    let expected = fs::read_to_string(golden).unwrap_or_default();
    assert!(
        expected == found,
        "{} differs; found:\n{found}",
        golden.display()
    );
}
