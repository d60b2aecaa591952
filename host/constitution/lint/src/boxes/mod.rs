//! Rows as boxes in the space of their columns' ranks. What rows have in common, leave open or say twice is then plain
//! geometry of finitely many cells. (After D. Calvanese and others, "Semantics and analysis of DMN decision tables", 2016;
//! the search for what is left open splits the space instead of sweeping it.)

mod merge;
mod open;
mod pairs;

use polity_tables::{DecisionTable, Ranks};

pub(crate) use merge::merged;
pub(crate) use open::{Budget, Open, open, split};
pub(crate) use pairs::pairs;

/// Up to this many ranks, a side is a set of bits; beyond, an interval.
const BITS: u32 = 64;

/// More boxes than this are not made of one row.
const MAX_BOXES: usize = 4096;

/// The space of a table.
#[derive(Clone, Debug)]
pub(crate) struct Space {
    pub(crate) dims: Vec<Dim>,
}

/// One column of the space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dim {
    pub(crate) ranks: u32,
    pub(crate) bits: bool,
    /// Whether neighbouring ranks hold neighbouring values.
    pub(crate) ordered: bool,
    /// Whether the last rank is null, which has no neighbour.
    pub(crate) null: bool,
}

/// A side of a box: bits, or the first rank in the upper half and the last in the lower.
pub(crate) type Side = u64;

/// Boxes of one space, side by side in one vector.
#[derive(Clone, Debug, Default)]
pub(crate) struct Boxes {
    width: usize,
    sides: Vec<Side>,
    /// The row that each box belongs to.
    pub(crate) rows: Vec<u32>,
}

impl Dim {
    pub(crate) fn new(ranks: u32, ordered: bool, null: bool) -> Self {
        Self {
            ranks,
            bits: ranks <= BITS,
            ordered,
            null,
        }
    }

    /// Whether null is in it beside values, but not all of them.
    fn mixes_null(self, side: Side) -> bool {
        let has_null = if self.bits {
            side >> (self.ranks - 1) & 1 == 1
        } else {
            last(side) == self.ranks - 1
        };
        self.ordered && self.null && has_null && side != self.full() && self.len(side) > 1
    }

    /// Whether null is all there is in it.
    pub(crate) fn only_null(self, side: Side) -> bool {
        self.null && self.any(side) == self.ranks - 1
    }

    /// The side as sides without a hole, where neighbouring ranks hold neighbouring values.
    pub(crate) fn runs(self, side: Side) -> Vec<Side> {
        if !self.ordered {
            return vec![side];
        }
        if self.mixes_null(side) {
            let (values, null) = if self.bits {
                let null = 1 << (self.ranks - 1);
                (side & !null, null)
            } else {
                let null = self.ranks - 1;
                (interval(first(side), null - 1), interval(null, null))
            };
            return self.runs(values).into_iter().chain([null]).collect();
        }
        if !self.bits {
            return vec![side];
        }
        let mut runs = Vec::new();
        let mut left = side;
        while left != 0 {
            let low = left.trailing_zeros();
            let length = (left >> low).trailing_ones();
            let run = if length == BITS {
                u64::MAX
            } else {
                ((1 << length) - 1) << low
            };
            runs.push(run);
            left &= !run;
        }
        runs
    }

    /// One side for two that do not touch, if it can be written without a hole.
    pub(crate) fn joined(self, a: Side, b: Side) -> Option<Side> {
        if !self.bits {
            let (low, high) = if first(a) <= first(b) { (a, b) } else { (b, a) };
            let both = interval(first(low), last(high));
            let joined = last(low) + 1 == first(high) && !self.mixes_null(both);
            return joined.then_some(both);
        }
        let both = a | b;
        let run = both >> both.trailing_zeros();
        let whole = run & run.wrapping_add(1) == 0;
        ((whole || !self.ordered) && !self.mixes_null(both)).then_some(both)
    }

    pub(crate) fn full(self) -> Side {
        match (self.bits, self.ranks) {
            (true, BITS) => u64::MAX,
            (true, ranks) => (1 << ranks) - 1,
            (false, ranks) => u64::from(ranks - 1),
        }
    }

    pub(crate) fn touches(self, a: Side, b: Side) -> bool {
        if self.bits {
            a & b != 0
        } else {
            first(a) <= last(b) && first(b) <= last(a)
        }
    }

    pub(crate) fn covers(self, outer: Side, inner: Side) -> bool {
        if self.bits {
            inner & !outer == 0
        } else {
            first(outer) <= first(inner) && last(inner) <= last(outer)
        }
    }

    /// What both have; they touch.
    pub(crate) fn common(self, a: Side, b: Side) -> Side {
        if self.bits {
            a & b
        } else {
            interval(first(a).max(first(b)), last(a).min(last(b)))
        }
    }

    pub(crate) fn len(self, side: Side) -> u32 {
        if self.bits {
            side.count_ones()
        } else {
            last(side) - first(side) + 1
        }
    }

    /// Any rank of it; the lowest.
    pub(crate) fn any(self, side: Side) -> u32 {
        if self.bits {
            side.trailing_zeros()
        } else {
            first(side)
        }
    }

    pub(crate) fn ranks(self, side: Side) -> Ranks {
        if !self.bits {
            return Ranks::of(vec![(first(side), last(side))]);
        }
        Ranks::of(
            (0..BITS)
                .filter(|rank| side >> rank & 1 == 1)
                .map(|rank| (rank, rank))
                .collect(),
        )
    }

    /// A set of ranks as sides: one, or several intervals.
    fn sides(self, ranks: &Ranks) -> Vec<Side> {
        if !self.bits {
            return ranks
                .ranges()
                .iter()
                .map(|(low, high)| interval(*low, *high))
                .collect();
        }
        let bits = ranks.iter().fold(0, |bits, rank| bits | 1_u64 << rank);
        if bits == 0 { Vec::new() } else { vec![bits] }
    }
}

pub(crate) fn first(side: Side) -> u32 {
    (side >> 32) as u32
}

pub(crate) fn last(side: Side) -> u32 {
    side as u32
}

pub(crate) fn interval(first: u32, last: u32) -> Side {
    u64::from(first) << 32 | u64::from(last)
}

impl Space {
    pub(crate) fn of(table: &DecisionTable) -> Self {
        Self {
            dims: table
                .columns()
                .iter()
                .map(|column| {
                    Dim::new(
                        column.axis.count(),
                        column.axis.is_ordered(),
                        column.axis.null().is_some(),
                    )
                })
                .collect(),
        }
    }

    pub(crate) fn full(&self) -> Vec<Side> {
        self.dims.iter().map(|dim| dim.full()).collect()
    }

    pub(crate) fn touches(&self, a: &[Side], b: &[Side]) -> bool {
        self.dims
            .iter()
            .zip(a.iter().zip(b))
            .all(|(dim, (a, b))| dim.touches(*a, *b))
    }

    pub(crate) fn covers(&self, outer: &[Side], inner: &[Side]) -> bool {
        self.dims
            .iter()
            .zip(outer.iter().zip(inner))
            .all(|(dim, (a, b))| dim.covers(*a, *b))
    }

    pub(crate) fn common(&self, a: &[Side], b: &[Side]) -> Vec<Side> {
        self.dims
            .iter()
            .zip(a.iter().zip(b))
            .map(|(dim, (a, b))| dim.common(*a, *b))
            .collect()
    }

    /// The part of the space that a box takes, each class of values counted alike.
    pub(crate) fn share(&self, sides: &[Side]) -> f64 {
        self.dims
            .iter()
            .zip(sides)
            .map(|(dim, side)| f64::from(dim.len(*side)) / f64::from(dim.ranks))
            .product()
    }

    /// What a box has and another has not, as boxes that do not touch.
    pub(crate) fn without(&self, whole: &[Side], hole: &[Side]) -> Vec<Vec<Side>> {
        if !self.touches(whole, hole) {
            return vec![whole.to_vec()];
        }
        let mut rest = whole.to_vec();
        let mut pieces = Vec::new();
        for (at, dim) in self.dims.iter().enumerate() {
            let (side, cut) = (rest[at], hole[at]);
            let mut piece = |part: Side| {
                let mut piece = rest.clone();
                piece[at] = part;
                pieces.push(piece);
            };
            if dim.bits {
                if side & !cut != 0 {
                    piece(side & !cut);
                }
            } else {
                if first(side) < first(cut) {
                    piece(interval(first(side), first(cut) - 1));
                }
                if last(side) > last(cut) {
                    piece(interval(last(cut) + 1, last(side)));
                }
            }
            rest[at] = dim.common(side, cut);
        }
        pieces
    }
}

impl Boxes {
    /// The rows of a table: what they may match, or what they match for certain. The flag says that a row would have been
    /// too many boxes and is left out.
    pub(crate) fn of(table: &DecisionTable, space: &Space, certain: bool) -> (Self, bool) {
        let mut boxes = Self {
            width: space.dims.len(),
            ..Self::default()
        };
        let mut left_out = false;
        for row in 0..table.table().rules.len() {
            let mut made: Vec<Vec<Side>> = vec![Vec::with_capacity(boxes.width)];
            for (column, dim) in table.columns().iter().zip(&space.dims) {
                let cell = &column.cells[row];
                let sides = dim.sides(if certain { &cell.must } else { &cell.may });
                if made.len().saturating_mul(sides.len()) > MAX_BOXES {
                    left_out = true;
                    made.clear();
                    break;
                }
                if let [side] = sides.as_slice() {
                    made.iter_mut().for_each(|made| made.push(*side));
                    continue;
                }
                made = sides
                    .iter()
                    .flat_map(|side| {
                        made.iter()
                            .map(move |made| made.iter().copied().chain([*side]).collect())
                    })
                    .collect();
            }
            for made in made {
                boxes.push(row as u32, &made);
            }
        }
        (boxes, left_out)
    }

    pub(crate) fn push(&mut self, row: u32, sides: &[Side]) {
        self.sides.extend_from_slice(sides);
        self.rows.push(row);
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn sides(&self, at: usize) -> &[Side] {
        &self.sides[at * self.width..(at + 1) * self.width]
    }

    /// The boxes of a row.
    pub(crate) fn of_row(&self, row: u32) -> std::ops::Range<usize> {
        let start = self.rows.partition_point(|other| *other < row);
        start..self.rows.partition_point(|other| *other <= row)
    }
}
