//! Trains the classifier: reads labelled lines, writes `weights.bin`, measures it on held-out lines.
//!
//! Without options it reproduces the committed weights and the figures in the README.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use triage::training::dataset::Dataset;
use triage::training::{evaluation, report, train};
use triage::weights::Weights;

const USAGE: &str = "\
Usage: train [--requests FILE] [--held-out FILE] [--weights FILE]

Each line of both files is a label, a tab and a text; the label 'unknown' is for texts that are none of the others.
With an option the README is left as it is.";

struct Options {
    requests: PathBuf,
    held_out: PathBuf,
    weights: PathBuf,
    readme: Option<PathBuf>,
}

fn main() -> ExitCode {
    let options = match options(env::args().skip(1)) {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("error: {error}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(figures) => {
            print!("{figures}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options(mut arguments: impl Iterator<Item = String>) -> Result<Option<Options>, String> {
    let home = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut options = Options {
        requests: home.join("data/requests.tsv"),
        held_out: home.join("data/held-out.tsv"),
        weights: home.join("weights.bin"),
        readme: Some(home.join("README.md")),
    };
    while let Some(name) = arguments.next() {
        let place = match name.as_str() {
            "--requests" => &mut options.requests,
            "--held-out" => &mut options.held_out,
            "--weights" => &mut options.weights,
            "--help" | "-h" => return Ok(None),
            _ => return Err(format!("unknown option '{name}'")),
        };
        *place = arguments
            .next()
            .ok_or_else(|| format!("'{name}' wants a file"))?
            .into();
        options.readme = None;
    }
    Ok(Some(options))
}

fn run(options: &Options) -> Result<String, String> {
    let data = Dataset::parse(&read(&options.requests)?)
        .map_err(|error| in_file(&options.requests, &error))?;
    let held_out = Dataset::parse_with(&read(&options.held_out)?, &data.labels)
        .map_err(|error| in_file(&options.held_out, &error))?;
    let trained = train(&data);
    write(&options.weights, &trained.weights)?;

    let weights = Weights::new(&trained.weights).map_err(|error| error.to_string())?;
    let evaluation = evaluation::evaluate(&weights, &held_out);
    let figures = report::render(
        &data,
        trained.cross_validated_accuracy,
        &evaluation,
        &trained.weights,
    );
    if let Some(readme) = &options.readme {
        let text = report::replace(&read(readme)?, &figures)?;
        write(readme, text.as_bytes())?;
    }
    Ok(figures)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| in_file(path, &error.to_string()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), String> {
    fs::write(path, bytes).map_err(|error| in_file(path, &error.to_string()))
}

fn in_file(path: &Path, error: &str) -> String {
    format!("{}: {error}", path.display())
}
