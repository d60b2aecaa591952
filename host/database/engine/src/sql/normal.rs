//! The text of a query without its accidents.
//!
//! Two questions are answered by one pass over the text, each many times a second, so without a parser: which queries are
//! the same but for their literals (the *fingerprint*), and which text can be planned once and run with other values
//! (the *template*). A literal is lifted into a parameter only right behind a comparison, where it can be nothing but a
//! value, and in the rows of an INSERT; `LIMIT 5`, `ORDER BY 1` and types stay what they are.

use crate::value::{Decimal, Value};

/// A text with its literals lifted out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Template {
    pub(crate) text: String,
    /// The literals, for the parameters behind the caller's own.
    pub(crate) literals: Vec<Value>,
}

/// More operators than this make a tree too deep to walk safely.
const MAX_OPERATORS: usize = 600;
/// A statement, not a file. Values of that size belong into parameters.
pub(crate) const MAX_SQL: usize = 1 << 20;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Token {
    Word,
    Number,
    Text,
    Quoted,
    Parameter,
    Symbol,
    Space,
}

/// The literals behind comparisons as parameters. `None` when there are none or the text has parts that this simple
/// reading could get wrong.
pub(crate) fn template(sql: &str, parameters: usize) -> Option<Template> {
    let mut out = String::with_capacity(sql.len() + 16);
    let mut literals = Vec::new();
    let mut comparison = false;
    let (mut insert, mut values) = (None, false);
    let mut arrow = Arrow::default();
    for (token, text) in Tokens(sql) {
        let is_arrow = arrow.ends_with(token, text);
        if token == Token::Word {
            insert.get_or_insert(text.eq_ignore_ascii_case("insert"));
            values |= insert == Some(true) && text.eq_ignore_ascii_case("values");
        }
        match token {
            Token::Space if text.starts_with(['-', '/']) => return None,
            Token::Space => {}
            Token::Symbol => {
                // The key behind an arrow says which value is meant, not what it is compared with.
                comparison = !is_arrow
                    && matches!(text, "=" | "<" | ">" | "<=" | ">=" | "<>" | "!=")
                    || (values && matches!(text, "(" | ","));
            }
            Token::Number | Token::Text if comparison => {
                comparison = false;
                if let Some(value) = literal(token, text) {
                    literals.push(value);
                    out.push('$');
                    out.push_str(&(parameters + literals.len()).to_string());
                    continue;
                }
            }
            _ => comparison = false,
        }
        out.push_str(text);
    }
    (!literals.is_empty()).then_some(Template {
        text: out,
        literals,
    })
}

fn literal(token: Token, text: &str) -> Option<Value> {
    if token == Token::Text {
        return Some(Value::from(
            text.strip_prefix('\'')?
                .strip_suffix('\'')?
                .replace("''", "'"),
        ));
    }
    if let Ok(int) = text.parse() {
        return Some(Value::Int(int));
    }
    Decimal::parse(text).map(Value::Dec)
}

/// The text with all literals and lists of them as `?`, one space between words, lower case outside of quotes.
pub(crate) fn fingerprint_text(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let (mut arrow, mut is_key) = (Arrow::default(), false);
    for (token, text) in Tokens(sql) {
        let is_arrow = arrow.ends_with(token, text);
        let piece: &str = match token {
            Token::Space => continue,
            // Other keys ask for other things.
            Token::Text if is_key => text,
            Token::Number | Token::Text | Token::Parameter => "?",
            _ => text,
        };
        // `in (?, ?, ?)` is `in (?)`.
        if piece == "?" && out.ends_with("? ,") {
            out.truncate(out.len() - 2);
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        is_key = is_arrow;
        if token == Token::Word {
            out.push_str(&piece.to_lowercase());
        } else {
            out.push_str(piece);
        }
    }
    while out.ends_with([';', ' ']) {
        out.pop();
    }
    out
}

/// FNV-1a: the same on every machine and in every version.
pub(crate) fn fingerprint(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Whether the text would parse into a tree that is too deep; the limit when it would.
pub(crate) fn too_deep(sql: &str) -> Option<usize> {
    let mut operators = 0;
    let mut before = Token::Symbol;
    for (token, text) in Tokens(sql) {
        match token {
            Token::Space => continue,
            // A comma or a parenthesis makes no tree deeper than the parser's own limit.
            Token::Symbol => {
                operators += usize::from(
                    !matches!(text, "," | "(" | ")" | ";" | "." | "*") && before != Token::Symbol,
                )
            }
            Token::Word => {
                let deep = [
                    "and", "or", "not", "is", "between", "like", "ilike", "case", "join",
                ];
                operators += usize::from(deep.iter().any(|word| text.eq_ignore_ascii_case(word)));
            }
            _ => {}
        }
        before = token;
        if operators > MAX_OPERATORS {
            return Some(MAX_OPERATORS);
        }
    }
    None
}

/// Finds `->` and `->>`, which come as `-` and `>` or `>>`.
#[derive(Default)]
struct Arrow {
    after_minus: bool,
}

impl Arrow {
    /// Whether this token ends an arrow; to be asked about every token.
    fn ends_with(&mut self, token: Token, text: &str) -> bool {
        let is_symbol = token == Token::Symbol;
        let is_minus = is_symbol && text == "-";
        let after_minus = std::mem::replace(&mut self.after_minus, is_minus);
        after_minus && is_symbol && matches!(text, ">" | ">>")
    }
}

struct Tokens<'a>(&'a str);

impl<'a> Iterator for Tokens<'a> {
    type Item = (Token, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let bytes = self.0.as_bytes();
        let first = *bytes.first()?;
        let run = |from: usize, more: &dyn Fn(u8) -> bool| {
            from + bytes[from..].iter().take_while(|b| more(**b)).count()
        };
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b >= 0x80;
        let (token, len) = match first {
            b if b.is_ascii_whitespace() => (Token::Space, run(0, &|b| b.is_ascii_whitespace())),
            b'-' if bytes.get(1) == Some(&b'-') => (Token::Space, run(0, &|b| b != b'\n')),
            b'/' if bytes.get(1) == Some(&b'*') => (
                Token::Space,
                self.0[2..].find("*/").map_or(bytes.len(), |at| at + 4),
            ),
            b'\'' => (Token::Text, quoted(bytes, b'\'')),
            b'"' => (Token::Quoted, quoted(bytes, b'"')),
            b'$' if bytes.get(1).is_some_and(u8::is_ascii_digit) => {
                (Token::Parameter, run(1, &|b| b.is_ascii_digit()))
            }
            b if b.is_ascii_digit()
                || (b == b'.' && bytes.get(1).is_some_and(u8::is_ascii_digit)) =>
            {
                let mut end = run(0, &|b| b.is_ascii_digit() || b == b'.');
                if matches!(bytes.get(end), Some(b'e' | b'E')) {
                    let sign = usize::from(matches!(bytes.get(end + 1), Some(b'+' | b'-')));
                    if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
                        end = run(end + 1 + sign, &|b| b.is_ascii_digit());
                    }
                }
                (Token::Number, end)
            }
            b if word(b) => (Token::Word, run(0, &word)),
            b'<' | b'>' | b'=' | b'!' | b'|' => (
                Token::Symbol,
                run(0, &|b| matches!(b, b'<' | b'>' | b'=' | b'!' | b'|')),
            ),
            _ => (Token::Symbol, 1),
        };
        let (text, rest) = self.0.split_at(len);
        self.0 = rest;
        Some((token, text))
    }
}

/// The length of a quoted piece, a doubled quote inside being one.
fn quoted(bytes: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < bytes.len() {
        if bytes[at] == quote {
            if bytes.get(at + 1) != Some(&quote) {
                return at + 1;
            }
            at += 1;
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_that_differ_in_literals_have_one_fingerprint() {
        let a = fingerprint_text("SELECT *  FROM t WHERE a = 5 AND b IN (1, 2,3) -- x\n;");
        assert_eq!(a, "select * from t where a = ? and b in ( ? )");
        assert_eq!(
            a,
            fingerprint_text("select * from T where A = $1 and b in ('x')")
        );
        assert_ne!(
            a,
            fingerprint_text("select * from t where \"A\" = 5 and b in (1)")
        );
    }

    #[test]
    fn only_literals_behind_a_comparison_are_lifted() {
        let lifted = template("select 1 from t where a='it''s' and b >= 2.50 limit 10", 2).unwrap();
        assert_eq!(
            lifted.text,
            "select 1 from t where a=$3 and b >= $4 limit 10"
        );
        assert_eq!(
            lifted.literals,
            [
                Value::from("it's"),
                Value::Dec(Decimal::parse("2.50").unwrap())
            ]
        );
        assert_eq!(template("select 1 limit 5", 0), None);
        let insert = template("INSERT INTO t (a, b) VALUES (1, 'x'), (-2, null)", 0).unwrap();
        assert_eq!(
            insert.text,
            "INSERT INTO t (a, b) VALUES ($1, $2), (-2, null)"
        );
        assert_eq!(template("select a -- = 5\n from t where a = 5", 0), None);
    }

    #[test]
    fn a_key_behind_an_arrow_is_no_literal() {
        let a =
            fingerprint_text("SELECT d->'a'->>'B' FROM t WHERE d ->> 'c' = 'x' AND n - m > 'y'");
        assert_eq!(
            a,
            "select d - > 'a' - >> 'B' from t where d - >> 'c' = ? and n - m > ?"
        );
        let lifted = template("select 1 from t where d->'a'->>'b' = 'x' and n-1 > 2", 0).unwrap();
        assert_eq!(
            lifted.text,
            "select 1 from t where d->'a'->>'b' = $1 and n-1 > $2"
        );
    }

    #[test]
    fn broken_text_does_not_stop_the_reader() {
        for sql in [
            "'",
            "\"",
            "/*",
            "->",
            "->>'",
            "--",
            "$",
            "1e",
            "é'",
            "<",
            "'''",
            "select 'é",
        ] {
            fingerprint_text(sql);
            template(sql, 0);
            too_deep(sql);
        }
    }

    #[test]
    fn a_chain_of_operators_is_too_deep_and_a_list_is_not() {
        assert!(too_deep(&"a+".repeat(5000)).is_some());
        assert!(too_deep(&"not ".repeat(5000)).is_some());
        assert!(too_deep(&format!("a in ({})", "-1, ".repeat(5000))).is_none());
    }
}
