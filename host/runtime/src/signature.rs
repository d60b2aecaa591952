//! Who vouches for the bytes of a component.
//!
//! A signature is a file `<plugin>.wasm.minisig` beside the component, made with
//! `minisign -Sm <plugin>.wasm`. It covers the bytes themselves, and so the manifest
//! inside them: there is nothing beside the bytes to swap. Components that came with
//! this program need no signature, being known by their digest.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{Error as MinisignError, PublicKey};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// The longest signature file. A real one has about 300 bytes.
const MAX_SIDECAR_BYTES: usize = 8 * 1024;

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits.
#[derive(Clone, Copy, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest([u8; 32]);

/// A text that is no digest.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a digest; write sha256: and 64 hexadecimal digits")]
pub struct DigestError(String);

/// Whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    require_signed: bool,
    keys: Vec<TrustedKey>,
}

/// Whose word there is for a component.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Provenance {
    /// It came with this program.
    Bundled,
    /// A trusted key signed it.
    Signed {
        /// Which, as minisign prints it.
        key_id: String,
    },
    /// Nobody's.
    Unsigned,
}

/// Why a component's bytes are not accepted.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum SignatureError {
    /// There is no signature, and the charter asks for one.
    #[error(
        "it is not signed, and the charter requires signatures; sign it with `polity plugin sign` or \
         `minisign -Sm` and put the .minisig file beside it"
    )]
    Unsigned,
    /// The file beside the component is not a signature.
    #[error(
        "its .minisig file is not a signature; make it anew with `minisign -Sm`, and copy it whole"
    )]
    Malformed,
    /// The signature is of a kind that minisign gave up.
    #[error(
        "its signature is of the legacy kind, which does not hash the file; sign it with minisign \
         0.10 or later"
    )]
    Legacy,
    /// The charter does not know the key.
    #[error(
        "it is signed by key {key_id}, which the charter does not trust; add that key to the \
         charter, or have the plugin signed by one of its keys"
    )]
    UntrustedKey {
        /// Which, as minisign prints it.
        key_id: String,
    },
    /// A trusted key signed other bytes than these.
    #[error(
        "its signature by key {key_id} is for other bytes; the file or its .minisig was changed or \
         is still being copied"
    )]
    Mismatch {
        /// Which, as minisign prints it.
        key_id: String,
    },
}

/// A text that is no public key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0:?} is not a minisign public key; use the line that begins with RW in the .pub file")]
pub struct KeyError(String);

#[derive(Clone, Debug)]
struct TrustedKey {
    id: [u8; 8],
    key: PublicKey,
}

/// A signature over a component's bytes.
#[derive(Clone)]
pub struct Signature {
    key_id: [u8; 8],
    signature: minisign_verify::Signature,
}

impl Trust {
    /// `keys` are minisign public keys, each the base64 line or the whole `.pub` file.
    pub fn new<K: AsRef<str>>(
        require_signed: bool,
        keys: impl IntoIterator<Item = K>,
    ) -> Result<Self, KeyError> {
        let keys = keys
            .into_iter()
            .map(|text| TrustedKey::parse(text.as_ref()))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            require_signed,
            keys,
        })
    }

    /// True where unsigned components are refused.
    pub fn requires_signatures(&self) -> bool {
        self.require_signed
    }
}

impl TrustedKey {
    fn parse(text: &str) -> Result<Self, KeyError> {
        let refuse = || KeyError(text.chars().take(80).collect());
        let line = text
            .lines()
            .map(str::trim)
            .rfind(|line| !line.is_empty() && !line.starts_with("untrusted comment:"))
            .ok_or_else(refuse)?;
        Ok(Self {
            id: key_id(line).ok_or_else(refuse)?,
            key: PublicKey::from_base64(line).map_err(|_| refuse())?,
        })
    }
}

impl Signature {
    /// Reads a `.minisig` file.
    pub fn parse(sidecar: &[u8]) -> Result<Self, SignatureError> {
        let text = match std::str::from_utf8(sidecar) {
            Ok(text) if sidecar.len() <= MAX_SIDECAR_BYTES => text,
            _ => return Err(SignatureError::Malformed),
        };
        let signature =
            minisign_verify::Signature::decode(text).map_err(|_| SignatureError::Malformed)?;
        let key_id = text
            .lines()
            .nth(1)
            .and_then(|line| key_id(line.trim()))
            .ok_or(SignatureError::Malformed)?;
        Ok(Self { key_id, signature })
    }

    /// Decides whose word there is for `bytes`.
    ///
    /// A signature that is wrong is an error even where none is required: somebody meant
    /// these bytes to be signed, and they are not what was signed. A signature by a
    /// stranger is as good as none.
    pub fn check(
        bytes: &[u8],
        digest: &Digest,
        sidecar: Option<&[u8]>,
        trust: &Trust,
        bundled: &BTreeSet<Digest>,
    ) -> Result<Provenance, SignatureError> {
        if bundled.contains(digest) {
            return Ok(Provenance::Bundled);
        }
        let Some(sidecar) = sidecar else {
            return if trust.require_signed {
                Err(SignatureError::Unsigned)
            } else {
                Ok(Provenance::Unsigned)
            };
        };
        let signature = Self::parse(sidecar)?;
        let key_id = signature.key_id();
        let Some(trusted) = trust.keys.iter().find(|key| key.id == signature.key_id) else {
            return if trust.require_signed {
                Err(SignatureError::UntrustedKey { key_id })
            } else {
                Ok(Provenance::Unsigned)
            };
        };
        match trusted.key.verify(bytes, &signature.signature, false) {
            Ok(()) => Ok(Provenance::Signed { key_id }),
            Err(MinisignError::UnexpectedAlgorithm | MinisignError::UnsupportedLegacyMode) => {
                Err(SignatureError::Legacy)
            }
            Err(_) => Err(SignatureError::Mismatch { key_id }),
        }
    }

    /// The key that made it, as minisign prints it.
    pub fn key_id(&self) -> String {
        format!("{:016X}", u64::from_le_bytes(self.key_id))
    }
}

/// The key number in a line of a key or signature file: two bytes of algorithm, eight of
/// number, and the rest.
fn key_id(line: &str) -> Option<[u8; 8]> {
    STANDARD.decode(line).ok()?.get(2..10)?.try_into().ok()
}

impl Digest {
    /// The digest of some bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest that was computed elsewhere.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its 64 hexadecimal digits, for file names.
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sha256:{}", self.to_hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = [0; 32];
        text.strip_prefix("sha256:")
            .and_then(|digits| hex::decode_to_slice(digits, &mut bytes).ok())
            .map(|()| Self(bytes))
            .ok_or_else(|| DigestError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for Digest {
    type Error = DigestError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

#[cfg(test)]
mod tests {
    use minisign::KeyPair;

    use super::*;

    const BYTES: &[u8] = b"\0asm component";

    fn keys() -> KeyPair {
        KeyPair::generate_unencrypted_keypair().unwrap()
    }

    fn sign(keys: &KeyPair, bytes: &[u8]) -> Vec<u8> {
        minisign::sign(
            Some(&keys.pk),
            &keys.sk,
            bytes,
            Some("made for a test"),
            None,
        )
        .unwrap()
        .into_string()
        .into_bytes()
    }

    fn check(
        bytes: &[u8],
        sidecar: Option<&[u8]>,
        trust: &Trust,
    ) -> Result<Provenance, SignatureError> {
        Signature::check(bytes, &Digest::of(bytes), sidecar, trust, &BTreeSet::new())
    }

    #[test]
    fn a_signature_by_a_trusted_key_names_the_key() {
        let keys = keys();
        let trust = Trust::new(true, [keys.pk.to_base64()]).unwrap();
        let Ok(Provenance::Signed { key_id }) = check(BYTES, Some(&sign(&keys, BYTES)), &trust)
        else {
            panic!("it was not accepted");
        };
        let printed = keys.pk.to_box().unwrap().to_string();
        assert!(printed.contains(&key_id), "{key_id} is not in {printed}");
    }

    #[test]
    fn a_whole_public_key_file_is_a_key_too() {
        let keys = keys();
        let file = keys.pk.to_box().unwrap().to_string();
        let trust = Trust::new(true, [file]).unwrap();
        assert!(check(BYTES, Some(&sign(&keys, BYTES)), &trust).is_ok());
    }

    #[test]
    fn other_bytes_than_those_signed_are_refused_even_where_no_signature_is_required() {
        let keys = keys();
        let signature = sign(&keys, BYTES);
        for required in [true, false] {
            let trust = Trust::new(required, [keys.pk.to_base64()]).unwrap();
            assert!(matches!(
                check(b"\0asm componenT", Some(&signature), &trust),
                Err(SignatureError::Mismatch { .. })
            ));
        }
    }

    #[test]
    fn a_changed_trusted_comment_is_refused() {
        let keys = keys();
        let trust = Trust::new(false, [keys.pk.to_base64()]).unwrap();
        let signature = String::from_utf8(sign(&keys, BYTES)).unwrap();
        let forged = signature.replace("made for a test", "made by somebody");
        assert!(matches!(
            check(BYTES, Some(forged.as_bytes()), &trust),
            Err(SignatureError::Mismatch { .. })
        ));
    }

    #[test]
    fn a_stranger_who_takes_a_trusted_keys_number_is_refused() {
        let (trusted, stranger) = (keys(), keys());
        let trust = Trust::new(false, [trusted.pk.to_base64()]).unwrap();
        let text = String::from_utf8(sign(&stranger, BYTES)).unwrap();
        let line = text.lines().nth(1).unwrap();
        let mut bytes = STANDARD.decode(line).unwrap();
        bytes[2..10].copy_from_slice(trusted.pk.keynum());
        let forged = text.replace(line, &STANDARD.encode(bytes));
        assert!(matches!(
            check(BYTES, Some(forged.as_bytes()), &trust),
            Err(SignatureError::Mismatch { .. })
        ));
    }

    #[test]
    fn a_stranger_s_signature_is_as_good_as_none() {
        let (trusted, stranger) = (keys(), keys());
        let signature = sign(&stranger, BYTES);
        let trust = |required| Trust::new(required, [trusted.pk.to_base64()]).unwrap();
        assert_eq!(
            check(BYTES, Some(&signature), &trust(false)),
            Ok(Provenance::Unsigned)
        );
        assert!(matches!(
            check(BYTES, Some(&signature), &trust(true)),
            Err(SignatureError::UntrustedKey { .. })
        ));
    }

    #[test]
    fn no_signature_is_an_error_only_where_one_is_required() {
        assert_eq!(
            check(BYTES, None, &Trust::default()),
            Ok(Provenance::Unsigned)
        );
        let trust = Trust::new(true, [keys().pk.to_base64()]).unwrap();
        assert_eq!(check(BYTES, None, &trust), Err(SignatureError::Unsigned));
    }

    #[test]
    fn a_bundled_component_needs_no_signature() {
        let digest = Digest::of(BYTES);
        let trust = Trust::new(true, [keys().pk.to_base64()]).unwrap();
        assert_eq!(
            Signature::check(BYTES, &digest, None, &trust, &BTreeSet::from([digest])),
            Ok(Provenance::Bundled)
        );
    }

    #[test]
    fn a_signature_that_does_not_hash_the_file_is_refused() {
        let keys = keys();
        let trust = Trust::new(false, [keys.pk.to_base64()]).unwrap();
        let text = String::from_utf8(sign(&keys, BYTES)).unwrap();
        let line = text.lines().nth(1).unwrap();
        let mut bytes = STANDARD.decode(line).unwrap();
        bytes[1] = b'd';
        let legacy = text.replace(line, &STANDARD.encode(bytes));
        assert_eq!(
            check(BYTES, Some(legacy.as_bytes()), &trust),
            Err(SignatureError::Legacy)
        );
    }

    #[test]
    fn half_a_signature_and_a_megabyte_of_one_are_malformed() {
        let whole = sign(&keys(), BYTES);
        for sidecar in [
            &b""[..],
            b"\xff\xfe",
            &whole[..whole.len() / 2],
            &vec![b'a'; 1 << 20],
        ] {
            assert_eq!(
                check(BYTES, Some(sidecar), &Trust::default()),
                Err(SignatureError::Malformed)
            );
        }
    }

    #[test]
    fn a_text_that_is_no_key_is_refused() {
        for text in [
            "",
            "RWQ",
            "untrusted comment: nothing more",
            "not base64 at all",
        ] {
            assert!(Trust::new(false, [text]).is_err(), "{text}");
        }
    }

    #[test]
    fn a_digest_reads_back_what_it_prints() {
        let digest = Digest::of(BYTES);
        assert_eq!(digest.to_string().parse(), Ok(digest));
        for text in ["", "sha256:", "sha256:zz", &digest.to_hex()] {
            assert!(text.parse::<Digest>().is_err(), "{text}");
        }
    }
}
