//! What all pages have in common: the head, the menu, the foot.

use maud::{DOCTYPE, Markup, html};
use polity_constitution::ProtocolKind;

use super::{Handbook, words};

const SECTIONS: [(ProtocolKind, &str); 3] = [
    (ProtocolKind::Workflow, "What happens"),
    (ProtocolKind::Table, "What is decided"),
    (ProtocolKind::Rule, "What may happen"),
];

/// Nothing from elsewhere; styles inside the drawings are the only inline ones.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; base-uri 'none'; form-action 'none'";

impl Handbook<'_> {
    /// A whole page. `here` is its file.
    pub(super) fn frame(&self, here: &str, title: &str, body: &Markup) -> Markup {
        let company = &self.constitution.charter().company().name;
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta http-equiv="content-security-policy" content=(POLICY);
                    meta name="color-scheme" content="light dark";
                    title { (title) " · " (company) }
                    link rel="stylesheet" href="handbook.css";
                    script defer src="search.js" {}
                    script defer src="handbook.js" {}
                }
                body {
                    a.skip href="#main" { "Skip to the page" }
                    nav aria-label="Handbook" {
                        a.home href="index.html" aria-current=[current("index.html", here)] { (company) }
                        search {
                            label for="search" { "Search" }
                            input #search type="search" placeholder="disputed refund" autocomplete="off" disabled;
                            ul #found aria-live="polite" {}
                        }
                        a href="people.html" aria-current=[current("people.html", here)] { "People and roles" }
                        details #pages open {
                            summary { "All pages" }
                            @for (kind, heading) in SECTIONS {
                                h2 { (heading) }
                                ul {
                                    @for protocol in self.protocols.iter().filter(|protocol| protocol.near.kind == kind) {
                                        @let file = words::file(&protocol.near);
                                        li {
                                            a href=(file) aria-current=[current(&file, here)] {
                                                @if kind == ProtocolKind::Rule { (protocol.near.name) } @else { (protocol.near.title) }
                                            }
                                        }
                                    }
                                }
                            }
                        }
                    }
                    main #main {
                        (body)
                        footer { "Constitution " code { (self.constitution.version()) } }
                    }
                }
            }
        }
    }
}

fn current(page: &str, here: &str) -> Option<&'static str> {
    (page == here).then_some("page")
}
