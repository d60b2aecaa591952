//! What holds for every text, on texts that are put together from the pieces detectors look for.

use pii_guard::{Category, find};
use proptest::prelude::*;

fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        6 => prop::sample::select(vec![
            " ", " ", "@", ".", "-", "/", "(", ")", "+", ":", "=", "\"", "\\", "\\n", ",", "\n", "\u{a0}", "é", "🙂", "€", "#", "_",
        ]).prop_map(str::to_owned),
        4 => prop::sample::select(vec![
            "password", "token", "is", "Bearer", "sk-", "sk-ant-", "eyJ", "ghp_", "tel", "order", "://", "DE89", "GB",
            "-----BEGIN ", "PRIVATE KEY-----", "data:", ";base64,", "example.org", "ada", "Chrome", "ssn", "[EMAIL]",
        ]).prop_map(str::to_owned),
        4 => "[0-9]{1,5}",
        1 => "[0-9]{11,16}",
        2 => "[a-zA-Z0-9]{1,40}",
        1 => ".{0,3}",
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn redacted(text: &str) -> String {
    let mut out = String::new();
    let mut done = 0;
    for found in find(text) {
        out.push_str(&text[done..found.range.start]);
        out.push_str(found.category.placeholder());
        done = found.range.end;
    }
    out.push_str(&text[done..]);
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn matches_are_in_order_apart_and_between_characters(text in pieces()) {
        let mut end = 0;
        for found in find(&text) {
            prop_assert!(found.range.start >= end && found.range.start < found.range.end);
            prop_assert!(text.get(found.range.clone()).is_some());
            end = found.range.end;
        }
    }

    #[test]
    fn redaction_comes_to_an_end(text in pieces()) {
        let mut text = redacted(&text);
        // What stood in the shadow of something stricter may come to light once; after that nothing is left.
        for _ in 0..3 {
            text = redacted(&text);
        }
        prop_assert_eq!(find(&text), []);
    }

    #[test]
    fn a_number_with_check_digits_is_found_wherever_it_stands(
        before in prop::sample::select(vec!["", " ", "(", "\"", ": ", "- ", "é ", "\\n"]),
        after in prop::sample::select(vec!["", " ", ")", "\"", ".", ", ", " é", "\\n"]),
    ) {
        for (number, category) in [
            ("DE89370400440532013000", Category::Iban),
            ("4111 1111 1111 1111", Category::Card),
            ("65929970489", Category::DeTaxId),
            ("ada@example.org", Category::Email),
        ] {
            let text = format!("{before}{number}{after}");
            let found = find(&text);
            prop_assert_eq!(found.len(), 1, "{}", text);
            prop_assert_eq!(found[0].category, category);
            prop_assert_eq!(&text[found[0].range.clone()], number);
        }
    }
}
