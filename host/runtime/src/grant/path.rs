//! Which paths a grant speaks of: `/v1/chat`, `/v1/*`, `/v1/files/*/content`.
//!
//! The trouble with paths is that servers do not agree on what one means. To some,
//! `/public/..%2fadmin` is a file name below `/public/`, to others it is `/admin`; some
//! drop `;parameters`, some merge slashes, some decode twice. So a path is read in each
//! of these ways, and a grant covers it only if it covers all of these readings: what
//! the server makes of it cannot matter then.

use std::borrow::Cow;
use std::fmt;

/// A path, or all paths of one shape.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PathPattern {
    text: String,
    /// As paths are spelled in a URL.
    encoded: Shape,
    /// As they read when decoded; the same unless the pattern has something to decode.
    decoded: Shape,
}

/// Why a text is no pattern, with what to write instead.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} {problem}")]
pub struct PathPatternError {
    text: String,
    problem: &'static str,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Shape {
    All,
    Exact(Vec<u8>),
    Prefix(Vec<u8>),
    /// Segments that each hold at most one `*`, and whether the last one's `*` also
    /// takes in everything below.
    Segments(Vec<(Vec<u8>, Option<Vec<u8>>)>, bool),
}

/// How often a path may be decoded and still change. Nothing honest encodes three times.
const MAX_DECODINGS: usize = 3;

impl PathPattern {
    /// Every path.
    pub fn all() -> Self {
        Self {
            text: "*".into(),
            encoded: Shape::All,
            decoded: Shape::All,
        }
    }

    /// Reads a pattern. `*` stands for any part of one segment; at the end of the
    /// pattern it also stands for everything below.
    pub fn parse(text: &str) -> Result<Self, PathPatternError> {
        if text == "*" || text == "/*" {
            return Ok(Self::all());
        }
        let refuse = |problem| {
            Err(PathPatternError {
                text: text.to_owned(),
                problem,
            })
        };
        if !text.starts_with('/') {
            return refuse("does not begin with \"/\"");
        }
        if text.contains(['?', '#']) {
            return refuse("has more than a path; queries and fragments are not matched");
        }
        if text.contains("//") || text.contains('\\') || text.contains(char::is_control) {
            return refuse("is not a path that a URL can have; write single forward slashes");
        }
        let dots = |segment: &str| {
            matches!(
                &*segment.replace("%2e", ".").replace("%2E", "."),
                "." | ".."
            )
        };
        if text.split('/').any(dots) {
            return refuse("has dot segments; write the path that they lead to");
        }
        if text
            .split('/')
            .any(|segment| segment.matches('*').count() > 1)
        {
            return refuse(
                "has two wildcards in one segment; one is enough for all that both match",
            );
        }
        // The url crate spells paths as they will be compared.
        let Ok(mut url) = url::Url::parse("http://host/") else {
            return refuse("is not a path");
        };
        url.set_path(text);
        let encoded = normalise(url.path()).into_owned();
        if !is_sound(encoded.as_bytes()) {
            return refuse("has a \"%\" that encodes nothing; write %25");
        }
        let decoded = decode(encoded.as_bytes());
        if encoded.contains("%2A") {
            return refuse("has an encoded \"*\", which would match more than itself");
        }
        if resolve(encoded.as_bytes()) != encoded.as_bytes() || resolve(&decoded) != decoded {
            return refuse("has parameters or hidden segments; write the path that they lead to");
        }
        Ok(Self {
            text: text.to_owned(),
            encoded: Shape::of(encoded.as_bytes()),
            decoded: Shape::of(&decoded),
        })
    }

    /// True for the pattern that limits nothing.
    pub fn is_all(&self) -> bool {
        self.encoded == Shape::All
    }

    /// True where every reading of `path` is covered. `path` comes from [`normalise`].
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.is_all()
            || (self.encoded.matches(path.as_bytes())
                && (is_plain(path) || self.covers_readings(path.as_bytes())))
    }

    fn covers_readings(&self, path: &[u8]) -> bool {
        if !is_sound(path) || !self.encoded.matches(&resolve(path)) {
            return false;
        }
        let mut current = decode(path);
        for _ in 0..=MAX_DECODINGS {
            if current.iter().any(u8::is_ascii_control) || !self.decoded.matches(&resolve(&current))
            {
                return false;
            }
            // A bare `%` was none on the wire, so from here on it is only a sign.
            let next = decode(&current);
            if next == current {
                return true;
            }
            current = next;
        }
        false
    }

    /// True where all that `other` matches is matched. May say no where a closer look
    /// would say yes.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        match (&self.encoded, &other.encoded) {
            (Shape::All, _) => true,
            (Shape::Prefix(mine), Shape::Exact(theirs) | Shape::Prefix(theirs)) => {
                theirs.starts_with(mine)
            }
            (Shape::Segments(..), Shape::Exact(_)) => self.matches(&other.text),
            (mine, theirs) => mine == theirs,
        }
    }
}

impl Shape {
    fn of(pattern: &[u8]) -> Self {
        let wild = pattern.iter().filter(|&&byte| byte == b'*').count();
        match pattern.strip_suffix(b"*") {
            None if wild == 0 => Self::Exact(pattern.to_vec()),
            Some(prefix) if wild == 1 => Self::Prefix(prefix.to_vec()),
            end => Self::Segments(
                segments(pattern)
                    .map(|segment| match segment.iter().position(|&b| b == b'*') {
                        Some(star) => {
                            (segment[..star].to_vec(), Some(segment[star + 1..].to_vec()))
                        }
                        None => (segment.to_vec(), None),
                    })
                    .collect(),
                end.is_some(),
            ),
        }
    }

    fn matches(&self, path: &[u8]) -> bool {
        match self {
            Self::All => true,
            Self::Exact(exact) => path == exact,
            Self::Prefix(prefix) => path.starts_with(prefix),
            Self::Segments(wanted, open) => {
                let mut found = segments(path);
                for (i, (before, after)) in wanted.iter().enumerate() {
                    let Some(segment) = found.next() else {
                        return false;
                    };
                    let matches = match after {
                        None => segment == before,
                        Some(after) => {
                            segment.len() >= before.len() + after.len()
                                && segment.starts_with(before)
                                && segment.ends_with(after)
                        }
                    };
                    if !matches {
                        return false;
                    }
                    if *open && i + 1 == wanted.len() {
                        return true;
                    }
                }
                found.next().is_none()
            }
        }
    }
}

/// The path with what need not be encoded decoded (RFC 3986, 6.2.2), which changes its
/// meaning to no server. `path` comes from a URL, so its plain dot segments are gone.
///
/// A path with a `%` that begins no escape stays as it is: decoding around it could make
/// one.
pub(crate) fn normalise(path: &str) -> Cow<'_, str> {
    let bytes = path.as_bytes();
    if !path.contains('%') || !is_sound(bytes) {
        return Cow::Borrowed(path);
    }
    let mut out = String::with_capacity(path.len());
    let mut at = 0;
    let mut copied = 0;
    while at < bytes.len() {
        if let Some(byte) = escape(&bytes[at..]) {
            out.push_str(&path[copied..at]);
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                out.push(char::from(byte));
            } else {
                out.push_str(&path[at..at + 3].to_ascii_uppercase());
            }
            at += 3;
            copied = at;
        } else {
            at += 1;
        }
    }
    out.push_str(&path[copied..]);
    Cow::Owned(out)
}

/// True where no server can read anything into a path.
fn is_plain(path: &str) -> bool {
    !path.contains(['%', ';', '\\']) && !path.contains("//")
}

/// False where a `%` begins no escape. Some servers know escapes of their own, such as
/// `%u002e`.
fn is_sound(path: &[u8]) -> bool {
    (0..path.len()).all(|at| path[at] != b'%' || escape(&path[at..]).is_some())
}

/// Decodes every escape once and leaves a `%` that begins none.
fn decode(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut at = 0;
    while at < path.len() {
        if let Some(byte) = escape(&path[at..]) {
            out.push(byte);
            at += 3;
        } else {
            out.push(path[at]);
            at += 1;
        }
    }
    out
}

/// The byte that an escape at the beginning of `text` stands for.
fn escape(text: &[u8]) -> Option<u8> {
    match *text {
        [b'%', high, low, ..] => {
            let digit = |c: u8| char::from(c).to_digit(16);
            u8::try_from(digit(high)? * 16 + digit(low)?).ok()
        }
        _ => None,
    }
}

/// What the most obliging of servers makes of a path: backslashes are slashes, slashes
/// merge, parameters go, dot segments take effect.
fn resolve(path: &[u8]) -> Vec<u8> {
    let path: Vec<u8> = path
        .iter()
        .map(|&byte| if byte == b'\\' { b'/' } else { byte })
        .collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut directory = true;
    for segment in segments(&path) {
        let name = segment
            .split(|&byte| byte == b';')
            .next()
            .unwrap_or_default();
        directory = matches!(name, b"" | b"." | b"..");
        match name {
            b"" | b"." => {}
            b".." => drop(kept.pop()),
            name => kept.push(name),
        }
    }
    let mut out = Vec::with_capacity(path.len());
    for segment in &kept {
        out.push(b'/');
        out.extend_from_slice(segment);
    }
    if directory {
        out.push(b'/');
    }
    out
}

/// The segments of a path that begins with a slash.
fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.strip_prefix(b"/")
        .unwrap_or(path)
        .split(|&byte| byte == b'/')
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn matches(pattern: &str, path: &str) -> bool {
        let url = Url::parse(&format!("https://host{path}")).unwrap();
        PathPattern::parse(pattern)
            .unwrap()
            .matches(&normalise(url.path()))
    }

    #[test]
    fn a_star_at_the_end_takes_in_everything_below() {
        assert!(matches("/v1/*", "/v1/chat"));
        assert!(matches("/v1/*", "/v1/a/b/c"));
        assert!(matches("/v1/*", "/v1/"));
        assert!(!matches("/v1/*", "/v1"));
        assert!(!matches("/v1/*", "/v10/x"));
        assert!(matches("/v1/c*", "/v1/chat/completions"));
        assert!(matches("*", "/anything"));
    }

    #[test]
    fn a_star_elsewhere_stays_within_its_segment() {
        assert!(matches("/files/*/content", "/files/7/content"));
        assert!(!matches("/files/*/content", "/files/7/8/content"));
        assert!(!matches("/files/*/content", "/files/7/content/more"));
        assert!(matches("/f-*.json", "/f-1.json"));
        assert!(!matches("/f-*.json", "/f-1/x.json"));
        assert!(matches("/a/*/b/*", "/a/1/b/2/3"));
        assert!(!matches("/a/*/b/*", "/a/1/c/2"));
    }

    #[test]
    fn an_exact_path_is_exact() {
        assert!(matches("/v1/chat", "/v1/chat"));
        assert!(!matches("/v1/chat", "/v1/chat/"));
        assert!(!matches("/v1/chat", "/v1//chat"));
    }

    #[test]
    fn an_encoded_letter_is_the_letter() {
        assert!(matches("/v1/chat", "/v1/%63hat"));
        assert!(matches("/käse", "/k%c3%a4se"));
        assert!(matches("/a b/*", "/a%20b/c"));
    }

    #[test]
    fn no_disguise_leads_out_of_the_granted_paths() {
        for path in [
            "/public/../admin",
            "/public/%2e%2e/admin",
            "/public/..%2fadmin",
            "/public/..%2Fadmin",
            "/public/%2e%2e%2fadmin",
            "/public/%252e%252e%252fadmin",
            "/public/..%255cadmin",
            "/public/..%5cadmin",
            "/public/..\\admin",
            "/public/..;/admin",
            "/public/..;x=1/admin",
            "/public/..%3b/admin",
            "/public/x/../../admin",
            "/public/%00",
            "/public/%u002e%u002e/admin",
            "/public/a%2fb/..;/..;/admin",
            "/public/a%0d%0ab",
            "/public/%25252525252e",
            "//public/x",
            "/PUBLIC/x",
        ] {
            assert!(!matches("/public/*", path), "{path}");
        }
    }

    #[test]
    fn an_encoded_slash_that_leads_nowhere_else_is_allowed() {
        assert!(matches("/api/*", "/api/projects/group%2Fproject"));
        assert!(matches("/api/*", "/api/a//b;c=d"));
        assert!(matches("/api/*", "/api/100%25/x%2525"));
        assert!(matches("/api/a%2Fb/*", "/api/a%2fb/c"));
    }

    #[test]
    fn a_pattern_that_no_path_could_match_is_refused() {
        for pattern in [
            "",
            "v1/*",
            "/v1/../x",
            "/v1?x",
            "/a//b",
            "/a*b*c",
            "/x;y",
            "/a\\b",
            "/%2e%2e/x",
            "/%zz",
            "/%2A",
        ] {
            assert!(PathPattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    /// What a server that decodes `rounds` times and then resolves would serve.
    fn served(path: &str, rounds: usize) -> Vec<u8> {
        resolve(&(0..rounds).fold(path.as_bytes().to_vec(), |bytes, _| decode(&bytes)))
    }

    proptest! {
        #[test]
        fn no_server_serves_an_allowed_path_from_elsewhere(
            tail in "(a|b|/|\\.|%2e|%2E|%2f|%5c|%25|%252e|%252f|;|\\\\|%3b|\\.\\.){0,12}",
            rounds in 0usize..=3,
        ) {
            let url = Url::parse(&format!("https://host/public/{tail}")).unwrap();
            let path = normalise(url.path()).into_owned();
            if PathPattern::parse("/public/*").unwrap().matches(&path) {
                let served = served(&path, rounds);
                prop_assert!(served.starts_with(b"/public/"), "{path} is served as {served:?}");
            }
        }

        #[test]
        fn normalising_twice_changes_nothing_more(path in "/[a-z%0-9/.~é]{0,30}") {
            let url = Url::parse(&format!("https://host{path}")).unwrap();
            let once = normalise(url.path()).into_owned();
            prop_assert_eq!(normalise(&once).into_owned(), once);
        }

        #[test]
        fn any_text_is_either_a_pattern_or_an_error(text in ".{0,40}") {
            let _ = PathPattern::parse(&text);
        }

        #[test]
        fn what_covers_a_pattern_matches_every_path_that_it_matches(
            outer in "/[ab*]?/?[ab]{0,2}\\*?", inner in "/[ab*]?/?[ab]{0,2}\\*?", path in "/[ab/]{0,5}"
        ) {
            if let (Ok(outer), Ok(inner)) = (PathPattern::parse(&outer), PathPattern::parse(&inner))
                && outer.covers(&inner) && inner.matches(&path)
            {
                prop_assert!(outer.matches(&path));
            }
        }
    }
}
