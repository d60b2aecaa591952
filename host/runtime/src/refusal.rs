//! Why a file in the plugin folder is not running: the sentence an operator reads.

use serde::Serialize;

use crate::egress::EgressError;
use crate::grant::GrantError;
use crate::manifest::{ConfigError, ManifestError};
use crate::signature::SignatureError;

/// Why a plugin was not loaded. The version that ran before, if any, keeps running.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The file could not be read.
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),

    /// What has a plugin's name is no file.
    #[error("{0}")]
    NoFile(String),

    /// The file is called what no plugin can be called.
    #[error(
        "`{0}.wasm` cannot be a plugin's file: a plugin's name has lower-case letters, digits, `-` and `_`; rename it"
    )]
    Name(String),

    /// The file is larger than any plugin may be.
    #[error("the file has {bytes} bytes; a plugin may have {limit}")]
    TooLarge {
        /// Its size.
        bytes: u64,
        /// The most there may be.
        limit: u64,
    },

    /// The file does not start like WebAssembly.
    #[error("this is not WebAssembly; drop a compiled component (`.wasm`) here")]
    NotWebAssembly,

    /// A bare module.
    #[error(
        "this is a core module without a component type; build it with `polity-sdk` or `wit-bindgen`, or make a component of it first"
    )]
    CoreModule,

    /// The bytes are damaged or contradict themselves.
    #[error("the file is damaged or not well-formed: {detail}")]
    Malformed {
        /// Where and how.
        detail: String,
    },

    /// A component, but not one of ours.
    #[error(
        "the component exports none of `model`, `strategy`, `rule` and `operations` of `polity:plugin`; it exports {}",
        list(exports)
    )]
    NoWorld {
        /// What it exports instead.
        exports: Vec<String>,
    },

    /// Ours, of a version that this host does not speak.
    #[error(
        "it was built for `polity:plugin@{found}` and this host speaks {host}; rebuild it with the host's `wit/`"
    )]
    OtherVersion {
        /// The component's version of the contract.
        found: String,
        /// The host's.
        host: String,
    },

    /// Same version, other types.
    #[error("it differs from `polity:plugin@{version}`: {}", differences.join("; "))]
    Contract {
        /// The contract it claims to keep.
        version: String,
        /// Each difference, in words.
        differences: Vec<String>,
    },

    /// It imports what nobody provides.
    #[error("it imports {}, which no grant can give", list(names))]
    UnknownImport {
        /// The interfaces.
        names: Vec<String>,
    },

    /// The manifest is not as it should be.
    #[error("its manifest: {0}")]
    Manifest(#[from] ManifestError),

    /// The grant file is not as it should be.
    #[error("its grant file: {0}")]
    Grant(#[from] GrantError),

    /// The configuration does not satisfy the manifest's schema.
    #[error("its configuration: {0}")]
    Config(#[from] ConfigError),

    /// The way out could not be built.
    #[error("its egress: {0}")]
    Egress(#[from] EgressError),

    /// The signature is missing or wrong.
    #[error(transparent)]
    Signature(#[from] SignatureError),

    /// The file is not the one that the grant pins.
    #[error(
        "the grant pins {pinned}, but the file is {found}; update the pin if you trust the new file"
    )]
    Pinned {
        /// What the grant wants.
        pinned: String,
        /// What is there.
        found: String,
    },

    /// The compiler refused it.
    #[error("it does not compile: {detail}")]
    Compile {
        /// The compiler's reason.
        detail: String,
    },

    /// It failed the first call, made with nothing granted.
    #[error("its `{export}` failed when it was first called: {detail}")]
    SelfTest {
        /// The export that was called.
        export: &'static str,
        /// How it failed.
        detail: String,
    },

    /// Another plugin already offers the same thing.
    #[error("{detail}")]
    Conflict {
        /// What and who.
        detail: String,
    },
}

impl Refusal {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::Unreadable(_) => "unreadable",
            Refusal::NoFile(_) => "no-file",
            Refusal::TooLarge { .. } => "too-large",
            Refusal::Name(_) => "name",
            Refusal::NotWebAssembly => "not-webassembly",
            Refusal::CoreModule => "core-module",
            Refusal::Malformed { .. } => "malformed",
            Refusal::NoWorld { .. } => "no-world",
            Refusal::OtherVersion { .. } => "other-version",
            Refusal::Contract { .. } => "contract",
            Refusal::UnknownImport { .. } => "unknown-import",
            Refusal::Manifest(_) => "manifest",
            Refusal::Grant(_) => "grant",
            Refusal::Config(_) => "config",
            Refusal::Egress(_) => "egress",
            Refusal::Signature(_) => "signature",
            Refusal::Pinned { .. } => "pinned",
            Refusal::Compile { .. } => "compile",
            Refusal::SelfTest { .. } => "self-test",
            Refusal::Conflict { .. } => "conflict",
        }
    }
}

impl From<wasmparser::BinaryReaderError> for Refusal {
    fn from(error: wasmparser::BinaryReaderError) -> Self {
        Refusal::Malformed {
            detail: error.to_string(),
        }
    }
}

impl Serialize for Refusal {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut fields = serializer.serialize_struct("Refusal", 2)?;
        fields.serialize_field("code", self.code())?;
        fields.serialize_field("detail", &self.to_string())?;
        fields.end()
    }
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "nothing".to_owned();
    }
    names
        .iter()
        .map(|name| format!("`{name}`"))
        .collect::<Vec<_>>()
        .join(", ")
}
