//! `polity:plugin/log`: a guest's messages, within a budget, in the host's log.

use crate::bindings::imports::polity::plugin::log::{Host, Level};
use crate::sandbox::Guest;

impl Host for Guest {
    fn write(&mut self, level: Level, message: String) -> wasmtime::Result<()> {
        // An empty message costs as much to handle as a short one.
        let cost = message.len().max(16);
        if cost > self.log_left {
            self.log_dropped += 1;
            return Ok(());
        }
        self.log_left -= cost;
        // Colour codes and line breaks of a guest do not reach the operator's terminal.
        let message: String = self
            .profile
            .scrub(&message)
            .chars()
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let plugin = &*self.profile.name;
        match level {
            Level::Debug => tracing::debug!(target: "polity::plugin", plugin, "{message}"),
            Level::Info => tracing::info!(target: "polity::plugin", plugin, "{message}"),
            Level::Warn => tracing::warn!(target: "polity::plugin", plugin, "{message}"),
            Level::Error => tracing::error!(target: "polity::plugin", plugin, "{message}"),
        }
        Ok(())
    }
}
