//! What an amendment looks like, for the API's document.

use serde_json::Value;
use utoipa::ToSchema;

/// An amendment, and how it stands.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Amendment {
    /// What it is called by.
    name: String,
    /// One line.
    title: String,
    /// Why, in the words of whoever wants it.
    why: String,
    /// The branch.
    branch: String,
    /// Everybody who has submitted a round of it; none of them votes.
    authors: Vec<String>,
    /// When it was first submitted.
    opened_at_ms: u64,
    /// The amendment that it takes back.
    reverts: Option<String>,
    /// What was proposed, oldest first; votes on the last one count.
    rounds: Vec<Round>,
    /// The debate, oldest first.
    comments: Vec<Comment>,
    /// How it ended: `{"merged": …}` or `{"withdrawn": …}`; absent while it is open.
    #[schema(value_type = Option<Object>)]
    ending: Option<Value>,
    /// `voting`, `accepted`, `rejected`, `merged` or `withdrawn`.
    state: String,
    /// The count.
    tally: Tally,
    /// The votes of the round that counts.
    votes: Vec<Vote>,
    /// The digest of what is voted on, to be sent with a vote as `seen_digest`.
    proposal_digest: Option<String>,
}

/// One version of a proposal, and the vote on it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct Round {
    /// What is voted on.
    proposal: Proposal,
    /// Who submitted it.
    by: String,
    /// When the vote opened.
    opened_at_ms: u64,
    /// When it ends.
    due_at_ms: u64,
    /// The role whose holders vote.
    role: String,
    /// How many have to agree.
    quorum: u64,
    /// Who may vote, each with the inbox item that holds the vote.
    #[schema(value_type = Object)]
    voters: Value,
    /// What it changes, in words.
    summary: String,
}

/// Exactly what is voted on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct Proposal {
    /// The branch's commit.
    commit: String,
    /// SHA-256 of the constitution that would be in force.
    digest: String,
    /// SHA-256 of the one that it was compared with.
    base: String,
    /// The commit that it would be merged onto.
    base_commit: String,
}

/// A word of the debate.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct Comment {
    /// Who.
    by: String,
    /// When.
    at_ms: u64,
    /// What.
    text: String,
}

/// The count of votes.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct Tally {
    /// Who may vote.
    eligible: u64,
    /// How many have to agree.
    quorum: u64,
    /// How many do.
    yes: u64,
    /// How many do not.
    no: u64,
    /// How many have answered with words, or let the time pass.
    neither: u64,
}

/// One person's vote.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
struct Vote {
    /// Who.
    voter: String,
    /// The inbox item that holds it.
    item: uuid::Uuid,
    /// `yes`, `no`, `words`, `waiting`, `expired` or `withdrawn`.
    vote: String,
    /// Why, in their words.
    note: Option<String>,
    /// When.
    at_ms: Option<u64>,
}
