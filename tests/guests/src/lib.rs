//! Hostile guests, compiled from `tests/hostile`, and the means to make versions of them.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

/// A rule that does the harm that its configuration or the action names.
pub const RULE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/rule.wasm"));

/// An adapter that misbehaves by the model's name.
pub const ADAPTER: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/adapter.wasm"));

/// A strategy that does the harm that its configuration names.
pub const STRATEGY: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/strategy.wasm"));

/// A rule that links WASI and looks round with it.
pub const WASI: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/wasi.wasm"));

/// An adapter that sends requests through `wasi:http`.
pub const WASI_HTTP: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/wasi-http.wasm"));

/// What [`RULE`] and [`ADAPTER`] answer when they behave.
pub const FIRST: &str = "the first version";

/// Another answer of the same length.
pub const SECOND: &str = "the other version";

/// The same guest, with [`SECOND`] as its answer: another version of it, as far as any host can tell.
pub fn second_version(guest: &[u8]) -> Vec<u8> {
    patched(guest, FIRST.as_bytes(), SECOND.as_bytes())
}

/// Replaces every occurrence of some bytes by others of the same length.
///
/// # Panics
///
/// When the lengths differ or there is nothing to replace.
pub fn patched(guest: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "a patch must not move code");
    let mut patched = guest.to_vec();
    let places: Vec<usize> = guest
        .windows(from.len())
        .enumerate()
        .filter_map(|(place, window)| (window == from).then_some(place))
        .collect();
    assert!(!places.is_empty(), "the guest does not contain the text");
    for place in places {
        patched[place..place + to.len()].copy_from_slice(to);
    }
    patched
}

/// Adds a custom section, which changes the digest and nothing else.
pub fn with_section(guest: &[u8], name: &str, data: &[u8]) -> Vec<u8> {
    let mut body = leb(name.len());
    body.extend_from_slice(name.as_bytes());
    body.extend_from_slice(data);
    let mut out = guest.to_vec();
    out.push(0);
    out.extend(leb(body.len()));
    out.extend(body);
    out
}

/// An unsigned number as WebAssembly writes it.
fn leb(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    loop {
        let byte = u8::try_from(number & 0x7f).unwrap_or_default();
        number >>= 7;
        if number == 0 {
            out.push(byte);
            return out;
        }
        out.push(byte | 0x80);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_versions_differ_in_their_answer_alone() {
        let second = second_version(RULE);
        assert_ne!(second, RULE);
        assert_eq!(patched(&second, SECOND.as_bytes(), FIRST.as_bytes()), RULE);
    }
}
