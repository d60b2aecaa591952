//! "Did you mean": the known word that somebody most probably wanted to write.

/// The nearest candidate, if it is near enough to be a slip of the keyboard.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let word = word.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&word, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// A fix that names the nearest candidate, or else all of them.
pub fn fix<'c>(word: &str, what: &str, candidates: impl IntoIterator<Item = &'c str>) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    match (
        nearest(word, candidates.iter().copied()),
        candidates.as_slice(),
    ) {
        (Some(candidate), _) => format!("did you mean \"{candidate}\"?"),
        (None, []) => format!("no {what} is known here; remove it"),
        (None, [only]) => format!("the only {what} is \"{only}\""),
        _ => format!("use one of the {what}s {}", quoted(&candidates)),
    }
}

/// `"a", "b" and "c"`.
pub fn quoted(words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("\"{word}\"")).collect();
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((only, _)) => only.clone(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_finds_the_word_and_another_word_does_not() {
        let known = ["guards", "mode", "rule", "config"];
        assert_eq!(nearest("gaurds", known), Some("guards"));
        assert_eq!(nearest("Mode", known), Some("mode"));
        assert_eq!(nearest("rules", known), Some("rule"));
        assert_eq!(nearest("settings", known), None);
    }

    #[test]
    fn without_a_near_word_all_are_named() {
        assert_eq!(
            fix("x", "field", ["mode", "rule"]),
            "use one of the fields \"mode\" and \"rule\""
        );
        assert_eq!(fix("x", "field", ["mode"]), "the only field is \"mode\"");
    }
}
