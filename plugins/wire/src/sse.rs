//! Server-sent events, as the WHATWG HTML standard defines their stream.
//!
//! One departure: an event that the end of the body cuts short is handed out, marked as cut, instead of being dropped.
//! Whether an answer is complete is for the vendor's own end marker to say, and some servers send that marker without
//! the blank line after it.

use polity_sdk::Problem;

use crate::{Body, Lines};

/// One event.
#[derive(Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field, empty if there was none.
    pub name: &'a [u8],
    /// The `data` fields, joined by line feeds.
    pub data: &'a [u8],
    /// The body ended before the blank line that ends an event.
    pub cut: bool,
}

/// The events of a body that carry data.
pub struct Events<B> {
    lines: Lines<B>,
    name: Vec<u8>,
    data: Vec<u8>,
    first: bool,
}

impl<B: Body> Events<B> {
    /// The events of a body.
    pub fn new(body: B) -> Self {
        Self {
            lines: Lines::new(body),
            name: Vec::new(),
            data: Vec::new(),
            first: true,
        }
    }

    /// The next event that carries data; none at the end of the body.
    pub fn next_event(&mut self) -> Result<Option<Event<'_>>, Problem> {
        self.name.clear();
        self.data.clear();
        let mut has_data = false;
        let mut ended = false;
        while let Some(line) = self.lines.next_line()? {
            let line = match line.text.strip_prefix(b"\xef\xbb\xbf") {
                Some(rest) if self.first => rest,
                _ => line.text,
            };
            self.first = false;
            if line.is_empty() {
                if has_data {
                    ended = true;
                    break;
                }
                self.name.clear();
            } else if let Some(value) = field(line, b"data") {
                if has_data {
                    self.data.push(b'\n');
                }
                self.data.extend_from_slice(value);
                has_data = true;
            } else if let Some(value) = field(line, b"event") {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            // Comments, `id`, `retry` and unknown fields mean nothing here.
        }
        Ok(has_data.then_some(Event {
            name: &self.name,
            data: &self.data,
            cut: !ended,
        }))
    }
}

/// The value of a line if it sets the field `name`.
fn field<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    match line.strip_prefix(name)? {
        [] => Some(&[]),
        [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lines::tests::Pieces;

    type Seen = Vec<(String, String, bool)>;

    fn events(pieces: Pieces) -> Seen {
        let mut events = Events::new(pieces);
        let mut all = Vec::new();
        while let Some(event) = events.next_event().unwrap() {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            all.push((text(event.name), text(event.data), event.cut));
        }
        all
    }

    fn whole(text: &str) -> Seen {
        events(Pieces::of([text.as_bytes()]))
    }

    fn data(text: &str) -> (String, String, bool) {
        (String::new(), text.to_owned(), false)
    }

    #[test]
    fn data_lines_of_one_event_are_joined() {
        assert_eq!(
            whole("data: a\ndata:b\ndata\n\ndata: c\n\n"),
            [data("a\nb\n"), data("c")]
        );
    }

    #[test]
    fn exactly_one_space_after_the_colon_is_dropped() {
        assert_eq!(whole("data:  two\n\n"), [data(" two")]);
    }

    #[test]
    fn comments_ids_retries_and_unknown_fields_are_skipped() {
        let text = ": OPENROUTER PROCESSING\n\nid: 7\nretry: 10\ndatabase: no\n\n:\ndata: x\n\n";
        assert_eq!(whole(text), [data("x")]);
    }

    #[test]
    fn an_event_has_the_name_of_its_own_block_only() {
        let text = "event: ping\n\ndata: a\n\nevent: error\ndata: b\n\ndata: c\n\n";
        assert_eq!(
            whole(text),
            [data("a"), ("error".into(), "b".into(), false), data("c")]
        );
    }

    #[test]
    fn carriage_returns_and_a_byte_order_mark_are_understood() {
        assert_eq!(
            whole("\u{feff}data: a\r\n\r\ndata: b\r\rdata: c\r\n\n"),
            [data("a"), data("b"), data("c")]
        );
    }

    #[test]
    fn an_event_that_the_body_cuts_short_is_marked() {
        for text in ["data: a\n\ndata: b\n", "data: a\n\ndata: b"] {
            assert_eq!(whole(text), [data("a"), ("".into(), "b".into(), true)]);
        }
    }

    #[test]
    fn a_stream_split_at_any_byte_is_the_same_stream() {
        let text =
            "\u{feff}: hi\r\nevent: x\r\ndata: Grüße – 日本語\r\ndata: 🎉\r\n\r\ndata: [DONE]\n\n";
        let expected = whole(text);
        assert_eq!(expected.len(), 2);
        for at in 0..=text.len() {
            let (head, tail) = text.as_bytes().split_at(at);
            assert_eq!(
                events(Pieces::of([head, tail])),
                expected,
                "split at byte {at}"
            );
        }
        assert_eq!(
            events(Pieces::of(text.as_bytes().chunks(1))),
            expected,
            "byte by byte"
        );
    }
}
