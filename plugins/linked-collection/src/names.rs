//! What a name says about a field.

/// Last words of names that are given to identifiers and to nothing else.
const IDENTIFIERS: [&str; 5] = ["id", "uuid", "guid", "pk", "fk"];

/// Words of names that are given to what is measured, counted or taken from a calendar. Such a number can have a word
/// for each of its values and is no key for that: `month` and `month_name`.
const MEASURES: [&str; 52] = [
    "age",
    "amount",
    "angle",
    "balance",
    "bytes",
    "cost",
    "count",
    "day",
    "days",
    "decade",
    "depth",
    "discount",
    "distance",
    "duration",
    "height",
    "hour",
    "hours",
    "index",
    "latitude",
    "length",
    "level",
    "longitude",
    "mass",
    "milliseconds",
    "minute",
    "minutes",
    "month",
    "ms",
    "percent",
    "position",
    "price",
    "qty",
    "quantity",
    "quarter",
    "rank",
    "rate",
    "rating",
    "score",
    "second",
    "seconds",
    "size",
    "speed",
    "sum",
    "temperature",
    "tax",
    "total",
    "version",
    "volume",
    "week",
    "weekday",
    "weight",
    "year",
];

/// Whether a path is named as an identifier: `customer_id`, `customerId`, `customer.id`, `ID`.
pub(crate) fn is_identifier(path: &str) -> bool {
    words(path)
        .last()
        .is_some_and(|word| IDENTIFIERS.contains(&word.as_str()))
}

/// Whether a path is named as a measure.
pub(crate) fn is_measure(path: &str) -> bool {
    words(path)
        .iter()
        .any(|word| MEASURES.contains(&word.as_str()))
}

/// What an identifier identifies: `customer` of `customer_id`.
pub(crate) fn entity(path: &str) -> String {
    let mut words = words(path);
    if words.len() > 1
        && words
            .last()
            .is_some_and(|word| IDENTIFIERS.contains(&word.as_str()))
    {
        words.pop();
    }
    words.join("_")
}

/// A simple plural; a person reads it and may change it.
pub(crate) fn plural(word: &str) -> String {
    let before_y = word.strip_suffix('y').and_then(|stem| stem.chars().last());
    match before_y {
        Some(char) if !"aeiou".contains(char) => format!("{}ies", &word[..word.len() - 1]),
        _ if word.ends_with(['s', 'x']) || word.ends_with("ch") || word.ends_with("sh") => {
            format!("{word}es")
        }
        _ => format!("{word}s"),
    }
}

/// The words of a path, in small letters, at `_`, `-`, `.`, spaces and capitals.
fn words(path: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut small_before = false;
    for char in path.chars() {
        let parts = !char.is_alphanumeric();
        if parts || (char.is_uppercase() && small_before) {
            words.push(String::new());
        }
        if let (false, Some(word)) = (parts, words.last_mut()) {
            word.extend(char.to_lowercase());
        }
        small_before = char.is_lowercase() || char.is_numeric();
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_known_by_its_last_word() {
        for name in [
            "id",
            "customer_id",
            "customerId",
            "CustomerID",
            "order.customer.id",
            "node-uuid",
        ] {
            assert!(is_identifier(name), "{name}");
        }
        for name in ["paid", "valid", "idea", "postal_code", "identity", ""] {
            assert!(!is_identifier(name), "{name}");
        }
    }

    #[test]
    fn a_measure_is_known_by_any_word() {
        assert!(is_measure("birthYear") && is_measure("total_price") && is_measure("month"));
        assert!(!is_measure("ship_via") && !is_measure("monthly_plan"));
    }

    #[test]
    fn a_collection_is_named_after_what_the_key_identifies() {
        for (path, name) in [
            ("customer_id", "customers"),
            ("categoryId", "categories"),
            ("id", "ids"),
            ("address_id", "addresses"),
            ("key_id", "keys"),
        ] {
            assert_eq!(plural(&entity(path)), name);
        }
    }
}
