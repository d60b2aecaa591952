//! What the headers of a request want of its answer, for every surface that asks a model.

use std::time::Duration;

use http::HeaderMap;
use polity_kernel::{TraceParent, Wants};

use super::fault::Fault;
use super::headers;

/// Adds what the headers want to what the body wants, and returns how long the caller will wait.
pub(super) fn take(
    headers: &HeaderMap,
    wishes: &mut Option<Wants>,
) -> Result<Option<Duration>, Fault> {
    let deadline = deadline(headers)?;
    wants(headers, wishes)?;
    let wanted = wishes.as_ref().and_then(|wants| wants.deadline_ms);
    let wanted = wanted.map(Duration::from_millis);
    Ok(deadline.into_iter().chain(wanted).min())
}

/// The span that the request was sent in. A header that says none is none.
pub(super) fn trace(headers: &HeaderMap) -> Option<TraceParent> {
    headers.get(headers::TRACE)?.to_str().ok()?.parse().ok()
}

fn wants(headers: &HeaderMap, wants: &mut Option<Wants>) -> Result<(), Fault> {
    for (name, value) in headers {
        let is_ours = name.as_str().starts_with("x-polity-");
        if !is_ours || *name == headers::TIMEOUT {
            continue;
        }
        let value = value.to_str().map_err(|_| {
            Fault::at(
                "",
                format!("the header {name} holds more than printable ASCII"),
            )
        })?;
        wants
            .get_or_insert_default()
            .header(name.as_str(), value)
            .map_err(|error| Fault::at("", error.to_string()))?;
    }
    if let Some(wants) = wants {
        wants
            .check()
            .map_err(|error| Fault::at("/polity", error.to_string()))?;
    }
    Ok(())
}

fn deadline(headers: &HeaderMap) -> Result<Option<Duration>, Fault> {
    let mut shortest = None;
    for value in headers.get_all(headers::TIMEOUT) {
        let text = value.to_str().ok();
        let ms = text.and_then(|text| text.parse::<u32>().ok());
        let ms = ms.filter(|ms| *ms > 0).ok_or_else(|| {
            let name = headers::TIMEOUT;
            Fault::at(
                "",
                format!("the header {name} is a number of milliseconds from 1 up"),
            )
        })?;
        let time = Duration::from_millis(ms.into());
        // As everywhere: of two limits the stricter one holds.
        shortest = Some(shortest.map_or(time, |other: Duration| other.min(time)));
    }
    Ok(shortest)
}
