//! Compiled code on disk, so that a start does not compile what an earlier one did.
//!
//! Machine code read from a file is trusted with everything the host can do, so the cache is the host's alone: a folder
//! under the data folder, opened once through `cap-std` so that no name can lead out of it, private to the user, never
//! the plugin folder. An entry is found by the SHA-256 of the component and a hash of everything that the compiled code
//! depends on (wasmtime's version, the engine's settings, the CPU's features), so an upgrade simply misses; and each
//! entry ends with a keyed digest of itself, so one that was altered or cut short is dropped and made again.
//!
//! What is found whole is mapped, not read: of a plugin's code only the pages that run take memory, and the system may
//! take back those that have not run for long.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::io::{self, BufRead, Read, Seek};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use sha2::{Digest as _, Sha256};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::digest::Digest;

/// Entries past this many bytes are dropped, oldest first.
const MAX_BYTES: u64 = 512 << 20;

const KEY_FILE: &str = "key";
const SEAL_BYTES: usize = 32;
/// What is read of an entry at once, to check it.
const PIECE_BYTES: usize = 64 << 10;
/// Part of every entry's name, so that entries of another layout are not looked at.
const LAYOUT: &[u8] = b"code, seal";

/// The folder of compiled components.
pub(crate) struct CompileCache {
    folder: Dir,
    key: [u8; 32],
}

impl CompileCache {
    /// Opens the cache, making the folder and its key if they are missing.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        std::fs::create_dir_all(path)?;
        restrict(path)?;
        let folder = Dir::open_ambient_dir(path, ambient_authority())?;
        let key = read_or_make_key(&folder)?;
        Ok(Self { folder, key })
    }

    /// The compiled form of a component if it is here and whole.
    pub(crate) fn get(&self, engine: &Engine, digest: &Digest) -> Option<Component> {
        let name = entry_name(engine, digest);
        let mut file = self.folder.open(&name).ok()?.into_std();
        let loaded = match self.is_whole(&name, &mut file) {
            Ok(true) => load(engine, file).map_err(|error| error.to_string()),
            Ok(false) => Err("altered or cut short".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        loaded.map_err(|why| self.forget(&name, &why)).ok()
    }

    /// Keeps the compiled form of a component, and gives it back as the next start will find it. A full disk costs the
    /// next start its time, nothing else.
    pub(crate) fn keep(&self, engine: &Engine, digest: &Digest, component: Component) -> Component {
        let stored = component
            .serialize()
            .map_err(io::Error::other)
            .and_then(|mut entry| {
                let name = entry_name(engine, digest);
                entry.extend(self.seal(&name, &Sha256::digest(&entry)));
                let unfinished = format!("{name}.{}", std::process::id());
                self.folder.write(&unfinished, &entry)?;
                self.folder.rename(&unfinished, &self.folder, &name)?;
                self.trim()
            });
        if let Err(error) = stored {
            tracing::warn!(%error, "compiled code could not be cached");
            return component;
        }
        self.get(engine, digest).unwrap_or(component)
    }

    /// Whether an entry is what this cache has written under this name. Reads it to its end.
    fn is_whole(&self, name: &str, file: &mut File) -> io::Result<bool> {
        let Some(length) = file.metadata()?.len().checked_sub(SEAL_BYTES as u64) else {
            return Ok(false);
        };
        let mut code = Sha256::new();
        let mut reader = io::BufReader::with_capacity(PIECE_BYTES, file.by_ref().take(length));
        loop {
            let piece = reader.fill_buf()?;
            let read = piece.len();
            if read == 0 {
                break;
            }
            code.update(piece);
            reader.consume(read);
        }
        let mut seal = [0; SEAL_BYTES];
        file.read_exact(&mut seal)?;
        Ok(seal == self.seal(name, &code.finalize()))
    }

    /// Ties the code, by its digest, to this cache and to its name.
    fn seal(&self, name: &str, code: &[u8]) -> [u8; SEAL_BYTES] {
        // The inner digest is of fixed length, so prefixing the key leaves no room for length extension.
        Sha256::new()
            .chain_update(self.key)
            .chain_update(code)
            .chain_update(name)
            .finalize()
            .into()
    }

    fn forget(&self, name: &str, why: &str) {
        tracing::warn!(entry = name, why, "dropped an entry of the compile cache");
        let _ = self.folder.remove_file(name);
    }

    fn trim(&self) -> io::Result<()> {
        let mut entries = Vec::new();
        let mut total = 0;
        for entry in self.folder.entries()? {
            let entry = entry?;
            let name = entry.file_name();
            let metadata = entry.metadata()?;
            if name != KEY_FILE {
                total += metadata.len();
                entries.push((metadata.modified()?.into_std(), metadata.len(), name));
            }
        }
        entries.sort();
        for (_, length, name) in entries {
            if total <= MAX_BYTES {
                break;
            }
            self.folder.remove_file(&name)?;
            total -= length;
        }
        Ok(())
    }
}

fn entry_name(engine: &Engine, digest: &Digest) -> String {
    // FNV-1a: stable from run to run, which the standard library's hasher does not promise.
    struct Fnv(u64);
    impl Hasher for Fnv {
        fn finish(&self) -> u64 {
            self.0
        }
        fn write(&mut self, bytes: &[u8]) {
            for byte in bytes {
                self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
    }
    let mut hasher = Fnv(0xcbf2_9ce4_8422_2325);
    engine.precompile_compatibility_hash().hash(&mut hasher);
    hasher.write(LAYOUT);
    format!("{}-{:016x}", digest.to_hex(), hasher.finish())
}

/// The code of an entry that was found whole: mapped, or read where that cannot be, as from a disk that is mounted
/// without the right to execute.
fn load(engine: &Engine, mut file: File) -> wasmtime::Result<Component> {
    #[cfg(target_os = "linux")]
    {
        use std::os::fd::AsRawFd;
        // By its descriptor: whatever has the name by now, this is the file whose seal was checked.
        let opened = format!("/proc/self/fd/{}", file.as_raw_fd());
        if let Ok(component) = deserialize_file(engine, Path::new(&opened)) {
            return Ok(component);
        }
    }
    file.rewind()?;
    let mut code = Vec::new();
    file.read_to_end(&mut code)?;
    code.truncate(code.len().saturating_sub(SEAL_BYTES));
    deserialize(engine, &code)
}

#[expect(
    unsafe_code,
    reason = "the one place that loads compiled code: our own, and no file's that is not sealed with this cache's key"
)]
pub(crate) fn deserialize(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` is what wasmtime's compiler returned: in the process that this one has just started from its own
    // program, or earlier, and then its seal was checked against a key that only this user can read. wasmtime checks that version, settings and CPU features match the engine.
    unsafe { Component::deserialize(engine, code) }
}

#[cfg(target_os = "linux")]
#[expect(
    unsafe_code,
    reason = "as above; and the file is this cache's, which replaces and deletes entries and never writes into one"
)]
fn deserialize_file(engine: &Engine, file: &Path) -> wasmtime::Result<Component> {
    // SAFETY: as above. The mapping is private, and nothing changes the file under it: the folder is this user's alone,
    // and who is this user can replace the program itself.
    unsafe { Component::deserialize_file(engine, file) }
}

fn read_or_make_key(folder: &Dir) -> io::Result<[u8; 32]> {
    if let Ok(bytes) = folder.read(KEY_FILE)
        && let Ok(key) = bytes.try_into()
    {
        return Ok(key);
    }
    let mut key = [0; 32];
    getrandom::fill(&mut key).map_err(io::Error::other)?;
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    {
        use cap_std::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    let mut file = folder.open_with(KEY_FILE, &options)?;
    io::Write::write_all(&mut file, &key)?;
    Ok(key)
}

#[cfg(unix)]
fn restrict(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
}

#[cfg(not(unix))]
fn restrict(_path: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compiled(engine: &Engine) -> (Digest, Component) {
        let bytes = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];
        (Digest::of(&bytes), Component::new(engine, bytes).unwrap())
    }

    fn only_entry(path: &Path) -> std::path::PathBuf {
        let mut entries = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.file_name().unwrap() != KEY_FILE);
        let entry = entries.next().unwrap();
        assert!(entries.next().is_none());
        entry
    }

    #[test]
    fn what_was_put_is_found_by_a_later_start() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let (digest, component) = compiled(&engine);
        CompileCache::open(folder.path())
            .unwrap()
            .keep(&engine, &digest, component.clone());
        assert!(
            CompileCache::open(folder.path())
                .unwrap()
                .get(&engine, &digest)
                .is_some()
        );
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_code_of_a_found_entry_is_mapped_and_nobody_may_write_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let rule = crate::componentize::componentize(polity_test_guests::RULE).unwrap();
        let component = Component::new(&engine, &rule).unwrap();
        let cache = CompileCache::open(folder.path()).unwrap();
        let found = cache.keep(&engine, &Digest::of(&rule), component);
        let entry = only_entry(folder.path());
        let entry = entry.to_str().unwrap();
        let maps = || std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapped = maps();
        let mapped = mapped.lines().filter(|line| line.ends_with(entry));
        let code: Vec<_> = mapped
            .filter_map(|line| line.split(' ').nth(1))
            .filter(|rights| rights.contains('x'))
            .collect();
        assert_eq!(
            code,
            ["r-xp"],
            "its code is to be mapped, and never writable"
        );
        drop(found);
        assert!(!maps().contains(entry), "it is still mapped");
    }

    #[test]
    fn an_altered_entry_is_dropped_and_never_run() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let (digest, component) = compiled(&engine);
        let cache = CompileCache::open(folder.path()).unwrap();
        cache.keep(&engine, &digest, component.clone());
        let entry = only_entry(folder.path());
        let mut bytes = std::fs::read(&entry).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&entry, bytes).unwrap();
        assert!(cache.get(&engine, &digest).is_none());
        assert!(!entry.exists());
    }

    #[test]
    fn an_entry_of_one_component_does_not_answer_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let (digest, component) = compiled(&engine);
        let cache = CompileCache::open(folder.path()).unwrap();
        cache.keep(&engine, &digest, component.clone());
        let other = Digest::of(b"another component");
        std::fs::rename(
            only_entry(folder.path()),
            folder.path().join(entry_name(&engine, &other)),
        )
        .unwrap();
        assert!(cache.get(&engine, &other).is_none());
    }

    #[test]
    fn an_engine_with_other_settings_does_not_find_the_entry() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::default();
        let (digest, component) = compiled(&engine);
        let cache = CompileCache::open(folder.path()).unwrap();
        cache.keep(&engine, &digest, component.clone());
        let mut config = wasmtime::Config::new();
        config.consume_fuel(true);
        assert!(cache.get(&Engine::new(&config).unwrap(), &digest).is_none());
    }
}
