//! The index against plain reading: a second interpreter, written from the meaning of rows and without the parser, the
//! classes or the index of the crate, must answer every input alike.

use polity_tables::{DecideError, DecisionTable, Status};
use proptest::prelude::*;
use serde_json::{Value, json};

/// A condition as a person means it.
#[derive(Clone, Debug)]
enum Meant {
    Any,
    Null,
    Below(i32, bool),
    Above(i32, bool),
    Between(i32, bool, i32, bool),
    Is(i32),
    Not(Box<Meant>),
    Either(Vec<Meant>),
}

fn meant() -> impl Strategy<Value = Meant> {
    let leaf = prop_oneof![
        Just(Meant::Any),
        Just(Meant::Null),
        (-9_i32..9, any::<bool>()).prop_map(|(at, closed)| Meant::Below(at, closed)),
        (-9_i32..9, any::<bool>()).prop_map(|(at, closed)| Meant::Above(at, closed)),
        (-9_i32..9, any::<bool>(), -9_i32..9, any::<bool>())
            .prop_map(|(a, x, b, y)| Meant::Between(a, x, b, y)),
        (-9_i32..9).prop_map(Meant::Is),
    ];
    let plain = leaf
        .clone()
        .prop_filter("alternatives name values", |meant| {
            !matches!(meant, Meant::Any)
        });
    prop_oneof![
        4 => leaf,
        1 => plain.clone().prop_map(|meant| Meant::Not(Box::new(meant))),
        1 => prop::collection::vec(plain, 1..4).prop_map(Meant::Either),
    ]
}

impl Meant {
    /// In tenths, so that 0.1 is written and meant exactly.
    fn text(&self) -> String {
        let n = |at: &i32| {
            if *at < 0 {
                format!("-{}.{}", -at / 10, -at % 10)
            } else {
                format!("{}.{}", at / 10, at % 10)
            }
        };
        match self {
            Self::Any => "-".to_owned(),
            Self::Null => "null".to_owned(),
            Self::Below(at, closed) => format!("<{} {}", if *closed { "=" } else { "" }, n(at)),
            Self::Above(at, closed) => format!(">{} {}", if *closed { "=" } else { "" }, n(at)),
            Self::Between(a, x, b, y) => format!(
                "{}{}..{}{}",
                if *x { "[" } else { "]" },
                n(a),
                n(b),
                if *y { "]" } else { ")" }
            ),
            Self::Is(at) => n(at),
            Self::Not(of) => format!("not({})", of.text()),
            Self::Either(all) => all.iter().map(Self::text).collect::<Vec<_>>().join(", "),
        }
    }

    /// Yes, no, or no answer.
    fn holds(&self, value: Option<i32>) -> Option<bool> {
        match self {
            Self::Any => Some(true),
            Self::Null => Some(value.is_none()),
            Self::Below(at, closed) => value.map(|value| value < *at || (*closed && value == *at)),
            Self::Above(at, closed) => value.map(|value| value > *at || (*closed && value == *at)),
            Self::Between(a, x, b, y) => value.map(|value| {
                (value > *a || (*x && value == *a)) && (value < *b || (*y && value == *b))
            }),
            Self::Is(at) => Some(value == Some(*at)),
            Self::Not(of) => of.holds(value).map(|holds| !holds),
            Self::Either(all) => {
                let answers: Vec<_> = all.iter().map(|meant| meant.holds(value)).collect();
                if answers.contains(&Some(true)) {
                    Some(true)
                } else if answers.contains(&None) {
                    None
                } else {
                    Some(false)
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_second_reading_of_the_rows_matches_the_same_ones(rows in prop::collection::vec((meant(), meant(), -9_i32..9), 1..80)) {
        let rules: Vec<Value> = rows.iter().map(|(x, y, answer)| json!({"inputEntries": [x.text(), y.text()], "outputEntries": [answer]})).collect();
        let document = |policy: &str| json!({
            "name": "t", "hitPolicy": policy,
            "inputs": [{"name": "x", "typeRef": "number", "nullable": true}, {"name": "y", "typeRef": "number", "nullable": true}],
            "outputs": [{"name": "a", "typeRef": "number"}],
            "rules": rules
        });
        let load = |policy: &str| DecisionTable::load("t.json", &document(policy).to_string()).unwrap_or_else(|problems| panic!("{}", problems[0]));
        let tables = ["COLLECT", "FIRST", "UNIQUE"].map(load);
        let tenths = (-10..10).map(Some).chain([None]);
        for x in tenths.clone() {
            for y in tenths.clone() {
                let json_of = |value: Option<i32>| value.map_or(Value::Null, |value| json!(f64::from(value) / 10.0));
                let input = json!({"x": json_of(x), "y": json_of(y)});
                let wanted: Vec<usize> = rows
                    .iter()
                    .enumerate()
                    .filter(|(_, (a, b, _))| a.holds(x) == Some(true) && b.holds(y) == Some(true))
                    .map(|(row, _)| row)
                    .collect();
                let all = tables[0].decide(&input).unwrap();
                prop_assert_eq!(&all.matched, &wanted, "{}", input);
                let first = tables[1].decide(&input).unwrap();
                prop_assert_eq!(first.matched.first(), wanted.first());
                match (tables[2].decide(&input), wanted.len()) {
                    (Ok(decision), 0) => prop_assert_eq!(decision.status, Status::Undecided),
                    (Ok(decision), 1) => prop_assert_eq!(decision.value.to_json(), json!(rows[wanted[0]].2)),
                    (Err(DecideError::NotUnique { rows }), 2..) => prop_assert_eq!(rows, wanted),
                    other => prop_assert!(false, "{:?}", other),
                }
            }
        }
    }

    #[test]
    fn a_set_of_classes_is_written_as_tests_that_mean_the_same(x in meant()) {
        // What the linter writes into suggested rows comes from here.
        let table = |cell: &str| DecisionTable::load("t.json", &json!({
            "name": "t", "inputs": [{"name": "x", "typeRef": "number", "nullable": true}], "outputs": [{"name": "a", "typeRef": "number"}],
            "rules": [{"inputEntries": [cell], "outputEntries": [1]}]
        }).to_string());
        let first = table(&x.text()).unwrap();
        let column = &first.columns()[0];
        if column.cells[0].may.is_empty() {
            return Ok(());
        }
        let written = column.axis.describe(&column.cells[0].may);
        let again = table(&written).unwrap_or_else(|problems| panic!("{written}: {}", problems[0]));
        for value in (-10..10).map(Some).chain([None]) {
            let input = json!({"x": value.map(|value| f64::from(value) / 10.0)});
            prop_assert_eq!(first.decide(&input).unwrap().matched, again.decide(&input).unwrap().matched, "{} as {} at {}", x.text(), written, input);
        }
    }
}
