//! The first page: the company in a few sentences, and every question that a protocol answers. And what the search
//! looks through.

use maud::{Markup, html};
use polity_constitution::{Protocol, ProtocolKind};
use serde_json::json;

use super::{Handbook, words};

impl Handbook<'_> {
    pub(super) fn index(&self) -> Markup {
        let charter = self.constitution.charter();
        let asked: Vec<(&Protocol, Vec<String>)> = self
            .protocols
            .iter()
            .map(|protocol| (protocol, self.questions(protocol)))
            .filter(|(_, questions)| !questions.is_empty())
            .collect();
        let of = |kind: ProtocolKind| {
            self.protocols
                .iter()
                .filter(|protocol| protocol.near.kind == kind)
                .count()
        };
        let body = html! {
            h1 { (charter.company().name) }
            p.lead {
                "How this company works, as it is carried out: "
                (of(ProtocolKind::Workflow)) " workflows say what happens, "
                (of(ProtocolKind::Table)) " tables what is decided, "
                (of(ProtocolKind::Rule)) " rules what may happen."
            }
            h2 { "Questions" }
            dl.questions {
                @for (protocol, questions) in &asked {
                    @for question in questions {
                        dt { a href=(words::file(&protocol.near)) { (question) } }
                    }
                    dd { (words::kind(protocol.near.kind)) " · " (protocol.near.title) }
                }
            }
        };
        self.frame("index.html", "Handbook", &body)
    }

    /// The questions that a protocol answers, in the words of those who ask.
    pub(super) fn questions(&self, protocol: &Protocol) -> Vec<String> {
        let name = &protocol.near.name;
        match protocol.near.kind {
            ProtocolKind::Workflow => self
                .constitution
                .workflow(name)
                .and_then(|workflow| {
                    workflow.source()["document"]["metadata"]["questions"]
                        .as_array()
                        .cloned()
                })
                .into_iter()
                .flatten()
                .filter_map(|question| question.as_str().map(str::to_owned))
                .collect(),
            ProtocolKind::Table => self
                .constitution
                .table(name)
                .map(|table| table.table().questions.clone())
                .unwrap_or_default(),
            ProtocolKind::Rule => Vec::new(),
        }
    }

    /// What the search looks through, as a script: a page that is opened from a folder may load one, and no data.
    pub(super) fn search(&self) -> String {
        let pages: Vec<_> = self
            .protocols
            .iter()
            .map(|protocol| {
                let mut text = self.questions(protocol);
                text.extend(protocol.clauses.iter().map(|clause| clause.text.clone()));
                text.push(protocol.near.name.clone());
                json!({
                    "page": words::file(&protocol.near),
                    "kind": words::kind(protocol.near.kind),
                    "title": protocol.near.title,
                    "text": text.join(" "),
                })
            })
            .collect();
        // No text in it ends a script, wherever somebody pastes it.
        let pages = json!(pages).to_string().replace('<', "\\u003c");
        format!("\"use strict\";\nwindow.handbook = {pages};\n")
    }
}
