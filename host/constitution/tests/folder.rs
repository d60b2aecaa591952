//! Loading a constitution's folder: what is right loads as one version, what is wrong is reported all at once.

use std::fs;
use std::path::Path;

use polity_constitution::{
    ActorKind, Constitution, Mode, OnExpiry, Permission, Problems, SCHEMAS, Sources, Unmatched,
};
use serde_json::{Value, json};

fn minimal() -> Value {
    json!({
        "company": {"name": "Example", "currency": "EUR"},
        "people": [{"id": "ada", "name": "Ada", "roles": ["owner"]}],
        "defaults": {"unmatched": "deny"},
    })
}

/// The minimal charter with one part set to another value.
fn charter_with(pointer: &str, value: Value) -> String {
    let mut charter = minimal();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    charter.pointer_mut(parent).unwrap()[field] = value;
    serde_json::to_string_pretty(&charter).unwrap()
}

fn problems_of(charter: &str) -> Problems {
    Constitution::from_sources(&Sources::new().with("charter.json", charter)).unwrap_err()
}

#[track_caller]
fn only_problem(charter: &str, code: &str, pointer: &str, fix: &str) {
    let problems = problems_of(charter);
    let found: Vec<_> = problems
        .list
        .iter()
        .map(|problem| (problem.code.as_str(), problem.pointer.as_str()))
        .collect();
    assert_eq!(found, [(code, pointer)], "{problems}");
    assert!(problems.list[0].fix.contains(fix), "{problems}");
    assert!(problems.list[0].line > 0, "{problems}");
}

fn write(root: &Path, path: &str, text: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn ten_lines_are_a_constitution() {
    let sources = Sources::new().with("charter.json", minimal().to_string());
    let constitution = Constitution::from_sources(&sources).unwrap();
    let charter = constitution.charter();
    assert_eq!(charter.company().currency, "EUR");
    assert_eq!(charter.defaults().unmatched, Unmatched::Deny);
    assert!(charter.permits("person:ada", Permission::PluginsManage));
    assert!(
        !charter.permits("person:eve", Permission::MetricsRead),
        "strangers hold nothing"
    );
    assert!(constitution.bindings().is_empty());
    assert_eq!(constitution.version().commit, None);
}

#[test]
fn everything_in_a_charter_is_understood() {
    let charter = json!({
        "$schema": "./schemas/charter.schema.json",
        "company": {"name": "Example", "currency": "CHF"},
        "people": [
            {"id": "ada", "name": "Ada", "roles": ["owner"]},
            {"id": "bo", "name": "Bo", "roles": ["editor", "auditor"]},
        ],
        "agents": [{"id": "assistant", "name": "Assistant", "roles": ["agent"]}],
        "services": [{"id": "blog", "name": "Blog", "roles": []}],
        "roles": {"editor": {"summary": "Edits", "permissions": ["inbox:decide"]}},
        "defaults": {
            "unmatched": "escalate", "on_failure": "escalate", "escalation_role": "editor", "due_ms": 60_000.0,
            "on_expiry": "escalate", "expiry_role": "owner",
        },
        "plugins": {"require_signed": true, "trusted_keys": ["RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"]},
        "budgets": {"company_daily_micro": null, "actor_daily_micro": 5, "actors": {"agent:assistant": 3}},
        "ledger": {"completions": "relaxed"},
    });
    let sources = Sources::new().with("charter.json", charter.to_string());
    let constitution = Constitution::from_sources(&sources).unwrap();
    let charter = constitution.charter();
    assert_eq!(
        charter.defaults().on_expiry,
        OnExpiry::Escalate {
            to_role: "owner".into()
        }
    );
    assert_eq!(charter.defaults().due_ms, 60_000);
    assert_eq!(
        charter.actor("agent:assistant").unwrap().kind,
        ActorKind::Agent
    );
    assert_eq!(charter.budgets().of("agent:assistant"), Some(3));
    assert!(charter.can_decide("editor") && !charter.can_decide("operator"));
    assert!(
        charter.permits("person:bo", Permission::InboxRead),
        "deciding includes reading"
    );
    assert!(charter.plugins().require_signed);
}

#[test]
fn a_budget_for_nobody_is_a_mistake_and_not_a_budget_of_nothing() {
    let sources = Sources::new().with(
        "charter.json",
        charter_with(
            "/budgets",
            json!({
                "teams": {"support": {"members": ["person:ada", "person:adda"]}},
                "protocols": {"refund": {"daily_micro": 5}},
            }),
        ),
    );
    let problems = Constitution::from_sources(&sources).unwrap_err();
    let mut found: Vec<_> = problems
        .list
        .iter()
        .map(|problem| (problem.code.as_str(), problem.pointer.as_str()))
        .collect();
    found.sort_unstable();
    assert_eq!(
        found,
        [
            ("unknown-actor", "/budgets/teams/support/members/1"),
            ("unknown-workflow", "/budgets/protocols/refund"),
        ]
    );
}

#[test]
fn bindings_are_found_by_the_kind_they_guard() {
    let sources = Sources::new()
        .with("charter.json", minimal().to_string())
        .with("rules/all.json", r#"{"rule": "audit", "guards": ["*"], "mode": "shadow"}"#)
        .with("rules/refunds.json", r#"{"rule": "spending-limit", "guards": ["refund.*", "expense.approve"], "config": {"x": 1}}"#)
        .with("rules/big-refunds.json", r#"{"rule": "spending-limit", "guards": ["refund.approve"], "config": {"x": 2}}"#);
    let constitution = Constitution::from_sources(&sources).unwrap();
    let names = |kind: &str| {
        let kind = kind.parse().unwrap();
        constitution
            .bindings_for(&kind)
            .map(|binding| binding.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names("refund.approve"), ["all", "big-refunds", "refunds"]);
    assert_eq!(names("refund.ask"), ["all", "refunds"]);
    assert_eq!(names("expense.approve"), ["all", "refunds"]);
    assert_eq!(names("expense.ask"), ["all"]);
    assert_eq!(constitution.binding("all").unwrap().mode, Mode::Shadow);
    assert_eq!(
        constitution.binding("big-refunds").unwrap().config,
        json!({"x": 2})
    );
}

#[test]
fn the_version_depends_on_what_is_said_and_not_on_how_it_is_written() {
    let digest = |sources: &Sources| {
        Constitution::from_sources(sources)
            .unwrap()
            .version()
            .digest
            .clone()
    };
    let compact = Sources::new().with("charter.json", minimal().to_string());
    let spaced = Sources::new().with(
        "charter.json",
        serde_json::to_string_pretty(&minimal()).unwrap(),
    );
    assert_eq!(digest(&compact), digest(&spaced));
    assert_eq!(digest(&compact).len(), 64);
    let other = Sources::new().with(
        "charter.json",
        charter_with("/company/name", json!("Another")),
    );
    assert_ne!(digest(&compact), digest(&other));
    let bound = compact
        .clone()
        .with("rules/a.json", r#"{"rule": "x", "guards": ["*"]}"#);
    let renamed = compact
        .clone()
        .with("rules/b.json", r#"{"rule": "x", "guards": ["*"]}"#);
    assert_ne!(digest(&bound), digest(&compact));
    assert_ne!(
        digest(&bound),
        digest(&renamed),
        "a binding's name is part of what it says"
    );
}

#[test]
fn all_problems_of_a_folder_are_reported_together() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "charter.json",
        r#"{
  "company": {"name": "Example", "curency": "EUR"},
  "people": [
    {"id": "ada", "name": "Ada", "roles": ["owner"]},
    {"id": "ada", "name": "Ada Again", "roles": ["editr"]}
  ],
  "roles": {"editor": {"permissions": ["inbox:decide", "inbox:aprove"]}, "owner": {"permissions": []}},
  "defaults": {"unmatched": "alow", "due_ms": 10, "on_expiry": "escalate"},
  "plugins": {"trusted_keys": ["abc"]},
  "budgets": {"actor_daily_micro": 1.5, "actors": {"agent:assistent": 1}}
}
"#,
    );
    write(
        root.path(),
        "rules/refunds.json",
        "{\n  \"rule\": \"spending-limit\",\n  \"gaurds\": [\"refund.*\"],\n}\n",
    );
    write(
        root.path(),
        "rules/hours.json",
        "{\n  \"rule\": \"business-hours\",\n  \"gaurds\": [\"site.publish\"],\n  \"mode\": \"shadow\", \"mode\": \"enforce\"\n}\n",
    );
    write(
        root.path(),
        "rules/Privacy Rule.json",
        "{\"rule\": \"pii-guard\", \"guards\": [\"Model.*\", \"*.x\"]}",
    );
    write(root.path(), "rules/limits.yaml", "rule: spending-limit\n");
    write(root.path(), "rules/.draft.json", "not a rule yet");
    write(root.path(), "rules/README.md", "# Why these rules\n");
    let mut problems = Constitution::load(root.path()).unwrap_err();
    assert_eq!(problems.folder.as_deref(), Some(root.path()));
    problems.folder = None;
    insta::assert_snapshot!(problems);
}

#[test]
fn a_folder_that_is_nearly_right_says_what_to_rename() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "chater.json", &minimal().to_string());
    write(root.path(), "Rule/refunds.json", "{}");
    let problems = Constitution::load(root.path()).unwrap_err();
    let fixes: Vec<_> = problems
        .list
        .iter()
        .map(|problem| problem.fix.as_str())
        .collect();
    assert_eq!(
        fixes,
        [
            "rename the folder to rules",
            "rename chater.json to charter.json"
        ],
        "{problems}"
    );
}

#[test]
fn a_folder_that_is_not_there_is_one_problem() {
    let problems = Constitution::load("/nonexistent/company").unwrap_err();
    assert_eq!(problems.list.len(), 1, "{problems}");
    assert_eq!(problems.list[0].code, "unreadable");
}

#[test]
fn what_cannot_be_read_as_text_is_refused() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "charter.json", &minimal().to_string());
    fs::create_dir(root.path().join("rules")).unwrap();
    fs::write(
        root.path().join("rules/latin.json"),
        b"{\"rule\": \"caf\xe9\"}",
    )
    .unwrap();
    fs::write(
        root.path().join("rules/huge.json"),
        vec![b' '; (1 << 20) + 1],
    )
    .unwrap();
    fs::create_dir(root.path().join("rules/nested.json")).unwrap();
    let problems = Constitution::load(root.path()).unwrap_err();
    let found: Vec<_> = problems
        .list
        .iter()
        .map(|problem| (problem.file.as_str(), problem.code.as_str()))
        .collect();
    assert_eq!(
        found,
        [
            ("rules/huge.json", "unreadable"),
            ("rules/latin.json", "unreadable"),
            ("rules/nested.json", "not-a-binding")
        ]
    );
}

#[test]
fn a_folder_in_a_work_tree_carries_its_commit_and_the_same_digest() {
    let root = tempfile::tempdir().unwrap();
    let commit = "89abcdef0123456789abcdef0123456789abcdef";
    write(root.path(), "company/charter.json", &minimal().to_string());
    let before = Constitution::load(root.path().join("company")).unwrap();
    write(root.path(), ".git/HEAD", "ref: refs/heads/main\n");
    write(root.path(), ".git/refs/heads/main", commit);
    let after = Constitution::load(root.path().join("company")).unwrap();
    assert_eq!(after.version().commit.as_deref(), Some(commit));
    assert_eq!(after.version().digest, before.version().digest);
    assert!(
        after
            .version()
            .to_string()
            .ends_with("(commit 89abcdef0123)")
    );
}

#[test]
fn text_that_is_not_json_names_its_place_and_what_to_look_for() {
    only_problem("{\n  \"company\": {},,\n}", "not-json", "", "missing comma");
    only_problem("", "not-json", "", "beginning with {");
    only_problem("\u{feff}{}", "not-json", "", "byte order mark");
    only_problem(
        &format!("{}1{}", "[".repeat(200), "]".repeat(200)),
        "not-json",
        "",
        "bracket",
    );
    let problems = problems_of("{\n  \"company\": {},,\n}");
    assert_eq!((problems.list[0].line, problems.list[0].column), (2, 17));
}

#[test]
fn a_company_without_an_owner_is_refused() {
    only_problem(
        &charter_with("/people/0/roles", json!(["member"])),
        "no-owner",
        "/people",
        "owner",
    );
}

#[test]
fn an_owner_who_is_no_person_is_refused() {
    let charter = charter_with(
        "/agents",
        json!([{"id": "bot", "name": "Bot", "roles": ["owner"]}]),
    );
    only_problem(
        &charter,
        "decides-without-being-a-person",
        "/agents/0/roles/0",
        "without \"inbox:decide\"",
    );
}

#[test]
fn an_id_is_one_actors_alone_across_people_agents_and_services() {
    let charter = charter_with(
        "/services",
        json!([{"id": "ada", "name": "Ada's blog", "roles": []}]),
    );
    only_problem(&charter, "duplicate-id", "/services/0/id", "of its own");
}

#[test]
fn a_default_that_addresses_nobody_is_refused() {
    let mut charter = minimal();
    charter["roles"] = json!({"board": {"permissions": ["inbox:read"]}});
    charter["people"][0]["roles"] = json!(["owner"]);
    charter["defaults"]["escalation_role"] = json!("board");
    only_problem(
        &charter.to_string(),
        "nobody-decides",
        "/defaults/escalation_role",
        "board",
    );
}

#[test]
fn an_expiry_that_changes_nothing_is_refused() {
    let defaults = json!({"unmatched": "deny", "expiry_role": "owner"});
    only_problem(
        &charter_with("/defaults", defaults),
        "no-effect",
        "/defaults/expiry_role",
        "on_expiry",
    );
    let defaults = json!({"unmatched": "deny", "on_expiry": "escalate", "expiry_role": "owner"});
    only_problem(
        &charter_with("/defaults", defaults),
        "no-effect",
        "/defaults/expiry_role",
        "another role",
    );
}

#[test]
fn the_meaning_of_a_built_in_role_cannot_be_changed() {
    let charter = charter_with(
        "/roles",
        json!({"agent": {"permissions": ["plugins:manage"]}}),
    );
    only_problem(&charter, "built-in-role", "/roles/agent", "another name");
}

#[test]
fn a_field_that_stands_twice_is_refused_because_a_parser_would_keep_only_one() {
    let charter = minimal().to_string().replacen(
        "\"unmatched\":\"deny\"",
        "\"unmatched\":\"deny\",\"unmatched\":\"allow\"",
        1,
    );
    only_problem(
        &charter,
        "repeated-field",
        "/defaults/unmatched",
        "keep one",
    );
}

#[test]
fn a_number_that_is_no_whole_number_of_micro_units_is_refused() {
    for amount in [json!(0.5), json!(-1), json!("12"), json!(1e17)] {
        let charter = charter_with("/budgets", json!({"company_daily_micro": amount}));
        let problems = problems_of(&charter);
        assert_eq!(
            problems.list[0].pointer, "/budgets/company_daily_micro",
            "{problems}"
        );
    }
}

#[test]
fn problems_are_data_for_programs_too() {
    let problems = problems_of(&charter_with("/defaults/unmatched", json!("alow")));
    let json = serde_json::to_value(&problems).unwrap();
    assert_eq!(json["list"][0]["code"], "unknown-value");
    assert_eq!(json["list"][0]["pointer"], "/defaults/unmatched");
    assert_eq!(json["list"][0]["fix"], "did you mean \"allow\"?");
}

mod example_company {
    use super::*;

    fn folder() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../protocols"))
    }

    #[test]
    fn it_loads() {
        let constitution =
            Constitution::load(folder()).unwrap_or_else(|problems| panic!("{problems}"));
        assert!(!constitution.bindings().is_empty());
    }

    #[test]
    fn the_schemas_beside_it_are_the_ones_it_is_checked_against() {
        for schema in SCHEMAS {
            let copy = fs::read_to_string(folder().join("schemas").join(schema.file)).unwrap();
            assert_eq!(
                copy, schema.text,
                "copy host/constitution/schemas/{} to protocols/schemas",
                schema.file
            );
        }
    }

    #[test]
    fn each_binding_configures_its_rule_as_the_rules_manifest_allows() {
        for binding in Constitution::load(folder()).unwrap().bindings() {
            let manifest = folder()
                .join("../plugins")
                .join(&binding.rule)
                .join("polity.json");
            let manifest: Value =
                serde_json::from_str(&fs::read_to_string(manifest).unwrap()).unwrap();
            assert_eq!(manifest["name"], *binding.rule);
            let validator = jsonschema::validator_for(&manifest["config_schema"]).unwrap();
            let errors: Vec<_> = validator
                .iter_errors(&binding.config)
                .map(|error| error.to_string())
                .collect();
            assert!(errors.is_empty(), "rules/{}.json: {errors:?}", binding.name);
        }
    }
}

mod tables_and_workflows {
    use super::*;

    const TABLE: &str = r#"{
  "name": "refund",
  "inputs": [{"name": "amount", "typeRef": "number", "allowedValues": ">= 0"}],
  "outputs": [{"name": "outcome", "typeRef": "string", "allowedValues": ["pay", "ask"]}],
  "rules": [
    {"inputEntries": ["<= 50"], "outputEntries": ["pay"]},
    {"inputEntries": ["> 50"], "outputEntries": ["ask"]}
  ]
}"#;

    const WORKFLOW: &str = "\
document: {dsl: 1.0.3, namespace: shop, name: refund, version: 1.0.0}
do:
  - outcome:
      call: decide
      with: {table: refund}
";

    fn sources() -> Sources {
        Sources::new()
            .with("charter.json", minimal().to_string())
            .with("decisions/refund.json", TABLE)
            .with("workflows/refund.yaml", WORKFLOW)
    }

    fn places(sources: &Sources) -> Vec<(String, u32, String)> {
        let problems = Constitution::from_sources(sources).unwrap_err();
        let list = problems.list.into_iter();
        list.map(|problem| {
            let what = format!("{} in {}", problem.code, problem.file);
            (what, problem.line, problem.pointer)
        })
        .collect()
    }

    #[test]
    fn they_are_part_of_the_version() {
        let one = Constitution::from_sources(&sources()).unwrap();
        assert_eq!(one.table("refund").unwrap().table().rules.len(), 2);
        assert_eq!(one.workflow("refund").unwrap().namespace(), "shop");
        let other = sources().with("decisions/refund.json", TABLE.replace("50", "60"));
        let other = Constitution::from_sources(&other).unwrap();
        assert_ne!(one.version().digest, other.version().digest);
        let other = sources().with("workflows/refund.yaml", WORKFLOW.replace("1.0.0", "1.0.1"));
        let other = Constitution::from_sources(&other).unwrap();
        assert_ne!(one.version().digest, other.version().digest);
    }

    #[test]
    fn what_is_wrong_with_them_is_told_with_its_place() {
        let wrong = sources()
            .with(
                "decisions/refund.json",
                TABLE.replace("\"<= 50\"", "\"cheap\""),
            )
            .with(
                "workflows/refund.yaml",
                WORKFLOW.replace("call: decide", "call: decied"),
            );
        assert_eq!(
            places(&wrong),
            [
                (
                    "unknown-name in decisions/refund.json".to_owned(),
                    6,
                    "/rules/0/inputEntries/0".to_owned()
                ),
                (
                    "unknown-function in workflows/refund.yaml".to_owned(),
                    4,
                    "/do/0/outcome/call".to_owned()
                ),
            ]
        );
    }

    #[test]
    fn a_workflow_that_asks_for_a_table_that_is_not_there_is_refused() {
        let wrong = sources().with(
            "workflows/refund.yaml",
            WORKFLOW.replace("table: refund", "table: refunt"),
        );
        assert_eq!(
            places(&wrong),
            [(
                "unknown-table in workflows/refund.yaml".to_owned(),
                3,
                "/do/0/outcome".to_owned()
            )]
        );
    }

    #[test]
    fn a_document_is_found_by_the_name_of_its_file() {
        let wrong = sources()
            .with("decisions/refunds.yaml", TABLE)
            .with("workflows/dispute.yaml", WORKFLOW);
        let found: Vec<_> = places(&wrong).into_iter().map(|(what, ..)| what).collect();
        assert_eq!(
            found,
            [
                "misnamed in decisions/refunds.yaml",
                "misnamed in workflows/dispute.yaml"
            ]
        );
    }
}
