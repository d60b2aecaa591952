//! The conformance test kit of the specification: every scenario of it.
//!
//! Where the kit and the reference disagree, both are accepted:
//! - `try.feature` catches errors of the type `.../dsl/errors/types/communication`, `raise.feature` raises one under
//!   `.../errors/types/`, and the reference names `.../spec/1.0.0/errors/communication`. Standard errors are compared by
//!   their names, whichever of the addresses stands before them.
//! - `set.feature` replaces the data of the workflow; a remark in the reference speaks of merging. `set` replaces.
//! - `for.feature` and others add to a field that is not there yet (`null + [..]`), which jq allows.
//!
//! Calls over HTTP are answered from recorded answers, since a pure crate sends nothing.

mod support;

use std::path::Path;

use polity_workflow::Dialect;
use support::{gherkin, steps};

fn run(dialect: Dialect) -> (usize, Vec<String>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/ctk/spec");
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
    for file in files {
        for scenario in gherkin::parse(&std::fs::read_to_string(&file).unwrap()) {
            match steps::check(&scenario, dialect, true) {
                Ok(()) => passed += 1,
                Err(why) => failed.push(format!("{} / {}: {why}", scenario.feature, scenario.name)),
            }
        }
    }
    (passed, failed)
}

#[test]
fn all_21_scenarios_pass() {
    let (passed, failed) = run(Dialect::Spec);
    assert_eq!((passed, failed), (21, vec![]));
}

#[test]
fn the_strict_dialect_refuses_none_of_them_at_run_time_and_at_load_what_no_host_performs() {
    let (passed, failed) = run(Dialect::Strict);
    assert_eq!(passed + failed.len(), 21);
    for failure in &failed {
        let is_known = |code: &&str| failure.contains(*code);
        let known = ["effect-undeclared", "`call: openapi` is refused"];
        assert!(known.iter().any(is_known), "{failure}");
    }
    assert_eq!(failed.len(), 2, "{failed:#?}");
}
