//! A strategy that does whatever harm its configuration names under `do`: it loops, it floods, it speaks nonsense, it
//! asks for the same thing for ever. Asked for nothing, it proposes nothing.

use std::hint::black_box;

use polity_sdk::strategy::what_if::{self, Change, estimate};
use polity_sdk::strategy::{
    Field, Index, Link, Mutation, Observations, Problem, Proposal, Rollup, Strategy,
};
use serde_json::{Value, json};

struct HostileStrategy;

impl Strategy for HostileStrategy {
    fn propose(seen: Observations) -> Result<Vec<Proposal>, Problem> {
        let config: Value = polity_sdk::config()?;
        let known: Value = polity_sdk::parse(&seen.seen)?;
        Ok(match config["do"].as_str().unwrap_or_default() {
            "trap" => panic!("on purpose"),
            "loop" => loop {
                black_box(0);
            },
            "memory" => {
                let mut hoard: Vec<Vec<u8>> = Vec::new();
                loop {
                    hoard.push(black_box(vec![1; 1 << 20]));
                }
            }
            "problem" => return Err(polity_sdk::problem("failed", "I have nothing to say")),
            "giant" => (0..2_000)
                .map(|n| {
                    let path = format!("field {n}");
                    proposal(promote(&path, "{}"), &"because ".repeat(20))
                })
                .collect(),
            "nonsense" => vec![
                proposal(index("nowhere", &["nothing"]), "it is nowhere"),
                proposal(index("lines", &["never seen"]), "nobody has seen it"),
                proposal(index("lines", &[]), "it has no fields"),
                proposal(
                    index("lines", &["customer", "customer"]),
                    "it has one twice",
                ),
                proposal(rollup("lines", "median(price)"), "nothing keeps a median"),
                proposal(promote("customer", "no JSON"), "its schema is no JSON"),
                proposal(link("lines"), "into itself"),
                proposal(index("\u{0}", &["a\nb"]), "control characters"),
            ],
            // What nobody asks for, with a promise that passes every gate.
            "useless" => vec![proposal(index("lines", &["note"]), "trust me")],
            // For ever: what would this do?
            "ask" => loop {
                black_box(estimate(&[create(&["customer"])]).is_ok());
            },
            // What is not there, what is too much, what is odd; then what it was told, as evidence.
            "ask-around" => {
                let refused = [
                    vec![create(&["nothing"])],
                    vec![create(&[])],
                    vec![create(&["customer"]); 17],
                    vec![Change::DropIndex(what_if::Index {
                        collection: "nowhere".to_owned(),
                        fields: vec!["a\nb".to_owned()],
                    })],
                ];
                let code = |changes: &Vec<Change>| match estimate(changes) {
                    Ok(_) => "told".to_owned(),
                    Err(problem) => problem.code,
                };
                let codes: Vec<String> = refused.iter().map(code).collect();
                let told = estimate(&[create(&["customer"])])?;
                let again = estimate(&[create(&["customer"])])?;
                let effects: Vec<Value> = (told.effects.iter())
                    .map(|effect| json!({"query": effect.query, "now": effect.now_us, "then": effect.then_us}))
                    .collect();
                let mut told_by = proposal(index("lines", &["quantity"]), "look at the evidence");
                told_by.evidence = json!({
                    "codes": codes, "effects": effects, "is_same": told == again,
                    "bytes": told.storage_bytes,
                })
                .to_string();
                vec![told_by]
            }
            // All that it sees, which is aggregates: a row or a value would be told by its own name.
            "tell" => {
                let told = known.to_string();
                polity_sdk::log::info(format!("seen {} bytes", told.len()));
                let mut told_by = proposal(index("lines", &["quantity"]), "look at the evidence");
                told_by.evidence = told;
                vec![told_by]
            }
            _ => Vec::new(),
        })
    }
}

fn create(fields: &[&str]) -> Change {
    Change::CreateIndex(what_if::Index {
        collection: "lines".to_owned(),
        fields: fields.iter().map(ToString::to_string).collect(),
    })
}

fn index(collection: &str, fields: &[&str]) -> Mutation {
    Mutation::CreateIndex(Index {
        collection: collection.to_owned(),
        fields: fields.iter().map(ToString::to_string).collect(),
    })
}

fn rollup(collection: &str, aggregate: &str) -> Mutation {
    Mutation::CreateRollup(Rollup {
        collection: collection.to_owned(),
        group_by: vec!["country".to_owned()],
        aggregates: vec![aggregate.to_owned()],
    })
}

fn promote(path: &str, schema: &str) -> Mutation {
    Mutation::PromoteField(Field {
        collection: "lines".to_owned(),
        path: path.to_owned(),
        schema: schema.to_owned(),
    })
}

fn link(target: &str) -> Mutation {
    Mutation::LinkCollection(Link {
        collection: "lines".to_owned(),
        key: "customer".to_owned(),
        fields: vec!["country".to_owned()],
        target: target.to_owned(),
    })
}

fn proposal(mutation: Mutation, reason: &str) -> Proposal {
    Proposal {
        mutation,
        reason: reason.to_owned(),
        evidence: "{}".to_owned(),
        benefit_us_per_day: i64::MAX,
        write_cost_us_per_day: 0,
        storage_bytes: 0,
    }
}

polity_sdk::export_strategy!(HostileStrategy);
polity_sdk::manifest!("polity.json");
