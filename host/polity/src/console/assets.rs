//! The files that pages refer to, carried in the binary and named by their content, so that a browser may keep them for
//! ever.

use std::sync::LazyLock;

use axum::body::Body;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// A file and where it is fetched.
pub(super) struct Asset {
    name: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    /// `/assets/<digest>/<name>`.
    pub(super) path: String,
}

/// Every asset.
pub(super) struct Assets {
    pub(super) style: Asset,
    pub(super) keys: Asset,
    pub(super) htmx: Asset,
    pub(super) sse: Asset,
    pub(super) icon: Asset,
}

pub(super) static ASSETS: LazyLock<Assets> = LazyLock::new(|| Assets {
    style: Asset::new(
        "console.css",
        "text/css; charset=utf-8",
        include_bytes!("../../assets/console.css"),
    ),
    keys: Asset::new(
        "console.js",
        SCRIPT,
        include_bytes!("../../assets/console.js"),
    ),
    htmx: Asset::new(
        "htmx.min.js",
        SCRIPT,
        include_bytes!("../../assets/htmx.min.js"),
    ),
    sse: Asset::new(
        "hx-sse.min.js",
        SCRIPT,
        include_bytes!("../../assets/hx-sse.min.js"),
    ),
    icon: Asset::new(
        "icon.svg",
        "image/svg+xml",
        include_bytes!("../../assets/icon.svg"),
    ),
});

const SCRIPT: &str = "text/javascript; charset=utf-8";

impl Asset {
    fn new(name: &'static str, kind: &'static str, bytes: &'static [u8]) -> Self {
        let digest = hex::encode(&Sha256::digest(bytes)[..6]);
        Self {
            name,
            kind,
            bytes,
            path: format!("/assets/{digest}/{name}"),
        }
    }
}

impl Assets {
    fn all(&self) -> [&Asset; 5] {
        [&self.style, &self.keys, &self.htmx, &self.sse, &self.icon]
    }
}

/// `GET /assets/{digest}/{name}`. An old digest gets the present file: a page that is older than the binary is about to
/// be loaded anew anyway.
pub(super) async fn get(Path((_, name)): Path<(String, String)>) -> Response {
    let Some(asset) = ASSETS.all().into_iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let headers = [
        (CONTENT_TYPE, asset.kind),
        (CACHE_CONTROL, "public, max-age=31536000, immutable"),
        (HeaderName::from_static("x-content-type-options"), "nosniff"),
    ];
    let mut response = Response::new(Body::from(asset.bytes));
    response
        .headers_mut()
        .extend(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendored_files_are_the_ones_that_the_lock_names() {
        let lock = include_str!("../../assets/vendor.lock");
        let mut locked = 0;
        for line in lock.lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split(' ');
            let (name, sum) = (fields.next().unwrap(), fields.next().unwrap());
            let asset = ASSETS
                .all()
                .into_iter()
                .find(|asset| asset.name == name)
                .unwrap();
            assert_eq!(hex::encode(Sha256::digest(asset.bytes)), sum, "{name}");
            assert!(
                fields.next().unwrap().contains('@'),
                "{name} names its package and version"
            );
            locked += 1;
        }
        let vendored = ASSETS
            .all()
            .into_iter()
            .filter(|asset| asset.name.ends_with(".min.js"))
            .count();
        assert_eq!(locked, vendored);
    }

    #[test]
    fn the_style_sheet_reaches_for_nothing_outside() {
        let style = include_str!("../../assets/console.css");
        assert!(
            !style.contains("url(") && !style.contains("@import"),
            "the policy would refuse it"
        );
    }
}
