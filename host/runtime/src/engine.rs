//! The two engines, and why each number is what it is.
//!
//! Rules and strategies run on a deterministic engine: a decision must replay bit for bit, so NaNs are canonical, relaxed
//! SIMD behaves the same on every CPU and work is counted in fuel. Adapters and connectors run on an engine made for
//! waiting: calls are asynchronous and time is counted in epochs. Both refuse threads, and neither compiles support for
//! component-model concurrency, which no export of the contract needs and every call would pay for.

use std::sync::Arc;

use wasmtime::component::Component;
use wasmtime::{
    Config, Enabled, Engine, InstanceAllocationStrategy, PoolingAllocationConfig, RegallocAlgorithm,
};

use crate::children::Children;
use crate::compiler::{self, CompilerProcess};
use crate::pulse::Pulse;

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

impl EngineKind {
    /// What a compiling process is told.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Pure => "pure",
            Self::Io => "io",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Pure, Self::Io]
            .into_iter()
            .find(|kind| kind.name() == name)
    }
}

/// Both engines, what compiles for them, and the clock that advances their epochs.
#[derive(Clone)]
pub(crate) struct Engines {
    pure: Engine,
    io: Engine,
    compiler: Option<Arc<CompilerProcess>>,
    children: Children,
    pulse: Arc<Pulse>,
}

impl Engines {
    /// Builds both engines. Where the address space is too small for the pool (a container with a limit, a 39-bit
    /// kernel) instances are made on demand instead: slower, with the same limits.
    pub(crate) fn new(compiler: Option<CompilerProcess>) -> wasmtime::Result<Self> {
        let (pure, io) = Self::with_allocation(true).or_else(|error| {
            tracing::warn!(
                error = format!("{error:#}"),
                "no room for the instance pool; instances are made on demand"
            );
            Self::with_allocation(false)
        })?;
        let pulse = Arc::new(Pulse::start(&[&pure, &io])?);
        Ok(Self {
            pure,
            io,
            compiler: compiler.map(Arc::new),
            children: Children::default(),
            pulse,
        })
    }

    /// The engine of a kind.
    pub(crate) fn get(&self, kind: EngineKind) -> &Engine {
        match kind {
            EngineKind::Pure => &self.pure,
            EngineKind::Io => &self.io,
        }
    }

    /// Compiles a component for the engine of a kind.
    pub(crate) fn compile(
        &self,
        kind: EngineKind,
        component: &[u8],
    ) -> wasmtime::Result<Component> {
        let (process, engine) = (self.compiler.as_deref(), self.get(kind));
        compiler::compile(process, &self.children, engine, kind, component)
    }

    /// The processes that compile.
    pub(crate) fn children(&self) -> &Children {
        &self.children
    }

    /// What counts the guests' CPU time.
    pub(crate) fn pulse(&self) -> &Arc<Pulse> {
        &self.pulse
    }

    fn with_allocation(pooled: bool) -> wasmtime::Result<(Engine, Engine)> {
        Ok((
            Engine::new(&config(EngineKind::Pure, pooled))?,
            Engine::new(&config(EngineKind::Io, pooled))?,
        ))
    }
}

/// An engine that makes code for the engine of a kind, and runs none: it reserves no room for instances.
pub(crate) fn for_compiling(kind: EngineKind) -> wasmtime::Result<Engine> {
    Engine::new(&config(kind, false))
}

fn config(kind: EngineKind, pooled: bool) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        // Calls between the instances inside one component, as interpreters are packed, copy from memory to memory.
        .wasm_multi_memory(true)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_engines_have_different_compiled_code() {
        let engines = Engines::new(None).unwrap();
        assert!(!Engine::same(
            engines.get(EngineKind::Pure),
            engines.get(EngineKind::Io)
        ));
    }
}
