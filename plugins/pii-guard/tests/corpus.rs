//! Precision and recall on labelled lines, asserted exactly: a change of a detector that trades one mistake for another
//! has to say so here and in the README.

use std::collections::BTreeMap;
use std::ops::Range;

use pii_guard::{Category, find};

struct Line {
    number: usize,
    text: String,
    expected: Vec<(Category, Range<usize>)>,
}

/// Counts of one category.
#[derive(Debug, Default, PartialEq)]
struct Score {
    hits: usize,
    false_alarms: usize,
    misses: usize,
}

fn category(name: &str) -> Option<Category> {
    Category::ALL
        .into_iter()
        .find(|category| category.placeholder() == format!("[{name}]"))
}

/// Takes `{EMAIL:…}` apart; braces that name no category are text.
fn parse(number: usize, line: &str) -> Line {
    let line = line.replace('¦', "");
    let (mut text, mut expected, mut rest) = (String::new(), Vec::new(), line.as_str());
    while let Some(at) = rest.find('{') {
        let (before, inside) = rest.split_at(at);
        text.push_str(before);
        let labelled = inside[1..]
            .split_once(':')
            .and_then(|(name, tail)| Some((category(name)?, tail)));
        match labelled.and_then(|(category, tail)| Some((category, tail.split_once('}')?))) {
            Some((category, (value, after))) => {
                expected.push((category, text.len()..text.len() + value.len()));
                text.push_str(value);
                rest = after;
            }
            None => {
                text.push('{');
                rest = &inside[1..];
            }
        }
    }
    text.push_str(rest);
    Line {
        number,
        text,
        expected,
    }
}

fn corpus() -> Vec<Line> {
    include_str!("corpus.txt")
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with("# ") && *line != "#")
        .map(|(index, line)| parse(index + 1, line))
        .collect()
}

#[test]
fn the_corpus_is_large_enough_to_mean_something() {
    let lines = corpus();
    assert!(lines.len() >= 120, "{}", lines.len());
    let clean = lines.iter().filter(|line| line.expected.is_empty()).count();
    assert!(
        clean * 3 >= lines.len(),
        "at least a third holds nothing: {clean} of {}",
        lines.len()
    );
    for category in Category::ALL {
        let count = lines
            .iter()
            .flat_map(|line| &line.expected)
            .filter(|(found, _)| *found == category)
            .count();
        assert!(count >= 5, "{category:?} occurs {count} times");
    }
}

#[test]
fn precision_and_recall_are_exactly_these() {
    let mut scores: BTreeMap<Category, Score> = BTreeMap::new();
    let mut mistakes = String::new();
    for line in corpus() {
        let found: Vec<_> = find(&line.text)
            .into_iter()
            .map(|found| (found.category, found.range))
            .collect();
        for (category, range) in &found {
            let score = scores.entry(*category).or_default();
            if line.expected.contains(&(*category, range.clone())) {
                score.hits += 1;
            } else {
                score.false_alarms += 1;
                mistakes += &format!(
                    "{}: false {category:?} {:?}\n",
                    line.number,
                    &line.text[range.clone()]
                );
            }
        }
        for (category, range) in line
            .expected
            .iter()
            .filter(|expected| !found.contains(expected))
        {
            scores.entry(*category).or_default().misses += 1;
            mistakes += &format!(
                "{}: missed {category:?} {:?}\n",
                line.number,
                &line.text[range.clone()]
            );
        }
    }
    let score = |hits, false_alarms, misses| Score {
        hits,
        false_alarms,
        misses,
    };
    let expected = BTreeMap::from([
        (Category::Secret, score(19, 0, 1)),
        (Category::Iban, score(10, 0, 0)),
        (Category::Card, score(13, 0, 1)),
        (Category::Email, score(16, 0, 1)),
        (Category::UsSsn, score(5, 0, 0)),
        (Category::DeTaxId, score(5, 0, 0)),
        (Category::Ipv4, score(6, 1, 0)),
        (Category::Phone, score(34, 3, 3)),
    ]);
    assert_eq!(scores, expected, "the mistakes:\n{mistakes}");
    let (hits, false_alarms, misses) =
        scores
            .values()
            .fold((0, 0, 0), |(hits, false_alarms, misses), score| {
                (
                    hits + score.hits,
                    false_alarms + score.false_alarms,
                    misses + score.misses,
                )
            });
    assert_eq!(
        (hits, false_alarms, misses),
        (108, 4, 6),
        "precision 0.964, recall 0.947, as the README says"
    );
}
