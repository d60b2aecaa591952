//! What stands before a number often says what it is.

/// The last few words before a place, lower-case, nearest first.
pub(crate) fn before(text: &str, at: usize) -> impl Iterator<Item = String> {
    const REACH: usize = 32;
    let mut start = at.saturating_sub(REACH);
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text[start..at]
        .rsplit(|c: char| !c.is_alphabetic())
        .filter(|word| !word.is_empty())
        .take(3)
        .map(str::to_lowercase)
        .collect::<Vec<_>>()
        .into_iter()
}

/// True where a letter or digit directly before this place makes what follows the rest of a word. The `n` of an escaped
/// line break in JSON text does not.
pub(crate) fn is_glued_before(text: &str, at: usize) -> bool {
    let mut before = text[..at].chars().rev();
    match before.next() {
        Some('n' | 'r' | 't') if before.next() == Some('\\') => false,
        Some(c) => c.is_alphanumeric() || c == '_',
        None => false,
    }
}

/// True where a letter or digit directly after this place makes what stands before it the beginning of a word.
pub(crate) fn is_glued_after(text: &str, at: usize) -> bool {
    text[at..]
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() || c == '_')
}
