//! SARIF 2.1.0, which code hosts and editors read.

use polity_tables::Place;
use serde_json::{Value, json};

use crate::code::Code;
use crate::finding::{Finding, Severity};
use crate::report::Report;

/// As one run of SARIF.
pub fn sarif(report: &Report) -> Value {
    let rules: Vec<Value> = Code::ALL
        .iter()
        .map(|code| {
            json!({
                "id": code.name(),
                "shortDescription": {"text": code.about()},
                "defaultConfiguration": {"level": level(code.severity())}
            })
        })
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {"name": "polity-lint", "version": env!("CARGO_PKG_VERSION"), "rules": rules}},
            "columnKind": "unicodeCodePoints",
            "results": report.findings.iter().map(result).collect::<Vec<_>>()
        }]
    })
}

fn result(finding: &Finding) -> Value {
    let mut message = format!("{}.", finding.message);
    if let Some(witness) = &finding.witness {
        message.push_str(&format!(" For example {witness}."));
    }
    if let Some(suggestion) = &finding.suggestion {
        message.push_str(&format!(" Cure: {}.", suggestion.title));
    }
    let index = Code::ALL
        .iter()
        .position(|code| *code == finding.code)
        .unwrap_or(0);
    let mut result = json!({
        "ruleId": finding.code.name(),
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": {"text": message},
        "locations": [location(&finding.place, None)],
        // Lines move; what a finding is about does not.
        "partialFingerprints": {
            "finding/v1": format!(
                "{}:{}:{}:{}",
                finding.code.name(),
                finding.place.file,
                finding.place.pointer,
                finding.message
            )
        },
        "properties": {"witness": finding.witness, "suggestion": finding.suggestion}
    });
    if !finding.related.is_empty() {
        result["relatedLocations"] = finding
            .related
            .iter()
            .map(|(place, what)| location(place, Some(what)))
            .collect();
    }
    result
}

fn location(place: &Place, what: Option<&str>) -> Value {
    let mut physical = json!({"artifactLocation": {"uri": uri(&place.file)}});
    if place.line > 0 {
        physical["region"] = json!({"startLine": place.line, "startColumn": place.column.max(1)});
    }
    let mut location = json!({"physicalLocation": physical});
    if !place.pointer.is_empty() {
        location["logicalLocations"] = json!([{"fullyQualifiedName": place.pointer}]);
    }
    if let Some(what) = what {
        location["message"] = json!({"text": what});
    }
    location
}

/// A relative path as a reference: what has a meaning in one is escaped.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Note => "note",
        Severity::Warning => "warning",
        Severity::Error => "error",
    }
}
