//! A part of a body that is an object.
//!
//! serde reads a list as the fields of a structure in their order. In an interface that is never meant: `["text"]` in the
//! place of `{"type": "text"}` is a mistake, and is told so where it stands.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, Visitor};

/// A `T` that is written with the names of its fields.
#[derive(Debug)]
pub(crate) struct Object<T>(pub(crate) T);

struct ObjectVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer
            .deserialize_map(ObjectVisitor(PhantomData))
            .map(Self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
    type Value = T;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
        T::deserialize(MapAccessDeserializer::new(members))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::value::RawValue;

    use super::*;

    #[derive(Debug, Deserialize)]
    struct Named {
        name: Box<RawValue>,
    }

    #[test]
    fn an_object_is_read_and_a_list_of_its_values_is_not() {
        let object: Object<Named> = serde_json::from_str(r#"{"name": [1, 2]}"#).unwrap();
        assert_eq!(object.0.name.get(), "[1, 2]");
        let error = serde_json::from_str::<Object<Named>>(r#"["a"]"#).unwrap_err();
        assert!(error.to_string().contains("expected an object"), "{error}");
        assert!(
            serde_json::from_str::<Option<Object<Named>>>("null")
                .unwrap()
                .is_none()
        );
    }
}
