//! How many answers went out, by the class of their status.

use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

/// The classes, as they are labelled.
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Traffic([AtomicU64; CLASSES.len()]);

impl Traffic {
    /// Counts one answer.
    pub(crate) fn count(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100)
            .saturating_sub(1)
            .min(CLASSES.len() - 1);
        self.0[class].fetch_add(1, Ordering::Relaxed);
    }

    /// Each class with its count.
    pub(super) fn read(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        CLASSES
            .into_iter()
            .zip(self.0.iter().map(|count| count.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_counted_by_their_class() {
        let traffic = Traffic::default();
        for status in [200, 204, 404, 503] {
            traffic.count(StatusCode::from_u16(status).unwrap());
        }
        let counts: Vec<_> = traffic.read().collect();
        assert_eq!(
            counts,
            [("1xx", 0), ("2xx", 2), ("3xx", 0), ("4xx", 1), ("5xx", 1)]
        );
    }
}
