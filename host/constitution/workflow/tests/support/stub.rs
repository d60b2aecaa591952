//! The services that the conformance kit calls, as recorded answers: petstore.swagger.io and httpbin.org.

use polity_workflow::{Call, Fault, Http, HttpOutput};
use serde_json::{Value, json};

fn pet(id: u64) -> Value {
    json!({"id": id, "name": "Rex", "status": "available", "photoUrls": []})
}

/// Performs a call against the recorded services.
pub(crate) fn perform(call: &Call) -> Result<Value, Fault> {
    match call {
        Call::Http(http) => answer(http),
        Call::OpenApi {
            document,
            operation_id,
            parameters,
            output,
            ..
        } => {
            assert_eq!(
                document["endpoint"],
                "https://petstore.swagger.io/v2/swagger.json"
            );
            let uri = match operation_id.as_str() {
                "findPetsByStatus" => format!(
                    "https://petstore.swagger.io/v2/pet/findByStatus?status={}",
                    parameters["status"].as_str().unwrap()
                ),
                "getPetById" => {
                    format!("https://petstore.swagger.io/v2/pet/{}", parameters["petId"])
                }
                other => panic!("unknown operation {other}"),
            };
            answer(&Http {
                method: "GET".into(),
                uri,
                headers: Default::default(),
                query: Default::default(),
                body: Value::Null,
                authentication: Value::Null,
                output: *output,
                redirect: false,
            })
        }
        Call::Emit { event } => Ok(event.clone()),
        other => panic!("the recorded services know nothing of {other:?}"),
    }
}

fn answer(http: &Http) -> Result<Value, Fault> {
    let content = match http.uri.as_str() {
        "https://petstore.swagger.io/v2/pet/findByStatus?status=available" => {
            json!([pet(1), pet(2)])
        }
        "https://petstore.swagger.io/v2/pet/1" => pet(1),
        "https://petstore.swagger.io/v2/pet/2" => pet(2),
        "https://httpbin.org/basic-auth/serverless-workflow/conformance-test" => {
            let basic = &http.authentication["basic"];
            if basic["username"] != "serverless-workflow" || basic["password"] != "conformance-test"
            {
                return Err(Fault::communication(401, "wrong password"));
            }
            json!({"authenticated": true})
        }
        uri if uri.starts_with("https://petstore.swagger.io/v2/pet/getPetByName/") => {
            return Err(Fault::communication(404, "there is no such operation"));
        }
        uri => panic!("the recorded services have no {uri}"),
    };
    Ok(match http.output {
        HttpOutput::Content | HttpOutput::Raw => content,
        HttpOutput::Response => json!({
            "request": {"method": http.method, "uri": http.uri, "headers": http.headers},
            "headers": {"content-type": "application/json"},
            "statusCode": 200,
            "content": content,
        }),
    })
}
