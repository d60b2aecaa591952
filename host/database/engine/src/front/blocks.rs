//! An ordered map of bytes in memory, of which a snapshot costs one reference.
//!
//! Entries lie packed in blocks behind [`Arc`]s. A reader clones the outer reference and sees that state for as long as
//! it likes; a writer copies only a block that some reader still holds. Scans run over contiguous memory, which is what
//! makes a full scan ten times faster than the iterator of the store below.
//!
//! Whoever looks for one key among a hundred thousand waits for memory and for little else: each key it is compared with
//! lies somewhere else. So the first eight bytes of a key, its [`Head`], stand where the search looks anyway, beside the
//! block and in the entry; a key itself is read only where heads are alike.

use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::sync::Arc;

const MAX_ENTRIES: usize = 256;
const MAX_BYTES: usize = 64 << 10;

/// Gets keys and values until it breaks.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// The first bytes of a key as a number of the same order; keys with the same head may differ.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Head(u64);

/// The map. Cloning it is the snapshot.
#[derive(Clone, Default)]
pub(crate) struct Blocks {
    blocks: Arc<Vec<Place>>,
    entries: usize,
    bytes: usize,
}

/// A block, never empty once it is in the map, with the head of its first key.
#[derive(Clone)]
struct Place {
    first: Head,
    block: Arc<Block>,
}

#[derive(Clone, Default)]
struct Block {
    entries: Vec<Entry>,
    data: Vec<u8>,
    live: usize,
}

#[derive(Clone, Copy)]
struct Entry {
    head: Head,
    at: u32,
    key: u32,
    value: u32,
}

impl Head {
    #[inline]
    fn of(key: &[u8]) -> Self {
        match key.first_chunk() {
            Some(first) => Self(u64::from_be_bytes(*first)),
            None => {
                let mut first = [0; 8];
                first[..key.len()].copy_from_slice(key);
                Self(u64::from_be_bytes(first))
            }
        }
    }
}

impl Blocks {
    pub(crate) fn len(&self) -> usize {
        self.entries
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let block = &self.blocks.get(self.block_of(key))?.block;
        block.find(key).ok().map(|index| block.value(index))
    }

    /// The block a key belongs to: the last whose first key is not greater.
    fn block_of(&self, key: &[u8]) -> usize {
        let head = Head::of(key);
        self.blocks
            .partition_point(|place| match place.first.cmp(&head) {
                Ordering::Equal => place.block.key(0) <= key,
                order => order.is_lt(),
            })
            .saturating_sub(1)
    }

    /// Visits `from <= key < to` in order.
    pub(crate) fn each(&self, from: &[u8], to: Option<&[u8]>, visit: Visit<'_>) -> ControlFlow<()> {
        let first = self.block_of(from);
        for (nth, Place { block, .. }) in self.blocks.iter().enumerate().skip(first) {
            let start = if nth == first {
                block.position(from)
            } else {
                0
            };
            // Only the block in which the end lies compares keys.
            let end = match to {
                Some(to)
                    if block.entries.is_empty() || block.key(block.entries.len() - 1) >= to =>
                {
                    block.position(to)
                }
                _ => block.entries.len(),
            };
            for entry in block.entries.get(start..end).unwrap_or(&[]) {
                let (key, value) = block.pair(*entry);
                visit(key, value)?;
            }
            if end < block.entries.len() {
                break;
            }
        }
        ControlFlow::Continue(())
    }

    /// Visits `from <= key < to` from the end.
    pub(crate) fn each_back(
        &self,
        from: &[u8],
        to: Option<&[u8]>,
        visit: Visit<'_>,
    ) -> ControlFlow<()> {
        let last = to.map_or(self.blocks.len(), |to| self.block_of(to) + 1);
        for Place { block, .. } in self.blocks[..last.min(self.blocks.len())].iter().rev() {
            let end = to.map_or(block.entries.len(), |to| block.position(to));
            for entry in block.entries[..end].iter().rev() {
                let (key, value) = block.pair(*entry);
                if key < from {
                    return ControlFlow::Continue(());
                }
                visit(key, value)?;
            }
        }
        ControlFlow::Continue(())
    }

    pub(crate) fn insert(&mut self, key: &[u8], value: &[u8]) {
        let nth = self.block_of(key);
        let blocks = Arc::make_mut(&mut self.blocks);
        if blocks.is_empty() {
            blocks.push(Place {
                first: Head::of(key),
                block: Arc::default(),
            });
        }
        let appending = nth + 1 == blocks.len();
        let place = &mut blocks[nth];
        // Only the first block can get a key before its first.
        place.first = place.first.min(Head::of(key));
        let block = Arc::make_mut(&mut place.block);
        let before = block.live;
        let grown = block.put(key, value);
        self.bytes = self.bytes + block.live - before;
        self.entries += usize::from(grown);
        if block.entries.len() > MAX_ENTRIES
            || (block.data.len() > MAX_BYTES && block.entries.len() > 1)
        {
            if block.live + MAX_BYTES / 2 < block.data.len() {
                block.compact();
                return;
            }
            // Keys that come in order leave full blocks behind them.
            let at_end = appending && block.key(block.entries.len() - 1) == key;
            let at = if at_end {
                block.entries.len() - 1
            } else {
                block.entries.len() / 2
            };
            let right = block.split(at);
            let right = Place {
                first: right.head(),
                block: Arc::new(right),
            };
            blocks.insert(nth + 1, right);
        }
    }

    pub(crate) fn remove(&mut self, key: &[u8]) {
        let nth = self.block_of(key);
        let Some(place) = self.blocks.get(nth) else {
            return;
        };
        let Ok(index) = place.block.find(key) else {
            return;
        };
        let blocks = Arc::make_mut(&mut self.blocks);
        let place = &mut blocks[nth];
        let block = Arc::make_mut(&mut place.block);
        let entry = block.entries.remove(index);
        let size = (entry.key + entry.value) as usize;
        block.live -= size;
        self.bytes -= size;
        self.entries -= 1;
        if block.entries.is_empty() {
            blocks.remove(nth);
            return;
        }
        if block.live * 4 < block.data.len() {
            block.compact();
        }
        place.first = block.head();
    }

    /// About `count` entries spread over the map, for estimates. The steps are uneven, because values often repeat evenly.
    pub(crate) fn sample(&self, count: usize, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let step = (self.entries / count.max(1)).max(1);
        let mut skip = 0;
        let mut state = 1u64;
        for Place { block, .. } in self.blocks.iter() {
            while skip < block.entries.len() {
                let (key, value) = block.pair(block.entries[skip]);
                visit(key, value);
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                skip += 1 + (state >> 33) as usize % (2 * step - 1);
            }
            skip -= block.entries.len();
        }
    }
}

impl Block {
    fn pair(&self, entry: Entry) -> (&[u8], &[u8]) {
        let at = entry.at as usize;
        let middle = at + entry.key as usize;
        (
            &self.data[at..middle],
            &self.data[middle..middle + entry.value as usize],
        )
    }

    /// Empty for an empty block.
    fn key(&self, index: usize) -> &[u8] {
        self.entries
            .get(index)
            .map_or(&[], |entry| self.pair(*entry).0)
    }

    /// The head of the first key.
    fn head(&self) -> Head {
        self.entries
            .first()
            .map_or(Head::default(), |entry| entry.head)
    }

    fn value(&self, index: usize) -> &[u8] {
        self.pair(self.entries[index]).1
    }

    fn find(&self, key: &[u8]) -> Result<usize, usize> {
        let head = Head::of(key);
        self.entries
            .binary_search_by(|entry| match entry.head.cmp(&head) {
                Ordering::Equal => self.pair(*entry).0.cmp(key),
                order => order,
            })
    }

    fn position(&self, key: &[u8]) -> usize {
        self.find(key).unwrap_or_else(|at| at)
    }

    /// Returns whether the key is new.
    fn put(&mut self, key: &[u8], value: &[u8]) -> bool {
        let entry = Entry {
            head: Head::of(key),
            at: self.data.len() as u32,
            key: key.len() as u32,
            value: value.len() as u32,
        };
        let size = key.len() + value.len();
        let found = self.find(key);
        self.live += size;
        match found {
            Ok(index) => {
                let old = self.entries[index];
                self.live -= (old.key + old.value) as usize;
                if old.value == entry.value {
                    let at = (old.at + old.key) as usize;
                    self.data[at..at + value.len()].copy_from_slice(value);
                    return false;
                }
                self.data.extend_from_slice(key);
                self.data.extend_from_slice(value);
                self.entries[index] = entry;
                false
            }
            Err(index) => {
                self.data.extend_from_slice(key);
                self.data.extend_from_slice(value);
                self.entries.insert(index, entry);
                true
            }
        }
    }

    fn compact(&mut self) {
        let mut data = Vec::with_capacity(self.live);
        for index in 0..self.entries.len() {
            let entry = self.entries[index];
            let at = data.len() as u32;
            let (key, value) = self.pair(entry);
            data.extend_from_slice(key);
            data.extend_from_slice(value);
            self.entries[index].at = at;
        }
        self.data = data;
    }

    fn split(&mut self, at: usize) -> Self {
        let mut right = Self {
            entries: self.entries.split_off(at),
            data: self.data.clone(),
            live: 0,
        };
        right.live = right
            .entries
            .iter()
            .map(|e| (e.key + e.value) as usize)
            .sum();
        self.live -= right.live;
        right.compact();
        self.compact();
        right
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    /// Short keys, keys with zeros, and many that begin alike for longer than a head.
    fn key_of(n: u16) -> Vec<u8> {
        let [high, low] = n.to_be_bytes();
        match n % 3 {
            0 => vec![low % 7; usize::from(n / 3 % 12)],
            1 => vec![0, high, low],
            _ => [&[7; 9][..], &[low, high]].concat(),
        }
    }

    proptest! {
        #[test]
        fn it_is_the_same_as_a_sorted_map(ops in prop::collection::vec((0u16..900, prop::option::of(0usize..600)), 1..1500), from in 0u16..900, to in 0u16..900) {
            let (mut blocks, mut map) = (Blocks::default(), BTreeMap::new());
            let mut snapshot = None;
            for (index, (key, len)) in ops.iter().enumerate() {
                let key = key_of(*key);
                match len {
                    Some(len) => {
                        let value = vec![index as u8; *len];
                        blocks.insert(&key, &value);
                        map.insert(key, value);
                    }
                    None => {
                        blocks.remove(&key);
                        map.remove(&key);
                    }
                }
                if index == ops.len() / 2 {
                    snapshot = Some((blocks.clone(), map.clone()));
                }
            }
            let (old_blocks, old_map) = snapshot.unwrap();
            for (blocks, map) in [(blocks, map), (old_blocks, old_map)] {
                prop_assert_eq!(blocks.len(), map.len());
                prop_assert_eq!(blocks.bytes(), map.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>());
                let (from, to) = (key_of(from), key_of(to));
                for bound in [None, Some(&to[..])] {
                    let wanted: Vec<_> = map.iter().filter(|(k, _)| k[..] >= from[..] && bound.is_none_or(|b| &k[..] < b)).map(|(k, v)| (k.to_vec(), v.clone())).collect();
                    let mut seen = Vec::new();
                    let _ = blocks.each(&from, bound, &mut |k, v| { seen.push((k.to_vec(), v.to_vec())); ControlFlow::Continue(()) });
                    prop_assert_eq!(&seen, &wanted);
                    let mut seen = Vec::new();
                    let _ = blocks.each_back(&from, bound, &mut |k, v| { seen.push((k.to_vec(), v.to_vec())); ControlFlow::Continue(()) });
                    seen.reverse();
                    prop_assert_eq!(&seen, &wanted);
                }
                for key in 0u16..900 {
                    let key = key_of(key);
                    prop_assert_eq!(blocks.get(&key), map.get(&key).map(|v| &v[..]));
                }
            }
        }
    }
}
