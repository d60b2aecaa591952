//! The answer as JSON text.
//!
//! ```json
//! {"label":"refund","confidence":0.9312,"alternatives":[{"label":"billing","confidence":0.0412}],"known":true}
//! ```

use std::fmt::Write;

use crate::classifier::Verdict;
use crate::weights::{LONGEST_LABEL, Weights};

/// The names of the answer's fields, in their order.
pub const FIELDS: [&str; 4] = ["label", "confidence", "alternatives", "known"];

/// How many labels are named besides the best.
pub const ALTERNATIVES: usize = 3;

/// Tokens of the longest answer.
pub const LONGEST_TOKENS: u32 = {
    let frame = r#"{"label":"","confidence":0.0000,"alternatives":[],"known":false}"#.len();
    let alternative = r#"{"label":"","confidence":0.0000},"#.len();
    (frame + ALTERNATIVES * alternative + (1 + ALTERNATIVES) * LONGEST_LABEL).div_ceil(4) as u32
};

/// The answer with all its fields.
pub fn whole(weights: &Weights<'_>, verdict: &Verdict) -> String {
    json(
        weights,
        verdict,
        &verdict.ranking(weights.labels()),
        &FIELDS,
    )
}

/// The answer that names the labels of `ranking` and has the fields in `fields`. A ranking has at least one label.
pub fn json(
    weights: &Weights<'_>,
    verdict: &Verdict,
    ranking: &[usize],
    fields: &[&str],
) -> String {
    let mut text = String::with_capacity(4 * LONGEST_TOKENS as usize);
    let Some((&best, others)) = ranking.split_first() else {
        return text;
    };
    for (index, &field) in fields.iter().enumerate() {
        text.push(if index == 0 { '{' } else { ',' });
        match field {
            "label" => push_label(&mut text, weights, best),
            "confidence" => push_confidence(&mut text, verdict, best),
            "alternatives" => {
                text.push_str(r#""alternatives":["#);
                for (index, &label) in others.iter().take(ALTERNATIVES).enumerate() {
                    text.push_str(if index == 0 { "{" } else { ",{" });
                    push_label(&mut text, weights, label);
                    text.push(',');
                    push_confidence(&mut text, verdict, label);
                    text.push('}');
                }
                text.push(']');
            }
            _ => text.push_str(if verdict.known {
                r#""known":true"#
            } else {
                r#""known":false"#
            }),
        }
    }
    text.push_str(if fields.is_empty() { "{}" } else { "}" });
    text
}

/// An approximation: one token for every four bytes of UTF-8, rounded up. The model has no tokens of its own, and this
/// is near what language models would count for the same text.
pub fn tokens(text: &str) -> u32 {
    u32::try_from(text.len().div_ceil(4)).unwrap_or(u32::MAX)
}

/// Names of labels are lower-case letters, digits and hyphens (the trainer sees to it), so there is nothing to escape.
fn push_label(text: &mut String, weights: &Weights<'_>, label: usize) {
    text.push_str(r#""label":""#);
    text.push_str(weights.label(label));
    text.push('"');
}

/// Four digits, by whole numbers: the formatting of floating-point numbers is a large piece of code to page in.
fn push_confidence(text: &mut String, verdict: &Verdict, label: usize) {
    let parts = (verdict.probabilities[label] * 10_000.0 + 0.5) as u32;
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        r#""confidence":{}.{:04}"#,
        parts / 10_000,
        parts % 10_000
    );
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::classifier::classify;

    fn weights() -> Weights<'static> {
        Weights::new(crate::WEIGHTS).unwrap()
    }

    #[test]
    fn the_answer_is_json_with_the_documented_fields() {
        let weights = weights();
        let verdict = classify(&weights, "the site is down");
        let answer: Value = serde_json::from_str(&whole(&weights, &verdict)).unwrap();
        assert_eq!(answer["label"], "incident");
        assert_eq!(answer["known"], true);
        assert_eq!(answer.as_object().unwrap().len(), FIELDS.len());
        let confidence = answer["confidence"].as_f64().unwrap();
        let exact = f64::from(verdict.probabilities[verdict.ranking(weights.labels())[0]]);
        assert!((confidence - exact).abs() < 6e-5);
    }

    #[test]
    fn certainty_and_impossibility_are_written_in_full() {
        let mut verdict = classify(&weights(), "x");
        verdict.probabilities = [0.0; crate::weights::BACKGROUND];
        verdict.probabilities[1] = 1.0;
        verdict.known = false;
        assert_eq!(
            json(&weights(), &verdict, &[1, 0], &FIELDS),
            r#"{"label":"analytics","confidence":1.0000,"alternatives":[{"label":"access","confidence":0.0000}],"known":false}"#
        );
    }

    #[test]
    fn only_the_wanted_fields_are_written() {
        let verdict = classify(&weights(), "x");
        assert_eq!(
            json(&weights(), &verdict, &[0], &["label"]),
            r#"{"label":"access"}"#
        );
        assert_eq!(json(&weights(), &verdict, &[0], &[]), "{}");
    }

    #[test]
    fn no_answer_is_longer_than_announced() {
        let weights = weights();
        for text in ["", "refund", "the site is down and I want to unsubscribe"] {
            assert!(tokens(&whole(&weights, &classify(&weights, text))) <= LONGEST_TOKENS);
        }
    }
}
