//! Operations of connector plugins.

use std::sync::Arc;

use polity_runtime::failure::CallError;
use polity_runtime::plugin::Plugin;
use polity_workflow::{EffectClass, Fault, FaultKind};
use serde_json::Value;

use super::Performance;
use crate::Kernel;
use crate::near::near;

impl Kernel {
    /// Has a connector perform an operation, with a key that is the same for every attempt at the same effect.
    pub(super) async fn call_connector(
        &self,
        performance: &Performance,
        plugin: &str,
        operation: &str,
        input: &Value,
    ) -> Result<Value, Fault> {
        let generation = self.inner.runtime.current();
        let connector = generation
            .connectors()
            .iter()
            .find(|connector| &**connector.name() == plugin)
            .cloned()
            .ok_or_else(|| {
                let known = generation.connectors().iter();
                let near = near(plugin, known.map(|connector| &**connector.name()));
                let meant = if near.is_empty() {
                    "; put it into the plugin folder: polity plugin install".to_owned()
                } else {
                    format!("; did you mean {}?", near.join(" or "))
                };
                let why = format!("there is no connector `{plugin}`{meant}");
                Fault::new(FaultKind::Configuration, why)
            })?;
        check(&connector, performance, operation, input)?;
        let answer = connector
            .call(
                operation,
                &input.to_string(),
                &performance.key,
                performance.left,
            )
            .await
            .map_err(|error| failed(&error))?;
        serde_json::from_str(&answer).map_err(|error| {
            let why = format!("the connector `{plugin}` answered no JSON: {error}");
            Fault::communication(502, why)
        })
    }

    /// Which connector an operation of a catalogue is: that of the catalogue's name, or the one that has the operation.
    pub(super) fn catalogued(
        &self,
        name: &str,
        version: &str,
        catalog: &str,
    ) -> Result<(String, String), Fault> {
        let generation = self.inner.runtime.current();
        let right = |plugin: &Plugin| match &plugin.identity().manifest {
            // One that says nothing of itself has no version that could be another.
            None => Ok((plugin.name().to_string(), name.to_owned())),
            Some(manifest) if is_version(version, &manifest.version) => {
                Ok((plugin.name().to_string(), name.to_owned()))
            }
            Some(manifest) => {
                let (plugin, found) = (plugin.name(), &manifest.version);
                let why = format!(
                    "the connector `{plugin}` has version {found}, not {version}; write {name}:{found}@{catalog}"
                );
                Err(Fault::new(FaultKind::Configuration, why))
            }
        };
        if catalog != "default" {
            let mut known = generation.connectors().iter();
            // One that is not there is told of where it is called.
            return match known.find(|plugin| &**plugin.name() == catalog) {
                Some(plugin) => right(plugin),
                None => Ok((catalog.to_owned(), name.to_owned())),
            };
        }
        let has = |plugin: &&Arc<Plugin>| {
            let operations = &plugin.description().operations;
            operations.iter().any(|operation| operation.name == name)
        };
        let mut found = generation.connectors().iter().filter(has);
        match (found.next(), found.next()) {
            (Some(plugin), None) => right(plugin),
            (None, _) => Err(Fault::new(
                FaultKind::Configuration,
                format!(
                    "no connector has the operation `{name}`; `polity plugin list` shows those there are"
                ),
            )),
            (Some(one), Some(other)) => Err(Fault::new(
                FaultKind::Configuration,
                format!(
                    "{} and {} have an operation `{name}`; write {name}:1.0.0@{}",
                    one.name(),
                    other.name(),
                    one.name()
                ),
            )),
        }
    }
}

/// Whether a workflow's version means a plugin's: `1`, `1.2` and `1.2.3` mean 1.2.3, as `latest` does.
fn is_version(wanted: &str, found: &str) -> bool {
    let mut found = found.split(['.', '-', '+']);
    wanted == "latest" || wanted.split('.').all(|part| found.next() == Some(part))
}

/// Whether the connector can do it, with this input, and as often as the workflow counts on.
fn check(
    connector: &Plugin,
    performance: &Performance,
    operation: &str,
    input: &Value,
) -> Result<(), Fault> {
    let operations = &connector.description().operations;
    let Some(found) = operations.iter().find(|known| known.name == operation) else {
        let known: Vec<&str> = operations.iter().map(|known| known.name.as_str()).collect();
        let why = format!(
            "the connector `{}` has no operation `{operation}`; it has {}",
            connector.name(),
            known.join(", ")
        );
        return Err(Fault::new(FaultKind::Configuration, why));
    };
    if performance.class == EffectClass::Idempotent && !found.idempotent {
        let why = format!(
            "the operation `{operation}` of `{}` does not recognise a repetition, and the workflow counts on it: declare \
             `effect: at-most-once` or `at-least-once`",
            connector.name()
        );
        return Err(Fault::new(FaultKind::Configuration, why));
    }
    let schema: Value = serde_json::from_str(&found.input_schema).unwrap_or(Value::Bool(true));
    let objection = jsonschema::validator_for(&schema).ok().and_then(|schema| {
        schema
            .iter_errors(input)
            .next()
            .map(|error| error.to_string())
    });
    match objection {
        None => Ok(()),
        Some(why) => Err(Fault::new(
            FaultKind::Validation,
            format!("the input is not what `{operation}` takes: {why}"),
        )),
    }
}

/// A plugin's failure as an error of the specification.
pub(super) fn failed(error: &CallError) -> Fault {
    let status = match error.code() {
        "invalid" => return Fault::new(FaultKind::Validation, error.to_string()),
        "auth" => return Fault::new(FaultKind::Authentication, error.to_string()),
        "denied" => return Fault::new(FaultKind::Authorization, error.to_string()),
        "timeout" => return Fault::new(FaultKind::Timeout, error.to_string()),
        "not-found" => 404,
        "conflict" => 409,
        "rate-limited" => 429,
        "overloaded" | "busy" => 503,
        _ => 502,
    };
    Fault::communication(status, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::is_version;

    #[test]
    fn a_version_means_all_that_begin_with_it() {
        for wanted in ["1", "1.2", "1.2.3", "latest"] {
            assert!(is_version(wanted, "1.2.3"), "{wanted}");
        }
        for wanted in ["2", "1.3", "1.2.30", "1.2.3.4", "12"] {
            assert!(!is_version(wanted, "1.2.3"), "{wanted}");
        }
        assert!(is_version("1.2.3", "1.2.3-beta"));
    }
}
