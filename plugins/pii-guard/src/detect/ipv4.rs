//! Public IPv4 addresses. Private and loopback addresses identify nobody, and four numbers with dots are also what
//! versions look like.

use super::digits::Run;
use super::{Category, Match, words};

pub(crate) fn find(run: &Run<'_>, found: &mut Vec<Match>) {
    for start in 0..run.groups.len().saturating_sub(3) {
        let window = start..start + 4;
        let dotted = (start..start + 3).all(|index| run.separator(index) == ".");
        let more_before = start > 0 && run.separator(start - 1) == ".";
        let more_after = start + 4 < run.groups.len() && run.separator(start + 3) == ".";
        if !dotted
            || more_before
            || more_after
            || !run.begins(start)
            || !run.ends_address(start + 3)
        {
            continue;
        }
        let octets: Option<Vec<u8>> = window
            .clone()
            .map(|index| octet(run.digits(index)))
            .collect();
        let span = run.span(window);
        if octets.is_some_and(|octets| is_public(&octets)) && !is_version(run.text, span.start) {
            found.push(Match {
                category: Category::Ipv4,
                range: span,
            });
        }
    }
}

impl Run<'_> {
    /// Like `ends`, but a port may follow.
    fn ends_address(&self, index: usize) -> bool {
        let end = self.groups[index].range.end;
        !words::is_glued_after(self.text, end)
    }
}

fn octet(digits: &str) -> Option<u8> {
    let has_leading_zero = digits.len() > 1 && digits.starts_with('0');
    digits.parse().ok().filter(|_| !has_leading_zero)
}

fn is_public(octets: &[u8]) -> bool {
    !matches!(
        octets,
        [0 | 10 | 127 | 255, ..]
            | [169, 254, ..]
            | [172, 16..=31, ..]
            | [192, 168, ..]
            | [100, 64..=127, ..]
    )
}

/// `Chrome/126.0.0.0`, `version 1.2.3.4`, `build: 10.0.19.1`.
fn is_version(text: &str, at: usize) -> bool {
    const WORDS: [&str; 8] = [
        "version", "versions", "release", "build", "firmware", "update", "patch", "ver",
    ];
    let before = text[..at].trim_end_matches('/');
    let after_slash = before.len() + 1 == at && before.ends_with(|c: char| c.is_alphanumeric());
    after_slash || words::before(text, at).any(|word| WORDS.contains(&word.as_str()))
}
