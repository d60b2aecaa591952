//! Small blocks of memory: one list of free ones for each size.
//!
//! A block is taken from its list, or cut off the arena where the list is empty, and goes back to its list. That is a
//! few instructions where a general allocator searches and joins; what is given up for it is that a block never
//! serves another size, which in an instance of one call hardly matters.
#![allow(
    unsafe_code,
    reason = "a list of free blocks lies in the blocks themselves"
)]

use core::alloc::Layout;
use core::ptr;

/// Small blocks are multiples of this, and so aligned. It has room for the address of the next free one.
const STEP: usize = 16;
/// The longest small block.
const SMALL: usize = 1024;

/// An arena of so many bytes, of which blocks are cut.
#[repr(C)]
pub(crate) struct Blocks<const BYTES: usize> {
    /// The first free block of each size; each holds the address of the next.
    free: [*mut u8; SMALL / STEP],
    /// How much of the arena has been cut off.
    used: usize,
    arena: Arena<BYTES>,
}

#[repr(C, align(16))]
struct Arena<const BYTES: usize>([u8; BYTES]);

/// The list for a layout, if its blocks are small.
pub(crate) fn list(layout: Layout) -> Option<usize> {
    let list = layout.size().max(1).div_ceil(STEP) - 1;
    (layout.size() <= SMALL && layout.align() <= STEP).then_some(list)
}

impl<const BYTES: usize> Blocks<BYTES> {
    pub(crate) const fn new() -> Self {
        Self {
            free: [ptr::null_mut(); SMALL / STEP],
            used: 0,
            arena: Arena([0; BYTES]),
        }
    }

    /// A block of the list's size; none where the arena is used up.
    pub(crate) fn take(&mut self, list: usize) -> Option<*mut u8> {
        let first = self.free[list];
        if !first.is_null() {
            // SAFETY: what lies in a list is one of our blocks, unused, and begins with the address of the next.
            self.free[list] = unsafe { first.cast::<*mut u8>().read() };
            return Some(first);
        }
        let (at, size) = (self.used, (list + 1) * STEP);
        (BYTES - at >= size).then(|| {
            self.used += size;
            self.arena.0[at..].as_mut_ptr()
        })
    }

    /// Takes a block back.
    ///
    /// # Safety
    /// It came from `take` with the same list, and is not used any more.
    pub(crate) unsafe fn give(&mut self, list: usize, block: *mut u8) {
        // SAFETY: it is one of ours, so aligned, and no shorter than an address.
        unsafe { block.cast::<*mut u8>().write(self.free[list]) };
        self.free[list] = block;
    }

    /// Whether a block was cut off this arena.
    pub(crate) fn owns(&self, block: *mut u8) -> bool {
        (block as usize).wrapping_sub(self.arena.0.as_ptr() as usize) < BYTES
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn layout(size: usize, align: usize) -> Layout {
        Layout::from_size_align(size, align).unwrap()
    }

    #[test]
    fn a_layout_has_the_list_whose_blocks_are_just_long_enough() {
        let of = |size, align| list(layout(size, align));
        assert_eq!(
            [of(0, 1), of(1, 1), of(16, 16), of(17, 1)],
            [Some(0), Some(0), Some(0), Some(1)]
        );
        assert_eq!(
            [of(1024, 8), of(1025, 8), of(8, 32)],
            [Some(63), None, None]
        );
    }

    #[test]
    fn what_was_given_back_is_taken_before_more_is_cut_off() {
        let mut blocks = Box::new(Blocks::<64>::new());
        let first = blocks.take(1).unwrap();
        let second = blocks.take(1).unwrap();
        assert_eq!(blocks.take(0), None);
        // SAFETY: both came from this list.
        unsafe {
            blocks.give(1, first);
            blocks.give(1, second);
        }
        assert_eq!(
            [blocks.take(1), blocks.take(1), blocks.take(1)],
            [Some(second), Some(first), None]
        );
    }

    proptest! {
        #[test]
        fn blocks_in_use_are_aligned_apart_and_keep_what_is_written(steps in prop::collection::vec((0..1100_usize, any::<bool>(), any::<usize>()), 1..200)) {
            let mut blocks = Box::new(Blocks::<8192>::new());
            // By address: the list and the byte that it is filled with.
            let mut in_use: BTreeMap<usize, (usize, u8)> = BTreeMap::new();
            for (at, (size, gives, which)) in steps.into_iter().enumerate() {
                if gives && !in_use.is_empty() {
                    let (&address, &(list, _)) = in_use.iter().nth(which % in_use.len()).unwrap();
                    in_use.remove(&address);
                    // SAFETY: it came from this list.
                    unsafe { blocks.give(list, address as *mut u8) };
                } else if let Some(list) = list(layout(size, 8)) && let Some(block) = blocks.take(list) {
                    let size = (list + 1) * STEP;
                    prop_assert!(blocks.owns(block) && (block as usize).is_multiple_of(STEP));
                    let fill = u8::try_from(at % 251).unwrap();
                    // SAFETY: the block has this many bytes.
                    unsafe { block.write_bytes(fill, size) };
                    prop_assert_eq!(in_use.insert(block as usize, (list, fill)), None);
                }
            }
            for (address, (list, fill)) in in_use {
                let size = (list + 1) * STEP;
                // SAFETY: it is in use.
                let bytes = unsafe { core::slice::from_raw_parts(address as *const u8, size) };
                prop_assert!(bytes.iter().all(|byte| *byte == fill));
            }
        }
    }
}
