//! The committed weights and figures are those that training gives.

use std::collections::HashSet;
use std::sync::OnceLock;

use triage::training::dataset::Dataset;
use triage::training::{Trained, evaluation, report, train};
use triage::weights::Weights;

fn data() -> Dataset {
    Dataset::parse(include_str!("../data/requests.tsv")).unwrap()
}

fn held_out() -> Dataset {
    Dataset::parse_with(include_str!("../data/held-out.tsv"), &data().labels).unwrap()
}

fn trained() -> &'static Trained {
    static TRAINED: OnceLock<Trained> = OnceLock::new();
    TRAINED.get_or_init(|| train(&data()))
}

#[test]
fn training_again_gives_the_committed_weights_bit_for_bit() {
    assert!(
        trained().weights == triage::WEIGHTS,
        "weights.bin is not what the data gives; run `cargo run --release -p triage --bin train`"
    );
}

#[test]
fn the_figures_in_the_readme_are_those_of_the_committed_weights() {
    let weights = Weights::new(triage::WEIGHTS).unwrap();
    let evaluation = evaluation::evaluate(&weights, &held_out());
    let figures = report::render(
        &data(),
        trained().cross_validated_accuracy,
        &evaluation,
        triage::WEIGHTS,
    );
    let readme = include_str!("../README.md");
    assert_eq!(report::replace(readme, &figures).unwrap(), readme);
}

#[test]
fn no_held_out_line_resembles_a_training_line() {
    let training: Vec<HashSet<String>> =
        data().lines.iter().map(|line| pieces(&line.text)).collect();
    for line in &held_out().lines {
        let held_out = pieces(&line.text);
        for (other, known) in data().lines.iter().zip(&training) {
            let common = held_out.intersection(known).count();
            let similarity = common as f64 / (held_out.len() + known.len() - common) as f64;
            assert!(
                similarity < 0.6,
                "'{}' resembles '{}'",
                line.text,
                other.text
            );
        }
    }
}

#[test]
fn every_label_has_enough_lines_to_train_and_to_measure() {
    for (data, least) in [(data(), 200), (held_out(), 20)] {
        for (index, label) in data.labels.iter().enumerate() {
            let count = data
                .lines
                .iter()
                .filter(|line| line.label == Some(index))
                .count();
            assert!(count >= least, "{label}: {count}");
        }
        let others = data
            .lines
            .iter()
            .filter(|line| line.label.is_none())
            .count();
        assert!(others >= 100, "{others}");
    }
}

/// Runs of four letters.
fn pieces(text: &str) -> HashSet<String> {
    let letters: Vec<char> = text.to_lowercase().chars().collect();
    letters
        .windows(4)
        .map(|window| window.iter().collect())
        .collect()
}
