//! Where the inbox is in the ledger's state.
//!
//! | key | value |
//! |---|---|
//! | `inbox/item/ID` | the item as JSON |
//! | `inbox/open/KIND/SUBJECT` | the id of the open item; its absence is what makes a new one possible |
//! | `inbox/due/TIME/ID` | nothing; open items with a due time, in its order |

use uuid::Uuid;

use crate::item::Item;

pub(crate) const ITEMS: &str = "inbox/item/";
pub(crate) const OPEN: &str = "inbox/open/";
pub(crate) const DUE: &str = "inbox/due/";

pub(crate) fn item(id: Uuid) -> String {
    format!("{ITEMS}{id}")
}

/// A kind has no slash, so no two items share a key.
pub(crate) fn open(kind: &str, subject: &str) -> String {
    format!("{OPEN}{kind}/{subject}")
}

pub(crate) fn due(item: &Item) -> Option<String> {
    item.due_at_ms
        .map(|due| format!("{DUE}{due:020}/{}", item.id))
}

/// The time and the id in a due key.
pub(crate) fn split_due(key: &str) -> Option<(u64, Uuid)> {
    let (due, id) = key.strip_prefix(DUE)?.split_once('/')?;
    Some((due.parse().ok()?, id.parse().ok()?))
}

/// The kind in an open key.
pub(crate) fn kind_of_open(key: &str) -> Option<&str> {
    key.strip_prefix(OPEN)?
        .split_once('/')
        .map(|(kind, _)| kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::item::tests::item;

    #[test]
    fn due_keys_sort_by_time_and_read_back() {
        let (mut soon, mut late) = (item("owner", "agent:a"), item("owner", "agent:a"));
        (soon.due_at_ms, late.due_at_ms) = (Some(9), Some(10));
        assert!(due(&soon) < due(&late));
        assert_eq!(split_due(&due(&late).unwrap()), Some((10, late.id)));
        late.due_at_ms = None;
        assert_eq!(due(&late), None);
    }

    #[test]
    fn a_slash_in_a_subject_does_not_change_the_kind() {
        assert_eq!(kind_of_open(&open("approval", "a/b/c")), Some("approval"));
    }
}
