//! A JSON object whose values are passed on unread, in their order.

use std::fmt;

use polity_sdk::Problem;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{Text, invalid};

/// The fields of an object, each value as the text it came as. It is what most of a request is to an adapter: the
/// caller's parameters, messages and schemas go to the vendor without being taken apart.
#[derive(Debug, Clone, Default)]
pub struct Fields<'a>(pub Vec<(Text<'a>, &'a RawValue)>);

struct FieldsVisitor;

impl<'a> Fields<'a> {
    /// Parses an object; `what` names it in the problem if it is none. Empty text is an empty object.
    pub fn parse(what: &str, json: &'a str) -> Result<Self, Problem> {
        if json.is_empty() {
            return Ok(Self::default());
        }
        serde_json::from_str(json)
            .map_err(|error| invalid(format!("{what} is not a JSON object: {error}")))
    }

    /// The value of a field.
    pub fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0
            .iter()
            .find(|(key, _)| &**key == name)
            .map(|(_, value)| *value)
    }

    /// Takes a field out. `null` counts as absent.
    pub fn take(&mut self, name: &str) -> Option<&'a RawValue> {
        let at = self.0.iter().position(|(key, _)| &**key == name)?;
        let (_, value) = self.0.remove(at);
        (value.get() != "null").then_some(value)
    }

    /// Takes a field out and parses it; a problem `invalid` if it is something else.
    pub fn take_as<T: Deserialize<'a>>(&mut self, name: &str) -> Result<Option<T>, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        match serde_json::from_str(value.get()) {
            Ok(value) => Ok(Some(value)),
            Err(error) => Err(invalid(format!("{name}: {error}"))),
        }
    }

    /// Takes out a field that is a string or a list of strings, as `stop` is.
    pub fn take_texts(&mut self, name: &str) -> Result<Option<Vec<Text<'a>>>, Problem> {
        let Some(value) = self.take(name) else {
            return Ok(None);
        };
        let one = serde_json::from_str(value.get()).map(|text| vec![text]);
        one.or_else(|_| serde_json::from_str(value.get()))
            .map(Some)
            .map_err(|error| invalid(format!("{name} is a string or a list of strings: {error}")))
    }

    /// Keeps what is not in `names`.
    pub fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(key, _)| !names.contains(&&**key));
        self
    }

    /// Adds the fields of `other`, which win over those of the same name.
    pub fn overlay(&mut self, other: Self) {
        self.0.retain(|(key, _)| other.get(key).is_none());
        self.0.extend(other.0);
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Vec::new();
        while let Some(entry) = map.next_entry()? {
            fields.push(entry);
        }
        Ok(Fields(fields))
    }
}

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_pass_through_unchanged_and_in_order() {
        let json = r#"{"z":1.50,"a":{"y" : [ ]},"é":"\u00e9"}"#;
        let fields = Fields::parse("extra", json).unwrap();
        assert_eq!(serde_json::to_string(&fields).unwrap(), json);
    }

    #[test]
    fn the_overlay_wins_and_nothing_appears_twice() {
        let mut fields = Fields::parse("extra", r#"{"top_p":0.1,"user":"ada"}"#).unwrap();
        fields.overlay(Fields::parse("extra_body", r#"{"top_p":0.9,"seed":7}"#).unwrap());
        assert_eq!(
            serde_json::to_string(&fields).unwrap(),
            r#"{"user":"ada","top_p":0.9,"seed":7}"#
        );
    }

    #[test]
    fn null_counts_as_absent_when_a_field_is_taken() {
        let mut fields = Fields::parse("extra", r#"{"stop":null,"seed":7}"#).unwrap();
        assert!(fields.take("stop").is_none());
        assert_eq!(fields.take_as::<u32>("seed").unwrap(), Some(7));
        assert!(fields.0.is_empty());
    }

    #[test]
    fn one_text_is_a_list_of_one() {
        let mut fields = Fields::parse("extra", r#"{"a":"x","b":["x","y"],"c":7}"#).unwrap();
        assert_eq!(fields.take_texts("a").unwrap(), Some(vec!["x".into()]));
        assert_eq!(
            fields.take_texts("b").unwrap(),
            Some(vec!["x".into(), "y".into()])
        );
        assert_eq!(fields.take_texts("c").unwrap_err().code, "invalid");
        assert_eq!(fields.take_texts("d").unwrap(), None);
    }

    #[test]
    fn what_is_no_object_is_refused_by_name() {
        let problem = Fields::parse("extra", "[1]").unwrap_err();
        assert_eq!(problem.code, "invalid");
        assert!(
            problem.detail.starts_with("extra is not a JSON object"),
            "{}",
            problem.detail
        );
    }
}
