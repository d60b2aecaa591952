//! The kernel as a whole: real plugins, a real ledger on disk, a peer for the adapters to talk to.

mod actions;
mod company;
mod completions;
mod crashes;
mod escalations;
mod failures;
mod ledger;
mod replays;
mod spending;
mod stories;
mod streams;
mod tokens;
mod workflows;
