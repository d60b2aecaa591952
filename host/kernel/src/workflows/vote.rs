//! What a vote came to.
//!
//! Every voter has a ballot. A vote is over when enough are in that the others can change nothing, or when no ballot is
//! open; what has fewer votes than the quorum wants, or as many as something else, has not won.

use std::collections::BTreeMap;

use polity_inbox::{Answer, Item};
use polity_workflow::{Fault, FaultKind};
use serde_json::{Value, json};

/// The outcome of a vote; none where it goes on.
pub(super) fn outcome(
    ballots: &[Item],
    quorum: u32,
    options: &[String],
) -> Option<Result<Value, Fault>> {
    let (yes, no) = ("yes".to_owned(), "no".to_owned());
    let mut counts: BTreeMap<&str, usize> = if options.is_empty() {
        BTreeMap::from([(yes.as_str(), 0), (no.as_str(), 0)])
    } else {
        options.iter().map(|option| (option.as_str(), 0)).collect()
    };
    let mut votes = serde_json::Map::new();
    for ballot in ballots {
        let Some(decision) = ballot.decision() else {
            continue;
        };
        let vote = match &decision.answer {
            Answer::Accept | Answer::Edit(_) => &yes,
            Answer::Reject => &no,
            Answer::Respond(option) => option,
        };
        if let Some(count) = counts.get_mut(vote.as_str()) {
            *count += 1;
            votes.insert(decision.by.clone(), vote.as_str().into());
        }
    }
    let open = ballots.iter().filter(|ballot| ballot.is_open()).count();
    let cast: usize = counts.values().sum();
    let quorum = usize::try_from(quorum).unwrap_or(usize::MAX);
    let mut ranking: Vec<(&str, usize)> = counts.iter().map(|(option, n)| (*option, *n)).collect();
    ranking.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let first = ranking.first().copied().unwrap_or_default();
    let second = ranking.get(1).map_or(0, |(_, count)| *count);
    let is_settled = cast >= quorum && first.1 > second + open;
    if !is_settled && open > 0 {
        return None;
    }
    if cast < quorum {
        let why = format!("{cast} voted in time, {quorum} have to");
        return Some(Err(Fault::new(FaultKind::Timeout, why)));
    }
    let winner = (first.1 > second).then_some(first.0);
    let decision = match (winner, options.is_empty()) {
        (Some("yes"), true) => "approved",
        (_, true) => "rejected",
        (Some(option), false) => option,
        (None, false) => "tie",
    };
    Some(Ok(
        json!({ "decision": decision, "counts": counts, "votes": votes }),
    ))
}
