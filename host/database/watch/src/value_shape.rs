//! What values look like, without being them: `AB-1234` is `A-9`. Shapes tell codes from sentences, and a strategy
//! may see them where it may not see a value.

/// Longer shapes are prose, and prose has no shape.
const LONGEST: usize = 24;

/// Runs of capitals, small letters and digits become one `A`, `a` or `9` each; spaces and marks stay.
pub(crate) fn value_shape(text: &str) -> String {
    let mut shape = String::new();
    let mut last = None;
    for char in text.chars() {
        let class = match char {
            _ if char.is_ascii_digit() => '9',
            _ if char.is_uppercase() => 'A',
            _ if char.is_alphabetic() => 'a',
            _ if char.is_whitespace() => ' ',
            // A mark of another script could carry what the value says.
            _ if !char.is_ascii_punctuation() => '?',
            mark => mark,
        };
        if last != Some(class) {
            if shape.len() >= LONGEST {
                shape.push('~');
                break;
            }
            shape.push(class);
            last = Some(class);
        }
    }
    shape
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_shows_the_form_and_hides_the_value() {
        assert_eq!(value_shape("AB-1234"), "A-9");
        assert_eq!(value_shape("Leonie Köhler"), "Aa Aa");
        assert_eq!(value_shape(""), "");
        assert_eq!(value_shape("日本 5"), "a 9");
    }

    #[test]
    fn a_long_text_has_a_short_shape() {
        assert!(value_shape(&"a1".repeat(10_000)).len() <= LONGEST + 1);
    }
}
