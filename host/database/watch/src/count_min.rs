//! How often something untracked was seen, never too low.
//!
//! After Cormode and Muthukrishnan, "An improved data stream summary: the count-min sketch" (2005), with conservative
//! update. It decides who may enter a full table: what has only been seen once may not push out what is seen daily.

use serde::{Deserialize, Serialize};

use crate::hash::mix;

const ROWS: usize = 4;
const WIDTH: usize = 1024;

/// Counts of hashes, in 8 KiB.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CountMin {
    counts: Vec<u16>,
    added: u32,
}

impl Default for CountMin {
    fn default() -> Self {
        Self {
            counts: vec![0; ROWS * WIDTH],
            added: 0,
        }
    }
}

impl CountMin {
    /// Counts a hash once and returns its count so far: at least the true one, as far as none was forgotten.
    pub fn add(&mut self, hash: u64) -> u32 {
        // Past this many the cells are mostly noise; half of everything is forgotten, as in TinyLFU.
        if self.added as usize >= 10 * WIDTH {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.added /= 2;
        }
        self.added += 1;
        let cells: [usize; ROWS] =
            std::array::from_fn(|row| row * WIDTH + mix(hash ^ row as u64) as usize % WIDTH);
        let least = cells
            .iter()
            .map(|cell| self.counts[*cell])
            .min()
            .unwrap_or(0)
            .saturating_add(1);
        for cell in cells {
            self.counts[cell] = self.counts[cell].max(least);
        }
        u32::from(least)
    }

    /// Whether a snapshot's sketch is one this code can have written.
    pub(crate) fn is_sound(&self) -> bool {
        self.counts.len() == ROWS * WIDTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::hash;

    #[test]
    fn a_count_is_never_too_low_and_rarely_too_high() {
        let mut sketch = CountMin::default();
        let mut over = 0;
        for round in 1..=5 {
            for key in 0..500_u32 {
                let count = sketch.add(hash(&key.to_le_bytes()));
                assert!(count >= round);
                over += u32::from(count > round);
            }
        }
        assert!(over < 125, "{over} of 2500 too high");
    }
}
