//! The JSON Schemas of the documents. The same files lie beside a company's documents, where editors complete and check
//! from them; the binary carries them, so that no file can be checked against another version.

use std::sync::LazyLock;

use polity_document::Checker;

/// A schema that ships with Polity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schema {
    /// Its file name, `charter.schema.json`.
    pub file: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Every schema of a constitution's documents.
pub const SCHEMAS: [Schema; 4] = [
    Schema {
        file: "charter.schema.json",
        text: include_str!("../schemas/charter.schema.json"),
    },
    Schema {
        file: "rule.schema.json",
        text: include_str!("../schemas/rule.schema.json"),
    },
    Schema {
        file: "decision.schema.json",
        text: polity_tables::SCHEMA,
    },
    Schema {
        file: "workflow.schema.yaml",
        text: polity_workflow::OPEN_WORKFLOW_SCHEMA,
    },
];

pub(crate) static CHARTER: LazyLock<Checker> = LazyLock::new(|| Checker::embedded(SCHEMAS[0].text));
pub(crate) static RULE: LazyLock<Checker> = LazyLock::new(|| Checker::embedded(SCHEMAS[1].text));

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::Permission;

    #[test]
    fn each_schema_of_ours_is_draft_2020_12_with_an_id_that_ends_in_its_file_name() {
        // The schema of workflows is the specification's own, byte for byte.
        for schema in SCHEMAS
            .iter()
            .filter(|schema| schema.file.ends_with(".json"))
        {
            let value: Value = serde_json::from_str(schema.text).unwrap();
            assert_eq!(
                value["$schema"],
                "https://json-schema.org/draft/2020-12/schema"
            );
            assert!(
                value["$id"].as_str().unwrap().ends_with(schema.file),
                "{}",
                schema.file
            );
            jsonschema::validator_for(&value).unwrap();
        }
    }

    #[test]
    fn the_schema_lists_exactly_the_permissions_that_exist() {
        let listed =
            CHARTER.schema()["$defs"]["role"]["properties"]["permissions"]["items"]["enum"].clone();
        assert_eq!(listed, serde_json::to_value(Permission::ALL).unwrap());
    }

    #[test]
    fn every_object_is_closed_and_every_property_is_described() {
        fn walk(node: &Value, path: &str) {
            let Some(fields) = node.as_object() else {
                return;
            };
            if let Some(properties) = fields.get("properties").and_then(Value::as_object)
                && fields.contains_key("type")
            {
                assert!(
                    fields.contains_key("additionalProperties"),
                    "{path} is open"
                );
                for (name, property) in properties {
                    assert!(
                        property["description"].is_string(),
                        "{path}/{name} lacks a description"
                    );
                }
            }
            for (name, child) in fields {
                walk(child, &format!("{path}/{name}"));
            }
        }
        walk(CHARTER.schema(), "");
        walk(RULE.schema(), "");
    }
}
