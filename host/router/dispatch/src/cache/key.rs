//! What makes two requests the same.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::NotCached;

/// Fields that change how an answer travels and not what it says.
const NOT_PART: &[&str] = &[
    "stream",
    "stream_options",
    "user",
    "metadata",
    "store",
    "polity",
];

/// Deeper values are not looked at: JSON that is parsed never is, and what is made by hand must not exhaust the stack.
const DEEPEST: u32 = 128;

/// Who may get an answer that somebody else paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sharing {
    /// Nobody; nothing is kept.
    #[default]
    Off,
    /// The same actor.
    Actor,
    /// Actors who may see the same data.
    Rights,
    /// Everyone in the company, for requests that touch none of its data. Otherwise it is as [`Sharing::Rights`].
    Company,
}

/// Who asks, and what he may see.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Viewer {
    /// The actor.
    pub actor: Arc<str>,
    /// Every right that decides what data an answer may draw on.
    pub rights: BTreeSet<Arc<str>>,
    /// Whether the request or the answer draws on the company's data at all. Not said is taken for yes.
    pub touches_no_data: bool,
}

/// What an answer is found by: a digest of the request and of who may have the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CacheKey([u8; 32]);

impl CacheKey {
    /// The key of a request to a model. The rights are part of it whatever the sharing, so an answer never reaches an
    /// actor with other rights than the one it was made for.
    pub fn of(request: &Value, sharing: Sharing, viewer: &Viewer) -> Result<Self, NotCached> {
        let mut digest = Sha256::new();
        let is_open = sharing == Sharing::Company && viewer.touches_no_data;
        match sharing {
            Sharing::Off => return Err(NotCached::Off),
            Sharing::Actor => text(&mut digest, b'a', &viewer.actor),
            Sharing::Rights => digest.update(b"r"),
            Sharing::Company if is_open => digest.update(b"c"),
            Sharing::Company => digest.update(b"r"),
        }
        if !is_open {
            digest.update((viewer.rights.len() as u64).to_le_bytes());
            for right in &viewer.rights {
                text(&mut digest, b's', right);
            }
        }
        match request {
            Value::Object(fields) => {
                let fields = fields
                    .iter()
                    .filter(|(name, _)| !NOT_PART.contains(&name.as_str()));
                object(&mut digest, fields.collect(), DEEPEST)?;
            }
            other => value(&mut digest, other, DEEPEST)?,
        }
        Ok(Self(digest.finalize().into()))
    }
}

/// Every kind of value begins with a letter of its own and every text with its length, so no two values that differ are
/// written alike.
fn value(digest: &mut Sha256, it: &Value, depth: u32) -> Result<(), NotCached> {
    let deeper = depth.checked_sub(1).ok_or(NotCached::TooDeep)?;
    match it {
        Value::Null => digest.update(b"n"),
        Value::Bool(it) => digest.update([b'b', u8::from(*it)]),
        Value::Number(number) => text(digest, b'#', &number.to_string()),
        Value::String(it) => text(digest, b's', it),
        Value::Array(items) => {
            digest.update(b"[");
            digest.update((items.len() as u64).to_le_bytes());
            for item in items {
                value(digest, item, deeper)?;
            }
        }
        Value::Object(fields) => object(digest, fields.iter().collect(), deeper)?,
    }
    Ok(())
}

fn object(
    digest: &mut Sha256,
    mut fields: Vec<(&String, &Value)>,
    depth: u32,
) -> Result<(), NotCached> {
    fields.sort_unstable_by_key(|(name, _)| *name);
    digest.update(b"{");
    digest.update((fields.len() as u64).to_le_bytes());
    for (name, field) in fields {
        text(digest, b's', name);
        value(digest, field, depth)?;
    }
    Ok(())
}

fn text(digest: &mut Sha256, kind: u8, it: &str) {
    digest.update([kind]);
    digest.update((it.len() as u64).to_le_bytes());
    digest.update(it.as_bytes());
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn viewer(actor: &str, rights: &[&str]) -> Viewer {
        Viewer {
            actor: actor.into(),
            rights: rights.iter().map(|it| Arc::from(*it)).collect(),
            touches_no_data: false,
        }
    }

    fn key(request: &Value) -> CacheKey {
        CacheKey::of(request, Sharing::Rights, &viewer("ada", &[])).unwrap()
    }

    #[test]
    fn order_and_the_way_of_the_answer_do_not_matter() {
        let one = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        let two =
            json!({"messages": [{"content": "hi", "role": "user"}], "stream": true, "model": "m"});
        assert_eq!(key(&one), key(&two));
    }

    #[test]
    fn whatever_else_differs_makes_another_key() {
        let all = [
            json!({"m": "a"}),
            json!({"m": ["a"]}),
            json!({"m": [["a"]]}),
            json!({"m": null}),
            json!({"m": 1}),
            json!({"m": "1"}),
            json!({"m": [1, 2]}),
            json!({"m": [12]}),
            json!({"m": {"stream": true}}),
            json!({"m": {}}),
            json!({}),
        ];
        let keys: BTreeSet<_> = all.iter().map(key).collect();
        assert_eq!(keys.len(), all.len());
    }

    #[test]
    fn other_rights_are_another_key_however_widely_answers_are_shared() {
        let request = json!({"m": "a"});
        let of = |sharing, viewer: &Viewer| CacheKey::of(&request, sharing, viewer).unwrap();
        let (ada, bob) = (viewer("ada", &["hr"]), viewer("bob", &["sales"]));
        for sharing in [Sharing::Actor, Sharing::Rights, Sharing::Company] {
            assert_ne!(of(sharing, &ada), of(sharing, &bob));
        }
        let eve = viewer("eve", &["hr"]);
        assert_eq!(of(Sharing::Rights, &ada), of(Sharing::Rights, &eve));
        assert_ne!(of(Sharing::Actor, &ada), of(Sharing::Actor, &eve));
        let open = |viewer: Viewer| {
            let viewer = Viewer {
                touches_no_data: true,
                ..viewer
            };
            of(Sharing::Company, &viewer)
        };
        assert_eq!(open(ada), open(bob));
    }

    #[test]
    fn rights_cannot_be_joined_into_others() {
        let request = json!({});
        let of = |rights: &[&str]| CacheKey::of(&request, Sharing::Rights, &viewer("a", rights));
        assert_ne!(of(&["ab", "c"]).unwrap(), of(&["a", "bc"]).unwrap());
        assert_ne!(of(&["abc"]).unwrap(), of(&["ab", "c"]).unwrap());
    }

    #[test]
    fn a_value_that_is_too_deep_is_not_cached() {
        let mut deep = json!(1);
        for _ in 0..1000 {
            deep = json!([deep]);
        }
        let of = CacheKey::of(&deep, Sharing::Rights, &viewer("a", &[]));
        assert_eq!(of, Err(NotCached::TooDeep));
    }
}
