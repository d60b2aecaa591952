//! What a union of boxes leaves open. In general that is as hard as deciding whether a formula always holds, so the search
//! has a budget and says when it has spent it; real tables cost a small part of it.

use super::{Boxes, Dim, Side, Space, first, interval, last};

/// How many parts of the space may be looked at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Budget {
    pub(crate) nodes: usize,
}

/// What is left open.
#[derive(Clone, Debug, Default)]
pub(crate) struct Open {
    /// Boxes that do not touch.
    pub(crate) boxes: Vec<Vec<Side>>,
    /// Whether these are all.
    pub(crate) complete: bool,
}

/// A part of the space, and which of the boxes in the arena may reach into it.
struct Part {
    sides: Vec<Side>,
    from: usize,
    to: usize,
}

/// Splits a region at the borders of boxes until each part is covered by one box or touched by none. Stops after `most`
/// open boxes.
pub(crate) fn open(
    space: &Space,
    region: &[Side],
    boxes: &Boxes,
    among: &[u32],
    budget: &mut Budget,
    most: usize,
) -> Open {
    let mut found = Open {
        complete: true,
        ..Open::default()
    };
    // Candidates of a part lie behind those of its parent; depth first, so that truncating forgets what is done.
    let mut arena: Vec<u32> = among.to_vec();
    let mut parts = vec![Part {
        sides: region.to_vec(),
        from: 0,
        to: arena.len(),
    }];
    while let Some(part) = parts.pop() {
        if budget.nodes == 0 || found.boxes.len() >= most {
            found.complete = false;
            return found;
        }
        budget.nodes -= 1;
        arena.truncate(part.to);
        let mut covered = false;
        for index in part.from..part.to {
            let at = arena[index];
            let sides = boxes.sides(at as usize);
            if space.touches(sides, &part.sides) {
                if space.covers(sides, &part.sides) {
                    covered = true;
                    break;
                }
                arena.push(at);
            }
        }
        if covered {
            continue;
        }
        let active = &arena[part.to..];
        let (from, to) = (part.to, arena.len());
        match cut(space, &part.sides, boxes, active) {
            Some((at, low, high)) if !active.is_empty() => {
                for side in [low, high] {
                    let mut sides = part.sides.clone();
                    sides[at] = side;
                    parts.push(Part { sides, from, to });
                }
            }
            _ => found.boxes.push(part.sides),
        }
    }
    found
}

/// The cut that leaves the fewest boxes on both sides of it.
fn cut(
    space: &Space,
    region: &[Side],
    boxes: &Boxes,
    active: &[u32],
) -> Option<(usize, Side, Side)> {
    let samples = if active.len() > 256 {
        4
    } else {
        8.min(active.len())
    };
    let mut best: Option<(usize, usize, (usize, Side, Side))> = None;
    for sample in 0..samples {
        let model = boxes.sides(active[sample * active.len() / samples] as usize);
        for (at, dim) in space.dims.iter().enumerate() {
            for (low, high) in cuts(*dim, region[at], model[at]) {
                let (mut below, mut above) = (0, 0);
                for index in active {
                    let side = boxes.sides(*index as usize)[at];
                    below += usize::from(dim.touches(side, low));
                    above += usize::from(dim.touches(side, high));
                }
                let cost = (below + above, below.max(above));
                if best.is_none_or(|(sum, most, _)| cost < (sum, most)) {
                    best = Some((cost.0, cost.1, (at, low, high)));
                }
            }
        }
    }
    best.map(|(_, _, cut)| cut)
}

/// The ways of cutting a side at the borders of another.
fn cuts(dim: Dim, side: Side, model: Side) -> impl Iterator<Item = (Side, Side)> {
    let mut found = [None; 2];
    if dim.bits {
        if side & model != 0 && side & !model != 0 {
            found[0] = Some((side & model, side & !model));
        }
    } else {
        if first(model) > first(side) && first(model) <= last(side) {
            found[0] = Some((
                interval(first(side), first(model) - 1),
                interval(first(model), last(side)),
            ));
        }
        if last(model) < last(side) && last(model) >= first(side) {
            found[1] = Some((
                interval(first(side), last(model)),
                interval(last(model) + 1, last(side)),
            ));
        }
    }
    found.into_iter().flatten()
}

/// Splits the space until no part is cut by the border of a box. Parts whose boxes `settle` the matter are left out; so are,
/// when the budget is spent, those that were not reached, and then the flag is false.
pub(crate) fn split(
    space: &Space,
    boxes: &Boxes,
    nodes: usize,
    settle: &dyn Fn(&mut dyn Iterator<Item = u32>) -> bool,
) -> (Vec<Vec<Side>>, bool) {
    let mut found = Vec::new();
    let mut left = nodes;
    let mut arena: Vec<u32> = (0..boxes.len() as u32).collect();
    let mut parts = vec![Part {
        sides: space.full(),
        from: 0,
        to: arena.len(),
    }];
    while let Some(part) = parts.pop() {
        if left == 0 {
            return (found, false);
        }
        left -= 1;
        arena.truncate(part.to);
        for index in part.from..part.to {
            let at = arena[index];
            if space.touches(boxes.sides(at as usize), &part.sides) {
                arena.push(at);
            }
        }
        let (from, to) = (part.to, arena.len());
        if settle(&mut arena[from..to].iter().copied()) {
            continue;
        }
        let cutting: Vec<u32> = arena[from..to]
            .iter()
            .copied()
            .filter(|at| !space.covers(boxes.sides(*at as usize), &part.sides))
            .collect();
        match cut(space, &part.sides, boxes, &cutting) {
            Some((at, low, high)) => {
                for side in [low, high] {
                    let mut sides = part.sides.clone();
                    sides[at] = side;
                    parts.push(Part { sides, from, to });
                }
            }
            None => found.push(part.sides),
        }
    }
    (found, true)
}
