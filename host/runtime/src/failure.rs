//! How a call into a plugin can fail.

use serde::Serialize;
use wasmtime::Trap;

use crate::bindings::imports::polity::plugin::types::Problem;

/// Longest text of a guest that is kept: an error is one sentence, not a channel.
const MAX_DETAIL: usize = 4 << 10;

/// Why a call gave no answer. A rule that failed never allows; an adapter that failed may be retried elsewhere.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The guest crashed.
    #[error("the plugin trapped: {0}")]
    Trap(String),
    /// The guest used up its fuel.
    #[error("the plugin used up its fuel of {0} units (`limits.fuel`)")]
    OutOfFuel(u64),
    /// The call took longer than its grant or its deadline allows.
    #[error("the plugin did not answer within {0} ms")]
    Timeout(u64),
    /// The guest wanted more memory than it may have, and crashed.
    #[error("the plugin wanted more than its {0} bytes of memory (`limits.memory_mb`) and trapped")]
    OutOfMemory(usize),
    /// Too many calls at once.
    #[error("{0} calls of the plugin are in progress already (`limits.concurrent`)")]
    Busy(usize),
    /// The caller has gone.
    #[error("the caller has gone")]
    Cancelled,
    /// The guest answered with a problem.
    #[error("{}", .0.detail)]
    Problem(Problem),
    /// The plugin is known but not running, with the reason.
    #[error("the plugin is not running: {0}")]
    NotRunning(String),
    /// The host could not make or call the instance.
    #[error("the host could not call the plugin: {0}")]
    Host(String),
}

impl CallError {
    /// A stable code for programs; for a problem, the guest's own.
    pub fn code(&self) -> &str {
        match self {
            CallError::Trap(_) => "trap",
            CallError::OutOfFuel(_) => "out-of-fuel",
            CallError::Timeout(_) => "timeout",
            CallError::OutOfMemory(_) => "out-of-memory",
            CallError::Busy(_) => "busy",
            CallError::Cancelled => "cancelled",
            CallError::Problem(problem) => &problem.code,
            CallError::NotRunning(_) => "not-running",
            CallError::Host(_) => "host",
        }
    }

    /// How long to wait before trying again, where the provider said so.
    pub fn retry_after_ms(&self) -> Option<u32> {
        match self {
            CallError::Problem(problem) => problem.retry_after_ms,
            _ => None,
        }
    }

    /// Whether the plugin is at fault in a way that repeated often enough means quarantine.
    pub fn is_strike(&self) -> bool {
        matches!(
            self,
            CallError::Trap(_)
                | CallError::OutOfFuel(_)
                | CallError::Timeout(_)
                | CallError::OutOfMemory(_)
        )
    }

    /// What stopped the guest, read off wasmtime's error.
    pub(crate) fn of(error: &wasmtime::Error, limits: Limits) -> Self {
        match error.downcast_ref::<Trap>() {
            _ if limits.memory_denied => CallError::OutOfMemory(limits.memory),
            Some(Trap::OutOfFuel) => CallError::OutOfFuel(limits.fuel),
            Some(Trap::Interrupt) => CallError::Timeout(limits.wall_ms),
            Some(trap) => CallError::Trap(trap.to_string()),
            None => CallError::Trap(cut(&format!("{error:#}"))),
        }
    }
}

impl Serialize for CallError {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("CallError", 2)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("detail", &self.to_string())?;
        fields.end()
    }
}

/// The limits that a call ran under, for its error's text.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) fuel: u64,
    pub(crate) wall_ms: u64,
    pub(crate) memory: usize,
    pub(crate) memory_denied: bool,
}

/// Cuts a guest's text to a sentence's length at a character's end.
pub(crate) fn cut(text: &str) -> String {
    if text.len() <= MAX_DETAIL {
        return text.to_owned();
    }
    let end = (0..=MAX_DETAIL)
        .rev()
        .find(|end| text.is_char_boundary(*end))
        .unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guests_text_is_cut_at_a_characters_end() {
        let text = "ü".repeat(MAX_DETAIL);
        let short = cut(&text);
        assert!(short.len() <= MAX_DETAIL + '…'.len_utf8());
        assert!(short.ends_with('…'));
    }
}
