//! One process for each folder.
//!
//! sled has a lock of its own, but its message names neither the reason nor the culprit. This one is taken first, is
//! released by the kernel however the process ends, and carries the process id of its holder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::Path;

/// Held as long as it lives.
#[derive(Debug)]
pub(super) struct FolderLock {
    file: File,
}

/// Why the lock was not had.
#[derive(Debug)]
pub(super) enum LockError {
    /// Another process, or this one a second time, has it.
    Held(Option<u32>),
    Io(io::Error),
}

impl FolderLock {
    pub(super) fn acquire(folder: &Path) -> Result<Self, LockError> {
        let path = folder.join("lock");
        let options = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path);
        let mut file = options.map_err(LockError::Io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                let holder = file
                    .read_to_string(&mut text)
                    .ok()
                    .and_then(|_| text.trim().parse().ok());
                return Err(LockError::Held(holder));
            }
            Err(TryLockError::Error(error)) => return Err(LockError::Io(error)),
        }
        let written = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()));
        written.map_err(LockError::Io)?;
        Ok(Self { file })
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        // Closing is not enough: a process that is just being started holds a copy of the file until it is its own.
        let _ = self.file.unlock();
    }
}
