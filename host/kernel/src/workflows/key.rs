//! Where workflows are in the ledger's state.
//!
//! | key | value |
//! |---|---|
//! | `workflow/open/ID` | an instance that has not ended, with all that it needs to go on |
//! | `workflow/done/ID` | an instance that has ended |
//! | `workflow/item/ITEM` | the id of the instance that waits for the inbox item |
//! | `workflow/plan/NAME` | when a scheduled workflow starts next, or which events it has collected |
//! | `workflow/event/ID` | an event that has not been shown to everybody yet |
//! | `workflow/seen/DIGEST` | the id of an event, by its source and its own id |
//! | `workflow/name/DIGEST` | the id of an instance, by the name that whoever started it gave it |
//! | `workflow/halt/PATTERN` | who stopped these kinds of action, when and why |

use uuid::Uuid;

use crate::digest::sha256;

pub(super) const OPEN: &str = "workflow/open/";
pub(super) const DONE: &str = "workflow/done/";
pub(super) const ITEM: &str = "workflow/item/";
pub(super) const PLAN: &str = "workflow/plan/";
pub(super) const EVENT: &str = "workflow/event/";
pub(super) const HALT: &str = "workflow/halt/";

pub(super) fn open(id: Uuid) -> String {
    format!("{OPEN}{id}")
}

pub(super) fn done(id: Uuid) -> String {
    format!("{DONE}{id}")
}

pub(super) fn item(item: Uuid) -> String {
    format!("{ITEM}{item}")
}

pub(super) fn plan(workflow: &str) -> String {
    format!("{PLAN}{workflow}")
}

pub(super) fn event(id: &str) -> String {
    format!("{EVENT}{id}")
}

pub(super) fn seen(source: &str, id: &str) -> String {
    format!("workflow/seen/{}", sha256(&format!("{source}\n{id}")))
}

pub(super) fn name(workflow: &str, name: &str) -> String {
    format!("workflow/name/{}", sha256(&format!("{workflow}\n{name}")))
}

pub(super) fn halt(pattern: &str) -> String {
    format!("{HALT}{pattern}")
}

/// The subject of everything that happens to an instance.
pub(super) fn subject(id: Uuid) -> String {
    format!("instance/{id}")
}

/// An id that is the same however often it is made: of the moment, and of a name that is given once.
pub(super) fn derived(at_ms: u64, name: &str) -> Uuid {
    let hash = polity_ledger::Hash::of(name.as_bytes());
    let mut bytes = [0_u8; 16];
    bytes[..6].copy_from_slice(&at_ms.to_be_bytes()[2..]);
    bytes[6..].copy_from_slice(&hash.as_bytes()[..10]);
    // Version 7 and its variant, so that it sorts among the others by its time.
    bytes[6] = (bytes[6] & 0x0f) | 0x70;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    Uuid::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_one_name_at_one_time_and_sorts_by_time() {
        let id = derived(1_700_000_000_000, "shop/daily@1");
        assert_eq!(id, derived(1_700_000_000_000, "shop/daily@1"));
        assert_ne!(id, derived(1_700_000_000_000, "shop/daily@2"));
        assert!(id < derived(1_700_000_000_001, "shop/daily@1"));
        assert_eq!(id.get_version_num(), 7);
    }
}
