//! Dotted paths. A key may hold anything, a dot too, so what has a meaning in a path is escaped in a key.

/// Writes a key as a segment of a path: `.`, `*`, `[` and `\` get a backslash, and the key of no
/// characters is `\-`.
pub fn escape(key: &str) -> String {
    let mut path = String::with_capacity(key.len());
    push(&mut path, key);
    path
}

/// The path of a key inside a path; the empty path is the document.
pub fn join(parent: &str, key: &str) -> String {
    let mut path = parent.to_owned();
    push(&mut path, key);
    path
}

/// The keys of a path, as they stand in the document. `*` is any key of a map, `[]` the elements of an array; both
/// stay in the segment.
pub fn segments(path: &str) -> Vec<String> {
    let mut segments = Vec::new();
    let mut segment = String::new();
    let mut chars = path.chars();
    while let Some(char) = chars.next() {
        match char {
            // `\-` is the key of no characters.
            '\\' => segment.extend(chars.next().filter(|char| *char != '-')),
            '.' => segments.push(std::mem::take(&mut segment)),
            other => segment.push(other),
        }
    }
    if !path.is_empty() {
        segments.push(segment);
    }
    segments
}

/// Appends a key to a path in place.
pub(crate) fn push(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    if key.is_empty() {
        path.push_str("\\-");
        return;
    }
    if !key.contains(['.', '*', '[', '\\']) {
        path.push_str(key);
        return;
    }
    for char in key.chars() {
        if matches!(char, '.' | '*' | '[' | '\\') {
            path.push('\\');
        }
        path.push(char);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_dot_in_a_key_is_no_step() {
        assert_eq!(join("a", "b.c"), "a.b\\.c");
        assert_eq!(segments("a.b\\.c"), ["a", "b.c"]);
    }

    proptest! {
        #[test]
        fn keys_come_back_as_they_were(keys in proptest::collection::vec(".{0,8}", 1..6)) {
            let path = keys.iter().fold(String::new(), |path, key| join(&path, key));
            prop_assert_eq!(segments(&path), keys);
        }
    }
}
