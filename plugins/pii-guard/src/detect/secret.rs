//! Secrets: tokens whose issuers gave them a recognisable beginning, private keys, passwords in URLs, and values that
//! stand next to a word such as `password`.
//!
//! Random-looking text alone is not taken for a secret: digests, commits and identifiers look the same.

use super::words::is_glued_before;
use super::{Category, Match};

/// What a value's first characters do not show is not looked for in the rest. It bounds the work on hostile text.
const LOOK: usize = 512;

/// How a token begins, and how many characters follow at least.
const PREFIXES: &[(&str, usize)] = &[
    ("sk-ant-", 20),
    ("sk-proj-", 20),
    ("sk-svcacct-", 20),
    ("sk-or-v1-", 20),
    ("sk-", 32),
    ("sk_live_", 16),
    ("sk_test_", 16),
    ("rk_live_", 16),
    ("whsec_", 16),
    ("ghp_", 30),
    ("gho_", 30),
    ("ghu_", 30),
    ("ghs_", 30),
    ("ghr_", 30),
    ("github_pat_", 40),
    ("glpat-", 20),
    ("xoxb-", 20),
    ("xoxp-", 20),
    ("xoxa-", 20),
    ("xapp-", 20),
    ("AIza", 35),
    ("ya29.", 20),
    ("AKIA", 16),
    ("ASIA", 16),
    ("hf_", 30),
    ("npm_", 36),
    ("pypi-", 40),
    ("SG.", 40),
    ("key-", 32),
    ("dop_v1_", 60),
    ("shpat_", 32),
    ("AGE-SECRET-KEY-1", 50),
    ("eyJ", 40),
    ("EAAC", 40),
];

/// Words whose value is a secret, and the least characters such a value has.
const NAMES: &[(&str, usize)] = &[
    ("password", 6),
    ("passwort", 6),
    ("kennwort", 6),
    ("passphrase", 8),
    ("passwd", 6),
    ("pwd", 6),
    ("mot de passe", 6),
    ("contraseña", 6),
    ("api_key", 12),
    ("api-key", 12),
    ("apikey", 12),
    ("api key", 12),
    ("access_key", 12),
    ("secret_key", 12),
    ("client_secret", 12),
    ("auth_token", 12),
    ("access_token", 12),
    ("secret", 12),
    ("token", 16),
    ("bearer", 20),
];

pub(crate) fn find(text: &str, found: &mut Vec<Match>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let range = match bytes[at] {
            b'-' => private_key(&text[at..]).map(|length| at..at + length),
            b':' => url_password(&text[at..]).map(|(from, to)| at + from..at + to),
            byte if byte.is_ascii_alphabetic() && begins_word(bytes, at) => {
                token(text, at).or_else(|| named_value(text, at))
            }
            _ => None,
        };
        match range {
            Some(range) => {
                at = range.end;
                found.push(Match {
                    category: Category::Secret,
                    range,
                });
            }
            None => at += 1,
        }
    }
}

/// Sorts out the inside of words quickly; `is_glued_before` has the last word.
fn begins_word(bytes: &[u8], at: usize) -> bool {
    match bytes[..at] {
        [.., b'\\', b'n' | b'r' | b't'] => true,
        [.., before] => !before.is_ascii_alphanumeric(),
        [] => true,
    }
}

/// A token that begins here. One begins after something that no token holds, so no stretch is looked at twice.
fn token(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let rest = &text[at..];
    let first = rest.as_bytes()[0];
    let (prefix, least) = PREFIXES
        .iter()
        .find(|(prefix, _)| prefix.as_bytes()[0] == first && rest.starts_with(prefix))?;
    if is_glued_before(text, at) || text[..at].ends_with(['-', '.']) {
        return None;
    }
    let is_body = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let length = rest.bytes().skip(prefix.len()).take_while(is_body).count();
    let body = rest[prefix.len()..prefix.len() + length].trim_end_matches(['.', '-']);
    let token = &rest[..prefix.len() + body.len()];
    let is_web_token = *prefix != "eyJ" || token.matches('.').count() == 2;
    // `sk-learn-compatible-estimators-in-python` is prose with hyphens.
    (body.len() >= *least && body.bytes().any(|b| b.is_ascii_digit()) && is_web_token)
        .then_some(at..at + token.len())
}

/// The length of a private key in PEM armour; one that is cut off goes to the end.
fn private_key(rest: &str) -> Option<usize> {
    const END: &str = "PRIVATE KEY-----";
    let header = rest.strip_prefix("-----BEGIN ")?;
    let label = header
        .get(..header.len().min(64))
        .unwrap_or(header)
        .find(END)?;
    if header[..label].contains('-') {
        return None;
    }
    let body = rest.len() - header.len() + label + END.len();
    let end = rest[body..]
        .find(END)
        .map_or(rest.len(), |at| body + at + END.len());
    Some(end)
}

/// The password in `postgres://user:password@host`, from the colon of the scheme.
fn url_password(rest: &str) -> Option<(usize, usize)> {
    let authority = rest.strip_prefix("://")?;
    let is_authority = |b: &&u8| !b.is_ascii_whitespace() && !b"/?#\"'<>".contains(*b);
    let bytes: Vec<u8> = authority
        .as_bytes()
        .iter()
        .take(LOOK)
        .take_while(is_authority)
        .copied()
        .collect();
    let credentials = &authority[..bytes.iter().rposition(|b| *b == b'@')?];
    let password = credentials.find(':')? + 1;
    let is_placeholder = !is_real(&credentials[password..]);
    (password < credentials.len() && !is_placeholder)
        .then_some((3 + password, 3 + credentials.len()))
}

/// The value after a name such as `password:`, `"api_key": "`, `TOKEN=` or `password is`.
fn named_value(text: &str, at: usize) -> Option<std::ops::Range<usize>> {
    let rest = &text[at..];
    // `DB_PASSWORD` ends in the name; `compassword` does not.
    let first = rest.as_bytes()[0].to_ascii_lowercase();
    if !NAMES.iter().any(|(name, _)| name.as_bytes()[0] == first)
        || (is_glued_before(text, at) && !text[..at].ends_with('_'))
    {
        return None;
    }
    let (name, least) = NAMES.iter().find(|(name, _)| {
        name.as_bytes()[0] == first
            && rest
                .get(..name.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(name))
    })?;
    let (value, assigned) = after_connector(&rest[name.len()..], *name == "bearer")?;
    let start = text.len() - value.len();
    let is_value = |c: &char| {
        !c.is_whitespace()
            && !matches!(
                c,
                '"' | '\'' | '`' | '\\' | ',' | ';' | ')' | '}' | '<' | '>'
            )
    };
    let measured = |most: usize| {
        value
            .chars()
            .take(most)
            .take_while(is_value)
            .map(char::len_utf8)
            .sum::<usize>()
    };
    let head = value[..measured(LOOK)].trim_end_matches(['.', '!', '?']);
    let is_prose = !assigned && !head.contains(|c: char| c.is_ascii_digit());
    (head.chars().count() >= *least && is_real(head) && looks_random(head) && !is_prose).then(
        || {
            let whole = value[..measured(usize::MAX)].trim_end_matches(['.', '!', '?']);
            start..start + whole.len()
        },
    )
}

/// What follows the connector, and whether the connector was a sign rather than a word.
fn after_connector(rest: &str, may_be_space: bool) -> Option<(&str, bool)> {
    let unquoted = rest
        .trim_start_matches(['"', '\'', '\\', '`', '*'])
        .trim_start_matches(' ');
    let (value, assigned) = if let Some(value) = unquoted
        .strip_prefix(":=")
        .or_else(|| unquoted.strip_prefix([':', '=']))
    {
        (value, true)
    } else if let Some(value) = ["is ", "ist ", "lautet ", "est ", "es "]
        .iter()
        .find_map(|word| unquoted.strip_prefix(word))
    {
        (value.strip_prefix(": ").unwrap_or(value), false)
    } else if may_be_space && rest.starts_with(' ') {
        (rest, true)
    } else {
        return None;
    };
    Some((
        value.trim_start_matches([' ', '"', '\'', '\\', '`', '*']),
        assigned,
    ))
}

/// A password has more than letters in it; `password: required` has not.
fn looks_random(value: &str) -> bool {
    let letters = value.chars().any(char::is_alphabetic);
    let others = value
        .chars()
        .any(|c| c.is_ascii_digit() || "!#$%&*+^~@".contains(c));
    letters && others && !value.starts_with("http")
}

/// Not a place-holder, a variable or what a redaction left behind.
fn is_real(value: &str) -> bool {
    let opens = [
        "$",
        "{",
        "[",
        "<",
        "%",
        "process.env",
        "os.environ",
        "env.",
        "secrets.",
    ];
    !opens.iter().any(|open| value.starts_with(open))
        && !value
            .chars()
            .all(|c| matches!(c, '*' | 'x' | 'X' | '.' | '•'))
        && !value.contains("****")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(text: &str) -> Vec<&str> {
        let mut found = Vec::new();
        find(text, &mut found);
        found.into_iter().map(|found| &text[found.range]).collect()
    }

    #[test]
    fn tokens_are_told_by_how_they_begin() {
        let tail = "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8s9T0";
        for prefix in [
            "sk-proj-",
            "sk-ant-api03-",
            "ghp_",
            "glpat-",
            "xoxb-",
            "hf_",
            "sk_live_",
        ] {
            let token = format!("{prefix}{tail}");
            assert_eq!(secrets(&format!("use {token}.")), [token], "{prefix}");
        }
        assert_eq!(secrets("AKIAIOSFODNN7EXAMPLE"), ["AKIAIOSFODNN7EXAMPLE"]);
    }

    #[test]
    fn a_private_key_is_one_secret_even_if_it_is_cut_off() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----";
        assert_eq!(secrets(&format!("here: {key} ok")), [key]);
        assert_eq!(
            secrets("-----BEGIN PRIVATE KEY-----\nMIIE"),
            ["-----BEGIN PRIVATE KEY-----\nMIIE"]
        );
        assert!(secrets("-----BEGIN PUBLIC KEY-----\nMIIE\n-----END PUBLIC KEY-----").is_empty());
    }

    #[test]
    fn a_value_is_a_secret_where_its_name_says_so() {
        assert_eq!(secrets("password: hunter2!"), ["hunter2"]);
        assert_eq!(secrets("DB_PASSWORD=\"corr3ct-horse\""), ["corr3ct-horse"]);
        assert_eq!(
            secrets("{\\\"api_key\\\": \\\"9f8e7d6c5b4a3210\\\"}"),
            ["9f8e7d6c5b4a3210"]
        );
        assert_eq!(
            secrets("my password is Tr0ub4dor&3, keep it"),
            ["Tr0ub4dor&3"]
        );
        assert_eq!(secrets("postgres://app:s3cr3t@db.example/x"), ["s3cr3t"]);
    }

    #[test]
    fn names_without_a_value_and_place_holders_are_no_secrets() {
        assert!(secrets(&format!("://{}", "é".repeat(1_000))).is_empty());
        for text in [
            "password: required",
            "the password is wrong",
            "password=${DB_PASSWORD}",
            "token: [SECRET]",
            "api_key: ********",
            "reset your password at https://example.org/reset1",
            "password = process.env.PASSWORD1",
            "a token costs 0.002",
            "sk-learn-compatible-estimators-are-written-in-python",
            "https://example.org:8080/x@y",
            "secret: none",
        ] {
            assert!(secrets(text).is_empty(), "{text}: {:?}", secrets(text));
        }
    }
}
