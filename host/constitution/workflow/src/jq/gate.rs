//! What a source must pass before it is compiled, and how it is rewritten so that its evaluation is counted.

use std::collections::BTreeSet;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Pattern, Term};
use jaq_core::ops::{Cmp, Math};
use jaq_core::path::{Opt, Part, Path};

use super::Dialect;

/// Longest source. What is longer is a program, not plumbing.
const MAX_BYTES: usize = 4096;
/// Deepest bracket nesting, so that the parser's recursion stays shallow.
const MAX_BRACKETS: usize = 64;
/// Most operators and prefix words, which nest as brackets do.
const MAX_OPERATORS: usize = 300;

/// Functions that are not available, and why.
const REFUSED: [(&str, &str); 23] = [
    ("input", "it reads from outside"),
    ("inputs", "it reads from outside"),
    ("input_filename", "it reads from outside"),
    ("input_line_number", "it reads from outside"),
    ("env", "it reads the host's environment"),
    (
        "now",
        "it reads the clock; use $workflow.startedAt or $task.startedAt",
    ),
    ("localtime", "it depends on the host's time zone"),
    ("strflocaltime", "it depends on the host's time zone"),
    ("debug", "it writes to the host's terminal"),
    ("debug_empty", "it writes to the host's terminal"),
    ("stderr", "it writes to the host's terminal"),
    ("stderr_empty", "it writes to the host's terminal"),
    ("halt", "it would end the host"),
    ("halt_error", "it would end the host"),
    ("repeat", "it never ends"),
    ("until", "it may never end"),
    ("while", "it may never end"),
    (
        "recurse",
        "it may never end; `..` and `recurse` without arguments are available",
    ),
    (
        "combinations",
        "with a count it may never end; without one it is available",
    ),
    ("get_search_list", "it reads from outside"),
    ("$ENV", "it reads the host's environment"),
    ("$__loc__", "it has no meaning here"),
    ("$__prog_args", "it has no meaning here"),
];

/// Rewrites one term and notes what it reads.
pub(super) struct Gate<'c> {
    dialect: Dialect,
    in_scope: &'c BTreeSet<String>,
    bound: Vec<String>,
    /// The arguments it reads.
    pub(super) arguments: BTreeSet<String>,
}

type Rewritten<'s> = Result<Term<&'s str>, String>;

/// Refuses what could exhaust the parser.
pub(super) fn measure(source: &str) -> Result<(), String> {
    if source.is_empty() {
        return Err("the expression is empty".to_owned());
    }
    if source.len() > MAX_BYTES {
        return Err(format!("the expression has more than {MAX_BYTES} bytes"));
    }
    let (mut depth, mut deepest, mut operators) = (0_usize, 0_usize, 0_usize);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '|' | ',' | '+' | '-' | '*' | '/' | '%' | '=' | '<' | '>' | '?' | ':' => operators += 1,
            _ => {}
        }
    }
    let words = source
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| {
            matches!(
                *word,
                "try"
                    | "if"
                    | "elif"
                    | "else"
                    | "and"
                    | "or"
                    | "reduce"
                    | "foreach"
                    | "label"
                    | "as"
                    | "def"
            )
        })
        .count();
    if deepest > MAX_BRACKETS || operators + words > MAX_OPERATORS {
        return Err(
            "the expression is too large for data plumbing; split it over several `set` tasks"
                .to_owned(),
        );
    }
    Ok(())
}

impl<'c> Gate<'c> {
    pub(super) fn new(dialect: Dialect, in_scope: &'c BTreeSet<String>) -> Self {
        Self {
            dialect,
            in_scope,
            bound: Vec::new(),
            arguments: BTreeSet::new(),
        }
    }

    pub(super) fn rewrite<'s>(&mut self, term: Term<&'s str>) -> Rewritten<'s> {
        Ok(match term {
            Term::Id | Term::Num(_) => term,
            Term::Recurse => counted("polity_tick", Term::Recurse),
            Term::Var(name) => {
                self.read(name)?;
                Term::Var(name)
            }
            Term::Str(format, parts) => {
                let mut plain = format.is_none();
                let mut rewritten = Vec::with_capacity(parts.len());
                for part in parts {
                    rewritten.push(match part {
                        StrPart::Str(text) => StrPart::Str(text),
                        StrPart::Char(c) => StrPart::Char(c),
                        StrPart::Term(term) => {
                            plain = false;
                            StrPart::Term(self.rewrite(term)?)
                        }
                    });
                }
                let text = Term::Str(format, rewritten);
                if plain {
                    text
                } else {
                    counted("polity_guard", text)
                }
            }
            Term::Arr(inner) => {
                let inner = inner.map(|inner| self.boxed(*inner)).transpose()?;
                counted("polity_guard", Term::Arr(inner))
            }
            Term::Obj(pairs) => {
                let pairs = pairs
                    .into_iter()
                    .map(|(key, value)| {
                        // `{$x}` and `{"a"}` name their value by their key, which must stay as it is.
                        let Some(value) = value else {
                            if let Term::Var(name) = &key {
                                self.read(name)?;
                            }
                            return Ok((key, None));
                        };
                        Ok((self.rewrite(key)?, Some(self.rewrite(value)?)))
                    })
                    .collect::<Result<_, String>>()?;
                counted("polity_guard", Term::Obj(pairs))
            }
            Term::Neg(inner) => Term::Neg(self.boxed(*inner)?),
            Term::BinOp(left, op, right) => self.operation(*left, op, *right)?,
            Term::Label(name, inner) => Term::Label(name, self.boxed(*inner)?),
            Term::Break(name) => Term::Break(name),
            Term::Fold(kind, source, pattern, steps) => {
                let source = self.boxed(*source)?;
                let before = self.bound.len();
                let pattern = self.pattern(pattern)?;
                let steps = steps
                    .into_iter()
                    .map(|step| Ok(counted("polity_tick", self.rewrite(step)?)))
                    .collect::<Result<_, String>>()?;
                self.bound.truncate(before);
                Term::Fold(kind, source, pattern, steps)
            }
            Term::TryCatch(inner, handler) => {
                let inner = self.boxed(*inner)?;
                let handler = handler.map(|handler| self.boxed(*handler)).transpose()?;
                Term::TryCatch(inner, handler)
            }
            Term::IfThenElse(cases, otherwise) => {
                let cases = cases
                    .into_iter()
                    .map(|(condition, then)| Ok((self.rewrite(condition)?, self.rewrite(then)?)))
                    .collect::<Result<_, String>>()?;
                let otherwise = otherwise.map(|term| self.boxed(*term)).transpose()?;
                Term::IfThenElse(cases, otherwise)
            }
            Term::Def(..) => {
                return Err(
                    "definitions are not available, since they can recurse without end".to_owned(),
                );
            }
            Term::Call(name, arguments) => self.call(name, arguments)?,
            Term::Path(inner, Path(parts)) => self.path(*inner, parts)?,
        })
    }

    fn boxed<'s>(&mut self, term: Term<&'s str>) -> Result<Box<Term<&'s str>>, String> {
        self.rewrite(term).map(Box::new)
    }

    fn read(&mut self, name: &str) -> Result<(), String> {
        refused(name, 0)?;
        if self.bound.iter().any(|bound| bound == name) {
            return Ok(());
        }
        if !self.in_scope.contains(name) {
            let known: Vec<&str> = self.in_scope.iter().map(String::as_str).collect();
            return Err(format!(
                "there is no argument {name} here; there are {}",
                known.join(", ")
            ));
        }
        self.arguments.insert(name.to_owned());
        Ok(())
    }

    fn operation<'s>(
        &mut self,
        left: Term<&'s str>,
        op: BinaryOp<&'s str>,
        right: Term<&'s str>,
    ) -> Rewritten<'s> {
        let left = self.rewrite(left)?;
        let before = self.bound.len();
        let op = match op {
            BinaryOp::Pipe(Some(pattern)) => BinaryOp::Pipe(Some(self.pattern(pattern)?)),
            op => op,
        };
        let right = self.rewrite(right)?;
        self.bound.truncate(before);
        let strict = self.dialect == Dialect::Strict;
        let checked = |name: &'static str, left, right| Term::Call(name, vec![left, right]);
        Ok(match op {
            BinaryOp::Math(Math::Mul) => {
                counted("polity_guard", checked("polity_mul", left, right))
            }
            BinaryOp::Cmp(Cmp::Lt) if strict => checked("polity_lt", left, right),
            BinaryOp::Cmp(Cmp::Le) if strict => checked("polity_le", left, right),
            BinaryOp::Cmp(Cmp::Gt) if strict => checked("polity_gt", left, right),
            BinaryOp::Cmp(Cmp::Ge) if strict => checked("polity_ge", left, right),
            BinaryOp::UpdateMath(Math::Mul) => {
                return Err("`*=` is not available; write `.a |= . * 2`".to_owned());
            }
            BinaryOp::Math(_)
            | BinaryOp::Assign
            | BinaryOp::Update
            | BinaryOp::UpdateMath(_)
            | BinaryOp::UpdateAlt => {
                counted("polity_guard", Term::BinOp(left.into(), op, right.into()))
            }
            _ => Term::BinOp(left.into(), op, right.into()),
        })
    }

    fn pattern<'s>(&mut self, pattern: Pattern<&'s str>) -> Result<Pattern<&'s str>, String> {
        Ok(match pattern {
            Pattern::Var(name) => {
                self.bound.push(name.to_owned());
                Pattern::Var(name)
            }
            Pattern::Arr(items) => Pattern::Arr(
                items
                    .into_iter()
                    .map(|item| self.pattern(item))
                    .collect::<Result<_, _>>()?,
            ),
            Pattern::Obj(fields) => Pattern::Obj(
                fields
                    .into_iter()
                    .map(|(key, item)| {
                        let key = match key {
                            Term::Var(name) => {
                                self.bound.push(name.to_owned());
                                Term::Var(name)
                            }
                            key => self.rewrite(key)?,
                        };
                        Ok((key, self.pattern(item)?))
                    })
                    .collect::<Result<_, String>>()?,
            ),
        })
    }

    fn call<'s>(&mut self, name: &'s str, arguments: Vec<Term<&'s str>>) -> Rewritten<'s> {
        refused(name, arguments.len())?;
        if name.starts_with("polity_") {
            return Err(format!("there is no filter \"{name}\""));
        }
        let arguments = arguments
            .into_iter()
            .map(|argument| {
                // A literal may be repeated by the function without a step of ours in between.
                let literal = matches!(argument, Term::Str(..));
                let argument = self.rewrite(argument)?;
                Ok(if literal {
                    counted("polity_guard", argument)
                } else {
                    argument
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let name = match (name, arguments.len()) {
            ("join", 1) => "polity_join",
            (name, _) => name,
        };
        Ok(counted("polity_guard", Term::Call(name, arguments)))
    }

    fn path<'s>(
        &mut self,
        inner: Term<&'s str>,
        parts: Vec<(Part<Term<&'s str>>, Opt)>,
    ) -> Rewritten<'s> {
        let inner = self.boxed(inner)?;
        let mut iterates = false;
        let parts = parts
            .into_iter()
            .map(|(part, opt)| {
                let part = match part {
                    Part::Index(index) => Part::Index(self.rewrite(index)?),
                    Part::Range(from, to) => {
                        iterates = true;
                        let from = from.map(|term| self.rewrite(term)).transpose()?;
                        Part::Range(from, to.map(|term| self.rewrite(term)).transpose()?)
                    }
                };
                Ok((part, opt))
            })
            .collect::<Result<_, String>>()?;
        let path = Term::Path(inner, Path(parts));
        Ok(if iterates {
            counted("polity_tick", path)
        } else {
            path
        })
    }
}

fn refused(name: &str, arguments: usize) -> Result<(), String> {
    let only_with_arguments = matches!(name, "recurse" | "combinations");
    if only_with_arguments && arguments == 0 {
        return Ok(());
    }
    match REFUSED.iter().find(|(refused, _)| *refused == name) {
        Some((_, why)) => Err(format!("`{name}` is not available: {why}")),
        None => Ok(()),
    }
}

/// `term | (counter as $polity_ | .)`: passes the value on, as a value and as a path, and counts it.
fn counted<'s>(counter: &'static str, term: Term<&'s str>) -> Term<&'s str> {
    let count = Term::BinOp(
        Box::new(Term::Call(counter, Vec::new())),
        BinaryOp::Pipe(Some(Pattern::Var("$polity_"))),
        Box::new(Term::Id),
    );
    Term::BinOp(Box::new(term), BinaryOp::Pipe(None), Box::new(count))
}
