//! What can be chosen from: the models that adapters report, overlaid by what the company says of them.
//!
//! A catalogue is one immutable snapshot. A new list from an adapter or a new `models.json` makes a new one; whoever
//! decides on the old one finishes on it.

mod abilities;
mod model;
mod overlay;
mod problem;
mod together;

use std::collections::HashMap;
use std::sync::Arc;

pub use abilities::{Abilities, Ability};
pub use model::{Latency, Model, NeverFor, Price, Reported};
pub use overlay::{MODELS_SCHEMA, ModelOverlay, Overlay};
pub use problem::{Notice, OverlayProblem, OverlayProblems};
pub use together::{
    CacheSharing, CacheSpec, CascadeSpec, CascadeStepSpec, CheckSpec, Comparing, CouncilSpec,
    Deciding, Otherwise, UncheckedSpec,
};

use crate::near::{near, question};

/// All models of one moment.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// By key.
    models: Vec<Arc<Model>>,
    /// Ids and keys. An id that several plugins have belongs to the first of them by name.
    names: HashMap<Arc<str>, usize>,
    aliases: HashMap<Arc<str>, Vec<usize>>,
    notices: Vec<Notice>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved<'c> {
    /// Any model.
    Auto,
    /// One model.
    Model(usize),
    /// One of several models.
    Alias(&'c [usize]),
    /// Several models together; those of the alias of this name, or any.
    Council(Option<&'c [usize]>),
}

/// A name that nothing has.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no model or alias \"{asked}\"{}", question(near))]
pub struct UnknownModel {
    /// The name, shortened where it is very long.
    pub asked: String,
    /// Names that look like it, best first.
    pub near: Vec<String>,
}

/// Asks for any model.
pub const AUTO: &str = "auto";

/// Begins the names of councils.
pub const COUNCIL: &str = "council/";

impl Catalogue {
    /// Joins what adapters report with what the company says. Where they differ, the company is right.
    pub fn new(reported: Vec<Reported>, overlay: &Overlay) -> Self {
        let mut reported = reported;
        reported.sort_by(|a, b| (&a.plugin, &a.id).cmp(&(&b.plugin, &b.id)));
        reported.dedup_by(|a, b| a.plugin == b.plugin && a.id == b.id);
        let mut notices = Vec::new();
        let mut used: Vec<&str> = Vec::new();
        let mut models: Vec<Arc<Model>> = reported
            .into_iter()
            .map(|reported| {
                let key = format!("{}/{}", reported.plugin, reported.id);
                let said = overlay
                    .models
                    .get_key_value(&key)
                    .or_else(|| overlay.models.get_key_value(&reported.id));
                used.extend(said.map(|(name, _)| name.as_str()));
                Arc::new(Model::new(key, reported, said.map(|(_, said)| said)))
            })
            .collect();
        models.sort_by(|a, b| a.key.cmp(&b.key));

        let mut names = HashMap::with_capacity(2 * models.len());
        for (index, model) in models.iter().enumerate() {
            names.entry(model.id.clone()).or_insert(index);
        }
        for (index, model) in models.iter().enumerate() {
            names.entry(model.key.clone()).or_insert(index);
        }
        let mut catalogue = Self {
            models,
            names,
            aliases: HashMap::new(),
            notices: Vec::new(),
        };
        for name in overlay
            .models
            .keys()
            .filter(|name| !used.contains(&name.as_str()))
        {
            notices.push(catalogue.notice(format!("/models/{}", problem::escaped(name)), name));
        }
        let mut aliases = HashMap::new();
        for (alias, targets) in overlay.groups() {
            let mut members = Vec::new();
            for (at, target) in targets.into_iter().enumerate() {
                match catalogue.names.get(target) {
                    Some(index) if !members.contains(index) => members.push(*index),
                    Some(_) => {}
                    None => notices.push(
                        catalogue.notice(format!("{}/{at}", overlay.place_of(&alias)), target),
                    ),
                }
            }
            aliases.insert(alias.as_str().into(), members);
        }
        catalogue.aliases = aliases;
        catalogue.notices = notices;
        catalogue
    }

    /// All models, by key.
    pub fn models(&self) -> &[Arc<Model>] {
        &self.models
    }

    /// The model of this id or key.
    pub fn get(&self, name: &str) -> Option<&Arc<Model>> {
        self.names.get(name).map(|index| &self.models[*index])
    }

    /// Parts of the overlay that apply to nothing now: an adapter may be away for a moment, or a name misspelt.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What a name stands for. Aliases win over ids: the company decides what a name means.
    ///
    /// # Errors
    /// Where it stands for nothing.
    pub fn resolve(&self, name: &str) -> Result<Resolved<'_>, UnknownModel> {
        if name.len() > COUNCIL.len() && name.starts_with(COUNCIL) {
            return Ok(Resolved::Council(self.aliases.get(name).map(Vec::as_slice)));
        }
        if let Some(members) = self.aliases.get(name) {
            return Ok(Resolved::Alias(members));
        }
        if let Some(index) = self.names.get(name) {
            return Ok(Resolved::Model(*index));
        }
        if name == AUTO || name.is_empty() {
            return Ok(Resolved::Auto);
        }
        Err(UnknownModel {
            asked: name.chars().take(128).collect(),
            near: near(name, self.known_names()),
        })
    }

    fn known_names(&self) -> impl Iterator<Item = &str> {
        let names = self.names.keys().chain(self.aliases.keys());
        names.map(|name| &**name).chain([AUTO])
    }

    fn notice(&self, pointer: String, name: &str) -> Notice {
        let near = near(name, self.names.keys().map(|name| &**name));
        Notice {
            pointer,
            message: format!("no adapter reports the model \"{name}\"{}", question(&near)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(plugin: &str, id: &str) -> Reported {
        Reported {
            plugin: plugin.into(),
            id: id.into(),
            abilities: vec!["chat".into()],
            ..Reported::default()
        }
    }

    fn catalogue(overlay: &str) -> Catalogue {
        Catalogue::new(
            vec![
                reported("openai", "gpt-4o"),
                reported("ollama", "llama"),
                reported("azure", "gpt-4o"),
            ],
            &Overlay::parse(overlay).unwrap(),
        )
    }

    #[test]
    fn an_id_belongs_to_the_first_plugin_and_a_key_to_its_own() {
        let catalogue = catalogue("{}");
        assert_eq!(&*catalogue.get("gpt-4o").unwrap().key, "azure/gpt-4o");
        assert_eq!(
            &*catalogue.get("openai/gpt-4o").unwrap().key,
            "openai/gpt-4o"
        );
    }

    #[test]
    fn the_company_is_right_where_it_differs_from_the_adapter() {
        let catalogue = catalogue(
            r#"{"models": {"openai/gpt-4o": {"region": "eu", "price": {"input": 7, "output": 9}}}}"#,
        );
        let model = catalogue.get("openai/gpt-4o").unwrap();
        assert_eq!(
            (model.region.as_deref(), model.price.unwrap().input),
            (Some("eu"), 7)
        );
        assert_eq!(catalogue.get("azure/gpt-4o").unwrap().region, None);
    }

    #[test]
    fn a_name_that_nothing_has_is_met_with_a_question() {
        let error = catalogue(r#"{"aliases": {"fast": ["llama"]}}"#)
            .resolve("lama")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no model or alias \"lama\"; did you mean \"llama\" or \"ollama/llama\"?"
        );
    }

    #[test]
    fn a_misspelt_model_in_the_overlay_is_noticed_and_does_no_harm() {
        let catalogue =
            catalogue(r#"{"models": {"gtp-4o": {}}, "aliases": {"fast": ["llama", "nope"]}}"#);
        let notices: Vec<String> = catalogue
            .notices()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            notices,
            [
                "models.json: no adapter reports the model \"gtp-4o\"; did you mean \"gpt-4o\"? (at /models/gtp-4o)",
                "models.json: no adapter reports the model \"nope\" (at /aliases/fast/1)",
            ]
        );
        assert!(matches!(
            catalogue.resolve("fast"),
            Ok(Resolved::Alias([_]))
        ));
    }

    #[test]
    fn a_council_is_any_models_unless_an_alias_names_them() {
        let catalogue = catalogue(r#"{"aliases": {"council/board": ["llama"]}}"#);
        assert!(matches!(
            catalogue.resolve("council/board"),
            Ok(Resolved::Council(Some([_])))
        ));
        assert!(matches!(
            catalogue.resolve("council/other"),
            Ok(Resolved::Council(None))
        ));
        assert_eq!(catalogue.resolve("auto"), Ok(Resolved::Auto));
    }
}
