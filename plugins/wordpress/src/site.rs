//! One site: requests to its REST API, and what it answers.

use polity_sdk::http::Request;
use polity_sdk::{Problem, problem};
use polity_wire::{Body, Transport};
use serde_json::Value;

use crate::failure;

/// Until the head of a response, where nothing is configured: shared hosting takes its time.
const TIMEOUT_MS: u32 = 30_000;

/// The longest answer. A page of a hundred long articles has a few megabytes.
const LONGEST: usize = 24 << 20;

/// A site.
pub(crate) struct Site<'a, T> {
    /// As workflows call it.
    pub(crate) name: &'a str,
    /// Without a slash at its end.
    pub(crate) url: &'a str,
    pub(crate) key_meta: Option<&'a str>,
    pub(crate) timeout_ms: Option<u32>,
    pub(crate) transport: &'a T,
}

/// An answer that says success.
pub(crate) struct Answer {
    pub(crate) body: Value,
    headers: Vec<(String, String)>,
}

/// What is sent.
enum Sent<'a> {
    Nothing,
    Json(&'a Value),
    File {
        bytes: Vec<u8>,
        kind: &'a str,
        name: &'a str,
    },
}

impl<T: Transport> Site<'_, T> {
    /// Reads.
    pub(crate) fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Answer, Problem> {
        self.send("GET", path, query, Sent::Nothing)
    }

    /// Creates or changes.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Answer, Problem> {
        self.send("POST", path, &[], Sent::Json(body))
    }

    /// Removes.
    pub(crate) fn delete(&self, path: &str) -> Result<Answer, Problem> {
        self.send("DELETE", path, &[], Sent::Nothing)
    }

    /// Sends a file as it is.
    pub(crate) fn post_file(
        &self,
        path: &str,
        query: &[(&str, String)],
        (bytes, kind, name): (Vec<u8>, &str, &str),
    ) -> Result<Answer, Problem> {
        self.send("POST", path, query, Sent::File { bytes, kind, name })
    }

    fn send(
        &self,
        method: &str,
        path: &str,
        query: &[(&str, String)],
        sent: Sent<'_>,
    ) -> Result<Answer, Problem> {
        let mut url = format!("{}/wp-json/{path}", self.url);
        for (at, (name, value)) in query.iter().enumerate() {
            url.push(if at == 0 { '?' } else { '&' });
            url.push_str(name);
            url.push('=');
            encode(&mut url, value);
        }
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        let body = match sent {
            Sent::Nothing => Vec::new(),
            Sent::Json(value) => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                value.to_string().into_bytes()
            }
            Sent::File { bytes, kind, name } => {
                headers.push(("content-type".to_owned(), kind.to_owned()));
                let disposition = format!("attachment; filename=\"{name}\"");
                headers.push(("content-disposition".to_owned(), disposition));
                bytes
            }
        };
        let mut response = self.transport.fetch(Request {
            method: method.to_owned(),
            url,
            headers,
            body,
            timeout_ms: Some(self.timeout_ms.unwrap_or(TIMEOUT_MS)),
        })?;
        let (status, headers) = (response.status(), response.headers());
        let bytes = self.read(&mut response)?;
        if !(200..300).contains(&status) {
            return Err(failure::of(self.name, status, &headers, &bytes));
        }
        let body = serde_json::from_slice(&bytes).map_err(|error| {
            let start: String = String::from_utf8_lossy(&bytes).chars().take(80).collect();
            failure::unreadable(self.name, &format!("{error}: {start}"))
        })?;
        Ok(Answer { body, headers })
    }

    fn read(&self, response: &mut impl Body) -> Result<Vec<u8>, Problem> {
        let mut bytes = Vec::new();
        while let Some(piece) = response.read(64 * 1024)? {
            bytes.extend_from_slice(&piece);
            if bytes.len() > LONGEST {
                let why = format!(
                    "{} answered more than {LONGEST} bytes; ask for less",
                    self.name
                );
                return Err(problem("failed", why));
            }
        }
        Ok(bytes)
    }
}

impl Answer {
    /// The elements of a list, and how many pages of them there are.
    pub(crate) fn list(self, site: &str) -> Result<(Vec<Value>, u64, u64), Problem> {
        let number = |name: &str| {
            let found = self.headers.iter().find(|(key, _)| key == name);
            found.and_then(|(_, value)| value.trim().parse::<u64>().ok())
        };
        let (total, pages) = (number("x-wp-total"), number("x-wp-totalpages"));
        match self.body {
            Value::Array(items) => {
                let count = items.len() as u64;
                Ok((items, total.unwrap_or(count), pages.unwrap_or(1)))
            }
            _ => Err(failure::unreadable(site, "it is no list")),
        }
    }
}

fn encode(out: &mut String, text: &str) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}
