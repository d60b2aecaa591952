//! Two models at once, for a caller who names a deadline: when the first one takes longer than it nearly always does,
//! another one is asked as well, and whichever answers first is heard.
//!
//! Who is asked when is decided by [`polity_dispatch`]: once for a request at most, for a twentieth of requests at most,
//! and only if the rules let the other one answer and the budget has both. Whoever is not heard has read the prompt and
//! charges for it, so that is on the bill, too.
//!
//! A whole answer is first when it is complete (`whole`), a stream when its first visible piece has come (`stream`).

mod stream;
mod whole;

use std::sync::Arc;
use std::time::Duration;

use polity_dispatch::AttemptId;

use crate::models::ModelEntry;

pub(super) use stream::{Ahead, Lead, first_to_speak};
pub(super) use whole::first_to_end;

/// What a race does next.
pub(super) enum Lap {
    /// This model is asked as well.
    Begin(AttemptId, Arc<ModelEntry>),
    /// Nothing, for so long or until a call ends.
    Wait(Duration),
    /// A call is no longer waited for.
    Stop(AttemptId),
    /// Nobody is being asked, or the answer is there.
    Over,
}
