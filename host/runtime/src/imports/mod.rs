//! What the host offers to guests: the implementation of every import, and the one place that links them.

pub(crate) mod http;
mod log;
pub(crate) mod reply;
mod wasi;
pub(crate) mod what_if;

use wasmtime::component::{HasSelf, Linker};

use crate::bindings::imports::polity::plugin;
use crate::sandbox::Guest;

pub(crate) use wasi::InertWasi;

/// Links what every plugin may use and what this one was granted, nothing else.
pub(crate) fn link(linker: &mut Linker<Guest>, links: Links) -> wasmtime::Result<()> {
    plugin::types::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    plugin::log::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    plugin::config::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    if links.reply {
        plugin::reply::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    }
    if links.http {
        plugin::http::add_to_linker::<Guest, HasSelf<Guest>>(linker, |guest| guest)?;
    }
    if links.what_if {
        what_if::link(linker)?;
    }
    if links.wasi {
        wasmtime_wasi::p2::add_to_linker_async(linker)?;
    }
    if links.wasi_http {
        wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    }
    Ok(())
}

/// What a plugin gets beside its log and its configuration.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Links {
    pub(crate) reply: bool,
    pub(crate) http: bool,
    pub(crate) what_if: bool,
    pub(crate) wasi: bool,
    pub(crate) wasi_http: bool,
}

impl plugin::types::Host for Guest {}

impl plugin::config::Host for Guest {
    fn get(&mut self) -> wasmtime::Result<String> {
        Ok(self.config.to_string())
    }
}
