//! What is read, what is refused, and how it is said.

use polity_workflow::{Dialect, Workflow};

const HEAD: &str = "document: {dsl: 1.0.3, namespace: t, name: t, version: 1.0.0}\n";

fn problems(text: &str) -> String {
    Workflow::load("t.yaml", text, Dialect::Strict)
        .unwrap_err()
        .to_string()
}

fn codes(body: &str) -> Vec<&'static str> {
    match Workflow::load("t.yaml", &format!("{HEAD}{body}"), Dialect::Strict) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.0.iter().map(|problem| problem.code).collect(),
    }
}

#[test]
fn everything_wrong_is_said_at_once_with_line_pointer_and_fix() {
    let text = format!(
        "{HEAD}schedule: {{cron: '99 * * * *'}}
do:
  - first:
      call: decied
      with: {{table: x}}
  - second:
      call: human.approve
      with: {{titel: Pay?, role: finance}}
      then: secnod
  - third:
      run:
        shell: {{command: rm -rf /}}
  - fourth:
      set: {{now: '${{ now }}', env: '${{ $ENV.HOME }}', x: '${{ .a[ }}', y: '${{ $nobody }}'}}
  - fifth:
      call: http
      with: {{method: post, endpoint: https://x.example}}
  - sixth:
      try: [{{a: {{wait: 30 seconds}}}}]
      catch: {{retry: forever}}
  - sixth:
      call: grpc
      with: {{proto: {{endpoint: https://x.example}}, service: {{name: a, host: b}}, method: c}}
"
    );
    // The official schema has the first word: with a bad duration nothing else is said.
    insta::assert_snapshot!("schema_first", problems(&text));
    insta::assert_snapshot!(
        "all_at_once",
        problems(&text.replace("30 seconds", "PT30S"))
    );
}

#[test]
fn what_the_official_schema_refuses_is_named_by_task_and_field() {
    let two = "do:\n  - a:\n      set: {x: 1}\n    b:\n      set: {y: 1}\n";
    let extra = "do:\n  - a:\n      call: http\n      with: {method: get, endpoint: https://x.example}\n      foo: bar\n";
    let misspelt = "do:\n  - a:\n      set: {x: 1}\n      thn: end\n";
    let all = [two, extra, misspelt, "do:\n  - a: {}\n", "do: 5\n"]
        .map(|body| problems(&format!("{HEAD}{body}")));
    insta::assert_snapshot!(all.join("\n---\n"));
}

#[test]
fn each_rule_of_the_profile_has_its_code() {
    for (body, code) in [
        ("do: []", "empty-do"),
        (
            "evaluate: {language: js}\ndo: [{a: {set: {x: 1}}}]",
            "unknown-language",
        ),
        (
            "evaluate: {mode: loose}\ndo: [{a: {set: {x: 1}}}]",
            "loose-mode",
        ),
        (
            "use: {extensions: [{a: {extend: all}}]}\ndo: [{a: {set: {x: 1}}}]",
            "refused-extension",
        ),
        (
            "do: [{a: {set: {x: 1}}}, {a: {set: {x: 1}}}]",
            "repeated-task",
        ),
        ("do: [{a: {set: {x: 1}, then: nowhere}}]", "unknown-task"),
        (
            "do: [{a: {do: [{b: {set: {x: 1}, then: a}}]}}]",
            "unknown-task",
        ),
        ("do: [{a: {set: {x: '${ now }'}}}]", "bad-expression"),
        (
            "input: {schema: {format: avro, document: {}}}\ndo: [{a: {set: {x: 1}}}]",
            "unknown-format",
        ),
        (
            "input: {schema: {resource: {endpoint: https://x.example}}}\ndo: [{a: {set: {x: 1}}}]",
            "external-schema",
        ),
        (
            "input: {schema: {document: {type: strin}}}\ndo: [{a: {set: {x: 1}}}]",
            "bad-schema",
        ),
        (
            "do: [{a: {set: {x: 1}, timeout: never}}]",
            "unknown-timeout",
        ),
        ("do: [{a: {listen: {to: {all: []}}}}]", "empty-listen"),
        (
            "schedule: {cron: nonsense}\ndo: [{a: {set: {x: 1}}}]",
            "bad-cron",
        ),
        (
            "schedule: {every: PT0S}\ndo: [{a: {set: {x: 1}}}]",
            "bad-schedule",
        ),
        (
            "do: [{a: {switch: [{b: {then: end}}, {c: {then: end}}]}}]",
            "two-defaults",
        ),
        (
            "do: [{a: {for: {each: 'a b', in: .x}, do: [{b: {set: {x: 1}}}]}}]",
            "bad-name",
        ),
        ("do: [{a: {fork: {branches: []}}}]", "empty-fork"),
        (
            "do: [{a: {try: [{b: {set: {x: 1}}}], catch: {retry: nowhere}}}]",
            "unknown-retry",
        ),
        (
            "do: [{a: {try: [{b: {set: {x: 1}}}], catch: {retry: {delay: PT1S}}}}]",
            "unbounded-retry",
        ),
        ("do: [{a: {raise: {error: nowhere}}}]", "unknown-error"),
        (
            "do: [{a: {run: {script: {language: js, code: x}}}}]",
            "refused-run",
        ),
        ("do: [{a: {run: {container: {image: x}}}}]", "refused-run"),
        ("do: [{a: {call: decied}}]", "unknown-function"),
        (
            "do: [{a: {call: mcp, with: {method: tools/call, transport: {http: {endpoint: https://x.example}}}}}]",
            "refused-call",
        ),
        (
            "do: [{a: {call: openapi, with: {document: {endpoint: https://x.example}, operationId: a}}}]",
            "refused-call",
        ),
        (
            "do: [{a: {call: http, with: {method: get, endpoint: {uri: https://x.example, authentication: {oauth2: {authority: https://x.example, grant: client_credentials, client: {id: a, secret: b}}}}}}}]",
            "refused-authentication",
        ),
        (
            "use: {secrets: [s]}\ndo: [{a: {call: http, with: {method: get, endpoint: {uri: https://x.example, authentication: {bearer: {use: s}}}}}}]",
            "refused-authentication",
        ),
        (
            "do: [{a: {call: http, with: {method: get, endpoint: {uri: https://x.example, authentication: {use: nobody}}}}}]",
            "unknown-authentication",
        ),
        ("do: [{a: {call: decide, with: {}}}]", "missing-argument"),
        (
            "do: [{a: {call: decide, with: {table: x, y: 1}}}]",
            "unknown-argument",
        ),
        (
            "do: [{a: {call: decide, with: {table: x}, metadata: {effect: idempotent}}}]",
            "bad-effect",
        ),
        ("do: [{a: {call: 'log:1@tools'}}]", "effect-undeclared"),
        (
            "use: {functions: {f: {call: g}, g: {call: f}}}\ndo: [{a: {call: f}}]",
            "recursive-function",
        ),
    ] {
        assert!(codes(body).contains(&code), "{body}: {:?}", codes(body));
    }
    assert_eq!(
        codes("do: [{a: {call: 'log:1@tools', metadata: {effect: at-most-once}}}]"),
        Vec::<&str>::new()
    );
}

#[test]
fn the_digest_follows_what_a_document_says_and_not_how() {
    let load = |file, text: &str| Workflow::load(file, text, Dialect::Strict).unwrap();
    let yaml = load(
        "a.yaml",
        &format!("# a remark\n{HEAD}do:\n  - a: {{set: {{x: 1.0}}}}\n"),
    );
    let json = load(
        "a.json",
        r#"{"do": [{"a": {"set": {"x": 1}}}],
            "document": {"version": "1.0.0", "name": "t", "namespace": "t", "dsl": "1.0.3"}}"#,
    );
    assert_eq!(yaml.digest(), json.digest());
    let other = load("a.yaml", &format!("{HEAD}do:\n  - a: {{set: {{x: 2}}}}\n"));
    assert_ne!(yaml.digest(), other.digest());
}

#[test]
fn no_text_makes_the_loader_panic() {
    let base = include_str!("data/refund-dispute.yaml");
    for cut in (0..base.len())
        .step_by(97)
        .filter(|cut| base.is_char_boundary(*cut))
    {
        let _ = Workflow::load("t.yaml", &base[..cut], Dialect::Strict);
        let _ = Workflow::load("t.yaml", &base[cut..], Dialect::Spec);
        let swapped = format!("{}{}", &base[cut..], &base[..cut]);
        let _ = Workflow::load("t.yaml", &swapped, Dialect::Spec);
    }
    for text in [
        "",
        "null",
        "[]",
        "5",
        "{}",
        "do: [[[]]]",
        "document: 1\ndo: {a: b}",
        "\u{feff}",
        "\0",
    ] {
        assert!(
            Workflow::load("t.yaml", text, Dialect::Strict).is_err(),
            "{text}"
        );
    }
}
