//! The two engines, and why each number is what it is.
//!
//! Rules and strategies run on a deterministic engine: a decision must replay bit for bit, so NaNs are canonical, relaxed
//! SIMD behaves the same on every CPU and work is counted in fuel. Adapters and connectors run on an engine made for
//! waiting: calls are asynchronous and time is counted in epochs. Both refuse threads, and neither compiles support for
//! component-model concurrency, which no export of the contract needs and every call would pay for.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, RegallocAlgorithm,
};

/// How often the epoch advances: the granularity of CPU time limits. A tick costs one atomic increment.
pub(crate) const EPOCH_TICK: Duration = Duration::from_millis(5);

/// Most instances alive at once in one engine, standby ones included. Each reserves address space, not memory.
pub(crate) const MAX_INSTANCES: u32 = 1_024;

/// Largest linear memory any grant can give. It bounds the address space that the pool reserves per slot.
pub(crate) const MAX_MEMORY_BYTES: usize = 1 << 30;

/// Most table elements any grant can give: interpreters compiled to WebAssembly declare some ten thousand.
pub(crate) const MAX_TABLE_ELEMENTS: usize = 100_000;

/// What stays resident of a returned slot, so that the next instance does not fault its pages in again. With the
/// kernel's pagemap scan only the pages that were written are reset.
const KEEP_RESIDENT_BYTES: usize = 1 << 20;

/// Slots that keep the image of a module they ran before. Past this, memory is given back first-used first.
const WARM_SLOTS: u32 = 64;

/// Which of the two engines a plugin runs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EngineKind {
    /// Deterministic, synchronous, counted in fuel.
    Pure,
    /// Asynchronous, counted in epochs.
    Io,
}

/// Both engines, and the clock that advances their epochs.
#[derive(Clone)]
pub(crate) struct Engines {
    pure: Engine,
    io: Engine,
    _ticker: Arc<Ticker>,
}

/// Stops the epoch thread when the last `Engines` goes.
struct Ticker {
    _running: std::sync::mpsc::Sender<()>,
}

impl Engines {
    /// Builds both engines. Where the address space is too small for the pool (a container with a limit, a 39-bit
    /// kernel) instances are made on demand instead: slower, with the same limits.
    pub(crate) fn new() -> wasmtime::Result<Self> {
        let (pure, io) = Self::with_allocation(true).or_else(|error| {
            tracing::warn!(
                error = format!("{error:#}"),
                "no room for the instance pool; instances are made on demand"
            );
            Self::with_allocation(false)
        })?;
        let ticker = Arc::new(start_ticker(&pure, &io)?);
        Ok(Self {
            pure,
            io,
            _ticker: ticker,
        })
    }

    /// The engine of a kind.
    pub(crate) fn get(&self, kind: EngineKind) -> &Engine {
        match kind {
            EngineKind::Pure => &self.pure,
            EngineKind::Io => &self.io,
        }
    }

    fn with_allocation(pooled: bool) -> wasmtime::Result<(Engine, Engine)> {
        Ok((
            Engine::new(&config(EngineKind::Pure, pooled))?,
            Engine::new(&config(EngineKind::Io, pooled))?,
        ))
    }
}

fn config(kind: EngineKind, pooled: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_multi_memory(false)
        // A backtrace costs a walk per trap and its text could carry guest data into logs.
        .wasm_backtrace_max_frames(None)
        .cranelift_regalloc_algorithm(RegallocAlgorithm::Backtracking)
        // Bulk memory operations and endless loops alike end at an epoch, whatever they do with fuel.
        .epoch_interruption(true)
        // Deep enough for interpreters in WebAssembly; recursion past it traps.
        .max_wasm_stack(512 << 10)
        .async_stack_size(1 << 20);
    if kind == EngineKind::Pure {
        config
            .consume_fuel(true)
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true);
    }
    if pooled {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool()));
    }
    config
}

fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_INSTANCES)
        .total_core_instances(4 * MAX_INSTANCES)
        .total_memories(MAX_INSTANCES)
        .total_tables(2 * MAX_INSTANCES)
        .total_stacks(MAX_INSTANCES)
        .max_memory_size(MAX_MEMORY_BYTES)
        .table_elements(MAX_TABLE_ELEMENTS)
        // A Python component has about a hundred core instances and a handful of tables.
        .max_core_instances_per_component(200)
        .max_memories_per_component(8)
        .max_tables_per_component(32)
        .max_tables_per_module(8)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .max_unused_warm_slots(WARM_SLOTS)
        .linear_memory_keep_resident(KEEP_RESIDENT_BYTES)
        .table_keep_resident(KEEP_RESIDENT_BYTES)
        .pagemap_scan(Enabled::Auto);
    pool
}

fn start_ticker(pure: &Engine, io: &Engine) -> wasmtime::Result<Ticker> {
    let (running, stopped) = std::sync::mpsc::channel();
    let engines = [pure.weak(), io.weak()];
    thread::Builder::new()
        .name("polity-epoch".into())
        .spawn(move || {
            // The channel is never sent on: waiting on it is a sleep that ends when the engines are dropped.
            while stopped.recv_timeout(EPOCH_TICK)
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                for engine in &engines {
                    match engine.upgrade() {
                        Some(engine) => engine.increment_epoch(),
                        None => return,
                    }
                }
            }
        })?;
    Ok(Ticker { _running: running })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_engines_have_different_compiled_code() {
        let engines = Engines::new().unwrap();
        assert!(!Engine::same(
            engines.get(EngineKind::Pure),
            engines.get(EngineKind::Io)
        ));
    }
}
