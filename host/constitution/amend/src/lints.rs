//! What the linter finds in the proposed constitution and not in the one in force, and the other way round.

use std::collections::BTreeMap;

use polity_constitution::{Constitution, lint_documents};
use polity_lint::{Finding, Severity};
use serde::{Deserialize, Serialize};

/// The difference between two checks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LintDelta {
    /// Found now and not before.
    pub appeared: Vec<Finding>,
    /// Found before and not now.
    pub gone: Vec<Finding>,
}

impl LintDelta {
    /// How many new findings are errors.
    pub fn errors(&self) -> usize {
        let errors = self.appeared.iter();
        errors
            .filter(|finding| finding.severity == Severity::Error)
            .count()
    }
}

pub(crate) fn compare(before: &Constitution, after: &Constitution) -> LintDelta {
    let found =
        |constitution: &Constitution| lint_documents(constitution.sources()).report.findings;
    let (old, new) = (found(before), found(after));
    LintDelta {
        appeared: without(&new, &old),
        gone: without(&old, &new),
    }
}

/// What of one list is not in the other one. Lines shift, so a finding is known by its file, its code and its words.
fn without(findings: &[Finding], others: &[Finding]) -> Vec<Finding> {
    let key = |finding: &Finding| {
        (
            finding.place.file.clone(),
            format!("{:?}", finding.code),
            finding.message.clone(),
        )
    };
    let mut known: BTreeMap<_, usize> = BTreeMap::new();
    for other in others {
        *known.entry(key(other)).or_default() += 1;
    }
    findings
        .iter()
        .filter(|finding| match known.get_mut(&key(finding)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        })
        .cloned()
        .collect()
}
