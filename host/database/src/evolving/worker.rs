//! The thread: sleeps until there is use, then works as often as it may.

use std::time::Duration;

use super::evolver::Inner;

/// How long it looks away while something is on its way: trials have ends, and what failed is tried again.
const LOOK: Duration = Duration::from_secs(60);

pub(super) fn work(inner: &Inner) {
    // Whatever a crash has left is brought to its place first.
    let _ = inner.turn(false);
    while !inner.is_stopping() {
        let until_round = inner.until_round();
        let has_use = inner.site.bell.has_use();
        if has_use && until_round.is_zero() {
            // Said in the log already.
            let _ = inner.turn(true);
            continue;
        }
        let longest = match (has_use, inner.is_busy()) {
            (true, _) => Some(until_round),
            (false, true) => Some(LOOK),
            (false, false) => None,
        };
        inner.site.bell.wait(longest);
        if !inner.is_stopping() {
            let _ = inner.turn(false);
        }
    }
}
