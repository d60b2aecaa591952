//! Memory and table limits of one instance, and whether they were hit.

use wasmtime::ResourceLimiter;

use crate::grant::Limits;

/// Counts what an instance takes. The sum over all its memories is limited, so that splitting does not help.
pub(crate) struct Meter {
    memory_limit: usize,
    memory_used: usize,
    table_limit: usize,
    table_used: usize,
    instances: usize,
    tables: usize,
    memories: usize,
    denied: bool,
}

impl Meter {
    pub(crate) fn new(limits: &Limits) -> Self {
        let size = |limit: u64| usize::try_from(limit).unwrap_or(usize::MAX);
        Self {
            memory_limit: size(limits.memory_bytes),
            memory_used: 0,
            table_limit: size(limits.table_elements),
            table_used: 0,
            instances: size(limits.instances),
            tables: size(limits.tables),
            memories: size(limits.memories),
            denied: false,
        }
    }

    /// Whether the instance was ever refused memory.
    pub(crate) fn memory_denied(&self) -> bool {
        self.denied
    }
}

impl ResourceLimiter for Meter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.memory_used + desired.saturating_sub(current);
        if used > self.memory_limit {
            self.denied = true;
            return Ok(false);
        }
        self.memory_used = used;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        current: usize,
        desired: usize,
        _: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let used = self.table_used + desired.saturating_sub(current);
        if used > self.table_limit {
            return Ok(false);
        }
        self.table_used = used;
        Ok(true)
    }

    fn instances(&self) -> usize {
        self.instances
    }

    fn tables(&self) -> usize {
        self.tables
    }

    fn memories(&self) -> usize {
        self.memories
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::world::World;

    #[test]
    fn several_memories_share_one_limit() {
        let limits = Limits {
            memory_bytes: 100,
            ..Limits::for_world(World::Connector)
        };
        let mut meter = Meter::new(&limits);
        assert!(meter.memory_growing(0, 60, None).unwrap());
        assert!(!meter.memory_growing(0, 60, None).unwrap());
        assert!(meter.memory_denied());
        assert!(meter.memory_growing(60, 100, None).unwrap());
    }
}
