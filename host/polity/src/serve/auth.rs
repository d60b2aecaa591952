//! Who asks, and whether the charter lets them.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use http::request::Parts;
use polity_constitution::Permission;
use polity_kernel::{Actor, Kernel, TokenInfo};

use super::App;
use super::fault::{Fault, Kind};

/// Whoever sent the request, known by the bearer token.
pub(crate) struct Caller(pub(crate) Arc<Actor>);

impl Caller {
    /// The actor, if the charter lets them.
    pub(crate) fn allowed(self, permission: Permission) -> Result<Arc<Actor>, Fault> {
        require(&self.0, permission)?;
        Ok(self.0)
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Fault> {
        authenticate(&app.kernel, &parts.headers).map(Self)
    }
}

/// Finds the actor by the token.
pub(crate) fn authenticate(kernel: &Kernel, headers: &HeaderMap) -> Result<Arc<Actor>, Fault> {
    kernel.authenticate(shown(headers)?).ok_or_else(not_valid)
}

/// Finds the actor, and the token that is shown.
pub(crate) fn holder(
    kernel: &Kernel,
    headers: &HeaderMap,
) -> Result<(Arc<Actor>, Arc<TokenInfo>), Fault> {
    let bearer = shown(headers)?;
    let actor = kernel.authenticate(bearer).ok_or_else(not_valid)?;
    let token = kernel.token(bearer).ok_or_else(not_valid)?;
    Ok((actor, token))
}

fn shown(headers: &HeaderMap) -> Result<&str, Fault> {
    // Whoever stands before us may have looked at the other one.
    if headers.get_all(AUTHORIZATION).iter().nth(1).is_some() {
        return Err(Fault::new(
            Kind::Unauthenticated,
            "there are several `Authorization` headers, which could be several people's; send one",
        ));
    }
    bearer(headers).ok_or_else(|| {
        Fault::new(
            Kind::Unauthenticated,
            "a token is missing; send `Authorization: Bearer <token>`, see `polity token`",
        )
    })
}

fn not_valid() -> Fault {
    Fault::new(
        Kind::Unauthenticated,
        "this token is not valid; it may have been revoked",
    )
}

/// Refuses an actor that no role permits it.
pub(crate) fn require(actor: &Actor, permission: Permission) -> Result<(), Fault> {
    if actor.may(permission) {
        return Ok(());
    }
    let detail = format!(
        "{} lacks the permission {permission}; a role in charter.json grants it",
        actor.id
    );
    Err(Fault::new(Kind::Forbidden, detail).with("permission", permission))
}

/// The scheme's name is compared without regard to case (RFC 9110, 11.1).
fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn two_tokens_are_nobodys() {
        let one = (AUTHORIZATION, HeaderValue::from_static("Bearer abc"));
        let mut headers = HeaderMap::from_iter([one.clone()]);
        assert_eq!(shown(&headers).unwrap(), "abc");
        headers.append(one.0, one.1);
        assert_eq!(shown(&headers).unwrap_err().kind(), Kind::Unauthenticated);
    }

    #[test]
    fn only_the_bearer_scheme_carries_a_token() {
        for (header, token) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            ("Bearer ", None),
            ("Bearer", None),
            ("Basic abc", None),
            ("abc", None),
        ] {
            let headers = HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(header))]);
            assert_eq!(bearer(&headers), token, "{header}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }
}
