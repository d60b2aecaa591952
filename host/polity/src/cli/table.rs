//! Columns that line up. On a terminal a row is one line: the widest columns give way. In a pipe nothing is cut.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::text::one_line;

/// Between two columns.
const GAP: usize = 2;
/// A column is not cut to less than this.
const NARROWEST: usize = 8;

/// Rows under a heading.
pub(crate) struct Table {
    heading: Vec<String>,
    rows: Vec<Vec<String>>,
    to_the_right: Vec<bool>,
}

impl Table {
    /// An empty table. A heading that begins with `>` has its column set to the right, for numbers.
    pub(crate) fn new<const N: usize>(heading: [&'static str; N]) -> Self {
        Self {
            heading: heading
                .iter()
                .map(|name| name.trim_start_matches('>').to_owned())
                .collect(),
            rows: Vec::new(),
            to_the_right: heading.iter().map(|name| name.starts_with('>')).collect(),
        }
    }

    /// An empty table whose columns somebody else named.
    pub(crate) fn of(names: Vec<String>) -> Self {
        Self {
            to_the_right: vec![false; names.len()],
            heading: names.iter().map(|name| one_line(name)).collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row. Cells are made harmless and put on one line.
    pub(crate) fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.cells(cells.into());
    }

    /// The same, where the number of columns is not known in advance.
    pub(crate) fn cells(&mut self, cells: Vec<String>) {
        debug_assert_eq!(cells.len(), self.heading.len());
        let cell = |cell: &String| {
            if cell.is_empty() {
                "-".to_owned()
            } else {
                one_line(cell)
            }
        };
        self.rows.push(cells.iter().map(cell).collect());
    }

    /// The table as text, within a number of columns if there is one.
    pub(crate) fn render(&self, within: Option<usize>) -> String {
        let widths = self.widths(within);
        let mut text = String::new();
        let heading: Vec<String> = self
            .heading
            .iter()
            .map(|name| name.to_uppercase())
            .collect();
        for row in std::iter::once(&heading).chain(&self.rows) {
            let mut line = String::new();
            for ((cell, width), to_the_right) in row.iter().zip(&widths).zip(&self.to_the_right) {
                let cell = fit(cell, *width);
                let space = " ".repeat(width - cell.width());
                let (before, after) = if *to_the_right {
                    (space.as_str(), "")
                } else {
                    ("", space.as_str())
                };
                line.push_str(before);
                line.push_str(&cell);
                line.push_str(after);
                line.push_str(&" ".repeat(GAP));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }

    fn widths(&self, within: Option<usize>) -> Vec<usize> {
        let mut widths: Vec<usize> = self.heading.iter().map(|name| name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.width());
            }
        }
        let Some(within) = within else { return widths };
        let room = within.saturating_sub(GAP * widths.len().saturating_sub(1));
        while widths.iter().sum::<usize>() > room {
            match widths.iter_mut().max() {
                Some(widest) if *widest > NARROWEST => *widest -= 1,
                _ => break,
            }
        }
        widths
    }
}

/// Cuts a text to a width, and shows that it was cut.
pub(crate) fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut taken = 1;
    for char in text.chars() {
        taken += char.width().unwrap_or(0);
        if taken > width {
            break;
        }
        fitted.push(char);
    }
    fitted.push('…');
    fitted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new(["name", ">calls", "says"]);
        table.row([
            "triage".into(),
            "12".into(),
            "A classifier that reads requests and names a category".into(),
        ]);
        table.row(["日本".into(), "1204".into(), String::new()]);
        table
    }

    #[test]
    fn columns_line_up_and_numbers_stand_to_the_right() {
        insta::assert_snapshot!(table().render(None), @r"
        NAME    CALLS  SAYS
        triage     12  A classifier that reads requests and names a category
        日本     1204  -
        ");
    }

    #[test]
    fn on_a_terminal_the_widest_column_gives_way() {
        let text = table().render(Some(40));
        insta::assert_snapshot!(text, @r"
        NAME    CALLS  SAYS
        triage     12  A classifier that reads …
        日本     1204  -
        ");
        assert!(text.lines().all(|line| line.width() <= 40));
    }

    #[test]
    fn a_terminal_that_is_too_narrow_for_anything_still_shows_something() {
        assert!(table().render(Some(3)).contains("triage"));
    }

    #[test]
    fn a_cell_cannot_break_out_of_its_line() {
        let mut table = Table::new(["a"]);
        table.row(["x\ny\u{1b}[2J".into()]);
        assert_eq!(table.render(None), "A\nx y\\u{1b}[2J\n");
    }
}
