//! Tokens and actors.

use polity_constitution::Permission;
use polity_kernel::TokenError;
use serde_json::json;

use crate::company::plan;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_its_actor_with_the_roles_of_the_charter_in_force() {
    let company = plan().start();
    let token = company
        .kernel
        .issue_token("host", "person:bob", "laptop")
        .await
        .unwrap();
    let company = company.restart();
    let bob = company.kernel.authenticate(&token).unwrap();
    assert_eq!(
        (bob.id.as_str(), bob.roles.as_slice()),
        (
            "person:bob",
            ["member".to_owned(), "finance".into()].as_slice()
        )
    );
    assert!(bob.may(Permission::ActionsSubmit) && !bob.may(Permission::PluginsManage));
    let charter = json!({
        "company": {"name": "Example", "currency": "EUR"},
        "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
        "defaults": {"unmatched": "deny"}
    });
    std::fs::write(company.path("company/charter.json"), charter.to_string()).unwrap();
    company.kernel.reload().await.unwrap();
    assert_eq!(company.kernel.authenticate(&token), None);
    assert_eq!(company.kernel.tokens().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_whom_the_charter_knows_gets_a_token() {
    let company = plan().start();
    let Err(TokenError::UnknownActor { near, .. }) =
        company.kernel.issue_token("host", "person:bop", "").await
    else {
        panic!("nobody is called so")
    };
    assert_eq!(near[0], "person:bob");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_is_refused_for_ever() {
    let company = plan().start();
    let token = company
        .kernel
        .issue_token("person:ada", "agent:scout", "job")
        .await
        .unwrap();
    let id = company.kernel.tokens()[0].id;
    company.kernel.revoke_token("person:ada", id).await.unwrap();
    assert_eq!(company.kernel.authenticate(&token), None);
    let company = company.restart();
    assert_eq!(company.kernel.authenticate(&token), None);
    let events = company
        .kernel
        .ledger()
        .events_of(&format!("token/{id}"), 0, 10)
        .unwrap();
    assert_eq!(events[1].data["revoked_by"], "person:ada");
}
