//! The guest's heap: first memory the instance starts with, then memory it has to ask for.
//!
//! An instance serves one call, so how it gets its first pages is part of every call. The allocator of the standard
//! library asks with `memory.grow` even for the first byte, and each growth makes the host change page protections
//! and undo that for the next instance: system calls that stall every core. An arena among the zeroed statics is there
//! from the start and costs only the pages that are touched.
//!
//! Nearly all that a guest allocates are keys and short texts of JSON. Such small blocks have a place of their own, see
//! [`Blocks`]; longer ones are talc's.
//!
//! With `blocks`, the one place of the SDK with `unsafe`: what it could break is the guest's own memory.
#![allow(
    unsafe_code,
    reason = "an allocator is handed raw memory, whoever wrote it"
)]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::memory_grow;
use core::cell::UnsafeCell;
use core::ptr;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

use crate::blocks::{Blocks, list};

const WASM_PAGE: usize = 64 << 10;
/// For each of the two kinds of block: enough for a rule over tens of kilobytes of JSON and for an adapter's request
/// and answer.
const ARENA_BYTES: usize = 256 << 10;
/// A growth is worth more than was asked for: the next one costs as much.
const GROWTH_PAGES: usize = 16;

static mut ARENA: [u8; ARENA_BYTES] = [0; ARENA_BYTES];

#[global_allocator]
static HEAP: Heap = Heap {
    small: UnsafeCell::new(Blocks::new()),
    rest: TalcSyncCell::new_wasm(ArenaThenGrow { arena_used: false }),
};

struct Heap {
    small: UnsafeCell<Blocks<ARENA_BYTES>>,
    rest: TalcSyncCell<ArenaThenGrow, WasmBinning>,
}

// SAFETY: a guest has one thread.
unsafe impl Sync for Heap {}

// SAFETY: small blocks are disjoint parts of one static, aligned to `STEP`; all others come from talc and go back there.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if let Some(list) = list(layout) {
            // SAFETY: a guest has one thread, and nothing here calls back.
            let small = unsafe { &mut *self.small.get() };
            if let Some(block) = small.take(list) {
                return block;
            }
        }
        // SAFETY: the caller's promises hold for talc too.
        unsafe { self.rest.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        let small = unsafe { &mut *self.small.get() };
        match list(layout) {
            Some(list) if small.owns(block) => {
                // SAFETY: it came from this list's `take`, and nobody uses it from now on.
                unsafe { small.give(list, block) };
            }
            // SAFETY: it came from talc.
            _ => unsafe { self.rest.dealloc(block, layout) },
        }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises a size that is valid with this alignment.
        let new = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        // SAFETY: as above.
        let is_small = unsafe { &*self.small.get() }.owns(block);
        match (list(layout), list(new)) {
            (was, is) if is_small && was == is => block,
            // SAFETY: it came from talc, and stays there.
            (_, None) if !is_small => unsafe { self.rest.realloc(block, layout, size) },
            _ => {
                // SAFETY: both blocks are at least as long as what is copied, and disjoint.
                unsafe {
                    let moved = self.alloc(new);
                    if !moved.is_null() {
                        ptr::copy_nonoverlapping(block, moved, layout.size().min(size));
                        self.dealloc(block, layout);
                    }
                    moved
                }
            }
        }
    }
}

#[derive(Debug)]
struct ArenaThenGrow {
    arena_used: bool,
}

// SAFETY: `acquire` touches the allocator through `talc` alone.
unsafe impl Source for ArenaThenGrow {
    fn acquire<B: Binning>(talc: &mut Talc<Self, B>, layout: Layout) -> Result<(), ()> {
        if !talc.source.arena_used {
            talc.source.arena_used = true;
            // SAFETY: nothing else names the arena, and it is claimed once.
            let claimed = unsafe { talc.claim((&raw mut ARENA).cast(), ARENA_BYTES) };
            return claimed.map(drop).ok_or(());
        }
        // Twice the alignment and a page leave room for the allocator's own marks.
        let needed = layout.size() + 2 * layout.align() + WASM_PAGE;
        let needed = needed.div_ceil(WASM_PAGE);
        for pages in [needed.max(GROWTH_PAGES), needed] {
            let before = memory_grow::<0>(pages);
            if before != usize::MAX {
                // SAFETY: the pages have just come into being, so nobody else uses them.
                let claimed =
                    unsafe { talc.claim((before * WASM_PAGE) as *mut u8, pages * WASM_PAGE) };
                return claimed.map(drop).ok_or(());
            }
        }
        Err(())
    }
}
