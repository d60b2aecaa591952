//! The token that lets the commands of the user who started the host speak for the company's owner.

use std::path::Path;
use std::sync::Arc;

use polity_constitution::{ActorKind, OWNER};
use polity_kernel::{Kernel, TokenInfo};

use crate::cli::presence::{Presence, owner_token};
use crate::cli::report::Report;

/// The label by which the token is recognised in `polity token list`.
pub(super) const LABEL: &str = "polity up: owner.token";

/// Keeps the token of an earlier start if it still opens the door, else issues one.
pub(super) async fn ensure(
    kernel: &Kernel,
    presence: &Presence,
    data: &Path,
) -> Result<Arc<TokenInfo>, Report> {
    let is_owner = |info: &Arc<TokenInfo>| {
        let actor = kernel.actor(&info.actor);
        actor.is_some_and(|actor| actor.roles.iter().any(|role| role == OWNER))
    };
    let kept = owner_token(data).and_then(|token| kernel.token(&token));
    if let Some(kept) = kept.filter(is_owner) {
        return Ok(kept);
    }
    let constitution = kernel.constitution();
    let owner = constitution
        .charter()
        .actors()
        .find(|actor| actor.kind == ActorKind::Person && actor.holds(OWNER))
        .ok_or_else(|| Report::new("the charter names nobody who owns the company"))?;
    let token = kernel
        .issue_token("host", &owner.id, LABEL)
        .await
        .map_err(|error| Report::new("the owner's token cannot be issued").caused_by(&error))?;
    presence.leave_token(&token)?;
    kernel
        .token(&token)
        .ok_or_else(|| Report::new("the owner's token was revoked at once"))
}
