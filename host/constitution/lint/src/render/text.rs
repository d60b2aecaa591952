//! Findings with the lines they speak of.

use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};
use polity_tables::Place;

use crate::edit::{Edit, Suggestion};
use crate::finding::{Finding, Severity};
use crate::report::{Report, Sources};

/// More lines than this nobody reads in a message.
const MAX_LINES: usize = 16;

/// Without colour.
pub fn text(report: &Report, sources: &Sources) -> String {
    rendered(report, sources, &Renderer::plain())
}

/// With colour, for terminals. What colour says, words say too.
pub fn colored(report: &Report, sources: &Sources) -> String {
    rendered(report, sources, &Renderer::styled())
}

fn rendered(report: &Report, sources: &Sources, renderer: &Renderer) -> String {
    let mut out = String::new();
    for finding in &report.findings {
        out.push_str(&one(finding, sources, renderer));
        out.push_str("\n\n");
    }
    for density in &report.density {
        out.push_str(&format!(
            "{}: {} of {} {} needed, {:.2} decisions a word, {:.1} % of the {} decided, {} repeated parts\n",
            density.name,
            density.rows_needed,
            density.rows,
            density.kind.rows(),
            density.atoms_per_token(),
            density.decided * 100.0,
            density.kind.inputs(),
            density.repeated_parts
        ));
        for (index, saving) in density.best_edits.iter().enumerate() {
            out.push_str(&format!(
                "  {}. {} (saves {} words)\n",
                index + 1,
                saving.suggestion.title,
                saving.tokens
            ));
        }
    }
    let counts: Vec<String> = [Severity::Error, Severity::Warning, Severity::Note]
        .into_iter()
        .filter_map(|severity| {
            let count = report.count(severity);
            (count > 0).then(|| format!("{count} {severity}{}", if count == 1 { "" } else { "s" }))
        })
        .collect();
    out.push_str(&if counts.is_empty() {
        "nothing found\n".to_owned()
    } else {
        format!("{}\n", counts.join(", "))
    });
    out
}

fn one(finding: &Finding, sources: &Sources, renderer: &Renderer) -> String {
    let level = match finding.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    };
    let mut places = vec![(&finding.place, None)];
    places.extend(
        finding
            .related
            .iter()
            .map(|(place, what)| (place, Some(what.as_str()))),
    );
    let mut group = Group::with_title(
        level
            .primary_title(finding.message.as_str())
            .id(finding.code.name()),
    );
    // One excerpt a file, with everything in it that the finding speaks of.
    let mut shown: Vec<&str> = Vec::new();
    let mut unshown = Vec::new();
    for (place, what) in &places {
        if shown.contains(&place.file.as_str()) {
            continue;
        }
        let marks: Vec<Annotation<'_>> = places
            .iter()
            .filter(|(other, _)| other.file == place.file)
            .filter_map(|(other, what)| mark(other, *what, sources, *other == &finding.place))
            .collect();
        match sources.text(&place.file) {
            Some(text) if !marks.is_empty() => {
                shown.push(&place.file);
                group = group.element(
                    Snippet::source(text)
                        .path(place.file.as_str())
                        .annotations(marks),
                );
            }
            _ => unshown.push(match what {
                Some(what) => format!("{place} {}: {what}", place.pointer),
                None => format!("{place} {}", place.pointer),
            }),
        }
    }
    for place in &unshown {
        group = group.element(Level::NOTE.message(place.trim().to_owned()));
    }
    if let Some(witness) = &finding.witness {
        group = group.element(
            Level::NOTE
                .with_name("for example")
                .message(witness.to_string()),
        );
    }
    if let Some(suggestion) = &finding.suggestion {
        group = group.element(Level::HELP.message(in_words(suggestion)));
    }
    renderer.render(&[group]).to_string()
}

fn mark<'a>(
    place: &Place,
    what: Option<&'a str>,
    sources: &Sources,
    primary: bool,
) -> Option<Annotation<'a>> {
    let text = sources.text(&place.file)?;
    if place.end <= place.start {
        return None;
    }
    let whole = text.get(place.start..place.end)?;
    // A row that is written over some lines is shown whole; of a longer part its first line is enough to find it.
    let length = if whole.lines().count() <= MAX_LINES {
        whole.len()
    } else {
        whole.find('\n').unwrap_or(whole.len())
    };
    let span = place.start..place.start + length;
    let kind = if primary {
        AnnotationKind::Primary
    } else {
        AnnotationKind::Context
    };
    let annotation = kind.span(span);
    Some(match what {
        Some(what) => annotation.label(what),
        None => annotation,
    })
}

/// The title, and the rows that would be written.
fn in_words(suggestion: &Suggestion) -> String {
    let mut words = suggestion.title.clone();
    for edit in &suggestion.edits {
        if let Edit::Add { path, value } | Edit::Replace { path, value } = edit
            && path.starts_with("/rules/")
            && value.is_object()
        {
            let cells = |field: &str| -> Vec<String> {
                value[field]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|cell| {
                        cell.as_str()
                            .map_or_else(|| cell.to_string(), ToOwned::to_owned)
                    })
                    .collect()
            };
            let answers = if suggestion.fill_in {
                "?".to_owned()
            } else {
                cells("outputEntries").join(" | ")
            };
            words.push_str(&format!(
                "\n  {} => {answers}",
                cells("inputEntries").join(" | ")
            ));
        }
    }
    words
}
