//! Messages for the operator: `polity_sdk::log::info("…")`.

use crate::bindings::polity::plugin::log::{self, Level};

/// For the plugin's author.
pub fn debug(message: impl AsRef<str>) {
    log::write(Level::Debug, message.as_ref());
}

/// Normal, worth keeping.
pub fn info(message: impl AsRef<str>) {
    log::write(Level::Info, message.as_ref());
}

/// Unexpected, and handled.
pub fn warn(message: impl AsRef<str>) {
    log::write(Level::Warn, message.as_ref());
}

/// Unexpected, and somebody should look.
pub fn error(message: impl AsRef<str>) {
    log::write(Level::Error, message.as_ref());
}
