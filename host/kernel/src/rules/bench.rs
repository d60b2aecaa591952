//! One judge: a binding of the constitution, or a rule that speaks for itself, and the plugin that holds its seat.
//!
//! A seat that cannot be filled is still a seat. A rule that is bound and not loaded, that is in quarantine or whose
//! settings its plugin would not understand, fails whenever it is asked; and a rule that fails never allows.

use std::sync::Arc;

use polity_constitution::{ActionKind, Binding, KindPattern, Mode, RuleFailure};
use polity_runtime::World;
use polity_runtime::plugin::Plugin;
use polity_runtime::registry::{Generation, Rule, State};

/// A rule in force, with its settings.
pub(crate) struct Judge {
    pub(crate) binding: Arc<str>,
    pub(crate) rule: Arc<str>,
    pub(crate) mode: Mode,
    pub(crate) config: Option<Arc<str>>,
    pub(crate) seat: Seat,
    guards: Vec<KindPattern>,
}

/// Who answers for a judge.
pub(crate) enum Seat {
    /// A plugin, and the version that it says it is.
    Taken(Arc<Plugin>, Option<Arc<str>>),
    /// Nobody, for this reason.
    Empty(RuleFailure),
}

impl Judge {
    /// A rule that the constitution binds.
    pub(crate) fn bound(binding: &Binding, plugins: &Generation) -> Self {
        let seat = match seat(&binding.rule, plugins) {
            Seat::Taken(plugin, version) if has_settings(binding) => {
                match plugin.check_config(&binding.config) {
                    Ok(()) => Seat::Taken(plugin, version),
                    Err(error) => Seat::Empty(RuleFailure::Problem {
                        code: "config".to_owned(),
                        detail: format!(
                            "the settings in rules/{}.json are not what the plugin understands: {}",
                            binding.name,
                            error.problems().join("; ")
                        ),
                    }),
                }
            }
            seat => seat,
        };
        Self {
            binding: binding.name.as_str().into(),
            rule: binding.rule.as_str().into(),
            mode: binding.mode,
            // Without settings of its own, a binding leaves those of the grant file in place.
            config: has_settings(binding).then(|| binding.config.to_string().into()),
            seat,
            guards: binding.guards.clone(),
        }
    }

    /// A rule that no binding names: it is enforced on the kinds of action that it says it speaks to.
    pub(crate) fn unbound(rule: &Rule) -> Self {
        let seat = match rule.plugin() {
            Some(plugin) => taken(plugin),
            None => Seat::Empty(RuleFailure::Quarantined),
        };
        let guards = rule.applies_to.iter().filter_map(|pattern| {
            pattern
                .parse()
                .inspect_err(|error| tracing::warn!(rule = &*rule.name, %error, "no action can match what a rule speaks to"))
                .ok()
        });
        Self {
            binding: rule.name.clone(),
            rule: rule.name.clone(),
            mode: Mode::Enforce,
            config: None,
            seat,
            guards: guards.collect(),
        }
    }

    pub(crate) fn guards(&self, kind: &ActionKind) -> bool {
        self.guards.iter().any(|pattern| pattern.matches(kind))
    }
}

fn taken(plugin: &Arc<Plugin>) -> Seat {
    let manifest = plugin.identity().manifest.as_ref();
    Seat::Taken(
        plugin.clone(),
        manifest.map(|manifest| manifest.version.as_str().into()),
    )
}

fn has_settings(binding: &Binding) -> bool {
    binding
        .config
        .as_object()
        .is_some_and(|settings| !settings.is_empty())
}

fn seat(rule: &str, plugins: &Generation) -> Seat {
    if let Some(rule) = plugins.rules().iter().find(|loaded| &*loaded.name == rule) {
        return rule
            .plugin()
            .map_or(Seat::Empty(RuleFailure::Quarantined), taken);
    }
    let Some(entry) = plugins.entry(rule) else {
        return Seat::Empty(RuleFailure::Missing);
    };
    match (&entry.serving, &entry.state) {
        (Some(plugin), _) if plugin.identity().world != World::ConstitutionRule => {
            let world = plugin.identity().world;
            Seat::Empty(RuleFailure::Problem {
                code: "not-a-rule".to_owned(),
                detail: format!("the plugin of this name is a {world}"),
            })
        }
        (None, State::Quarantined { .. }) => Seat::Empty(RuleFailure::Quarantined),
        _ => Seat::Empty(RuleFailure::Missing),
    }
}
