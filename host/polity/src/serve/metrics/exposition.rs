//! Prometheus' text format, version 0.0.4, as far as it is needed here.

use std::fmt::{Display, Write};

/// The media type of the format.
pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// A page of metrics being written.
#[derive(Default)]
pub(super) struct Exposition {
    text: String,
}

/// One metric, whose samples are written next.
pub(super) struct Family<'e> {
    text: &'e mut String,
    name: &'static str,
}

/// What a metric is.
#[derive(Clone, Copy)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    /// Begins a metric.
    pub(super) fn family(&mut self, name: &'static str, kind: Type, help: &str) -> Family<'_> {
        let kind = match kind {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
        };
        // Writing to a string cannot fail, here and below.
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        Family {
            text: &mut self.text,
            name,
        }
    }

    /// The page.
    pub(super) fn finish(self) -> String {
        self.text
    }
}

impl Family<'_> {
    /// One sample.
    pub(super) fn sample(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        self.part("", labels, value)
    }

    /// One sample of a part of the metric: `_sum`, `_count`, `_bucket`.
    pub(super) fn part(
        &mut self,
        part: &str,
        labels: &[(&str, &str)],
        value: impl Display,
    ) -> &mut Self {
        let _ = write!(self.text, "{}{part}", self.name);
        for (at, (name, value)) in labels.iter().enumerate() {
            let _ = write!(self.text, "{}{name}=\"", if at == 0 { '{' } else { ',' });
            for character in value.chars() {
                match character {
                    '\\' => self.text.push_str("\\\\"),
                    '"' => self.text.push_str("\\\""),
                    '\n' => self.text.push_str("\\n"),
                    other => self.text.push(other),
                }
            }
            self.text.push('"');
        }
        let _ = writeln!(
            self.text,
            "{} {value}",
            if labels.is_empty() { "" } else { "}" }
        );
        self
    }

    /// The samples of one histogram: cumulative counts by upper bound, and the bound of everything.
    pub(super) fn histogram(
        &mut self,
        labels: &[(&str, &str)],
        buckets: impl Iterator<Item = (f64, u64)>,
        count: u64,
        sum: f64,
    ) {
        let with = |bound: &str, labels: &[(&str, &str)], family: &mut Self, count: u64| {
            let labels: Vec<_> = labels.iter().copied().chain([("le", bound)]).collect();
            family.part("_bucket", &labels, count);
        };
        for (bound, count) in buckets {
            with(&bound.to_string(), labels, self, count);
        }
        with("+Inf", labels, self, count);
        self.part("_sum", labels, sum).part("_count", labels, count);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_has_its_help_its_type_and_its_samples() {
        let mut page = Exposition::default();
        page.family("a_total", Type::Counter, "Things.")
            .sample(&[], 3)
            .sample(&[("kind", "x"), ("to", "y")], 1.5);
        page.family("b_seconds", Type::Histogram, "Times.")
            .histogram(&[("m", "n")], [(0.25, 1), (0.5, 3)].into_iter(), 4, 2.5);
        assert_eq!(
            page.finish(),
            "# HELP a_total Things.\n# TYPE a_total counter\na_total 3\na_total{kind=\"x\",to=\"y\"} 1.5\n\
             # HELP b_seconds Times.\n# TYPE b_seconds histogram\n\
             b_seconds_bucket{m=\"n\",le=\"0.25\"} 1\nb_seconds_bucket{m=\"n\",le=\"0.5\"} 3\n\
             b_seconds_bucket{m=\"n\",le=\"+Inf\"} 4\nb_seconds_sum{m=\"n\"} 2.5\nb_seconds_count{m=\"n\"} 4\n"
        );
    }

    #[test]
    fn a_label_cannot_break_out_of_its_quotes() {
        let mut page = Exposition::default();
        page.family("a", Type::Gauge, "A.")
            .sample(&[("l", "a\"} 1\nb{x=\"\\")], 1);
        assert!(
            page.finish()
                .ends_with("a{l=\"a\\\"} 1\\nb{x=\\\"\\\\\"} 1\n")
        );
    }
}
