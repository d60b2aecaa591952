//! The forms in which a credential may come back.
//!
//! A server that echoes a header echoes it as it is, or in JSON, in a URL, in HTML, or as
//! part of something base64. These are looked for. A server that means to hide a
//! credential (reversed, encrypted, one letter at a time) succeeds: the grant, not this,
//! decides which servers see it.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// All forms of one credential, itself included, without repetitions.
pub(super) fn of(secret: &str) -> Vec<Zeroizing<String>> {
    let mut forms: Vec<Zeroizing<String>> = Vec::new();
    let mut add = |form: String| {
        if !forms.iter().any(|known| **known == form) {
            forms.push(Zeroizing::new(form));
        }
    };
    add(secret.to_owned());
    for upper in [true, false] {
        add(percent(secret, "-._~", upper));
        // As browsers' encodeURIComponent leaves them.
        add(percent(secret, "-._~!*'()", upper));
        // As forms are encoded.
        add(percent(secret, "*-._", upper).replace("%20", "+"));
        add(hexadecimal(secret, upper));
    }
    add(json(secret, ""));
    add(json(secret, "/"));
    // As encoders write that expect their output within HTML.
    add(json(secret, "&<>"));
    add(json(secret, "&<>'="));
    add(html(secret));
    for before in 0..3 {
        for form in base64_within(secret, before) {
            add(form);
        }
    }
    forms
}

/// What base64 makes of a text that has `before` bytes (modulo three) in front of it:
/// the characters that depend on nothing else.
fn base64_within(secret: &str, before: usize) -> [String; 2] {
    let mut padded = Zeroizing::new(vec![0; before]);
    padded.extend_from_slice(secret.as_bytes());
    let first = (8 * before).div_ceil(6);
    let last = 8 * padded.len() / 6;
    [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD].map(|engine| {
        let whole = Zeroizing::new(engine.encode(&*padded));
        whole[first..last].to_owned()
    })
}

fn percent(secret: &str, kept: &str, upper: bool) -> String {
    secret.chars().fold(String::new(), |mut out, c| {
        if c.is_ascii_alphanumeric() || kept.contains(c) {
            out.push(c);
        } else if upper {
            let _ = write!(out, "%{:02X}", u32::from(c));
        } else {
            let _ = write!(out, "%{:02x}", u32::from(c));
        }
        out
    })
}

fn hexadecimal(secret: &str, upper: bool) -> String {
    if upper {
        hex::encode_upper(secret)
    } else {
        hex::encode(secret)
    }
}

/// As a JSON string, with some characters escaped that need not be.
fn json(secret: &str, also: &str) -> String {
    secret.chars().fold(String::new(), |mut out, c| {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '/' if also.contains('/') => out.push_str("\\/"),
            c if also.contains(c) => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
        out
    })
}

fn html(secret: &str) -> String {
    secret
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    fn found_in(secret: &str, text: &str) -> bool {
        of(secret).iter().any(|form| text.contains(form.as_str()))
    }

    #[test]
    fn an_ordinary_key_has_few_forms() {
        // Itself, two of hexadecimal, three of base64: nothing in it needs escaping.
        assert_eq!(of("key0123456789abc").len(), 6);
    }

    #[test]
    fn no_form_is_so_short_that_ordinary_text_has_it() {
        let shortest = of("8 chars!").iter().map(|form| form.len()).min();
        assert_eq!(shortest, Some(8));
    }

    proptest! {
        #[test]
        fn a_credential_is_found_in_what_encoders_make_of_it(
            secret in "[ -~]{8,40}", before in "[ -~]{0,9}", after in "[ -~]{0,9}"
        ) {
            let text = format!("{before}{secret}{after}");
            prop_assert!(found_in(&secret, &text));
            prop_assert!(found_in(&secret, &serde_json::to_string(&text).unwrap()));
            prop_assert!(found_in(&secret, &STANDARD.encode(&text)));
            prop_assert!(found_in(&secret, &URL_SAFE_NO_PAD.encode(&text)));
            prop_assert!(found_in(&secret, &hex::encode(&text)));
            let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
            prop_assert!(found_in(&secret, &form), "{form}");
        }
    }
}
