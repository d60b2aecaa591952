//! Which hosts a grant speaks of: `api.example.com`, `*.example.com`, `[::1]:8080`.
//!
//! Everything is checked when the file is read and compared in one spelling, the one
//! that the `url` crate gives to hosts: lower case, punycode, addresses in canonical
//! form. A pattern that could never match, or would match the world, is refused then.

use std::fmt;
use std::net::IpAddr;

use url::Host;

use super::suffix;

/// A host, or all names below one, and a port.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostPattern {
    name: Name,
    /// None: the scheme's own, 443 or 80.
    port: Option<u16>,
}

/// Why a text is no pattern, with what to write instead.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{text:?} {problem}")]
pub struct HostPatternError {
    text: String,
    problem: String,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Name {
    Exact(String),
    /// With the dot in front: `.example.com`.
    Below(String),
    Address(IpAddr),
}

impl HostPattern {
    /// Reads a pattern.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        Self::read(text).map_err(|problem| HostPatternError {
            text: text.to_owned(),
            problem,
        })
    }

    fn read(text: &str) -> Result<Self, String> {
        if let Some((_, after)) = text.split_once("://") {
            let host = after.split('/').next().unwrap_or_default();
            return Err(format!("has a scheme; write the host alone: {host:?}"));
        }
        if text.contains(['/', '?', '#', '@']) {
            return Err("is more than a host; `paths` limits paths".into());
        }
        if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err("is not a host".into());
        }
        let (host, port) = split_port(text)?;
        if host == "*" {
            return Err("would grant every host; name each one".into());
        }
        let name = match host.strip_prefix("*.") {
            None => Name::of(host)?,
            Some(suffix) => match Name::of(suffix)? {
                Name::Exact(suffix) if suffix::is_shared(&suffix) => {
                    return Err(format!(
                        "would grant everyone who registers a name below {suffix}; name one of them"
                    ));
                }
                Name::Exact(suffix) => Name::Below(format!(".{suffix}")),
                Name::Below(_) | Name::Address(_) => {
                    return Err("has a wildcard where none can be".into());
                }
            },
        };
        Ok(Self { name, port })
    }

    /// The address, where the pattern is one.
    pub fn address(&self) -> Option<IpAddr> {
        match self.name {
            Name::Address(address) => Some(address),
            _ => None,
        }
    }

    /// True where the name means this machine.
    pub fn is_localhost(&self) -> bool {
        match &self.name {
            Name::Exact(name) => name == "localhost" || name.ends_with(".localhost"),
            Name::Below(suffix) => suffix == ".localhost",
            Name::Address(address) => address.is_loopback(),
        }
    }

    /// True where a URL's host and port are meant. `default_port` is that of its scheme.
    pub(crate) fn matches(&self, host: &Host<&str>, port: u16, default_port: u16) -> bool {
        port == self.port.unwrap_or(default_port)
            && match (&self.name, host) {
                (Name::Exact(name), Host::Domain(host)) => name == host,
                (Name::Below(suffix), Host::Domain(host)) => {
                    host.len() > suffix.len() && host.ends_with(suffix.as_str())
                }
                (Name::Address(IpAddr::V4(address)), Host::Ipv4(host)) => address == host,
                (Name::Address(IpAddr::V6(address)), Host::Ipv6(host)) => address == host,
                _ => false,
            }
    }

    /// True where all that `other` matches is matched.
    pub(crate) fn covers(&self, other: &Self) -> bool {
        self.port == other.port
            && match (&self.name, &other.name) {
                (Name::Below(mine), Name::Exact(name)) => {
                    name.len() > mine.len() && name.ends_with(mine.as_str())
                }
                (Name::Below(mine), Name::Below(theirs)) => theirs.ends_with(mine.as_str()),
                (mine, theirs) => mine == theirs,
            }
    }
}

impl Name {
    fn of(text: &str) -> Result<Self, String> {
        if text.contains('*') {
            return Err("has a wildcard where none can be; only `*.` in front is one".into());
        }
        match Host::parse(text) {
            Ok(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(&name);
                let fits = !name.is_empty()
                    && name.len() <= 253
                    && name
                        .split('.')
                        .all(|label| !label.is_empty() && label.len() <= 63);
                if fits {
                    Ok(Self::Exact(name.to_owned()))
                } else {
                    Err("is not a host".into())
                }
            }
            // `127.1` and `0x7f000001` are the same host in a disguise that a reader of
            // the file would not see through.
            Ok(Host::Ipv4(address)) if address.to_string() != text => {
                Err(format!("is an address in disguise; write \"{address}\""))
            }
            Ok(Host::Ipv4(address)) => Ok(Self::Address(address.into())),
            Ok(Host::Ipv6(address)) => Ok(Self::Address(address.into())),
            Err(error) => Err(format!("is not a host: {error}")),
        }
    }
}

/// Takes the port off, minding the colons of IPv6.
fn split_port(text: &str) -> Result<(&str, Option<u16>), String> {
    let bracket = text.rfind(']').map_or(0, |at| at + 1);
    if bracket == 0 && text.matches(':').count() > 1 {
        return Err(format!("is an IPv6 address; write \"[{text}]\""));
    }
    match text[bracket..].rfind(':') {
        None => Ok((text, None)),
        Some(colon) => {
            let (host, port) = (&text[..bracket + colon], &text[bracket + colon + 1..]);
            match port.parse() {
                Ok(port) if port != 0 => Ok((host, Some(port))),
                _ => Err(format!("has no port {port:?}; ports go from 1 to 65535")),
            }
        }
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Name::Exact(name) => f.write_str(name)?,
            Name::Below(suffix) => write!(f, "*{suffix}")?,
            Name::Address(IpAddr::V4(address)) => write!(f, "{address}")?,
            Name::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
        }
        match self.port {
            Some(port) => write!(f, ":{port}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn matches(pattern: &str, url: &str) -> bool {
        let url = Url::parse(url).unwrap();
        let default = if url.scheme() == "https" { 443 } else { 80 };
        HostPattern::parse(pattern).unwrap().matches(
            &url.host().unwrap(),
            url.port_or_known_default().unwrap(),
            default,
        )
    }

    fn problem(pattern: &str) -> String {
        HostPattern::parse(pattern).unwrap_err().to_string()
    }

    #[test]
    fn a_host_without_a_port_means_the_port_of_the_scheme() {
        assert!(matches("api.example.com", "https://api.example.com/"));
        assert!(matches("api.example.com", "https://api.example.com:443/"));
        assert!(matches("api.example.com", "http://api.example.com/"));
        assert!(!matches("api.example.com", "https://api.example.com:8443/"));
        assert!(!matches("api.example.com", "https://api.example.com:80/"));
        assert!(matches(
            "api.example.com:8443",
            "https://api.example.com:8443/"
        ));
        assert!(!matches("api.example.com:8443", "https://api.example.com/"));
    }

    #[test]
    fn a_wildcard_means_the_names_below_and_not_the_name_itself() {
        assert!(matches("*.example.com", "https://a.example.com/"));
        assert!(matches("*.example.com", "https://a.b.example.com/"));
        assert!(!matches("*.example.com", "https://example.com/"));
        assert!(!matches("*.example.com", "https://notexample.com/"));
        assert!(!matches("*.example.com", "https://example.com.evil.net/"));
    }

    #[test]
    fn spelling_does_not_matter() {
        assert!(matches("API.Example.com", "https://api.EXAMPLE.com/"));
        assert!(matches("bücher.example", "https://xn--bcher-kva.example/"));
        assert!(matches("[::1]:8080", "http://[0:0:0:0:0:0:0:1]:8080/"));
        assert!(matches("127.0.0.1:80", "http://0x7f.1/"));
        assert!(matches("example.com.", "https://example.com/"));
    }

    #[test]
    fn a_grant_to_everybody_is_refused() {
        for pattern in [
            "*",
            "*.com",
            "*.co.uk",
            "*.github.io",
            "*:443",
            "*.*",
            "a.*.com",
            "*",
        ] {
            assert!(HostPattern::parse(pattern).is_err(), "{pattern}");
        }
        assert!(problem("*.com").contains("everyone"));
    }

    #[test]
    fn what_is_not_a_host_is_refused_with_what_to_write() {
        assert!(problem("https://api.example.com/v1").contains("\"api.example.com\""));
        assert!(problem("api.example.com/v1").contains("paths"));
        assert!(problem("::1").contains("[::1]"));
        assert!(problem("127.1").contains("127.0.0.1"));
        assert!(problem("example.com:0").contains("65535"));
        assert!(problem("user@example.com").contains("more than a host"));
        for pattern in [
            "",
            " ",
            "a b",
            "exa\nmple.com",
            "a..b",
            ".example.com",
            "*.1.2.3.4",
        ] {
            assert!(HostPattern::parse(pattern).is_err(), "{pattern:?}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_reads_back_what_it_prints(
            wild in any::<bool>(), name in "[a-z]{1,8}(\\.[a-z]{3,8}){1,3}", port in proptest::option::of(1u16..)
        ) {
            let mut text = if wild { format!("*.{name}") } else { name };
            if let Some(port) = port {
                text = format!("{text}:{port}");
            }
            if let Ok(pattern) = HostPattern::parse(&text) {
                prop_assert_eq!(HostPattern::parse(&pattern.to_string()), Ok(pattern));
            }
        }

        #[test]
        fn any_text_is_either_a_pattern_or_an_error(text in ".{0,40}") {
            let _ = HostPattern::parse(&text);
        }

        #[test]
        fn what_covers_a_pattern_matches_every_host_that_it_matches(
            outer in "(\\*\\.)?[ab]\\.(example\\.net|[ab]\\.example\\.net)",
            inner in "(\\*\\.)?[ab]\\.(example\\.net|[ab]\\.example\\.net)",
            host in "[ab](\\.[ab]){0,3}\\.example\\.net",
        ) {
            let (outer, inner) = (HostPattern::parse(&outer).unwrap(), HostPattern::parse(&inner).unwrap());
            let host = Host::Domain(host.as_str());
            if outer.covers(&inner) && inner.matches(&host, 443, 443) {
                prop_assert!(outer.matches(&host, 443, 443));
            }
        }
    }
}
