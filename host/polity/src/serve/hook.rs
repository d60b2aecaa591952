//! The secret of a push hook, and the ways in which code hosts show that they know it.

use http::HeaderMap;
use sha2::{Digest, Sha256};

/// SHA-256 works on blocks of so many bytes.
const BLOCK: usize = 64;

/// A secret shared with a code host.
#[derive(Clone)]
pub(crate) struct Hook {
    secret: Vec<u8>,
}

impl Hook {
    /// A secret that nobody guesses; none for one that is too short.
    pub(crate) fn new(secret: &str) -> Option<Self> {
        let secret = secret.trim();
        (secret.len() >= 16).then(|| Self {
            secret: secret.as_bytes().to_vec(),
        })
    }

    /// Whether a request shows it.
    pub(crate) fn is_shown(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let bearer = header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        });
        let told = [bearer, header("x-gitlab-token")];
        if told
            .into_iter()
            .flatten()
            .any(|told| same(told.as_bytes(), &self.secret))
        {
            return true;
        }
        let signed = [
            "x-hub-signature-256",
            "x-gitea-signature",
            "x-forgejo-signature",
        ];
        let expected = hex::encode(hmac(&self.secret, body));
        signed.into_iter().filter_map(header).any(|shown| {
            same(
                shown.trim_start_matches("sha256=").as_bytes(),
                expected.as_bytes(),
            )
        })
    }
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hook").finish_non_exhaustive()
    }
}

/// HMAC (RFC 2104) with SHA-256.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    outer.into()
}

/// Takes as long for what is nearly right as for what is not.
fn same(shown: &[u8], known: &[u8]) -> bool {
    // Equal digests of unequal texts are not to be found, and how far two digests agree says nothing of the texts.
    Sha256::digest(shown)
        .iter()
        .zip(Sha256::digest(known))
        .fold(0, |differs, (a, b)| differs | (a ^ b))
        == 0
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const SECRET: &str = "it is a secret to everybody";

    fn shown(name: &'static str, value: &str, body: &[u8]) -> bool {
        let headers = HeaderMap::from_iter([(
            http::HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )]);
        Hook::new(SECRET).unwrap().is_shown(&headers, body)
    }

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // RFC 4231, test cases 2 and 6.
        assert_eq!(
            hex::encode(hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        assert_eq!(
            hex::encode(hmac(
                &[0xaa; 131],
                b"Test Using Larger Than Block-Size Key - Hash Key First"
            )),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"
        );
    }

    #[test]
    fn each_code_host_shows_it_in_its_own_way() {
        let body = b"{\"ref\": \"refs/heads/main\"}";
        let signed = hex::encode(hmac(SECRET.as_bytes(), body));
        assert!(shown("authorization", &format!("Bearer {SECRET}"), body));
        assert!(shown("x-gitlab-token", SECRET, body));
        assert!(shown(
            "x-hub-signature-256",
            &format!("sha256={signed}"),
            body
        ));
        assert!(shown("x-gitea-signature", &signed, body));
        assert!(!shown(
            "x-hub-signature-256",
            &format!("sha256={signed}"),
            b"another body"
        ));
        assert!(!shown("x-hub-signature-256", "sha256=", body));
        assert!(!shown("authorization", "Bearer it is a secret", body));
        assert!(!shown("x-gitlab-token", "", body));
    }

    #[test]
    fn a_secret_that_can_be_guessed_is_none() {
        assert!(Hook::new("hunter2").is_none());
        assert!(Hook::new("                    ").is_none());
    }
}
