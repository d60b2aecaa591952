//! What several models did together, and what the cache had, in words.

use std::fmt;

use polity_dispatch::cascade::{Check, Checked, Trust, Verdict};

use super::Story;
use super::line::line;
use super::words::fact;
use crate::completion::{About, CascadeAccount, CouncilAccount, Together};

impl Story {
    pub(super) fn about(&self, f: &mut fmt::Formatter<'_>, about: &About) -> fmt::Result {
        match &about.together {
            Some(Together::Council(council)) => self.council(f, council)?,
            Some(Together::Cascade(cascade)) => self.cascade(f, cascade)?,
            None => {}
        }
        for model in &about.continued_by {
            fact(
                f,
                "went on",
                format_args!("{}, where the one before it broke off", line(model)),
            )?;
        }
        match &about.cached {
            Some(cached) => {
                let avoided = self.money(cached.avoided_micro);
                let age = cached.age_ms / 1000;
                fact(
                    f,
                    "cache",
                    format_args!("given {age} s before; asking again would have cost {avoided}"),
                )
            }
            None => Ok(()),
        }
    }

    fn council(&self, f: &mut fmt::Formatter<'_>, council: &CouncilAccount) -> fmt::Result {
        let rounds = council.rounds;
        let cost = self.money(council.cost_micro);
        let agreement = word(&council.agreement);
        fact(
            f,
            "council",
            format_args!(
                "{agreement}; {} of {} answered, {rounds} round{}, ended by {}, {cost} in all",
                council.answered,
                council.members.len(),
                if rounds == 1 { "" } else { "s" },
                word(&council.ended_by),
            ),
        )?;
        let views = council.consensus.iter().map(|view| ("consensus", view));
        let views = views.chain(council.dissent.iter().map(|view| ("dissent", view)));
        for (name, view) in views {
            let members: Vec<String> = view.members.iter().map(|member| line(member)).collect();
            let votes = match view.votes {
                0 => String::new(),
                votes => format!(" and {votes} votes"),
            };
            fact(
                f,
                name,
                format_args!("{}{votes}: {}", members.join(", "), line(&view.answer)),
            )?;
        }
        for member in &council.members {
            let said = match (&member.answer, &member.error) {
                (Some(_), _) => "answered".to_owned(),
                (None, Some(error)) => format!("failed: {}", line(error)),
                (None, None) => "was too late".to_owned(),
            };
            let decisions: Vec<String> = member.decisions.iter().map(ToString::to_string).collect();
            let (model, cost) = (line(&member.model), self.money(member.cost_micro));
            fact(
                f,
                "member",
                format_args!("{model} {said}, {cost}; {}", decisions.join(", ")),
            )?;
        }
        self.left_out(f, &council.left_out)
    }

    fn cascade(&self, f: &mut fmt::Formatter<'_>, cascade: &CascadeAccount) -> fmt::Result {
        for tried in &cascade.tries {
            let trust = match (&tried.answer, tried.trust) {
                (None, _) => match &tried.error {
                    Some(error) => format!("failed: {}", line(error)),
                    None => "gave no answer in time".to_owned(),
                },
                (Some(_), Trust::Verified) => "passed every check".to_owned(),
                (Some(_), Trust::Unchecked) => "was not checked".to_owned(),
                (Some(_), Trust::Rejected) => "was rejected".to_owned(),
            };
            let again = if tried.is_correction {
                " corrected itself and"
            } else {
                ""
            };
            let checks: String = tried.checks.iter().map(checked).collect();
            let decisions: Vec<String> = tried.decisions.iter().map(ToString::to_string).collect();
            let cost = self.money(tried.cost_micro);
            fact(
                f,
                "step",
                format_args!(
                    "{}{again} {trust}, {cost}{checks}; {}",
                    line(&tried.model),
                    decisions.join(", ")
                ),
            )?;
        }
        let cost = self.money(cascade.cost_micro);
        fact(
            f,
            "cascade",
            format_args!("ended by {}, {cost} in all", word(&cascade.ended_by)),
        )?;
        self.left_out(f, &cascade.left_out)
    }

    fn left_out(&self, f: &mut fmt::Formatter<'_>, models: &[String]) -> fmt::Result {
        match models {
            [] => Ok(()),
            models => fact(f, "left out", line(&models.join(", "))),
        }
    }
}

fn checked(checked: &Checked) -> String {
    let name = match &checked.check {
        Check::SelfConsistency { .. } => "agreement".to_owned(),
        Check::Schema => "schema".to_owned(),
        Check::Rule { name } => format!("rule {}", line(name)),
        Check::Judge { model, .. } => format!("judge {}", line(model)),
    };
    let said = match &checked.verdict {
        Verdict::Pass => "passed".to_owned(),
        Verdict::Fail(why) => format!("failed: {}", line(why)),
        Verdict::Score(score) => format!("{}.{} of 100", score / 10, score % 10),
        Verdict::Unavailable(why) => format!("could not be made: {}", line(why)),
    };
    format!("; {name} {said}")
}

/// The name that data use, in words.
fn word(name: &impl serde::Serialize) -> String {
    let name = serde_json::to_value(name).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('-', " ")
}
