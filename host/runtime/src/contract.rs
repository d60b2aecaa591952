//! Does a component keep the contract? If not, what exactly differs, in the contract's own words.
//!
//! wasmtime checks types too, but says only that something does not match. Authors need to read which field is missing
//! and from which version it came, so both sides are compared as WIT.

use std::sync::LazyLock;

use wit_parser::decoding::{DecodedWasm, decode};
use wit_parser::{
    Function, Handle, Interface, InterfaceId, Resolve, Type, TypeDefKind, TypeId, WorldItem,
    WorldKey,
};

use crate::refusal::Refusal;
use crate::world::{CONTRACT_VERSION, PACKAGE, World};

/// The contract as this host was built with it.
static CONTRACT: LazyLock<Resolve> = LazyLock::new(|| {
    let mut sources = wit_parser::SourceMap::new();
    for (name, text) in WIT {
        sources.push_str(name, text);
    }
    let mut resolve = Resolve::new();
    // The text is compiled in and every test run parses it: a failure here cannot reach an operator.
    let group = sources
        .parse()
        .unwrap_or_else(|(_, error)| panic!("wit/ does not parse: {error}"));
    resolve
        .push_group(group)
        .unwrap_or_else(|error| panic!("wit/ does not resolve: {error}"));
    resolve
});

/// The contract's files, for people who write plugins.
pub const WIT: [(&str, &str); 6] = [
    ("types.wit", include_str!("../../../wit/types.wit")),
    ("http.wit", include_str!("../../../wit/http.wit")),
    ("model.wit", include_str!("../../../wit/model.wit")),
    ("rule.wit", include_str!("../../../wit/rule.wit")),
    ("strategy.wit", include_str!("../../../wit/strategy.wit")),
    ("connector.wit", include_str!("../../../wit/connector.wit")),
];

/// Checks every function and type that the component shares with the contract.
pub(crate) fn check(component: &[u8], world: World) -> Result<(), Refusal> {
    let decoded = decode(component).map_err(|error| Refusal::Malformed {
        detail: format!("{error:#}"),
    })?;
    let DecodedWasm::Component(theirs, their_world) = decoded else {
        return Err(Refusal::Malformed {
            detail: "this is a WIT package, not a component".into(),
        });
    };
    let mut differences = Vec::new();
    let mut unknown = Vec::new();
    for (key, item) in &theirs.worlds[their_world].imports {
        match (known_interface(&theirs, key), item) {
            (Some(name), WorldItem::Interface { id, .. }) => match ours(&name) {
                Some(our) => compare_import(&name, our, &theirs, *id, &mut differences),
                None => unknown.push(name),
            },
            (None, _) => {
                let name = theirs.name_world_key(key);
                if !name.starts_with("wasi:") && !matches!(item, WorldItem::Type { .. }) {
                    unknown.push(name);
                }
            }
            _ => {}
        }
    }
    for (key, item) in &theirs.worlds[their_world].exports {
        if let (Some(name), WorldItem::Interface { id, .. }) = (known_interface(&theirs, key), item)
            && name == world.export()
            && let Some(our) = ours(&name)
        {
            compare_export(&name, our, &theirs, *id, &mut differences);
        }
    }
    if !unknown.is_empty() {
        return Err(Refusal::UnknownImport { names: unknown });
    }
    if differences.is_empty() {
        return Ok(());
    }
    Err(Refusal::Contract {
        version: CONTRACT_VERSION.to_owned(),
        differences,
    })
}

/// The interface's name without package and version, if the package is ours.
fn known_interface(resolve: &Resolve, key: &WorldKey) -> Option<String> {
    let name = resolve.name_world_key(key);
    let path = name.split('@').next()?;
    Some(path.strip_prefix(PACKAGE)?.strip_prefix('/')?.to_owned())
}

fn ours(name: &str) -> Option<InterfaceId> {
    CONTRACT
        .interfaces
        .iter()
        .find(|(_, interface)| interface.name.as_deref() == Some(name))
        .map(|(id, _)| id)
}

/// Everything that is imported must exist here.
fn compare_import(
    name: &str,
    our: InterfaceId,
    theirs: &Resolve,
    their: InterfaceId,
    out: &mut Vec<String>,
) {
    let (our, their) = (&CONTRACT.interfaces[our], &theirs.interfaces[their]);
    compare_types(name, our, theirs, their, out);
    for (function, their_function) in &their.functions {
        match our.functions.get(function) {
            Some(our_function) => compare_function(name, our_function, theirs, their_function, out),
            None => out.push(format!(
                "it imports `{name}.{function}`, which this host does not have"
            )),
        }
    }
}

/// Everything that the world has must be exported.
fn compare_export(
    name: &str,
    our: InterfaceId,
    theirs: &Resolve,
    their: InterfaceId,
    out: &mut Vec<String>,
) {
    let (our, their) = (&CONTRACT.interfaces[our], &theirs.interfaces[their]);
    compare_types(name, our, theirs, their, out);
    for (function, our_function) in &our.functions {
        match their.functions.get(function) {
            Some(their_function) => {
                compare_function(name, our_function, theirs, their_function, out)
            }
            None => out.push(format!("it does not export `{name}.{function}`")),
        }
    }
}

fn compare_function(
    name: &str,
    our: &Function,
    theirs: &Resolve,
    their: &Function,
    out: &mut Vec<String>,
) {
    let (ours, theirs) = (signature(&CONTRACT, our), signature(theirs, their));
    if ours != theirs {
        out.push(format!(
            "`{name}.{}` is `{theirs}`; the contract has `{ours}`",
            our.name
        ));
    }
}

/// Types that both sides declare must be equal member by member.
fn compare_types(
    name: &str,
    our: &Interface,
    theirs: &Resolve,
    their: &Interface,
    out: &mut Vec<String>,
) {
    for (type_name, their_type) in &their.types {
        let Some(our_type) = our.types.get(type_name) else {
            continue;
        };
        let place = format!("{name}.{type_name}");
        compare_members(
            &place,
            &members(&CONTRACT, *our_type),
            &members(theirs, *their_type),
            out,
        );
    }
}

fn compare_members(
    place: &str,
    ours: &[(String, String)],
    theirs: &[(String, String)],
    out: &mut Vec<String>,
) {
    for (member, our_type) in ours {
        match theirs.iter().find(|(name, _)| name == member) {
            None => out.push(format!("`{place}` lacks `{member}`")),
            Some((_, their_type)) if their_type != our_type => {
                out.push(format!(
                    "`{place}` has `{member}: {their_type}`; the contract has `{our_type}`"
                ));
            }
            Some(_) => {}
        }
    }
    for (member, _) in theirs {
        if !ours.iter().any(|(name, _)| name == member) {
            out.push(format!(
                "`{place}` has `{member}`, which the contract does not"
            ));
        }
    }
    let names = |members: &[(String, String)]| {
        members
            .iter()
            .map(|(name, _)| name.clone())
            .collect::<Vec<_>>()
    };
    if ours.len() == theirs.len() && names(ours) != names(theirs) {
        out.push(format!(
            "`{place}` has its members in another order than the contract: {}",
            names(ours).join(", ")
        ));
    }
}

/// A type's members and their types: fields, cases, or the type itself.
fn members(resolve: &Resolve, id: TypeId) -> Vec<(String, String)> {
    let optional = |ty: &Option<Type>| ty.as_ref().map_or_else(String::new, |ty| show(resolve, ty));
    match &resolve.types[id].kind {
        TypeDefKind::Record(record) => record
            .fields
            .iter()
            .map(|field| (field.name.clone(), show(resolve, &field.ty)))
            .collect(),
        TypeDefKind::Variant(variant) => variant
            .cases
            .iter()
            .map(|case| (case.name.clone(), optional(&case.ty)))
            .collect(),
        TypeDefKind::Enum(cases) => cases
            .cases
            .iter()
            .map(|case| (case.name.clone(), String::new()))
            .collect(),
        TypeDefKind::Flags(flags) => flags
            .flags
            .iter()
            .map(|flag| (flag.name.clone(), String::new()))
            .collect(),
        TypeDefKind::Resource => Vec::new(),
        _ => vec![("=".to_owned(), show(resolve, &Type::Id(id)))],
    }
}

fn signature(resolve: &Resolve, function: &Function) -> String {
    let params: Vec<String> = function
        .params
        .iter()
        .map(|param| format!("{}: {}", param.name, show(resolve, &param.ty)))
        .collect();
    let result = function
        .result
        .as_ref()
        .map_or_else(String::new, |ty| format!(" -> {}", show(resolve, ty)));
    let asynchronous = if function.kind.is_async() {
        "async "
    } else {
        ""
    };
    format!("{asynchronous}func({}){result}", params.join(", "))
}

/// A type as the contract writes it; aliases are followed, so that renaming one breaks nobody.
fn show(resolve: &Resolve, ty: &Type) -> String {
    let id = match ty {
        Type::Id(id) => *id,
        Type::Bool => return "bool".into(),
        Type::U8 => return "u8".into(),
        Type::U16 => return "u16".into(),
        Type::U32 => return "u32".into(),
        Type::U64 => return "u64".into(),
        Type::S8 => return "s8".into(),
        Type::S16 => return "s16".into(),
        Type::S32 => return "s32".into(),
        Type::S64 => return "s64".into(),
        Type::F32 => return "f32".into(),
        Type::F64 => return "f64".into(),
        Type::Char => return "char".into(),
        Type::String => return "string".into(),
        Type::ErrorContext => return "error-context".into(),
    };
    let definition = &resolve.types[id];
    let optional = |ty: &Option<Type>| {
        ty.as_ref()
            .map_or_else(|| "_".to_owned(), |ty| show(resolve, ty))
    };
    match &definition.kind {
        TypeDefKind::Type(ty) => show(resolve, ty),
        TypeDefKind::List(ty) => format!("list<{}>", show(resolve, ty)),
        TypeDefKind::Option(ty) => format!("option<{}>", show(resolve, ty)),
        TypeDefKind::Result(result) => format!(
            "result<{}, {}>",
            optional(&result.ok),
            optional(&result.err)
        ),
        TypeDefKind::Tuple(tuple) => {
            let types: Vec<String> = tuple.types.iter().map(|ty| show(resolve, ty)).collect();
            format!("tuple<{}>", types.join(", "))
        }
        TypeDefKind::Handle(Handle::Own(id)) => show(resolve, &Type::Id(*id)),
        TypeDefKind::Handle(Handle::Borrow(id)) => {
            format!("borrow<{}>", show(resolve, &Type::Id(*id)))
        }
        TypeDefKind::Future(ty) => format!("future<{}>", optional(ty)),
        TypeDefKind::Stream(ty) => format!("stream<{}>", optional(ty)),
        kind => definition
            .name
            .clone()
            .unwrap_or_else(|| kind.as_str().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component of a changed contract: the type section is enough, nothing of it is ever run.
    fn component_of(change: impl Fn(&str, &str) -> String, world: World) -> Vec<u8> {
        let mut sources = wit_parser::SourceMap::new();
        for (name, text) in WIT {
            sources.push_str(name, change(name, text));
        }
        let mut resolve = Resolve::new();
        let package = resolve
            .push_group(sources.parse().map_err(|(_, error)| error).unwrap())
            .unwrap();
        let world = resolve
            .select_world(&[package], Some(world.name()))
            .unwrap();
        let mut module =
            wit_component::dummy_module(&resolve, world, wit_parser::ManglingAndAbi::Standard32);
        wit_component::embed_component_metadata(
            &mut module,
            &resolve,
            world,
            wit_component::StringEncoding::UTF8,
        )
        .unwrap();
        wit_component::ComponentEncoder::default()
            .module(&module)
            .unwrap()
            .encode()
            .unwrap()
    }

    fn refusal(change: impl Fn(&str, &str) -> String, world: World) -> String {
        check(&component_of(change, world), world)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn every_world_of_the_contract_keeps_the_contract() {
        for world in World::ALL {
            let component = component_of(|_, text| text.to_owned(), world);
            check(&component, world).unwrap_or_else(|refusal| panic!("{world}: {refusal}"));
        }
    }

    #[test]
    fn a_missing_case_is_named() {
        insta::assert_snapshot!(refusal(
            |_, text| {
                text.replace("        /// Reasoning that is not part of the answer.\n        thinking(string),\n", "")
            },
            World::ModelAdapter,
        ));
    }

    #[test]
    fn a_field_of_another_type_is_named_with_both_types() {
        insta::assert_snapshot!(refusal(
            |_, text| text.replace("at-ms: u64", "at-ms: s64"),
            World::ConstitutionRule
        ));
    }

    #[test]
    fn a_missing_function_is_named() {
        insta::assert_snapshot!(refusal(
            |_, text| text.replace("applies-to: func() -> list<string>;", ""),
            World::ConstitutionRule,
        ));
    }

    #[test]
    fn a_function_that_only_a_later_host_has_is_named() {
        insta::assert_snapshot!(refusal(
            |_, text| text.replace(
                "    get: func() -> json;",
                "    get: func() -> json;\n    watch: func() -> json;"
            ),
            World::ConstitutionRule,
        ));
    }

    #[test]
    fn an_import_that_nobody_provides_is_named() {
        insta::assert_snapshot!(refusal(
            |name, text| if name == "rule.wit" {
                text.replace(
                    "    import config;\n",
                    "    import config;\n    import clock;\n",
                ) + "interface clock { now: func() -> u64; }\n"
            } else {
                text.to_owned()
            },
            World::ConstitutionRule,
        ));
    }
}
