//! Which files a constitution is made of. An amendment may change these and nothing else: whoever votes reads what they
//! say, and nobody votes on a plugin by its bytes.

/// Files at the root of the company's folder.
pub const FILES: [&str; 2] = ["charter.json", "models.json"];

/// Folders of documents, with the cases that try them.
pub const SHELVES: [&str; 5] = ["rules", "decisions", "workflows", "collections", "schemas"];

/// Whether a path in the company's folder is one that an amendment may change: a document, or a note for people.
pub fn is_document(path: &str) -> bool {
    match path.split_once('/') {
        None => FILES.contains(&path) || path.ends_with(".md"),
        Some((shelf, _)) => SHELVES.contains(&shelf),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_is_no_document() {
        for path in [
            "charter.json",
            "models.json",
            "rules/refunds.json",
            "decisions/refund.cases.json",
            "README.md",
        ] {
            assert!(is_document(path), "{path}");
        }
        for path in [
            "plugins/evil.wasm",
            "plugins/openai.grant.toml",
            ".gitattributes",
            ".polity/owner.token",
            "build.rs",
        ] {
            assert!(!is_document(path), "{path}");
        }
    }
}
