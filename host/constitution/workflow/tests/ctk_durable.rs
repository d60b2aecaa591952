//! The durable kit: what a workflow engine promises and the specification's kit does not ask.

mod support;

use std::path::Path;

use polity_workflow::Dialect;
use support::{gherkin, steps};

#[test]
fn every_scenario_of_the_durable_kit_passes_at_every_crash_point() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ctk/durable");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "feature")
        })
        .collect();
    files.sort();
    let (mut passed, mut failed) = (0, Vec::new());
    for file in &files {
        for scenario in gherkin::parse(&std::fs::read_to_string(file).unwrap()) {
            match steps::check(&scenario, Dialect::Strict, false) {
                Ok(()) => passed += 1,
                Err(why) => failed.push(format!("{} / {}: {why}", scenario.feature, scenario.name)),
            }
        }
    }
    assert!(failed.is_empty(), "{passed} passed, failed: {failed:#?}");
    assert_eq!(files.len(), 11);
    assert!(passed >= 35, "{passed}");
}
