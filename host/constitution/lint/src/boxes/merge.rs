//! Fewer boxes for the same space: two that differ in one side alone become one.

use std::collections::HashMap;

use super::{Side, Space};

/// Joins boxes greedily until none can be joined. Boxes that do not touch stay so.
pub(crate) fn merged(space: &Space, mut boxes: Vec<Vec<Side>>) -> Vec<Vec<Side>> {
    boxes = boxes
        .iter()
        .flat_map(|sides| in_runs(space, sides))
        .collect();
    loop {
        let before = boxes.len();
        for at in 0..space.dims.len() {
            if boxes.len() > 1 {
                boxes = along(space, at, boxes);
            }
        }
        if boxes.len() == before {
            boxes.sort_unstable();
            return boxes;
        }
    }
}

/// A search may leave a side with holes, which a reader cannot take for one row.
fn in_runs(space: &Space, sides: &[Side]) -> Vec<Vec<Side>> {
    let mut made = vec![Vec::with_capacity(sides.len())];
    for (dim, side) in space.dims.iter().zip(sides) {
        let runs = dim.runs(*side);
        // Beyond some pieces the whole with its holes is the shorter text.
        if runs.len() * made.len() > 64 {
            made.iter_mut().for_each(|made| made.push(*side));
            continue;
        }
        made = runs
            .iter()
            .flat_map(|run| {
                made.iter()
                    .map(move |made| made.iter().copied().chain([*run]).collect())
            })
            .collect();
    }
    made
}

fn along(space: &Space, at: usize, boxes: Vec<Vec<Side>>) -> Vec<Vec<Side>> {
    let mut groups: HashMap<Vec<Side>, Vec<Side>> = HashMap::with_capacity(boxes.len());
    for mut sides in boxes {
        let side = std::mem::take(&mut sides[at]);
        groups.entry(sides).or_default().push(side);
    }
    let mut kept = Vec::with_capacity(groups.len());
    for (mut rest, mut sides) in groups {
        // From the lowest rank up, so that what can be joined stands side by side.
        sides.sort_unstable_by_key(|side| space.dims[at].any(*side));
        let mut run = sides[0];
        for side in &sides[1..] {
            match space.dims[at].joined(run, *side) {
                Some(both) => run = both,
                None => {
                    let mut done = rest.clone();
                    done[at] = run;
                    kept.push(done);
                    run = *side;
                }
            }
        }
        rest[at] = run;
        kept.push(rest);
    }
    // A map has no order, and findings must have one.
    kept.sort_unstable();
    kept
}
