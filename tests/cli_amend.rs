//! Changing the constitution by vote: on a real repository, through the command line and the API.

mod cli;
mod house;

use std::fs;
use std::path::PathBuf;

use cli::{as_holder_of, at, polity};
use house::{NAME, charter, company, house, refunds, table};
use polity_tests::{git, write};
use serde_json::json;

#[tokio::test]
async fn a_limit_is_raised_by_the_votes_of_two_and_taken_back_by_them() {
    let house = house().await;
    let host = &house.host;
    house.written().await;
    assert_eq!(house.of_seventy().await, "escalate");

    // What it changes, in words and with inputs that the rule itself was asked about.
    let diff = at(host, &["amend", "diff", "--json"])
        .await
        .with_code(0)
        .json();
    let witness = diff["witnesses"]
        .as_array()
        .unwrap()
        .iter()
        .find(|witness| witness["before"] == "escalate" && witness["after"] == "allow")
        .unwrap_or_else(|| panic!("{diff:#}"));
    assert_eq!(witness["direction"], "more");
    assert_eq!(diff["actions"][0]["kinds"], "refund.*");
    assert_eq!(diff["actions"][0]["direction"], "more");
    let amount = witness["input"]["amount"].as_f64().unwrap();
    assert!(amount > 50.0 && amount <= 90.0, "{witness}");
    at(host, &["amend", "diff"]).await.with_code(0).shows(&[
        "rules/refunds.json",
        "50000000 -> 90000000",
        "refund:",
        "permits more",
        "escalate -> allow",
    ]);

    // What recorded decisions would become.
    let simulated = at(host, &["amend", "simulate", "--json"])
        .await
        .with_code(1)
        .json();
    assert_eq!(simulated["simulation"]["changed"], 1, "{simulated:#}");
    assert_eq!(simulated["simulation"]["money"]["delta"], 70_000_000);
    assert_eq!(
        simulated["failed_cases"], 1,
        "the case says that 70 is asked about"
    );
    write(
        &house.written_folder(),
        "decisions/refund.cases.json",
        r#"{"cases": [{"name": "70 is paid", "input": {"amount": 70}, "expect": "pay"}]}"#,
    );
    at(host, &["amend", "simulate"]).await.with_code(0).shows(&[
        "escalate -> allow, 1 times, 70.00 in all",
        "0.00 -> 70.00 (+70.00)",
    ]);

    at(host, &["amend", "submit"])
        .await
        .with_code(0)
        .shows(&["voting (0 of 2 votes, 2 may vote)"]);
    assert_eq!(house.of_seventy().await, "escalate");
    // It waits for everybody who may vote, in the inbox, and for nobody else.
    for (token, waits) in [
        (&house.joan, true),
        (&house.bob, true),
        (&host.token, false),
    ] {
        let mine = as_holder_of(
            host,
            Some(token),
            &["inbox", "list", "--mine", "--kind", "amendment"],
        )
        .await;
        assert_eq!(
            mine.out.contains("Raise the refund limit"),
            waits,
            "{mine:?}"
        );
    }
    house
        .vote(&host.token, "approve", NAME)
        .await
        .with_code(3)
        .says(&["cannot decide it too"]);
    let grace = host.token_for("person:grace").await;
    house
        .vote(&grace, "approve", NAME)
        .await
        .with_code(3)
        .says(&["for the role \"owner\""]);
    let agent = host.token_for("agent:assistant").await;
    house.vote(&agent, "approve", NAME).await.with_code(3);
    at(host, &["amend", "merge", NAME])
        .await
        .with_code(4)
        .says(&["0 of the 2 votes"]);

    at(host, &["amend", "comment", NAME, "Why not 80?"])
        .await
        .with_code(0);
    house
        .vote(&house.joan, "approve", NAME)
        .await
        .with_code(0)
        .shows(&["1 of 2"]);
    house
        .vote(&house.joan, "approve", NAME)
        .await
        .with_code(1)
        .says(&["closed"]);
    at(host, &["amend", "merge", NAME])
        .await
        .with_code(4)
        .says(&["person:bob have not voted"]);
    // The inbox is another way to the same vote.
    let voting = house.amendment(NAME).await;
    let item = voting["rounds"][0]["voters"]["person:bob"]
        .as_str()
        .unwrap()
        .to_owned();
    as_holder_of(
        host,
        Some(&house.joan),
        &["inbox", "accept", &item, "--note", "for bob"],
    )
    .await
    .with_code(3);
    as_holder_of(
        host,
        Some(&house.bob),
        &["inbox", "accept", &item, "--note", "fine"],
    )
    .await
    .with_code(0);

    as_holder_of(host, Some(&agent), &["amend", "merge", NAME])
        .await
        .with_code(3);
    at(host, &["amend", "merge", NAME])
        .await
        .with_code(0)
        .shows(&["merged", "amendment/raise-the-refund-limit"])
        .says(&["in force"]);
    assert_eq!(house.of_seventy().await, "allow");
    let merged = house.amendment(NAME).await;
    assert_eq!(
        house.digest().await,
        merged["rounds"][0]["proposal"]["digest"]
    );
    let tag = git(
        &host.company,
        &["cat-file", "-p", "amendment/raise-the-refund-limit"],
    );
    for words in [
        "Approved-by: person:bob",
        "Approved-by: person:joan",
        "Submitted-by: person:ada",
        "Constitution-Digest: sha256:",
    ] {
        assert!(tag.contains(words), "{tag}");
    }
    assert_eq!(git(&host.company, &["status", "--porcelain"]), "");
    assert!(
        !house.written_folder().exists(),
        "its folder is not needed any more"
    );
    at(host, &["amend", "show", NAME])
        .await
        .with_code(0)
        .shows(&["merged", "Why not 80?", "yes       person:bob: fine"]);
    at(
        host,
        &[
            "amend",
            "submit",
            NAME,
            "--branch",
            "amend/raise-the-refund-limit",
        ],
    )
    .await
    .with_code(1)
    .says(&["was merged"]);

    // Taking it back is an amendment too.
    at(host, &["amend", "revert", NAME, "--why", "too much"])
        .await
        .with_code(0)
        .shows(&["revert-raise-the-refund-limit", "voting"]);
    house.agreed("revert-raise-the-refund-limit").await;
    at(host, &["amend", "merge", "revert-raise-the-refund-limit"])
        .await
        .with_code(0);
    assert_eq!(house.of_seventy().await, "escalate");
    assert_eq!(
        house.digest().await,
        merged["rounds"][0]["proposal"]["base"]
    );
    at(host, &["amend", "list"])
        .await
        .with_code(0)
        .shows(&["merged", "2 of 2"]);
    at(host, &["ledger", "verify"]).await.with_code(0);
}

#[tokio::test]
async fn an_edit_makes_votes_void() {
    let house = house().await;
    let host = &house.host;
    let folder = house.submitted().await;
    house.vote(&house.joan, "approve", NAME).await.with_code(0);
    let first = house.amendment(NAME).await;

    // Submitted again as it is, it is the same.
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(0)
        .shows(&["1 of 2"]);
    write(&folder, "rules/refunds.json", refunds(120));
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(0)
        .shows(&["0 of 2", "round 2"]);
    let second = house.amendment(NAME).await;
    assert_ne!(first["proposal_digest"], second["proposal_digest"]);
    // Whoever answers what was asked before is told.
    let stale = first["votes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|vote| vote["voter"] == "person:bob")
        .unwrap();
    as_holder_of(
        host,
        Some(&house.bob),
        &[
            "inbox",
            "accept",
            stale["item"].as_str().unwrap(),
            "--note",
            "late",
        ],
    )
    .await
    .with_code(1)
    .says(&["withdrawn", "vote on what it is now"]);
    let body = json!({"vote": "accept", "note": "seen", "seen_digest": first["proposal_digest"]});
    let refused = host
        .anonymous(
            reqwest::Method::POST,
            &format!("/api/amendments/{NAME}/votes"),
        )
        .bearer_auth(&house.bob)
        .json(&body)
        .send()
        .await
        .unwrap();
    assert_eq!(refused.status(), 409, "{}", refused.text().await.unwrap());

    house.agreed(NAME).await;
    // A commit after the vote that nobody has seen.
    write(&folder, "rules/refunds.json", refunds(400));
    git(&folder, &["commit", "-q", "-a", "-m", "quietly"]);
    at(host, &["amend", "merge", NAME])
        .await
        .with_code(1)
        .says(&["changed after the vote", "amend submit"]);
    assert_eq!(house.of_seventy().await, "escalate");
    git(&folder, &["reset", "-q", "--hard", "HEAD~1"]);
    at(host, &["amend", "merge", NAME]).await.with_code(0);
    assert_eq!(house.of_seventy().await, "allow");
}

#[tokio::test]
async fn who_may_vote_and_how_many_must_is_settled_when_the_vote_opens() {
    let house = house().await;
    let host = &house.host;
    house.submitted().await;
    // The charter changes by hand: another owner, and one vote is enough.
    let mut other = charter(1);
    other["people"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "eve", "name": "Eve", "roles": ["owner"]}));
    write(&host.company, "charter.json", format!("{other:#}\n"));
    git(&host.company, &["commit", "-q", "-a", "-m", "Eve"]);
    host.json(host.post("/api/constitution/reload")).await;
    let eve = host.token_for("person:eve").await;
    house
        .vote(&eve, "approve", NAME)
        .await
        .with_code(3)
        .says(&["when the vote opened"]);
    house
        .vote(&house.joan, "approve", NAME)
        .await
        .with_code(0)
        .shows(&["voting (1 of 2 votes, 2 may vote)"]);
    house
        .vote(&house.bob, "approve", NAME)
        .await
        .with_code(0)
        .shows(&["accepted"]);
    // What was agreed on was a change of another constitution.
    at(host, &["amend", "merge", NAME])
        .await
        .with_code(1)
        .says(&["has changed since", "polity amend submit"]);
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(0)
        .shows(&["0 of 1 votes, 3 may vote"]);
    house
        .vote(&eve, "approve", NAME)
        .await
        .with_code(0)
        .shows(&["accepted"]);
    at(host, &["amend", "merge", NAME]).await.with_code(0);
    assert_eq!(house.of_seventy().await, "allow");
    let charter = fs::read_to_string(host.company.join("charter.json")).unwrap();
    assert!(
        charter.contains("eve"),
        "what was changed by hand is still there"
    );
}

#[tokio::test]
async fn enough_votes_against_it_end_the_vote() {
    let house = house().await;
    let host = &house.host;
    house.submitted().await;
    house
        .vote(&house.joan, "reject", NAME)
        .await
        .with_code(0)
        .shows(&["rejected"]);
    house
        .vote(&house.bob, "approve", NAME)
        .await
        .with_code(1)
        .says(&["withdrawn"]);
    at(host, &["amend", "merge", NAME])
        .await
        .with_code(1)
        .says(&["was rejected"]);
    as_holder_of(host, Some(&house.joan), &["amend", "withdraw", NAME])
        .await
        .with_code(3);
    at(host, &["amend", "withdraw", NAME, "--why", "no"])
        .await
        .with_code(0)
        .shows(&["withdrawn"]);
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(1)
        .says(&["was withdrawn"]);
}

#[tokio::test]
async fn nobody_is_made_to_vote_on_what_cannot_be_read() {
    let house = house().await;
    let host = &house.host;
    let folder = house.written().await;
    write(
        &folder,
        "plugins/evil.grant.toml",
        "[[http]]\nhost = \"*\"\n",
    );
    git(&folder, &["add", "-A"]);
    git(&folder, &["commit", "-q", "-m", "more than it says"]);
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(1)
        .says(&["plugins/evil.grant.toml", "cannot read"]);
    git(&folder, &["rm", "-q", "plugins/evil.grant.toml"]);
    git(&folder, &["commit", "-q", "-m", "without"]);
    // What does not load is told with its place.
    write(
        &folder,
        "rules/refunds.json",
        "{\"rule\": \"spending-limit\", \"guard\": []}",
    );
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(1)
        .says(&["rules/refunds.json:1", "guards"]);
    at(host, &["amend", "diff", NAME])
        .await
        .with_code(1)
        .says(&["rules/refunds.json:1"]);
    // As is what changes nothing, what does not exist, and a link out of the folder.
    write(&folder, "rules/refunds.json", refunds(50));
    write(&folder, "decisions/refund.json", table(50));
    at(host, &["amend", "submit", NAME])
        .await
        .with_code(1)
        .says(&["changes nothing"]);
    at(host, &["amend", "submit", "other", "--branch", "no-such"])
        .await
        .with_code(1)
        .says(&["no branch \"no-such\""]);
    at(host, &["amend", "submit", "other", "--branch", "main"])
        .await
        .with_code(1)
        .says(&["the one in force"]);
    at(host, &["amend", "show", "raise-refund-limit"])
        .await
        .with_code(1)
        .says(&["there is no amendment"]);
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("/etc/passwd", folder.join("rules/passwd.json")).unwrap();
        git(&folder, &["add", "-A"]);
        git(&folder, &["commit", "-q", "-m", "link"]);
        at(
            host,
            &[
                "amend",
                "submit",
                NAME,
                "--branch",
                "amend/raise-the-refund-limit",
            ],
        )
        .await
        .with_code(1)
        .says(&["rules/passwd.json", "symbolic link"]);
    }
    assert_eq!(host.read("/api/amendments").await["items"], json!([]));
}

#[test]
fn writing_and_comparing_need_no_host() {
    let folder = tempfile::tempdir().unwrap();
    let company = company(folder.path());
    let begun = polity(&company, &["amend", "new", "Raise the refund limit"])
        .with_code(0)
        .says(&["polity amend submit"]);
    let draft = PathBuf::from(begun.out.trim());
    write(&draft, "decisions/refund.json", table(90));
    let diff = polity(&company, &["amend", "diff", "--json"])
        .with_code(0)
        .says(&["rules were not asked"])
        .json();
    let change = &diff["tables"][0]["what"]["answers"]["changes"][0];
    assert_eq!(
        (&change["before"], &change["after"]),
        (&json!("\"ask\""), &json!("\"pay\"")),
        "{diff:#}"
    );
    polity(&company, &["amend", "simulate"])
        .with_code(1)
        .shows(&["1 fail under the amendment", "seventy is asked about"]);
    polity(&company, &["amend", "submit"])
        .with_code(1)
        .says(&["no host is running"]);
    polity(&company, &["amend", "new", "Raise the refund limit"])
        .with_code(1)
        .says(&["amend diff"]);
    polity(&company, &["amend", "new", "!!"]).with_code(2);
    // Without a repository it is said what to do.
    let bare = tempfile::tempdir().unwrap();
    write(bare.path(), "charter.json", charter(1).to_string());
    polity(bare.path(), &["amend", "new", "x"])
        .with_code(1)
        .says(&["git init"]);
}
