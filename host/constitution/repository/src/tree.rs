//! Documents out of the object database. Nothing is checked out: a listing says what there is, and only plain files of
//! bearable size are written, by us, under names that lead nowhere else.

use std::fs;
use std::path::Path;

use crate::documents::{FILES, SHELVES, is_document};
use crate::repository::is_id;
use crate::{GitError, Repository};

/// No document is longer; see the constitution's own limit.
const MAX_BYTES: u64 = 1 << 20;

/// Documents of one constitution.
const MAX_FILES: usize = 4_096;

/// All documents together.
const MAX_ALL: u64 = 48 << 20;

/// Something in a tree that is no document though it stands where one would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// Its path in the company's folder.
    pub path: String,
    /// Why it is not taken, without a full stop.
    pub why: String,
}

/// A path that differs between two trees.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// From the repository's root.
    pub path: String,
    /// In the company's folder; none for what lies outside of it.
    pub in_company: Option<String>,
}

impl Changed {
    /// Whether an amendment may change it.
    pub fn is_document(&self) -> bool {
        self.in_company.as_deref().is_some_and(is_document)
    }
}

struct Entry {
    mode: String,
    id: String,
    size: Option<u64>,
    name: String,
}

impl Repository {
    /// Writes the documents of a commit or tree into a folder. What is no plain file, or too long, is told and not
    /// written.
    ///
    /// # Errors
    /// git failed, or the folder cannot be written.
    pub fn write_out(&self, tree: &str, into: impl AsRef<Path>) -> Result<Vec<Unusable>, GitError> {
        let into = into.as_ref();
        let mut unusable = Vec::new();
        let mut wanted: Vec<(String, Entry)> = Vec::new();
        make(into)?;
        for entry in self.list(&format!("{tree}:{}", self.prefix))? {
            let name = entry.name.clone();
            if FILES.contains(&name.as_str()) {
                wanted.push((name, entry));
            } else if SHELVES.contains(&name.as_str()) {
                if entry.mode != "040000" {
                    unusable.push(no_file(&name, &entry.mode, "a folder"));
                    continue;
                }
                make(&into.join(&name))?;
                for inner in self.list(&entry.id)? {
                    wanted.push((format!("{name}/{}", inner.name), inner));
                }
            }
        }
        if wanted.len() > MAX_FILES {
            return Err(GitError::TooMuch {
                what: format!("the constitution has {} documents", wanted.len()),
                most: MAX_FILES as u64,
            });
        }
        let mut taken = Vec::new();
        let mut all = 0;
        for (path, entry) in wanted {
            match (entry.mode.as_str(), entry.size) {
                ("040000", _) => make(&into.join(&path))?,
                ("100644" | "100755" | "100664", Some(size)) if size <= MAX_BYTES => {
                    all += size;
                    taken.push((path, entry.id));
                }
                ("100644" | "100755" | "100664", size) => unusable.push(Unusable {
                    path,
                    why: format!(
                        "it has {} bytes, and at most {MAX_BYTES} are taken",
                        size.unwrap_or(0)
                    ),
                }),
                (mode, _) => unusable.push(no_file(&path, mode, "a plain file")),
            }
        }
        if all > MAX_ALL {
            return Err(GitError::TooMuch {
                what: "the constitution's documents together".to_owned(),
                most: MAX_ALL,
            });
        }
        self.copy(&taken, into)?;
        Ok(unusable)
    }

    /// What differs between two trees.
    ///
    /// # Errors
    /// git failed.
    pub fn changed(&self, before: &str, after: &str) -> Result<Vec<Changed>, GitError> {
        let out = self
            .git("what an amendment changes cannot be read")
            .args([
                "diff-tree",
                "-r",
                "-z",
                "--name-only",
                "--no-renames",
                "--no-ext-diff",
                before,
                after,
            ])
            .run()?;
        let paths = out.split(|byte| *byte == 0).filter(|path| !path.is_empty());
        Ok(paths
            .map(|path| {
                let path = String::from_utf8_lossy(path).into_owned();
                Changed {
                    in_company: path.strip_prefix(&self.prefix).map(str::to_owned),
                    path,
                }
            })
            .collect())
    }

    fn list(&self, tree: &str) -> Result<Vec<Entry>, GitError> {
        let out = self
            .git("the company's folder cannot be listed")
            .args(["ls-tree", "-z", "-l", "--full-tree", tree])
            .run()?;
        let mut entries = Vec::new();
        for line in out.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            // A name that is no text is none of a document's.
            let Ok(line) = std::str::from_utf8(line) else {
                continue;
            };
            let Some((facts, name)) = line.split_once('\t') else {
                continue;
            };
            let mut facts = facts.split_ascii_whitespace();
            let (Some(mode), _, Some(id), size) =
                (facts.next(), facts.next(), facts.next(), facts.next())
            else {
                continue;
            };
            if is_id(id) && leads_nowhere_else(name) {
                entries.push(Entry {
                    mode: mode.to_owned(),
                    id: id.to_owned(),
                    size: size.and_then(|size| size.parse().ok()),
                    name: name.to_owned(),
                });
            }
        }
        Ok(entries)
    }

    fn copy(&self, files: &[(String, String)], into: &Path) -> Result<(), GitError> {
        let ids: String = files.iter().map(|(_, id)| format!("{id}\n")).collect();
        let out = self
            .git("the documents cannot be read")
            .args(["cat-file", "--batch"])
            .input(ids)
            .run()?;
        let broken = || GitError::Failed {
            what: "the documents cannot be read".to_owned(),
            said: "git answered something else than was asked for".to_owned(),
        };
        let mut rest = out.as_slice();
        for (path, id) in files {
            let end = rest
                .iter()
                .position(|byte| *byte == b'\n')
                .ok_or_else(broken)?;
            let head = std::str::from_utf8(&rest[..end]).map_err(|_| broken())?;
            let size: usize = head
                .strip_prefix(&format!("{id} blob "))
                .and_then(|size| size.parse().ok())
                .ok_or_else(broken)?;
            let content = rest.get(end + 1..end + 1 + size).ok_or_else(broken)?;
            let target = into.join(path);
            fs::write(&target, content).map_err(|source| GitError::File {
                path: target,
                source,
            })?;
            rest = rest.get(end + 2 + size..).unwrap_or_default();
        }
        Ok(())
    }
}

fn make(folder: &Path) -> Result<(), GitError> {
    fs::create_dir_all(folder).map_err(|source| GitError::File {
        path: folder.to_owned(),
        source,
    })
}

fn no_file(path: &str, mode: &str, wanted: &str) -> Unusable {
    let what = match mode {
        "120000" => "a symbolic link",
        "160000" => "a submodule",
        "040000" => "a folder",
        _ => "a file",
    };
    Unusable {
        path: path.to_owned(),
        why: format!("it is {what} and has to be {wanted}"),
    }
}

/// A tree can be made by hand with any bytes for names.
fn leads_nowhere_else(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && !name.eq_ignore_ascii_case(".git")
        && !name.contains(['/', '\\', '\0'])
        && name.len() <= 255
}
