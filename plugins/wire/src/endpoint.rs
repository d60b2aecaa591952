//! One vendor's HTTP interface: where it is, what it wants to see in every request, and how it says no.

use std::borrow::Cow;
use std::collections::BTreeMap;

use polity_sdk::http::Request;
use polity_sdk::{Problem, problem};
use serde::de::DeserializeOwned;

use crate::{Body, Failure, Reply, Transport};

/// An error's body is a few lines; what is past this explains nothing more.
const LONGEST_ERROR: usize = 64 * 1024;

/// Where a vendor's interface is. Credentials are no part of it: the host adds them outside the sandbox.
pub struct Endpoint<'a> {
    /// Who answers there, for people; see [`served_by`].
    pub provider: Cow<'a, str>,
    /// Before every path.
    pub base_url: &'a str,
    /// Headers that the vendor's format demands.
    pub fixed: Vec<(&'a str, &'a str)>,
    /// Headers that the operator configured.
    pub headers: &'a BTreeMap<String, String>,
    /// Until the head of the response.
    pub timeout_ms: Option<u32>,
}

impl Endpoint<'_> {
    /// Posts JSON and returns the response if its status says success.
    pub fn post<T: Transport>(
        &self,
        transport: &T,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply<T::Body>, Problem> {
        self.send(transport, "POST", path, body)
    }

    /// Posts JSON and parses the answer.
    pub fn post_for<A: DeserializeOwned>(
        &self,
        transport: &impl Transport,
        path: &str,
        body: Vec<u8>,
    ) -> Result<A, Problem> {
        self.parse(self.send(transport, "POST", path, body)?)
    }

    /// Gets and parses.
    pub fn get_for<A: DeserializeOwned>(
        &self,
        transport: &impl Transport,
        path: &str,
    ) -> Result<A, Problem> {
        self.parse(self.send(transport, "GET", path, Vec::new())?)
    }

    fn send<T: Transport>(
        &self,
        transport: &T,
        method: &str,
        path: &str,
        body: Vec<u8>,
    ) -> Result<Reply<T::Body>, Problem> {
        let mut headers = Vec::with_capacity(1 + self.fixed.len() + self.headers.len());
        if !body.is_empty() {
            headers.push(("content-type".to_owned(), "application/json".to_owned()));
        }
        headers.extend(
            self.fixed
                .iter()
                .map(|(name, value)| (name.to_string(), value.to_string())),
        );
        headers.extend(
            self.headers
                .iter()
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        let mut response = transport.fetch(Request {
            method: method.to_owned(),
            url: [self.base_url.trim_end_matches('/'), path].concat(),
            headers,
            body,
            timeout_ms: self.timeout_ms,
        })?;
        let status = response.status();
        if (200..300).contains(&status) {
            return Reply::read(&self.provider, response);
        }
        let headers = response.headers();
        // The status is the news; a body that breaks off only explains less.
        let body = read_up_to(&mut response, LONGEST_ERROR).unwrap_or_default();
        Err(Failure::from_response(status, &headers, &body).problem(&self.provider))
    }

    fn parse<A: DeserializeOwned>(&self, mut response: impl Body) -> Result<A, Problem> {
        let body = read_up_to(&mut response, usize::MAX)?;
        serde_json::from_slice(&body).map_err(|error| {
            let provider = &self.provider;
            problem(
                "failed",
                format!("{provider} sent what is not its documented format: {error}"),
            )
        })
    }
}

/// Who answers at an address, for people: the vendor at its own, and elsewhere the host, because a server that speaks a
/// vendor's format is not that vendor.
pub fn served_by<'a>(vendor: &'a str, own: &str, base_url: &'a str) -> Cow<'a, str> {
    if base_url.trim_end_matches('/') == own {
        return vendor.into();
    }
    match authority(base_url) {
        Some(authority) => authority.rsplit('@').next().unwrap_or(authority).into(),
        None => format!("'{base_url}'").into(),
    }
}

/// The host of an address, with its port and whoever is to be there.
fn authority(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    Some(rest.split(['/', '?', '#']).next().unwrap_or(rest))
        .filter(|authority| !authority.is_empty())
}

/// True for an address of this very machine, from which no prompt can leave.
pub fn is_loopback(url: &str) -> bool {
    let Some(authority) = authority(url) else {
        return false;
    };
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    host.eq_ignore_ascii_case("localhost")
        || host
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

/// Reads until the end, or until there are `most` bytes.
fn read_up_to(body: &mut impl Body, most: usize) -> Result<Vec<u8>, Problem> {
    let mut all = Vec::new();
    while all.len() < most {
        match body.read(64 * 1024)? {
            Some(piece) if all.is_empty() => all = piece,
            Some(piece) => all.extend_from_slice(&piece),
            None => break,
        }
    }
    all.truncate(most);
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_named_by_its_host_unless_it_is_the_vendor() {
        let own = "https://api.openai.com/v1";
        for (base_url, name) in [
            ("https://api.openai.com/v1/", "OpenAI"),
            ("https://api.mistral.ai/v1", "api.mistral.ai"),
            ("http://127.0.0.1:8080", "127.0.0.1:8080"),
            ("http://ada:secret@models.example/v1", "models.example"),
            ("models", "'models'"),
        ] {
            assert_eq!(served_by("OpenAI", own, base_url), name);
        }
    }

    #[test]
    fn only_this_machine_counts_as_loopback() {
        for url in [
            "http://127.0.0.1:11434",
            "http://localhost/v1",
            "http://[::1]:8080/",
            "http://127.9.9.9",
        ] {
            assert!(is_loopback(url), "{url}");
        }
        for url in [
            "https://api.openai.com/v1",
            "http://10.0.0.7:8000",
            "http://127.0.0.1.example.com",
            "http://localhost@example.com/",
            "http://127.0.0.1:x@example.com",
            "localhost:11434",
        ] {
            assert!(!is_loopback(url), "{url}");
        }
    }
}
