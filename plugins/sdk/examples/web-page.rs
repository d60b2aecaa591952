//! A connector: reads a web page.

use polity_sdk::connector::{Connector, Operation, Problem};
use polity_sdk::http::{Request, fetch, read_to_end};
use serde_json::json;

struct WebPage;

impl Connector for WebPage {
    fn operations() -> Vec<Operation> {
        vec![Operation {
            name: "read".into(),
            summary: "The text of a page".into(),
            input_schema: json!({ "type": "object", "properties": { "url": { "type": "string" } }, "required": ["url"] })
                .to_string(),
            output_schema: json!({ "type": "object", "properties": { "text": { "type": "string" } } }).to_string(),
            idempotent: true,
        }]
    }

    fn call(operation: String, input: String, _idempotency_key: String) -> Result<String, Problem> {
        if operation != "read" {
            return Err(polity_sdk::problem(
                "not-found",
                format!("there is no operation '{operation}'"),
            ));
        }
        let input: serde_json::Value = polity_sdk::parse(&input)?;
        let url = input["url"].as_str().unwrap_or_default().to_owned();
        let response = fetch(&Request {
            method: "GET".into(),
            url,
            headers: Vec::new(),
            body: Vec::new(),
            timeout_ms: Some(10_000),
        })?;
        let text = String::from_utf8_lossy(&read_to_end(&response)?).into_owned();
        Ok(json!({ "status": response.status(), "text": text }).to_string())
    }
}

polity_sdk::export_connector!(WebPage);
