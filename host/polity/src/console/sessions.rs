//! Who sits in front of the console.
//!
//! A person comes in through a link that is good once and for a short while, and stays by a cookie. Both are random and
//! kept only as their SHA-256, in memory: a restart ends every session, and a look at the memory of the store yields
//! nothing that opens a door. Each goes back to a token, and is to be taken no longer than that is in force: whoever
//! revokes a token also closes what it had opened.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;
use polity_kernel::TokenInfo;
use sha2::{Digest, Sha256};

/// How long a link is good.
pub(crate) const LINK_MS: u64 = 60 * 60 * 1000;

/// How long a session lasts: a working day.
pub(crate) const SESSION_MS: u64 = 12 * 60 * 60 * 1000;

/// Links and sessions kept of each; past it, the one that would end first goes.
const KEPT: usize = 256;

type Key = [u8; 32];

/// The open links and sessions.
#[derive(Default)]
pub(crate) struct Sessions {
    links: Mutex<HashMap<Key, Entry>>,
    sessions: Mutex<HashMap<Key, Entry>>,
}

#[derive(Clone)]
struct Entry {
    token: Arc<TokenInfo>,
    until_ms: u64,
}

impl Sessions {
    /// A secret that opens a session once.
    pub(crate) fn invite(&self, token: Arc<TokenInfo>, now_ms: u64) -> String {
        put(&self.links, token, now_ms, now_ms + LINK_MS)
    }

    /// Spends the secret of a link: the token it was made with, if the link is still good.
    pub(crate) fn redeem(&self, secret: &str, now_ms: u64) -> Option<Arc<TokenInfo>> {
        let entry = self.links.lock().remove(&key(secret))?;
        (entry.until_ms > now_ms).then_some(entry.token)
    }

    /// Opens a session and returns its secret.
    pub(crate) fn open(&self, token: Arc<TokenInfo>, now_ms: u64) -> String {
        put(&self.sessions, token, now_ms, now_ms + SESSION_MS)
    }

    /// The token behind a session that has not ended.
    pub(crate) fn token(&self, secret: &str, now_ms: u64) -> Option<Arc<TokenInfo>> {
        let sessions = self.sessions.lock();
        let entry = sessions.get(&key(secret))?;
        (entry.until_ms > now_ms).then(|| entry.token.clone())
    }

    /// Ends a session.
    pub(crate) fn close(&self, secret: &str) {
        self.sessions.lock().remove(&key(secret));
    }
}

fn put(
    entries: &Mutex<HashMap<Key, Entry>>,
    token: Arc<TokenInfo>,
    now_ms: u64,
    until_ms: u64,
) -> String {
    let secret = secret();
    let mut entries = entries.lock();
    entries.retain(|_, entry| entry.until_ms > now_ms);
    if entries.len() >= KEPT {
        let first = entries
            .iter()
            .min_by_key(|(_, entry)| entry.until_ms)
            .map(|(key, _)| *key);
        first.and_then(|first| entries.remove(&first));
    }
    entries.insert(key(&secret), Entry { token, until_ms });
    secret
}

/// Looking up by the digest also takes the lookup's time out of a guesser's hands.
fn key(secret: &str) -> Key {
    Sha256::digest(secret).into()
}

fn secret() -> String {
    let mut random = [0; 32];
    // Without randomness no secret could be made anywhere in this process, and a guessable one must not be.
    if let Err(error) = getrandom::fill(&mut random) {
        panic!("this system has no source of randomness: {error}");
    }
    hex::encode(random)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn ada() -> Arc<TokenInfo> {
        Arc::new(TokenInfo {
            id: Uuid::nil(),
            actor: "person:ada".into(),
            label: String::new(),
            created_ms: 0,
            issued_by: "host".into(),
        })
    }

    #[test]
    fn a_link_is_good_once() {
        let sessions = Sessions::default();
        let link = sessions.invite(ada(), 0);
        assert_eq!(sessions.redeem(&link, 1), Some(ada()));
        assert_eq!(sessions.redeem(&link, 1), None);
    }

    #[test]
    fn a_link_and_a_session_end_when_their_time_is_over() {
        let sessions = Sessions::default();
        let link = sessions.invite(ada(), 0);
        assert_eq!(sessions.redeem(&link, LINK_MS), None);
        let session = sessions.open(ada(), 0);
        assert_eq!(sessions.token(&session, SESSION_MS - 1), Some(ada()));
        assert_eq!(sessions.token(&session, SESSION_MS), None);
    }

    #[test]
    fn a_closed_session_stays_closed_and_a_link_opens_no_session_by_itself() {
        let sessions = Sessions::default();
        let session = sessions.open(ada(), 0);
        sessions.close(&session);
        assert_eq!(sessions.token(&session, 1), None);
        let link = sessions.invite(ada(), 0);
        assert_eq!(sessions.token(&link, 1), None);
    }

    #[test]
    fn the_number_of_sessions_is_bounded() {
        let sessions = Sessions::default();
        let first = sessions.open(ada(), 0);
        for now in 1..=KEPT as u64 {
            sessions.open(ada(), now);
        }
        assert_eq!(sessions.token(&first, 1), None);
        assert_eq!(sessions.sessions.lock().len(), KEPT);
    }
}
