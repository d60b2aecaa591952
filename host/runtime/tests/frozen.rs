//! Components that were built when version 0.1.0 of the contract was released still load and still answer.

mod support;

use polity_runtime::World;
use polity_runtime::artifact::Artifact;
use polity_runtime::plugin::{Action, Mutation, Observations, Verdict};
use support::{Host, complete};

macro_rules! frozen {
    ($name:literal) => {
        include_bytes!(concat!(
            "../../../tests/fixtures/contract-0.1.0/",
            $name,
            ".wasm"
        ))
    };
}

#[test]
fn each_is_of_its_world_and_imports_no_system_interface() {
    let components: [(&[u8], World); 4] = [
        (frozen!("four-eyes"), World::ConstitutionRule),
        (frozen!("parrot"), World::ModelAdapter),
        (frozen!("slow-filter"), World::SchemaStrategy),
        (frozen!("web-page"), World::Connector),
    ];
    for (bytes, world) in components {
        let artifact = Artifact::read(bytes).unwrap();
        assert_eq!(artifact.world, world);
        assert!(!artifact.imports_wasi(), "{world}: {:?}", artifact.imports);
    }
}

#[test]
fn the_rule_judges() {
    let host = Host::empty();
    let rule = host.install("four-eyes", frozen!("four-eyes"), "");
    let judge = |input: &str| {
        let action = Action {
            kind: "payment.send".into(),
            actor: "person:ada".into(),
            at_ms: 0,
            input: input.into(),
            context: "{}".into(),
        };
        rule.evaluate(&action, None).unwrap().verdict
    };
    assert_eq!(judge(r#"{"approved_by":"person:bob"}"#), Verdict::Allow);
    assert!(matches!(
        judge(r#"{"approved_by":"person:ada"}"#),
        Verdict::Deny(_)
    ));
    assert!(matches!(judge("{}"), Verdict::Escalate(_)));
}

#[test]
fn the_adapter_answers() {
    let host = Host::empty();
    let adapter = host.install("parrot", frozen!("parrot"), "");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    assert_eq!(
        runtime
            .block_on(complete(&adapter, "parrot", "pretty polly"))
            .unwrap(),
        "pretty polly"
    );
    assert_eq!(adapter.description().models[0].id, "parrot");
}

#[test]
fn the_strategy_proposes() {
    let host = Host::empty();
    let strategy = host.install("slow-filter", frozen!("slow-filter"), "");
    let seen = r#"{"queries":[{"collection":"orders","filter":"customer","per_day":1200}]}"#;
    let proposals = strategy
        .propose(
            &Observations {
                at_ms: 0,
                window_ms: 86_400_000,
                seen: seen.into(),
            },
            None,
        )
        .unwrap();
    assert!(
        matches!(&proposals[0].mutation, Mutation::CreateIndex(index) if index.fields == ["customer"])
    );
}

#[test]
fn the_connector_describes_and_declines() {
    let host = Host::empty();
    let grant = "[[http]]\nhost = \"example.com\"\n";
    let connector = host.install("web-page", frozen!("web-page"), grant);
    assert_eq!(connector.description().operations[0].name, "read");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let call = connector.call(
        "read",
        r#"{"url":"https://elsewhere.example/"}"#,
        "key",
        None,
    );
    let error = runtime.block_on(call).unwrap_err();
    assert_eq!(error.code(), "denied");
}
