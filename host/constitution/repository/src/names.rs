//! Names of branches. git takes many; here only those that no shell, path or option can mistake for something else.

/// The longest name.
const MAX: usize = 200;

/// What is wrong with a branch's name; none where nothing is.
pub fn branch_fault(name: &str) -> Option<&'static str> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    let part_fault = |part: &str| {
        part.is_empty()
            || part.starts_with(['.', '-'])
            || part.ends_with('.')
            || part.ends_with(".lock")
    };
    if name.is_empty() || name.len() > MAX {
        Some("it has 1 to 200 characters")
    } else if !name.chars().all(is_plain) {
        Some("it is made of letters, digits, '.', '_', '-' and '/'")
    } else if name.contains("..") || name.split('/').any(part_fault) {
        Some("each part begins with a letter or digit, and none ends with '.' or \".lock\"")
    } else if name == "HEAD" || name.starts_with("refs/") {
        Some("it means something else to git")
    } else {
        None
    }
}

/// A name for what somebody has put into words: `Raise the refund limit` is `raise-the-refund-limit`.
pub fn slug(words: &str) -> String {
    let mut slug = String::new();
    for word in words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
    {
        if slug.len() + word.len() >= 60 {
            break;
        }
        if !slug.is_empty() {
            slug.push('-');
        }
        slug.push_str(&word.to_ascii_lowercase());
    }
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_be_an_option_or_a_path_is_none() {
        for name in ["main", "amend/raise-the-limit", "v1.2", "a/b_c"] {
            assert_eq!(branch_fault(name), None, "{name}");
        }
        for name in [
            "",
            "-x",
            "a/-x",
            "../up",
            "a..b",
            "a b",
            "a;b",
            "a\nb",
            "a~1",
            "a^",
            "a:b",
            "x.lock",
            "/a",
            "a/",
            "a//b",
            "HEAD",
            "refs/heads/a",
            ".git",
            "a/.git",
            "@{u}",
            "--upload-pack=x",
        ] {
            assert!(branch_fault(name).is_some(), "{name:?}");
        }
    }

    #[test]
    fn words_become_a_name_that_git_takes() {
        assert_eq!(
            slug("Raise the refund limit, to 90 EUR!"),
            "raise-the-refund-limit-to-90-eur"
        );
        assert_eq!(slug("---"), "");
        let long = slug(&"word ".repeat(100));
        assert!(long.len() < 60 && branch_fault(&long).is_none());
    }
}
