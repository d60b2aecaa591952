//! The lines that an operator adds to a grant file to allow what was refused.
//!
//! A refusal that says "denied" costs its reader an hour; one that prints its own remedy
//! costs a minute. Whatever is printed here must parse as a grant and allow exactly what
//! was asked for, which tests check.

use std::fmt::Write;

use toml::Value;

/// A `[[http]]` table. Empty `methods` or `paths` stand for the defaults.
pub(crate) fn http(
    host: &str,
    methods: &[impl AsRef<str>],
    paths: &[impl AsRef<str>],
    plain: bool,
    private: bool,
) -> String {
    let mut out = format!("[[http]]\nhost = {}\n", quoted(host));
    list(&mut out, "methods", methods);
    list(&mut out, "paths", paths);
    if plain {
        out.push_str("plain = true\n");
    }
    if private {
        out.push_str("private = true\n");
    }
    out
}

/// A `[[secret]]` table that reads an environment variable.
pub(crate) fn secret(host: &str, header: &str, template: &str, env: &str) -> String {
    let mut out = format!(
        "[[secret]]\nhost = {}\nheader = {}\n",
        quoted(host),
        quoted(header)
    );
    if template != "{}" {
        let _ = writeln!(out, "template = {}", quoted(template));
    }
    let _ = writeln!(out, "env = {}", quoted(env));
    out
}

/// A `[[secret]]` table of a user's password that an environment variable holds.
pub(crate) fn password(host: &str, header: &str, user: &str, env: &str) -> String {
    let (host, header) = (quoted(host), quoted(header));
    let (user, env) = (quoted(user), quoted(env));
    format!("[[secret]]\nhost = {host}\nheader = {header}\nuser = {user}\nenv = {env}\n")
}

/// A `[[folder]]` table.
pub(crate) fn folder(host: &str, guest: &str, write: bool) -> String {
    let mut out = format!(
        "[[folder]]\nhost = {}\nguest = {}\n",
        quoted(host),
        quoted(guest)
    );
    if write {
        out.push_str("write = true\n");
    }
    out
}

/// One line of the `[limits]` table, with its header.
pub(crate) fn limit(name: &str, value: u64) -> String {
    format!("[limits]\n{name} = {value}\n")
}

fn list(out: &mut String, key: &str, items: &[impl AsRef<str>]) {
    if items.is_empty() {
        return;
    }
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    let _ = writeln!(out, "{key} = [{}]", items.join(", "));
}

/// A TOML string. The texts come from guests, so nothing in them may end it.
fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_text_escapes_its_quotes(text in any::<String>()) {
            let table: toml::Table = secret(&text, &text, &text, &text).parse().unwrap();
            let secret = &table["secret"][0];
            prop_assert_eq!(secret["host"].as_str(), Some(text.as_str()));
            prop_assert_eq!(secret["env"].as_str(), Some(text.as_str()));
        }
    }
}
