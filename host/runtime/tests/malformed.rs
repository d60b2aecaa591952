//! Files that are no plugins: each is refused with a reason, and what served before still does.

mod support;

use polity_runtime::plugin::Verdict;
use polity_test_guests as guests;
use serde_json::json;
use support::{Host, evaluate};

/// Drops a file over a good plugin and returns the refusal.
fn dropped(bytes: &[u8]) -> String {
    let host = Host::empty();
    host.install("rule", guests::RULE, "");
    std::fs::write(host.file("rule.wasm"), bytes).unwrap();
    let refusal = host.refusal("rule");
    let generation = host.runtime.current();
    let still = generation
        .plugin("rule")
        .expect("the version before still serves");
    assert_eq!(
        evaluate(still, json!({})).unwrap().verdict,
        Verdict::Deny(guests::FIRST.into())
    );
    refusal
}

#[test]
fn random_bytes_are_not_webassembly() {
    assert!(dropped(&[0x5a; 4096]).starts_with("not-webassembly: "));
}

#[test]
fn an_empty_file_is_not_webassembly() {
    assert!(dropped(b"").starts_with("not-webassembly: "));
}

#[test]
fn a_component_cut_short_is_damaged() {
    assert!(dropped(&guests::RULE[..guests::RULE.len() / 2]).starts_with("malformed: "));
}

#[test]
fn flipped_bytes_never_bring_the_host_down() {
    let host = Host::empty();
    for place in (8..guests::RULE.len()).step_by(guests::RULE.len() / 64) {
        let mut bytes = guests::RULE.to_vec();
        bytes[place] ^= 0xff;
        // Some flips hit text or padding and change nothing that matters: what counts is that the host decides.
        let _ = host.runtime.inspect("rule", &bytes, None, None);
    }
    host.install("rule", guests::RULE, "");
}

#[test]
fn a_core_module_without_a_component_type_is_named_as_such() {
    assert!(dropped(b"\0asm\x01\0\0\0").starts_with("core-module: "));
}

#[test]
fn a_component_of_another_world_is_named_as_such() {
    assert!(dropped(b"\0asm\x0d\0\x01\0").starts_with("no-world: "));
}

#[test]
fn a_component_of_another_version_is_told_which_one_the_host_speaks() {
    let other = guests::patched(guests::RULE, b"@0.1.0", b"@0.2.0");
    let refusal = dropped(&other);
    assert!(
        refusal.starts_with("other-version: it was built for `polity:plugin@0.2.0`"),
        "{refusal}"
    );
}

#[test]
fn packages_that_use_each_other_in_a_circle_are_refused() {
    // One interface of the package is moved to another version of it; both versions now use each other.
    let circle = guests::patched(
        guests::RULE,
        b"polity:plugin/rule@0.1.0",
        b"polity:plugin/rule@9.1.0",
    );
    let refusal = dropped(&circle);
    assert!(refusal.contains("in a circle"), "{refusal}");
}

#[test]
fn types_that_are_nested_as_deeply_as_they_can_be_do_not_end_the_host() {
    for levels in [100, 170_000, 300_000] {
        let mut nested = vec![0x41, 0x00];
        let mut types = [0x41, 0x01, 0x01].repeat(levels);
        types.append(&mut nested);
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        component.push(7);
        let body = [&[1], types.as_slice()].concat();
        component.extend(leb(body.len()));
        component.extend(body);
        let module = guests::with_section(b"\0asm\x01\0\0\0", "component-type:x", &component);
        let refusal = dropped(&module);
        assert!(refusal.starts_with("malformed: "), "{levels}: {refusal}");
    }
}

fn leb(mut number: usize) -> Vec<u8> {
    let mut out = Vec::new();
    while number > 0x7f {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
    out
}

#[test]
fn a_huge_custom_section_changes_nothing_but_the_digest() {
    let host = Host::empty();
    let plugin = host.install(
        "rule",
        &guests::with_section(guests::RULE, "ballast", &vec![7; 40 << 20]),
        "",
    );
    assert_eq!(
        evaluate(&plugin, json!({})).unwrap().verdict,
        Verdict::Deny(guests::FIRST.into())
    );
}

#[test]
fn a_file_of_two_hundred_megabytes_is_refused_by_its_size_alone() {
    let host = Host::empty();
    // Sparse: nothing is written, and nothing is read.
    let file = std::fs::File::create(host.file("big.wasm")).unwrap();
    file.set_len(200 << 20).unwrap();
    drop(file);
    assert!(host.refusal("big").starts_with("too-large: "));
}

#[test]
fn a_manifest_of_another_world_is_refused() {
    let lying = guests::patched(
        guests::RULE,
        b"\"constitution-rule\"",
        b"\"schema-strategy\"  ",
    );
    let refusal = dropped(&lying);
    assert!(
        refusal.starts_with("malformed: ") && refusal.contains("schema-strategy"),
        "{refusal}"
    );
}
