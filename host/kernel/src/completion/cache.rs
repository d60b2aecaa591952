//! Answers that were given before, word for word the same request.
//!
//! Nothing is kept or looked for unless `models.json` or the request allows it. What an answer is found by holds the
//! request as the rules left it, the model and its adapter's bytes, the constitution, and who asks: the actor alone, or
//! every actor who holds the same roles. So no answer reaches anybody with other rights than the one it was made for,
//! and a changed rule, model or plugin finds nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use polity_dispatch::cache::{CacheKey, Sharing, Viewer};
use polity_router::CacheSharing;
use polity_runtime::plugin::Outcome;
use polity_runtime::{Delta, ToolCall, Usage};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::{About, Cached, Completed, CompletionRequest};
use crate::law::Law;
use crate::models::ModelEntry;
use crate::{Actor, Kernel};

/// Where an answer is looked for and kept.
pub(super) struct Keep {
    key: CacheKey,
    ttl_ms: u64,
    /// The pieces of a stream, as they go out.
    pieces: Vec<Piece>,
}

/// An answer as it is kept.
#[derive(Serialize, Deserialize)]
struct Kept {
    pieces: Vec<Piece>,
    finish: String,
    tokens: [u64; 3],
}

#[derive(Clone, Serialize, Deserialize)]
enum Piece {
    Text(String),
    Thinking(String),
    Call(u32, String, String, String),
}

impl Keep {
    /// Takes note of a piece that goes out.
    pub(super) fn take(&mut self, delta: &Delta) {
        self.pieces.push(Piece::of(delta));
    }

    /// Keeps an answer that has ended.
    pub(super) fn put(self, kernel: &Kernel, completed: &Completed) {
        let inner = &*kernel.inner;
        let mut pieces = self.pieces;
        pieces.extend(completed.content.iter().map(Piece::of));
        let Outcome { finish, usage } = &completed.outcome;
        let kept = Kept {
            pieces,
            finish: finish.clone(),
            tokens: [usage.input_tokens, usage.output_tokens, usage.cached_tokens],
        };
        let Ok(answer) = serde_json::to_vec(&kept) else {
            return;
        };
        let now_ms = inner.clock.now_ms();
        let cost = completed.cost_micro;
        let kept = inner.models.cache().put(
            self.key,
            answer.into(),
            finish,
            cost,
            Some(self.ttl_ms),
            now_ms,
        );
        if let Err(why) = kept {
            tracing::debug!(%why, "an answer is not kept");
        }
    }
}

impl Piece {
    fn of(delta: &Delta) -> Self {
        match delta {
            Delta::Text(text) => Self::Text(text.clone()),
            Delta::Thinking(text) => Self::Thinking(text.clone()),
            Delta::ToolCall(call) => Self::Call(
                call.index,
                call.id.clone(),
                call.name.clone(),
                call.arguments.clone(),
            ),
        }
    }

    fn into_delta(self) -> Delta {
        match self {
            Self::Text(text) => Delta::Text(text),
            Self::Thinking(text) => Delta::Thinking(text),
            Self::Call(index, id, name, arguments) => Delta::ToolCall(ToolCall {
                index,
                id,
                name,
                arguments,
            }),
        }
    }
}

impl Kernel {
    /// Where the answer to a request is looked for and kept; none where nobody allows it.
    pub(super) fn keep_answer(
        &self,
        actor: &Actor,
        request: &CompletionRequest,
        model: &ModelEntry,
        law: &Law,
    ) -> Option<Keep> {
        let wanted = request.wants.as_ref().and_then(|wants| wants.cache);
        let spec = self.inner.models.cache_spec();
        let sharing = match (wanted, spec.sharing) {
            (Some(false), _) | (None, CacheSharing::Off) => return None,
            (_, CacheSharing::Rights) => Sharing::Rights,
            (_, CacheSharing::Actor) | (Some(true), CacheSharing::Off) => Sharing::Actor,
        };
        let asked: serde_json::Value = serde_json::from_str(&request.input(false)).ok()?;
        let what = json!({
            "request": without_wishes(asked),
            "model": &*model.key,
            "adapter": model.digest(),
            "constitution": law.constitution.version().digest,
        });
        let rights: BTreeSet<Arc<str>> = actor
            .roles
            .iter()
            .map(|role| role.as_str().into())
            .collect();
        let viewer = Viewer {
            actor: actor.id.as_str().into(),
            rights,
            touches_no_data: false,
        };
        let key = CacheKey::of(&what, sharing, &viewer).ok()?;
        Some(Keep {
            key,
            ttl_ms: spec.ttl_ms,
            pieces: Vec::new(),
        })
    }

    /// The answer that was given before.
    pub(super) fn recall(
        &self,
        keep: &Keep,
        id: Uuid,
        model: &ModelEntry,
        why: Option<Arc<str>>,
    ) -> Option<Completed> {
        let inner = &*self.inner;
        let hit = inner.models.cache().get(&keep.key, inner.clock.now_ms())?;
        let Kept {
            pieces,
            finish,
            tokens: [input_tokens, output_tokens, cached_tokens],
        } = serde_json::from_slice(&hit.answer).ok()?;
        let cached = Cached {
            age_ms: hit.age_ms,
            avoided_micro: hit.avoided_micro,
        };
        Some(Completed {
            decision_id: id,
            model: model.id().clone(),
            plugin: model.plugin.clone(),
            why: Some(match why {
                Some(why) => format!("{why}; answered from the cache").into(),
                None => "named by the request; answered from the cache".into(),
            }),
            content: pieces.into_iter().map(Piece::into_delta).collect(),
            outcome: Outcome {
                finish,
                usage: Usage {
                    input_tokens,
                    output_tokens,
                    cached_tokens,
                },
            },
            cost_micro: 0,
            about: Some(Box::new(About {
                cached: Some(cached),
                ..About::default()
            })),
        })
    }
}

/// A request without what changes how its answer travels, and not what it says.
fn without_wishes(mut asked: serde_json::Value) -> serde_json::Value {
    if let Some(members) = asked.as_object_mut() {
        members.remove("stream");
        members.remove("polity");
        // The model that answers stands beside it.
        members.remove("model");
    }
    asked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kept_answer_reads_back_piece_by_piece() {
        let call = ToolCall {
            index: 1,
            id: "a".into(),
            name: "f".into(),
            arguments: "{}".into(),
        };
        for delta in [
            Delta::Text("hm".into()),
            Delta::Thinking("so".into()),
            Delta::ToolCall(call),
        ] {
            let text = serde_json::to_string(&Piece::of(&delta)).unwrap();
            let back: Piece = serde_json::from_str(&text).unwrap();
            assert_eq!(format!("{:?}", back.into_delta()), format!("{delta:?}"));
        }
    }

    #[test]
    fn the_way_of_an_answer_is_not_part_of_what_it_is_found_by() {
        let one = json!({"model": "a", "messages": [], "stream": true, "polity": {"cache": true}});
        assert_eq!(without_wishes(one), json!({"messages": []}));
    }
}
