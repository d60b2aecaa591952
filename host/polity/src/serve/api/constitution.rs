//! `/api/constitution`: which rules are in force, and what is wrong with those that are not.

use axum::Json as Answer;
use axum::extract::State;
use polity_constitution::{OWNER, Permission, Problem as Mistake};
use polity_kernel::{Kernel, ReloadError, Reloaded};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::serve::App;
use crate::serve::auth::Caller;
use crate::serve::fault::{Fault, Kind, Problem};

/// The constitution in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct ConstitutionView {
    /// SHA-256 of all its documents; every decision names the one it was made under.
    digest: String,
    /// The commit that was checked out, where the folder lies in a git work tree.
    commit: Option<String>,
    /// The rules that it binds, by name.
    bindings: Vec<BindingView>,
    /// What the folder holds, where that was refused and is not in force; null where it is.
    refused: Option<RefusedView>,
    /// The git remote that it is taken from; null where there is none.
    remote: Option<RemoteView>,
}

/// How it stands with the constitution's remote.
#[derive(Serialize, ToSchema)]
pub(crate) struct RemoteView {
    /// The repository and its branch.
    remote: String,
    /// The commit whose documents are in the folder.
    commit: Option<String>,
    /// When it was asked last.
    asked_at_ms: u64,
    /// Why what it holds is not in force; null where it is.
    trouble: Option<String>,
    /// All that is wrong with what it holds.
    problems: Vec<ProblemView>,
}

/// A rule in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct BindingView {
    /// The name of its file in `rules/`, without `.json`.
    name: String,
    /// The plugin that judges.
    rule: String,
    /// The kinds of action that it judges.
    guards: Vec<String>,
    /// `enforce`, or `shadow` for one that is only recorded.
    mode: Value,
    /// The sentence of the handbook that it stands for.
    policy: Option<String>,
}

/// A state of the folder that is not in force.
#[derive(Serialize, ToSchema)]
pub(crate) struct RefusedView {
    /// When it was read.
    at_ms: u64,
    /// All that is wrong with it.
    problems: Vec<ProblemView>,
}

/// One thing that is wrong with the folder.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProblemView {
    /// Stable, for programs.
    code: String,
    /// The file, relative to the folder.
    file: String,
    /// The line, from 1; 0 where the file as a whole is meant.
    line: u32,
    /// The column, from 1; 0 where the file as a whole is meant.
    column: u32,
    /// The part of the document, as a JSON pointer.
    pointer: String,
    /// What is wrong.
    message: String,
    /// What to do.
    fix: String,
}

/// What came of reading the folder again.
#[derive(Serialize, ToSchema)]
pub(crate) struct ReloadView {
    /// Whether another constitution is in force now.
    changed: bool,
    /// What of it has to wait for the next start, in sentences.
    at_next_start: Vec<String>,
    /// The constitution in force.
    constitution: ConstitutionView,
}

/// Read the constitution
///
/// Its version, its rules, and what is wrong with the folder where that holds something else by now.
#[utoipa::path(
    get,
    path = "/api/constitution",
    tag = "constitution",
    responses(
        (status = 200, description = "The constitution in force.", body = ConstitutionView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The permission is missing.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn get_constitution(
    State(app): State<App>,
    caller: Caller,
) -> Result<Answer<ConstitutionView>, Fault> {
    caller.allowed(Permission::DecisionsRead)?;
    Ok(Answer(view(&app.kernel)))
}

/// Read the constitution's folder again
///
/// The folder is watched, so this is for whoever cannot wait for that, or wants the answer. A folder with a mistake in it
/// changes nothing: the version before stays in force. Only an owner may.
#[utoipa::path(
    post,
    path = "/api/constitution/reload",
    tag = "constitution",
    responses(
        (status = 200, description = "The constitution in force now.", body = ReloadView),
        (status = 401, description = "Who asks is not known.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "Only an owner may.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The folder is not as it should be; `problems` has all that is wrong, and the constitution before stays in force.", body = Problem, content_type = "application/problem+json"),
    ),
)]
pub(crate) async fn reload_constitution(
    State(app): State<App>,
    Caller(actor): Caller,
) -> Result<Answer<ReloadView>, Fault> {
    if !actor.roles.iter().any(|role| role == OWNER) {
        let detail = format!(
            "{} does not hold the role `{OWNER}`, which reloading the constitution takes",
            actor.id
        );
        return Err(Fault::new(Kind::Forbidden, detail));
    }
    let reloaded = app.kernel.reload().await.map_err(refused)?;
    let (changed, at_next_start) = match reloaded {
        Reloaded::Unchanged => (false, Vec::new()),
        Reloaded::Changed { at_next_start } => (true, at_next_start),
    };
    Ok(Answer(ReloadView {
        changed,
        at_next_start,
        constitution: view(&app.kernel),
    }))
}

fn refused(error: ReloadError) -> Fault {
    match error {
        ReloadError::Problems(problems) => {
            let told: Vec<ProblemView> = problems.list.iter().map(ProblemView::of).collect();
            Fault::new(Kind::Conflict, problems.to_string()).with("problems", told)
        }
        error => Fault::internal(error),
    }
}

fn view(kernel: &Kernel) -> ConstitutionView {
    let constitution = kernel.constitution();
    let version = constitution.version();
    let bindings = constitution.bindings().iter().map(|binding| BindingView {
        name: binding.name.clone(),
        rule: binding.rule.clone(),
        guards: binding.guards.iter().map(ToString::to_string).collect(),
        mode: serde_json::to_value(binding.mode).unwrap_or_default(),
        policy: binding.policy.clone(),
    });
    ConstitutionView {
        digest: version.digest.clone(),
        commit: version.commit.clone(),
        bindings: bindings.collect(),
        refused: kernel.refused_constitution().map(|refused| RefusedView {
            at_ms: refused.at_ms,
            problems: refused.problems.list.iter().map(ProblemView::of).collect(),
        }),
        remote: kernel.remote_state().map(|state| RemoteView {
            remote: state.remote.clone(),
            commit: state.commit.clone(),
            asked_at_ms: state.asked_at_ms,
            trouble: state.trouble.clone(),
            problems: state
                .problems
                .iter()
                .flat_map(|problems| &problems.list)
                .map(ProblemView::of)
                .collect(),
        }),
    }
}

impl ProblemView {
    fn of(problem: &Mistake) -> Self {
        Self {
            code: problem.code.clone(),
            file: problem.file.clone(),
            line: problem.line,
            column: problem.column,
            pointer: problem.pointer.clone(),
            message: problem.message.clone(),
            fix: problem.fix.clone(),
        }
    }
}
