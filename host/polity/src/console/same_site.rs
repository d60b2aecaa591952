//! Whether a form was sent from one of our own pages.
//!
//! The session's cookie is `SameSite=Strict` already. This is the second lock: a site on another port of this machine is
//! "same site" to a browser, and its forms would carry the cookie.

use http::header::{HOST, HeaderMap, ORIGIN};

/// True where the browser says that a page of this very origin sent the request. A request that says nothing about its
/// origin is not from a browser that we would want to trust with a session.
pub(super) fn is_own(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin";
    }
    let text = |value: &http::HeaderValue| value.to_str().ok().map(str::to_owned);
    let (Some(origin), Some(host)) = (
        headers.get(ORIGIN).and_then(text),
        headers.get(HOST).and_then(text),
    ) else {
        return false;
    };
    let authority = origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(&host))
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        headers
            .iter()
            .map(|(name, value)| {
                (
                    HeaderName::from_static(name),
                    HeaderValue::from_static(value),
                )
            })
            .collect()
    }

    #[test]
    fn only_a_page_of_this_origin_may_send_forms() {
        assert!(is_own(&headers(&[("sec-fetch-site", "same-origin")])));
        for site in ["same-site", "cross-site", "none", ""] {
            assert!(!is_own(&headers(&[("sec-fetch-site", site)])), "{site}");
        }
    }

    #[test]
    fn a_browser_without_fetch_metadata_is_judged_by_its_origin() {
        let host = ("host", "localhost:7654");
        assert!(is_own(&headers(&[
            host,
            ("origin", "http://localhost:7654")
        ])));
        assert!(is_own(&headers(&[
            host,
            ("origin", "https://LOCALHOST:7654")
        ])));
        for origin in [
            "http://localhost:8000",
            "http://evil.example",
            "null",
            "localhost:7654",
        ] {
            assert!(!is_own(&headers(&[host, ("origin", origin)])), "{origin}");
        }
    }

    #[test]
    fn silence_is_no_consent() {
        assert!(!is_own(&HeaderMap::new()));
        assert!(!is_own(&headers(&[("host", "localhost:7654")])));
    }

    #[test]
    fn fetch_metadata_outranks_a_claimed_origin() {
        let claimed = headers(&[
            ("host", "h"),
            ("origin", "http://h"),
            ("sec-fetch-site", "cross-site"),
        ]);
        assert!(!is_own(&claimed));
    }
}
