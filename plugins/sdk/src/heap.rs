//! The guest's heap: first memory the instance starts with, then memory it has to ask for.
//!
//! An instance serves one call, so how it gets its first pages is part of every call. The allocator of the standard
//! library asks with `memory.grow` even for the first byte, and each growth makes the host change page protections
//! and undo that for the next instance: system calls that stall every core. An arena among the zeroed statics is there
//! from the start and costs only the pages that are touched.
//!
//! The one place of the SDK with `unsafe`: what it could break is the guest's own memory.
#![allow(
    unsafe_code,
    reason = "an allocator is handed raw memory, whoever wrote it"
)]

use core::alloc::Layout;
use core::arch::wasm32::memory_grow;

use talc::base::Talc;
use talc::base::binning::Binning;
use talc::cell::TalcSyncCell;
use talc::source::Source;
use talc::wasm::WasmBinning;

const WASM_PAGE: usize = 64 << 10;
/// Enough for a rule over tens of kilobytes of JSON and for an adapter's request and answer.
const ARENA_BYTES: usize = 512 << 10;
/// A growth is worth more than was asked for: the next one costs as much.
const GROWTH_PAGES: usize = 16;

static mut ARENA: [u8; ARENA_BYTES] = [0; ARENA_BYTES];

#[global_allocator]
static HEAP: TalcSyncCell<ArenaThenGrow, WasmBinning> =
    TalcSyncCell::new_wasm(ArenaThenGrow { arena_used: false });

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
