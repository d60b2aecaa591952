//! A plugin's file, read but not run: is it a component of ours, of which kind, and what does it ask for?
//!
//! Everything here works on bytes that nobody vouches for. It is bounded by the file's size, allocates in proportion to
//! it, runs no guest code and needs no engine. The libraries that read component types call themselves once for each
//! level of nesting, before they count the levels; so types are read on a stack that holds as many levels as fit in the
//! longest section of types that is read at all.

use wasmparser::{ComponentExternalKind, Encoding, Parser, Payload};

use crate::componentize::{TYPE_SECTION, componentize};
use crate::contract;
use crate::digest::Digest;
use crate::manifest::Manifest;
use crate::refusal::Refusal;
use crate::world::{CONTRACT_VERSION, PACKAGE, World};

/// Largest plugin file. A Python component with its interpreter has 18 to 35 MB.
pub const MAX_FILE_BYTES: u64 = 64 << 20;

/// The custom section that holds the manifest.
pub const MANIFEST_SECTION: &str = "polity:manifest";

/// Largest manifest: room for a generous configuration schema.
const MAX_MANIFEST_BYTES: usize = 256 << 10;

/// Modules and components may lie in each other; the contract's toolchains need three levels.
const MAX_NESTING: usize = 64;

/// Longest section of component types. The largest that is known, of a Python component, has 60 KB.
const MAX_TYPE_BYTES: usize = 512 << 10;

/// Room for three kilobytes at each level of nesting that [`MAX_TYPE_BYTES`] can hold; only what is used of it takes
/// memory.
const TYPE_STACK_BYTES: usize = 512 << 20;

/// Most imports or exports that are looked at.
const MAX_NAMES: usize = 10_000;

/// A file that has the form of a plugin.
#[derive(Clone, Debug)]
pub struct Artifact {
    /// Of the file as it lies in the folder; signatures and pins refer to it.
    pub digest: Digest,
    /// The component: the file itself, or what was made of the module in it.
    pub component: Vec<u8>,
    /// The plugin's kind.
    pub world: World,
    /// What the plugin says of itself, if it says something.
    pub manifest: Option<Manifest>,
    /// Names of the imported interfaces, sorted.
    pub imports: Vec<String>,
}

impl Artifact {
    /// Reads a plugin file.
    ///
    /// A core module that carries its component type (what `cargo build --target wasm32-unknown-unknown` leaves) is
    /// turned into a component. The contract is checked function by function and type by type.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.len() as u64 > MAX_FILE_BYTES {
            return Err(Refusal::TooLarge {
                bytes: bytes.len() as u64,
                limit: MAX_FILE_BYTES,
            });
        }
        let outline = Outline::of(bytes)?;
        std::thread::scope(|scope| {
            let reader = std::thread::Builder::new()
                .name("polity-reader".into())
                .stack_size(TYPE_STACK_BYTES)
                .spawn_scoped(scope, || Self::read_types(bytes, outline))?;
            // A bug in a reader is this file's fault and nobody else's.
            reader.join().unwrap_or_else(|_| {
                Err(Refusal::Malformed {
                    detail: "reading it ran into a bug; the log has the details".into(),
                })
            })
        })
    }

    fn read_types(bytes: &[u8], outline: Outline) -> Result<Self, Refusal> {
        let digest = Digest::of(bytes);
        let (component, outline) = if outline.encoding == Encoding::Module {
            if !outline.has_component_type {
                return Err(Refusal::CoreModule);
            }
            let component = componentize(bytes)?;
            let manifest = outline.manifest;
            let mut outline = Outline::of(&component)?;
            outline.manifest = outline.manifest.or(manifest);
            (component, outline)
        } else {
            (bytes.to_vec(), outline)
        };
        let world = identify(&outline)?;
        let manifest = outline
            .manifest
            .as_deref()
            .map(Manifest::parse)
            .transpose()?;
        if let Some(manifest) = &manifest
            && manifest.world != world
        {
            return Err(Refusal::Malformed {
                detail: format!(
                    "the manifest says `{}` but the component is a `{world}`",
                    manifest.world
                ),
            });
        }
        contract::check(&component, world)?;
        let mut imports = outline.imports;
        imports.sort();
        Ok(Self {
            digest,
            component,
            world,
            manifest,
            imports,
        })
    }

    /// Whether an interface is imported, whatever its version.
    pub fn imports_interface(&self, name: &str) -> bool {
        self.imports
            .iter()
            .any(|import| import.split('@').next() == Some(name))
    }

    /// Whether anything of WASI is imported.
    pub fn imports_wasi(&self) -> bool {
        self.imports
            .iter()
            .any(|import| import.starts_with("wasi:"))
    }

    /// Whether outbound HTTP is imported, by either of its interfaces.
    pub fn imports_http(&self) -> bool {
        self.imports_interface("polity:plugin/http")
            || self.imports_interface("wasi:http/outgoing-handler")
    }
}

/// What the sections of a file say.
struct Outline {
    encoding: Encoding,
    has_component_type: bool,
    manifest: Option<Vec<u8>>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outline {
    fn of(bytes: &[u8]) -> Result<Self, Refusal> {
        if !bytes.starts_with(b"\0asm") {
            return Err(Refusal::NotWebAssembly);
        }
        let mut outline = Outline {
            encoding: Encoding::Module,
            has_component_type: false,
            manifest: None,
            imports: Vec::new(),
            exports: Vec::new(),
        };
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::Version { encoding, .. } if depth == 0 => outline.encoding = encoding,
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                    depth += 1;
                    if depth > MAX_NESTING {
                        return Err(Refusal::Malformed {
                            detail: "modules are nested too deeply".into(),
                        });
                    }
                }
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) => {
                    outline.custom(section.name(), section.data())?
                }
                Payload::ComponentTypeSection(section) => bounded(section.range().len())?,
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        push(&mut outline.imports, import?.name.name)?;
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let export = export?;
                        if export.kind == ComponentExternalKind::Instance {
                            push(&mut outline.exports, export.name.name)?;
                        }
                    }
                }
                _ => {}
            }
        }
        Ok(outline)
    }

    fn custom(&mut self, name: &str, data: &[u8]) -> Result<(), Refusal> {
        if name.starts_with(TYPE_SECTION) {
            bounded(data.len())?;
            self.has_component_type = true;
        }
        // The outermost manifest speaks for the file; a second one inside, of a library, does not.
        if name == MANIFEST_SECTION && self.manifest.is_none() {
            if data.len() > MAX_MANIFEST_BYTES {
                return Err(Refusal::Malformed {
                    detail: format!(
                        "the manifest has {} bytes; {MAX_MANIFEST_BYTES} are allowed",
                        data.len()
                    ),
                });
            }
            self.manifest = Some(data.to_vec());
        }
        Ok(())
    }
}

fn bounded(type_bytes: usize) -> Result<(), Refusal> {
    if type_bytes <= MAX_TYPE_BYTES {
        return Ok(());
    }
    Err(Refusal::Malformed {
        detail: format!("its types take {type_bytes} bytes; {MAX_TYPE_BYTES} are read"),
    })
}

fn push(names: &mut Vec<String>, name: &str) -> Result<(), Refusal> {
    if names.len() == MAX_NAMES {
        return Err(Refusal::Malformed {
            detail: format!("more than {MAX_NAMES} imports or exports"),
        });
    }
    names.push(name.to_owned());
    Ok(())
}

/// The kind by the exported interface, and a clear word when it is ours but of another version.
fn identify(outline: &Outline) -> Result<World, Refusal> {
    let mut worlds = Vec::new();
    for export in &outline.exports {
        let (path, version) = export.split_once('@').unwrap_or((export, ""));
        let Some(interface) = path
            .strip_prefix(PACKAGE)
            .and_then(|rest| rest.strip_prefix('/'))
        else {
            continue;
        };
        let Some(world) = World::from_export(interface) else {
            continue;
        };
        if !speaks(version) {
            return Err(Refusal::OtherVersion {
                found: version.to_owned(),
                host: CONTRACT_VERSION.to_owned(),
            });
        }
        worlds.push(world);
    }
    match worlds.as_slice() {
        [world] => Ok(*world),
        [] => Err(Refusal::NoWorld {
            exports: outline.exports.clone(),
        }),
        [first, second, ..] => Err(Refusal::Malformed {
            detail: format!("it is both a `{first}` and a `{second}`; a plugin is one thing"),
        }),
    }
}

/// Versions that semantic versioning calls compatible with ours: the same 0.x, and not newer than what we know.
fn speaks(version: &str) -> bool {
    let parts = |version: &str| -> Option<(u64, u64, u64)> {
        let mut parts = version.split('.').map(|part| part.parse().ok());
        Some((parts.next()??, parts.next()??, parts.next()??))
    };
    match (parts(version), parts(CONTRACT_VERSION)) {
        (Some((major, minor, patch)), Some((our_major, our_minor, our_patch))) => {
            major == our_major && minor == our_minor && patch <= our_patch
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(name: &str) -> &'static [u8] {
        polity_plugins::find(name).unwrap().wasm
    }

    #[test]
    fn a_module_that_carries_its_component_type_becomes_a_plugin() {
        let artifact = Artifact::read(plugin("spending-limit")).unwrap();
        assert_eq!(artifact.world, World::ConstitutionRule);
        assert!(!artifact.imports_wasi());
        assert_eq!(artifact.manifest.unwrap().name, "spending-limit");
    }

    #[test]
    fn the_component_made_of_a_module_reads_the_same() {
        let module = Artifact::read(plugin("ollama")).unwrap();
        let component = Artifact::read(&module.component).unwrap();
        assert_eq!(component.world, World::ModelAdapter);
        assert_eq!(component.imports, module.imports);
        assert_eq!(component.manifest, module.manifest);
    }

    #[test]
    fn text_is_not_webassembly() {
        assert!(matches!(
            Artifact::read(b"#!/bin/sh"),
            Err(Refusal::NotWebAssembly)
        ));
        assert!(matches!(Artifact::read(b""), Err(Refusal::NotWebAssembly)));
    }

    #[test]
    fn a_module_without_a_component_type_is_refused_by_name() {
        assert!(matches!(
            Artifact::read(b"\0asm\x01\0\0\0"),
            Err(Refusal::CoreModule)
        ));
    }

    #[test]
    fn an_empty_component_exports_nothing_of_ours() {
        assert!(matches!(
            Artifact::read(b"\0asm\x0d\0\x01\0"),
            Err(Refusal::NoWorld { .. })
        ));
    }

    #[test]
    fn a_file_cut_short_at_any_place_is_refused_and_never_panics() {
        let whole = plugin("business-hours");
        for length in (0..whole.len()).step_by(997) {
            assert!(Artifact::read(&whole[..length]).is_err(), "{length}");
        }
    }

    #[test]
    fn only_compatible_versions_of_the_contract_are_spoken() {
        assert!(speaks("0.1.0"));
        for version in ["0.1.1", "0.2.0", "1.0.0", "", "0.1", "x"] {
            assert!(!speaks(version), "{version}");
        }
    }
}
