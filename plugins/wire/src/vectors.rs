//! What every embedding answer has to satisfy before it is passed on.

use polity_sdk::{Problem, problem};

/// One vector per input, all of one length: a vendor's slip here would silently shift every record after it.
pub fn check(
    provider: &str,
    vectors: Vec<Vec<f32>>,
    inputs: usize,
) -> Result<Vec<Vec<f32>>, Problem> {
    if vectors.len() != inputs {
        let detail = format!(
            "{provider} sent {} vectors for {inputs} inputs",
            vectors.len()
        );
        return Err(problem("failed", detail));
    }
    let length = vectors.first().map_or(0, Vec::len);
    if vectors
        .iter()
        .any(|vector| vector.len() != length || vector.is_empty())
    {
        return Err(problem(
            "failed",
            format!("{provider} sent vectors of different lengths"),
        ));
    }
    // A number too large for its place would be one that nothing can be compared with.
    if !vectors.iter().flatten().all(|number| number.is_finite()) {
        return Err(problem(
            "failed",
            format!("{provider} sent a vector with a number that is none"),
        ));
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_that_do_not_fit_the_inputs_are_a_failure() {
        assert!(check("X", vec![vec![1.0], vec![2.0]], 2).is_ok());
        assert_eq!(check("X", vec![vec![1.0]], 2).unwrap_err().code, "failed");
        assert_eq!(
            check("X", vec![vec![1.0], vec![2.0, 3.0]], 2)
                .unwrap_err()
                .code,
            "failed"
        );
        for no_number in [f32::INFINITY, f32::NAN] {
            assert!(check("X", vec![vec![1.0, no_number]], 1).is_err());
        }
        assert_eq!(
            check("X", vec![vec![], vec![]], 2).unwrap_err().code,
            "failed"
        );
    }
}
