//! Who is here, who may do what, and what holds where no rule speaks.

use maud::{Markup, html};
use polity_constitution::{ActorKind, BUILT_IN_ROLES, OnExpiry, Permission};

use super::Handbook;

impl Handbook<'_> {
    pub(super) fn people(&self) -> Markup {
        let charter = self.constitution.charter();
        let defaults = charter.defaults();
        let body = html! {
            h1 { "People and roles" }
            div.wide {
                table {
                    thead { tr { th { "Name" } th { "What" } th { "Id" } th { "Roles" } } }
                    tbody {
                        @for actor in charter.actors() {
                            tr {
                                td { (actor.name) }
                                td { @match actor.kind {
                                    ActorKind::Person => "person",
                                    ActorKind::Agent => "agent",
                                    ActorKind::Service => "service",
                                } }
                                td { code { (actor.id) } }
                                td { (actor.roles.join(", ")) }
                            }
                        }
                    }
                }
            }
            h2 { "What a role may use" }
            div.wide {
                table {
                    thead { tr { th { "Role" } th { "Permissions" } } }
                    tbody {
                        @for role in charter.roles() {
                            tr {
                                td {
                                    (role)
                                    @if let Some(built_in) = BUILT_IN_ROLES.iter().find(|built_in| built_in.name == role) {
                                        br; small { (built_in.summary) }
                                    }
                                }
                                td {
                                    @for permission in Permission::ALL.into_iter().filter(|permission| charter.role_permits(role, *permission)) {
                                        code { (permission.name()) } " "
                                    }
                                }
                            }
                        }
                    }
                }
            }
            h2 { "Where no rule speaks" }
            ul {
                li { "An action that no rule guards: " strong { (format!("{:?}", defaults.unmatched).to_lowercase()) } "." }
                li { "A rule that fails never allows: " strong { (format!("{:?}", defaults.on_failure).to_lowercase()) } "." }
                li { "Where a rule names nobody, the role " strong { (defaults.escalation_role) } " decides." }
                li {
                    "What nobody decides in time is "
                    @match &defaults.on_expiry {
                        OnExpiry::Reject => strong { "rejected" },
                        OnExpiry::Escalate { to_role } => { "put before " strong { (to_role) } },
                    }
                    ". Silence never approves."
                }
            }
            @let budgets = charter.budgets();
            @let currency = &charter.company().currency;
            h2 { "A day may cost" }
            ul {
                li { "Everyone together: " (amount(budgets.company_daily_micro, currency)) }
                li { "Anybody by themselves: " (amount(budgets.actor_daily_micro, currency)) }
                @for (actor, limit) in &budgets.actors {
                    li { code { (actor) } ": " (amount(*limit, currency)) }
                }
            }
        };
        self.frame("people.html", "People and roles", &body)
    }
}

fn amount(micro: Option<u64>, currency: &str) -> String {
    match micro {
        Some(micro) => format!(
            "{}.{:02} {currency}",
            micro / 1_000_000,
            micro % 1_000_000 / 10_000
        ),
        None => "no limit".to_owned(),
    }
}
