//! The constitution as a site for somebody who starts on Monday: a page for every protocol, one for the people, and a
//! search that needs no server.
//!
//! The site is files and nothing else: it opens from a folder, loads nothing from elsewhere, and shows what people wrote
//! as text, whatever they wrote.

mod frame;
mod history;
mod index;
mod page;
mod people;
mod words;

use std::fs;
use std::io;
use std::path::Path;

use polity_constitution::{Constitution, Protocol};

/// A folder with this file in it was written by an earlier call, and may be written again.
const MARK: &str = ".polity-handbook";

const STYLE: &str = include_str!("handbook.css");
const SCRIPT: &str = include_str!("handbook.js");

/// The handbook of a constitution.
pub(crate) struct Handbook<'c> {
    constitution: &'c Constitution,
    company: &'c Path,
    protocols: Vec<Protocol>,
}

/// A file of the site.
struct File {
    name: String,
    text: String,
}

impl<'c> Handbook<'c> {
    /// Of the constitution in a company's folder, whose history git may know.
    pub(crate) fn of(constitution: &'c Constitution, company: &'c Path) -> Self {
        Self {
            protocols: constitution.protocols(),
            constitution,
            company,
        }
    }

    /// Writes the site, and returns how many pages it has. Pages of an earlier one that are no longer there are removed.
    ///
    /// # Errors
    /// The folder holds something else, or cannot be written.
    pub(crate) fn write(&self, out: &Path) -> io::Result<usize> {
        if out.exists() && !is_ours(out)? {
            let words = "the folder holds something that is no handbook; name an empty one";
            return Err(io::Error::new(io::ErrorKind::AlreadyExists, words));
        }
        fs::create_dir_all(out)?;
        let files = self.files();
        for entry in fs::read_dir(out)?.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if name.ends_with(".html") && !files.iter().any(|file| file.name == name) {
                fs::remove_file(entry.path())?;
            }
        }
        for File { name, text } in &files {
            fs::write(out.join(name), text)?;
        }
        fs::write(out.join("handbook.css"), STYLE)?;
        fs::write(out.join("handbook.js"), SCRIPT)?;
        fs::write(out.join(MARK), "")?;
        Ok(files
            .iter()
            .filter(|file| file.name.ends_with(".html"))
            .count())
    }

    fn files(&self) -> Vec<File> {
        let mut files = vec![
            File {
                name: "index.html".to_owned(),
                text: self.index().into_string(),
            },
            File {
                name: "people.html".to_owned(),
                text: self.people().into_string(),
            },
            File {
                name: "search.js".to_owned(),
                text: self.search(),
            },
        ];
        files.extend(self.protocols.iter().map(|protocol| File {
            name: words::file(&protocol.near),
            text: self.page(protocol).into_string(),
        }));
        files
    }
}

/// Whether a folder is empty or was written by an earlier call.
fn is_ours(folder: &Path) -> io::Result<bool> {
    Ok(folder.join(MARK).is_file() || fs::read_dir(folder)?.next().is_none())
}
