//! WASI for guests whose toolchain links it whether they use it or not.
//!
//! The stubs are inert: no environment, no arguments, no files, no sockets, output that goes nowhere, a clock that stands
//! still and randomness that repeats. They keep such a component loadable and give it nothing. Folders that were granted
//! are the one exception.

use std::time::Duration;

use wasmtime_wasi::random::Deterministic;
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::egress::EgressHooks;
use crate::grant::FolderGrant;
use crate::sandbox::Guest;

/// The state behind the stubs of one instance.
pub(crate) struct InertWasi {
    ctx: WasiCtx,
    http: WasiHttpCtx,
    hooks: EgressHooks,
}

/// Time as a guest sees it that was granted none.
struct StoppedClock;

impl HostWallClock for StoppedClock {
    fn resolution(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for StoppedClock {
    fn resolution(&self) -> u64 {
        1_000_000_000
    }

    fn now(&self) -> u64 {
        0
    }
}

impl InertWasi {
    pub(crate) fn new(folders: &[FolderGrant], hooks: EgressHooks) -> wasmtime::Result<Self> {
        let mut builder = WasiCtx::builder();
        builder
            .wall_clock(StoppedClock)
            .monotonic_clock(StoppedClock)
            .secure_random(Deterministic::new(vec![0x5a; 32]))
            .insecure_random(Deterministic::new(vec![0x5a; 32]))
            .insecure_random_seed(0)
            .allow_tcp(false)
            .allow_udp(false)
            .allow_ip_name_lookup(false);
        for folder in folders {
            mount(&mut builder, folder)?;
        }
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(64 << 10);
        Ok(Self {
            ctx: builder.build(),
            http,
            hooks,
        })
    }
}

fn mount(
    builder: &mut wasmtime_wasi::WasiCtxBuilder,
    folder: &FolderGrant,
) -> wasmtime::Result<()> {
    let permissions = if folder.write {
        wasmtime_wasi::FsPerms::ReadWrite
    } else {
        wasmtime_wasi::FsPerms::ReadOnly
    };
    builder.preopened_dir(&folder.host, &folder.guest, permissions)?;
    Ok(())
}

impl WasiView for Guest {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let table = &mut self.table;
        WasiCtxView {
            ctx: &mut wasi(&mut self.wasi).ctx,
            table,
        }
    }
}

impl WasiHttpView for Guest {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        let table = &mut self.table;
        let wasi = wasi(&mut self.wasi);
        WasiHttpCtxView {
            hooks: &mut wasi.hooks,
            table,
            ctx: &mut wasi.http,
        }
    }
}

/// WASI is linked for exactly the plugins whose stores have this state: both follow from one field of the profile.
fn wasi(state: &mut Option<Box<InertWasi>>) -> &mut InertWasi {
    state
        .as_mut()
        .expect("a store has WASI state where WASI is linked")
}
