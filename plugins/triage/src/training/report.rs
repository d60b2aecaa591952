//! The report of a training, as the README shows it.

use std::fmt::Write;

use crate::training::dataset::Dataset;
use crate::training::evaluation::{CONFIDENCES, Evaluation};

/// Confusions that are listed.
const CONFUSIONS: usize = 8;

const BEGIN: &str = "<!-- figures: begin -->\n";
const END: &str = "<!-- figures: end -->\n";

/// Writes the figures as Markdown.
pub fn render(
    data: &Dataset,
    cross_validated_accuracy: f64,
    evaluation: &Evaluation,
    weights: &[u8],
) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = write(
        &mut text,
        data,
        cross_validated_accuracy,
        evaluation,
        weights,
    );
    text
}

/// Puts the figures between the marks of a README; an error if there are none.
pub fn replace(readme: &str, figures: &str) -> Result<String, String> {
    let missing = || {
        format!(
            "the README has no part between '{}' and '{}'",
            BEGIN.trim(),
            END.trim()
        )
    };
    let (before, rest) = readme.split_once(BEGIN).ok_or_else(missing)?;
    let (_, after) = rest.split_once(END).ok_or_else(missing)?;
    Ok(format!("{before}{BEGIN}{figures}{END}{after}"))
}

fn write(
    text: &mut String,
    data: &Dataset,
    cross_validated_accuracy: f64,
    evaluation: &Evaluation,
    weights: &[u8],
) -> std::fmt::Result {
    let unknown = data
        .lines
        .iter()
        .filter(|line| line.label.is_none())
        .count();
    let requests = evaluation.requests();
    let share = |part: usize, whole: usize| percent(part as f64 / whole.max(1) as f64);
    writeln!(text, "| | |\n|---|---|")?;
    writeln!(
        text,
        "| training lines | {} requests, {unknown} others |",
        data.lines.len() - unknown
    )?;
    writeln!(
        text,
        "| held-out lines | {requests} requests, {} others |",
        evaluation.unknown
    )?;
    writeln!(
        text,
        "| **accuracy, held out** | **{}** |",
        share(evaluation.right(), requests)
    )?;
    writeln!(
        text,
        "| **macro-F1, held out** | **{:.3}** |",
        evaluation.macro_f1()
    )?;
    writeln!(
        text,
        "| right label among the first three | {} |",
        share(evaluation.right_in_three, requests)
    )?;
    writeln!(
        text,
        "| accuracy in five-fold cross-validation, training lines of five words or more | {} |",
        percent(cross_validated_accuracy)
    )?;
    writeln!(
        text,
        "| mean confidence, held out | {} |",
        percent(evaluation.confidence / requests.max(1) as f64)
    )?;
    writeln!(
        text,
        "| expected calibration error | {:.3} |",
        evaluation.calibration_error
    )?;
    writeln!(
        text,
        "| others found (`known: false`) | {} |",
        share(evaluation.unknown_found, evaluation.unknown)
    )?;
    writeln!(
        text,
        "| others neither found nor below a confidence of 0.5 | {} |",
        share(evaluation.unknown_confident, evaluation.unknown)
    )?;
    writeln!(
        text,
        "| requests mistaken for others | {} |",
        share(evaluation.mistaken_for_unknown, requests)
    )?;
    writeln!(text, "| `weights.bin` | {} bytes |", weights.len())?;

    writeln!(
        text,
        "\n| known, and confidence at least | share of the requests | right among them |\n|---|---|---|"
    )?;
    for (confidence, (all, right)) in CONFIDENCES.into_iter().zip(evaluation.confident) {
        writeln!(
            text,
            "| {confidence:.1} | {} | {} |",
            share(all, requests),
            share(right, all)
        )?;
    }

    writeln!(
        text,
        "\n| label | precision | recall | F1 |\n|---|---|---|---|"
    )?;
    for (index, label) in evaluation.labels.iter().enumerate() {
        let [precision, recall, f1] = evaluation.quality(index);
        writeln!(
            text,
            "| `{label}` | {precision:.2} | {recall:.2} | {f1:.2} |"
        )?;
    }

    let confusions: Vec<String> = evaluation
        .confusions(CONFUSIONS)
        .into_iter()
        .map(|(count, wanted, given)| format!("`{wanted}` taken for `{given}` ({count})"))
        .collect();
    writeln!(
        text,
        "\nMost frequent confusions: {}.",
        confusions.join(", ")
    )
}

fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_part_between_the_marks_is_replaced() {
        let readme = format!("# title\n{BEGIN}old\n{END}rest\n");
        let replaced = replace(&readme, "new\n").unwrap();
        assert_eq!(replaced, format!("# title\n{BEGIN}new\n{END}rest\n"));
        assert_eq!(replace(&replaced, "new\n").unwrap(), replaced);
        assert!(replace("# title\n", "new\n").is_err());
    }
}
