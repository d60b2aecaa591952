//! What became of an answer, and what that says of the model.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// What became of an answer. Everything may be absent; more may come later.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Feedback {
    /// Who in fact answered, where it is not who was chosen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<Arc<str>>,
    /// How good it was, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f64>,
    /// Whether it was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accepted: Option<bool>,
    /// The share of it that was changed before it was used, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edited: Option<f64>,
    /// Whether what it was for came out well, known later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<bool>,
    /// No answer came.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub failed: bool,
    /// The same was asked again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub retried: bool,
    /// It was handed to a stronger model or a person.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub escalated: bool,
    /// Whether it fitted the schema.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schema_valid: Option<bool>,
    /// Whether it passed the quality gate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gate_passed: Option<bool>,
    /// Tokens of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Milliseconds until it was whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
    /// A person answered, or confirmed the answer: requests like this one are known from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settled_by_person: Option<Settled>,
}

/// How a person settled a request that nobody knew.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settled {
    /// What to call it, for explanations: a decision id, for example.
    pub label: String,
    /// The task it belongs to, if the person says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<Arc<str>>,
}

/// What feedback teaches of one model. Small enough to be kept in a ledger: lessons in their order make the same state
/// again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// The model's key.
    pub model: Arc<str>,
    /// The task of the request.
    pub task: Arc<str>,
    /// The region of the request, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Arc<str>>,
    /// The score less what was expected; nothing where the feedback does not say how good the answer was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<f64>,
    /// How much it counts, 0 to 1.
    pub weight: f64,
    /// Tokens of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output_tokens: Option<u64>,
    /// Milliseconds until the answer was whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<u64>,
}

impl Feedback {
    /// How good the answer was and how much that counts, if anything here says so.
    ///
    /// Somebody's judgement counts fully, and several are averaged. Signs count only where nobody has judged: that an
    /// answer had to be asked for again says less than a person who says it was bad.
    pub fn quality(&self) -> Option<(f64, f64)> {
        let yes = |yes: bool| f64::from(u8::from(yes));
        let share = |value: f64| value.is_finite().then(|| value.clamp(0.0, 1.0));
        let judged = [
            self.score.and_then(share),
            self.accepted.map(yes),
            self.edited.and_then(share).map(|edited| 1.0 - edited),
            self.outcome.map(yes),
        ];
        let judged: Vec<f64> = judged.into_iter().flatten().collect();
        if !judged.is_empty() {
            return Some((judged.iter().sum::<f64>() / judged.len() as f64, 1.0));
        }
        if self.failed {
            return Some((0.0, 1.0));
        }
        let signs = [
            (self.schema_valid == Some(false), 0.0, 0.8),
            (self.gate_passed == Some(false), 0.1, 0.7),
            (self.gate_passed == Some(true), 0.85, 0.3),
            (self.retried, 0.2, 0.4),
            (self.escalated, 0.2, 0.5),
        ];
        let (mut sum, mut weights, mut most) = (0.0, 0.0, 0.0_f64);
        for (_, score, weight) in signs.into_iter().filter(|(is_there, ..)| *is_there) {
            sum += score * weight;
            weights += weight;
            most = most.max(weight);
        }
        (weights > 0.0).then(|| (sum / weights, most))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_judgement_counts_more_than_signs() {
        let feedback = Feedback {
            accepted: Some(true),
            retried: true,
            ..Feedback::default()
        };
        assert_eq!(feedback.quality(), Some((1.0, 1.0)));
        let signs = Feedback {
            retried: true,
            ..Feedback::default()
        };
        let (score, weight) = signs.quality().unwrap();
        assert!((score - 0.2).abs() < 1e-9 && (weight - 0.4).abs() < 1e-9);
    }

    #[test]
    fn measurements_alone_say_nothing_of_quality() {
        let feedback = Feedback {
            latency_ms: Some(20),
            schema_valid: Some(true),
            score: Some(f64::NAN),
            ..Feedback::default()
        };
        assert_eq!(feedback.quality(), None);
    }

    #[test]
    fn a_failed_answer_is_worth_nothing() {
        let feedback = Feedback {
            failed: true,
            ..Feedback::default()
        };
        assert_eq!(feedback.quality(), Some((0.0, 1.0)));
    }
}
