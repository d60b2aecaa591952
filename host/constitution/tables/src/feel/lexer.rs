//! Text to tokens. Names may hold spaces and signs ("Pre-bureau risk category"), so the known ones are tried first and
//! the longest wins.

use std::sync::Arc;

use rust_decimal::Decimal;

use super::SyntaxError;

/// Functions whose names hold spaces.
const SPACED: [&str; 8] = [
    "date and time",
    "days and time duration",
    "list contains",
    "lower case",
    "starts with",
    "string length",
    "upper case",
    "years and months duration",
];

/// No cell is longer.
const MAX_CHARS: usize = 65_536;

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    Number(Decimal),
    String(Arc<str>),
    /// `@"2026-01-01"`
    At(Arc<str>),
    Name(Arc<str>),
    Sign(&'static str),
}

/// Longest first: `<=` before `<`.
const SIGNS: [&str; 22] = [
    "**", "..", "<=", ">=", "!=", "<", ">", "=", "+", "-", "*", "/", "(", ")", "[", "]", "{", "}",
    ",", ":", ".", "?",
];

pub(super) fn tokens(text: &str, names: &[Arc<str>]) -> Result<Vec<(Token, usize)>, SyntaxError> {
    if text.len() > MAX_CHARS {
        return Err(SyntaxError::new(
            0,
            format!("this has more than {MAX_CHARS} characters"),
        ));
    }
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(c) = text[at..].chars().next() {
        let rest = &text[at..];
        if c.is_whitespace() {
            at += c.len_utf8();
            continue;
        }
        let (token, length) = if c.is_ascii_digit()
            || (c == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit()))
        {
            number(rest, at)?
        } else if c == '"' {
            string(rest, at)?
        } else if let Some(literal) = rest.strip_prefix('@') {
            match string(literal, at + 1)? {
                (Token::String(text), length) => (Token::At(text), length + 1),
                other => other,
            }
        } else if let Some(name) = known(rest, names) {
            (Token::Name(Arc::from(name)), name.len())
        } else if c.is_alphabetic() || c == '_' {
            let end = rest.find(|c: char| !is_part(c)).unwrap_or(rest.len());
            (Token::Name(Arc::from(&rest[..end])), end)
        } else if let Some(sign) = SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
            (Token::Sign(sign), sign.len())
        } else {
            return Err(SyntaxError::new(at, format!("\"{c}\" has no meaning here")));
        };
        found.push((token, at));
        at += length;
    }
    Ok(found)
}

pub(super) fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The longest known name that the text begins with and that ends where a word ends.
fn known<'t>(rest: &'t str, names: &[Arc<str>]) -> Option<&'t str> {
    names
        .iter()
        .map(|name| &**name)
        .chain(SPACED)
        .filter(|name| {
            !name.is_empty() && rest.starts_with(*name) && !rest[name.len()..].starts_with(is_part)
        })
        .map(str::len)
        .max()
        .map(|length| &rest[..length])
}

fn number(rest: &str, at: usize) -> Result<(Token, usize), SyntaxError> {
    let bytes = rest.as_bytes();
    let digits = |from: usize| {
        bytes[from..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count()
    };
    let mut end = digits(0);
    // `1..5` is an interval and not a fraction.
    if bytes.get(end) == Some(&b'.') && bytes.get(end + 1).is_some_and(u8::is_ascii_digit) {
        end += 1 + digits(end + 1);
    }
    let text = if rest.starts_with('.') {
        format!("0{}", &rest[..end])
    } else {
        rest[..end].to_owned()
    };
    Decimal::from_str_exact(&text)
        .map(|number| (Token::Number(number), end))
        .map_err(|_| {
            SyntaxError::new(
                at,
                format!("{text} has more than the 28 digits that are exact"),
            )
        })
}

fn string(rest: &str, at: usize) -> Result<(Token, usize), SyntaxError> {
    let mut text = String::new();
    let mut chars = rest.char_indices().skip(1);
    if !rest.starts_with('"') {
        return Err(SyntaxError::new(
            at,
            "a quotation mark is expected here".to_owned(),
        ));
    }
    while let Some((index, c)) = chars.next() {
        match c {
            '"' => return Ok((Token::String(Arc::from(text)), index + 1)),
            '\\' => match chars.next().map(|(_, c)| c) {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('r') => text.push('\r'),
                Some(c @ ('"' | '\\' | '\'')) => text.push(c),
                Some('u') => {
                    let code: String = chars.by_ref().take(4).map(|(_, c)| c).collect();
                    let c = u32::from_str_radix(&code, 16).ok().and_then(char::from_u32);
                    text.push(c.ok_or_else(|| {
                        SyntaxError::new(at, format!("\\u{code} is no character"))
                    })?);
                }
                _ => {
                    return Err(SyntaxError::new(
                        at,
                        "a backslash is followed by n, t, r, u, \" or \\".to_owned(),
                    ));
                }
            },
            c => text.push(c),
        }
    }
    Err(SyntaxError::new(
        at,
        "the text has no closing quotation mark".to_owned(),
    ))
}
