//! What is asked, as the caller knows it: the conversation, and what the answer must be like.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// One request. The router reads it and keeps none of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// `auto`, a model's id or key, an alias, or `council/NAME`.
    pub model: &'a str,
    /// The conversation's texts, oldest first.
    pub texts: &'a [Text<'a>],
    /// Images in it.
    pub images: u32,
    /// Tools that the answer may call.
    pub tools: u32,
    /// Whether the answer must be in a JSON Schema.
    pub json_schema: bool,
    /// Whether the answer is wanted in pieces.
    pub stream: bool,
    /// Whether vectors are wanted, and no answer.
    pub embeddings: bool,
    /// Bytes of tools and schemas, which the model reads too.
    pub other_bytes: usize,
    /// The longest answer wanted.
    pub max_output_tokens: Option<u32>,
    /// What else the answer must be like.
    pub wants: Option<&'a Wants>,
}

/// One text of a conversation.
#[derive(Clone, Copy, Debug)]
pub struct Text<'a> {
    /// Whose it is.
    pub role: Role,
    /// What it says.
    pub text: &'a str,
}

/// Whose text it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The application's.
    System,
    /// The person's or agent's who asks.
    User,
    /// A model's.
    Assistant,
    /// A tool's.
    Tool,
}

/// What an answer must be like, as the caller says. Each is a hard constraint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, remote = "Self")]
pub struct Wants {
    /// The most it may cost, in micro-units.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_cost: Option<u64>,
    /// Milliseconds until it must be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline_ms: Option<u64>,
    /// The least score that must be expected, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_quality: Option<f64>,
    /// Compliance tags that the model must satisfy.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub compliance: Vec<String>,
    /// What kind of request it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task: Option<String>,
    /// Where the data must stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Whether nothing may leave the company's own machines.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub local_only: bool,
    /// Whether an answer may come from the cache and be kept there; as the company says where it is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache: Option<bool>,
}

impl Serialize for Wants {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Self::serialize(self, serializer)
    }
}

/// From an object alone: a list of values would be read as wishes by their places, and nobody means that.
impl<'de> Deserialize<'de> for Wants {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Wants;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object, for example {\"max_cost\": 1000}")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Wants, A::Error> {
                Wants::deserialize(MapAccessDeserializer::new(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// What is wrong with what the caller says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WantsError {
    /// A value that makes no sense.
    #[error("`{field}` is \"{value}\"; it must be {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// The value, shortened.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// A header that does not exist.
    #[error(
        "there is no header \"{0}\"; there are x-polity-max-cost, x-polity-deadline-ms, x-polity-min-quality, x-polity-compliance, x-polity-task, x-polity-region, x-polity-local-only, x-polity-cache and x-polity-timeout-ms"
    )]
    Header(String),
}

/// What a cost is counted in.
const MICRO_UNITS: &str = "a whole number from 0, in millionths of the charter's currency";

/// Bytes of a tag, task or region.
const LONGEST_NAME: usize = 128;

/// Compliance tags of one request.
const MOST_TAGS: usize = 32;

impl Wants {
    /// Checks every value.
    ///
    /// # Errors
    /// With the first that makes no sense.
    pub fn check(&self) -> Result<(), WantsError> {
        if let Some(quality) = self
            .min_quality
            .filter(|quality| !(0.0..=1.0).contains(quality))
        {
            return Err(wrong(
                "min_quality",
                &quality.to_string(),
                "a number from 0 to 1",
            ));
        }
        if self.deadline_ms == Some(0) {
            return Err(wrong("deadline_ms", "0", "at least 1"));
        }
        if self.compliance.len() > MOST_TAGS {
            return Err(wrong(
                "compliance",
                &format!("{} tags", self.compliance.len()),
                "at most 32 tags",
            ));
        }
        let names = self.compliance.iter().map(|tag| ("compliance", tag));
        let names = names.chain(self.task.iter().map(|task| ("task", task)));
        for (field, name) in names.chain(self.region.iter().map(|region| ("region", region))) {
            if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(char::is_control) {
                return Err(wrong(
                    field,
                    name,
                    "a name of 1 to 128 bytes without control characters",
                ));
            }
        }
        Ok(())
    }

    /// Takes one `x-polity-*` header. A header never loosens what the body says: the stricter of two limits stays.
    ///
    /// # Errors
    /// Where the header does not exist, or its value makes no sense.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), WantsError> {
        let name = name.to_ascii_lowercase();
        let whole = |field, expected| -> Result<u64, WantsError> {
            let number = value.trim().parse();
            number.map_err(|_| wrong(field, value, expected))
        };
        let stricter = |old: Option<u64>, new: u64| Some(old.map_or(new, |old| old.min(new)));
        match name.strip_prefix("x-polity-") {
            Some("max-cost") => {
                self.max_cost = stricter(self.max_cost, whole("max_cost", MICRO_UNITS)?)
            }
            Some("deadline-ms") => {
                self.deadline_ms = stricter(
                    self.deadline_ms,
                    whole("deadline_ms", "a whole number of milliseconds from 1")?,
                )
            }
            Some("min-quality") => {
                let quality = value
                    .trim()
                    .parse::<f64>()
                    .ok()
                    .filter(|quality| (0.0..=1.0).contains(quality));
                let quality =
                    quality.ok_or_else(|| wrong("min_quality", value, "a number from 0 to 1"))?;
                self.min_quality = Some(self.min_quality.map_or(quality, |old| old.max(quality)));
            }
            Some("compliance") => {
                let tags = value
                    .split(',')
                    .map(str::trim)
                    .filter(|tag| !tag.is_empty());
                self.compliance.extend(tags.map(str::to_owned));
                self.compliance.sort();
                self.compliance.dedup();
            }
            Some("task") => {
                self.task.get_or_insert_with(|| value.trim().to_owned());
            }
            Some("region") => match &self.region {
                Some(region) if region != value.trim() => {
                    return Err(wrong(
                        "region",
                        value,
                        "the region that the body names, or absent",
                    ));
                }
                _ => self.region = Some(value.trim().to_owned()),
            },
            Some("local-only") => match value.trim() {
                "true" | "1" => self.local_only = true,
                "false" | "0" => {}
                _ => return Err(wrong("local_only", value, "true or false")),
            },
            Some("cache") => match value.trim() {
                // Whoever wants no cache gets none, wherever it is said.
                "false" | "0" => self.cache = Some(false),
                "true" | "1" => self.cache = Some(self.cache.unwrap_or(true)),
                _ => return Err(wrong("cache", value, "true or false")),
            },
            _ => return Err(WantsError::Header(name.chars().take(64).collect())),
        }
        self.check()
    }
}

fn wrong(field: &'static str, value: &str, expected: &'static str) -> WantsError {
    WantsError::Value {
        field,
        value: value.chars().take(64).collect(),
        expected,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_header_tightens_and_never_loosens() {
        let mut wants = Wants {
            max_cost: Some(100),
            min_quality: Some(0.5),
            local_only: true,
            ..Wants::default()
        };
        wants.header("X-Polity-Max-Cost", "900").unwrap();
        wants.header("x-polity-min-quality", "0.2").unwrap();
        wants.header("x-polity-local-only", "false").unwrap();
        wants.header("x-polity-compliance", "gdpr, hipaa").unwrap();
        assert_eq!(
            (wants.max_cost, wants.min_quality, wants.local_only),
            (Some(100), Some(0.5), true)
        );
        assert_eq!(wants.compliance, ["gdpr", "hipaa"]);
        wants.header("x-polity-max-cost", "50").unwrap();
        assert_eq!(wants.max_cost, Some(50));
    }

    #[test]
    fn a_negative_budget_is_refused_with_what_it_must_be() {
        let error = Wants::default()
            .header("x-polity-max-cost", "-5")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`max_cost` is \"-5\"; it must be a whole number from 0, in millionths of the charter's currency"
        );
        assert!(serde_json::from_str::<Wants>("{\"max_cost\": -5}").is_err());
        assert!(serde_json::from_str::<Wants>("{\"max_kost\": 5}").is_err());
    }

    proptest! {
        #[test]
        fn no_header_panics(name in "(x-polity-)?[a-z-]{0,12}", value in "\\PC{0,300}") {
            let _ = Wants::default().header(&name, &value);
        }
    }
}
