//! A request on its way out of the sandbox.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use parking_lot::Mutex;
use url::Url;

use super::EgressError;

/// Header fields of one request. Servers refuse fewer.
const MAX_HEADERS: usize = 128;

/// Bytes of all header fields of one request, as most servers allow at the most.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// A URL that is longer is read anew each time.
const MAX_KEPT_URL_BYTES: usize = 2048;

/// A request as a guest wants it sent, in the form of `polity:plugin/http`.
#[derive(Debug)]
pub struct Outgoing {
    /// Its method, in upper case.
    pub method: String,
    /// Where to, absolute.
    pub url: String,
    /// Its header fields, without those that are the host's to set.
    pub headers: Vec<(String, String)>,
    /// What it carries.
    pub body: OutgoingBody,
    /// Time until the head of the response has arrived; the plugin's own limit where there
    /// is none.
    pub timeout: Option<Duration>,
}

/// A request whose parts are well-formed. Whether it may be sent is another matter.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: OutgoingBody,
    pub(super) timeout: Option<Duration>,
    /// Time between two pieces of the response's body.
    pub(super) idle_timeout: Option<Duration>,
}

/// Pieces of a body as they come.
pub type BodyStream = Pin<Box<dyn Stream<Item = Result<Bytes, BodyError>> + Send>>;

/// Why a body that streams out of a guest broke off.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct BodyError(pub String);

/// What a request carries.
#[derive(Default)]
pub enum OutgoingBody {
    /// Nothing.
    #[default]
    Empty,
    /// All of it at once.
    Bytes(Bytes),
    /// Pieces that are sent as they come.
    Stream {
        /// The pieces.
        pieces: BodyStream,
        /// Their length together, where the guest promised one.
        length: Option<u64>,
    },
}

/// The URL that was asked for last, read: an adapter asks for the same one in every call.
#[derive(Default)]
pub(super) struct LastUrl(Mutex<Option<(String, Url)>>);

impl LastUrl {
    fn read(&self, text: String) -> Result<Url, EgressError> {
        if let Some((last, url)) = &*self.0.lock()
            && *last == text
        {
            return Ok(url.clone());
        }
        let invalid = |text: String| EgressError::Invalid(text);
        // The parser would drop tabs and line ends without a word.
        if text.contains(|c: char| c.is_control() || c == ' ') {
            return Err(invalid(
                "the URL holds a space or a control character".into(),
            ));
        }
        let url =
            Url::parse(&text).map_err(|error| invalid(format!("the URL is wrong: {error}")))?;
        if text.len() <= MAX_KEPT_URL_BYTES {
            *self.0.lock() = Some((text, url.clone()));
        }
        Ok(url)
    }
}

impl Request {
    pub(super) fn parse(outgoing: Outgoing, last: &LastUrl) -> Result<Self, EgressError> {
        let Outgoing {
            method,
            url,
            headers,
            body,
            timeout,
        } = outgoing;
        let invalid = |text: String| EgressError::Invalid(text);
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| invalid(format!("{method:?} is not an HTTP method")))?;
        let url = last.read(url)?;
        if headers.len() > MAX_HEADERS {
            let count = headers.len();
            return Err(EgressError::TooLarge(format!(
                "the request has {count} header fields, more than {MAX_HEADERS}"
            )));
        }
        let mut map = HeaderMap::with_capacity(headers.len() + 2);
        for (name, value) in headers {
            let header = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid(format!("{name:?} is not the name of a header")))?;
            let value = HeaderValue::try_from(value).map_err(|_| {
                invalid(format!(
                    "the value of the header {header} holds a line end or control character"
                ))
            })?;
            map.append(header, value);
        }
        Ok(Self {
            method,
            url,
            headers: map,
            body,
            timeout,
            idle_timeout: None,
        })
    }

    /// Refuses a head that is too large, whichever way it came.
    pub(super) fn check_size(&self) -> Result<(), EgressError> {
        let bytes: usize = self
            .headers
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len())
            .sum();
        if self.headers.len() > MAX_HEADERS || bytes > MAX_HEADER_BYTES {
            return Err(EgressError::TooLarge(format!(
                "the request has {} header fields with {bytes} bytes, more than {MAX_HEADERS} with \
                 {MAX_HEADER_BYTES}",
                self.headers.len()
            )));
        }
        Ok(())
    }
}

impl std::fmt::Debug for OutgoingBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Empty => f.write_str("Empty"),
            Self::Bytes(bytes) => write!(f, "Bytes({})", bytes.len()),
            Self::Stream { length, .. } => write!(f, "Stream({length:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(method: &str, url: &str, header: (&str, &str)) -> Result<Request, EgressError> {
        let outgoing = Outgoing {
            method: method.into(),
            url: url.into(),
            headers: vec![(header.0.into(), header.1.into())],
            body: OutgoingBody::Empty,
            timeout: None,
        };
        Request::parse(outgoing, &LastUrl::default())
    }

    #[test]
    fn the_url_before_never_answers_for_another() {
        let last = LastUrl::default();
        let read = |url: &str| last.read(url.to_owned()).map(String::from);
        for url in [
            "https://a.example/x",
            "https://a.example/x",
            "https://a.example/x?y",
            "https://A.example/x",
        ] {
            assert_eq!(read(url).unwrap(), Url::parse(url).unwrap().as_str());
        }
        assert_eq!(read("https://a.example/x ").unwrap_err().code(), "invalid");
        assert_eq!(read("nonsense").unwrap_err().code(), "invalid");
    }

    #[test]
    fn a_line_end_smuggles_nothing() {
        let url = "https://api.example.com/";
        for (method, url, header) in [
            ("GET /admin HTTP/1.1\r\nx: y", url, ("a", "b")),
            (
                "GET",
                "https://api.example.com/ HTTP/1.1\r\nhost: evil",
                ("a", "b"),
            ),
            ("GET", "https://api.exa\nmple.com/", ("a", "b")),
            ("GET", url, ("a\r\nhost", "b")),
            ("GET", url, ("a", "b\r\nhost: evil")),
            ("GET", url, ("a", "b\0c")),
            ("GET", url, ("", "b")),
            ("", url, ("a", "b")),
        ] {
            assert_eq!(
                parse(method, url, header).unwrap_err().code(),
                "invalid",
                "{method:?} {url:?} {header:?}"
            );
        }
    }

    #[test]
    fn a_request_is_read_with_names_in_any_case() {
        let request = parse(
            "POST",
            "https://api.example.com/v1",
            ("Content-Type", "a/b"),
        )
        .unwrap();
        assert_eq!(request.headers["content-type"], "a/b");
    }

    #[test]
    fn thousands_of_header_fields_are_too_large() {
        let outgoing = Outgoing {
            method: "GET".into(),
            url: "https://a.example".into(),
            headers: vec![("a".into(), "b".into()); 40_000],
            body: OutgoingBody::Empty,
            timeout: None,
        };
        let refused = Request::parse(outgoing, &LastUrl::default()).unwrap_err();
        assert_eq!(refused.code(), "too-large");
    }

    #[test]
    fn one_header_of_a_megabyte_is_too_large() {
        let long = "x".repeat(1 << 20);
        let request = parse("GET", "https://a.example", ("a", &long)).unwrap();
        assert_eq!(request.check_size().unwrap_err().code(), "too-large");
    }
}
