//! The plugin folder: which files are there, and when one has changed.
//!
//! Files arrive by `cp`, `mv`, editors, deployment tools and symbolic links that are switched. The kernel says when a
//! writer has closed a file or a name has been moved into place; only then is it read. A rescan now and then finds what
//! no event told of (network file systems, a queue that overflowed).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// How long a file that is still being written to has to rest before it is read.
const SETTLE: Duration = Duration::from_millis(100);

/// How often the folder is looked through without being told to.
const RESCAN: Duration = Duration::from_secs(30);

/// What a name looked like when it was last read; anything that replaces it looks different.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    wasm: Option<Stamp>,
    /// What has the plugin's name instead of a file.
    odd: Option<String>,
    grant: Option<Stamp>,
    signature: Option<Stamp>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    length: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

/// The paths that belong to one plugin.
pub(crate) struct Files {
    pub(crate) wasm: PathBuf,
    pub(crate) grant: PathBuf,
    pub(crate) signature: PathBuf,
}

impl Files {
    pub(crate) fn of(folder: &Path, name: &str) -> Self {
        Self {
            wasm: folder.join(format!("{name}.wasm")),
            grant: folder.join(format!("{name}.grant.toml")),
            signature: folder.join(format!("{name}.wasm.minisig")),
        }
    }

    /// How the files look now.
    pub(crate) fn fingerprint(&self) -> Fingerprint {
        let wasm = stamp(&self.wasm);
        Fingerprint {
            odd: wasm.is_none().then(|| odd(&self.wasm)).flatten(),
            wasm,
            grant: stamp(&self.grant),
            signature: stamp(&self.signature),
        }
    }
}

impl Fingerprint {
    /// Whether the file was written to so lately that more may come.
    pub(crate) fn is_fresh(&self) -> bool {
        let modified = self.wasm.as_ref().and_then(|stamp| stamp.modified);
        modified.is_some_and(|modified| modified.elapsed().is_ok_and(|age| age < SETTLE))
    }

    /// Something has the plugin's name, be it a file or not.
    pub(crate) fn is_there(&self) -> bool {
        self.wasm.is_some() || self.odd.is_some()
    }

    /// What has the plugin's name though it is no file, in a sentence.
    pub(crate) fn odd(&self) -> Option<&str> {
        self.odd.as_deref()
    }
}

/// Follows symbolic links: a switched link is another file.
fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok().filter(fs::Metadata::is_file)?;
    #[cfg(unix)]
    let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
    #[cfg(not(unix))]
    let inode = 0;
    Some(Stamp {
        length: metadata.len(),
        modified: metadata.modified().ok(),
        inode,
    })
}

/// What has the name of a plugin's file and is none; nothing where nothing has it.
fn odd(path: &Path) -> Option<String> {
    // A file that has come since is looked at another time.
    let metadata = fs::symlink_metadata(path)
        .ok()
        .filter(|metadata| !metadata.is_file())?;
    if metadata.is_dir() {
        return Some("this is a folder; a plugin is one file, a compiled component".to_owned());
    }
    if !metadata.is_symlink() {
        return Some("this is neither a file nor a link to one".to_owned());
    }
    let target = fs::read_link(path).unwrap_or_default();
    let target = target.display();
    Some(match fs::metadata(path) {
        Ok(_) => format!("this is a link to {target}, which is no file"),
        Err(error) => format!("this is a link to {target}, which leads to no file: {error}"),
    })
}

/// The names of the plugins in a folder.
pub(crate) fn names(folder: &Path) -> std::io::Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        if let Some(name) = Path::new(&name)
            .to_str()
            .and_then(|name| name.strip_suffix(".wasm"))
            && !name.starts_with('.')
        {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

/// The plugin that a path belongs to, if it belongs to one.
fn plugin_of(path: &Path) -> Option<String> {
    let file = path.file_name().and_then(OsStr::to_str)?;
    if file.starts_with('.') {
        return None;
    }
    let name = [".wasm", ".wasm.minisig", ".grant.toml"]
        .iter()
        .find_map(|suffix| file.strip_suffix(suffix))?;
    Some(name.to_owned())
}

/// Something for the thread that looks after the folder.
pub(crate) enum Message {
    /// The kernel saw something.
    Seen(notify::Result<notify::Event>),
    /// A name has to be looked at again.
    Again(String),
    /// Somebody wants the thread to do something between two looks.
    Do(Box<dyn FnOnce() + Send>),
    /// The runtime is going.
    Stop,
}

/// Starts to watch. The watcher stops when it is dropped.
pub(crate) fn watch(
    folder: &Path,
    send: impl Fn(Message) + Send + 'static,
) -> notify::Result<RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event| send(Message::Seen(event)))?;
    watcher.watch(folder, RecursiveMode::NonRecursive)?;
    Ok(watcher)
}

/// Whether a name could be brought up to date with its files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It is.
    Done,
    /// Somebody seems to be writing still: look again.
    Again,
}

/// Runs until it is told to stop, and calls `changed` with each name that may have changed, `rescan` when any may have;
/// it answers with the names to look at again.
pub(crate) fn attend(
    messages: &Receiver<Message>,
    changed: impl Fn(&str) -> Look,
    rescan: impl Fn() -> Vec<String>,
) {
    let mut unsettled: BTreeMap<String, Instant> = BTreeMap::new();
    // The first look was taken before the thread started, and may have met somebody writing.
    let mut next_rescan = Instant::now();
    loop {
        let next = unsettled
            .values()
            .min()
            .copied()
            .unwrap_or(next_rescan)
            .min(next_rescan);
        match messages.recv_timeout(next.saturating_duration_since(Instant::now())) {
            Ok(Message::Stop) | Err(RecvTimeoutError::Disconnected) => return,
            Ok(Message::Do(work)) => work(),
            Ok(Message::Again(name)) => again(&mut unsettled, [name]),
            Ok(Message::Seen(Ok(event))) if event.need_rescan() => again(&mut unsettled, rescan()),
            Ok(Message::Seen(Ok(event))) => {
                let complete = is_complete(&event.kind);
                for name in event.paths.iter().filter_map(|path| plugin_of(path)) {
                    match complete {
                        Some(true) => {
                            unsettled.remove(&name);
                            if changed(&name) == Look::Again {
                                again(&mut unsettled, [name]);
                            }
                        }
                        Some(false) => again(&mut unsettled, [name]),
                        None => {}
                    }
                }
            }
            Ok(Message::Seen(Err(_))) => again(&mut unsettled, rescan()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let now = Instant::now();
        let settled: Vec<String> = unsettled
            .iter()
            .filter(|(_, due)| **due <= now)
            .map(|(name, _)| name.clone())
            .collect();
        for name in settled {
            unsettled.remove(&name);
            if changed(&name) == Look::Again {
                again(&mut unsettled, [name]);
            }
        }
        if next_rescan <= now {
            next_rescan = now + RESCAN;
            again(&mut unsettled, rescan());
        }
    }
}

fn again(unsettled: &mut BTreeMap<String, Instant>, names: impl IntoIterator<Item = String>) {
    let due = Instant::now() + SETTLE;
    unsettled.extend(names.into_iter().map(|name| (name, due)));
}

/// Whether what an event tells of is finished; none if it does not matter.
fn is_complete(kind: &EventKind) -> Option<bool> {
    match kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(true),
        EventKind::Modify(ModifyKind::Name(_)) | EventKind::Remove(_) => Some(true),
        EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => None,
        EventKind::Create(_) | EventKind::Modify(_) | EventKind::Any | EventKind::Other => {
            Some(false)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plugins_files_lead_to_its_name_and_others_to_none() {
        for file in ["rule.wasm", "rule.wasm.minisig", "rule.grant.toml"] {
            assert_eq!(
                plugin_of(&Path::new("/plugins").join(file)).as_deref(),
                Some("rule")
            );
        }
        for file in [".rule.wasm", "rule.wasm~", "README.md", "rule.wasm.part"] {
            assert_eq!(plugin_of(&Path::new("/plugins").join(file)), None, "{file}");
        }
    }

    #[test]
    fn a_file_replaced_by_one_of_the_same_length_looks_different() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(folder.path(), "rule");
        fs::write(&files.wasm, b"one").unwrap();
        let before = files.fingerprint();
        let other = folder.path().join("other");
        fs::write(&other, b"two").unwrap();
        fs::rename(&other, &files.wasm).unwrap();
        assert_ne!(files.fingerprint(), before);
    }

    #[cfg(unix)]
    #[test]
    fn a_switched_link_looks_different() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::of(folder.path(), "rule");
        let (one, two) = (folder.path().join("one"), folder.path().join("two"));
        fs::write(&one, b"same").unwrap();
        fs::write(&two, b"same").unwrap();
        std::os::unix::fs::symlink(&one, &files.wasm).unwrap();
        let before = files.fingerprint();
        fs::remove_file(&files.wasm).unwrap();
        std::os::unix::fs::symlink(&two, &files.wasm).unwrap();
        assert_ne!(files.fingerprint(), before);
    }
}
