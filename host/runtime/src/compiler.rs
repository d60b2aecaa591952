//! Compiling, in a process of its own where the host names one.
//!
//! A compiler takes a hundred megabytes and keeps them, and what it compiles is anybody's: a component can be made to
//! cost it minutes, gigabytes or its life. A child process gives back what it took, has limits that the system
//! enforces, sees neither the host's environment nor its files' handles, and when it dies there is a refusal and a host
//! that goes on serving.

use std::any::Any;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::panic::{self, AssertUnwindSafe};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use wasmtime::component::Component;
use wasmtime::{Engine, Error, Result};

use crate::children::Children;
use crate::compile_cache::deserialize;
use crate::engine::{self, EngineKind};

/// Address space of a compiling process, in bytes. The largest first-party component takes a tenth.
const MEMORY_BYTES: u64 = 4 << 30;
/// Processor time of a compiling process, in seconds. CPython as a component takes about a hundred.
const CPU_SECONDS: u64 = 600;

/// How to start a process that compiles. It is given the name of the engine as its last argument, calls
/// [`compile_for_parent`] and ends.
#[derive(Clone, Debug)]
pub struct CompilerProcess {
    /// The program.
    pub program: PathBuf,
    /// What comes before the name of the engine.
    pub arguments: Vec<OsString>,
}

/// Why a compiling process has nothing to hand over.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// There is no such engine.
    #[error("there is no engine `{0}`: `pure` and `io` are the two")]
    Engine(String),
    /// The component is not to be compiled.
    #[error("{0}")]
    Component(String),
    /// Reading, writing or limiting failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a component from `input` and writes its compiled form to `output`, within limits that hold for the whole
/// process from then on: 4 GiB of address space and 600 seconds of processor time.
///
/// # Errors
/// See [`CompileError`]; nothing was written then.
pub fn compile_for_parent(
    engine: &str,
    mut input: impl Read,
    mut output: impl Write,
) -> std::result::Result<(), CompileError> {
    let kind = EngineKind::named(engine).ok_or_else(|| CompileError::Engine(engine.to_owned()))?;
    limit_this_process()?;
    let mut component = Vec::new();
    input.read_to_end(&mut component)?;
    // What a panic says goes to the host as a sentence, not to standard error as a backtrace.
    panic::set_hook(Box::new(|_| ()));
    let compile = || engine::for_compiling(kind)?.precompile_component(&component);
    let code = caught(compile).map_err(|error| CompileError::Component(format!("{error:#}")))?;
    output.write_all(&code)?;
    Ok(output.flush()?)
}

#[cfg(unix)]
fn limit_this_process() -> io::Result<()> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    for (resource, most) in [(Resource::As, MEMORY_BYTES), (Resource::Cpu, CPU_SECONDS)] {
        // A lower limit that is set already stays.
        let most = getrlimit(resource)
            .maximum
            .map_or(most, |set| set.min(most));
        let (current, maximum) = (Some(most), Some(most));
        setrlimit(resource, Rlimit { current, maximum })?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn limit_this_process() -> io::Result<()> {
    Ok(())
}

/// The component's code, ready to run on this engine.
pub(crate) fn compile(
    process: Option<&CompilerProcess>,
    children: &Children,
    engine: &Engine,
    kind: EngineKind,
    component: &[u8],
) -> Result<Component> {
    let Some(process) = process else {
        return compile_here(engine, component);
    };
    match process.run(children, kind, component) {
        Ok(code) => deserialize(engine, &code?),
        Err(error) => {
            tracing::warn!(program = %process.program.display(), %error, "no process to compile in; compiling here");
            compile_here(engine, component)
        }
    }
}

impl CompilerProcess {
    /// The outer error is for a process that could not be started, the inner one for what it made of the component.
    fn run(
        &self,
        children: &Children,
        kind: EngineKind,
        component: &[u8],
    ) -> io::Result<Result<Vec<u8>>> {
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(kind.name())
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // What a terminal's Ctrl-C sends goes to the host alone, which says when its children end.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn()?;
        let (input, output, said) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let child = children.admit(child);
        let (code, said) = thread::scope(|scope| {
            // Written from a thread of its own, so that neither side waits for the other with full pipes. A child that
            // ends early closes its end; its status says why.
            scope.spawn(move || input.map(|mut input| input.write_all(component)));
            let said = scope.spawn(move || all(said));
            (all(output), said.join().unwrap_or_else(|_| Ok(Vec::new())))
        });
        let ended = child.wait()?;
        Ok(match ended.success() {
            true => Ok(code?),
            false if children.is_closed() => Err(Error::msg(
                "the host is about to end and waits for no compiler; it is compiled at the next start",
            )),
            false => Err(Error::msg(reason(ended, &said?))),
        })
    }
}

/// What comes out of a pipe until it is closed.
fn all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(mut pipe) = pipe {
        pipe.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn reason(status: ExitStatus, said: &[u8]) -> String {
    let said = String::from_utf8_lossy(said);
    match (status.code(), said.trim()) {
        (Some(_), said) if !said.is_empty() => said.to_owned(),
        _ => format!(
            "the compiler ended with {status}; it may take {} GiB of memory and {CPU_SECONDS} seconds of processor time",
            MEMORY_BYTES >> 30
        ),
    }
}

fn compile_here(engine: &Engine, component: &[u8]) -> Result<Component> {
    let compile = || Component::new(engine, component);
    caught(compile).or_else(|error| {
        // Seen with large components: sealing the memory image fails with EBUSY, and does not the next time.
        tracing::debug!(error = format!("{error:#}"), "compiling once more");
        caught(compile)
    })
}

/// A bug in the compiler is a refusal, not the end of the thread that looks after all plugins.
fn caught<T>(compile: impl FnOnce() -> Result<T>) -> Result<T> {
    panic::catch_unwind(AssertUnwindSafe(compile))
        .unwrap_or_else(|panic| Err(gave_up(panic.as_ref())))
}

fn gave_up(panic: &(dyn Any + Send)) -> Error {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
    Error::msg(format!(
        "the compiler gave up: {}",
        text.unwrap_or("without a reason")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Engines;

    /// The smallest component.
    const EMPTY: [u8; 8] = [0, 0x61, 0x73, 0x6d, 0x0d, 0, 1, 0];

    fn shell(script: &str) -> Option<CompilerProcess> {
        Some(CompilerProcess {
            program: "/bin/sh".into(),
            arguments: ["-c", script].map(OsString::from).into(),
        })
    }

    fn compiled_by(process: Option<CompilerProcess>) -> Result<Component> {
        let engines = Engines::new(None).unwrap();
        let kind = EngineKind::Pure;
        let children = Children::default();
        compile(process.as_ref(), &children, engines.get(kind), kind, &EMPTY)
    }

    fn refused_by(script: &str) -> String {
        let refused = compiled_by(shell(script)).map(drop);
        format!("{:#}", refused.unwrap_err())
    }

    #[test]
    fn what_a_process_without_a_pool_compiles_runs_on_the_pooled_engines() {
        let engines = Engines::new(None).unwrap();
        for kind in [EngineKind::Pure, EngineKind::Io] {
            let code = engine::for_compiling(kind)
                .unwrap()
                .precompile_component(&EMPTY);
            deserialize(engines.get(kind), &code.unwrap()).unwrap();
        }
    }

    #[test]
    fn what_the_process_says_of_a_component_is_the_reason() {
        assert_eq!(
            refused_by("echo 'no such opcode' >&2; exit 1"),
            "no such opcode"
        );
    }

    #[test]
    fn a_process_that_is_killed_is_a_refusal_that_names_its_limits() {
        let reason = refused_by("kill -9 $$");
        assert!(
            reason.contains("signal: 9") && reason.contains("4 GiB"),
            "{reason}"
        );
    }

    #[cfg(unix)]
    #[test]
    fn nobody_waits_for_a_process_once_no_more_is_wanted() {
        let engines = Engines::new(None).unwrap();
        let (children, kind) = (Children::default(), EngineKind::Pure);
        let endless = shell("exec /bin/sleep 1000000");
        let refused = thread::scope(|scope| {
            let compiling = scope
                .spawn(|| compile(endless.as_ref(), &children, engines.get(kind), kind, &EMPTY));
            children.close();
            compiling.join().unwrap().map(drop)
        });
        let reason = format!("{:#}", refused.unwrap_err());
        assert!(reason.contains("about to end"), "{reason}");
    }

    #[test]
    fn a_process_that_hands_over_something_else_is_a_refusal() {
        refused_by("echo surprise");
        refused_by("true");
    }

    #[test]
    fn a_process_is_given_none_of_the_environment() {
        assert_eq!(refused_by("echo \"[$HOME$USER$CARGO]\" >&2; exit 1"), "[]");
    }

    #[test]
    fn without_the_program_it_is_compiled_here() {
        let missing = CompilerProcess {
            program: "/nowhere/polity".into(),
            arguments: Vec::new(),
        };
        compiled_by(Some(missing)).unwrap();
    }

    #[test]
    fn an_engine_that_does_not_exist_is_refused_by_name() {
        let refused = compile_for_parent("fast", io::empty(), io::sink()).unwrap_err();
        assert!(refused.to_string().contains("`fast`"));
    }
}
