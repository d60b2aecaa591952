//! Models that answer together, as `models.json` names them: councils, cascades, and the cache before all of them.
//!
//! The router decides which of them may take part; who is asked when, and what comes of it, is the host's.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::overlay::Overlay;
use super::problem::{OverlayProblem, escaped};
use super::{AUTO, COUNCIL};

/// Several models that answer one question and decide. Nobody is told who gave which answer, and everybody sees the
/// answers in another order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CouncilSpec {
    /// The models; the same one may sit on it several times.
    pub members: Vec<String>,
    /// Rounds of answers. In each but the first, members see what the others answered before.
    #[serde(default = "one")]
    pub rounds: u32,
    /// Answers without which nothing is decided; more than half of the members where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<usize>,
    /// How long a round may take, in milliseconds.
    #[serde(default = "minute")]
    pub round_timeout_ms: u64,
    /// The most that all rounds together may cost, in micro-units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<u64>,
    /// How it decides between answers that differ.
    #[serde(default)]
    pub decide: Deciding,
    /// When two answers are the same one.
    #[serde(default)]
    pub compare: Comparing,
}

/// How a council decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deciding {
    /// The answer that most members gave.
    #[default]
    Majority,
    /// The members vote on the answers.
    Vote,
}

/// When two answers are the same one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparing {
    /// The same words.
    #[default]
    Text,
    /// The same JSON value.
    Json,
}

/// A cheap model first, checks of its answer, and a stronger one where it fails them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadeSpec {
    /// The models, in the order in which they are asked.
    pub steps: Vec<CascadeStepSpec>,
    /// The most that answers and checks together may cost, in micro-units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<u64>,
    /// When two samples say the same.
    #[serde(default)]
    pub compare: Comparing,
    /// Whether an answer is taken that a check could not be made of.
    #[serde(default)]
    pub unchecked: UncheckedSpec,
    /// What happens where no answer passes.
    #[serde(default)]
    pub otherwise: Otherwise,
}

/// One model of a cascade.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CascadeStepSpec {
    /// The model.
    pub model: String,
    /// What its answer has to pass; all of it. None: the answer is taken as it is.
    #[serde(default)]
    pub checks: Vec<CheckSpec>,
    /// How often it may correct an answer that a schema or a rule rejected.
    #[serde(default)]
    pub corrections: u8,
}

/// One check of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "check", rename_all = "kebab-case", deny_unknown_fields)]
pub enum CheckSpec {
    /// The answer satisfies the schema of the request; requests without one have nothing to pass.
    Schema,
    /// A rule of the constitution, which is asked about the action `model.answer`.
    Rule {
        /// The rule's binding.
        name: String,
    },
    /// A model scores the answer.
    Judge {
        /// The model.
        model: String,
        /// The score that the answer needs, 0 to 1.
        at_least: f64,
    },
    /// The model is asked several times, and a share of the answers has to be the same.
    Agree {
        /// How often.
        samples: u8,
        /// The share, 0 to 1.
        at_least: f64,
    },
}

/// What it means that a check could not be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UncheckedSpec {
    /// The answer has not passed.
    #[default]
    Rejects,
    /// The answer is taken, and says that it was not checked.
    Accepts,
}

/// What happens where no answer of a cascade passes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Otherwise {
    /// There is no answer.
    #[default]
    Refuse,
    /// The best one is given, and says that it was rejected.
    Best,
}

/// Answers to requests that were asked before, word for word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CacheSpec {
    /// Who may get an answer that somebody else paid for.
    pub sharing: CacheSharing,
    /// How long an answer is good, in milliseconds.
    pub ttl_ms: u64,
    /// Bytes of all answers together.
    pub max_bytes: u64,
}

/// Who may get an answer that somebody else paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheSharing {
    /// Nobody; nothing is kept unless a request asks for it.
    #[default]
    Off,
    /// The same actor.
    Actor,
    /// Actors who hold the same roles.
    Rights,
}

impl Default for CacheSpec {
    fn default() -> Self {
        Self {
            sharing: CacheSharing::Off,
            ttl_ms: 60 * 60_000,
            max_bytes: 16 << 20,
        }
    }
}

const fn one() -> u32 {
    1
}

const fn minute() -> u64 {
    60_000
}

impl CouncilSpec {
    /// A council of these members, with nothing else said.
    pub fn of(members: Vec<String>) -> Self {
        Self {
            members,
            rounds: one(),
            quorum: None,
            round_timeout_ms: minute(),
            max_cost: None,
            decide: Deciding::default(),
            compare: Comparing::default(),
        }
    }
}

impl Overlay {
    /// Every name that stands for models of the company's choice, with the models: aliases, councils, cascades.
    pub(super) fn groups(&self) -> BTreeMap<String, Vec<&str>> {
        let mut groups = BTreeMap::new();
        for (name, members) in &self.aliases {
            groups.insert(name.clone(), members.iter().map(String::as_str).collect());
        }
        for (name, council) in &self.councils {
            let members = council.members.iter().map(String::as_str).collect();
            groups.insert(format!("{COUNCIL}{name}"), members);
        }
        for (name, cascade) in &self.cascades {
            let models = cascade.steps.iter().map(|step| step.model.as_str());
            groups.insert(name.clone(), models.collect());
        }
        groups
    }

    /// Where the members of a group are written.
    pub(super) fn place_of(&self, name: &str) -> String {
        let council = name.strip_prefix(COUNCIL);
        match council.filter(|council| self.councils.contains_key(*council)) {
            Some(council) => format!("/councils/{}/members", escaped(council)),
            None if self.cascades.contains_key(name) => {
                format!("/cascades/{}/steps", escaped(name))
            }
            None => format!("/aliases/{}", escaped(name)),
        }
    }

    /// What a schema cannot say of councils and cascades.
    pub(super) fn check_together(&self) -> Vec<OverlayProblem> {
        let mut problems = Vec::new();
        let mut put = |pointer: String, message: String, fix: &str| {
            problems.push(OverlayProblem {
                pointer,
                message,
                fix: fix.to_owned(),
            });
        };
        for (name, council) in &self.councils {
            let at = format!("/councils/{}", escaped(name));
            let members = council.members.len();
            if council.quorum.is_some_and(|quorum| quorum > members) {
                put(
                    format!("{at}/quorum"),
                    format!("a council of {members} never has so large a quorum"),
                    "set it between 1 and the number of members",
                );
            }
            for (index, member) in council.members.iter().enumerate() {
                if !is_one_model(self, member) {
                    put(
                        format!("{at}/members/{index}"),
                        format!("\"{member}\" is not one model"),
                        "name a model; councils, cascades, aliases and auto cannot sit on a council",
                    );
                }
            }
        }
        for (name, cascade) in &self.cascades {
            let at = format!("/cascades/{}", escaped(name));
            if name == AUTO || name.starts_with(COUNCIL) || self.aliases.contains_key(name) {
                put(
                    at.clone(),
                    format!("the name \"{name}\" stands for something else already"),
                    "give the cascade a name of its own",
                );
            }
            for (index, step) in cascade.steps.iter().enumerate() {
                let judges = step.checks.iter().filter_map(|check| match check {
                    CheckSpec::Judge { model, .. } => Some(model),
                    _ => None,
                });
                for model in std::iter::once(&step.model).chain(judges) {
                    if !is_one_model(self, model) {
                        put(
                            format!("{at}/steps/{index}"),
                            format!("\"{model}\" is not one model"),
                            "name a model; councils, cascades, aliases and auto cannot be a step or a judge",
                        );
                    }
                }
            }
        }
        problems
    }
}

fn is_one_model(overlay: &Overlay, name: &str) -> bool {
    name != AUTO
        && !name.starts_with(COUNCIL)
        && !overlay.cascades.contains_key(name)
        && !overlay.aliases.contains_key(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_council_and_a_cascade_read_with_little_said() {
        let overlay = Overlay::parse(
            r#"{"councils": {"board": {"members": ["a", "a", "b"]}},
                "cascades": {"careful": {"steps": [
                    {"model": "a", "checks": [{"check": "schema"}, {"check": "judge", "model": "b", "at_least": 0.7}], "corrections": 1},
                    {"model": "b"}]}},
                "cache": {"sharing": "actor"}}"#,
        )
        .unwrap();
        assert_eq!(overlay.councils["board"].members.len(), 3);
        assert_eq!(overlay.councils["board"].rounds, 1);
        assert_eq!(overlay.cascades["careful"].steps[0].checks.len(), 2);
        assert_eq!(overlay.cache.sharing, CacheSharing::Actor);
        let groups = overlay.groups();
        assert_eq!(groups["council/board"], ["a", "a", "b"]);
        assert_eq!(groups["careful"], ["a", "b"]);
    }

    #[test]
    fn what_could_never_decide_or_never_end_is_refused() {
        for (text, told) in [
            (
                r#"{"councils": {"b": {"members": ["a"], "quorum": 2}}}"#,
                "/councils/b/quorum",
            ),
            (
                r#"{"councils": {"b": {"members": ["council/b"]}}}"#,
                "/councils/b/members/0",
            ),
            (
                r#"{"councils": {"b": {"members": []}}}"#,
                "/councils/b/members",
            ),
            (
                r#"{"councils": {"b": {"members": ["a"], "rounds": 9}}}"#,
                "/councils/b/rounds",
            ),
            (
                r#"{"cascades": {"c": {"steps": [{"model": "c"}]}}}"#,
                "/cascades/c/steps/0",
            ),
            (
                r#"{"cascades": {"auto": {"steps": [{"model": "a"}]}}}"#,
                "/cascades/auto",
            ),
            (
                r#"{"cascades": {"c": {"steps": [{"model": "a", "checks": [{"check": "judge", "model": "b", "at_least": 7}]}]}}}"#,
                "/cascades/c/steps/0/checks/0/at_least",
            ),
            (r#"{"cache": {"sharing": "everyone"}}"#, "/cache/sharing"),
        ] {
            let problems = Overlay::parse(text).unwrap_err();
            assert!(
                problems.0.iter().any(|problem| problem.pointer == told),
                "{text}: {problems}"
            );
        }
    }
}
