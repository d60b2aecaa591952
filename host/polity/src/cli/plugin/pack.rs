//! `polity plugin pack`: what a compiler left, made into one file that can be dropped anywhere.

use std::path::PathBuf;

use clap::Args;
use polity_runtime::artifact::{Artifact, MANIFEST_SECTION};
use polity_runtime::digest::Digest;
use polity_runtime::manifest::Manifest;
use serde::Serialize;
use wasm_encoder::{Encode, Section};

use super::file;
use crate::cli::exit::Exit;
use crate::cli::files::{Readers, write_whole};
use crate::cli::out::{Out, say};
use crate::cli::report::Report;
use crate::cli::text::size;

/// Make a plugin of a compiled module or component: componentise it, put its manifest in.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity plugin pack module.wasm -o refunds.wasm
  polity plugin pack component.wasm --manifest polity.json -o refunds.wasm")]
pub(crate) struct PackArgs {
    /// A component, or a core module that carries its component type.
    input: PathBuf,

    /// The manifest to put in, `polity.json`; not needed where the SDK has put it in already.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,

    /// The file to write.
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Serialize)]
struct Packed {
    file: PathBuf,
    name: Option<String>,
    world: &'static str,
    digest: Digest,
    bytes: usize,
}

pub(super) fn run(args: &PackArgs, out: Out) -> Result<Exit, Report> {
    let failed = || Report::new(format!("{} cannot be packed", args.input.display()));
    let input = std::fs::read(&args.input).map_err(|error| failed().because(error))?;
    let manifest = args.manifest.as_deref().map(file::text).transpose()?;
    let packed = pack(&input, manifest.as_deref()).map_err(|cause| {
        failed()
            .because(cause)
            .hint("what a plugin has to export is in wit/; `polity plugin check` tells more")
    })?;
    let artifact = Artifact::read(&packed).map_err(|refusal| failed().because(refusal))?;
    write_whole(&args.output, &packed, Readers::Anyone).map_err(|error| {
        Report::new(format!("{} cannot be written", args.output.display())).because(error)
    })?;
    let told = Packed {
        file: args.output.clone(),
        name: artifact.manifest.map(|manifest| manifest.name),
        world: artifact.world.name(),
        digest: artifact.digest,
        bytes: packed.len(),
    };
    out.show(&told, |out| {
        writeln!(
            out,
            "{}  {}  {}",
            told.digest,
            size(packed.len() as u64),
            told.file.display()
        )
    })?;
    if told.name.is_none() {
        say(
            "It carries no manifest, so nobody will know what it is for. Add one: --manifest polity.json",
        );
    }
    Ok(Exit::Ok)
}

/// A component with its manifest in it.
fn pack(input: &[u8], manifest: Option<&str>) -> Result<Vec<u8>, String> {
    let artifact = Artifact::read(input).map_err(|refusal| refusal.to_string())?;
    let mut component = artifact.component;
    let Some(text) = manifest else {
        return Ok(component);
    };
    let manifest = Manifest::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    if manifest.world != artifact.world {
        return Err(format!(
            "the manifest says `{}` but the component is a `{}`",
            manifest.world, artifact.world
        ));
    }
    if let Some(inside) = artifact.manifest {
        return Err(format!(
            "it carries the manifest of `{}` {} already, and a plugin has one; leave out --manifest",
            inside.name, inside.version
        ));
    }
    let section = wasm_encoder::CustomSection {
        name: MANIFEST_SECTION.into(),
        data: text.as_bytes().into(),
    };
    component.push(section.id());
    section.encode(&mut component);
    Ok(component)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bundled(name: &str) -> &'static [u8] {
        polity_plugins::find(name).unwrap().wasm
    }

    /// The same plugin as a compiler without our SDK would leave it.
    fn without_manifest(component: &[u8]) -> Vec<u8> {
        let name = MANIFEST_SECTION.as_bytes();
        let at = component
            .windows(name.len())
            .position(|window| window == name)
            .unwrap();
        let mut other = component.to_vec();
        other[at] = b'x';
        other
    }

    #[test]
    fn a_module_becomes_a_component_that_says_the_same_of_itself() {
        let packed = pack(bundled("spending-limit"), None).unwrap();
        let artifact = Artifact::read(&packed).unwrap();
        assert_eq!(artifact.component, packed);
        assert_eq!(artifact.manifest.unwrap().name, "spending-limit");
    }

    #[test]
    fn a_manifest_is_put_in_and_found_again() {
        let bare = without_manifest(&pack(bundled("spending-limit"), None).unwrap());
        assert!(Artifact::read(&bare).unwrap().manifest.is_none());
        let manifest = r#"{"name": "refunds", "version": "1.2.3", "world": "constitution-rule", "summary": "Refunds", "wants": []}"#;
        let packed = pack(&bare, Some(manifest)).unwrap();
        assert_eq!(
            Artifact::read(&packed).unwrap().manifest.unwrap().version,
            "1.2.3"
        );
    }

    #[test]
    fn a_manifest_of_another_world_or_a_second_one_is_refused() {
        let text = |world: &str| {
            format!(r#"{{"name": "x", "version": "1.0.0", "world": "{world}", "summary": "x"}}"#)
        };
        let limit = bundled("spending-limit");
        assert!(
            pack(limit, Some(&text("connector")))
                .unwrap_err()
                .contains("constitution-rule")
        );
        assert!(
            pack(limit, Some(&text("constitution-rule")))
                .unwrap_err()
                .contains("already")
        );
        assert!(
            pack(b"\0asm\x01\0\0\0", None)
                .unwrap_err()
                .contains("component type")
        );
    }
}
