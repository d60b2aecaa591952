//! What an answer says of how it came about, beside who gave it and what it cost.
//!
//! A caller gets it as `polity` of the answer; the ledger keeps the same with the texts shortened.

use std::sync::Arc;

use polity_dispatch::cascade::{CascadeEnd, Checked, Trust};
use polity_dispatch::council::{Agreement, EndedBy};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::kept::cut;

/// What of an answer's text a record keeps: enough to know which answer it was.
const MAX_TEXT: usize = 400;

/// How an answer came about, where there is more to say than who gave it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Several models had a part in it.
    #[serde(flatten, skip_serializing_if = "Option::is_none", default)]
    pub together: Option<Together>,
    /// It was given before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub cached: Option<Cached>,
    /// Models that wrote on where the one before them broke off, behind their plugins' names.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub continued_by: Vec<Arc<str>>,
}

/// An answer from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cached {
    /// How old it is.
    pub age_ms: u64,
    /// What asking again would have cost.
    pub avoided_micro: u64,
}

/// What several models did together.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "form", rename_all = "kebab-case")]
pub enum Together {
    /// They answered one question and decided.
    Council(CouncilAccount),
    /// They were asked one after the other until an answer passed.
    Cascade(CascadeAccount),
}

/// What a council did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CouncilAccount {
    /// How sure it is.
    pub agreement: Agreement,
    /// Rounds of answers that were held.
    pub rounds: u32,
    /// Why it was over.
    pub ended_by: EndedBy,
    /// Members who answered.
    pub answered: usize,
    /// The answer that was taken; none without a quorum.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub consensus: Option<ViewAccount>,
    /// The other answers, the strongest first.
    pub dissent: Vec<ViewAccount>,
    /// Each member, in the order of `models.json`.
    pub members: Vec<MemberAccount>,
    /// Members that did not take part because they may not answer such a request.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<String>,
    /// What all of it cost, in micro-units.
    pub cost_micro: u64,
}

/// An answer, and who stands behind it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewAccount {
    /// The answer.
    pub answer: String,
    /// The members who gave it.
    pub members: Vec<Arc<str>>,
    /// Votes of members who had given another one.
    pub votes: u32,
}

/// What a member of a council did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MemberAccount {
    /// The model, behind its plugin's name.
    pub model: Arc<str>,
    /// Its last answer.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<String>,
    /// The view that it voted for: 0 for the first of all that are told.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub voted_for: Option<usize>,
    /// Rounds in which it failed or was late.
    pub failures: u32,
    /// Why it failed last.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The decisions on its calls, for `explain`.
    pub decisions: Vec<Uuid>,
    /// What it cost.
    pub cost_micro: u64,
}

/// What a cascade did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CascadeAccount {
    /// How far the answer is to be trusted.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub trust: Option<Trust>,
    /// Why it was over.
    pub ended_by: CascadeEnd,
    /// Everything that was tried, in order.
    pub tries: Vec<TryAccount>,
    /// Models that were not asked: they would have cost or taken too much, or may not answer such a request.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub left_out: Vec<String>,
    /// What all of it cost, in micro-units.
    pub cost_micro: u64,
}

/// One answer of a cascade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TryAccount {
    /// The model, behind its plugin's name.
    pub model: Arc<str>,
    /// The answer; none where the model failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<String>,
    /// Whether it corrects the one before.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub is_correction: bool,
    /// The checks that were made.
    pub checks: Vec<Checked>,
    /// How far it is to be trusted.
    pub trust: Trust,
    /// Why the model failed.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub error: Option<String>,
    /// The decisions on its calls, for `explain`.
    pub decisions: Vec<Uuid>,
    /// What it cost, with its checks.
    pub cost_micro: u64,
}

impl About {
    /// Whether there is nothing to say.
    pub(crate) fn is_empty(&self) -> bool {
        self.together.is_none() && self.cached.is_none() && self.continued_by.is_empty()
    }

    /// As a record keeps it.
    pub(crate) fn shortened(&self) -> Self {
        let mut short = self.clone();
        match &mut short.together {
            None => {}
            Some(Together::Council(council)) => {
                let views = council.consensus.iter_mut().chain(&mut council.dissent);
                views.for_each(|view| shorten(&mut view.answer));
                let members = council.members.iter_mut();
                members
                    .filter_map(|member| member.answer.as_mut())
                    .for_each(shorten);
            }
            Some(Together::Cascade(cascade)) => {
                let tries = cascade.tries.iter_mut();
                tries
                    .filter_map(|tried| tried.answer.as_mut())
                    .for_each(shorten);
            }
        }
        short
    }
}

fn shorten(text: &mut String) {
    let end = cut(text, MAX_TEXT).len();
    if end < text.len() {
        text.truncate(end);
        text.push('…');
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_told_reads_back_and_a_record_keeps_less_of_it() {
        let council = CouncilAccount {
            agreement: Agreement::Majority,
            rounds: 1,
            ended_by: EndedBy::AllRounds,
            answered: 1,
            consensus: Some(ViewAccount {
                answer: "ü".repeat(1000),
                members: vec!["a/b".into()],
                votes: 0,
            }),
            dissent: vec![],
            members: vec![],
            left_out: vec![],
            cost_micro: 7,
        };
        let about = About {
            together: Some(Together::Council(council)),
            ..About::default()
        };
        let told = json!(about);
        assert_eq!(
            (&told["form"], &told["agreement"]),
            (&json!("council"), &json!("majority"))
        );
        assert_eq!(serde_json::from_value::<About>(told).unwrap(), about);
        let kept = json!(about.shortened());
        assert!(kept["consensus"]["answer"].as_str().unwrap().len() <= MAX_TEXT + 3);
        let cached = json!({"cached": {"age_ms": 5, "avoided_micro": 3}});
        let about: About = serde_json::from_value(cached.clone()).unwrap();
        assert_eq!(about.together, None);
        assert_eq!(json!(about), cached);
    }
}
