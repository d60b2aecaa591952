//! Loads every document of a folder, as others wrote them, and says what became of them:
//! `cargo run --release -p polity-workflow --example documents -- FOLDER [strict]`.
//! Files named `*.feature` count with each of their definitions.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use polity_workflow::{Dialect, Workflow};

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found)
        } else {
            found.push(path)
        }
    }
}

/// The definitions in a feature.
fn definitions(text: &str) -> Vec<String> {
    let mut parts = text.split("\"\"\"yaml").skip(1).map(|part| {
        let body = part.split("\"\"\"").next().unwrap_or_default();
        let indent = body
            .lines()
            .find(|line| !line.trim().is_empty())
            .map_or(0, |line| line.len() - line.trim_start().len());
        body.lines()
            .map(|line| line.get(indent..).unwrap_or("").to_owned() + "\n")
            .collect::<String>()
    });
    parts
        .by_ref()
        .filter(|text| text.contains("dsl:"))
        .collect()
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = PathBuf::from(arguments.next().unwrap_or_else(|| ".".to_owned()));
    let dialect = if arguments.next().as_deref() == Some("strict") {
        Dialect::Strict
    } else {
        Dialect::Spec
    };
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    paths.sort();
    let (mut read, mut refused, mut micros) = (0, Vec::new(), Vec::new());
    for path in paths {
        let name = path
            .strip_prefix(&folder)
            .unwrap_or(&path)
            .display()
            .to_string();
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let texts = match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml" | "yml" | "json") => vec![text],
            Some("feature") => definitions(&text),
            _ => continue,
        };
        for text in texts {
            let began = Instant::now();
            match Workflow::load(&name, &text, dialect) {
                Ok(workflow) => {
                    let _ = (workflow.tree().svg(), workflow.graph());
                    read += 1;
                }
                Err(problems) => refused.push(problems),
            }
            micros.push(began.elapsed().as_micros());
        }
    }
    for problems in &refused {
        println!("{problems}\n");
    }
    micros.sort_unstable();
    println!(
        "{read} read, {} refused; median {} µs a document",
        refused.len(),
        micros.get(micros.len() / 2).unwrap_or(&0)
    );
}
