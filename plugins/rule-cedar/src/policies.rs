//! From texts to one set of policies, or to everything that is wrong with them, each with its file, line and column.

use cedar_policy::{PolicyId, PolicySet};
use miette::Diagnostic as _;

use crate::config::PolicyText;
use crate::facts::Kinds;

/// Policies, parsed.
#[derive(Debug)]
pub struct Policies {
    pub(crate) set: PolicySet,
    pub(crate) kinds: Kinds,
}

impl Policies {
    /// Parses all texts.
    ///
    /// # Errors
    /// One line for each mistake: `policies/refunds.cedar:3:5: unexpected token`.
    pub fn parse(texts: &[PolicyText]) -> Result<Self, String> {
        let mut set = PolicySet::new();
        let mut wrong = Vec::new();
        if texts.is_empty() {
            wrong.push(
                "the binding names no policies: write \"policies\": [\"policies/NAME.cedar\"]"
                    .to_owned(),
            );
        }
        for PolicyText { file, text } in texts {
            let parsed: PolicySet = match text.parse() {
                Ok(parsed) => parsed,
                Err(errors) => {
                    let errors: cedar_policy::ParseErrors = errors;
                    wrong.extend(errors.iter().map(|error| {
                        let at = error
                            .labels()
                            .and_then(|mut labels| labels.next())
                            .map_or(0, |label| label.offset());
                        format!("{}: {error}", place(file, text, at))
                    }));
                    continue;
                }
            };
            if parsed.templates().next().is_some() {
                wrong.push(format!(
                    "{file}:1:1: a template stands here, and nothing ever fills its slots: write the policy out"
                ));
            }
            for (number, policy) in (1..).zip(parsed.policies()) {
                // The same in every build, and a name that a reader finds.
                let id = match policy.annotation("id") {
                    Some(id) if !id.is_empty() => id.to_owned(),
                    _ => format!("{file}#{number}"),
                };
                if let Err(error) = set.add(policy.new_id(PolicyId::new(&id))) {
                    wrong.push(format!(
                        "{file}:1:1: the policy {id} stands here twice: {error}"
                    ));
                }
            }
        }
        if wrong.is_empty() {
            Ok(Self {
                set,
                kinds: Kinds::new()?,
            })
        } else {
            Err(wrong.join("\n"))
        }
    }
}

fn place(file: &str, text: &str, offset: usize) -> String {
    let before = text.get(..offset.min(text.len())).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .unwrap_or_default()
        .chars()
        .count()
        + 1;
    format!("{file}:{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> PolicyText {
        PolicyText {
            file: "policies/a.cedar".into(),
            text: text.into(),
        }
    }

    #[test]
    fn every_mistake_has_a_line_and_a_column() {
        let wrong = Policies::parse(&[text(
            "permit (principal, action, resource);\n\npermit (principal, action)\n  when { context.x > };",
        )])
        .unwrap_err();
        assert!(
            wrong.starts_with("policies/a.cedar:3:") || wrong.starts_with("policies/a.cedar:4:"),
            "{wrong}"
        );
        let template = "permit (principal == ?principal, action, resource);";
        assert!(
            Policies::parse(&[text(template)])
                .unwrap_err()
                .contains("template")
        );
        assert!(
            Policies::parse(&[])
                .unwrap_err()
                .contains("names no policies")
        );
    }

    #[test]
    fn two_policies_of_one_name_are_one_too_many() {
        let twice = "@id(\"a\") permit (principal, action, resource);";
        assert!(
            Policies::parse(&[text(twice), text(twice)])
                .unwrap_err()
                .contains("twice")
        );
        let unnamed = "permit (principal, action, resource);";
        let other = PolicyText {
            file: "policies/b.cedar".into(),
            text: unnamed.into(),
        };
        assert!(Policies::parse(&[text(unnamed), other]).is_ok());
    }
}
