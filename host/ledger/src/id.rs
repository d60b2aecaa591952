//! Ids are UUIDv7: unique without asking anyone, and sorted roughly by time.

use std::cell::RefCell;

use uuid::{Builder, Uuid};

/// Random bytes that an id takes.
const RANDOM: usize = 10;

thread_local! {
    /// Asking the system costs a call into it, so it is asked for many ids at once.
    static STOCK: RefCell<Vec<[u8; RANDOM]>> = const { RefCell::new(Vec::new()) };
}

/// A new UUIDv7 of the given time.
///
/// The time is the injected clock's, so the ids of a replayed or simulated day belong to that day.
pub fn new_id(now_ms: u64) -> Uuid {
    let random = STOCK.with_borrow_mut(|stock| {
        loop {
            match stock.pop() {
                Some(random) => break random,
                None => stock.extend(fresh()),
            }
        }
    });
    Builder::from_unix_timestamp_millis(now_ms, &random).into_uuid()
}

fn fresh() -> [[u8; RANDOM]; 50] {
    let mut random = [[0; RANDOM]; 50];
    // The system's source fails only where there is none at all; then version 4's own source would fail as well, and
    // an id that is merely unlikely to be unique would break promises made elsewhere.
    if let Err(error) = getrandom::fill(random.as_flattened_mut()) {
        panic!("this system has no source of randomness: {error}");
    }
    random
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_version_7_of_the_given_time_and_unique() {
        let ids: HashSet<Uuid> = (0..10_000).map(|_| new_id(1_700_000_000_123)).collect();
        assert_eq!(ids.len(), 10_000);
        for id in ids {
            assert_eq!(id.get_version_num(), 7);
            let (seconds, nanos) = id.get_timestamp().unwrap().to_unix();
            assert_eq!(
                seconds * 1000 + u64::from(nanos) / 1_000_000,
                1_700_000_000_123
            );
        }
    }
}
