//! The kinds of findings. Their names are stable: people silence them, and programs count them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::finding::Severity;

macro_rules! codes {
    ($($variant:ident $name:literal $severity:ident $about:literal,)*) => {
        /// A kind of finding.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Code {
            $(#[doc = $about] #[serde(rename = $name)] $variant,)*
        }

        impl Code {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it means.
            pub fn about(self) -> &'static str {
                match self { $(Self::$variant => $about,)* }
            }

            /// How much it usually matters.
            pub fn severity(self) -> Severity {
                match self { $(Self::$variant => Severity::$severity,)* }
            }
        }
    };
}

codes! {
    Unreadable "unreadable" Error "A document cannot be used.",
    IllTypedCell "ill-typed-cell" Error "A cell compares with a value that its column never has.",
    Contradiction "contradiction" Error "Rows answer one input differently.",
    Overlap "overlap" Error "Rows with one answer match at once where the hit policy allows one row.",
    Gap "gap" Warning "No row answers an input.",
    NoDefault "no-default" Warning "Nothing is said for inputs that no row answers.",
    DuplicateRow "duplicate-row" Warning "A row stands in the table twice.",
    SubsumedRow "subsumed-row" Warning "Another row says the same of all that a row matches.",
    UnreachableRow "unreachable-row" Warning "Rows that come first take all that a row matches.",
    NeverMatches "never-matches" Warning "A cell or a case lets no value through.",
    MergeableRows "mergeable-rows" Note "Rows that differ in one cell could be one row.",
    IdleColumn "idle-column" Note "A column never changes the answer.",
    NullApproves "null-approves" Warning "A missing value is let through.",
    TablesDisagree "tables-disagree" Error "Two tables decide one fact differently.",
    ThresholdsDisagree "thresholds-disagree" Note "Two tables draw nearly the same line in different places.",
    Incomplete "incomplete" Warning "The search was given up when its budget was spent.",
    UnknownTarget "unknown-target" Error "A step leads to a task that does not exist.",
    CrossScopeTarget "cross-scope-target" Error "A step leads into or out of another block.",
    UnreachableTask "unreachable-task" Warning "No path leads to a task.",
    OpenWait "open-wait" Error "A wait has no limit.",
    UnboundedLoop "unbounded-loop" Error "A loop has neither a bound nor a wait.",
    EffectBeforeApproval "effect-before-approval" Error "An effect may happen before the approval it needs.",
    EffectClassUndeclared "effect-class-undeclared" Error "An effect does not say what a crash may do to it.",
    GateWithoutDeadline "gate-without-deadline" Error "A person is asked without a deadline.",
    GateWithoutEscalation "gate-without-escalation" Warning "Nothing is said for a deadline that passes.",
    UnknownRole "unknown-role" Error "A role is asked that the charter does not have.",
    NobodyDecides "nobody-decides" Error "A role is asked that nobody holds who may decide.",
    UnboundAction "unbound-action" Warning "No rule guards an action.",
    RuleNeverApplies "rule-never-applies" Warning "A rule guards actions that no protocol takes.",
    NobodyTriggers "nobody-triggers" Warning "Nothing starts a protocol.",
    SharedTrigger "shared-trigger" Warning "One event starts two protocols.",
    RulesDisagree "rules-disagree" Warning "Two bindings of one rule judge one action by different settings.",
    DuplicateRule "duplicate-rule" Warning "Two bindings of one rule judge one action by the same settings.",
    DuplicateSteps "duplicate-steps" Note "The same steps stand in several places.",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
