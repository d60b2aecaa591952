//! How many tokens a text has, without a tokeniser: models of several makers split differently, and an estimate that is
//! a fifth too high is good enough for a limit and for a price.

use crate::request::Request;

/// Bytes that are looked at to find how dense a text is.
const SAMPLE: usize = 4096;

/// Tokens that an image is taken for.
const IMAGE: u64 = 1000;

/// Tokens that frame a message.
const FRAME: u64 = 4;

/// Tokens of a text, estimated: a token for four letters of English, for three bytes of other writing, for two signs or
/// digits.
pub fn estimate_tokens(text: &str) -> u64 {
    let bytes = text.as_bytes();
    let length = bytes.len() as u64;
    if bytes.len() <= SAMPLE {
        return twelfths(bytes).div_ceil(12);
    }
    let half = SAMPLE / 2;
    let sample = twelfths(&bytes[..half]) + twelfths(&bytes[bytes.len() - half..]);
    (u128::from(sample) * u128::from(length)).div_ceil(12 * SAMPLE as u128) as u64
}

/// Twelfths of tokens.
fn twelfths(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .map(|byte| u64::from(TWELFTHS[usize::from(*byte)]))
        .sum()
}

/// By byte.
static TWELFTHS: [u8; 256] = {
    let mut twelfths = [3; 256];
    let mut byte = 0;
    while byte < 256 {
        twelfths[byte] = match byte as u8 {
            b'a'..=b'z' | b'A'..=b'Z' | b' ' => 3,
            0x80.. => 4,
            b'!'..=b'~' => 6,
            _ => 3,
        };
        byte += 1;
    }
    twelfths
};

/// Tokens of a request's prompt.
pub(super) fn of(request: &Request<'_>) -> u64 {
    let texts: u64 = request
        .texts
        .iter()
        .map(|text| estimate_tokens(text.text) + FRAME)
        .sum();
    texts + (request.other_bytes as u64).div_ceil(3) + u64::from(request.images) * IMAGE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn english_has_a_token_for_four_letters_and_numbers_have_more() {
        let prose = estimate_tokens("The quick brown fox jumps over the lazy dog");
        assert!((9..=12).contains(&prose), "{prose}");
        assert!(estimate_tokens("1234567890") > estimate_tokens("abcdefghij"));
        assert_eq!(estimate_tokens(""), 0);
    }

    #[test]
    fn a_long_text_is_estimated_from_its_ends() {
        let long = "word ".repeat(1 << 20);
        let tokens = estimate_tokens(&long);
        assert!((tokens as f64 / (long.len() as f64 / 4.0) - 1.0).abs() < 0.01);
    }
}
