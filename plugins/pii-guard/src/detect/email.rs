//! E-mail addresses, and what merely looks like them: image names for dense screens, remotes of git, versions of packages.

use super::{Category, Match};

/// Endings of file names that no top-level domain has.
const FILE_ENDINGS: [&str; 9] = [
    "png", "jpg", "jpeg", "gif", "webp", "svg", "avif", "css", "js",
];

pub(crate) fn find(text: &str, found: &mut Vec<Match>) {
    for (at, _) in text.match_indices('@') {
        let start = at
            - text[..at]
                .chars()
                .rev()
                .take_while(|c| is_local(*c))
                .map(char::len_utf8)
                .sum::<usize>();
        let start = start + unescaped_prefix(text, start, at);
        let length: usize = text[at + 1..]
            .chars()
            .take_while(|c| is_domain(*c))
            .map(char::len_utf8)
            .sum();
        let local = text[start..at].trim_start_matches('.');
        let domain = text[at + 1..at + 1 + length].trim_end_matches(['.', '-']);
        let end = at + 1 + domain.len();
        let is_remote = local == "git" && text[end..].starts_with(':');
        if !local.is_empty()
            && !local.ends_with('.')
            && !local.contains("..")
            && is_domain_name(domain)
            && !is_remote
        {
            found.push(Match {
                category: Category::Email,
                range: at - local.len()..end,
            });
        }
    }
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '_' | '%' | '+' | '-' | '\'' | '&')
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '.' | '-')
}

/// The `n` of `\n` in JSON text is no part of an address.
fn unescaped_prefix(text: &str, start: usize, at: usize) -> usize {
    let escaped = text[..start].ends_with('\\')
        && matches!(text.as_bytes()[start], b'n' | b'r' | b't')
        && start + 1 < at;
    usize::from(escaped) + text[start..at].chars().take_while(|c| *c == '\'').count()
}

fn is_domain_name(domain: &str) -> bool {
    let Some((host, top)) = domain.rsplit_once('.') else {
        return false;
    };
    let is_label = |label: &str| {
        !label.is_empty() && label.len() <= 63 && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_scale = host.len() == 2 && host.ends_with('x') && host.as_bytes()[0].is_ascii_digit();
    let top_is_name = top.chars().count() >= 2 && top.chars().all(char::is_alphabetic);
    // A punycode top-level domain has digits and hyphens.
    (top_is_name || top.starts_with("xn--"))
        && host.split('.').all(is_label)
        && !is_scale
        && !FILE_ENDINGS.contains(&top)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        find(text, &mut found);
        found.into_iter().map(|found| &text[found.range]).collect()
    }

    #[test]
    fn an_address_ends_where_the_sentence_goes_on() {
        assert_eq!(
            addresses("Write to <ada@example.org>, or bo.b+x@mail.example.co.uk."),
            ["ada@example.org", "bo.b+x@mail.example.co.uk"]
        );
        assert_eq!(
            addresses("mailto:ada@example.org?subject=x"),
            ["ada@example.org"]
        );
        assert_eq!(addresses("'ada@example.org'"), ["ada@example.org"]);
        assert_eq!(
            addresses("{\\\"to\\\":\\\"\\nada@example.org\\\"}"),
            ["ada@example.org"]
        );
        assert_eq!(addresses("jürgen@müller.de"), ["jürgen@müller.de"]);
    }

    #[test]
    fn what_merely_holds_an_at_sign_is_no_address() {
        for text in [
            "@ada",
            "ada@",
            "ada@localhost",
            "logo@2x.png",
            "git@github.com:polity-os/polity.git",
            "lodash@4.17.21",
            "a@b..c",
            "5 @ 3.50",
            "@media screen",
            "x@-a.de",
            "ping me @ noon.ok",
        ] {
            assert!(addresses(text).is_empty(), "{text}: {:?}", addresses(text));
        }
    }
}
