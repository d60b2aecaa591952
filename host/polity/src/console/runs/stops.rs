//! The emergency stop: kinds of action that do not happen until somebody lets them.

use axum::extract::State;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use polity_constitution::ActionKind;
use polity_kernel::Halt;

use crate::console::form::Form;
use crate::console::page;
use crate::console::text::ago;
use crate::console::visitor::Visitor;
use crate::serve::{App, halt_pattern, halt_refused};

/// `POST /halts`
pub(in crate::console) async fn halt(
    State(app): State<App>,
    visitor: Visitor,
    form: Form,
) -> Response {
    let stopped = match halt_pattern(form.field("pattern")) {
        Ok(pattern) => {
            let reason = form.field("reason");
            let stopped = app.kernel.halt(&visitor.actor, pattern, reason).await;
            stopped.map_err(halt_refused)
        }
        Err(fault) => Err(fault),
    };
    match stopped {
        Ok(_) => back(&form),
        Err(fault) => page::fault(&app, &visitor, &fault),
    }
}

/// `POST /halts/lift`
pub(in crate::console) async fn lift(
    State(app): State<App>,
    visitor: Visitor,
    form: Form,
) -> Response {
    let lifted = match halt_pattern(form.field("pattern")) {
        Ok(pattern) => {
            let lifted = app.kernel.resume_halted(&visitor.actor, &pattern).await;
            lifted.map_err(halt_refused)
        }
        Err(fault) => Err(fault),
    };
    match lifted {
        Ok(_) => back(&form),
        Err(fault) => page::fault(&app, &visitor, &fault),
    }
}

/// To the run that the button stood on, or to the list. A form says which run, and never an address.
fn back(form: &Form) -> Response {
    let to = match form.field("run").parse::<uuid::Uuid>() {
        Ok(run) => format!("/runs/{run}"),
        Err(_) => "/runs".to_owned(),
    };
    Redirect::to(&to).into_response()
}

/// What is stopped, and the form that stops more.
pub(super) fn card(app: &App, visitor: &Visitor) -> Markup {
    let halts = app.kernel.halts();
    let may = may_stop(visitor);
    let now_ms = app.now_ms();
    html! {
        @if may || !halts.is_empty() {
            section.card #stops data-testid="stops" {
                @if !halts.is_empty() {
                    h2 { "Stopped" }
                    ul.rows {
                        @for halt in halts.iter() {
                            li data-testid="halt" {
                                div.title { span.state.stop { "stopped" } " " code { (halt.pattern) } " " (halt.reason) }
                                div.side { @if may { (lift_form(halt)) } }
                                div.below.small { (halt.by) ", " (ago(halt.at_ms, now_ms)) }
                            }
                        }
                    }
                }
                @if may {
                    details {
                        summary data-testid="halt-open" { "Emergency stop" }
                        form.answer method="post" action="/halts" {
                            label {
                                "Kinds of action: " code { "*" } ", " code { "refund.*" } " or " code { "refund.pay" } ". Nothing of them begins any more; what workflows want to do waits"
                                input type="text" name="pattern" required maxlength="128" spellcheck="false" data-testid="halt-pattern";
                            }
                            label {
                                "Why"
                                textarea.prose name="reason" rows="2" required data-testid="halt-reason" {}
                            }
                            div.buttons { button.danger type="submit" data-testid="halt-now" { "Stop now" } }
                        }
                    }
                }
            }
        }
    }
}

/// The button that lets happen again what holds a call back, where the visitor may press it.
pub(super) fn lift_button(app: &App, visitor: &Visitor, call: &str) -> Markup {
    let halts = app.kernel.halts();
    let kind: Option<ActionKind> = call.parse().ok();
    // A call may be judged under a kind of its own; where several are stopped, the list tells which is which.
    let only = || halts.first().filter(|_| halts.len() == 1);
    let held = halts
        .iter()
        .find(|halt| kind.as_ref().is_some_and(|kind| halt.pattern.matches(kind)))
        .or_else(only);
    html! {
        @match held {
            Some(halt) if may_stop(visitor) => (lift_form(halt)),
            Some(halt) => span { "by " (halt.by) },
            None => a href="/runs#stops" { "What is stopped" },
        }
    }
}

fn lift_form(halt: &Halt) -> Markup {
    html! {
        form method="post" action="/halts/lift" {
            input type="hidden" name="pattern" value=(halt.pattern);
            button type="submit" data-testid="lift" { "Let " (halt.pattern) " go on" }
        }
    }
}

/// Whether the button is worth showing; whether it works is the kernel's to say.
fn may_stop(visitor: &Visitor) -> bool {
    let roles = &visitor.actor.roles;
    roles
        .iter()
        .any(|role| role == "owner" || role == "operator")
}
