//! What a plugin's file is, in words and as data: for `inspect` and `check`.

use std::io::{self, Write};

use polity_runtime::artifact::Artifact;
use polity_runtime::digest::Digest;
use polity_runtime::manifest::{Capability, Want};
use polity_runtime::refusal::Refusal;
use polity_runtime::registry::{Inspection, Unmet};
use polity_runtime::signature::Provenance;
use serde::Serialize;
use serde_json::Value;

use crate::cli::text::{clean, one_line, size};

/// A file, as far as it could be read.
#[derive(Serialize)]
pub(super) struct Facts {
    name: String,
    digest: Digest,
    bytes: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    world: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<String>,
    imports: Vec<String>,
    wants: Vec<Want>,
    #[serde(skip_serializing_if = "Option::is_none")]
    config_schema: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<Refused>,
    #[serde(flatten)]
    trial: Option<Trial>,
}

#[derive(Serialize)]
struct Refused {
    code: &'static str,
    reason: String,
}

/// What came of trying it.
#[derive(Serialize)]
struct Trial {
    verdict: Verdict,
    #[serde(skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance>,
    unmet: Vec<Unmet>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Value>,
}

/// What a host would do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Verdict {
    /// Let it serve.
    Live,
    /// Wait for a grant.
    Pending,
    /// Not load it.
    Refused,
}

impl Facts {
    /// Of a file that was read and not run.
    pub(super) fn of(name: &str, wasm: &[u8], artifact: &Result<Artifact, Refusal>) -> Self {
        let read = artifact.as_ref().ok();
        let manifest = read.and_then(|artifact| artifact.manifest.as_ref());
        Self {
            name: name.to_owned(),
            digest: Digest::of(wasm),
            bytes: wasm.len(),
            version: manifest.map(|manifest| manifest.version.clone()),
            world: read.map(|artifact| artifact.world.name()),
            summary: manifest.map(|manifest| manifest.summary.clone()),
            imports: read
                .map(|artifact| artifact.imports.clone())
                .unwrap_or_default(),
            wants: manifest
                .map(|manifest| manifest.wants_under(&Value::Null).collect())
                .unwrap_or_default(),
            config_schema: manifest
                .and_then(|manifest| manifest.config_schema.as_ref())
                .map(|schema| schema.schema().clone()),
            refusal: artifact.as_ref().err().map(refused),
            trial: None,
        }
    }

    /// With what came of trying it.
    pub(super) fn tried(mut self, inspection: &Inspection) -> Self {
        let verdict = match &inspection.result {
            Err(_) => Verdict::Refused,
            Ok(()) if !inspection.unmet.is_empty() => Verdict::Pending,
            Ok(()) => Verdict::Live,
        };
        self.refusal = inspection.result.as_ref().err().map(refused);
        self.trial = Some(Trial {
            verdict,
            provenance: inspection.provenance.clone(),
            unmet: inspection.unmet.clone(),
            description: inspection
                .description
                .as_ref()
                .and_then(|said| serde_json::to_value(said).ok()),
        });
        self
    }

    /// What a host would do with it; none where it was not tried.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.trial.as_ref().map(|trial| trial.verdict)
    }

    /// Tells it.
    pub(super) fn tell(&self, out: &mut dyn Write) -> io::Result<()> {
        let version = self.version.as_deref().unwrap_or("without a version");
        let world = self.world.unwrap_or("no plugin");
        writeln!(
            out,
            "{} {} ({world})",
            one_line(&self.name),
            one_line(version)
        )?;
        if let Some(summary) = self
            .summary
            .as_deref()
            .filter(|summary| !summary.is_empty())
        {
            writeln!(out, "  {}", one_line(summary))?;
        }
        line(out, "digest", &self.digest.to_string())?;
        line(out, "size", &size(self.bytes as u64))?;
        if let Some(provenance) = self
            .trial
            .as_ref()
            .and_then(|trial| trial.provenance.as_ref())
        {
            line(out, "signed", &vouched(provenance))?;
        }
        list(out, "imports", &self.imports)?;
        for (name, values) in self.said() {
            list(out, name, &values)?;
        }
        list(
            out,
            "wants",
            &self.wants.iter().map(wanted).collect::<Vec<_>>(),
        )?;
        self.tell_verdict(out)
    }

    fn tell_verdict(&self, out: &mut dyn Write) -> io::Result<()> {
        if let Some(Refused { code, reason }) = &self.refusal {
            return writeln!(out, "\nrefused ({code}): {}", clean(reason));
        }
        let Some(trial) = &self.trial else {
            return Ok(());
        };
        if trial.unmet.is_empty() {
            return writeln!(out, "\nok: a host would let it serve");
        }
        writeln!(
            out,
            "\npending: it waits for a grant. To give it, write into {}.grant.toml:\n",
            self.name
        )?;
        for unmet in &trial.unmet {
            if let Some(line) = clean(&unmet.want).lines().next() {
                // The runtime's sentence ends with where to add the lines, which has been said above.
                writeln!(
                    out,
                    "# {}",
                    line.split(" To allow it").next().unwrap_or(line)
                )?;
            }
            writeln!(out, "{}", clean(unmet.fix.trim_end()))?;
        }
        Ok(())
    }

    /// What it said of itself.
    fn said(&self) -> Vec<(&'static str, Vec<String>)> {
        let Some(said) = self
            .trial
            .as_ref()
            .and_then(|trial| trial.description.as_ref())
        else {
            return Vec::new();
        };
        let texts = |list: &Value, field: Option<&str>| -> Vec<String> {
            let text = |item: &Value| {
                field
                    .map_or(item, |field| &item[field])
                    .as_str()
                    .map(str::to_owned)
            };
            list.as_array()
                .into_iter()
                .flatten()
                .filter_map(text)
                .collect()
        };
        vec![
            ("judges", texts(&said["applies_to"], None)),
            ("models", texts(&said["models"], Some("id"))),
            ("does", texts(&said["operations"], Some("name"))),
        ]
    }
}

fn refused(refusal: &Refusal) -> Refused {
    Refused {
        code: refusal.code(),
        reason: refusal.to_string(),
    }
}

fn vouched(provenance: &Provenance) -> String {
    match provenance {
        Provenance::Bundled => "comes with this program".to_owned(),
        Provenance::Signed { key_id } => format!("by the trusted key {key_id}"),
        Provenance::Unsigned => "by nobody".to_owned(),
    }
}

/// A want in one line.
fn wanted(want: &Want) -> String {
    let what = match &want.capability {
        Capability::Http {
            host,
            methods,
            paths,
            ..
        } => {
            let methods = if methods.is_empty() {
                "GET, HEAD".to_owned()
            } else {
                methods.join(", ")
            };
            let paths = if paths.is_empty() {
                String::new()
            } else {
                format!(" {}", paths.join(" "))
            };
            format!("{methods} to {host}{paths}")
        }
        Capability::Secret { host, header, .. } => format!("a credential for {host} in {header}"),
        Capability::Folder {
            guest,
            write: false,
        } => format!("to read a folder as {guest}"),
        Capability::Folder { guest, write: true } => {
            format!("to read and write a folder as {guest}")
        }
        Capability::Limit { name, value } => format!("{name} = {value}"),
    };
    let optional = if want.optional { ", optional" } else { "" };
    format!("{what}: {}{optional}", want.reason)
}

fn line(out: &mut dyn Write, name: &str, value: &str) -> io::Result<()> {
    writeln!(out, "  {name:<9}{}", one_line(value))
}

fn list(out: &mut dyn Write, name: &str, values: &[String]) -> io::Result<()> {
    for (index, value) in values.iter().enumerate() {
        line(out, if index == 0 { name } else { "" }, value)?;
    }
    Ok(())
}
