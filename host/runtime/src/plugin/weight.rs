//! What a call is given to read, and what follows from that.
//!
//! Limits are made for ordinary input. Whoever sends a prompt of megabytes makes every rule that reads it work for a
//! thousand times as long as usual: that must neither fail for want of fuel nor, where it fails after all, count as the
//! rule's fault. Else anybody who may ask could take a rule out of service for all others by asking at length.

use crate::failure::CallError;

use super::{Action, Request};

/// Input up to which limits are what they say, and their being hit is the plugin's doing. It is several times what
/// people write, and a few pages of what programs do.
pub(super) const ORDINARY_BYTES: usize = 64 << 10;

/// So many bytes more are worth as much fuel again: with the default, a thousand units each. A rule that looks at each
/// byte for several patterns burns about four hundred.
const BYTES_PER_SHARE: u64 = 200_000;

/// What a call may burn, from what it may for ordinary input.
pub(super) fn fuel(ordinary: u64, input_bytes: usize) -> u64 {
    let beyond = input_bytes.saturating_sub(ORDINARY_BYTES) as u64;
    let more = u128::from(ordinary) * u128::from(beyond) / u128::from(BYTES_PER_SHARE);
    ordinary.saturating_add(u64::try_from(more).unwrap_or(u64::MAX))
}

/// Whether so much input may be why a limit was hit. A trap is a fault whatever was read.
pub(super) fn may_excuse(error: &CallError, input_bytes: usize) -> bool {
    let is_limit = matches!(
        error,
        CallError::OutOfFuel(_) | CallError::Timeout(_) | CallError::OutOfMemory(_)
    );
    is_limit && input_bytes > ORDINARY_BYTES
}

pub(super) fn of_action(action: &Action) -> usize {
    action.input.len() + action.context.len()
}

pub(super) fn of_request(request: &Request) -> usize {
    let messages: usize = request.messages.iter().map(|it| it.content.len()).sum();
    let schema = request.response_schema.as_ref().map_or(0, String::len);
    messages + request.tools.len() + schema + request.extra.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fuel_is_what_the_grant_says_for_ordinary_input_and_grows_with_more() {
        assert_eq!(fuel(200_000_000, 0), 200_000_000);
        assert_eq!(fuel(200_000_000, ORDINARY_BYTES), 200_000_000);
        assert_eq!(fuel(200_000_000, ORDINARY_BYTES + 1), 200_001_000);
        assert_eq!(fuel(1_000, ORDINARY_BYTES + 400_000), 3_000);
        assert_eq!(fuel(u64::MAX, usize::MAX), u64::MAX);
    }

    #[test]
    fn much_input_excuses_a_limit_and_never_a_trap() {
        let much = ORDINARY_BYTES + 1;
        assert!(may_excuse(&CallError::OutOfFuel(1), much));
        assert!(!may_excuse(&CallError::OutOfFuel(1), ORDINARY_BYTES));
        assert!(!may_excuse(&CallError::Trap("unreachable".into()), much));
    }
}
