//! Runs the cases of a DMN Technology Compatibility Kit folder: `tck FOLDER [--json]`. Lists by name what passes, what
//! fails and what is not carried out, with the reason.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

use polity_tables::dmn::Model;
use polity_tables::dmn::tck::{self, Outcome};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let folder = arguments.next().ok_or("usage: tck FOLDER [--json]")?;
    let json = arguments.next().as_deref() == Some("--json");
    let mut files = Vec::new();
    collect(Path::new(&folder), &mut files)?;
    files.sort();
    let (mut passed, mut failed, mut unsupported, mut cases, mut tables) = (0, 0, 0, [0, 0], 0);
    for test in files
        .iter()
        .filter(|file| file.to_string_lossy().contains("-test-"))
    {
        let name = test
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let case_folder = test.parent().unwrap_or(Path::new("."));
        let models: Vec<String> = files
            .iter()
            .filter(|file| {
                file.parent() == Some(case_folder)
                    && file.extension().is_some_and(|ext| ext == "dmn")
            })
            .map(fs::read_to_string)
            .collect::<Result<_, _>>()?;
        let cases_text = fs::read_to_string(test)?;
        let named = cases_text
            .split_once("modelName>")
            .and_then(|(_, rest)| rest.split_once('<'))
            .map_or("", |(name, _)| name.trim());
        let folder_name = case_folder
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let main = [
            case_folder.join(named),
            case_folder.join(format!("{folder_name}.dmn")),
        ]
        .into_iter()
        .find(|file| file.is_file())
        .ok_or_else(|| format!("{name}: there is no model {named}"))?;
        let text = fs::read_to_string(&main)?;
        let others: Vec<&str> = models.iter().map(String::as_str).collect();
        let model = Model::parse(&text, &others)?;
        tables += model.tables().len();
        let tests = tck::run(&model, &cases_text)?;
        let good = tests
            .iter()
            .filter(|test| test.outcome == Outcome::Pass)
            .count();
        cases[0] += usize::from(good == tests.len());
        cases[1] += 1;
        if !json {
            println!(
                "{} {name}: {good} of {}",
                if good == tests.len() { "pass" } else { "    " },
                tests.len()
            );
        }
        for test in tests {
            match &test.outcome {
                Outcome::Pass => passed += 1,
                Outcome::Fail { expected, found } => {
                    failed += 1;
                    if !json {
                        println!(
                            "     FAIL {} {}: expected {expected}, found {found}",
                            test.case, test.decision
                        );
                    }
                }
                Outcome::Unsupported { reason } => {
                    unsupported += 1;
                    if !json {
                        println!("     unsupported {} {}: {reason}", test.case, test.decision);
                    }
                }
            }
            if json {
                println!("{}", serde_json::json!({"file": name, "test": test}));
            }
        }
    }
    eprintln!(
        "{} of {} cases; {passed} results pass, {failed} fail, {unsupported} unsupported; {tables} tables compiled",
        cases[0], cases[1]
    );
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else {
            files.push(path);
        }
    }
    Ok(())
}
