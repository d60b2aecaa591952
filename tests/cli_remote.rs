//! A constitution that is pushed to a git remote.

mod cli;

use std::fs;
use std::path::{Path, PathBuf};

use cli::{POLITY, as_holder_of, at};
use polity_tests::{Host, git, write};
use reqwest::Method;
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET: &str = "a secret of the code host";

/// A remote, somebody's clone of it, and a host that follows it.
struct House {
    host: Host,
    remote: PathBuf,
    clone: PathBuf,
    _folder: TempDir,
}

fn refunds(soft: u64) -> String {
    format!(
        "{:#}\n",
        json!({"rule": "spending-limit", "guards": ["refund.*"], "config": {
            "currency": "EUR",
            "amount": {"pointer": "/amount", "unit": "unit"},
            "limits": [{"per": "action", "soft_micro": soft * 1_000_000}],
        }})
    )
}

async fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let (remote, clone) = (
        folder.path().join("remote.git"),
        folder.path().join("clone"),
    );
    fs::create_dir_all(&clone).unwrap();
    git(
        folder.path(),
        &["init", "-q", "--bare", "-b", "main", "remote.git"],
    );
    git(&clone, &["init", "-q", "-b", "main"]);
    git(
        &clone,
        &["remote", "add", "origin", remote.to_str().unwrap()],
    );
    let charter = json!({
        "company": {"name": "Example Ltd", "currency": "EUR"},
        "people": [
            {"id": "ada", "name": "Ada", "roles": ["owner"]},
            {"id": "joan", "name": "Joan", "roles": ["owner"]},
            {"id": "grace", "name": "Grace", "roles": ["member"]},
        ],
        "defaults": {"unmatched": "allow"},
    });
    write(&clone, "charter.json", format!("{charter:#}\n"));
    write(&clone, "rules/refunds.json", refunds(50));
    write(
        &clone,
        "rules/other.json",
        refunds(400).replace("refund.*", "other.*"),
    );
    push(&clone, "The company");
    let secret = folder.path().join("secret");
    fs::write(&secret, format!("{SECRET}\n")).unwrap();
    let company = folder.path().join("company");
    let host = Host::start(POLITY, |options| {
        options
            .company(company)
            .without_bundled()
            .first_party("spending-limit")
            .argument("--constitution-remote")
            .argument(&remote)
            .argument("--constitution-poll")
            .argument("86400")
            .argument("--constitution-hook-secret")
            .argument(&secret)
    })
    .await;
    House {
        host,
        remote,
        clone,
        _folder: folder,
    }
}

fn push(clone: &Path, message: &str) -> String {
    git(clone, &["add", "-A"]);
    git(clone, &["commit", "-q", "-m", message]);
    git(clone, &["push", "-q", "origin", "HEAD:main"]);
    git(clone, &["rev-parse", "HEAD"])
}

async fn of_seventy(host: &Host) -> Value {
    let body = json!({"kind": "refund.approve", "input": {"amount": 70}});
    host.json(host.post("/api/actions").json(&body)).await["outcome"].clone()
}

/// The remote is asked as an owner asks it: status and answer.
async fn pull(host: &Host) -> (u16, Value) {
    let response = host.post("/api/constitution/pull").send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_folder_is_filled_from_a_remote_and_follows_what_is_pushed() {
    let house = house().await;
    let host = &house.host;
    let first = git(&house.clone, &["rev-parse", "HEAD"]);
    assert_eq!(host.read("/api/constitution").await["commit"], first);
    assert!(host.company.join("charter.json").is_file() && !host.company.join(".git").exists());
    assert_eq!(of_seventy(host).await, "escalate");
    assert_eq!(
        pull(host).await,
        (200, json!({"changed": false, "commit": first}))
    );

    // A hook that knows the secret is believed, and answered at once.
    write(&house.clone, "rules/refunds.json", refunds(90));
    fs::remove_file(house.clone.join("rules/other.json")).unwrap();
    let second = push(&house.clone, "Raise the limit");
    let hook = |token: &str| {
        host.anonymous(Method::POST, "/api/constitution/pull")
            .header("x-gitlab-token", token)
            .body("{\"ref\": \"refs/heads/main\"}")
    };
    assert_eq!(
        hook("something else altogether")
            .send()
            .await
            .unwrap()
            .status(),
        401
    );
    let grace = host.token_for("person:grace").await;
    let member = host
        .anonymous(Method::POST, "/api/constitution/pull")
        .bearer_auth(&grace);
    assert_eq!(member.send().await.unwrap().status(), 403);
    assert_eq!(hook(SECRET).send().await.unwrap().status(), 202);
    host.printed("another constitution is in force").await;
    assert_eq!(
        pull(host).await,
        (200, json!({"changed": false, "commit": second}))
    );
    assert_eq!(of_seventy(host).await, "allow");
    assert!(
        !host.company.join("rules/other.json").exists(),
        "what was removed is removed"
    );
    at(host, &["status"]).await.with_code(0).shows(&[
        "remote    ",
        "remote.git main",
        &second[..12],
    ]);
}

#[tokio::test]
async fn a_bad_push_is_told_and_changes_nothing_until_it_is_put_right() {
    let mut house = house().await;
    let first = git(&house.clone, &["rev-parse", "HEAD"]);
    write(
        &house.clone,
        "rules/refunds.json",
        "{\"rule\": \"spending-limit\", \"guard\": []}",
    );
    write(
        &house.clone,
        "rules/new.json",
        refunds(1).replace("refund.*", "*"),
    );
    push(&house.clone, "A mistake");
    let (status, problem) = pull(&house.host).await;
    assert_eq!(status, 409, "{problem}");
    assert_eq!(problem["problems"][0]["file"], "rules/refunds.json");
    let host = &house.host;
    assert_eq!(host.read("/api/constitution").await["commit"], first);
    assert!(
        !host.company.join("rules/new.json").exists(),
        "half of a push is in the folder"
    );
    assert_eq!(of_seventy(host).await, "escalate");
    at(host, &["status"])
        .await
        .with_code(0)
        .shows(&["not in force", "rules/refunds.json:1"]);
    // Told once, however often it is asked.
    assert_eq!(pull(host).await.0, 409);
    let told = host.read("/api/ledger?limit=500").await["items"].to_string();
    assert_eq!(told.matches("constitution.not-pulled").count(), 1);

    // A host that starts now starts with what was in force.
    house.host.restart().await;
    let host = &house.host;
    assert_eq!(host.read("/api/constitution").await["commit"], first);
    #[cfg(unix)]
    {
        fs::remove_file(house.clone.join("rules/new.json")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", house.clone.join("rules/new.json")).unwrap();
        write(&house.clone, "rules/refunds.json", refunds(90));
        push(&house.clone, "A link out of the folder");
        let (status, problem) = pull(host).await;
        assert_eq!(status, 409, "{problem}");
        assert!(
            problem["detail"]
                .as_str()
                .unwrap()
                .contains("symbolic link"),
            "{problem}"
        );
    }
    let _ = fs::remove_file(house.clone.join("rules/new.json"));
    write(&house.clone, "rules/refunds.json", refunds(80));
    let good = push(&house.clone, "Put right");
    assert_eq!(
        pull(host).await,
        (200, json!({"changed": true, "commit": good}))
    );
    assert_eq!(
        host.read("/api/constitution").await["remote"]["trouble"],
        Value::Null
    );
    assert_eq!(of_seventy(host).await, "allow");

    // The remote goes: what is in force stays, and the host starts without it.
    fs::rename(&house.remote, house.remote.with_extension("gone")).unwrap();
    assert_eq!(pull(host).await.0, 409);
    house.host.restart().await;
    assert_eq!(of_seventy(&house.host).await, "allow");
    assert_eq!(house.host.read("/api/constitution").await["commit"], good);
}

#[tokio::test]
async fn an_amendment_of_a_remote_is_merged_there() {
    let house = house().await;
    let host = &house.host;
    git(&house.clone, &["switch", "-q", "-c", "amend/limit"]);
    write(&house.clone, "rules/refunds.json", refunds(90));
    git(
        &house.clone,
        &["commit", "-q", "-a", "-m", "Raise the limit"],
    );
    git(&house.clone, &["push", "-q", "origin", "amend/limit"]);
    at(
        host,
        &["amend", "submit", "limit", "--branch", "amend/limit"],
    )
    .await
    .with_code(0)
    .shows(&["0 of 1 votes"]);
    let joan = host.token_for("person:joan").await;
    as_holder_of(
        host,
        Some(&joan),
        &["amend", "approve", "limit", "--note", "fine"],
    )
    .await
    .with_code(0);

    // Something else is pushed meanwhile; it is not what was agreed on.
    git(&house.clone, &["switch", "-q", "main"]);
    write(
        &house.clone,
        "rules/other.json",
        refunds(300).replace("refund.*", "other.*"),
    );
    push(&house.clone, "Another limit");
    at(host, &["amend", "merge", "limit"])
        .await
        .with_code(1)
        .says(&["amend submit limit"]);
    at(host, &["amend", "submit", "limit"])
        .await
        .with_code(0)
        .shows(&["0 of 1 votes", "round 2"]);
    as_holder_of(
        host,
        Some(&joan),
        &["amend", "approve", "limit", "--note", "still fine"],
    )
    .await
    .with_code(0);
    at(host, &["amend", "merge", "limit"])
        .await
        .with_code(0)
        .shows(&["amendment/limit"]);
    assert_eq!(of_seventy(host).await, "allow");

    let merged = git(&house.remote, &["rev-parse", "main"]);
    assert_eq!(host.read("/api/constitution").await["commit"], merged);
    assert_eq!(
        git(&house.remote, &["rev-parse", "amendment/limit^{commit}"]),
        merged
    );
    assert_eq!(
        pull(host).await,
        (200, json!({"changed": false, "commit": merged}))
    );

    at(host, &["amend", "revert", "limit"]).await.with_code(0);
    as_holder_of(
        host,
        Some(&joan),
        &["amend", "approve", "revert-limit", "--note", "too much"],
    )
    .await
    .with_code(0);
    at(host, &["amend", "merge", "revert-limit"])
        .await
        .with_code(0);
    assert_eq!(of_seventy(host).await, "escalate");
    assert!(git(&house.remote, &["show", "main:rules/other.json"]).contains("300000000"));
}

#[test]
fn what_cannot_be_a_remote_is_said_before_anything_starts() {
    let folder = tempfile::tempdir().unwrap();
    let up = |args: &[&str]| {
        let mut all = vec![
            "up",
            "--listen",
            "127.0.0.1:0",
            "--no-bundled",
            "--company",
            "c",
        ];
        all.extend(args);
        cli::polity(folder.path(), &all)
    };
    up(&["--constitution-remote", "ext::sh -c 'touch owned'"])
        .with_code(2)
        .says(&["helper program"]);
    up(&["--constitution-remote", "http://example.com/c.git"])
        .with_code(2)
        .says(&["https://"]);
    up(&["--constitution-remote", "/nowhere.git"])
        .with_code(1)
        .says(&["/nowhere.git", "git ls-remote"]);
    fs::write(folder.path().join("secret"), "short").unwrap();
    up(&[
        "--constitution-remote",
        "/nowhere.git",
        "--constitution-hook-secret",
        "secret",
    ])
    .with_code(2)
    .says(&["16 characters"]);
    assert!(!folder.path().join("owned").exists());
}
