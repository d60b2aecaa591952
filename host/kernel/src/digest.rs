//! SHA-256 in hexadecimal, for what is recorded by its digest instead of its bytes.

use polity_ledger::Hash;

/// The text of a plugin's digest, written without a detour: each record has two or more.
pub(crate) mod text {
    use polity_runtime::digest::Digest;
    use serde::Serializer;

    const PREFIX: &[u8; 7] = b"sha256:";
    const DIGITS: &[u8; 16] = b"0123456789abcdef";

    pub(crate) fn always<S: Serializer>(digest: &Digest, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = [0; PREFIX.len() + 64];
        let (prefix, digits) = text.split_at_mut(PREFIX.len());
        prefix.copy_from_slice(PREFIX);
        for (pair, byte) in digits.chunks_exact_mut(2).zip(digest.as_bytes()) {
            pair.copy_from_slice(&[
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
        }
        serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
    }

    pub(crate) fn some<S: Serializer>(
        digest: &Option<Digest>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => always(digest, serializer),
            None => serializer.serialize_none(),
        }
    }
}

/// The digest of some text, 64 hexadecimal digits.
pub(crate) fn sha256(text: &str) -> String {
    Hash::of(text.as_bytes()).to_string()
}

#[cfg(test)]
mod tests {
    use polity_runtime::digest::Digest;
    use serde_json::value::Serializer;

    #[test]
    fn a_digest_is_written_as_it_writes_itself() {
        let digest = Digest::of(b"abc");
        assert_eq!(
            super::text::always(&digest, Serializer).unwrap(),
            digest.to_string()
        );
    }
}
