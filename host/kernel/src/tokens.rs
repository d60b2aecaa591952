//! Bearer tokens: who holds one is its actor.
//!
//! A token is 256 random bits. Only its SHA-256 is kept, in the ledger's state, and a token that is shown is looked up by
//! that hash: a look-up takes the same time whatever part of a wrong token is right, and whoever steals the ledger has
//! stolen no token. Neither the token nor its hash ever stands in an event.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use polity_ledger::{Clock, Commit, CommitError, Event, Ledger, ReadError, new_id};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What a token begins with, so that people and secret scanners recognise one.
const PREFIX: &str = "pol_";

/// Where tokens lie in the ledger's state.
const KEY: &str = "token/";

/// Tokens read in one scan.
const PAGE: usize = 1000;

/// The longest label.
const MAX_LABEL: usize = 200;

/// A token, without the token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Its name for revoking it.
    pub id: Uuid,
    /// Who its holder is.
    pub actor: String,
    /// What it is for, in somebody's words.
    pub label: String,
    /// When it was issued.
    pub created_ms: u64,
    /// Who issued it.
    pub issued_by: String,
}

/// Why a token was not issued or revoked.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The charter does not know the actor.
    #[error("the charter knows no actor \"{asked}\"{}", proposals(.near))]
    UnknownActor {
        /// Who was named.
        asked: String,
        /// Who may have been meant.
        near: Vec<String>,
    },
    /// The label is too long or not plain text.
    #[error("a label is at most {MAX_LABEL} characters without control characters")]
    Label,
    /// There is no such token.
    #[error("there is no token {0}; `polity token list` shows those there are")]
    Unknown(Uuid),
    /// The system gave no randomness.
    #[error("this system has no source of randomness: {0}")]
    Randomness(String),
    /// The ledger could not take it.
    #[error("the token could not be recorded: {0}")]
    Record(#[from] CommitError),
}

/// The tokens in force.
pub(crate) struct Tokens {
    ledger: Ledger,
    clock: Arc<dyn Clock>,
    by_hash: ArcSwap<HashMap<[u8; 32], Arc<TokenInfo>>>,
    /// Held while a token is added or taken out of the map.
    changing: Mutex<()>,
}

/// A token as the state keeps it.
#[derive(Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    info: TokenInfo,
    sha256: String,
}

impl Tokens {
    /// Reads the tokens that the ledger knows.
    pub(crate) fn read(ledger: Ledger, clock: Arc<dyn Clock>) -> Result<Self, ReadError> {
        let mut by_hash = HashMap::new();
        let mut after: Option<String> = None;
        loop {
            let rows = ledger.scan(KEY, after.as_deref(), PAGE)?;
            let Some((last, _)) = rows.last() else { break };
            after = Some(last.clone());
            for (key, value) in &rows {
                match serde_json::from_slice::<Stored>(value)
                    .map(|stored| (stored.sha256.parse(), stored.info))
                {
                    Ok((Ok(hash), info)) => {
                        let hash: polity_ledger::Hash = hash;
                        by_hash.insert(*hash.as_bytes(), Arc::new(info));
                    }
                    _ => tracing::error!(key, "a token does not read and is not accepted"),
                }
            }
        }
        Ok(Self {
            ledger,
            clock,
            by_hash: ArcSwap::from_pointee(by_hash),
            changing: Mutex::default(),
        })
    }

    /// Whose token it is.
    pub(crate) fn actor_of(&self, token: &str) -> Option<Arc<TokenInfo>> {
        if !token.starts_with(PREFIX) {
            return None;
        }
        self.by_hash.load().get(&hash(token)).cloned()
    }

    /// Whether a token is among those in force.
    pub(crate) fn is_in_force(&self, id: Uuid) -> bool {
        self.by_hash.load().values().any(|info| info.id == id)
    }

    /// Makes a token, and returns it for the only time.
    pub(crate) async fn issue(
        &self,
        by: &str,
        actor: &str,
        label: &str,
    ) -> Result<String, TokenError> {
        if label.chars().count() > MAX_LABEL || label.chars().any(char::is_control) {
            return Err(TokenError::Label);
        }
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|error| TokenError::Randomness(error.to_string()))?;
        let token = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret));
        let hash = hash(&token);
        let created_ms = self.clock.now_ms();
        let info = TokenInfo {
            id: new_id(created_ms),
            actor: actor.to_owned(),
            label: label.to_owned(),
            created_ms,
            issued_by: by.to_owned(),
        };
        let stored = Stored {
            info: info.clone(),
            sha256: polity_ledger::Hash::from(hash).to_string(),
        };
        let event = Event::new(
            "token.issued",
            "/kernel",
            format!("token/{}", info.id),
            json!(info),
        );
        let commit = Commit::new()
            .put(key(info.id), json!(stored).to_string())
            .event(event);
        self.ledger.commit(commit).await?;
        self.change(|tokens| drop(tokens.insert(hash, Arc::new(info.clone()))));
        Ok(token)
    }

    /// Ends a token.
    pub(crate) async fn revoke(&self, by: &str, id: Uuid) -> Result<TokenInfo, TokenError> {
        let known = self
            .list()
            .into_iter()
            .find(|info| info.id == id)
            .ok_or(TokenError::Unknown(id))?;
        // Refused from here on, whatever becomes of the record.
        self.change(|tokens| tokens.retain(|_, info| info.id != id));
        let data =
            json!({ "id": id, "actor": known.actor, "label": known.label, "revoked_by": by });
        let event = Event::new("token.revoked", "/kernel", format!("token/{id}"), data);
        self.ledger
            .commit(Commit::new().delete(key(id)).event(event))
            .await?;
        Ok(known)
    }

    /// All tokens, oldest first.
    pub(crate) fn list(&self) -> Vec<TokenInfo> {
        let mut list: Vec<TokenInfo> = self
            .by_hash
            .load()
            .values()
            .map(|info| TokenInfo::clone(info))
            .collect();
        list.sort_by_key(|info| (info.created_ms, info.id));
        list
    }

    fn change(&self, work: impl FnOnce(&mut HashMap<[u8; 32], Arc<TokenInfo>>)) {
        let _alone = self.changing.lock();
        let mut tokens = HashMap::clone(&self.by_hash.load());
        work(&mut tokens);
        self.by_hash.store(Arc::new(tokens));
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token).into()
}

fn key(id: Uuid) -> String {
    format!("{KEY}{id}")
}

fn proposals(near: &[String]) -> String {
    match near {
        [] => "; add it to charter.json first".to_owned(),
        _ => format!("; did you mean {}?", near.join(" or ")),
    }
}

#[cfg(test)]
mod tests {
    use polity_ledger::ManualClock;

    use super::*;

    fn tokens() -> Tokens {
        let clock = Arc::new(ManualClock::new(1_700_000_000_000));
        Tokens::read(Ledger::in_memory(clock.clone()), clock).unwrap()
    }

    #[tokio::test]
    async fn a_token_is_its_actor_until_it_is_revoked() {
        let tokens = tokens();
        let token = tokens.issue("host", "person:ada", "laptop").await.unwrap();
        assert!(token.starts_with("pol_") && token.len() == 47);
        let info = tokens.actor_of(&token).unwrap();
        assert_eq!(
            (info.actor.as_str(), info.label.as_str()),
            ("person:ada", "laptop")
        );
        tokens.revoke("person:ada", info.id).await.unwrap();
        assert_eq!(tokens.actor_of(&token), None);
        assert!(matches!(
            tokens.revoke("person:ada", info.id).await,
            Err(TokenError::Unknown(_))
        ));
    }

    #[tokio::test]
    async fn tokens_survive_a_restart_and_no_secret_is_in_the_ledger() {
        let tokens = tokens();
        let token = tokens.issue("host", "person:ada", "laptop").await.unwrap();
        let gone = tokens.issue("host", "person:ada", "old").await.unwrap();
        tokens
            .revoke("host", tokens.actor_of(&gone).unwrap().id)
            .await
            .unwrap();
        let again = Tokens::read(tokens.ledger.clone(), tokens.clock.clone()).unwrap();
        assert!(again.actor_of(&token).is_some());
        assert_eq!(again.actor_of(&gone), None);
        assert_eq!(again.list().len(), 1);
        let events = tokens.ledger.events(0, 10).unwrap();
        assert_eq!(
            events
                .iter()
                .map(|event| event.kind.as_str())
                .collect::<Vec<_>>(),
            ["token.issued", "token.issued", "token.revoked"]
        );
        let hash = polity_ledger::Hash::from(hash(&token)).to_string();
        let text = serde_json::to_string(&events).unwrap();
        assert!(!text.contains(&token) && !text.contains(&hash));
    }

    #[tokio::test]
    async fn what_is_no_token_is_nobody() {
        let tokens = tokens();
        let token = tokens.issue("host", "person:ada", "").await.unwrap();
        let mut wrong = token.clone().into_bytes();
        *wrong.last_mut().unwrap() ^= 1;
        for text in [
            "",
            "pol_",
            "Bearer x",
            &token[4..],
            std::str::from_utf8(&wrong).unwrap(),
        ] {
            assert_eq!(tokens.actor_of(text), None, "{text}");
        }
    }

    #[tokio::test]
    async fn a_label_is_one_line() {
        assert!(matches!(
            tokens().issue("host", "person:ada", "a\nb").await,
            Err(TokenError::Label)
        ));
    }
}
