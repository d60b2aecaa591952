//! All pairs of boxes that have something in common.

use super::{Boxes, Side, Space};

/// Pairs of boxes, the lower first, and whether these are all. Boxes of one row are no pair.
pub(crate) fn pairs(space: &Space, boxes: &Boxes, limit: usize) -> (Vec<(u32, u32)>, bool) {
    let count = boxes.len();
    let columns: Vec<Vec<Side>> = (0..space.dims.len())
        .map(|at| (0..count).map(|index| boxes.sides(index)[at]).collect())
        .collect();
    let order = selective_first(space, &columns);
    let mut found = Vec::new();
    let mut candidates: Vec<u32> = vec![0; count];
    for a in 0..count {
        let mut kept = count - a - 1;
        for (index, candidate) in candidates[..kept].iter_mut().enumerate() {
            *candidate = (a + 1 + index) as u32;
        }
        for at in &order {
            if kept == 0 {
                break;
            }
            kept = narrow(
                space.dims[*at].bits,
                &columns[*at],
                a,
                &mut candidates[..kept],
            );
        }
        for b in &candidates[..kept] {
            if boxes.rows[a] != boxes.rows[*b as usize] {
                if found.len() >= limit {
                    return (found, false);
                }
                found.push((a as u32, *b));
            }
        }
    }
    (found, true)
}

/// Keeps the candidates that touch a box in one column, without a branch that would be mispredicted half of the time.
fn narrow(bits: bool, column: &[Side], a: usize, candidates: &mut [u32]) -> usize {
    let side = column[a];
    let mut kept = 0;
    for index in 0..candidates.len() {
        let candidate = candidates[index];
        let other = column[candidate as usize];
        candidates[kept] = candidate;
        let touches = if bits {
            side & other != 0
        } else {
            ((side >> 32) <= (other & 0xFFFF_FFFF)) & ((other >> 32) <= (side & 0xFFFF_FFFF))
        };
        kept += usize::from(touches);
    }
    kept
}

/// Columns in which few boxes touch come first. A sample of pairs is enough to tell.
fn selective_first(space: &Space, columns: &[Vec<Side>]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..columns.len()).collect();
    let touching = |at: usize| {
        let column = &columns[at];
        let count = column.len();
        (0..count.min(256))
            .filter(|index| {
                space.dims[at].touches(column[*index], column[(index * 7919 + count / 2) % count])
            })
            .count()
    };
    order.sort_by_cached_key(|at| touching(*at));
    order
}
