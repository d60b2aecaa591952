//! The linter against brute force: on small tables every class of inputs is asked, by the table itself and not by boxes.

use polity_lint::{Code, Finding, Limits, diff, lint_table};
use polity_tables::{DecideError, DecisionTable, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A table over two numbers, a category and a truth value, with borders at few places so that they meet.
#[derive(Clone, Debug)]
struct Small {
    policy: &'static str,
    rows: Vec<Row>,
}

/// Two intervals, categories, a truth value and an answer.
type Row = (Side, Side, Vec<u8>, Option<bool>, u8);

/// An interval with open or closed ends; none for `-`.
type Side = Option<(i8, bool, i8, bool)>;

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![
        1 => Just(None),
        4 => (0_i8..6, any::<bool>(), 0_i8..6, any::<bool>()).prop_map(|(a, x, b, y)| Some((a.min(b), x, a.max(b), y))),
    ]
}

fn small(policies: &'static [&'static str]) -> impl Strategy<Value = Small> {
    let row = (
        side(),
        side(),
        prop::collection::vec(0_u8..3, 0..3),
        any::<Option<bool>>(),
        0_u8..3,
    );
    (
        prop::sample::select(policies),
        prop::collection::vec(row, 1..7),
    )
        .prop_map(|(policy, rows)| Small { policy, rows })
}

fn cell(side: &Side) -> String {
    match side {
        None => "-".to_owned(),
        Some((low, low_closed, high, high_closed)) => format!(
            "{}{low}..{high}{}",
            if *low_closed { "[" } else { "(" },
            if *high_closed { "]" } else { ")" }
        ),
    }
}

impl Small {
    fn json(&self) -> Value {
        let rules: Vec<Value> = self
            .rows
            .iter()
            .map(|(x, y, categories, flag, answer)| {
                let words: Vec<String> = categories.iter().map(|category| format!("\"k{category}\"")).collect();
                let words = if words.is_empty() { "-".to_owned() } else { words.join(", ") };
                let flag = flag.map_or_else(|| "-".to_owned(), |flag| flag.to_string());
                json!({"inputEntries": [cell(x), cell(y), words, flag], "outputEntries": [format!("\"a{answer}\"")]})
            })
            .collect();
        json!({
            "name": "small",
            "hitPolicy": self.policy,
            "inputs": [
                {"name": "x", "typeRef": "number", "allowedValues": "[0..5]"},
                {"name": "y", "typeRef": "integer", "allowedValues": "[0..5]"},
                {"name": "k", "typeRef": "string", "allowedValues": ["k0", "k1", "k2"]},
                {"name": "f", "typeRef": "boolean"}
            ],
            "outputs": [{"name": "a", "typeRef": "string", "allowedValues": ["a0", "a1", "a2"]}],
            "rules": rules
        })
    }

    fn table(&self) -> DecisionTable {
        DecisionTable::load("small.json", &self.json().to_string())
            .unwrap_or_else(|problems| panic!("{}", problems[0]))
    }
}

/// One input of each class: numbers at borders and halfway between.
fn inputs() -> impl Iterator<Item = Value> {
    (0..11).flat_map(|x| {
        (0..6).flat_map(move |y| {
            (0..3).flat_map(move |k| {
                [true, false]
                    .map(|f| json!({"x": f64::from(x) / 2.0, "y": y, "k": format!("k{k}"), "f": f}))
            })
        })
    })
}

fn lint(table: &DecisionTable) -> Vec<Finding> {
    let limits = Limits {
        listed: 10_000,
        ..Limits::default()
    };
    lint_table(table, &limits)
}

fn of(findings: &[Finding], codes: &[Code]) -> Vec<Finding> {
    findings
        .iter()
        .filter(|finding| codes.contains(&finding.code))
        .cloned()
        .collect()
}

fn row_of(finding: &Finding) -> usize {
    finding
        .place
        .pointer
        .trim_start_matches("/rules/")
        .split('/')
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_found_is_what_asking_every_input_shows(small in small(&["UNIQUE"])) {
        let table = small.table();
        let findings = lint(&table);
        let clashes = of(&findings, &[Code::Contradiction, Code::Overlap, Code::DuplicateRow, Code::SubsumedRow]);
        let gaps = of(&findings, &[Code::Gap]);
        // Every witness shows what its finding says.
        for finding in &clashes {
            let asked = table.decide(finding.witness.as_ref().unwrap());
            prop_assert!(matches!(asked, Err(DecideError::NotUnique { .. })), "{finding:?}: {asked:?}");
        }
        for finding in &gaps {
            let asked = table.decide(finding.witness.as_ref().unwrap()).unwrap();
            prop_assert_eq!(asked.status, Status::Undecided, "{:?}", finding);
        }
        // And nothing is left unsaid: the rows that clash, and by the suggested rows every open input.
        let mut clash = std::collections::BTreeSet::new();
        let mut open = Vec::new();
        for input in inputs() {
            match table.decide(&input) {
                Err(DecideError::NotUnique { rows }) => {
                    clash.extend(rows.iter().flat_map(|a| rows.iter().map(move |b| (*a, *b))).filter(|(a, b)| a < b));
                }
                Ok(decision) if decision.status == Status::Undecided => open.push(input),
                other => prop_assert!(other.is_ok(), "{:?}", other),
            }
        }
        prop_assert_eq!(clashes.len(), clash.len());
        let mut filled = small.json();
        for finding in &gaps {
            finding.suggestion.as_ref().unwrap().apply(&mut filled).unwrap();
        }
        let filled = DecisionTable::load("filled.json", &filled.to_string()).unwrap();
        let own = small.rows.len();
        for input in &open {
            let rows = match filled.decide(input) {
                Ok(decision) => decision.matched,
                Err(error) => panic!("{input}: {error}"),
            };
            prop_assert!(rows.len() == 1 && rows[0] >= own, "{}: {:?}", input, rows);
        }
        prop_assert_eq!(open.is_empty(), gaps.is_empty());
    }

    #[test]
    fn rows_that_are_called_unreachable_or_needless_can_go_without_a_change(small in small(&["FIRST", "PRIORITY", "ANY"])) {
        let table = small.table();
        let findings = lint(&table);
        let mut unreached: std::collections::BTreeSet<usize> = (0..small.rows.len()).collect();
        let same = |other: &DecisionTable| inputs().all(|input| match (table.decide(&input), other.decide(&input)) {
            (Ok(a), Ok(b)) => a.value == b.value,
            (a, b) => a.is_err() && b.is_err(),
        });
        for input in inputs() {
            if let Ok(decision) = table.decide(&input) {
                decision.decided_by.iter().for_each(|row| { unreached.remove(row); });
            } else {
                unreached.clear();
            }
        }
        let said: std::collections::BTreeSet<usize> = of(&findings, &[Code::UnreachableRow, Code::NeverMatches]).iter().map(row_of).collect();
        if small.policy != "ANY" {
            prop_assert_eq!(&said, &unreached);
        }
        for finding in of(&findings, &[Code::UnreachableRow, Code::NeverMatches, Code::SubsumedRow, Code::DuplicateRow, Code::MergeableRows, Code::IdleColumn]) {
            let Some(cure) = finding.suggestion.clone().filter(|cure| !cure.edits.is_empty()) else { continue };
            let mut edited = small.json();
            cure.apply(&mut edited).unwrap();
            let edited = DecisionTable::load("edited.json", &edited.to_string()).unwrap_or_else(|problems| panic!("{finding:?}: {}", problems[0]));
            prop_assert!(same(&edited), "{finding:?}\n{}", edited.to_terminal());
        }
    }

    #[test]
    fn merging_and_dropping_columns_keeps_every_answer(small in small(&["UNIQUE", "COLLECT", "RULE ORDER"])) {
        let table = small.table();
        for finding in of(&lint(&table), &[Code::MergeableRows, Code::IdleColumn]) {
            let Some(cure) = finding.suggestion.clone().filter(|cure| !cure.edits.is_empty()) else { continue };
            let mut edited = small.json();
            cure.apply(&mut edited).unwrap();
            let edited = DecisionTable::load("edited.json", &edited.to_string()).unwrap();
            let kept = |input: &Value| match (table.decide(input), edited.decide(input)) {
                (Ok(a), Ok(b)) => a.value == b.value,
                // A column that is idle leaves rows that say the same at once, which the next cure joins.
                (Ok(_), Err(DecideError::NotUnique { .. })) => finding.code == Code::IdleColumn,
                (a, b) => a.is_err() && b.is_err(),
            };
            for input in inputs() {
                prop_assert!(kept(&input), "{input}: {finding:?}\n{}", edited.to_terminal());
            }
        }
    }

    #[test]
    fn versions_differ_where_asking_both_shows_it_and_nowhere_else(old in small(&["FIRST", "UNIQUE", "PRIORITY"]), new in small(&["FIRST", "UNIQUE"]), kept in 0_usize..7, mostly: bool) {
        // Most amendments leave most rows as they are.
        let new = if mostly {
            let mut amended = old.clone();
            let at = kept % old.rows.len();
            amended.rows[at] = new.rows[0].clone();
            amended
        } else {
            new
        };
        let (before, after) = (old.table(), new.table());
        let found = diff(&before, &after, &Limits::default()).unwrap();
        prop_assert!(found.complete);
        let answer = |table: &DecisionTable, input: &Value| match table.decide(input) {
            Ok(decision) => decision.value.to_string(),
            Err(error) => error.to_string(),
        };
        let regions = (!found.changes.is_empty()).then(|| {
            let rules: Vec<Value> = found.changes.iter().map(|change| json!({"inputEntries": change.cells, "outputEntries": ["a0"]})).collect();
            let mut document = old.json();
            document["rules"] = json!(rules);
            document["hitPolicy"] = json!("COLLECT");
            DecisionTable::load("changes.json", &document.to_string()).unwrap()
        });
        for input in inputs() {
            let inside = regions.as_ref().map_or(0, |table| table.decide(&input).unwrap().matched.len());
            let differs = answer(&before, &input) != answer(&after, &input);
            prop_assert_eq!(inside, usize::from(differs), "{}: {}", input, found);
        }
        for change in &found.changes {
            prop_assert_ne!(answer(&before, &change.witness), answer(&after, &change.witness));
        }
    }

    #[test]
    fn a_clean_table_is_silent_and_damage_to_it_is_found(cuts in prop::collection::vec((0_usize..100, 0_usize..2, 1_u32..20), 1..12), victim in 0_usize..100, grow: bool) {
        let clean = clean_boxes(&cuts);
        let silent = lint(&boxes_table(&clean));
        prop_assert!(silent.is_empty(), "{silent:?}");
        // Take a row away, or give it what belongs to another.
        let victim = victim % clean.len();
        let mut damaged = clean.clone();
        if grow && clean.len() > 1 {
            damaged[victim] = [(0, 1000), (0, 1000)];
            let found = lint(&boxes_table(&damaged));
            prop_assert_eq!(of(&found, &[Code::Contradiction]).len(), clean.len() - 1);
        } else if clean.len() > 1 {
            damaged.remove(victim);
            let found = of(&lint(&boxes_table(&damaged)), &[Code::Gap]);
            prop_assert!(!found.is_empty());
            let inside = |input: &Value| {
                let at = |name: &str| input[name].as_f64().unwrap_or(0.5);
                let [x, y] = clean[victim];
                (f64::from(x.0)..f64::from(x.1)).contains(&at("x")) && (f64::from(y.0)..f64::from(y.1)).contains(&at("y"))
            };
            for finding in &found {
                prop_assert!(inside(finding.witness.as_ref().unwrap()), "{finding:?}");
            }
        }
    }
}

type Rectangle = [(u32, u32); 2];

fn clean_boxes(cuts: &[(usize, usize, u32)]) -> Vec<Rectangle> {
    let mut boxes = vec![[(0, 1000), (0, 1000)]];
    for (at, column, twentieths) in cuts {
        let at = at % boxes.len();
        let (low, high) = boxes[at][*column];
        let cut = low + (high - low) * twentieths / 20;
        if cut > low && cut < high {
            let mut upper = boxes[at];
            boxes[at][*column].1 = cut;
            upper[*column].0 = cut;
            boxes.push(upper);
        }
    }
    boxes
}

/// Each row has an answer of its own, so that none can be merged.
fn boxes_table(boxes: &[Rectangle]) -> DecisionTable {
    let rules: Vec<Value> = boxes
        .iter()
        .enumerate()
        .map(|(row, [x, y])| {
            let cell = |(low, high): &(u32, u32)| {
                if (*low, *high) == (0, 1000) {
                    "-".to_owned()
                } else {
                    format!("[{low}..{high})")
                }
            };
            json!({"inputEntries": [cell(x), cell(y)], "outputEntries": [row]})
        })
        .collect();
    // A table in which nobody asks for a column has an idle column; that is true, but not the question here.
    let mut inputs = vec![json!({"name": "x", "typeRef": "number", "allowedValues": "[0..1000)"})];
    let asks_y = boxes.iter().any(|[_, y]| *y != (0, 1000));
    let asks_x = boxes.iter().any(|[x, _]| *x != (0, 1000));
    let mut rules = rules;
    inputs.push(json!({"name": "y", "typeRef": "number", "allowedValues": "[0..1000)"}));
    for (at, asks) in [(1, asks_y), (0, asks_x)] {
        if !asks && inputs.len() > 1 {
            inputs.remove(at);
            for rule in &mut rules {
                rule["inputEntries"].as_array_mut().unwrap().remove(at);
            }
        }
    }
    let table = json!({"name": "boxes", "inputs": inputs, "outputs": [{"name": "r", "typeRef": "integer"}], "rules": rules});
    DecisionTable::load("boxes.json", &table.to_string())
        .unwrap_or_else(|problems| panic!("{}", problems[0]))
}
