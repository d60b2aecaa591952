//! What somebody may have meant by a name that does not exist.

/// Names proposed at most.
const MAX_PROPOSALS: usize = 3;

/// Less alike than this and a proposal only confuses.
const LIKENESS: f64 = 0.75;

/// The known names that look most like the one that was asked for, best first.
pub(crate) fn near<'a>(asked: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    // Names come from requests; comparing is quadratic in their length.
    let asked: String = asked.chars().take(128).collect();
    let mut scored: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| {
            (
                strsim::jaro_winkler(&asked.to_lowercase(), &name.to_lowercase()),
                name,
            )
        })
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored
        .into_iter()
        .take(MAX_PROPOSALS)
        .map(|(_, name)| name.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_likeliest_names_come_first_and_strangers_not_at_all() {
        let known = ["gpt-4o", "gpt-4o-mini", "claude-sonnet-4-5", "triage"];
        assert_eq!(near("GPT-4", known), ["gpt-4o", "gpt-4o-mini"]);
        assert_eq!(near("claude-sonnet-4.5", known), ["claude-sonnet-4-5"]);
        assert!(near("whisper", known).is_empty());
    }
}
