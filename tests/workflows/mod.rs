//! What the tests of running workflows share: a company that refunds, and a peer that pays.

#![allow(dead_code, reason = "each test binary takes what it needs")]

use std::time::Duration;

use polity_tests::{Answer, Host, Options, Upstream};
use serde_json::{Value, json};

pub(crate) const POLITY: &str = env!("CARGO_BIN_EXE_polity");

/// Up to 50 a refund is paid, above a person decides.
pub(crate) const REFUND: &str = "
document: {dsl: 1.0.3, namespace: shop, name: refund, version: 1.0.0, title: A refund}
timeout: {after: P21D}
do:
  - outcome:
      call: decide
      with: {table: refund, input: {amount: '${ .amount }'}}
      export: {as: '{outcome: .}'}
      output: {as: '{outcome: .}'}
  - route:
      switch:
        - pay: {when: .outcome == \"pay\", then: pay}
        - otherwise: {then: ask}
  - ask:
      call: human.approve
      with:
        title: ${ \"Pay \\($workflow.input.amount) back?\" }
        role: owner
        proposal: {amount: '${ $workflow.input.amount }'}
        deadline: P2D
  - verdict:
      switch:
        - approved: {when: .decision == \"approved\", then: pay}
        - otherwise: {then: refuse}
  - pay:
      call: http
      with:
        method: post
        endpoint: UPSTREAM/refunds
        body: {amount: '${ $workflow.input.amount }'}
        headers: {authorization: '{{secret:bank}}'}
      timeout: {after: PT30S}
      metadata: {action: refund.pay, effect: idempotent}
      output: {as: '{paid: .paid}'}
      then: end
  - refuse:
      set: {paid: 0}
";

/// A peer that pays, and remembers by the key what it has paid.
pub(crate) async fn bank() -> Upstream {
    Upstream::start(|request| match request.path.as_str() {
        "/refunds" => Answer::json(200, json!({"paid": request.json()["amount"]}).to_string()),
        _ => Answer::json(404, "{}"),
    })
    .await
}

/// How often the peer has really paid: once for each key.
pub(crate) fn payments(bank: &Upstream) -> usize {
    let requests = bank.requests();
    let keys: std::collections::BTreeSet<_> = requests
        .iter()
        .filter(|request| request.path == "/refunds")
        .map(|request| {
            request
                .header("idempotency-key")
                .expect("every payment has a key")
                .to_owned()
        })
        .collect();
    keys.len()
}

pub(crate) fn company(options: Options, bank: &Upstream) -> Options {
    let table = |limit: u32| {
        json!({
            "name": "refund",
            "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
            "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask"]}],
            "rules": [
                {"inputEntries": [format!("<= {limit}")], "outputEntries": ["pay"]},
                {"inputEntries": [format!("> {limit}")], "outputEntries": ["ask"]},
            ],
        })
        .to_string()
    };
    let grant = format!(
        "[[http]]\nhost = \"{address}\"\nmethods = [\"GET\", \"POST\"]\nplain = true\nprivate = true\n\
         [[secret]]\nhost = \"{address}\"\nheader = \"authorization\"\ntemplate = \"Bearer {{}}\"\nenv = \"BANK_TOKEN\"\n",
        address = bank.address()
    );
    options
        .without_bundled()
        .amend_charter(
            "people",
            json!([
                {"id": "ada", "name": "Ada Example", "roles": ["owner"]},
                {"id": "joan", "name": "Joan Example", "roles": ["owner"]},
                {"id": "grace", "name": "Grace Example", "roles": ["member"]},
            ]),
        )
        .environment("BANK_TOKEN", "very-secret-token-of-the-bank")
        .grant("workflows", &grant)
        .file("decisions/refund.json", table(50))
        .file(
            "workflows/refund.yaml",
            REFUND.replace("UPSTREAM", &bank.url()),
        )
}

/// Runs a workflow and waits until it has ended or waits for somebody.
pub(crate) async fn run(host: &Host, workflow: &str, input: Value) -> Value {
    let body = json!({ "input": input });
    let path = format!("/api/workflows/{workflow}/runs?wait=30");
    host.json(host.post(&path).json(&body)).await
}

/// A run as soon as it is as the caller wants it.
pub(crate) async fn until(host: &Host, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(60);
    loop {
        let run = host.read(&format!("/api/instances/{id}")).await;
        if wanted(&run) {
            return run;
        }
        assert!(
            tokio::time::Instant::now() < deadline,
            "the run stays as it is: {run}\n{}",
            host.log()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn ended(host: &Host, id: &str) -> Value {
    until(host, id, |run| {
        ["completed", "faulted", "cancelled"].contains(&run["phase"].as_str().unwrap())
    })
    .await
}

/// Answers the one question that a run waits for.
pub(crate) async fn answer(host: &Host, run: &Value, person: &str, answer: Value) -> Value {
    let item = run["waits"][0]["item"]
        .as_str()
        .expect("it waits for a person");
    let token = host.token_for(person).await;
    let mut body = answer;
    body["note"] = "looked at it".into();
    let request = host
        .anonymous(
            reqwest::Method::POST,
            &format!("/api/inbox/{item}/decision"),
        )
        .bearer_auth(token)
        .json(&body);
    host.json(request).await
}

pub(crate) fn id(run: &Value) -> String {
    run["id"].as_str().expect("a run has an id").to_owned()
}
