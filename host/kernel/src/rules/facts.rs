//! What rules are told of the situation beside the action itself.
//!
//! Everything at the top level of the context is said by the kernel. What the caller says of the situation stands under
//! `request` and nowhere else, so that no caller can tell a rule that he is the owner or has spent nothing today: a rule
//! that reads `context.actor_roles` reads the charter, whatever the request contained.
//!
//! | member | what it is |
//! |---|---|
//! | `actor` | `{"id", "kind", "name"}` of who asks |
//! | `actor_roles` | the roles that the charter gives |
//! | `company` | `{"name", "currency"}` |
//! | `spent_today_micro` | `{"actor", "company"}`: spent since 00:00 UTC, and reserved by what is in progress |
//! | `estimated_cost_micro` | what this may cost at most, where it costs anything: for completions |
//! | `model` | `{"id", "plugin", "local", "region", "input_price", "output_price"}` of the model: for completions |
//! | `request` | what the caller sent as context; believe it as much as you believe the caller |

use std::fmt::Write;

use crate::Actor;
use crate::budget::Spent;
use crate::law::Law;

/// The pieces of a context.
pub(crate) struct Facts<'a> {
    pub(crate) law: &'a Law,
    pub(crate) actor: &'a Actor,
    pub(crate) spent: Spent,
    /// Estimated cost, and the model's own facts: the members of a JSON object.
    pub(crate) model: Option<(u64, &'a str)>,
    /// A JSON object.
    pub(crate) request: Option<&'a str>,
}

impl Facts<'_> {
    /// The context as JSON text.
    pub(crate) fn text(&self) -> String {
        let mut text = String::with_capacity(512);
        let Spent { actor, company } = self.spent;
        // Writing to a string cannot fail.
        let _ = write!(
            text,
            "{{{},{},\"spent_today_micro\":{{\"actor\":{actor},\"company\":{company}}}",
            self.actor.facts, self.law.facts
        );
        if let Some((cost, model)) = self.model {
            let _ = write!(text, ",\"estimated_cost_micro\":{cost},{model}");
        }
        let _ = write!(text, ",\"request\":{}}}", self.request.unwrap_or("{}"));
        text
    }
}
