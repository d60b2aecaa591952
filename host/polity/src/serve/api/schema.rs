//! What the kernel's and the inbox's objects look like, for the API's document. They are written by their own crates;
//! that they look like this is tested against real answers.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// What became of an action, why, and how that can be checked.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Decision {
    /// Its id, also that of its event in the ledger.
    id: Uuid,
    /// The kind of action.
    #[schema(example = "refund.approve")]
    kind: String,
    /// Who wanted it.
    #[schema(example = "agent:assistant")]
    actor: String,
    /// When it was asked for.
    at_ms: u64,
    /// What became of it when the rules had spoken.
    outcome: Outcome,
    /// Which rules decided and why, in one sentence.
    reason: String,
    /// The bindings that decided; empty where the charter's defaults did.
    decided_by: Vec<Value>,
    /// The action's input; null where it is too long for a record.
    input: Value,
    /// What is known of an input that is too long for a record.
    #[schema(required = false)]
    omitted_input: Option<Value>,
    /// The input as the rules want it, where they changed it.
    #[schema(required = false)]
    amended_input: Option<Value>,
    /// What is known of an amended input that is too long for a record.
    #[schema(required = false)]
    omitted_amended_input: Option<Value>,
    /// The parts of the input that the rules changed, as JSON pointers.
    #[schema(required = false)]
    changed: Vec<String>,
    /// Amendments that cannot both be made.
    #[schema(required = false)]
    conflicts: Vec<Value>,
    /// What the rules were told of the situation.
    context: Value,
    /// What each rule said.
    findings: Vec<Finding>,
    /// What the rules in shadow mode would have made of it.
    #[schema(required = false)]
    if_shadow_counted: Option<Value>,
    /// For an escalated action: which roles are asked, and what.
    #[schema(required = false)]
    asks: Vec<Value>,
    /// For an escalated action: the inbox items.
    #[schema(required = false)]
    inbox_items: Vec<Uuid>,
    /// For an escalated action: how it stands with the people who were asked. `state` is `waiting`, `accepted` (it may
    /// happen, with `input` where that is there), `rejected`, `answered` or `disagreed`; `items` has each item.
    #[schema(required = false)]
    resolution: Option<Value>,
    /// The constitution that was in force.
    constitution: Value,
    /// Time that judging took.
    took_us: u64,
    /// For a completion: model, tokens, cost and times.
    #[schema(required = false)]
    completion: Option<Value>,
    /// Where it stands in the ledger: `seq` and `hash`.
    #[schema(required = false)]
    ledger: Option<Value>,
}

/// What became of an action.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum Outcome {
    /// It may happen as asked.
    Allow,
    /// It may happen with `amended_input`.
    Amend,
    /// A person decides first.
    Escalate,
    /// It must not happen.
    Deny,
}

/// What one rule said: its `verdict`, or its `failure`.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Finding {
    /// The binding's name.
    binding: String,
    /// The rule plugin's name.
    rule: String,
    /// `enforce` or `shadow`.
    mode: String,
    /// `allow`, `deny`, `escalate` or `amend`.
    #[schema(required = false)]
    verdict: Option<String>,
    /// Why there is no verdict.
    #[schema(required = false)]
    failure: Option<String>,
    /// 1, or 2 where the amended input was judged.
    round: u8,
    /// Fuel burnt.
    fuel: u64,
    /// Time taken.
    took_us: u64,
}

/// A decision judged again.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct Replay {
    /// The decision.
    id: Uuid,
    /// Whether everything came out as it is on record.
    same: bool,
    /// The outcome on record.
    then: Outcome,
    /// The outcome now; null where something that it takes is missing.
    now: Option<Outcome>,
    /// What came out differently, in sentences.
    differences: Vec<String>,
    /// What would be needed and is not there any more, in sentences.
    missing: Vec<String>,
}

/// Which items.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum ItemState {
    /// Those that wait.
    Open,
    /// Those that were decided or are over.
    Closed,
    /// Both.
    All,
}

/// What a person can say to an item.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum AnswerType {
    /// Yes, as proposed.
    Accept,
    /// Yes, but with `args` in place of the proposal.
    Edit,
    /// Neither yes nor no: `args` is a text for whoever asked.
    Respond,
    /// No.
    Reject,
}

/// A person's answer to an item.
#[derive(Serialize, ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[expect(dead_code, reason = "it only describes")]
pub(super) enum AnswerBody {
    /// Yes, as proposed.
    Accept {
        /// Why, for whoever asked and for whoever reads the ledger later.
        #[schema(example = "The customer is right.", pattern = r"\S", max_length = 1000)]
        note: String,
        /// The `proposal_digest` of what was read; an answer to another proposal is refused.
        #[schema(required = false, pattern = "^[0-9a-f]{64}$")]
        seen_digest: Option<String>,
    },
    /// Yes, but in this form.
    Edit {
        /// What stands in place of the proposal.
        #[schema(value_type = Object)]
        args: Value,
        /// Why, for whoever asked and for whoever reads the ledger later.
        #[schema(example = "The customer is right.", pattern = r"\S", max_length = 1000)]
        note: String,
        /// The `proposal_digest` of what was read; an answer to another proposal is refused.
        #[schema(required = false, pattern = "^[0-9a-f]{64}$")]
        seen_digest: Option<String>,
    },
    /// Neither yes nor no.
    Respond {
        /// A text for whoever asked.
        #[schema(pattern = r"\S", max_length = 1000)]
        args: String,
        /// Why, for whoever asked and for whoever reads the ledger later.
        #[schema(example = "The customer is right.", pattern = r"\S", max_length = 1000)]
        note: String,
        /// The `proposal_digest` of what was read; an answer to another proposal is refused.
        #[schema(required = false, pattern = "^[0-9a-f]{64}$")]
        seen_digest: Option<String>,
    },
    /// No.
    Reject {
        /// Why, for whoever asked and for whoever reads the ledger later.
        #[schema(example = "The customer is right.", pattern = r"\S", max_length = 1000)]
        note: String,
        /// The `proposal_digest` of what was read; an answer to another proposal is refused.
        #[schema(required = false, pattern = "^[0-9a-f]{64}$")]
        seen_digest: Option<String>,
    },
}

/// Something that was put to a person.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct InboxItem {
    /// Its id.
    id: Uuid,
    /// For example `exception`, `approval`, `budget`.
    kind: String,
    /// What it is about.
    subject: String,
    /// One line.
    title: String,
    /// What the person is asked, and why. Markdown.
    question: String,
    /// What will happen if the person accepts.
    proposal: Value,
    /// The SHA-256 of the proposal's canonical JSON.
    proposal_digest: String,
    /// The clause of the constitution that asks for a person.
    clause: Option<String>,
    /// What speaks for and against.
    evidence: Value,
    /// The role that decides now.
    role: String,
    /// Who wants it, and can never decide it.
    requested_by: String,
    /// What it costs if the decision is wrong, in micro-units.
    cost_at_stake: Option<u64>,
    /// When it was raised.
    raised_at_ms: u64,
    /// When it expires for the present role.
    due_at_ms: Option<u64>,
    /// What then: `reject`, or `{"escalate": …}`.
    on_expiry: Value,
    /// The answers that make sense.
    allowed: Vec<AnswerType>,
    /// The roles that let it expire before the present one.
    escalations: Vec<Value>,
    /// `open`, `{"decided": …}`, `{"expired": …}` or `{"withdrawn": …}`.
    state: Value,
    /// Why the caller may not decide it; null where the caller may.
    why_not: Option<String>,
}

/// An event of the ledger: CloudEvents 1.0.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes")]
pub(super) struct CloudEvent {
    /// `1.0`.
    specversion: String,
    /// Its id.
    id: Uuid,
    /// Which part of the system says so.
    #[schema(example = "/runtime")]
    source: String,
    /// What happened.
    #[schema(example = "dev.polity.plugin.loaded")]
    r#type: String,
    /// What it happened to.
    #[schema(example = "plugin/triage")]
    subject: String,
    /// When, RFC 3339.
    time: String,
    /// `application/json`.
    datacontenttype: String,
    /// Everything else.
    data: Value,
    /// Its number, with leading zeros, so that it sorts as text.
    sequence: String,
    /// The hash of the event before it.
    previoushash: String,
    /// Its own hash.
    hash: String,
}
