//! Headers that are not the guest's to set.

use http::{HeaderName, header};

/// True for headers that frame a message or steer its way. One that the host did not
/// write itself could make two servers see two requests where one was sent.
pub(crate) fn is_forbidden(name: &HeaderName) -> bool {
    *name == header::HOST
        || *name == header::CONTENT_LENGTH
        || *name == header::CONNECTION
        || *name == header::TRANSFER_ENCODING
        || *name == header::TE
        || *name == header::TRAILER
        || *name == header::UPGRADE
        || *name == header::EXPECT
        || matches!(name.as_str(), "keep-alive" | "http2-settings")
        || name.as_str().starts_with("proxy-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_cannot_frame_or_redirect_a_message() {
        for name in [
            "Host",
            "content-length",
            "Transfer-Encoding",
            "connection",
            "proxy-authorization",
            "Proxy-Anything",
            "te",
            "trailer",
            "upgrade",
            "expect",
            "keep-alive",
            "http2-settings",
        ] {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert!(is_forbidden(&name), "{name}");
        }
    }

    #[test]
    fn a_guest_can_say_what_it_sends_and_what_it_takes() {
        for name in [
            "content-type",
            "accept",
            "user-agent",
            "x-request-id",
            "authorization",
        ] {
            assert!(!is_forbidden(&HeaderName::from_static(name)), "{name}");
        }
    }
}
