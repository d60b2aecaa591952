//! Runs of digits. Cards, telephone numbers and identification numbers are groups of digits with a little between them;
//! this finds the groups once, and the detectors judge the groups.

use std::ops::Range;

use super::words::{is_glued_after, is_glued_before};

/// Groups of digits, each separated from the next by one separator and perhaps a parenthesis.
pub(crate) struct Run<'t> {
    pub(crate) text: &'t str,
    pub(crate) groups: Vec<Group>,
}

/// Digits without anything between them.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) range: Range<usize>,
    /// Part of a date.
    pub(crate) is_date: bool,
}

impl<'t> Run<'t> {
    pub(crate) fn digits(&self, index: usize) -> &'t str {
        &self.text[self.groups[index].range.clone()]
    }

    pub(crate) fn len_of(&self, index: usize) -> usize {
        self.groups[index].range.len()
    }

    /// What stands between a group and the next.
    pub(crate) fn separator(&self, index: usize) -> &'t str {
        &self.text[self.groups[index].range.end..self.groups[index + 1].range.start]
    }

    /// The digits of several groups, joined.
    pub(crate) fn joined(&self, groups: Range<usize>) -> String {
        groups.map(|index| self.digits(index)).collect()
    }

    pub(crate) fn span(&self, groups: Range<usize>) -> Range<usize> {
        self.groups[groups.start].range.start..self.groups[groups.end - 1].range.end
    }

    /// True where the group begins a number: no letter, decimal comma, colon or currency sign joins it to what stands
    /// before.
    pub(crate) fn begins(&self, index: usize) -> bool {
        let start = self.groups[index].range.start;
        !is_glued_before(self.text, start) && !joins_before(&self.text[..start])
    }

    /// True where the group begins a number that is not the tail of something with hyphens, slashes or dots, such as
    /// `INV-0171-1234567` or a path.
    pub(crate) fn begins_alone(&self, index: usize) -> bool {
        if index > 0 {
            return self
                .separator(index - 1)
                .contains([' ', '(', '\u{a0}', '\u{202f}']);
        }
        let start = self.groups[0].range.start;
        let mut before = self.text[..start].chars().rev();
        let hangs_on = matches!(before.next(), Some('-' | '/' | '.' | '#' | '\u{2011}'))
            && before.next().is_some_and(|c| !c.is_whitespace());
        self.begins(0) && !hangs_on
    }

    /// True where the group ends a number.
    pub(crate) fn ends(&self, index: usize) -> bool {
        let end = self.groups[index].range.end;
        !is_glued_after(self.text, end) && !joins_after(&self.text[end..])
    }

    /// The windows of this many groups with digits of these lengths.
    pub(crate) fn windows<'r>(
        &'r self,
        lengths: &'r [usize],
    ) -> impl Iterator<Item = Range<usize>> + 'r {
        (0..(self.groups.len() + 1).saturating_sub(lengths.len()))
            .map(|start| start..start + lengths.len())
            .filter(move |window| {
                window
                    .clone()
                    .zip(lengths)
                    .all(|(index, length)| self.len_of(index) == *length)
            })
    }
}

/// A price, a time, a handle.
fn joins_before(text: &str) -> bool {
    let mut before = text.chars().rev();
    match before.next() {
        Some(',' | ':') => before.next().is_some_and(|c| c.is_ascii_digit()),
        Some('$' | '€' | '£' | '¥' | '@') => true,
        _ => false,
    }
}

fn joins_after(text: &str) -> bool {
    let mut after = text.chars();
    match after.next() {
        Some(',' | ':') => after.next().is_some_and(|c| c.is_ascii_digit()),
        Some('%' | '€' | '@') => true,
        _ => false,
    }
}

/// All runs of a text.
pub(crate) fn runs(text: &str) -> Vec<Run<'_>> {
    let bytes = text.as_bytes();
    let mut runs: Vec<Run<'_>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && bytes[at].is_ascii_digit() {
            at += 1;
        }
        let group = Group {
            range: start..at,
            is_date: false,
        };
        match runs.last_mut() {
            Some(run)
                if run
                    .groups
                    .last()
                    .is_some_and(|last| is_separator(&text[last.range.end..start])) =>
            {
                run.groups.push(group);
            }
            _ => runs.push(Run {
                text,
                groups: vec![group],
            }),
        }
    }
    for run in &mut runs {
        mark_dates(run);
    }
    runs
}

/// One separating character, a parenthesis, or a parenthesis with one separating character on either side.
fn is_separator(between: &str) -> bool {
    if between.is_empty() || between.len() > 9 {
        return false;
    }
    let mut kinds = between.chars().map(|c| match c {
        ' ' | '-' | '.' | '/' | '\u{a0}' | '\u{202f}' | '\u{2010}' | '\u{2011}' | '\u{2013}' => 's',
        '(' | ')' => 'p',
        _ => 'x',
    });
    matches!(
        (kinds.next(), kinds.next(), kinds.next(), kinds.next()),
        (Some('s' | 'p'), None, ..)
            | (Some('s'), Some('p'), None, _)
            | (Some('p'), Some('s'), None, _)
            | (Some('s'), Some('p'), Some('s'), None)
    )
}

/// `23.11.2026`, `2026-11-23`, `11/23/26`, `11/2026`: their digits belong to no number.
fn mark_dates(run: &mut Run<'_>) {
    const FORMS: [&[usize]; 6] = [
        &[4, 2, 2],
        &[2, 2, 4],
        &[1, 2, 4],
        &[2, 1, 4],
        &[2, 2, 2],
        &[2, 4],
    ];
    let mut dates = Vec::new();
    for form in FORMS {
        for window in run.windows(form) {
            let separator = run.separator(window.start);
            let alike = window
                .clone()
                .skip(1)
                .all(|index| run.separator(index - 1) == separator);
            // A longer row with the same separator is something else: `01.23.45.67.89`.
            let goes_on = (window.start > 0 && run.separator(window.start - 1) == separator)
                || (window.end < run.groups.len() && run.separator(window.end - 1) == separator);
            if alike
                && !goes_on
                && matches!(separator, "." | "-" | "/")
                && is_date(
                    &window
                        .clone()
                        .map(|index| run.digits(index))
                        .collect::<Vec<_>>(),
                )
            {
                dates.push(window);
            }
        }
    }
    for index in dates.into_iter().flatten() {
        run.groups[index].is_date = true;
    }
}

fn is_date(parts: &[&str]) -> bool {
    let number = |part: &str| part.parse::<u32>().unwrap_or(0);
    let year = |part: &str| (1900..2100).contains(&number(part));
    let month_and_day = |a: &str, b: &str| {
        let (a, b) = (number(a), number(b));
        a.min(b) >= 1 && a.min(b) <= 12 && a.max(b) <= 31
    };
    match parts {
        [y, m, d] if y.len() == 4 => year(y) && month_and_day(m, d),
        [d, m, y] if y.len() == 4 => year(y) && month_and_day(d, m),
        [d, m, _] => month_and_day(d, m),
        [m, y] => year(y) && (1..=12).contains(&number(m)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn groups(text: &str) -> Vec<Vec<&str>> {
        runs(text)
            .iter()
            .map(|run| {
                (0..run.groups.len())
                    .map(|index| run.digits(index))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn one_separator_keeps_groups_together_and_two_part_them() {
        assert_eq!(
            groups("030 1234-5678, 42"),
            [vec!["030", "1234", "5678"], vec!["42"]]
        );
        assert_eq!(groups("(415) 555-2671"), [["415", "555", "2671"]]);
        assert_eq!(
            groups("+49 (0)30 12\u{a0}34"),
            [["49", "0", "30", "12", "34"]]
        );
        assert_eq!(
            groups("10 - 20 and 10  20"),
            [["10"], ["20"], ["10"], ["20"]]
        );
    }

    #[test]
    fn dates_are_marked() {
        for text in [
            "2026-11-23",
            "23.11.2026",
            "11/23/2026",
            "01.02.26",
            "11/2026",
            "1.12.2026",
        ] {
            assert!(
                runs(text)[0].groups.iter().all(|group| group.is_date),
                "{text}"
            );
        }
        for text in ["30 90 18 20", "99.99.2026", "030 901820", "01.23.45.67.89"] {
            assert!(
                runs(text)[0].groups.iter().all(|group| !group.is_date),
                "{text}"
            );
        }
    }
}
