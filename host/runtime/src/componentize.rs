//! From a core module that carries its component type to a component.
//!
//! The encoder is written for what toolchains emit and not for what an enemy does: packages that use each other in a
//! circle send it round until the stack is used up, which ends the whole process. So the description is looked at first.

use wasmparser::{Parser, Payload};
use wit_parser::{PackageId, Resolve};

use crate::refusal::Refusal;

/// What the custom sections that hold a component type are called, with something behind it.
pub(crate) const TYPE_SECTION: &str = "component-type";

/// Makes a component of a module.
pub(crate) fn componentize(module: &[u8]) -> Result<Vec<u8>, Refusal> {
    check(module)?;
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| no_component(&format!("{error:#}")))
}

/// Refuses descriptions that the encoder would not come back from.
fn check(module: &[u8]) -> Result<(), Refusal> {
    for payload in Parser::new(0).parse_all(module) {
        let Payload::CustomSection(section) = payload? else {
            continue;
        };
        if !section.name().starts_with(TYPE_SECTION) {
            continue;
        }
        // An older form has other bytes in front; no toolchain that knows this contract writes it.
        if !section.data().starts_with(b"\0asm") {
            return Err(no_component(
                "its component type has a form that is no longer read; build it with a newer toolchain",
            ));
        }
        let (resolve, _) = wit_parser::decoding::decode_world(section.data())
            .map_err(|error| no_component(&format!("{error:#}")))?;
        if has_circle(&resolve) {
            return Err(no_component(
                "packages of its component type use each other in a circle",
            ));
        }
    }
    Ok(())
}

/// Takes away, again and again, what uses nothing that is left. What cannot be taken away is a circle or uses one.
fn has_circle(resolve: &Resolve) -> bool {
    let mut left: Vec<PackageId> = resolve.packages.iter().map(|(id, _)| id).collect();
    loop {
        let before = left.len();
        let uses_left = |id: &PackageId, left: &[PackageId]| {
            resolve
                .package_direct_deps(*id)
                .any(|used| left.contains(&used))
        };
        let rest: Vec<PackageId> = left
            .iter()
            .filter(|id| uses_left(id, &left))
            .copied()
            .collect();
        left = rest;
        if left.is_empty() || left.len() == before {
            return !left.is_empty();
        }
    }
}

fn no_component(reason: &str) -> Refusal {
    Refusal::Malformed {
        detail: format!("the module is no component: {reason}"),
    }
}
