//! OTLP as JSON: the fields of `ExportTraceServiceRequest` that are made use of. Ids are hex, times and whole numbers are
//! strings, enumerations are numbers, as the protocol's JSON mapping has it.

use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};

/// Something that took time.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Span {
    #[serde(serialize_with = "hex_text")]
    pub(super) trace_id: [u8; 16],
    #[serde(serialize_with = "hex_text")]
    pub(super) span_id: [u8; 8],
    #[serde(serialize_with = "hex_text", skip_serializing_if = "is_none")]
    pub(super) parent_span_id: [u8; 8],
    pub(super) name: String,
    pub(super) kind: Kind,
    #[serde(serialize_with = "text")]
    pub(super) start_time_unix_nano: u64,
    #[serde(serialize_with = "text")]
    pub(super) end_time_unix_nano: u64,
    pub(super) attributes: Vec<Attribute>,
    pub(super) status: Status,
}

/// Whose span it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ours alone.
    Internal,
    /// Ours, of somebody else's work.
    Client,
}

/// Whether it went well; nobody says "well" but whoever looks.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Status {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<u8>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) message: String,
}

/// A name and what it stands for.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Attribute {
    pub(super) key: &'static str,
    value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Text(String),
    Number(u64),
    Fraction(f64),
    Truth(bool),
    Texts(Vec<String>),
}

/// What a batch is answered with.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Answer {
    pub(super) partial_success: Option<PartialSuccess>,
}

/// Some spans were not taken.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct PartialSuccess {
    rejected_spans: serde_json::Value,
    pub(super) error_message: String,
}

impl PartialSuccess {
    /// How many; senders write it as a number or as a string.
    pub(super) fn rejected(&self) -> u64 {
        let number = self.rejected_spans.as_u64();
        let text = || self.rejected_spans.as_str()?.parse().ok();
        number.or_else(text).unwrap_or(0)
    }
}

impl Status {
    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self {
            code: Some(2),
            message: message.into(),
        }
    }
}

impl Attribute {
    pub(super) fn new(key: &'static str, value: impl Into<Value>) -> Self {
        Self {
            key,
            value: value.into(),
        }
    }
}

/// A whole batch.
pub(super) fn batch(resource: &[(String, String)], spans: &[Span]) -> serde_json::Result<Vec<u8>> {
    let of_resource: Vec<_> = resource
        .iter()
        .map(|(key, value)| serde_json::json!({"key": key, "value": {"stringValue": value}}))
        .collect();
    serde_json::to_vec(&serde_json::json!({
        "resourceSpans": [{
            "resource": {"attributes": of_resource},
            "scopeSpans": [{
                "scope": {"name": "polity", "version": env!("CARGO_PKG_VERSION")},
                "spans": spans,
            }],
        }],
    }))
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(match self {
            Self::Internal => 1,
            Self::Client => 3,
        })
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        match self {
            Self::Text(text) => map.serialize_entry("stringValue", text)?,
            Self::Number(number) => map.serialize_entry("intValue", &number.to_string())?,
            Self::Fraction(number) => map.serialize_entry("doubleValue", number)?,
            Self::Truth(truth) => map.serialize_entry("boolValue", truth)?,
            Self::Texts(texts) => {
                let values: Vec<_> = texts.iter().cloned().map(Self::Text).collect();
                map.serialize_entry("arrayValue", &serde_json::json!({ "values": values }))?;
            }
        }
        map.end()
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<u64> for Value {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Fraction(number)
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Self::Truth(truth)
    }
}

impl From<Vec<String>> for Value {
    fn from(texts: Vec<String>) -> Self {
        Self::Texts(texts)
    }
}

fn hex_text<S: Serializer, const N: usize>(
    bytes: &[u8; N],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}

fn text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

fn is_none(id: &[u8; 8]) -> bool {
    *id == [0; 8]
}
