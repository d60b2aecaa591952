//! What a workflow may call, with the arguments of each function, and how often an effect may happen.
//!
//! The interpreter performs nothing. A `call` becomes a [`Call`], checked and typed, which the host rules on, performs and
//! answers.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How often an effect happens if the host dies in the middle of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EffectClass {
    /// A change of the host's own records, made in the same transaction as the journal entry: exactly once.
    Own,
    /// The other side recognises the key: it may be sent again, and happens once.
    Idempotent,
    /// Sent at most once. After a crash nobody knows whether it happened, and the workflow is told so.
    AtMostOnce,
    /// Sent again after a crash: it may happen twice.
    AtLeastOnce,
}

/// A call with its arguments, ready to be performed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Call {
    /// Evaluate a decision table.
    #[serde(rename = "decide")]
    Decide {
        /// Its name.
        table: String,
        /// The facts; the task's input where absent.
        #[serde(default)]
        input: Value,
    },
    /// Ask a language model.
    #[serde(rename = "model")]
    Model {
        /// What to answer.
        prompt: String,
        /// Standing instructions.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        system: Option<String>,
        /// Data beside the prompt.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        input: Value,
        /// JSON Schema of the answer.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        schema: Value,
        /// What the router may take into account.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        purpose: Option<String>,
        /// Most micro-units that it may cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<u64>,
        /// A fixed model instead of a routed one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        model: Option<String>,
        /// How private the data is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        privacy: Option<String>,
    },
    /// Ask several models and join their answers.
    #[serde(rename = "council")]
    Council {
        /// What to answer.
        question: String,
        /// Who answers.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        members: Vec<String>,
        /// How many must agree.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        quorum: Option<u32>,
        /// Data beside the question.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        input: Value,
        /// JSON Schema of the answer.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        schema: Value,
        /// Most micro-units that it may cost.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        budget: Option<u64>,
    },
    /// Read records.
    #[serde(rename = "records.query")]
    RecordsQuery {
        /// The collection.
        collection: String,
        /// Which records.
        #[serde(default, rename = "where", skip_serializing_if = "Value::is_null")]
        filter: Value,
        /// Their order.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        order: Value,
        /// How many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u64>,
        /// Which fields.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        fields: Vec<String>,
    },
    /// Add a record.
    #[serde(rename = "records.insert")]
    RecordsInsert {
        /// The collection.
        collection: String,
        /// The record.
        record: Map<String, Value>,
        /// Its id, where it is not given by the host.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        id: Option<String>,
    },
    /// Change a record.
    #[serde(rename = "records.update")]
    RecordsUpdate {
        /// The collection.
        collection: String,
        /// The record's id.
        id: String,
        /// The fields to set.
        set: Map<String, Value>,
        /// Fields that must still have these values.
        #[serde(default, skip_serializing_if = "Map::is_empty")]
        expect: Map<String, Value>,
    },
    /// Ask a person to approve a proposal.
    #[serde(rename = "human.approve")]
    HumanApprove(Ask),
    /// Give a person something to do.
    #[serde(rename = "human.task")]
    HumanTask(Ask),
    /// Let people vote.
    #[serde(rename = "human.vote")]
    HumanVote {
        /// What is asked, in one line.
        title: String,
        /// The role that votes.
        role: String,
        /// Votes needed.
        quorum: u32,
        /// What can be voted for; yes and no where absent.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        options: Vec<String>,
        /// What is voted on.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        proposal: Value,
        /// More to read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<String>,
        /// The clause that asks for the vote.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        clause: Option<String>,
        /// How long people have.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        deadline: Value,
        /// Who is asked when the deadline passes.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        escalate: Value,
        /// The electorate, where it is not the whole role.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        people: Vec<String>,
    },
    /// Call a connector plugin.
    #[serde(rename = "connector")]
    Connector {
        /// The plugin.
        plugin: String,
        /// Its operation.
        operation: String,
        /// The operation's input.
        #[serde(default)]
        input: Value,
    },
    /// Call any plugin operation by its catalogue name.
    #[serde(rename = "catalog")]
    Catalog {
        /// The operation.
        name: String,
        /// Its version.
        version: String,
        /// The catalogue, `default` for the host's own.
        catalog: String,
        /// The operation's input.
        #[serde(default)]
        input: Value,
    },
    /// Send an HTTP request. Secrets stand in it as `{{secret:name}}`, which the host replaces on the way out.
    #[serde(rename = "http")]
    Http(Http),
    /// Call an operation of an OpenAPI document.
    #[serde(rename = "openapi")]
    OpenApi {
        /// Where the document is.
        document: Value,
        /// The operation.
        operation_id: String,
        /// Its parameters.
        #[serde(default)]
        parameters: Map<String, Value>,
        /// How to authenticate.
        #[serde(default, skip_serializing_if = "Value::is_null")]
        authentication: Value,
        /// What the result is.
        #[serde(default)]
        output: HttpOutput,
        /// Whether a redirection is a result.
        #[serde(default)]
        redirect: bool,
    },
    /// Call an MCP server.
    #[serde(rename = "mcp")]
    Mcp {
        /// The specification's arguments.
        with: Map<String, Value>,
    },
    /// Call another agent.
    #[serde(rename = "a2a")]
    A2a {
        /// The specification's arguments.
        with: Map<String, Value>,
    },
    /// Publish an event.
    #[serde(rename = "emit")]
    Emit {
        /// A CloudEvent with all its required attributes.
        event: Value,
    },
    /// Run another workflow.
    #[serde(rename = "run.workflow")]
    RunWorkflow {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Its version, or `latest`.
        version: String,
        /// Its input.
        #[serde(default)]
        input: Value,
        /// False where the caller does not wait for the result.
        awaited: bool,
    },
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ask {
    /// What is asked, in one line.
    pub title: String,
    /// The role that answers.
    pub role: String,
    /// What is approved, shown to the person as it is.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub proposal: Value,
    /// More to read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The clause that asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clause: Option<String>,
    /// How long the person has. When it passes, the task fails with a timeout; silence never approves.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub deadline: Value,
    /// Who is asked when the deadline comes near.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub escalate: Value,
    /// JSON Schema of the answer.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub form: Value,
    /// These people only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
}

/// An HTTP request.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    /// `GET`, `POST`, ...
    pub method: String,
    /// The address, with its parameters filled in.
    pub uri: String,
    /// Header fields.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub headers: Map<String, Value>,
    /// Query parameters beside those in the address.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub query: Map<String, Value>,
    /// The body.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
    /// How to authenticate.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub authentication: Value,
    /// What the result is.
    #[serde(default)]
    pub output: HttpOutput,
    /// Whether a redirection is a result.
    #[serde(default)]
    pub redirect: bool,
}

/// What an HTTP call results in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HttpOutput {
    /// The body in base64.
    Raw,
    /// The body, parsed.
    #[default]
    Content,
    /// Request, status, headers and parsed body.
    Response,
}

impl Call {
    /// The call of a built-in function.
    pub(crate) fn built_in(name: &str, arguments: Map<String, Value>) -> Result<Self, String> {
        let mut fields = arguments;
        fields.insert("call".to_owned(), name.into());
        serde_json::from_value(Value::Object(fields))
            .map_err(|error| format!("the arguments of {name} are wrong: {error}"))
    }

    /// The kind of action, for rules: `human.approve`, `http`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Decide { .. } => "decide",
            Self::Model { .. } => "model",
            Self::Council { .. } => "council",
            Self::RecordsQuery { .. } => "records.query",
            Self::RecordsInsert { .. } => "records.insert",
            Self::RecordsUpdate { .. } => "records.update",
            Self::HumanApprove(_) => "human.approve",
            Self::HumanTask(_) => "human.task",
            Self::HumanVote { .. } => "human.vote",
            Self::Connector { .. } => "connector",
            Self::Catalog { .. } => "catalog",
            Self::Http(_) => "http",
            Self::OpenApi { .. } => "openapi",
            Self::Mcp { .. } => "mcp",
            Self::A2a { .. } => "a2a",
            Self::Emit { .. } => "emit",
            Self::RunWorkflow { .. } => "run.workflow",
        }
    }

    /// What a deadline in the arguments says, as the author wrote it.
    pub(crate) fn deadline(&self) -> Option<&Value> {
        match self {
            Self::HumanApprove(ask) | Self::HumanTask(ask) => Some(&ask.deadline),
            Self::HumanVote { deadline, .. } => Some(deadline),
            _ => None,
        }
        .filter(|deadline| !deadline.is_null())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::function::BUILT_IN;

    #[test]
    fn the_table_of_arguments_and_the_types_agree() {
        for built in &BUILT_IN {
            let sample = |name: &str| match name {
                "record" | "set" | "expect" => json!({"a": 1}),
                "quorum" | "budget" | "limit" => json!(2),
                "members" | "fields" | "options" | "people" => json!(["a"]),
                "input" | "schema" | "where" | "order" | "proposal" | "form" | "escalate" => {
                    json!({})
                }
                _ => json!("text"),
            };
            let all: Map<String, Value> = built
                .required
                .iter()
                .chain(built.optional)
                .map(|name| ((*name).to_owned(), sample(name)))
                .collect();
            let call = Call::built_in(built.name, all.clone()).unwrap();
            assert_eq!(call.kind(), built.name);
            for required in built.required {
                let mut fewer = all.clone();
                fewer.remove(*required);
                assert!(
                    Call::built_in(built.name, fewer).is_err(),
                    "{} without {required}",
                    built.name
                );
            }
            for optional in built.optional {
                let mut fewer = all.clone();
                fewer.remove(*optional);
                assert!(
                    Call::built_in(built.name, fewer).is_ok(),
                    "{} without {optional}",
                    built.name
                );
            }
            let mut more = all;
            more.insert("tabel".into(), json!(1));
            assert!(Call::built_in(built.name, more).is_err(), "{}", built.name);
        }
    }
}
