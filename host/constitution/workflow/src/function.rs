//! Names that tasks can call, with the names of their arguments.

use crate::call::EffectClass;

/// A function that tasks can call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Function {
    /// One of [`BUILT_IN`].
    BuiltIn(&'static BuiltIn),
    Http,
    OpenApi,
    Mcp,
    A2a,
    /// `name:version@catalog`, an operation of a plugin.
    Catalog(String),
}

/// A function of the host, and the names of its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct BuiltIn {
    pub(crate) name: &'static str,
    pub(crate) required: &'static [&'static str],
    pub(crate) optional: &'static [&'static str],
    /// The class where the author declares none; `None` demands a declaration.
    pub(crate) class: Option<EffectClass>,
    /// True where a person answers.
    pub(crate) human: bool,
}

const HUMAN: &[&str] = &[
    "proposal", "detail", "clause", "deadline", "escalate", "form", "people",
];

/// The functions of the host.
pub(crate) const BUILT_IN: [BuiltIn; 10] = [
    built(
        "decide",
        &["table"],
        &["input"],
        Some(EffectClass::Own),
        false,
    ),
    built(
        "model",
        &["prompt"],
        &[
            "system", "input", "schema", "purpose", "budget", "model", "privacy",
        ],
        Some(EffectClass::AtLeastOnce),
        false,
    ),
    built(
        "council",
        &["question"],
        &["members", "quorum", "input", "schema", "budget"],
        Some(EffectClass::AtLeastOnce),
        false,
    ),
    built(
        "records.query",
        &["collection"],
        &["where", "order", "limit", "fields"],
        Some(EffectClass::Own),
        false,
    ),
    built(
        "records.insert",
        &["collection", "record"],
        &["id"],
        Some(EffectClass::Own),
        false,
    ),
    built(
        "records.update",
        &["collection", "id", "set"],
        &["expect"],
        Some(EffectClass::Own),
        false,
    ),
    built(
        "human.approve",
        &["title", "role"],
        HUMAN,
        Some(EffectClass::Own),
        true,
    ),
    built(
        "human.task",
        &["title", "role"],
        HUMAN,
        Some(EffectClass::Own),
        true,
    ),
    built(
        "human.vote",
        &["title", "role", "quorum"],
        &[
            "options", "proposal", "detail", "clause", "deadline", "escalate", "people",
        ],
        Some(EffectClass::Own),
        true,
    ),
    built(
        "connector",
        &["plugin", "operation"],
        &["input"],
        None,
        false,
    ),
];

const fn built(
    name: &'static str,
    required: &'static [&'static str],
    optional: &'static [&'static str],
    class: Option<EffectClass>,
    human: bool,
) -> BuiltIn {
    BuiltIn {
        name,
        required,
        optional,
        class,
        human,
    }
}

impl Function {
    /// The name an author calls it by.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::BuiltIn(built) => built.name,
            Self::Http => "http",
            Self::OpenApi => "openapi",
            Self::Mcp => "mcp",
            Self::A2a => "a2a",
            Self::Catalog(name) => name,
        }
    }

    /// The function of a name, built in or catalogued. `decide:1@default` is `decide`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        let built = |name: &str| {
            BUILT_IN
                .iter()
                .find(|built| built.name == name)
                .map(Self::BuiltIn)
        };
        match name {
            "http" => return Some(Self::Http),
            "openapi" => return Some(Self::OpenApi),
            "mcp" => return Some(Self::Mcp),
            "a2a" => return Some(Self::A2a),
            _ => {}
        }
        if let Some(found) = built(name) {
            return Some(found);
        }
        let (operation, version, catalog) = catalogued(name)?;
        match built(operation) {
            Some(found)
                if catalog == "default" && (version == "1" || version.starts_with("1.")) =>
            {
                Some(found)
            }
            _ => Some(Self::Catalog(name.to_owned())),
        }
    }

    /// True where a person answers.
    pub(crate) fn is_human(&self) -> bool {
        matches!(self, Self::BuiltIn(built) if built.human)
    }
}

/// The parts of `name:version@catalog`.
pub(crate) fn catalogued(name: &str) -> Option<(&str, &str, &str)> {
    let (operation, rest) = name.split_once(':')?;
    let (version, catalog) = rest.split_once('@')?;
    let whole = !operation.is_empty() && !version.is_empty() && !catalog.is_empty();
    whole.then_some((operation, version, catalog))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn catalogue_names_have_three_parts() {
        assert_eq!(
            Function::named("decide:1@default"),
            Function::named("decide")
        );
        assert_eq!(
            Function::named("log:0.5.2@global"),
            Some(Function::Catalog("log:0.5.2@global".into()))
        );
        assert_eq!(Function::named("log"), None);
        assert_eq!(Function::named(":1@x"), None);
    }
}
