//! An event before and after it was written, and the bytes it is stored as.
//!
//! The bytes are canonical CloudEvents JSON without the hash, because the hash is taken over them. They are written
//! by hand in sorted order rather than through a map: this runs once for each request.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{Hash, canonical};

/// CloudEvents asks for a reverse-DNS prefix on `type`. Inside the system the short kind is used.
const TYPE_PREFIX: &str = "dev.polity.";
const MAX_KIND: usize = 128;
const MAX_SUBJECT: usize = 512;
const MAX_SOURCE: usize = 512;

/// What the members around the data take, or somewhat more.
const ENVELOPE_BYTES: usize = 512;

/// Something that happened, about to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub(crate) id: Option<Uuid>,
    pub(crate) kind: Cow<'static, str>,
    pub(crate) source: Cow<'static, str>,
    pub(crate) subject: String,
    pub(crate) data: Value,
}

/// An event in its place in the chain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StoredEvent {
    /// Its place, counted from 1 without a gap.
    pub seq: u64,
    /// Its own id.
    pub id: Uuid,
    /// What happened: dotted, general to special.
    pub kind: String,
    /// Which part of the system says so, a path.
    pub source: String,
    /// What it happened to.
    pub subject: String,
    /// When it was handed to the ledger.
    pub time_ms: u64,
    /// Everything else.
    pub data: Value,
    /// The hash of the event before this one, zeros for the first.
    pub previous_hash: Hash,
    /// The hash of this one.
    pub hash: Hash,
}

/// Why stored bytes are not an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Undecodable(String);

/// The stored form, for reading. The names are those of CloudEvents.
#[derive(Deserialize)]
struct Envelope<'a> {
    data: Value,
    id: Uuid,
    previoushash: Hash,
    sequence: Cow<'a, str>,
    source: String,
    subject: String,
    time: Cow<'a, str>,
    r#type: Cow<'a, str>,
}

impl Event {
    /// An event. `kind` is dotted and lower-case (`plugin.loaded`), `source` a path (`/runtime`), `subject` what it
    /// happened to (`plugin/spending-limit`); `data` must be nested at most [`canonical::MAX_DEPTH`] deep.
    pub fn new(
        kind: impl Into<Cow<'static, str>>,
        source: impl Into<Cow<'static, str>>,
        subject: impl Into<String>,
        data: Value,
    ) -> Self {
        Self {
            id: None,
            kind: kind.into(),
            source: source.into(),
            subject: subject.into(),
            data,
        }
    }

    /// Gives the event an id that is already known elsewhere. Otherwise it gets a new one when it is committed.
    #[must_use]
    pub fn with_id(mut self, id: Uuid) -> Self {
        self.id = Some(id);
        self
    }

    /// The first thing about the event that cannot be stored.
    pub(crate) fn fault(&self) -> Option<String> {
        let Self {
            kind,
            source,
            subject,
            ..
        } = self;
        let is_kind = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_');
        if kind.is_empty() || kind.len() > MAX_KIND || !kind.bytes().all(is_kind) {
            return Some(format!(
                "the event kind {kind:?} is not 1 to {MAX_KIND} of a-z, 0-9, '.', '-' and '_': write it like \
                 \"plugin.loaded\""
            ));
        }
        if subject.is_empty()
            || subject.len() > MAX_SUBJECT
            || subject.chars().any(char::is_control)
        {
            return Some(format!(
                "the subject of {kind:?} is empty, longer than {MAX_SUBJECT} bytes or has control characters: name \
                 what the event happened to, like \"plugin/triage\""
            ));
        }
        let is_source = |c: char| !c.is_control() && !c.is_whitespace();
        if source.is_empty() || source.len() > MAX_SOURCE || !source.chars().all(is_source) {
            return Some(format!(
                "the source of {kind:?} is empty, longer than {MAX_SOURCE} bytes or has white space: write it like \
                 \"/runtime\""
            ));
        }
        if !canonical::is_within_depth(&self.data, canonical::MAX_DEPTH) {
            return Some(format!(
                "the data of {kind:?} is nested deeper than {} levels: store it as text",
                canonical::MAX_DEPTH
            ));
        }
        None
    }

    /// Takes its place after `previous_hash`. Returns the bytes to store as well.
    pub(crate) fn link(
        self,
        seq: u64,
        id: Uuid,
        time_ms: u64,
        previous_hash: Hash,
    ) -> (StoredEvent, String) {
        let mut body = String::with_capacity(ENVELOPE_BYTES + usual_bytes(&self.data));
        body.push_str("{\"data\":");
        polity_canonical::write(&self.data, &mut body);
        body.push_str(",\"datacontenttype\":\"application/json\",\"id\":\"");
        body.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        body.push_str(&format!(
            "\",\"previoushash\":\"{previous_hash}\",\"sequence\":\"{seq:020}\",\"source\":"
        ));
        polity_canonical::write_text(&self.source, &mut body);
        body.push_str(",\"specversion\":\"1.0\",\"subject\":");
        polity_canonical::write_text(&self.subject, &mut body);
        body.push_str(&format!(
            ",\"time\":\"{}\",\"type\":\"{TYPE_PREFIX}{}\"}}",
            rfc3339(time_ms),
            self.kind
        ));
        let hash = Hash::of(body.as_bytes());
        let stored = StoredEvent {
            seq,
            id,
            kind: self.kind.into_owned(),
            source: self.source.into_owned(),
            subject: self.subject,
            time_ms,
            data: self.data,
            previous_hash,
            hash,
        };
        (stored, body)
    }
}

impl StoredEvent {
    /// The CloudEvents 1.0 form, with the extension attributes `sequence`, `previoushash` and `hash`.
    pub fn to_cloud_event(&self) -> Value {
        serde_json::json!({
            "specversion": "1.0",
            "id": self.id,
            "source": self.source,
            "type": format!("{TYPE_PREFIX}{}", self.kind),
            "subject": self.subject,
            "time": rfc3339(self.time_ms),
            "datacontenttype": "application/json",
            "data": self.data,
            "sequence": format!("{:020}", self.seq),
            "previoushash": self.previous_hash,
            "hash": self.hash,
        })
    }

    /// Reads what `link` wrote. `hash` is the one stored beside the bytes; that it is theirs is for verification to
    /// say.
    pub(crate) fn decode(body: &[u8], hash: Hash) -> Result<Self, Undecodable> {
        let text =
            std::str::from_utf8(body).map_err(|_| Undecodable("it is not UTF-8".to_owned()))?;
        let envelope: Envelope<'_> =
            serde_json::from_str(text).map_err(|error| Undecodable(error.to_string()))?;
        let seq = envelope
            .sequence
            .parse()
            .map_err(|_| Undecodable("its sequence is not a number".to_owned()))?;
        let time: Timestamp = envelope
            .time
            .parse()
            .map_err(|_| Undecodable("its time is not RFC 3339".to_owned()))?;
        let kind = envelope.r#type.strip_prefix(TYPE_PREFIX);
        Ok(Self {
            seq,
            id: envelope.id,
            kind: kind
                .ok_or_else(|| Undecodable(format!("its type lacks {TYPE_PREFIX}")))?
                .to_owned(),
            source: envelope.source,
            subject: envelope.subject,
            time_ms: u64::try_from(time.as_millisecond()).unwrap_or(0),
            data: envelope.data,
            previous_hash: envelope.previoushash,
            hash,
        })
    }
}

/// How long the text of a value is, or somewhat more where little in it is escaped: it is written without growing.
fn usual_bytes(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 16,
        Value::String(text) => text.len() + text.len() / 4 + 2,
        Value::Array(items) => {
            items
                .iter()
                .map(|item| usual_bytes(item) + 1)
                .sum::<usize>()
                + 2
        }
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| name.len() + 4 + usual_bytes(value);
            fields.iter().map(field).sum::<usize>() + 2
        }
    }
}

/// Always with three decimals, so that one time has one spelling. Times past the year 9999 are held there.
fn rfc3339(time_ms: u64) -> String {
    let time = i64::try_from(time_ms)
        .ok()
        .and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", time.unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-1e9..1e9).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Equal to a reader: 1.0 is 1.
    fn same(a: &Value, b: &Value) -> bool {
        canonical::to_string(a) == canonical::to_string(b)
    }

    fn event(data: Value) -> Event {
        Event::new("plugin.loaded", "/runtime", "plugin/triage", data)
    }

    #[test]
    fn an_event_is_stored_as_this_text() {
        let id = Uuid::from_u128(7);
        let (stored, body) =
            event(json!({"b": 1, "a": "x"})).link(3, id, 1_700_000_000_123, Hash::ZERO);
        let zeros = "0".repeat(64);
        assert_eq!(
            body,
            format!(
                "{{\"data\":{{\"a\":\"x\",\"b\":1}},\"datacontenttype\":\"application/json\",\
                 \"id\":\"00000000-0000-0000-0000-000000000007\",\"previoushash\":\"{zeros}\",\
                 \"sequence\":\"00000000000000000003\",\"source\":\"/runtime\",\"specversion\":\"1.0\",\
                 \"subject\":\"plugin/triage\",\"time\":\"2023-11-14T22:13:20.123Z\",\
                 \"type\":\"dev.polity.plugin.loaded\"}}"
            )
        );
        assert_eq!(stored.hash, Hash::of(body.as_bytes()));
    }

    #[test]
    fn a_fault_names_what_to_write_instead() {
        let deep = (0..=canonical::MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
        for (event, words) in [
            (
                Event::new("Plugin Loaded", "/r", "s", Value::Null),
                "plugin.loaded",
            ),
            (Event::new("", "/r", "s", Value::Null), "plugin.loaded"),
            (Event::new("a.b", "/r", "", Value::Null), "plugin/triage"),
            (
                Event::new("a.b", "/r", "a\0b", Value::Null),
                "plugin/triage",
            ),
            (Event::new("a.b", "has space", "s", Value::Null), "/runtime"),
            (Event::new("a.b", "/r", "s", deep), "as text"),
        ] {
            assert!(event.fault().unwrap().contains(words), "{event:?}");
        }
        assert_eq!(event(json!({})).fault(), None);
    }

    #[test]
    fn data_of_the_greatest_depth_can_be_read_back() {
        let deep = (0..canonical::MAX_DEPTH).fold(json!(1), |inner, _| json!([inner]));
        assert_eq!(event(deep.clone()).fault(), None);
        let (stored, body) = event(deep).link(1, Uuid::nil(), 0, Hash::ZERO);
        assert_eq!(
            StoredEvent::decode(body.as_bytes(), stored.hash),
            Ok(stored)
        );
    }

    #[test]
    fn a_time_past_the_year_9999_is_still_written_and_read() {
        let (stored, body) = event(json!({})).link(1, Uuid::nil(), u64::MAX, Hash::ZERO);
        assert!(body.contains("\"time\":\"9999-12-30T"), "{body}");
        assert!(StoredEvent::decode(body.as_bytes(), stored.hash).is_ok());
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(
            data in any_json(),
            subject in "\\PC{1,60}",
            source in "/[a-z]{1,9}",
            seq in 1..u64::MAX,
            time_ms in 0..253_402_207_200_000_u64,
        ) {
            let event = Event::new("a.b", source, subject, data);
            let (stored, body) = event.link(seq, Uuid::from_u128(1), time_ms, Hash::of(b"before"));
            let read = StoredEvent::decode(body.as_bytes(), stored.hash).unwrap();
            prop_assert!(same(&read.data, &stored.data));
            prop_assert_eq!(StoredEvent { data: Value::Null, ..read }, StoredEvent { data: Value::Null, ..stored });
        }

        #[test]
        fn the_bytes_are_canonical(data in any_json(), subject in "\\PC{1,60}") {
            let (stored, body) = Event::new("a.b", "/s", subject, data).link(1, Uuid::nil(), 5, Hash::ZERO);
            let parsed: Value = serde_json::from_str(&body).unwrap();
            prop_assert_eq!(canonical::to_string(&parsed), body);
            // The public form is the same event with its hash.
            let mut public = stored.to_cloud_event();
            public.as_object_mut().unwrap().remove("hash");
            prop_assert!(same(&public, &parsed));
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = StoredEvent::decode(&bytes, Hash::ZERO);
        }
    }
}
