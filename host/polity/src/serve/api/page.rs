//! Lists in pages, and the queries that ask for them.
//!
//! A list answers `{"items": […], "next": …}`. `next` is what to send as `after` for the next page, and null at the end; it
//! is not to be looked into.

use std::str::FromStr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use serde::Serialize;
use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Unexpected, Visitor, value,
};
use utoipa::ToSchema;

use crate::serve::fault::{Fault, Kind};
use crate::serve::json::nearest;

/// Items on a page where the query does not say.
pub(super) const USUAL: usize = 50;

/// The most items on a page.
pub(super) const MOST: usize = 500;

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(in crate::serve) struct Page<T> {
    /// The page's items.
    pub(in crate::serve) items: Vec<T>,
    /// What to send as `after` for the next page; null at the end.
    pub(in crate::serve) next: Option<String>,
}

/// A query string of type `T`; parameters that `T` does not know are refused, so that a misspelt filter is not taken for
/// none.
pub(in crate::serve) struct Query<T>(pub(in crate::serve) T);

/// The parameters that a query type knows.
pub(in crate::serve) trait Parameters: DeserializeOwned {
    /// Their names.
    const NAMES: &'static [&'static str];
}

impl<T: Parameters, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        parse(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

fn parse<T: Parameters>(query: &str) -> Result<T, Fault> {
    let pairs: Vec<(String, String)> = url::form_urlencoded::parse(query.as_bytes())
        .into_owned()
        .collect();
    for (name, _) in &pairs {
        if !T::NAMES.contains(&name.as_str()) {
            let known = match nearest(name, T::NAMES.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if T::NAMES.is_empty() => "it takes none".to_owned(),
                None => format!("it takes {}", T::NAMES.join(", ")),
            };
            return Err(Fault::new(
                Kind::Invalid,
                format!("the query parameter `{name}` is unknown; {known}"),
            ));
        }
    }
    let pairs = pairs.into_iter().map(|(name, value)| (name, Text(value)));
    T::deserialize(value::MapDeserializer::new(pairs))
        .map_err(|error: value::Error| Fault::new(Kind::Invalid, format!("the query: {error}")))
}

/// How many items are wanted.
pub(in crate::serve) fn limit(asked: Option<u64>) -> Result<usize, Fault> {
    let asked = asked.map_or(USUAL, |asked| usize::try_from(asked).unwrap_or(usize::MAX));
    match asked {
        limit @ 1..=MOST => Ok(limit),
        limit => Err(Fault::new(
            Kind::Invalid,
            format!("`limit` is {limit}; ask for 1 to {MOST} items"),
        )),
    }
}

/// Where the page before ended. What reads as nothing of the kind was not made here.
pub(in crate::serve) fn cursor<T: FromStr>(after: Option<String>) -> Result<Option<T>, Fault> {
    let cursor = after.map(|after| after.parse()).transpose();
    cursor.map_err(|_| {
        Fault::new(
            Kind::Invalid,
            "`after` is not the `next` of an earlier page",
        )
    })
}

impl<T> Page<T> {
    /// The page of a list that was read one item farther than the page goes: that item says that there is more.
    pub(in crate::serve) fn cut(
        mut items: Vec<T>,
        limit: usize,
        cursor: impl FnOnce(&T) -> Option<String>,
    ) -> Self {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| has_more).and_then(cursor);
        Self { items, next }
    }
}

/// A parameter's value: text that turns into whatever its field wants.
struct Text(String);

impl<'de> IntoDeserializer<'de> for Text {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! parsed {
    ($($name:ident, $visit:ident, $kind:ty;)*) => {
        $(fn $name<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
            match self.0.parse::<$kind>() {
                Ok(value) => visitor.$visit(value),
                Err(_) => Err(value::Error::invalid_value(Unexpected::Str(&self.0), &visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Text {
    type Error = value::Error;

    parsed! {
        deserialize_bool, visit_bool, bool;
        deserialize_u64, visit_u64, u64;
        deserialize_u32, visit_u32, u32;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_string(self.0)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, value::Error> {
        visitor.visit_some(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, value::Error> {
        self.0
            .into_deserializer()
            .deserialize_enum(name, variants, visitor)
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i64 u8 u16 f32 f64 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Filter {
        limit: Option<u64>,
        which: Option<Which>,
        mine: Option<bool>,
        name: Option<String>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "lowercase")]
    enum Which {
        Open,
        Closed,
    }

    impl Parameters for Filter {
        const NAMES: &'static [&'static str] = &["limit", "which", "mine", "name"];
    }

    #[test]
    fn a_query_turns_into_what_its_fields_want() {
        let filter: Filter = parse("limit=7&which=closed&mine=true&name=a%20b").unwrap();
        assert_eq!(
            filter,
            Filter {
                limit: Some(7),
                which: Some(Which::Closed),
                mine: Some(true),
                name: Some("a b".into())
            }
        );
        let nothing = Filter {
            limit: None,
            which: None,
            mine: None,
            name: None,
        };
        assert_eq!(parse::<Filter>("").unwrap(), nothing);
    }

    #[test]
    fn what_is_wrong_with_a_query_is_said() {
        for (query, words) in [
            ("limt=7", "did you mean `limit`?"),
            ("colour=red", "it takes limit, which, mine, name"),
            ("limit=many", "many"),
            ("limit=", "\"\""),
            ("which=half", "`open` or `closed`"),
            ("mine=perhaps", "perhaps"),
        ] {
            let fault = parse::<Filter>(query).unwrap_err();
            assert!(
                fault.detail().contains(words),
                "{query}: {}",
                fault.detail()
            );
        }
    }

    #[test]
    fn only_a_page_with_more_after_it_says_where_to_go_on() {
        let page = |items: Vec<u64>| Page::cut(items, 2, |last| Some(last.to_string()));
        assert_eq!(page(vec![]).next, None);
        assert_eq!(page(vec![7, 8]).next, None);
        let cut = page(vec![7, 8, 9]);
        assert_eq!((cut.items, cut.next.as_deref()), (vec![7, 8], Some("8")));
        assert_eq!(cursor::<u64>(Some("8".into())).unwrap(), Some(8));
        assert!(cursor::<u64>(Some("eight".into())).is_err());
    }

    #[test]
    fn a_page_has_a_bounded_size() {
        assert_eq!(limit(None).unwrap(), USUAL);
        assert_eq!(limit(Some(MOST as u64)).unwrap(), MOST);
        assert!(limit(Some(0)).is_err() && limit(Some(MOST as u64 + 1)).is_err());
    }
}
