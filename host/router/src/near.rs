//! What somebody may have meant by a name that does not exist.

/// Names proposed at most.
const MOST: usize = 3;

/// Less alike than this and a proposal only confuses.
const LIKENESS: f64 = 0.75;

/// Characters of a name that are compared: comparing is quadratic, and names come from requests.
const LONGEST: usize = 128;

/// The known names most like the one asked for, best first.
pub(crate) fn near<'a>(asked: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let plain = |name: &str| {
        name.chars()
            .take(LONGEST)
            .collect::<String>()
            .to_lowercase()
    };
    let asked = plain(asked);
    let mut alike: Vec<(f64, &str)> = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(&asked, &plain(name)), name))
        .filter(|(likeness, _)| *likeness >= LIKENESS)
        .collect();
    alike.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    alike.dedup_by(|a, b| a.1 == b.1);
    alike
        .into_iter()
        .take(MOST)
        .map(|(_, name)| name.to_owned())
        .collect()
}

/// `; did you mean "a" or "b"?`, or nothing.
pub(crate) fn question(near: &[String]) -> String {
    if near.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = near.iter().map(|name| format!("\"{name}\"")).collect();
    format!("; did you mean {}?", quoted.join(" or "))
}
