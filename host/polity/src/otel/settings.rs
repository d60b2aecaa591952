//! What the environment wants, in the variables that the OpenTelemetry specification names.

use std::fmt;
use std::time::Duration;

use polity_kernel::TraceParent;
use reqwest::Url;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use uuid::Uuid;

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
const TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";

/// How spans are sent.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// Where batches go, whole.
    pub(super) endpoint: Url,
    pub(super) headers: HeaderMap,
    /// For one batch, whatever is tried.
    pub(super) timeout: Duration,
    /// Attributes of the service.
    pub(super) resource: Vec<(String, String)>,
    pub(super) sampler: Sampler,
    /// The longest that a span waits for others.
    pub(super) delay: Duration,
    pub(super) batch: usize,
    pub(super) queue: usize,
}

/// Which completions are told of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sampler {
    /// Whether what the caller's own trace says counts more.
    by_parent: bool,
    /// Of all others.
    share: f64,
}

/// A variable that makes no sense, and what would.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Settings {
    /// Reads the environment. None where it names no collector, or wants none to be told.
    pub(super) fn read(
        variable: &impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Problem> {
        let get = |name: &str| {
            let value = variable(name)?.trim().to_owned();
            (!value.is_empty()).then_some(value)
        };
        let of_traces = |name: &str| {
            get(&format!("OTEL_EXPORTER_OTLP_TRACES_{name}"))
                .or_else(|| get(&format!("OTEL_EXPORTER_OTLP_{name}")))
        };
        if get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
            return Ok(None);
        }
        let Some(endpoint) = endpoint(get(TRACES_ENDPOINT), get(ENDPOINT))? else {
            return Ok(None);
        };
        match get("OTEL_TRACES_EXPORTER").as_deref() {
            None | Some("otlp") => {}
            Some("none") => return Ok(None),
            Some(other) => {
                return Err(Problem(format!(
                    "OTEL_TRACES_EXPORTER is {other:?}; it can be \"otlp\" or \"none\""
                )));
            }
        }
        if let Some(protocol) = of_traces("PROTOCOL")
            && !protocol.starts_with("http/")
        {
            return Err(Problem(format!(
                "OTEL_EXPORTER_OTLP_PROTOCOL is {protocol:?}; set it to \"http/json\", and {ENDPOINT} to the collector's port for HTTP, mostly 4318"
            )));
        }
        let number = |name: &str, usual: u64| match get(name) {
            None => Ok(usual),
            Some(value) => value
                .parse::<u64>()
                .ok()
                .filter(|number| *number > 0)
                .ok_or_else(|| {
                    Problem(format!(
                        "{name} is {value:?}; write a whole number from 1 up"
                    ))
                }),
        };
        let timeout = match of_traces("TIMEOUT") {
            None => 10_000,
            Some(value) => value.parse().map_err(|_| {
                Problem(format!(
                    "OTEL_EXPORTER_OTLP_TIMEOUT is {value:?}; write milliseconds"
                ))
            })?,
        };
        let queue = number("OTEL_BSP_MAX_QUEUE_SIZE", 2048)?.min(1 << 20);
        let batch = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", 512)?.min(queue);
        Ok(Some(Self {
            endpoint,
            headers: headers(&of_traces("HEADERS").unwrap_or_default())?,
            timeout: Duration::from_millis(timeout),
            resource: resource(
                get("OTEL_SERVICE_NAME"),
                &get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default(),
            ),
            sampler: sampler(get("OTEL_TRACES_SAMPLER"), get("OTEL_TRACES_SAMPLER_ARG"))?,
            delay: Duration::from_millis(number("OTEL_BSP_SCHEDULE_DELAY", 5_000)?),
            batch: usize::try_from(batch).unwrap_or(usize::MAX),
            queue: usize::try_from(queue).unwrap_or(usize::MAX),
        }))
    }
}

/// The variable for traces names the whole address, the one for everything only where it begins.
fn endpoint(traces: Option<String>, all: Option<String>) -> Result<Option<Url>, Problem> {
    let (name, text) = match (traces, all) {
        (Some(traces), _) => (TRACES_ENDPOINT, traces),
        (None, Some(all)) => (ENDPOINT, format!("{}/v1/traces", all.trim_end_matches('/'))),
        (None, None) => return Ok(None),
    };
    let url = Url::parse(&text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.host_str().is_some());
    url.map(Some).ok_or_else(|| {
        Problem(format!(
            "{name} is no address; write it like http://127.0.0.1:4318"
        ))
    })
}

/// `name=value` with commas between; values may be percent-encoded.
fn pairs(text: &str) -> impl Iterator<Item = Option<(String, String)>> {
    let parts = text.split(',').filter(|part| !part.trim().is_empty());
    parts.map(|part| {
        let (name, value) = part.split_once('=')?;
        Some((name.trim().to_owned(), decoded(value.trim())?))
    })
}

fn decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let (high, low) = (digit()?, digit()?);
            bytes.push(u8::try_from(high * 16 + low).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

fn headers(text: &str) -> Result<HeaderMap, Problem> {
    let mut headers = HeaderMap::new();
    for pair in pairs(text) {
        // The text may hold a key, so it is not repeated.
        let header = pair.and_then(|(name, value)| {
            let name = name.to_ascii_lowercase().parse::<HeaderName>().ok()?;
            let mut value = HeaderValue::from_str(&value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        let Some((name, value)) = header else {
            return Err(Problem(
                "OTEL_EXPORTER_OTLP_HEADERS has a part that is no header; write it like api-key=secret,tenant=acme"
                    .to_owned(),
            ));
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// What makes no sense in it is left out, as the specification wants it.
fn resource(name: Option<String>, attributes: &str) -> Vec<(String, String)> {
    let mut resource: Vec<(String, String)> = pairs(attributes).flatten().collect();
    let is_named = resource.iter().any(|(key, _)| key == "service.name");
    match name {
        Some(name) => {
            resource.retain(|(key, _)| key != "service.name");
            resource.push(("service.name".to_owned(), name));
        }
        None if !is_named => resource.push(("service.name".to_owned(), "polity".to_owned())),
        None => {}
    }
    if !resource.iter().any(|(key, _)| key == "service.version") {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        resource.push(("service.version".to_owned(), version));
    }
    resource
}

fn sampler(name: Option<String>, argument: Option<String>) -> Result<Sampler, Problem> {
    let name = name.unwrap_or_else(|| "parentbased_always_on".to_owned());
    let (by_parent, own) = match name.strip_prefix("parentbased_") {
        Some(own) => (true, own),
        None => (false, name.as_str()),
    };
    let share = match own {
        "always_on" => 1.0,
        "always_off" => 0.0,
        "traceidratio" => {
            let argument = argument.unwrap_or_else(|| "1.0".to_owned());
            let share = argument.parse::<f64>().ok();
            share
                .filter(|share| (0.0..=1.0).contains(share))
                .ok_or_else(|| {
                    Problem(format!(
                        "OTEL_TRACES_SAMPLER_ARG is {argument:?}; write a share from 0 to 1"
                    ))
                })?
        }
        _ => {
            return Err(Problem(format!(
                "OTEL_TRACES_SAMPLER is {name:?}; it can be always_on, always_off or traceidratio, each also behind parentbased_"
            )));
        }
    };
    Ok(Sampler { by_parent, share })
}

impl Sampler {
    /// Whether a completion is told of: the same for all of one trace.
    pub(super) fn takes(self, decision: Uuid, parent: Option<TraceParent>) -> bool {
        if let (true, Some(parent)) = (self.by_parent, parent) {
            return parent.is_sampled;
        }
        let trace = parent.map_or_else(|| decision.into_bytes(), |parent| parent.trace);
        // The end of an id of ours is drawn anew for each; what stands before it counts up within a millisecond.
        let [.., a, b, c, d] = trace;
        let place = u32::from_be_bytes([a, b, c, d]);
        f64::from(place) < self.share * 4_294_967_296.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Settings>, Problem> {
        Settings::read(&|name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    fn settings(variables: &[(&str, &str)]) -> Settings {
        let endpoint = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/")];
        read(&[&endpoint, variables].concat()).unwrap().unwrap()
    }

    #[test]
    fn nothing_is_sent_unless_a_collector_is_named() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for off in [
            vec![],
            vec![("OTEL_SERVICE_NAME", "x")],
            vec![endpoint, ("OTEL_SDK_DISABLED", "TRUE")],
            vec![endpoint, ("OTEL_TRACES_EXPORTER", "none")],
            vec![("OTEL_EXPORTER_OTLP_ENDPOINT", " ")],
        ] {
            assert!(read(&off).unwrap().is_none(), "{off:?}");
        }
    }

    #[test]
    fn the_address_for_everything_is_a_beginning_and_the_one_for_traces_is_whole() {
        assert_eq!(
            settings(&[]).endpoint.as_str(),
            "http://collector:4318/v1/traces"
        );
        let own = [("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "https://x/y")];
        assert_eq!(settings(&own).endpoint.as_str(), "https://x/y");
    }

    #[test]
    fn headers_and_attributes_are_read_and_a_name_is_always_there() {
        let read = settings(&[
            ("OTEL_EXPORTER_OTLP_HEADERS", "Api-Key=a%20b, tenant = acme"),
            (
                "OTEL_RESOURCE_ATTRIBUTES",
                "deployment.environment.name=prod,junk",
            ),
        ]);
        assert_eq!(read.headers["api-key"], "a b");
        assert_eq!(read.headers["tenant"], "acme");
        let name = ("service.name".to_owned(), "polity".to_owned());
        assert!(read.resource.contains(&name) && read.resource.len() == 3);
        let named = settings(&[("OTEL_SERVICE_NAME", "acme")]);
        assert_eq!(named.resource[0].1, "acme");
    }

    #[test]
    fn what_makes_no_sense_is_told_with_what_would() {
        let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        for (variable, wanted) in [
            (("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"), "http/json"),
            (("OTEL_TRACES_SAMPLER", "sometimes"), "always_on"),
            (("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"), "milliseconds"),
            (("OTEL_BSP_MAX_QUEUE_SIZE", "0"), "from 1 up"),
            (("OTEL_EXPORTER_OTLP_HEADERS", "secret"), "api-key=secret"),
            (("OTEL_TRACES_EXPORTER", "zipkin"), "otlp"),
        ] {
            let problem = read(&[endpoint, variable]).unwrap_err().to_string();
            assert!(problem.contains(wanted), "{problem}");
        }
        let nowhere = read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")]);
        assert!(nowhere.unwrap_err().0.contains("http://127.0.0.1:4318"));
    }

    #[test]
    fn a_share_of_traces_is_taken_unless_the_caller_has_decided() {
        let half = |name| {
            let argument = ("OTEL_TRACES_SAMPLER_ARG", "0.5");
            settings(&[("OTEL_TRACES_SAMPLER", name), argument]).sampler
        };
        let ids: Vec<Uuid> = (0..1000).map(|_| Uuid::now_v7()).collect();
        let taken = ids
            .iter()
            .filter(|id| half("traceidratio").takes(**id, None))
            .count();
        assert!((350..650).contains(&taken), "{taken}");
        let parent = TraceParent {
            is_sampled: false,
            ..TraceParent::of(ids[0])
        };
        assert!(!half("parentbased_traceidratio").takes(ids[0], Some(parent)));
        assert!(settings(&[]).sampler.takes(ids[0], None));
    }
}
