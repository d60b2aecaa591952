//! What one plugin may use. Every limit is on for every plugin; a grant can move one,
//! never remove it.

use serde::{Deserialize, Serialize};

use crate::manifest::World;

/// Bytes in a mebibyte, the unit of `memory_mb`.
const MIB: u64 = 1024 * 1024;

/// The limits of one plugin, resolved.
///
/// "A call" is one call of an export: one evaluation, one completion, one operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub struct Limits {
    /// Linear memory of an instance, all its memories together. 64 MiB holds a request
    /// of several megabytes, its parsed form and its answer; an interpreter for
    /// JavaScript or Python starts below 40.
    pub memory_bytes: u64,
    /// Elements of all tables together. A function table has one element for each
    /// function whose address is taken; the largest guests seen have about 20,000.
    pub table_elements: u64,
    /// Core instances. A component of several linked modules makes a few dozen.
    pub instances: u64,
    /// Linear memories. One each for the guest and for adapters that it brings along.
    pub memories: u64,
    /// Tables. As memories, and one for each set of function references.
    pub tables: u64,
    /// Instructions of one call, `None` for worlds that are bounded by `cpu_ms`. Fuel
    /// is exact, so a decision ends at the same instruction on every machine. A rule
    /// that parses a kilobyte of JSON burns some 10,000; 200 million is about a tenth
    /// of a second. It is for input of up to 64 KiB, and grows by as much again with
    /// every 200 KB beyond: a long prompt is no reason to fail.
    pub fuel: Option<u64>,
    /// Time on the clock for one call, waiting included. A rule is in somebody's way:
    /// a second is a hundred thousand times its usual cost, yet still bearable when the
    /// machine is overloaded. Two minutes is what long completions take.
    pub wall_ms: u64,
    /// Time for which one call may compute, in whole ticks of the epoch. What it spends
    /// waiting for a host call does not count.
    pub cpu_ms: u64,
    /// Bytes of log messages in one call; what is past it is dropped and counted.
    /// 16 KiB is a hundred lines, and a flood of them fills no disk.
    pub log_bytes: u64,
    /// Bytes that one host call may lift out of the guest. Also bounds a request body
    /// that goes through `polity:plugin/http`, whose call carries it whole.
    pub hostcall_bytes: u64,
    /// Bytes of one outgoing request body. Prompts with images reach a few megabytes.
    pub request_bytes: u64,
    /// Bytes of one response body. It streams, so this bounds traffic and not memory.
    pub response_bytes: u64,
    /// HTTP requests in one call, refused ones included. An adapter makes one or two; a
    /// connector that pages through a list may want more.
    pub http_calls: u64,
    /// Calls at one time. Rules are short and plenty; an adapter's calls each keep a
    /// connection and an instance for seconds.
    pub concurrent: u64,
    /// Handles that an instance may hold: open responses, streams, request bodies.
    pub resources: u64,
}

/// The `[limits]` table of a grant: what the operator changed.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct LimitOverrides {
    /// See [`Limits::memory_bytes`].
    pub memory_mb: Option<u64>,
    /// See [`Limits::table_elements`].
    pub table_elements: Option<u64>,
    /// See [`Limits::instances`].
    pub instances: Option<u64>,
    /// See [`Limits::memories`].
    pub memories: Option<u64>,
    /// See [`Limits::tables`].
    pub tables: Option<u64>,
    /// See [`Limits::fuel`]. Has no effect on adapters and connectors.
    pub fuel: Option<u64>,
    /// See [`Limits::wall_ms`].
    pub wall_ms: Option<u64>,
    /// See [`Limits::cpu_ms`].
    pub cpu_ms: Option<u64>,
    /// See [`Limits::log_bytes`].
    pub log_bytes: Option<u64>,
    /// See [`Limits::hostcall_bytes`].
    pub hostcall_bytes: Option<u64>,
    /// See [`Limits::request_bytes`].
    pub request_bytes: Option<u64>,
    /// See [`Limits::response_bytes`].
    pub response_bytes: Option<u64>,
    /// See [`Limits::http_calls`].
    pub http_calls: Option<u64>,
    /// See [`Limits::concurrent`].
    pub concurrent: Option<u64>,
    /// See [`Limits::resources`].
    pub resources: Option<u64>,
}

/// What a plugin does again and again before it is put aside: the `[trap]` table.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrapPolicy {
    /// Traps within the window that put the plugin in quarantine. Three: the first may
    /// be bad luck, the second a bad input, the third is a pattern.
    pub strikes: u32,
    /// The window, in seconds.
    pub window_s: u64,
}

impl Default for TrapPolicy {
    fn default() -> Self {
        Self {
            strikes: 3,
            window_s: 60,
        }
    }
}

impl Limits {
    /// The limits of a plugin whose operator changed none.
    pub const fn for_world(world: World) -> Self {
        let io = Self {
            memory_bytes: 64 * MIB,
            table_elements: 100_000,
            instances: 64,
            memories: 16,
            tables: 64,
            fuel: None,
            wall_ms: 120_000,
            cpu_ms: 10_000,
            log_bytes: 16 * 1024,
            hostcall_bytes: 8 * MIB,
            request_bytes: 8 * MIB,
            response_bytes: 64 * MIB,
            http_calls: 100,
            concurrent: 64,
            resources: 128,
        };
        match world {
            World::ModelAdapter | World::Connector => io,
            World::ConstitutionRule => Self {
                fuel: Some(200_000_000),
                wall_ms: 1_000,
                cpu_ms: 1_000,
                concurrent: 256,
                ..io
            },
            // A strategy looks at the statistics of a whole database, rarely, and nobody
            // waits for it.
            World::SchemaStrategy => Self {
                fuel: Some(5_000_000_000),
                wall_ms: 30_000,
                cpu_ms: 10_000,
                concurrent: 4,
                ..io
            },
        }
    }

    /// Name and value of each limit, in the words of the `[limits]` table. A limit that
    /// does not apply is left out.
    pub fn entries(&self) -> impl Iterator<Item = (&'static str, u64)> {
        [
            ("memory_mb", Some(self.memory_bytes / MIB)),
            ("table_elements", Some(self.table_elements)),
            ("instances", Some(self.instances)),
            ("memories", Some(self.memories)),
            ("tables", Some(self.tables)),
            ("fuel", self.fuel),
            ("wall_ms", Some(self.wall_ms)),
            ("cpu_ms", Some(self.cpu_ms)),
            ("log_bytes", Some(self.log_bytes)),
            ("hostcall_bytes", Some(self.hostcall_bytes)),
            ("request_bytes", Some(self.request_bytes)),
            ("response_bytes", Some(self.response_bytes)),
            ("http_calls", Some(self.http_calls)),
            ("concurrent", Some(self.concurrent)),
            ("resources", Some(self.resources)),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
    }
}

impl LimitOverrides {
    /// The defaults with the operator's changes.
    pub fn over(&self, defaults: Limits) -> Limits {
        Limits {
            memory_bytes: self
                .memory_mb
                .map_or(defaults.memory_bytes, |mb| mb.saturating_mul(MIB)),
            table_elements: self.table_elements.unwrap_or(defaults.table_elements),
            instances: self.instances.unwrap_or(defaults.instances),
            memories: self.memories.unwrap_or(defaults.memories),
            tables: self.tables.unwrap_or(defaults.tables),
            fuel: defaults.fuel.map(|fuel| self.fuel.unwrap_or(fuel)),
            wall_ms: self.wall_ms.unwrap_or(defaults.wall_ms),
            cpu_ms: self.cpu_ms.unwrap_or(defaults.cpu_ms),
            log_bytes: self.log_bytes.unwrap_or(defaults.log_bytes),
            hostcall_bytes: self.hostcall_bytes.unwrap_or(defaults.hostcall_bytes),
            request_bytes: self.request_bytes.unwrap_or(defaults.request_bytes),
            response_bytes: self.response_bytes.unwrap_or(defaults.response_bytes),
            http_calls: self.http_calls.unwrap_or(defaults.http_calls),
            concurrent: self.concurrent.unwrap_or(defaults.concurrent),
            resources: self.resources.unwrap_or(defaults.resources),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_metered_by_fuel_and_an_adapter_by_time() {
        assert!(Limits::for_world(World::ConstitutionRule).fuel.is_some());
        let fuel = LimitOverrides {
            fuel: Some(5),
            ..LimitOverrides::default()
        };
        assert_eq!(fuel.over(Limits::for_world(World::ModelAdapter)).fuel, None);
        assert_eq!(
            fuel.over(Limits::for_world(World::ConstitutionRule)).fuel,
            Some(5)
        );
    }

    #[test]
    fn an_override_moves_one_limit_and_leaves_the_rest() {
        let changed = LimitOverrides {
            memory_mb: Some(1),
            ..LimitOverrides::default()
        }
        .over(Limits::for_world(World::Connector));
        assert_eq!(
            changed,
            Limits {
                memory_bytes: MIB,
                ..Limits::for_world(World::Connector)
            }
        );
    }

    #[test]
    fn the_schema_of_the_grant_file_tells_the_defaults_that_hold() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../schemas/grant.schema.json")).unwrap();
        let table = &schema["properties"]["limits"]["properties"];
        let adapter = Limits::for_world(World::ModelAdapter);
        for (name, value) in adapter.entries() {
            assert_eq!(table[name]["default"], value, "{name}");
        }
        let names: Vec<_> = Limits::for_world(World::ConstitutionRule)
            .entries()
            .map(|(name, _)| name)
            .collect();
        assert_eq!(names.len(), table.as_object().unwrap().len());
        let trap = &schema["properties"]["trap"]["properties"];
        assert_eq!(trap["strikes"]["default"], TrapPolicy::default().strikes);
        assert_eq!(trap["window_s"]["default"], TrapPolicy::default().window_s);
    }
}
