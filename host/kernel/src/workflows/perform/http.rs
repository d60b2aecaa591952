//! HTTP requests of workflows, through the same egress as those of plugins.
//!
//! Nothing is granted until the operator grants it, in `workflows.grant.toml` beside the grants of plugins. A credential
//! is never part of a workflow: where a header says `{{secret:NAME}}`, the header is left to the egress, which adds the
//! credential that the grant has for it on the way out, and blanks it in what comes back.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use polity_runtime::World;
use polity_runtime::egress::{Egress, EgressError, Incoming, Outgoing, OutgoingBody};
use polity_runtime::grant::Grant;
use polity_runtime::secret::Secrets;
use polity_workflow::{EffectClass, Fault, FaultKind, Http, HttpOutput};
use serde_json::{Map, Value, json};
use url::Url;

use super::Performance;
use crate::Kernel;

/// Whose grant it is.
const NAME: &str = "workflows";

/// The header by which the other side recognises a repetition.
const KEY: &str = "idempotency-key";

const SECRET: &str = "{{secret:";

/// The way out, as the grant file was when it was last looked at.
#[derive(Default)]
pub(in crate::workflows) struct Way(Mutex<Option<(String, Arc<Open>)>>);

struct Open {
    egress: Egress,
    grant: Grant,
}

impl Kernel {
    pub(super) async fn send_http(
        &self,
        performance: &Performance,
        request: &Http,
    ) -> Result<Value, Fault> {
        let kernel = self.clone();
        let way = tokio::task::spawn_blocking(move || kernel.way_out())
            .await
            .map_err(|error| Fault::new(FaultKind::Runtime, error.to_string()))??;
        let outgoing = outgoing(performance, request, &way.grant)?;
        let sent_to = outgoing.url.clone();
        let mut incoming = way.egress.send(outgoing).await.map_err(failed)?;
        let body = incoming.read_to_end().await.map_err(failed)?;
        answer(request, &sent_to, &incoming, &body)
    }

    /// The egress under the grant as it is now. Blocks.
    fn way_out(&self) -> Result<Arc<Open>, Fault> {
        let path = self.settings().plugins.join(format!("{NAME}.grant.toml"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => {
                let why = format!("{} cannot be read: {error}", path.display());
                return Err(Fault::new(FaultKind::Configuration, why));
            }
        };
        let mut known = self.inner.workflows.way.0.lock();
        if let Some((read, open)) = &*known
            && *read == text
        {
            return Ok(open.clone());
        }
        let wrong = |why: String| Fault::new(FaultKind::Configuration, why);
        let file = format!("{NAME}.grant.toml");
        let grant = Grant::parse(&file, &text).map_err(|error| wrong(error.to_string()))?;
        let secrets = Secrets::load(&grant.secrets);
        let resolver = self.settings().resolver.clone();
        let egress = Egress::new(NAME, &grant, World::Connector, secrets, resolver)
            .map_err(|error| wrong(error.to_string()))?;
        let open = Arc::new(Open { egress, grant });
        *known = Some((text, open.clone()));
        Ok(open)
    }
}

fn outgoing(performance: &Performance, request: &Http, grant: &Grant) -> Result<Outgoing, Fault> {
    let invalid = |why: String| Fault::new(FaultKind::Validation, why);
    if request.uri.contains(SECRET) || request.body.to_string().contains(SECRET) {
        let why = "a secret is sent in a header and nowhere else; move it there";
        return Err(invalid(why.to_owned()));
    }
    let mut url =
        Url::parse(&request.uri).map_err(|error| invalid(format!("{}: {error}", request.uri)))?;
    if !request.query.is_empty() {
        let mut pairs = url.query_pairs_mut();
        for (name, value) in &request.query {
            pairs.append_pair(name, &plain(value));
        }
    }
    let mut headers: Vec<(String, String)> = Vec::new();
    for (name, value) in &request.headers {
        push(&mut headers, grant, name, plain(value))?;
    }
    if let Some(value) = authorization(&request.authentication)? {
        push(&mut headers, grant, "authorization", value)?;
    }
    let has = |headers: &[(String, String)], name: &str| {
        headers
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(name))
    };
    if performance.class == EffectClass::Idempotent && !has(&headers, KEY) {
        headers.push((KEY.to_owned(), performance.key.clone()));
    }
    let body = match &request.body {
        Value::Null => OutgoingBody::Empty,
        Value::String(text) if has(&headers, "content-type") => {
            OutgoingBody::Bytes(text.clone().into_bytes().into())
        }
        value => {
            if !has(&headers, "content-type") {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
            }
            OutgoingBody::Bytes(value.to_string().into_bytes().into())
        }
    };
    Ok(Outgoing {
        method: request.method.clone(),
        url: url.into(),
        headers,
        body,
        timeout: performance.left,
    })
}

/// Adds a header, or leaves it to the egress where it is a credential.
fn push(
    headers: &mut Vec<(String, String)>,
    grant: &Grant,
    name: &str,
    value: String,
) -> Result<(), Fault> {
    if !value.contains(SECRET) {
        headers.push((name.to_owned(), value));
        return Ok(());
    }
    let is_granted = |secret: &polity_runtime::grant::SecretGrant| {
        secret.header.as_str().eq_ignore_ascii_case(name)
    };
    if grant.secrets.iter().any(is_granted) {
        return Ok(());
    }
    let why = format!(
        "no credential is granted for the header {name}. To grant one, add to {NAME}.grant.toml:\n[[secret]]\nhost = \
         \"HOST\"\nheader = \"{name}\"\nenv = \"VARIABLE\""
    );
    Err(Fault::new(FaultKind::Authorization, why))
}

/// What an authentication policy of the specification means in a header.
fn authorization(policy: &Value) -> Result<Option<String>, Fault> {
    if policy.is_null() {
        return Ok(None);
    }
    if let Some(token) = policy["bearer"]["token"].as_str() {
        return Ok(Some(format!("Bearer {token}")));
    }
    let basic = &policy["basic"];
    if let (Some(user), Some(password)) = (basic["username"].as_str(), basic["password"].as_str()) {
        let pair = format!("{user}:{password}");
        // A marker has to stay readable: what it stands for is added on the way out.
        return Ok(Some(if pair.contains(SECRET) {
            format!("Basic {pair}")
        } else {
            format!("Basic {}", STANDARD.encode(pair))
        }));
    }
    let why = "this host authenticates with `bearer` and `basic`; for anything else grant a credential for the header";
    Err(Fault::new(FaultKind::Configuration, why))
}

fn answer(request: &Http, url: &str, incoming: &Incoming, body: &[u8]) -> Result<Value, Fault> {
    let status = incoming.status();
    let is_wanted = match status {
        300..=399 => request.redirect,
        200..=299 => true,
        _ => false,
    };
    if !is_wanted {
        let text: String = String::from_utf8_lossy(body).chars().take(500).collect();
        let why = format!(
            "{} {} answered {status}: {text}",
            request.method, request.uri
        );
        return Err(Fault::communication(status, why));
    }
    let headers = incoming.headers();
    let kind = headers
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
        .map(|(_, value)| value.as_str())
        .unwrap_or_default();
    let parsed = || match serde_json::from_slice::<Value>(body) {
        _ if body.is_empty() => Value::Null,
        Ok(value) if kind.contains("json") || kind.is_empty() => value,
        _ => String::from_utf8_lossy(body).into_owned().into(),
    };
    Ok(match request.output {
        HttpOutput::Raw => STANDARD.encode(body).into(),
        HttpOutput::Content => parsed(),
        HttpOutput::Response => {
            let fields: Map<String, Value> = headers
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().into()))
                .collect();
            json!({
                "request": { "method": request.method, "uri": url, "headers": request.headers },
                "statusCode": status,
                "headers": fields,
                "content": parsed(),
            })
        }
    })
}

fn failed(error: EgressError) -> Fault {
    let why = error.to_string();
    match error {
        EgressError::Denied(_) => Fault::new(FaultKind::Authorization, why),
        EgressError::Invalid(_) => Fault::new(FaultKind::Validation, why),
        EgressError::Timeout(_) => Fault::new(FaultKind::Timeout, why),
        EgressError::TooLarge(_) => Fault::communication(413, why),
        EgressError::Connection(_) => Fault::communication(503, why),
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
