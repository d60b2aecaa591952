//! Arguments that hold documents: in place, in a file, or on standard input.

use std::fs;
use std::io::{self, Read};

use serde_json::Value;

use super::report::Report;

/// A text: `@FILE` is the file's, `-` is standard input's, anything else is itself.
pub(crate) fn text(name: &str, argument: &str) -> Result<String, Report> {
    let failed = |what: String| {
        move |error: io::Error| Report::usage(format!("{what} cannot be read")).because(error)
    };
    match (argument, argument.strip_prefix('@')) {
        ("-", _) => {
            let mut text = String::new();
            io::stdin()
                .lock()
                .read_to_string(&mut text)
                .map_err(failed(format!("{name} on standard input")))?;
            Ok(text)
        }
        (_, Some(file)) => fs::read_to_string(file).map_err(failed(file.to_owned())),
        _ => Ok(argument.to_owned()),
    }
}

/// A JSON object.
pub(crate) fn json_object(name: &str, argument: &str) -> Result<Value, Report> {
    let value = json(name, argument)?;
    if value.is_object() {
        return Ok(value);
    }
    Err(Report::usage(format!("{name} is not a JSON object"))
        .hint(format!("write it like {name} '{{\"amount\": 5}}'")))
}

/// Any JSON.
pub(crate) fn json(name: &str, argument: &str) -> Result<Value, Report> {
    let text = text(name, argument)?;
    serde_json::from_str(&text).map_err(|error| {
        Report::usage(format!("{name} is not JSON"))
            .because(error)
            .hint(format!(
                "in a shell, put it in single quotes: {name} '{{\"amount\": 5}}'"
            ))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_document_stands_in_place_or_in_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("input.json");
        fs::write(&file, "{\"a\": 1}").unwrap();
        assert_eq!(
            json_object("--input", "{\"a\": 1}").unwrap(),
            json!({"a": 1})
        );
        assert_eq!(
            json_object("--input", &format!("@{}", file.display())).unwrap(),
            json!({"a": 1})
        );
    }

    #[test]
    fn what_is_no_object_is_a_usage_error_with_an_example() {
        for argument in ["[]", "{a: 1}", "", "@/does/not/exist"] {
            let report = json_object("--input", argument).unwrap_err();
            assert_eq!(
                report.tell(true),
                crate::cli::exit::Exit::Usage,
                "{argument}"
            );
        }
        insta::assert_snapshot!(json_object("--input", "[]").unwrap_err().seen(), @r#"
        error: --input is not a JSON object
          hint: write it like --input '{"amount": 5}'
        "#);
        insta::assert_snapshot!(json_object("--input", "{a: 1}").unwrap_err().seen(), @r#"
        error: --input is not JSON
          because: key must be a string at line 1 column 2
          hint: in a shell, put it in single quotes: --input '{"amount": 5}'
        "#);
        insta::assert_snapshot!(json_object("--input", "@/does/not/exist").unwrap_err().seen(), @"
        error: /does/not/exist cannot be read
          because: No such file or directory (os error 2)
        ");
    }
}
