//! Which models are installed, and what each can do (`GET /api/tags`, `POST /api/show`).

use polity_sdk::Problem;
use polity_sdk::model::Info;
use polity_wire::{Card, Endpoint, Transport, invalid};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::Ollama;

#[derive(Deserialize)]
struct Tags {
    #[serde(default)]
    models: Vec<Tag>,
}

#[derive(Deserialize)]
struct Tag {
    #[serde(default)]
    name: String,
    /// Set when the model runs at another host.
    #[serde(default)]
    remote_host: String,
    #[serde(default)]
    remote_model: String,
    /// Newer servers say it here, older ones in `/api/show` only.
    #[serde(default)]
    capabilities: Option<Vec<String>>,
    #[serde(default)]
    details: Option<Details>,
}

#[derive(Deserialize)]
struct Details {
    #[serde(default)]
    context_length: Option<u32>,
}

#[derive(Serialize)]
struct Show<'a> {
    model: &'a str,
}

#[derive(Default, Deserialize)]
struct Shown {
    #[serde(default)]
    capabilities: Option<Vec<String>>,
    #[serde(default)]
    model_info: Map<String, Value>,
}

/// Every installed model. The configuration's list adds prices and corrects what the server says; a model in it that is
/// not installed is left out, since it cannot be used now.
pub(crate) fn installed(
    settings: &Ollama,
    endpoint: &Endpoint<'_>,
    transport: &impl Transport,
) -> Result<Vec<Info>, Problem> {
    let tags: Tags = endpoint.get_for(transport, "/api/tags")?;
    let cards = settings.cards();
    let mut infos = Vec::with_capacity(tags.models.len());
    for tag in tags.models {
        let name = tag.name.strip_suffix(":latest").unwrap_or(&tag.name);
        let listed = cards.find(&tag.name).or_else(|| cards.find(name));
        let local = cards.local && tag.remote_host.is_empty() && tag.remote_model.is_empty();
        if let Some(card) = listed {
            let mut info = cards.info(card);
            info.local = card.local.unwrap_or(local);
            infos.push(info);
        } else if !settings.only_listed {
            let mut info = describe(settings, tag, endpoint, transport)?;
            info.local = local;
            infos.push(info);
        }
    }
    Ok(infos)
}

fn describe(
    settings: &Ollama,
    tag: Tag,
    endpoint: &Endpoint<'_>,
    transport: &impl Transport,
) -> Result<Info, Problem> {
    let longest = tag.details.and_then(|details| details.context_length);
    let shown = match (&tag.capabilities, longest) {
        (Some(_), Some(_)) => Shown::default(),
        (Some(_), None) if settings.context_tokens.is_some() => Shown::default(),
        _ => {
            let body = serde_json::to_vec(&Show { model: &tag.name })
                .map_err(|error| invalid(error.to_string()))?;
            endpoint.post_for(transport, "/api/show", body)?
        }
    };
    let capabilities = tag.capabilities.or(shown.capabilities);
    let longest = longest.or_else(|| trained_context(&shown.model_info));
    // What is configured is what the server is told to load; a model cannot use more than it was trained for.
    let context = match (settings.context_tokens, longest) {
        (Some(configured), Some(longest)) => configured.min(longest),
        (configured, longest) => configured.or(longest).unwrap_or(0),
    };
    let card = Card {
        context_tokens: context,
        ..Card::unknown(tag.name, &abilities(capabilities))
    };
    Ok(settings.cards().info(&card))
}

/// The server's words for what a model can do, in the contract's.
fn abilities(capabilities: Option<Vec<String>>) -> Vec<String> {
    let Some(capabilities) = capabilities else {
        // Servers from before capabilities were reported: nearly every model there chats.
        return vec!["chat".to_owned()];
    };
    let mut abilities = Vec::new();
    for capability in &capabilities {
        match capability.as_str() {
            // A schema constrains the sampler, so every model that writes obeys it.
            "completion" => abilities.extend(["chat", "json-schema"]),
            "embedding" => abilities.push("embed"),
            known @ ("tools" | "vision" | "thinking") => abilities.push(known),
            _ => {}
        }
    }
    abilities.into_iter().map(str::to_owned).collect()
}

/// `<architecture>.context_length` of the model's own metadata.
fn trained_context(model_info: &Map<String, Value>) -> Option<u32> {
    let architecture = model_info.get("general.architecture")?.as_str()?;
    let length = model_info
        .get(&format!("{architecture}.context_length"))?
        .as_u64()?;
    u32::try_from(length).ok()
}
