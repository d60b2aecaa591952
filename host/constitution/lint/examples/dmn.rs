//! What the linter finds in the decision tables of DMN models: `dmn FILE_OR_FOLDER...`. A table at the end counts.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use std::{env, fs};

use polity_lint::{Code, Finding, Limits, Severity, lint_table};
use polity_tables::dmn::Model;

fn main() -> Result<(), Box<dyn Error>> {
    let mut files = Vec::new();
    for argument in env::args().skip(1) {
        collect(Path::new(&argument), &mut files)?;
    }
    files.sort();
    let texts: Vec<(PathBuf, String)> = files
        .into_iter()
        .map(|file| fs::read_to_string(&file).map(|text| (file, text)))
        .collect::<Result<_, _>>()?;
    let all: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    let limits = Limits::default();
    let (mut tables, mut rows, mut took) = (0, 0, Duration::ZERO);
    // How often, and in how many tables.
    let mut counts: BTreeMap<(Severity, Code), (usize, usize)> = BTreeMap::new();
    let mut clean = 0;
    for (file, text) in &texts {
        let model = Model::parse(text, &all)?;
        for (owner, reason) in model.unsupported() {
            println!("{} / {owner}: not read: {reason}", file.display());
        }
        for (owner, table) in model.tables() {
            tables += 1;
            rows += table.table().rules.len();
            let start = Instant::now();
            let findings: Vec<Finding> = lint_table(table, &limits);
            took += start.elapsed();
            println!(
                "{} / {owner}: {}, {} rows",
                file.file_name().unwrap_or_default().to_string_lossy(),
                table.table().hit_policy.name(),
                table.table().rules.len()
            );
            clean += usize::from(
                findings
                    .iter()
                    .all(|found| found.severity < Severity::Warning),
            );
            let mut seen = Vec::new();
            for finding in &findings {
                let key = (finding.severity, finding.code);
                let count = counts.entry(key).or_default();
                count.0 += 1;
                if !seen.contains(&key) {
                    seen.push(key);
                    count.1 += 1;
                }
                if finding.severity >= Severity::Warning {
                    let witness = finding
                        .witness
                        .as_ref()
                        .map(|witness| format!(", for example {witness}"));
                    println!(
                        "  {}[{}] {}{}",
                        finding.severity,
                        finding.code,
                        finding.message,
                        witness.unwrap_or_default()
                    );
                }
            }
        }
    }
    println!(
        "\n{tables} tables with {rows} rows in {:.1} ms; {clean} without an error or a warning.\n",
        took.as_secs_f64() * 1e3
    );
    println!("| finding | severity | found | in tables | what it is |\n|---|---|---|---|---|");
    for ((severity, code), (found, tables)) in counts.iter().rev() {
        println!(
            "| `{code}` | {severity} | {found} | {tables} | {} |",
            code.about()
        );
    }
    Ok(())
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            collect(&entry?.path(), files)?;
        }
    } else if path.extension().is_some_and(|extension| extension == "dmn") {
        files.push(path.to_owned());
    }
    Ok(())
}
