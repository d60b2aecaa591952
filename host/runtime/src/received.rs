//! What came of an answer before its end.
//!
//! A provider charges for an answer that breaks off half-way, and whoever settles the bill has then nothing in hand but
//! an error. So a call counts what it hears where its caller can read it, whatever becomes of the call.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts of one call. Clones count together.
#[derive(Clone, Debug, Default)]
pub struct Received(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    kept: AtomicU64,
    responded: AtomicU64,
}

impl Received {
    /// Bytes of pieces that were collected: text, thoughts, and tool calls. Pieces of a stream are counted by whoever
    /// reads it.
    pub fn kept_bytes(&self) -> u64 {
        self.0.kept.load(Ordering::Relaxed)
    }

    /// Whether the body of a successful response had begun to arrive over `polity:plugin/http`: somebody has read the
    /// request and begun to answer it.
    pub fn is_answering(&self) -> bool {
        self.0.responded.load(Ordering::Relaxed) > 0
    }

    pub(crate) fn keep(&self, bytes: u64) {
        self.0.kept.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn respond(&self, status: u16, bytes: usize) {
        if (200..300).contains(&status) {
            self.0.responded.fetch_add(bytes as u64, Ordering::Relaxed);
        }
    }
}
