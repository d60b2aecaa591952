//! Policies, read by the rules that will read them, without a host: each rule that is bound to a policy is loaded for a
//! moment, and asked what it cannot read.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::Arc;

use polity_constitution::{Constitution, Problem};
use polity_kernel::policy_problems;
use polity_runtime::egress::SystemResolver;
use polity_runtime::registry::{Runtime, Settings};
use polity_runtime::signature::Trust;

use super::bundled;
use super::compile;
use super::out::say;
use super::place::Place;
use super::report::Report;

/// What is wrong with the policies of a company. What else is wrong with it is not said here.
pub(super) fn problems(place: &Place) -> Result<Vec<Problem>, Report> {
    let Ok(constitution) = Constitution::load(&place.company) else {
        return Ok(Vec::new());
    };
    let rules: BTreeSet<&str> = constitution
        .bindings()
        .iter()
        .filter(|binding| !binding.policies.is_empty())
        .map(|binding| binding.rule.as_str())
        .collect();
    if rules.is_empty() {
        return Ok(Vec::new());
    }
    ask(place, &constitution, &rules)
        .map_err(|error| Report::new("the policies cannot be checked here").caused_by(&*error))
}

fn ask(
    place: &Place,
    constitution: &Constitution,
    rules: &BTreeSet<&str>,
) -> Result<Vec<Problem>, Box<dyn std::error::Error>> {
    let scratch = tempfile::tempdir()?;
    let plugins = scratch.path().join("plugins");
    fs::create_dir_all(&plugins)?;
    for rule in rules {
        let file = format!("{rule}.wasm");
        match fs::copy(place.plugins().join(&file), plugins.join(&file)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                say(format_args!(
                    "The policies of {rule} are not checked: plugins/{file} is not there."
                ));
            }
            Err(error) => return Err(error.into()),
        }
    }
    let runtime = Runtime::start(Settings {
        plugins,
        data: scratch.path().join("data"),
        // Whether it may serve is another question; nothing is granted to it here.
        trust: Trust::default(),
        bundled: bundled::digests(),
        compiler: compile::process(),
        resolver: Arc::new(SystemResolver),
        observer: Arc::new(|_| {}),
    })?;
    Ok(policy_problems(constitution, &runtime.current()))
}
