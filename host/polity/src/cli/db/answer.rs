//! Rows as a host sends them, digit by digit: nothing is parsed into a float on its way to a terminal or a file.

use serde_json::value::RawValue;

/// One row.
pub(super) type Row = Vec<Box<RawValue>>;

/// A value as people read it: a text without its quotes, nothing for null.
pub(super) fn plain(value: &RawValue) -> String {
    let text = value.get();
    if text == "null" {
        return String::new();
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.to_owned())
}

/// A row as a line of CSV (RFC 4180). A null is an empty cell and an empty text is quoted, so that they differ.
pub(super) fn csv<'c>(cells: impl IntoIterator<Item = Cell<'c>>) -> String {
    let cells: Vec<String> = cells.into_iter().map(cell).collect();
    cells.join(",") + "\r\n"
}

/// What stands in a line of CSV.
pub(super) enum Cell<'c> {
    /// A name.
    Name(&'c str),
    /// A value.
    Value(&'c RawValue),
}

fn cell(cell: Cell<'_>) -> String {
    let (text, is_null) = match cell {
        Cell::Name(name) => (name.to_owned(), false),
        Cell::Value(value) => (plain(value), value.get() == "null"),
    };
    let needs_quotes = text.is_empty() || text.contains(['"', ',', '\n', '\r']);
    if needs_quotes && !is_null {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_csv_keeps_every_digit_and_tells_null_from_nothing() {
        let row: Row =
            serde_json::from_str(r#"[12.50, null, "", "a \"b\", c", {"k": 1}, true]"#).unwrap();
        assert_eq!(
            csv(row.iter().map(|value| Cell::Value(value))),
            "12.50,,\"\",\"a \"\"b\"\", c\",\"{\"\"k\"\": 1}\",true\r\n"
        );
    }
}
