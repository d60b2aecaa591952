//! The constitutions that instances began with. The ledger has every one that was ever in force.

use std::sync::Arc;

use parking_lot::Mutex;
use polity_constitution::{Constitution, Version};

use super::drive::DriveError;
use crate::{Kernel, constitution_store};

/// Constitutions that are kept at hand. An older one is read again when an instance of it moves.
const MOST: usize = 8;

/// Constitutions of the past that were read last, newest use first.
#[derive(Default)]
pub(super) struct Library(Mutex<Vec<Arc<Constitution>>>);

impl Kernel {
    /// The constitution of a version.
    pub(super) fn constitution_of(
        &self,
        version: &Version,
    ) -> Result<Arc<Constitution>, DriveError> {
        let current = self.constitution();
        if current.version().digest == version.digest {
            return Ok(current);
        }
        let mut shelf = self.inner.workflows.library.0.lock();
        let at = shelf
            .iter()
            .position(|known| known.version().digest == version.digest);
        let found = match at {
            Some(at) => shelf.remove(at),
            None => {
                let read = constitution_store::past(&self.inner.ledger, version)?;
                Arc::new(read.ok_or_else(|| DriveError::NoConstitution(version.digest.clone()))?)
            }
        };
        shelf.insert(0, found.clone());
        shelf.truncate(MOST);
        Ok(found)
    }
}
