//! Sets of ranks. A column's values fall into finitely many classes that its cells cannot tell apart; they are numbered, and
//! a cell is the set of the numbers it lets through.

/// A set of ranks as ascending, disjoint, inclusive ranges that do not touch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Ranks(Vec<(u32, u32)>);

impl Ranks {
    /// No rank.
    pub fn none() -> Self {
        Self::default()
    }

    /// The first `count` ranks.
    pub fn all(count: u32) -> Self {
        Self(if count == 0 {
            Vec::new()
        } else {
            vec![(0, count - 1)]
        })
    }

    /// From ranges in any order, that may overlap.
    pub fn of(mut ranges: Vec<(u32, u32)>) -> Self {
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        let mut merged: Vec<(u32, u32)> = Vec::with_capacity(ranges.len());
        for (low, high) in ranges {
            match merged.last_mut() {
                Some(last) if low <= last.1.saturating_add(1) => last.1 = last.1.max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    /// The ranges.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.0
    }

    /// Whether it has no rank.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it has a rank.
    pub fn contains(&self, rank: u32) -> bool {
        let after = self.0.partition_point(|(low, _)| *low <= rank);
        after > 0 && self.0[after - 1].1 >= rank
    }

    /// Every rank.
    pub fn iter(&self) -> impl Iterator<Item = u32> {
        self.0.iter().flat_map(|(low, high)| *low..=*high)
    }

    /// How many ranks it has.
    pub fn len(&self) -> u32 {
        self.0.iter().map(|(low, high)| high - low + 1).sum()
    }

    /// What is in either.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self::of(self.0.iter().chain(&other.0).copied().collect())
    }

    /// What the first `count` ranks have and this has not.
    #[must_use]
    pub fn complement(&self, count: u32) -> Self {
        let mut ranges = Vec::with_capacity(self.0.len() + 1);
        let mut next = 0;
        for (low, high) in &self.0 {
            if *low > next {
                ranges.push((next, low - 1));
            }
            next = high + 1;
        }
        if next < count {
            ranges.push((next, count - 1));
        }
        Self(ranges)
    }
}
