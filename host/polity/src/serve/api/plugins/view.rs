//! A plugin as the API shows it.

use polity_runtime::StatsSnapshot;
use polity_runtime::plugin::{Operation, Plugin};
use polity_runtime::registry::{Entry, Inspection, State};
use polity_runtime::signature::Provenance;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// One name in the plugin folder.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginView {
    /// The plugin's name.
    pub(crate) name: String,
    /// How it stands with its file: `live`; `pending`, it waits for a grant; `needs-credential`, it has its grants and
    /// waits for a credential that they name; `refused`; `quarantined`.
    #[schema(value_type = PluginState)]
    pub(crate) state: &'static str,
    /// The digest of the file, where it is not the version that serves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) digest: Option<String>,
    /// Why the file is refused or in quarantine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<String>,
    /// The refusal, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<&'static str>,
    /// What a plugin waits for that is `pending` or `needs-credential`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unmet: Vec<UnmetView>,
    /// The version that serves; null where none does.
    pub(crate) serving: Option<Serving>,
}

/// How it stands with a plugin's file.
#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it only describes")]
pub(crate) enum PluginState {
    /// It serves.
    Live,
    /// It waits for a grant.
    Pending,
    /// It waits for a credential.
    NeedsCredential,
    /// It cannot be loaded.
    Refused,
    /// It failed too often.
    Quarantined,
}

/// A plugin with what takes a look at its files.
#[derive(Serialize, ToSchema)]
pub(crate) struct PluginDetail {
    #[serde(flatten)]
    pub(crate) plugin: PluginView,
    /// Accepted versions that are kept, oldest first.
    pub(crate) versions: Vec<String>,
}

/// Something that a plugin needs before it can be loaded.
#[derive(Serialize, ToSchema)]
pub(crate) struct UnmetView {
    /// What it needs, and why.
    pub(crate) want: String,
    /// Lines for the grant file, or what else to do.
    pub(crate) fix: String,
}

/// A version that serves.
#[derive(Serialize, ToSchema)]
pub(crate) struct Serving {
    /// Of the file's bytes.
    pub(crate) digest: String,
    /// What it exports: `model-adapter`, `constitution-rule`, `connector` or `schema-strategy`.
    pub(crate) world: String,
    /// The version that its manifest names.
    pub(crate) version: Option<String>,
    /// One sentence of its manifest.
    pub(crate) summary: Option<String>,
    /// Who vouches for it: `bundled`, `unsigned`, or the key that signed it.
    pub(crate) provenance: String,
    /// For a rule: the kinds of action it speaks to.
    pub(crate) applies_to: Vec<String>,
    /// For a connector: its operations.
    pub(crate) operations: Vec<String>,
    /// For an adapter: the models it knows by itself.
    pub(crate) models: Vec<String>,
    /// What it may use, by the names of the grant file's `[limits]`.
    #[schema(value_type = Object)]
    pub(crate) limits: Value,
    /// Calls in progress.
    pub(crate) in_progress: usize,
    /// What it has done since it was loaded.
    pub(crate) stats: Stats,
}

/// What a version has done.
#[derive(Serialize, ToSchema)]
pub(crate) struct Stats {
    /// Calls that ended.
    pub(crate) calls: u64,
    /// Calls that it answered with a problem.
    pub(crate) problems: u64,
    /// Calls that trapped, timed out or ran out of something.
    pub(crate) failures: u64,
    /// Time of all calls, waiting included.
    pub(crate) busy_ns: u64,
    /// Fuel burnt.
    pub(crate) fuel: u64,
    /// Log messages past the budget.
    pub(crate) log_dropped: u64,
}

/// What would come of installing a file.
#[derive(Serialize, ToSchema)]
pub(crate) struct InspectionView {
    /// Whether it would be accepted; one that is pending would be.
    accepted: bool,
    /// Why it would not be.
    reason: Option<String>,
    /// The refusal, for programs.
    code: Option<&'static str>,
    /// Of the file's bytes.
    digest: String,
    /// What it exports.
    world: Option<String>,
    /// Its manifest: `name`, `version`, `summary`, `wants`; null where it has none that can be read.
    #[schema(value_type = Option<Object>)]
    manifest: Value,
    /// The interfaces it imports.
    imports: Vec<String>,
    /// Who vouches for it.
    provenance: Option<String>,
    /// What it would wait for.
    unmet: Vec<UnmetView>,
    /// What it said of itself: `applies_to`, `operations`, `models`; null where it came to no such call.
    #[schema(value_type = Option<Object>)]
    description: Value,
}

impl PluginView {
    pub(crate) fn of(entry: &Entry) -> Self {
        let mut view = Self {
            name: entry.name.to_string(),
            state: entry.state.name(),
            digest: None,
            reason: None,
            code: None,
            unmet: Vec::new(),
            serving: entry.serving.as_deref().map(Serving::of),
        };
        match &entry.state {
            State::Live => {}
            State::Pending { digest, unmet } | State::NeedsCredential { digest, unmet } => {
                view.digest = Some(digest.to_string());
                view.unmet = unmet.iter().map(UnmetView::of).collect();
            }
            State::Refused { digest, reason } => {
                view.digest = digest.map(|digest| digest.to_string());
                view.reason = Some(reason.to_string());
                view.code = Some(reason.code());
            }
            State::Quarantined { digest, reason } => {
                view.digest = Some(digest.to_string());
                view.reason = Some(reason.clone());
                view.code = Some("quarantined");
            }
        }
        view
    }
}

impl UnmetView {
    fn of(unmet: &polity_runtime::registry::Unmet) -> Self {
        Self {
            want: unmet.want.clone(),
            fix: unmet.fix.clone(),
        }
    }
}

impl Serving {
    fn of(plugin: &Plugin) -> Self {
        let (identity, description) = (plugin.identity(), plugin.description());
        let manifest = identity.manifest.as_ref();
        Self {
            digest: identity.digest.to_string(),
            world: identity.world.to_string(),
            version: manifest.map(|manifest| manifest.version.clone()),
            summary: manifest.map(|manifest| manifest.summary.clone()),
            provenance: provenance(&identity.provenance),
            applies_to: description.applies_to.clone(),
            operations: description
                .operations
                .iter()
                .map(|Operation { name, .. }| name.clone())
                .collect(),
            models: description
                .models
                .iter()
                .map(|model| model.id.clone())
                .collect(),
            limits: serde_json::to_value(plugin.limits()).unwrap_or_default(),
            in_progress: plugin.in_progress(),
            stats: Stats::of(plugin.stats()),
        }
    }
}

impl Stats {
    fn of(stats: StatsSnapshot) -> Self {
        let StatsSnapshot {
            calls,
            problems,
            failures,
            busy_ns,
            fuel,
            log_dropped,
            ..
        } = stats;
        Self {
            calls,
            problems,
            failures,
            busy_ns,
            fuel,
            log_dropped,
        }
    }
}

impl InspectionView {
    pub(super) fn of(inspection: &Inspection) -> Self {
        let artifact = inspection.artifact.as_ref();
        let refusal = inspection.result.as_ref().err();
        let manifest = artifact.and_then(|artifact| artifact.manifest.as_ref());
        Self {
            accepted: refusal.is_none(),
            reason: refusal.map(ToString::to_string),
            code: refusal.map(|refusal| refusal.code()),
            digest: inspection.digest.to_string(),
            world: artifact.map(|artifact| artifact.world.to_string()),
            manifest: manifest.map_or(Value::Null, |manifest| {
                serde_json::json!({
                    "name": manifest.name,
                    "version": manifest.version,
                    "summary": manifest.summary,
                    "wants": manifest.wants_under(&Value::Null).collect::<Vec<_>>(),
                })
            }),
            imports: artifact
                .map(|artifact| artifact.imports.clone())
                .unwrap_or_default(),
            provenance: inspection.provenance.as_ref().map(provenance),
            unmet: inspection.unmet.iter().map(UnmetView::of).collect(),
            description: serde_json::to_value(&inspection.description).unwrap_or_default(),
        }
    }
}

fn provenance(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Bundled => "bundled".to_owned(),
        Provenance::Signed { key_id } => format!("signed by {key_id}"),
        Provenance::Unsigned => "unsigned".to_owned(),
    }
}
