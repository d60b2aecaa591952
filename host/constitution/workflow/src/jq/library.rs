//! Of jq's library, what one expression needs.
//!
//! A compiled filter owns everything that it was compiled with. The whole library is some 200 kB and a company has
//! hundreds of expressions, most of which call nothing.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::path::{Part, Path};

/// A definition, and what it calls.
struct Entry {
    definition: Def<&'static str>,
    calls: BTreeSet<&'static str>,
}

/// In the library's order, in which a later definition may call an earlier one.
static LIBRARY: LazyLock<Vec<Entry>> = LazyLock::new(|| {
    jaq_core::defs()
        .chain(jaq_std::defs())
        .chain(jaq_json::defs())
        .map(|definition| {
            let mut calls = BTreeSet::new();
            called(&definition.body, &mut calls);
            Entry { definition, calls }
        })
        .collect()
});

/// The definitions that a term calls, directly or not, in the library's order.
pub(super) fn needed<'s>(term: &Term<&'s str>) -> Vec<Def<&'s str>> {
    let mut names = BTreeSet::new();
    called(term, &mut names);
    let mut needed: Vec<Def<&'s str>> = LIBRARY
        .iter()
        .rev()
        .filter(|entry| {
            // Names that no source can spell are what the compiler itself calls.
            let name = entry.definition.name;
            let is_needed = name.starts_with('!') || names.contains(name);
            if is_needed {
                names.extend(&entry.calls);
            }
            is_needed
        })
        .map(|entry| shortened(entry.definition.clone()))
        .collect();
    needed.reverse();
    needed
}

/// A library definition beside one that lives shorter.
fn shortened<'s>(definition: Def<&'static str>) -> Def<&'s str> {
    definition
}

/// Adds the names of the filters that a term calls.
fn called<'s>(term: &Term<&'s str>, names: &mut BTreeSet<&'s str>) {
    match term {
        Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_) => {}
        Term::Str(format, parts) => {
            names.extend(format);
            for part in parts {
                if let StrPart::Term(term) = part {
                    called(term, names);
                }
            }
        }
        Term::Arr(inner) => inner.iter().for_each(|inner| called(inner, names)),
        Term::Obj(pairs) => {
            for (key, value) in pairs {
                called(key, names);
                value.iter().for_each(|value| called(value, names));
            }
        }
        Term::Neg(inner) | Term::Label(_, inner) => called(inner, names),
        Term::BinOp(left, operator, right) => {
            called(left, names);
            if let BinaryOp::Pipe(Some(pattern)) = operator {
                called_in_pattern(pattern, names);
            }
            called(right, names);
        }
        Term::Fold(kind, source, pattern, steps) => {
            names.insert(kind);
            called(source, names);
            called_in_pattern(pattern, names);
            steps.iter().for_each(|step| called(step, names));
        }
        Term::TryCatch(inner, handler) => {
            called(inner, names);
            handler.iter().for_each(|handler| called(handler, names));
        }
        Term::IfThenElse(cases, otherwise) => {
            for (condition, then) in cases {
                called(condition, names);
                called(then, names);
            }
            otherwise
                .iter()
                .for_each(|otherwise| called(otherwise, names));
        }
        Term::Def(definitions, inner) => {
            for definition in definitions {
                called(&definition.body, names);
            }
            called(inner, names);
        }
        Term::Call(name, arguments) => {
            names.insert(name);
            arguments
                .iter()
                .for_each(|argument| called(argument, names));
        }
        Term::Path(inner, Path(parts)) => {
            called(inner, names);
            for (part, _) in parts {
                match part {
                    Part::Index(index) => called(index, names),
                    Part::Range(from, to) => {
                        from.iter().chain(to).for_each(|bound| called(bound, names));
                    }
                }
            }
        }
    }
}

fn called_in_pattern<'s>(pattern: &Pattern<&'s str>, names: &mut BTreeSet<&'s str>) {
    match pattern {
        Pattern::Var(_) => {}
        Pattern::Arr(items) => items.iter().for_each(|item| called_in_pattern(item, names)),
        Pattern::Obj(fields) => {
            for (key, item) in fields {
                called(key, names);
                called_in_pattern(item, names);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use jaq_core::Compiler;
    use jaq_core::load::{Arena, File, Lexer, Loader, Parser};

    use super::super::budget;
    use super::*;

    fn names_of(source: &str) -> Vec<&'static str> {
        let tokens = Lexer::new(source).lex().unwrap();
        let term = Parser::new(&tokens).parse(|parser| parser.term()).unwrap();
        let mut found: Vec<_> = needed(&term)
            .iter()
            .filter(|definition| !definition.name.starts_with('!'))
            .map(|definition| {
                let entry = LIBRARY
                    .iter()
                    .find(|entry| entry.definition.name == definition.name);
                entry.unwrap().definition.name
            })
            .collect();
        found.dedup();
        found
    }

    #[test]
    fn an_expression_that_calls_nothing_needs_nothing() {
        assert_eq!(names_of(".a.b + [1, $x] | {c: .}"), [""; 0]);
    }

    #[test]
    fn what_is_called_anywhere_in_a_term_is_found() {
        for source in [
            "map(.)",
            "[{a: -map(.)}]",
            "\"\\(map(.))\"",
            ".[map(.)]?",
            ".[:map(.)]",
            ". as {(map(.)): $x} | 1",
            "reduce map(.) as $x (0; 1)",
            "foreach . as $x (0; map(.); 1)",
            "try error catch map(.)",
            "if map(.) then 1 elif 2 then 3 else 4 end",
            "label $out | map(.)",
        ] {
            assert!(names_of(source).contains(&"map"), "{source}");
        }
    }

    /// Every definition of the library compiles with nothing but what was found that it needs.
    #[test]
    fn nothing_that_is_needed_is_left_out() {
        for entry in LIBRARY.iter() {
            let Def { name, args, .. } = &entry.definition;
            if name.starts_with('!') {
                continue;
            }
            let arguments = vec![Term::Id; args.len()];
            let call = Term::Call(*name, arguments);
            let main = Def {
                name: "polity_main",
                args: Vec::new(),
                body: call.clone(),
            };
            let arena = Arena::default();
            let file = File {
                code: "polity_main",
                path: (),
            };
            let modules = Loader::new(needed(&call).into_iter().chain([main])).load(&arena, file);
            let compiled = Compiler::default()
                .with_funs(budget::functions())
                .with_global_vars(["$ENV", "$__loc__", "$__prog_args"])
                .compile(modules.unwrap_or_else(|_| panic!("{name} does not load")));
            let errors = compiled.err();
            let undefined: Vec<_> = errors
                .iter()
                .flatten()
                .flat_map(|(_, list)| list)
                .map(|(name, _)| *name)
                .collect();
            // What reads the outside is not among the functions, and no expression may call it.
            let outside = [
                "input",
                "inputs",
                "repl",
                "env",
                "halt",
                "stderr",
                "debug",
                "now",
                "localtime",
            ];
            assert!(
                undefined
                    .iter()
                    .all(|name| outside.iter().any(|out| name.contains(out))),
                "{name} needs {undefined:?}"
            );
        }
    }
}
