//! Where a completion stands in a trace, and who is told of it when it has ended.
//!
//! Traces are for whoever watches many services at once. Nothing is decided by them, and what went wrong with them is
//! nobody's business who asked for an answer.

use std::fmt;
use std::str::FromStr;

use polity_dispatch::AttemptRecord;
use uuid::Uuid;

use super::CompletionRecord;

/// The span that a request was sent in, as its `traceparent` header says (W3C Trace Context).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: [u8; 16],
    /// The span.
    pub span: [u8; 8],
    /// Whether whoever sent it records it.
    pub is_sampled: bool,
}

/// A header that is no trace context. It is ignored, as the standard wants it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a trace context reads 00-<32 hex digits>-<16 hex digits>-<2 hex digits>, none of the first two all 0"
)]
pub struct NoTraceParent;

/// A completion that has ended, as [`CompletionWatch`] is told of it.
#[derive(Clone, Copy, Debug)]
pub struct CompletionEnded<'a> {
    /// The decision that let it happen.
    pub decision: Uuid,
    /// When it ended.
    pub at_ms: u64,
    /// All that is on record of it.
    pub completion: &'a CompletionRecord,
    /// Every call of a model that was made for it, also where there was one that went well.
    pub attempts: &'a [AttemptRecord],
}

/// Is told of every completion when it has ended. It is told on the way of the answer, so it must not wait.
pub trait CompletionWatch: Send + Sync {
    /// One has ended.
    fn ended(&self, ended: CompletionEnded<'_>);
}

impl TraceParent {
    /// The span of a decision that begins a trace of its own: the trace has the decision's id.
    pub fn of(decision: Uuid) -> Self {
        let (_, span) = decision.as_u64_pair();
        Self {
            trace: decision.into_bytes(),
            span: span.to_be_bytes(),
            is_sampled: true,
        }
    }

    /// The span of a decision that was asked for within this one.
    pub fn within(self, decision: Uuid) -> Self {
        Self {
            trace: self.trace,
            is_sampled: self.is_sampled,
            ..Self::of(decision)
        }
    }
}

impl FromStr for TraceParent {
    type Err = NoTraceParent;

    fn from_str(text: &str) -> Result<Self, NoTraceParent> {
        let mut parts = text.trim().split('-');
        let mut part = |length: usize| {
            let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
            parts
                .next()
                .filter(|part| part.len() == length && part.bytes().all(is_hex))
                .ok_or(NoTraceParent)
        };
        let version = part(2)?;
        let trace = u128::from_str_radix(part(32)?, 16).map_err(|_| NoTraceParent)?;
        let span = u64::from_str_radix(part(16)?, 16).map_err(|_| NoTraceParent)?;
        let flags = u8::from_str_radix(part(2)?, 16).map_err(|_| NoTraceParent)?;
        // Later versions may say more; this one says no more.
        let is_longer = version == "00" && parts.next().is_some();
        if version == "ff" || is_longer || trace == 0 || span == 0 {
            return Err(NoTraceParent);
        }
        Ok(Self {
            trace: trace.to_be_bytes(),
            span: span.to_be_bytes(),
            is_sampled: flags & 1 == 1,
        })
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span) = (
            u128::from_be_bytes(self.trace),
            u64::from_be_bytes(self.span),
        );
        write!(
            f,
            "00-{trace:032x}-{span:016x}-{:02x}",
            u8::from(self.is_sampled)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_and_written() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let read: TraceParent = text.parse().unwrap();
        assert!(read.is_sampled && read.span[7] == 0xb7);
        assert_eq!(read.to_string(), text);
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more";
        assert!(!later.parse::<TraceParent>().unwrap().is_sampled);
    }

    #[test]
    fn what_is_no_trace_context_is_none() {
        for text in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        ] {
            assert_eq!(text.parse::<TraceParent>(), Err(NoTraceParent), "{text}");
        }
    }

    #[test]
    fn a_decision_within_a_trace_stays_in_it() {
        let outer: TraceParent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
            .parse()
            .unwrap();
        let id = Uuid::now_v7();
        let inner = outer.within(id);
        assert_eq!(
            (inner.trace, inner.span),
            (outer.trace, TraceParent::of(id).span)
        );
        assert_eq!(TraceParent::of(id).trace, *id.as_bytes());
    }
}
