//! An answer under a status that says success, and whether it is one.
//!
//! What serves pages to people answers nearly every path with one, under a status that says success. A decoder of events
//! skips such a page line by line and would find that "the stream ended"; what helps is to hear that there is no
//! interface at that address.

use polity_sdk::{Problem, problem};

use crate::Body;
use crate::failure::shorten;

/// A page's first words are its title at best.
const LONGEST_WORDS: usize = 80;

/// How much of a body is read to decide what it is, white space before it included.
const LONGEST_BEGINNING: usize = 1024;

/// The fields of an event, and of the JSON that some servers send in its place.
const BEGINNINGS: [&[u8]; 7] = [b"{", b"[", b":", b"data", b"event", b"id", b"retry"];

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A response whose status says success and whose beginning looks like an answer.
#[derive(Debug)]
pub struct Reply<B> {
    provider: String,
    kind: String,
    /// What was read to see what it is.
    beginning: Option<Vec<u8>>,
    body: B,
}

impl<B: Body> Reply<B> {
    /// Reads the beginning of an answer; a problem `failed` if it is neither JSON nor a stream of events.
    pub(crate) fn read(provider: &str, mut body: B) -> Result<Self, Problem> {
        let headers = body.headers();
        let kind = headers
            .into_iter()
            .find(|(name, _)| name == "content-type")
            .map(|(_, kind)| kind)
            .unwrap_or_default();
        let mut beginning = Vec::new();
        let mut looks = None;
        while looks.is_none() && beginning.len() < LONGEST_BEGINNING {
            let Some(piece) = body.read(64 * 1024)? else {
                break;
            };
            beginning.extend_from_slice(&piece);
            looks = looks_like_an_answer(&beginning, &kind);
        }
        if looks == Some(false) {
            // Only to say more of it; a body that breaks off says less.
            while beginning.len() < LONGEST_BEGINNING {
                match body.read(64 * 1024) {
                    Ok(Some(piece)) => beginning.extend_from_slice(&piece),
                    Ok(None) | Err(_) => break,
                }
            }
            return Err(no_answer(provider, &kind, &beginning));
        }
        Ok(Self {
            provider: provider.to_owned(),
            kind,
            beginning: Some(beginning),
            body,
        })
    }

    /// Who answers, for people.
    pub fn provider(&self) -> String {
        self.provider.clone()
    }

    /// What is left of it.
    pub fn rest(&mut self) -> Result<Vec<u8>, Problem> {
        let mut rest = Vec::new();
        while let Some(piece) = self.read(64 * 1024)? {
            rest.extend_from_slice(&piece);
        }
        Ok(rest)
    }

    /// The answer is one JSON document, and no stream. No event begins like one, so servers that do not name it are
    /// understood too.
    pub fn is_document(&self) -> bool {
        let begins = |beginning: &Vec<u8>| beginning.trim_ascii_start().starts_with(b"{");
        self.kind.starts_with("application/json") || self.beginning.as_ref().is_some_and(begins)
    }
}

impl<B: Body> Body for Reply<B> {
    fn status(&self) -> u16 {
        self.body.status()
    }

    fn headers(&self) -> Vec<(String, String)> {
        self.body.headers()
    }

    fn read(&mut self, max: u32) -> Result<Option<Vec<u8>>, Problem> {
        let Some(mut piece) = self.beginning.take().filter(|piece| !piece.is_empty()) else {
            return self.body.read(max);
        };
        let max = max as usize;
        if piece.len() > max {
            self.beginning = Some(piece.split_off(max));
        }
        Ok(Some(piece))
    }
}

/// What to say of an answer that is none.
fn no_answer(provider: &str, kind: &str, body: &[u8]) -> Problem {
    let words = String::from_utf8_lossy(body);
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let words = shorten(&words, LONGEST_WORDS);
    let kind = if kind.is_empty() {
        "no content-type".to_owned()
    } else {
        format!("content-type {}", shorten(kind, LONGEST_WORDS))
    };
    problem(
        "failed",
        format!(
            "{provider} answered with neither JSON nor a stream of events ({kind}), beginning `{words}`; the `base_url` \
             is probably wrong"
        ),
    )
}

/// Whether a body begins as an answer does; `None` if that is too little to tell.
fn looks_like_an_answer(beginning: &[u8], kind: &str) -> Option<bool> {
    let beginning = beginning.trim_ascii_start();
    let marked = beginning.strip_prefix(BYTE_ORDER_MARK);
    let beginning = marked.unwrap_or(beginning).trim_ascii_start();
    if BYTE_ORDER_MARK.starts_with(beginning) {
        return None;
    }
    match beginning.first()? {
        b'<' => return Some(false),
        // Who says that it is a stream may begin it with a field that nobody knows.
        _ if kind.starts_with("text/event-stream") => return Some(true),
        // JSON all the same, though no answer: the decoder says what it lacks.
        b'"' | b'-' | b'0'..=b'9' | b'f' | b'n' | b't' if kind.starts_with("application/json") => {
            return Some(true);
        }
        _ => {}
    }
    let may_become = |known: &&[u8]| known.starts_with(beginning) && known.len() > beginning.len();
    if BEGINNINGS.iter().any(|known| beginning.starts_with(known)) {
        Some(true)
    } else if BEGINNINGS.iter().any(may_become) {
        None
    } else {
        Some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_pages_by_their_first_bytes() {
        for (text, looks) in [
            ("", None),
            (" \n", None),
            ("d", None),
            ("data", Some(true)),
            ("dog", Some(false)),
            (": ping", Some(true)),
            ("\n{", Some(true)),
            ("<!doctype html>", Some(false)),
            ("It works!", Some(false)),
            ("\u{feff}data: x", Some(true)),
            ("\u{feff}<html>", Some(false)),
        ] {
            assert_eq!(
                looks_like_an_answer(text.as_bytes(), "text/plain"),
                looks,
                "{text}"
            );
        }
        assert_eq!(
            looks_like_an_answer(b"null", "application/json"),
            Some(true)
        );
        assert_eq!(
            looks_like_an_answer(b"vendor: x", "text/event-stream; charset=utf-8"),
            Some(true)
        );
    }

    #[test]
    fn a_page_is_named_by_its_kind_and_its_first_words() {
        let page = format!("<!doctype html>\n  <title>Hello</title>{}", "x".repeat(200));
        let problem = no_answer("models.example", "text/html", page.as_bytes());
        assert_eq!(problem.code, "failed");
        let start = "models.example answered with neither JSON nor a stream of events (content-type text/html), \
                     beginning `<!doctype html> <title>Hello</title>x";
        assert!(problem.detail.starts_with(start), "{}", problem.detail);
        let end = "x…`; the `base_url` is probably wrong";
        assert!(problem.detail.ends_with(end), "{}", problem.detail);
        assert!(
            no_answer("x", "", b"OK")
                .detail
                .contains("(no content-type), beginning `OK`")
        );
    }
}
