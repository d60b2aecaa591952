//! The first-party plugins, compiled into the binary, so that a company can be started on a machine without a
//! compiler.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

/// One first-party plugin.
#[derive(Clone, Copy)]
pub struct Plugin {
    /// The plugin's name, which is also its file's name without `.wasm`.
    pub name: &'static str,
    /// The module as the compiler left it: it carries its component type and its manifest, and the runtime makes a
    /// component of it when it loads.
    pub wasm: &'static [u8],
    /// The SHA-256 of `wasm`. Known beforehand, so that a start does not read megabytes of its own program.
    pub sha256: [u8; 32],
}

/// All of them, by name.
pub const PLUGINS: &[Plugin] = include!(concat!(env!("OUT_DIR"), "/plugins.rs"));

/// Finds a plugin by its name.
pub fn find(name: &str) -> Option<&'static Plugin> {
    PLUGINS.iter().find(|plugin| plugin.name == name)
}

#[cfg(test)]
mod tests {
    use sha2::{Digest, Sha256};

    use super::PLUGINS;

    #[test]
    fn every_digest_is_that_of_the_bytes_beside_it() {
        for plugin in PLUGINS {
            assert_eq!(
                plugin.sha256[..],
                Sha256::digest(plugin.wasm)[..],
                "{}",
                plugin.name
            );
        }
    }
}
