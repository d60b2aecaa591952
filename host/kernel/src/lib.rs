//! The operating system of a company: takes requests in, has them judged, budgets them, and joins the pillars.
//!
//! Two kinds of request come in. An *action* ([`Kernel::act`]) is something that a program or a person is about to do:
//! the kernel says whether it may happen, and in which form. A *completion* ([`Kernel::complete`]) is a question to a
//! model: the kernel has it judged as the action `model.complete`, reserves what it may cost, has the adapter answer, and
//! settles. Either way there is one decision, with an id, in the ledger, from which the whole story can be told
//! ([`Kernel::story`]) and which can be judged again ([`Kernel::replay`]).
//!
//! # What holds
//!
//! - Nothing happens without a record. An action's decision is on the disk before the caller learns of it; a
//!   completion's record is, too, unless the charter says `"ledger": {"completions": "relaxed"}`.
//! - A rule that traps, runs out of fuel or time, is bound and not loaded, is in quarantine, or cannot read its settings
//!   never allows.
//! - Rules are told what the kernel knows (who asks, with which roles, what was spent); what the caller says of the
//!   situation stands apart, under `context.request`, and cannot stand in for it.
//! - What a completion may cost is set aside before it is dispatched. Requests at the same time overspend a budget by at
//!   most what they cost beyond their own estimates.
//! - A reader that goes stops the guest and the call upstream.
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod act;
mod actor;
mod amendments;
mod archive;
mod budget;
mod completion;
mod constitution_live;
mod constitution_store;
mod costs;
mod counters;
mod decision;
mod digest;
mod drain;
mod escalation;
mod evaluate;
mod feedback;
mod histogram;
mod houses;
mod kept;
mod kernel;
mod law;
mod models;
mod money;
mod near;
mod plugin_journal;
mod policies;
mod record;
mod records;
mod remote;
mod replay;
mod rules;
mod schema;
mod settings;
mod story;
mod tokens;
mod training;
mod uncovered;
mod workflows;

pub use act::{ActError, ActionRequest};
pub use actor::Actor;
pub use amendments::{
    Amendment, AmendmentError, AmendmentState, AmendmentView, Comment, Ending, Preview, Proposal,
    Round, Submission, VoteView,
};
pub use archive::DecisionFilter;
pub use budget::{Account, OverBudget, Period, Scope, SpentToday};
pub use completion::{
    About, Answer, AnswerStream, Cached, CascadeAccount, Claim, CompleteError, Completed,
    CompletionEnded, CompletionRecord, CompletionRequest, CompletionStatus, CompletionWatch,
    CouncilAccount, Embedded, EmbeddingRequest, Failure, MemberAccount, Message, NoTraceParent,
    Piece, Together, TraceParent, TryAccount, ViewAccount,
};
pub use constitution_live::{RefusedConstitution, ReloadError, Reloaded};
pub use costs::{CostSum, Costs};
pub use counters::{
    AttemptCount, CompletionCount, Counters, DecisionCount, InboxCount, PluginCount, RouteCount,
    SchemaChangeCount,
};
pub use decision::{Decision, Place, RuleFinding};
pub use drain::{Drained, Draining};
pub use escalation::{HumanAnswer, HumanState, ItemAnswer, RaiseError};
pub use evaluate::{EvaluateError, Evaluation};
pub use feedback::FeedbackError;
pub use histogram::Histogram;
pub use kept::Omitted;
pub use kernel::Kernel;
pub use models::{AdapterProblem, ModelEntry, Routing};
pub use policies::policy_problems;
pub use records::{
    Collected, Inserted, RecordAnswer, RecordBackup, RecordError, RecordExport, RecordPiece,
    RecordQuery,
};
pub use remote::{PullError, Pulled, RemoteSettings, RemoteState};
pub use replay::Replay;
pub use schema::SchemaError;
pub use settings::{Settings, StartError};
pub use story::{Story, StoryEvent};
pub use tokens::{TokenError, TokenInfo};
pub use training::{Trained, TrainingError};
pub use workflows::{
    CancelError, EffectCount, Halt, HaltError, InstanceFilter, InstanceStory, InstanceView,
    Received, RunError, Waiting, WorkflowCount,
};

pub use polity_dispatch::{AttemptEnd, AttemptRecord, Role};
pub use polity_router::{
    Feedback, Row, RowError, State as RouterState, Wants, WantsError, read_rows,
};
pub use polity_runtime::{Delta, ToolCall};
