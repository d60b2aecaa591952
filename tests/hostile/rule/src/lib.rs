//! A rule that does whatever harm its configuration or the action's input names under `do`, and amends what it judges with
//! the patch that its configuration holds under `amend`. Asked for nothing, it behaves, and answers with a marker that
//! tests patch to make a second version of it.

use std::hint::black_box;

use polity_sdk::rule::{Action, Problem, Rule, Verdict};
use serde_json::Value;

/// What a well-behaved evaluation denies with. Tests replace the text, of the same length, in the compiled file.
static MARKER: &str = "the first version";

struct HostileRule;

impl Rule for HostileRule {
    fn applies_to() -> Vec<String> {
        let config: Value = polity_sdk::config().unwrap_or_default();
        if let Some(harm) = config["describe"].as_str() {
            do_harm(harm);
        }
        vec!["hostile.*".into()]
    }

    fn evaluate(action: Action) -> Result<Verdict, Problem> {
        let input: Value = polity_sdk::parse(&action.input)?;
        let config: Value = polity_sdk::config()?;
        if let Some(patch) = config.get("amend") {
            return Ok(Verdict::Amend(patch.to_string()));
        }
        let harm = config["do"]
            .as_str()
            .or(input["do"].as_str())
            .unwrap_or_default();
        match harm {
            "nothing" => Ok(Verdict::Allow),
            "" => Ok(Verdict::Deny(black_box(MARKER).to_owned())),
            "problem" => Err(polity_sdk::problem("failed", "I will not say")),
            "long-problem" => Err(polity_sdk::problem("failed", "x".repeat(1 << 20))),
            "long-deny" => Ok(Verdict::Deny("x".repeat(32 << 20))),
            "bad-patch" => Ok(Verdict::Amend("not JSON at all".into())),
            // One input in a hundred: the sort of fault that tests of an author's own do not find.
            "rarely" if !input["n"].as_u64().unwrap_or_default().is_multiple_of(100) => {
                Ok(Verdict::Allow)
            }
            other => {
                do_harm(other);
                Ok(Verdict::Allow)
            }
        }
    }
}

fn do_harm(harm: &str) {
    match harm {
        "trap" | "rarely" => panic!("on purpose"),
        "loop" => loop {
            black_box(0);
        },
        "recursion" => drop(black_box(recurse(black_box(0)))),
        "memory" => {
            let mut hoard: Vec<Vec<u8>> = Vec::new();
            loop {
                hoard.push(black_box(vec![1; 1 << 20]));
            }
        }
        // Costs hardly any fuel and a great deal of time: bulk operations do their work in one instruction.
        "fill" => {
            let mut block = vec![0_u8; 32 << 20];
            loop {
                block.fill(black_box(1));
                black_box(&block);
            }
        }
        "host-calls" => loop {
            polity_sdk::log::info("");
        },
        "log-flood" => {
            let line = "flood ".repeat(1_000);
            for _ in 0..10_000 {
                polity_sdk::log::warn(&line);
            }
        }
        "terminal" => polity_sdk::log::warn("\u{1b}[2J\u{1b}]0;owned\u{7}\nINFO forged line"),
        _ => {}
    }
}

#[expect(unconditional_recursion, reason = "harm is what this is for")]
fn recurse(depth: u64) -> u64 {
    black_box(recurse(black_box(depth + 1)) + 1)
}

polity_sdk::export_rule!(HostileRule);
polity_sdk::manifest!("polity.json");
