//! "Did you mean": the known word that somebody most probably wanted to write.

/// A fix that names the nearest candidate, or else all of them.
pub(crate) fn fix<'c>(
    word: &str,
    what: &str,
    candidates: impl IntoIterator<Item = &'c str>,
) -> String {
    let candidates: Vec<_> = candidates.into_iter().collect();
    let lower = word.to_lowercase();
    let nearest = candidates
        .iter()
        .map(|candidate| {
            (
                strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()),
                candidate,
            )
        })
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).clamp(1, 3))
        .min_by_key(|(distance, _)| *distance);
    match (nearest, candidates.as_slice()) {
        (Some((_, candidate)), _) => format!("did you mean \"{candidate}\"?"),
        (None, []) => format!("no {what} is known here; remove it"),
        (None, [only]) => format!("the only {what} is \"{only}\""),
        (None, all) => {
            let quoted: Vec<_> = all.iter().map(|word| format!("\"{word}\"")).collect();
            format!("use one of the {what}s {}", quoted.join(", "))
        }
    }
}
