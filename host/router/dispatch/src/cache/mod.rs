//! Answers to requests that were asked before, word for word.
//!
//! Off unless the charter or the request allows it. An answer is only ever found by somebody who may see the same data as
//! whoever it was made for; see [`CacheKey::of`]. Nothing here looks for requests that are merely similar.

mod key;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

pub use key::{CacheKey, Sharing, Viewer};

/// How much is kept and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CachePolicy {
    /// How long an answer is good.
    pub ttl_ms: u64,
    /// Bytes of all answers together; those not asked for longest go first.
    pub max_bytes: usize,
    /// A single answer that is larger is not kept.
    pub max_answer_bytes: usize,
}

/// Why an answer is not kept, or not looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotCached {
    /// Nobody allowed it.
    #[error("caching is off; the charter or the request can allow it")]
    Off,
    /// The request nests too deep.
    #[error("the request nests deeper than 128 values")]
    TooDeep,
    /// The answer is not complete.
    #[error("the answer ended with \"{}\", not with \"stop\" or \"tool_calls\"", .0.name())]
    Incomplete(Unfinished),
    /// The answer is too large.
    #[error("the answer has {bytes} bytes, more than {limit}")]
    TooLarge {
        /// What it has.
        bytes: usize,
        /// What it may have.
        limit: usize,
    },
}

/// How an answer ended that is not worth keeping.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unfinished {
    /// It was cut at its longest length.
    Length,
    /// A filter held it back.
    ContentFilter,
    /// In some other way.
    Other,
}

/// An answer that was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hit {
    /// The answer.
    pub answer: Arc<[u8]>,
    /// What asking again would have cost.
    pub avoided_micro: u64,
    /// How old it is.
    pub age_ms: u64,
}

/// What the cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheStats {
    /// Answers held.
    pub entries: usize,
    /// Bytes held, with what holding them takes.
    pub bytes: usize,
    /// Requests answered from it.
    pub hits: u64,
    /// Requests that were not.
    pub misses: u64,
    /// What they would have cost.
    pub avoided_micro: u64,
}

/// Answers by request and viewer.
#[derive(Debug)]
pub struct Cache {
    policy: CachePolicy,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    entries: HashMap<CacheKey, Entry>,
    /// Keys by when they were last asked for, the longest ago first.
    by_use: BTreeMap<u64, CacheKey>,
    uses: u64,
    stats: CacheStats,
}

#[derive(Debug)]
struct Entry {
    answer: Arc<[u8]>,
    cost_micro: u64,
    stored_ms: u64,
    expires_ms: u64,
    used: u64,
}

/// What an entry takes beside its answer: key, entry and index, generously.
const OVERHEAD: usize = 256;

impl Default for CachePolicy {
    fn default() -> Self {
        Self {
            ttl_ms: 60 * 60_000,
            max_bytes: 16 << 20,
            max_answer_bytes: 256 << 10,
        }
    }
}

impl Cache {
    /// An empty cache.
    pub fn new(policy: CachePolicy) -> Self {
        Self {
            policy,
            held: Mutex::default(),
        }
    }

    /// The answer to a request that was asked before.
    pub fn get(&self, key: &CacheKey, now_ms: u64) -> Option<Hit> {
        let mut held = self.held.lock();
        let is_over = |entry: &Entry| entry.expires_ms <= now_ms;
        if held.entries.get(key).is_some_and(is_over) {
            held.remove(key);
        }
        held.uses += 1;
        let uses = held.uses;
        let Some(entry) = held.entries.get_mut(key) else {
            held.stats.misses += 1;
            return None;
        };
        let last = std::mem::replace(&mut entry.used, uses);
        let hit = Hit {
            answer: entry.answer.clone(),
            avoided_micro: entry.cost_micro,
            age_ms: now_ms.saturating_sub(entry.stored_ms),
        };
        held.by_use.remove(&last);
        held.by_use.insert(uses, *key);
        held.stats.hits += 1;
        held.stats.avoided_micro = held.stats.avoided_micro.saturating_add(hit.avoided_micro);
        Some(hit)
    }

    /// Keeps an answer that ended as `finish` says and cost so much, for at most `ttl_ms` where that is said.
    pub fn put(
        &self,
        key: CacheKey,
        answer: Arc<[u8]>,
        finish: &str,
        cost_micro: u64,
        ttl_ms: Option<u64>,
        now_ms: u64,
    ) -> Result<(), NotCached> {
        match finish {
            "stop" | "tool_calls" => {}
            "length" => return Err(NotCached::Incomplete(Unfinished::Length)),
            "content_filter" => return Err(NotCached::Incomplete(Unfinished::ContentFilter)),
            _ => return Err(NotCached::Incomplete(Unfinished::Other)),
        }
        let bytes = answer.len().saturating_add(OVERHEAD);
        let limit = self
            .policy
            .max_answer_bytes
            .min(self.policy.max_bytes.saturating_sub(OVERHEAD));
        if answer.len() > limit {
            let bytes = answer.len();
            return Err(NotCached::TooLarge { bytes, limit });
        }
        let ttl_ms = ttl_ms.unwrap_or(u64::MAX).min(self.policy.ttl_ms);
        let mut held = self.held.lock();
        held.remove(&key);
        held.uses += 1;
        let entry = Entry {
            answer,
            cost_micro,
            stored_ms: now_ms,
            expires_ms: now_ms.saturating_add(ttl_ms),
            used: held.uses,
        };
        let used = held.uses;
        held.by_use.insert(used, key);
        held.entries.insert(key, entry);
        held.stats.bytes += bytes;
        while held.stats.bytes > self.policy.max_bytes {
            let Some((_, oldest)) = held.by_use.first_key_value() else {
                break;
            };
            let oldest = *oldest;
            held.remove(&oldest);
        }
        Ok(())
    }

    /// Forgets everything: the rules, the rights or the data have changed.
    pub fn clear(&self) {
        let mut held = self.held.lock();
        let stats = held.stats;
        *held = Held::default();
        held.stats = CacheStats { bytes: 0, ..stats };
    }

    /// What it has done so far.
    pub fn stats(&self) -> CacheStats {
        let held = self.held.lock();
        CacheStats {
            entries: held.entries.len(),
            ..held.stats
        }
    }
}

impl Held {
    fn remove(&mut self, key: &CacheKey) {
        if let Some(entry) = self.entries.remove(key) {
            self.by_use.remove(&entry.used);
            self.stats.bytes -= entry.answer.len() + OVERHEAD;
        }
    }
}

impl Unfinished {
    const fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::ContentFilter => "content_filter",
            Self::Other => "something else",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn key(number: u64) -> CacheKey {
        CacheKey::of(&json!({ "n": number }), Sharing::Rights, &Viewer::default()).unwrap()
    }

    fn cache(max_bytes: usize) -> Cache {
        Cache::new(CachePolicy {
            ttl_ms: 100,
            max_bytes,
            max_answer_bytes: 1000,
        })
    }

    fn put(cache: &Cache, number: u64, bytes: usize, now: u64) -> Result<(), NotCached> {
        cache.put(key(number), vec![0; bytes].into(), "stop", 7, None, now)
    }

    #[test]
    fn an_answer_is_found_until_its_time_is_over() {
        let cache = cache(10_000);
        put(&cache, 1, 10, 0).unwrap();
        let hit = cache.get(&key(1), 99).unwrap();
        assert_eq!((hit.avoided_micro, hit.age_ms), (7, 99));
        assert_eq!(cache.get(&key(1), 100), None);
        assert_eq!(cache.stats().entries, 0);
        assert_eq!(cache.stats().avoided_micro, 7);
    }

    #[test]
    fn what_was_not_asked_for_longest_goes_first() {
        let cache = cache(3 * (100 + OVERHEAD));
        for number in 0..3 {
            put(&cache, number, 100, 0).unwrap();
        }
        cache.get(&key(0), 1).unwrap();
        put(&cache, 3, 100, 1).unwrap();
        assert!(cache.get(&key(0), 1).is_some());
        assert_eq!(cache.get(&key(1), 1), None);
    }

    #[test]
    fn an_answer_that_was_cut_or_is_too_large_is_not_kept() {
        let cache = cache(10_000);
        let cut = cache.put(key(1), vec![1].into(), "length", 0, None, 0);
        assert_eq!(cut, Err(NotCached::Incomplete(Unfinished::Length)));
        assert!(matches!(
            put(&cache, 1, 1001, 0),
            Err(NotCached::TooLarge { .. })
        ));
        assert_eq!(cache.stats().entries, 0);
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_it_may(
            steps in prop::collection::vec((0u64..20, 0usize..1200, 0u64..50, any::<bool>()), 1..200),
        ) {
            let cache = cache(4_000);
            let mut now = 0;
            for (number, bytes, passed, is_put) in steps {
                now += passed;
                if is_put {
                    let _ = put(&cache, number, bytes, now);
                } else if let Some(hit) = cache.get(&key(number), now) {
                    prop_assert!(hit.age_ms < 100);
                }
                let held = cache.held.lock();
                prop_assert_eq!(held.entries.len(), held.by_use.len());
                let bytes: usize = held.entries.values().map(|it| it.answer.len() + OVERHEAD).sum();
                prop_assert_eq!(bytes, held.stats.bytes);
                prop_assert!(bytes <= 4_000);
            }
        }
    }
}
