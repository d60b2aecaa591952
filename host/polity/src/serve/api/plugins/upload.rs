//! A plugin on its way in: the component alone, or with its grant and signature.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{Bytes, BytesMut};
use futures_util::stream;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName};
use utoipa::ToSchema;

use crate::serve::App;
use crate::serve::body::{self, Pieces};
use crate::serve::fault::{Fault, Kind};

/// The grant file beside a component that is the whole body, in base64.
const GRANT: HeaderName = HeaderName::from_static("x-polity-grant");

/// The signature file beside a component that is the whole body, in base64.
const SIGNATURE: HeaderName = HeaderName::from_static("x-polity-signature");

/// What was sent.
#[derive(Default)]
pub(super) struct Upload {
    pub(super) wasm: Bytes,
    pub(super) grant: Option<String>,
    pub(super) signature: Option<Vec<u8>>,
}

/// The parts of a `multipart/form-data` body.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what is read below")]
pub(crate) struct UploadForm {
    /// The component, at most 64 MiB.
    #[schema(value_type = String, format = Binary)]
    wasm: Vec<u8>,
    /// The operator's grant file, TOML. Without it the one in the plugin folder stays.
    grant: Option<String>,
    /// The minisign signature file.
    signature: Option<String>,
}

impl FromRequest<App> for Upload {
    type Rejection = Fault;

    async fn from_request(request: Request, _: &App) -> Result<Self, Fault> {
        let (head, body) = request.into_parts();
        let kind = head
            .headers
            .get(CONTENT_TYPE)
            .and_then(|kind| kind.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let upload = match kind.split(';').next().unwrap_or_default().trim() {
            "application/wasm" | "application/octet-stream" => Self {
                wasm: body::read(&head.headers, body, body::PLUGIN).await?,
                grant: from_header(&head.headers, &GRANT)?
                    .map(text("the grant"))
                    .transpose()?,
                signature: from_header(&head.headers, &SIGNATURE)?,
            },
            "multipart/form-data" => {
                Self::from_form(&kind, Pieces::new(body, body::PLUGIN)).await?
            }
            other => {
                let detail = format!(
                    "the body is {other:?}; send the component as application/wasm, or multipart/form-data with the parts wasm, grant and signature"
                );
                return Err(Fault::new(Kind::UnsupportedMediaType, detail));
            }
        };
        if upload.wasm.is_empty() {
            return Err(Fault::new(
                Kind::Invalid,
                "the component is missing or empty",
            ));
        }
        Ok(upload)
    }
}

impl Upload {
    async fn from_form(kind: &str, pieces: Pieces) -> Result<Self, Fault> {
        let malformed = |error: multer::Error| {
            Fault::new(Kind::Malformed, format!("the form cannot be read: {error}"))
        };
        let boundary = multer::parse_boundary(kind).map_err(malformed)?;
        // What goes wrong while the body is read is not the form's fault and is told as itself.
        let mut broken = None;
        let read = {
            let broken = &mut broken;
            let body = stream::unfold((pieces, broken), |(mut pieces, broken)| async {
                match pieces.next().await {
                    Ok(piece) => piece.map(|piece| (Ok::<_, Infallible>(piece), (pieces, broken))),
                    Err(fault) => {
                        *broken = Some(fault);
                        None
                    }
                }
            });
            Self::from_parts(multer::Multipart::new(Box::pin(body), boundary)).await
        };
        match (broken, read) {
            (Some(fault), _) => Err(fault),
            (None, read) => read,
        }
    }

    async fn from_parts(mut parts: multer::Multipart<'_>) -> Result<Self, Fault> {
        let malformed = |error: multer::Error| {
            Fault::new(Kind::Malformed, format!("the form cannot be read: {error}"))
        };
        let mut upload = Self::default();
        while let Some(mut part) = parts.next_field().await.map_err(malformed)? {
            let name = part.name().unwrap_or_default().to_owned();
            let mut content = BytesMut::new();
            while let Some(piece) = part.chunk().await.map_err(malformed)? {
                content.extend_from_slice(&piece);
            }
            match name.as_str() {
                "wasm" => upload.wasm = content.freeze(),
                "grant" => upload.grant = Some(text("the grant")(content.to_vec())?),
                "signature" => upload.signature = Some(content.to_vec()),
                other => {
                    let detail = format!(
                        "the form has an unknown part `{other}`; its parts are wasm, grant and signature"
                    );
                    return Err(Fault::new(Kind::Invalid, detail));
                }
            }
        }
        Ok(upload)
    }
}

fn from_header(headers: &HeaderMap, name: &HeaderName) -> Result<Option<Vec<u8>>, Fault> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    STANDARD.decode(value).map(Some).map_err(|error| {
        Fault::new(
            Kind::Invalid,
            format!("the header {name} is not base64: {error}"),
        )
    })
}

fn text(what: &'static str) -> impl Fn(Vec<u8>) -> Result<String, Fault> {
    move |bytes| {
        String::from_utf8(bytes)
            .map_err(|_| Fault::new(Kind::Invalid, format!("{what} is not UTF-8")))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn pieces(body: &str) -> Pieces {
        Pieces::new(Body::from(body.to_owned()), 10_000)
    }

    fn form(parts: &[(&str, &str)]) -> String {
        let parts: String = parts
            .iter()
            .map(|(name, content)| {
                format!(
                    "--x\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{content}\r\n"
                )
            })
            .collect();
        format!("{parts}--x--\r\n")
    }

    const KIND: &str = "multipart/form-data; boundary=x";

    #[tokio::test]
    async fn a_form_brings_the_component_and_what_belongs_to_it() {
        let body = form(&[
            ("wasm", "\0asm"),
            ("grant", "[config]\n"),
            ("signature", "sig"),
        ]);
        let upload = Upload::from_form(KIND, pieces(&body)).await.unwrap();
        assert_eq!(upload.wasm, "\0asm");
        assert_eq!(upload.grant.as_deref(), Some("[config]\n"));
        assert_eq!(upload.signature.as_deref(), Some(&b"sig"[..]));
    }

    #[tokio::test]
    async fn an_unknown_part_is_refused_with_the_known_ones() {
        let fault = Upload::from_form(KIND, pieces(&form(&[("component", "x")])))
            .await
            .err()
            .unwrap();
        assert!(
            fault.detail().contains("wasm, grant and signature"),
            "{}",
            fault.detail()
        );
    }

    #[tokio::test]
    async fn a_form_that_is_too_long_is_told_so_and_not_that_it_is_malformed() {
        let body = form(&[("wasm", &"x".repeat(20_000))]);
        let fault = Upload::from_form(KIND, pieces(&body)).await.err().unwrap();
        assert_eq!(fault.kind(), Kind::TooLarge);
    }

    #[tokio::test]
    async fn a_form_that_breaks_off_is_malformed() {
        let whole = form(&[("wasm", "abc")]);
        let fault = Upload::from_form(KIND, pieces(&whole[..whole.len() - 10]))
            .await
            .err()
            .unwrap();
        assert_eq!(fault.kind(), Kind::Malformed);
    }
}
