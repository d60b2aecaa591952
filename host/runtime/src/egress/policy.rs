//! Whether a grant covers a request: a pure function of the two.
//!
//! It judges the URL as it will be sent. What it has to change to know what it is
//! judging (a dot after the host, a needless escape) it changes in the URL itself, so
//! that no other program down the road reads something else than what was allowed.

use std::borrow::Cow;

use http::Method;
use url::{Host, Url};

use super::EgressError;
use super::address::{AddressClass, Reach};
use crate::grant::{HttpGrant, PathPattern, paste, path};

/// The longest URL. Servers refuse much shorter ones.
const MAX_URL_BYTES: usize = 16 * 1024;

/// The longest path that the grant file's schema takes.
const MAX_PATTERN_BYTES: usize = 1024;

/// The requests of one plugin.
pub(crate) struct Policy {
    plugin: String,
    grants: Vec<HttpGrant>,
}

/// How an allowed request may travel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Route {
    /// To addresses of this machine and of private networks as well.
    pub(crate) private: bool,
}

/// How close a grant came to covering a request.
#[derive(Clone, Copy, Eq, Ord, PartialEq, PartialOrd)]
enum Shortfall {
    Host,
    Scheme,
    Address,
    Method,
    Path,
}

impl Policy {
    pub(crate) fn new(plugin: &str, grants: &[HttpGrant]) -> Self {
        Self {
            plugin: plugin.to_owned(),
            grants: grants.to_vec(),
        }
    }

    /// True where some grant leads to private networks, or some does not.
    pub(crate) fn has_route(&self, private: bool) -> bool {
        self.grants.iter().any(|grant| grant.private == private)
    }

    /// Allows or refuses a request, after putting its URL into the form that is judged.
    pub(crate) fn admit(&self, method: &Method, url: &mut Url) -> Result<Route, EgressError> {
        let default_port = tidy(url)?;
        let (Some(host), Some(port)) = (url.host(), url.port_or_known_default()) else {
            return Err(EgressError::Invalid("the URL has no host".into()));
        };
        if *method == Method::CONNECT || *method == Method::TRACE {
            return Err(EgressError::Invalid(format!("{method} is never sent")));
        }
        let plain = url.scheme() == "http";
        let mut route = None;
        let mut shortfall = Shortfall::Host;
        for grant in &self.grants {
            let found = if !grant.host.matches(&host, port, default_port) {
                Shortfall::Host
            } else if plain && !grant.plain {
                Shortfall::Scheme
            } else if !address_is_covered(&host, grant.private) {
                Shortfall::Address
            } else if !grant.methods.contains(method) {
                Shortfall::Method
            } else if !grant.paths.iter().any(|path| path.matches(url.path())) {
                Shortfall::Path
            } else {
                // Several tables may cover a request; the most generous one counts.
                let private = grant.private || route.is_some_and(|r: Route| r.private);
                route = Some(Route { private });
                continue;
            };
            shortfall = shortfall.max(found);
        }
        route.ok_or_else(|| EgressError::Denied(self.refusal(method, url, shortfall)))
    }

    /// One sentence, and what to paste.
    #[cold]
    fn refusal(&self, method: &Method, url: &Url, shortfall: Shortfall) -> String {
        let plugin = &self.plugin;
        let host = url.host();
        let class = host.as_ref().and_then(class_of);
        let why: Cow<'_, str> = match (shortfall, class.map(AddressClass::reach)) {
            (_, Some(Reach::Never)) => {
                let class = class.map(|class| class.to_string()).unwrap_or_default();
                return format!("{plugin:?} may not send to {}, {class}", origin(url));
            }
            (Shortfall::Host, None | Some(Reach::Open)) => "that host is not granted".into(),
            (Shortfall::Host | Shortfall::Address, _) => {
                let class = class.map(|class| class.to_string()).unwrap_or_default();
                format!("that is {class}, and not granted").into()
            }
            (Shortfall::Scheme, _) => "that host is granted over https: alone".into(),
            (Shortfall::Method, _) => "that method is not granted for the host".into(),
            (Shortfall::Path, _) => "that path is not granted for the host".into(),
        };
        let what = format!(
            "{plugin:?} may not send {method} to {}{}: {why}",
            origin(url),
            shortened(url.path())
        );
        let Some(own) = own_path(url) else {
            return format!("{what}, and no pattern can stand for that path alone");
        };
        let local = match host {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            _ => class.is_some_and(|class| class.reach() != Reach::Open),
        };
        let block = paste::http(
            &authority(url),
            &[method.as_str()],
            &[own],
            url.scheme() == "http",
            local,
        );
        format!("{what}. To allow it, add to {plugin}.grant.toml:\n{block}")
    }

    /// The same for a name that leads to an address that it may not lead to.
    #[cold]
    pub(crate) fn address_refusal(
        &self,
        method: &Method,
        url: &Url,
        class: AddressClass,
    ) -> String {
        let plugin = &self.plugin;
        let what = format!(
            "{plugin:?} may not send {method} to {}: the name leads to {class}",
            origin(url)
        );
        match class.reach() {
            Reach::Private | Reach::Open => {
                let Some(own) = own_path(url) else {
                    return format!("{what}; `private = true` in its [[http]] table allows that");
                };
                let plain = url.scheme() == "http";
                let block = paste::http(&authority(url), &[method.as_str()], &[own], plain, true);
                format!("{what}. To allow it, add to {plugin}.grant.toml:\n{block}")
            }
            Reach::Named => format!("{what}, which only a grant for the address itself allows"),
            Reach::Never => format!("{what}, which nothing allows"),
        }
    }
}

/// Puts a URL into the form that is judged and sent. Answers the default port of its
/// scheme.
fn tidy(url: &mut Url) -> Result<u16, EgressError> {
    let invalid = |text: &str| Err(EgressError::Invalid(text.to_owned()));
    let default_port = match url.scheme() {
        "https" => 443,
        "http" => 80,
        _ => return invalid("only https: and http: URLs can be sent"),
    };
    if url.as_str().len() > MAX_URL_BYTES {
        return Err(EgressError::TooLarge(format!(
            "the URL has {} bytes, more than {MAX_URL_BYTES}",
            url.as_str().len()
        )));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return invalid("a URL cannot carry a user or password; the host adds credentials");
    }
    if url.fragment().is_some() {
        url.set_fragment(None);
    }
    // `example.com.` is `example.com` to the resolver and must not be another host here.
    if let Some(Host::Domain(name)) = url.host()
        && let Some(name) = name.strip_suffix('.')
    {
        let name = name.to_owned();
        if name.is_empty() || name.ends_with('.') || url.set_host(Some(&name)).is_err() {
            return invalid("the URL has no host");
        }
    }
    if let Cow::Owned(normal) = path::normalise(url.path())
        && normal != url.path()
    {
        url.set_path(&normal);
        // Should the parser make anything else of it, what was asked for is anybody's guess.
        if url.path() != normal {
            return invalid("the URL's path reads differently when it is read again");
        }
    }
    Ok(default_port)
}

/// True unless the host is an address that takes more than this grant.
fn address_is_covered(host: &Host<&str>, private: bool) -> bool {
    class_of(host).is_none_or(|class| match class.reach() {
        Reach::Open => true,
        Reach::Private | Reach::Named => private,
        Reach::Never => false,
    })
}

fn class_of(host: &Host<&str>) -> Option<AddressClass> {
    match host {
        Host::Domain(_) => None,
        Host::Ipv4(v4) => Some(AddressClass::of((*v4).into())),
        Host::Ipv6(v6) => Some(AddressClass::of((*v6).into())),
    }
}

/// The path, if as a pattern it would match itself: not where servers may read it in two
/// ways, and not where it is longer than a grant can say.
fn own_path(url: &Url) -> Option<&str> {
    let path = url.path();
    let is_own = path.len() <= MAX_PATTERN_BYTES
        && PathPattern::parse(path).is_ok_and(|pattern| pattern.matches(path));
    is_own.then_some(path)
}

/// Host and, where it is not the scheme's own, port: as a grant writes them.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.to_owned(),
    }
}

fn origin(url: &Url) -> String {
    format!("{}://{}", url.scheme(), authority(url))
}

/// A path comes from the guest and may be as long as a URL.
fn shortened(path: &str) -> Cow<'_, str> {
    match path.char_indices().nth(200) {
        Some((end, _)) => Cow::Owned(format!("{}…", &path[..end])),
        None => Cow::Borrowed(path),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::grant::Grant;

    const GRANT: &str = r#"
[[http]]
host = "api.example.com"
methods = ["POST"]
paths = ["/v1/*"]
[[http]]
host = "api.example.com"
paths = ["/status"]
[[http]]
host = "*.shop.example"
[[http]]
host = "127.0.0.1:8080"
plain = true
private = true
"#;

    fn policy(grant: &str) -> Policy {
        Policy::new(
            "acme",
            &Grant::parse("acme.grant.toml", grant).unwrap().http,
        )
    }

    fn admit(method: &str, url: &str) -> Result<Route, EgressError> {
        let mut url = Url::parse(url).unwrap();
        policy(GRANT).admit(&Method::from_bytes(method.as_bytes()).unwrap(), &mut url)
    }

    #[test]
    fn what_a_table_grants_is_allowed_and_tables_do_not_mix() {
        assert!(admit("POST", "https://api.example.com/v1/chat").is_ok());
        assert!(admit("GET", "https://api.example.com/status").is_ok());
        assert!(admit("GET", "https://api.example.com/v1/chat").is_err());
        assert!(admit("POST", "https://api.example.com/status").is_err());
        assert!(admit("HEAD", "https://eu.shop.example/").is_ok());
        assert_eq!(
            admit("GET", "http://127.0.0.1:8080/x"),
            Ok(Route { private: true })
        );
    }

    #[test]
    fn no_spelling_of_another_host_is_allowed() {
        for url in [
            "https://example.com/status",
            "https://api.example.com.evil.net/status",
            "https://api.example.com:8443/status",
            "http://api.example.com/status",
            "https://evil.net/api.example.com/status",
            "https://shop.example/",
            "https://127.0.0.1/x",
            "http://127.0.0.1:8081/x",
            "http://127.0.0.2:8080/x",
            "http://[::1]:8080/x",
            "http://169.254.169.254/latest/meta-data/",
            "http://0x7f000001/",
            "http://2130706433:8081/",
        ] {
            assert_eq!(admit("GET", url).unwrap_err().code(), "denied", "{url}");
        }
    }

    #[test]
    fn a_user_a_password_or_another_scheme_is_invalid() {
        for url in [
            "https://api.example.com@evil.net/status",
            "https://user:secret@api.example.com/status",
            "ftp://api.example.com/status",
            "file:///etc/passwd",
            "data:text/plain,hello",
        ] {
            assert_eq!(admit("GET", url).unwrap_err().code(), "invalid", "{url}");
        }
        assert_eq!(
            admit("TRACE", "https://api.example.com/status")
                .unwrap_err()
                .code(),
            "invalid"
        );
    }

    #[test]
    fn another_spelling_of_the_same_host_is_allowed() {
        for url in [
            "https://API.EXAMPLE.COM/status",
            "https://api.example.com./status",
            "https://api.example.com:443/status#top",
            "https://api.example.com/x/../status",
            "https://api.example.com/%73tatus",
            "http://0x7f.1:8080/",
        ] {
            assert!(admit("GET", url).is_ok(), "{url}");
        }
    }

    #[test]
    fn what_is_sent_is_what_was_judged() {
        let mut url = Url::parse("https://api.example.com./%73tatus?q=%73#top").unwrap();
        policy(GRANT).admit(&Method::GET, &mut url).unwrap();
        assert_eq!(url.as_str(), "https://api.example.com/status?q=%73");
    }

    #[test]
    fn an_escape_within_an_escape_hides_nothing() {
        let error = admit("POST", "https://api.example.com/v1/%2%65%2%65/admin").unwrap_err();
        assert_eq!(error.code(), "denied");
    }

    #[test]
    fn a_refusal_is_one_sentence_and_what_to_paste() {
        insta::assert_snapshot!(
            admit("DELETE", "https://api.example.com:8443/v1/\"x\"").unwrap_err(),
            @r#"
        "acme" may not send DELETE to https://api.example.com:8443/v1/%22x%22: that host is not granted. To allow it, add to acme.grant.toml:
        [[http]]
        host = "api.example.com:8443"
        methods = ["DELETE"]
        paths = ["/v1/%22x%22"]
        "#
        );
        insta::assert_snapshot!(
            admit("GET", "http://169.254.169.254/latest").unwrap_err(),
            @r#"
        "acme" may not send GET to http://169.254.169.254/latest: that is a metadata service, which hands out this machine's own credentials, and not granted. To allow it, add to acme.grant.toml:
        [[http]]
        host = "169.254.169.254"
        methods = ["GET"]
        paths = ["/latest"]
        plain = true
        private = true
        "#
        );
    }

    #[test]
    fn a_refusal_for_a_path_with_two_readings_suggests_no_table() {
        let error = admit("POST", "https://api.example.com/v1/..%2fadmin").unwrap_err();
        assert!(!error.to_string().contains("[["), "{error}");
    }

    #[test]
    fn a_refusal_is_short_whatever_was_asked_for() {
        let long = format!("https://evil.example/{}", "x".repeat(10_000));
        let error = admit("GET", &long).unwrap_err().to_string();
        assert!(error.len() < 500, "{error}");
        let longer = format!("https://evil.example/{}", "x".repeat(20_000));
        assert_eq!(admit("GET", &longer).unwrap_err().code(), "too-large");
    }

    proptest! {
        #[test]
        fn what_a_refusal_prints_allows_what_was_refused(
            method in "GET|POST|DELETE|PROPFIND",
            scheme in "https?",
            host in "[a-z]{1,6}\\.example|localhost|10\\.0\\.0\\.[1-9]|\\[::1\\]|8\\.8\\.8\\.8",
            port in proptest::option::of(1u16..),
            path in "(/[a-z\"'é ]{0,6}|/%2f|/%41|/\\.\\.|/;){0,4}",
        ) {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            let text = format!("{scheme}://{host}{port}{path}");
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            let mut url = Url::parse(&text).unwrap();
            let Err(EgressError::Denied(refusal)) = policy("").admit(&method, &mut url) else {
                return Err(TestCaseError::fail("an empty grant allowed it"));
            };
            if let Some(at) = refusal.find("[[http]]") {
                let granted = policy(&refusal[at..]);
                prop_assert!(granted.admit(&method, &mut url).is_ok(), "{refusal}");
            }
        }

        #[test]
        fn an_empty_grant_allows_nothing(text in "(https?|ftp)://.{0,40}") {
            if let Ok(mut url) = Url::parse(&text) {
                prop_assert!(policy("").admit(&Method::GET, &mut url).is_err());
            }
        }

        #[test]
        fn judging_twice_gives_the_same_answer(path in "/v1(/|%|2|e|5|\\.|;|[a-c]){0,12}") {
            let mut url = Url::parse(&format!("https://api.example.com{path}")).unwrap();
            let policy = policy(GRANT);
            if policy.admit(&Method::POST, &mut url).is_ok() {
                let sent = url.clone();
                prop_assert!(policy.admit(&Method::POST, &mut url).is_ok(), "{sent}");
            }
        }
    }
}
