//! One sentence, fit for a header: ASCII without control characters, and short.

use super::{Decision, Outcome};
use crate::money::Amount;

/// Bytes at most.
const LONGEST: usize = 240;

impl Decision {
    /// Why, in one sentence of at most 240 ASCII characters.
    pub fn why(&self) -> String {
        let may = self.eligible().count();
        let of = self.candidates.len();
        let text = match &self.outcome {
            Outcome::Model { model, propensity } => {
                let Some(chosen) = self.candidate(model) else {
                    return plain(model);
                };
                let how = if self.explored {
                    format!("tried to learn (chance {propensity:.2})")
                } else if may == 1 {
                    "the only one that may answer".to_owned()
                } else {
                    format!("best of {may} that may answer")
                };
                format!(
                    "{model}: {how}, {of} asked; score {:.2}, cost {}, task {}",
                    chosen.quality.expected,
                    Amount(chosen.cost),
                    self.requirements.task
                )
            }
            Outcome::Council { name, members } => {
                format!("{name}: {} of {of} models may take part", members.len())
            }
            Outcome::Person { guess } => match self.gate.as_ref().filter(|gate| gate.unknown) {
                Some(gate) => format!(
                    "a person decides: nothing like it is known (strangeness {:.1}, known up to {:.1}, nearest task {}); guess {guess}",
                    gate.strangeness, gate.threshold, gate.nearest_task
                ),
                None => format!(
                    "a person decides: too little is known of the task {}; guess {guess}",
                    self.requirements.task
                ),
            },
            Outcome::Nobody if of == 0 => "nobody may answer: there is no model".to_owned(),
            Outcome::Nobody => {
                let first = &self.candidates[0];
                let reason = first
                    .reasons
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default();
                format!("none of {of} models may answer; {}: {reason}", first.model)
            }
        };
        plain(&text)
    }
}

/// Nothing that could end a header or begin another.
fn plain(text: &str) -> String {
    let mut plain: String = text
        .chars()
        .take(LONGEST + 1)
        .map(|c| {
            if c == ' ' || c.is_ascii_graphic() {
                c
            } else {
                '?'
            }
        })
        .collect();
    if plain.len() > LONGEST {
        plain.truncate(LONGEST - 3);
        plain.push_str("...");
    }
    plain
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_reason_fits_a_header_whatever_is_in_it(text in "\\PC{0,400}", control in "[\r\n\t\u{0}]{0,5}") {
            let plain = plain(&format!("{control}{text}"));
            prop_assert!(plain.len() <= LONGEST);
            prop_assert!(plain.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
        }
    }
}
