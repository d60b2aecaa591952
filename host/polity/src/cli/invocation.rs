//! How this program was called, so that the commands it suggests work as they are printed.

use std::path::Path;

use super::place::PlaceArgs;

/// The program's name as the person has to type it: `target/release/polity` until it is installed.
pub(crate) fn program() -> String {
    let program = std::env::args().next().unwrap_or_default();
    if program.is_empty() {
        "polity".to_owned()
    } else {
        quoted(&program)
    }
}

/// The options that another command needs to find the same host, with a space before each.
pub(crate) fn same_place(args: &PlaceArgs) -> String {
    let option = |name: &str, path: &Option<std::path::PathBuf>| {
        path.as_deref()
            .map(|path| format!(" {name} {}", quoted_path(path)))
            .unwrap_or_default()
    };
    // Found in the environment by the other command too, as long as it is run from the same shell.
    match (&args.company, &args.data) {
        (_, Some(_)) => option("--data", &args.data),
        (company, None) => option("--company", company),
    }
}

fn quoted_path(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// A word for a POSIX shell.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_survives_the_shell() {
        assert_eq!(quoted("target/release/polity"), "target/release/polity");
        assert_eq!(quoted("my company"), "'my company'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }

    #[test]
    fn a_place_that_was_given_is_given_again() {
        assert_eq!(same_place(&PlaceArgs::default()), "");
        let company = PlaceArgs {
            company: Some("my company".into()),
            data: None,
        };
        assert_eq!(same_place(&company), " --company 'my company'");
        let both = PlaceArgs {
            data: Some("/d".into()),
            ..company
        };
        assert_eq!(same_place(&both), " --data /d");
    }
}
