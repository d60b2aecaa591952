//! One stable hash for all sketches. A snapshot outlives the process, so the standard library's hasher, which
//! promises nothing between versions, will not do.

/// FNV-1a, then the finaliser of MurmurHash3: FNV alone leaves the high bits of short inputs nearly constant, and
/// HyperLogLog reads exactly those.
pub(crate) fn hash(bytes: &[u8]) -> u64 {
    let mut state: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in bytes {
        state ^= u64::from(*byte);
        state = state.wrapping_mul(0x0000_0100_0000_01b3);
    }
    mix(state)
}

/// Spreads a number over 64 bits.
pub(crate) fn mix(mut state: u64) -> u64 {
    state ^= state >> 33;
    state = state.wrapping_mul(0xff51_afd7_ed55_8ccd);
    state ^= state >> 33;
    state = state.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_of_a_snapshot_never_changes() {
        assert_eq!(hash(b""), 0xefd0_1f60_ba99_2926);
        assert_ne!(hash(b"a"), hash(b"b"));
    }

    #[test]
    fn neighbouring_numbers_differ_in_half_of_their_bits() {
        let differing: u32 = (0..1_000_u64)
            .map(|n| (mix(n) ^ mix(n + 1)).count_ones())
            .sum();
        assert!((30_000..34_000).contains(&differing), "{differing}");
    }
}
