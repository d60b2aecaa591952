//! `/api/plugins`: what an operator does with plugins while the host serves.

mod api;

use api::{act, host, problem};
use serde_json::{Value, json};

#[tokio::test]
async fn a_plugin_is_checked_installed_granted_rolled_back_and_removed() {
    let host = host().await;
    let triage = polity_plugins::find("triage").unwrap().wasm;
    let wasm = |request: reqwest::RequestBuilder| {
        request
            .header("content-type", "application/wasm")
            .body(triage)
    };
    let checked = host
        .json(wasm(host.post("/api/plugins/check?name=triage")))
        .await;
    assert_eq!(
        (&checked["accepted"], &checked["world"]),
        (&json!(true), &json!("model-adapter"))
    );
    assert_eq!(
        host.get("/api/plugins/triage")
            .send()
            .await
            .unwrap()
            .status(),
        404
    );

    let created = wasm(host.put("/api/plugins/triage")).send().await.unwrap();
    assert_eq!(created.status(), 201);
    let created: Value = created.json().await.unwrap();
    assert_eq!(
        (&created["state"], &created["serving"]["digest"]),
        (&json!("live"), &checked["digest"])
    );
    assert_eq!(
        wasm(host.put("/api/plugins/triage"))
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    let list = host.read("/api/plugins").await;
    let names: Vec<_> = list["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|plugin| plugin["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["spending-limit", "triage"]);

    // Nothing else was ever accepted under this name.
    let (status, code, _) = problem(
        host.post("/api/plugins/triage/rollback")
            .send()
            .await
            .unwrap(),
    )
    .await;
    assert_eq!((status, code.as_str()), (409, "conflict"));
    let granted = host
        .put("/api/plugins/triage/grant")
        .body("[limits]\nmemory_mb = 32\n")
        .send()
        .await
        .unwrap();
    assert_eq!(granted.status(), 200, "{}", granted.text().await.unwrap());
    assert_eq!(
        host.get("/api/plugins/triage/grant")
            .send()
            .await
            .unwrap()
            .text()
            .await
            .unwrap(),
        "[limits]\nmemory_mb = 32\n"
    );
    assert_eq!(
        host.read("/api/plugins/triage").await["serving"]["limits"]["memory_bytes"],
        32 << 20
    );
    let wrong = host
        .put("/api/plugins/triage/grant")
        .body("[limits]\nmemory = 32\n")
        .send()
        .await
        .unwrap();
    let (status, code, refusal) = problem(wrong).await;
    assert_eq!(
        (status, code.as_str(), &refusal["refusal"]),
        (422, "plugin-refused", &json!("grant"))
    );

    assert_eq!(
        host.delete("/api/plugins/triage")
            .send()
            .await
            .unwrap()
            .status(),
        204
    );
    assert_eq!(
        problem(host.delete("/api/plugins/triage").send().await.unwrap())
            .await
            .0,
        404
    );

    // Who ordered what is on record.
    let orders = host.read("/api/ledger?kind=plugin.ordered").await;
    let orders: Vec<_> = orders["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| &event["data"])
        .collect();
    assert!(orders.iter().all(|order| order["by"] == "person:ada"));
    let verbs: Vec<_> = orders
        .iter()
        .map(|order| order["order"].as_str().unwrap())
        .collect();
    assert_eq!(
        verbs,
        ["install", "install", "rollback", "grant", "grant", "remove"]
    );
}

#[tokio::test]
async fn a_plugin_comes_with_its_grant_in_a_form_or_in_headers() {
    let host = host().await;
    let triage = polity_plugins::find("triage").unwrap().wasm;
    let mut form = Vec::new();
    for (name, content) in [("wasm", triage), ("grant", b"[limits]\nmemory_mb = 16\n")] {
        form.extend_from_slice(format!("--limit\r\ncontent-disposition: form-data; name=\"{name}\"; filename=\"{name}\"\r\n\r\n").as_bytes());
        form.extend_from_slice(content);
        form.extend_from_slice(b"\r\n");
    }
    form.extend_from_slice(b"--limit--\r\n");
    let put = host
        .put("/api/plugins/triage")
        .header("content-type", "multipart/form-data; boundary=limit")
        .body(form);
    assert_eq!(put.send().await.unwrap().status(), 201);
    assert_eq!(
        host.read("/api/plugins/triage").await["serving"]["limits"]["memory_bytes"],
        16 << 20
    );

    // "[limits]\nmemory_mb = 24\n"
    let put = host
        .put("/api/plugins/triage")
        .header("content-type", "application/wasm");
    let put = put
        .header("x-polity-grant", "W2xpbWl0c10KbWVtb3J5X21iID0gMjQK")
        .body(triage);
    assert_eq!(put.send().await.unwrap().status(), 200);
    assert_eq!(
        host.read("/api/plugins/triage").await["serving"]["limits"]["memory_bytes"],
        24 << 20
    );
}

#[tokio::test]
async fn what_is_no_plugin_is_refused_and_nothing_changes() {
    let host = host().await;
    let put = async |name: &str, bytes: &'static [u8]| {
        let put = host
            .put(&format!("/api/plugins/{name}"))
            .header("content-type", "application/wasm");
        problem(put.body(bytes).send().await.unwrap()).await
    };
    let (status, code, refusal) = put("spending-limit", b"not a plugin").await;
    assert_eq!(
        (status, code.as_str(), &refusal["refusal"]),
        (422, "plugin-refused", &json!("not-webassembly"))
    );
    assert_eq!(
        put("spending-limit", b"\0asm\x01\0\0\0").await.2["refusal"],
        "core-module"
    );
    assert_eq!(put("Spending%20Limit", b"\0asm").await.1, "invalid");
    assert_eq!(put("..%2Fescape", b"\0asm").await.1, "invalid");
    assert_eq!(
        host.read("/api/plugins/spending-limit").await["state"],
        "live"
    );
    assert_eq!(act(&host, 7).await["outcome"], "allow");
}
