//! Which names this host answers to.
//!
//! The threat is DNS rebinding: a page on a foreign site resolves its own name to 127.0.0.1, and the browser then takes
//! this host for that site. What gives the attack away is the `Host` header, which still carries the foreign name. So a
//! host that listens on the loopback interface answers only to the names of that interface and to those that the
//! operator gave it. One that listens elsewhere is reached under names that only the operator knows: there the check
//! begins with the first name that is configured.

use std::net::{IpAddr, SocketAddr};

use http::Uri;
use http::header::{HOST, HeaderMap};

use super::fault::{Fault, Kind};

/// The names that are answered to.
#[derive(Debug)]
pub(crate) struct Hosts {
    /// `None` answers to every name.
    names: Option<Vec<String>>,
}

impl Hosts {
    /// For a listener at `address`; `configured` are further names, without a port.
    pub(crate) fn new(address: SocketAddr, configured: &[String]) -> Self {
        let mut names: Vec<String> = configured
            .iter()
            .map(|name| name.to_ascii_lowercase())
            .collect();
        if !address.ip().to_canonical().is_loopback() {
            return Self {
                names: (!names.is_empty()).then_some(names),
            };
        }
        names.extend(["localhost", "127.0.0.1", "[::1]"].map(str::to_owned));
        // Another address of the loopback network is only ever listened on because somebody asked for it.
        names.push(match address.ip() {
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        });
        Self { names: Some(names) }
    }

    /// Refuses a request that was meant for another host.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Fault> {
        let Some(names) = &self.names else {
            return Ok(());
        };
        let refusal = |name: &str| {
            let detail = format!(
                "this host does not answer to the name {name:?}; use http://localhost, or start it with --host-name {name}"
            );
            Err(Fault::new(Kind::Misdirected, detail))
        };
        // A request in absolute form carries the name twice; both have to be ours.
        let of_uri = uri.authority().map(http::uri::Authority::as_str);
        let mut of_headers = headers.get_all(HOST).iter();
        let of_header = match (of_headers.next(), of_headers.next()) {
            (Some(host), None) => host.to_str().ok(),
            _ => None,
        };
        let Some(of_header) = of_header else {
            return refusal("");
        };
        for authority in of_uri.into_iter().chain([of_header]) {
            let name = name_of(authority);
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                return refusal(name);
            }
        }
        Ok(())
    }
}

/// `localhost:7654` without its port, `[::1]:7654` with its brackets.
fn name_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((name, port))
            if !name.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) =>
        {
            name
        }
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn check(hosts: &Hosts, host: &'static str) -> Result<(), Fault> {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]);
        hosts.check(&Uri::from_static("/"), &headers)
    }

    fn loopback() -> Hosts {
        Hosts::new(
            "127.0.0.1:7654".parse().unwrap(),
            &["polity.test".to_owned()],
        )
    }

    #[test]
    fn the_names_of_the_loopback_interface_and_configured_ones_are_answered_to() {
        for host in [
            "localhost",
            "LOCALHOST:7654",
            "127.0.0.1:7654",
            "[::1]:7654",
            "[::1]",
            "polity.test:80",
        ] {
            assert!(check(&loopback(), host).is_ok(), "{host}");
        }
    }

    #[test]
    fn a_foreign_name_that_resolves_to_the_loopback_interface_is_refused() {
        for host in [
            "evil.example",
            "evil.example:7654",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "",
            "[::2]",
        ] {
            assert_eq!(
                check(&loopback(), host).unwrap_err().kind(),
                Kind::Misdirected,
                "{host}"
            );
        }
    }

    #[test]
    fn a_request_without_a_name_or_with_two_is_refused() {
        assert!(
            loopback()
                .check(&Uri::from_static("/"), &HeaderMap::new())
                .is_err()
        );
        let two = [
            (HOST, HeaderValue::from_static("localhost")),
            (HOST, HeaderValue::from_static("evil.example")),
        ];
        let mut headers = HeaderMap::new();
        for (name, value) in two {
            headers.append(name, value);
        }
        assert!(loopback().check(&Uri::from_static("/"), &headers).is_err());
    }

    #[test]
    fn the_name_in_an_absolute_request_line_counts_as_well() {
        let headers = HeaderMap::from_iter([(HOST, HeaderValue::from_static("localhost"))]);
        assert!(
            loopback()
                .check(&Uri::from_static("http://evil.example/"), &headers)
                .is_err()
        );
        assert!(
            loopback()
                .check(&Uri::from_static("http://localhost/"), &headers)
                .is_ok()
        );
    }

    #[test]
    fn away_from_the_loopback_interface_the_check_begins_with_the_first_configured_name() {
        let address = "192.0.2.1:80".parse().unwrap();
        assert!(check(&Hosts::new(address, &[]), "anything.example").is_ok());
        let named = Hosts::new(address, &["polity.example".to_owned()]);
        assert!(check(&named, "polity.example").is_ok());
        assert!(check(&named, "localhost").is_err());
    }
}
