//! An attempt that is under way, and what it costs when it has ended.

use super::content::Content;
use super::seam::Seam;
use super::step::{AttemptId, Role};
use crate::class_table::Billing;
use crate::facts::limit;
use crate::gates::Permit;
use crate::{Candidate, RequestFacts, Tokens, Usage, guess_tokens};

/// An attempt under way. Its permit is handed back when it is taken off the list, which is the only way to get it.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) id: AttemptId,
    pub(super) candidate: usize,
    pub(super) permit: Permit,
    pub(super) role: Role,
    pub(super) forced: bool,
    pub(super) started_ms: u64,
    /// Until when there has to be an answer, or the first piece of a stream.
    pub(super) timeout_at_ms: u64,
    pub(super) first_piece_ms: Option<u64>,
    pub(super) last_piece_ms: u64,
    pub(super) content: Content,
    /// Bytes of an answer that is collected elsewhere and told of when it is complete.
    pub(super) collected_bytes: u64,
    /// White space before the first visible character.
    pub(super) lead: String,
    /// Held until the new text has parted from the old.
    pub(super) seam: Option<Seam>,
    /// Text that it was given to continue.
    pub(super) continued_bytes: u64,
    pub(super) reserved_micro: u64,
}

/// What an attempt cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bill {
    pub(super) cost_micro: u64,
    pub(super) tokens: Tokens,
    pub(super) is_estimate: bool,
    /// What the provider said, if that was credible.
    pub(super) usage: Option<Usage>,
}

/// The most that one answer of a model without prices is believed to cost: a thousand units.
const DEAREST: u64 = 1_000_000_000;

/// The most white space that is kept before an answer.
const LONGEST_LEAD: usize = 256;

impl Live {
    /// Keeps white space until an answer follows it.
    pub(super) fn hold(&mut self, text: &str) {
        if self.lead.len() + text.len() <= LONGEST_LEAD {
            self.lead.push_str(text);
        }
    }

    /// When it is ended for being slow.
    pub(super) fn gives_up_at(&self, is_stream: bool, stall_ms: u64, deadline_ms: u64) -> u64 {
        let at = match self.first_piece_ms {
            Some(_) if is_stream => self.last_piece_ms.saturating_add(stall_ms),
            _ => self.timeout_at_ms,
        };
        at.min(deadline_ms)
    }

    /// What has come of the answer.
    fn bytes(&self) -> u64 {
        self.content.bytes.max(self.collected_bytes)
    }

    pub(super) fn bill(
        &self,
        facts: &RequestFacts,
        candidate: &Candidate,
        said: Option<Usage>,
        billing: Billing,
    ) -> Bill {
        let guess = Tokens {
            input: facts
                .prompt_tokens
                .saturating_add(guess_tokens(self.continued_bytes)),
            output: guess_tokens(self.bytes()),
        };
        let is_priced = candidate.price.input > 0 || candidate.price.output > 0;
        if let Some(usage) = said {
            let is_silent = usage.tokens.total() == 0 && usage.cost_micro.is_none();
            let listed = candidate.price.cost(usage.tokens);
            let dearest = match is_priced {
                true => limit(listed.max(self.reserved_micro)),
                false => DEAREST,
            };
            let (longest, room) = (facts.max_output_tokens, candidate.context_tokens);
            let is_credible = usage.is_credible(guess, longest, room)
                && usage.cost_micro.is_none_or(|cost| cost <= dearest);
            let is_charged = is_priced && billing != Billing::NotBilled;
            if is_credible && !(is_silent && is_charged) {
                let tokens = match usage.cost_micro {
                    None if is_charged => usage.tokens.filled_up(guess),
                    _ => usage.tokens,
                };
                return Bill {
                    cost_micro: usage
                        .cost_micro
                        .unwrap_or_else(|| candidate.price.cost(tokens)),
                    tokens,
                    is_estimate: tokens != usage.tokens,
                    usage: Some(Usage { tokens, ..usage }),
                };
            }
            // A count that cannot be is as good as none: what came is counted and paid for, and nobody's budget is
            // emptied by a slip.
            if !is_credible {
                return Bill {
                    cost_micro: candidate.price.cost(guess),
                    tokens: guess,
                    is_estimate: true,
                    usage: None,
                };
            }
        }
        match billing {
            Billing::NotBilled if self.bytes() == 0 => Bill {
                cost_micro: 0,
                tokens: Tokens::default(),
                is_estimate: false,
                usage: None,
            },
            _ => Bill {
                cost_micro: candidate.price.cost(guess),
                tokens: guess,
                is_estimate: is_priced,
                usage: None,
            },
        }
    }
}
