//! SHA-256 digests: how a plugin's bytes are named everywhere.

pub use crate::signature::Digest;
