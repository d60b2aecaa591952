//! One judge: a binding of the constitution, or a rule that speaks for itself, and the plugin that holds its seat.
//!
//! A seat that cannot be filled is still a seat. A rule that is bound and not loaded, that is in quarantine or whose
//! settings its plugin would not understand, fails whenever it is asked; and a rule that fails never allows.

use std::sync::{Arc, OnceLock};
use std::thread;

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
    primed: Primed,
    guards: Vec<KindPattern>,
}

/// The plugin with its policies read, from when that is done.
type Primed = Arc<OnceLock<Arc<Plugin>>>;

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
        // Without settings of its own, a binding leaves those of the grant file in place.
        let config: Option<Arc<str>> =
            has_settings(binding).then(|| binding.config.to_string().into());
        let primed = match (&seat, &config) {
            (Seat::Taken(plugin, _), Some(config)) if !binding.policies.is_empty() => {
                priming(plugin, config, &binding.name)
            }
            _ => Primed::default(),
        };
        Self {
            binding: binding.name.as_str().into(),
            rule: binding.rule.as_str().into(),
            mode: binding.mode,
            config,
            seat,
            primed,
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
            primed: Primed::default(),
            guards: guards.collect(),
        }
    }

    /// The plugin to ask, and whether it has read its settings already.
    pub(crate) fn asks<'p>(&'p self, plugin: &'p Arc<Plugin>) -> (&'p Arc<Plugin>, bool) {
        match self.primed.get() {
            Some(primed) => (primed, true),
            None => (plugin, false),
        }
    }

    pub(crate) fn guards(&self, kind: &ActionKind) -> bool {
        self.guards.iter().any(|pattern| pattern.matches(kind))
    }
}

/// Has a plugin read its policies where nobody waits for it. Until that is done, and where it cannot be done, the plugin
/// reads them in each call: slower, with the same verdicts.
fn priming(plugin: &Arc<Plugin>, config: &Arc<str>, binding: &str) -> Primed {
    let primed = Primed::default();
    let (told, plugin, config) = (primed.clone(), plugin.clone(), config.clone());
    let name = binding.to_owned();
    let started = thread::Builder::new()
        .name("polity-prime".to_owned())
        .spawn(move || match plugin.primed(&config) {
            Ok(ready) => {
                tracing::debug!(binding = name, "the policies have been read");
                let _ = told.set(Arc::new(ready));
            }
            Err(error) => {
                tracing::warn!(binding = name, %error, "the policies are read in each call");
            }
        });
    if let Err(error) = started {
        tracing::warn!(binding, %error, "the policies are read in each call");
    }
    primed
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
