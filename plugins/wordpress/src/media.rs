//! Files: pictures, above all.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use polity_sdk::{Problem, problem};
use polity_wire::Transport;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::mark;
use crate::site::Site;

/// A file to upload.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct File {
    filename: String,
    #[serde(rename = "type")]
    kind: String,
    /// In base64.
    data: String,
    alt: Option<String>,
    title: Option<String>,
    caption: Option<String>,
}

/// Uploads a file, once: its slug ends with the step's mark, and a file that has it is there already.
pub(crate) fn upload<T: Transport>(
    site: &Site<'_, T>,
    file: &File,
    key: &str,
) -> Result<Value, Problem> {
    let stem = file
        .filename
        .rsplit_once('.')
        .map_or(&*file.filename, |(stem, _)| stem);
    let slug = format!("{}-{}", mark::slug(stem), mark::of(key));
    let slug = slug.trim_start_matches('-');
    let query = [("context", "edit".to_owned()), ("slug", slug.to_owned())];
    let (there, ..) = site.get("wp/v2/media", &query)?.list(site.name)?;
    if let Some(found) = there.first() {
        return Ok(seen(found, false));
    }
    let bytes = STANDARD
        .decode(file.data.as_bytes())
        .map_err(|error| problem("invalid", format!("`data` is not base64: {error}")))?;
    if bytes.is_empty() {
        return Err(problem("invalid", "the file is empty"));
    }
    let mut query = vec![("slug", slug.to_owned())];
    for (name, value) in [
        ("alt_text", &file.alt),
        ("title", &file.title),
        ("caption", &file.caption),
    ] {
        query.extend(value.clone().map(|value| (name, value)));
    }
    let made = site.post_file("wp/v2/media", &query, (bytes, &file.kind, &file.filename))?;
    Ok(seen(&made.body, true))
}

fn seen(media: &Value, created: bool) -> Value {
    json!({
        "id": media["id"],
        "url": media["source_url"],
        "link": media["link"],
        "type": media["mime_type"],
        "alt": media["alt_text"],
        "created": created,
    })
}
