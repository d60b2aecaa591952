//! The git repository that a constitution lies in.
//!
//! Everything goes through the `git` binary, because that is what people push with: their credentials, their transports
//! and their signatures work without a word. What arrives by it is somebody else's, so git is kept to what it is asked
//! for:
//!
//! - It never asks a person anything, never takes longer or more than it may, and runs no hook and no filter.
//! - Documents are taken out of the object database and written by this crate: nothing that comes over the wire is ever
//!   checked out, so that a symbolic link, a submodule or an attribute is a line in a listing and nothing that happens.
//! - Only the files that a constitution is made of are looked at.
//!
//! ```no_run
//! # fn main() -> Result<(), polity_repository::GitError> {
//! use polity_repository::Repository;
//!
//! let repository = Repository::of_folder("protocols")?;
//! let proposed = repository.commit_of("amend/raise-the-refund-limit")?;
//! let head = repository.head()?;
//! let tree = repository.merged_tree(&head.commit, &proposed)?;
//! let unusable = repository.write_out(&tree, "/tmp/proposed")?;
//! assert!(unusable.is_empty());
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod documents;
mod error;
mod git;
mod names;
mod remote;
mod repository;
mod signing;
mod tree;
mod worktree;
mod write;

pub use documents::{FILES, SHELVES, is_document};
pub use error::GitError;
pub use names::{branch_fault, slug};
pub use remote::{Remote, RemoteError};
pub use repository::{Head, Repository};
pub use signing::SigningKey;
pub use tree::{Changed, Unusable};
pub use write::{Merge, Merged};
