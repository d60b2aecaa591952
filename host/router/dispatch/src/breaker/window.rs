//! Calls and failures of the last while, in slices of time.

/// Slices of a window. More would be smoother, and slower to add up.
const SLICES: u64 = 10;

/// A sliding window that forgets a tenth at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Window {
    slices: [Slice; SLICES as usize],
}

#[derive(Clone, Copy, Debug, Default)]
struct Slice {
    /// Which slice of all time this is.
    number: u64,
    calls: u32,
    failures: u32,
}

impl Window {
    /// Counts one call that ended now.
    pub(super) fn count(&mut self, window_ms: u64, now_ms: u64, failed: bool) {
        let number = now_ms / width(window_ms);
        let slice = &mut self.slices[(number % SLICES) as usize];
        // A clock that went back counts into the slice that is there.
        if slice.number < number {
            *slice = Slice {
                number,
                ..Slice::default()
            };
        }
        slice.calls = slice.calls.saturating_add(1);
        slice.failures = slice.failures.saturating_add(u32::from(failed));
    }

    /// Calls and failures in the window that ends now.
    pub(super) fn totals(&self, window_ms: u64, now_ms: u64) -> (u32, u32) {
        let oldest = (now_ms / width(window_ms)).saturating_sub(SLICES - 1);
        self.slices
            .iter()
            .filter(|slice| slice.number >= oldest)
            .fold((0, 0), |(calls, failures), slice| {
                (
                    slice.calls.saturating_add(calls),
                    slice.failures.saturating_add(failures),
                )
            })
    }
}

fn width(window_ms: u64) -> u64 {
    (window_ms / SLICES).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_the_window_is_forgotten() {
        let mut window = Window::default();
        window.count(1000, 50, true);
        window.count(1000, 550, false);
        assert_eq!(window.totals(1000, 600), (2, 1));
        assert_eq!(window.totals(1000, 1100), (1, 0));
        assert_eq!(window.totals(1000, 9000), (0, 0));
        window.count(1000, 9000, true);
        assert_eq!(window.totals(1000, 9000), (1, 1));
    }

    #[test]
    fn a_window_of_nothing_still_counts() {
        let mut window = Window::default();
        window.count(0, 5, true);
        assert_eq!(window.totals(0, 5), (1, 1));
    }
}
