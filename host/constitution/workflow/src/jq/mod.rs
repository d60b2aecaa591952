//! Runtime expressions: jq as data plumbing, compiled once with the document.
//!
//! A workflow runs inside the host, so an expression must end, must fit in memory and must depend on nothing but its
//! arguments. jq promises none of that. Three measures make it so:
//!
//! - [`gate`] refuses, when the document is loaded, what reads the outside (`env`, `now`, `input`), what recurses without
//!   a bound (`def`, `repeat`, `until`, `recurse(f)`), and texts too long to be plumbing.
//! - The gate rewrites what is left: whatever makes or iterates values is followed by a call that counts. [`budget`]
//!   answers those calls, and when the count is used up it unwinds the evaluation in a way that no `try` or `?` catches.
//! - [`value`] converts in both directions within bounds of depth and size.
//!
//! In the strict dialect `<`, `<=`, `>` and `>=` compare only two numbers or two strings. jq orders everything, and null
//! below all numbers, so that `.amount <= 500` holds where nobody gave an amount; a missing fact must never approve.

mod budget;
mod gate;
mod library;
mod value;

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use jaq_core::load::parse::{Def, Term};
use jaq_core::load::{Arena, File, Lexer, Loader, Parser};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use budget::{Budgeted, Run, Stop};

/// Which comparisons an expression may make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dialect {
    /// Ordering anything but two numbers or two strings is an error, and a condition must be true or false.
    #[default]
    Strict,
    /// jq as it is: null orders below numbers, anything but null and false counts as true.
    Spec,
}

/// A compiled expression.
pub(crate) struct Expr {
    source: String,
    dialect: Dialect,
    /// The arguments it reads, with their dollar signs.
    arguments: Vec<String>,
    filter: Filter<Budgeted>,
}

/// Steps that one evaluation may take: a fraction of a second at the very most.
const FUEL: u64 = 1_000_000;

impl Expr {
    /// Compiles a source, with or without `${ }`, that may read the arguments in scope.
    pub(crate) fn compile(
        source: &str,
        dialect: Dialect,
        in_scope: &BTreeSet<String>,
    ) -> Result<Self, String> {
        let source = inner(source);
        gate::measure(source)?;
        let tokens = Lexer::new(source).lex().map_err(|_| {
            "this is not jq: a quotation mark or a bracket is not closed".to_owned()
        })?;
        let term: Term<&str> =
            Parser::new(&tokens)
                .parse(|parser| parser.term())
                .map_err(|errors| match errors.first() {
                    Some((expected, Some(found))) => format!(
                        "this is not jq: expected {} before \"{}\"",
                        expected.as_str(),
                        found.0
                    ),
                    Some((expected, None)) => {
                        format!(
                            "this is not jq: it ends where {} should follow",
                            expected.as_str()
                        )
                    }
                    None => "this is not jq".to_owned(),
                })?;
        let mut gate = gate::Gate::new(dialect, in_scope);
        let term = gate.rewrite(term)?;
        let arguments: Vec<String> = gate.arguments.into_iter().collect();

        let main = Def {
            name: "polity_main",
            args: Vec::new(),
            body: term,
        };
        // Definitions cannot see global variables, so the arguments are handed over one by one.
        let main = Def {
            args: arguments.iter().map(String::as_str).collect(),
            ..main
        };
        let call = if arguments.is_empty() {
            "polity_main".to_owned()
        } else {
            format!("polity_main({})", arguments.join("; "))
        };
        let prelude = library::needed(&main.body).into_iter().chain([main]);
        let arena = Arena::default();
        let modules = Loader::new(prelude)
            .load(
                &arena,
                File {
                    code: call.as_str(),
                    path: (),
                },
            )
            .map_err(|_| "this is not jq".to_owned())?;
        let filter = Compiler::default()
            .with_funs(budget::functions())
            .with_global_vars(arguments.iter().map(String::as_str))
            .compile(modules)
            .map_err(|errors| {
                let undefined = errors.first().and_then(|(_, list)| list.first());
                match undefined {
                    Some((name, kind)) => format!("there is no {} \"{name}\"", kind.as_str()),
                    None => "this jq does not compile".to_owned(),
                }
            })?;
        Ok(Self {
            source: source.to_owned(),
            dialect,
            arguments: arguments.clone(),
            filter,
        })
    }

    /// The expression without its `${ }`.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The first value that the expression makes of an input.
    pub(crate) fn eval(
        &self,
        input: &Value,
        argument: &dyn Fn(&str) -> Value,
    ) -> Result<Value, String> {
        let vars = self
            .arguments
            .iter()
            .map(|name| value::of(&argument(name.trim_start_matches('$'))))
            .collect::<Result<Vec<_>, _>>()?;
        let fuel = Cell::new(FUEL);
        let stop = RefCell::new(None);
        let run = Run {
            lut: &self.filter.lut,
            fuel: &fuel,
            stop: &stop,
        };
        let ctx = Ctx::<Budgeted>::new(run, Vars::new(vars));
        let first = self.filter.id.run((ctx, value::of(input)?)).next();
        let stopped = stop.borrow_mut().take();
        match (stopped, first) {
            (Some(Stop(why)), _) => Err(why),
            (None, None) => Err("the expression gave no value".to_owned()),
            (None, Some(Ok(found))) => value::from(&found),
            (None, Some(Err(error))) => Err(match error.get_err() {
                Ok(error) => clip(&error.to_string()),
                Err(_) => "the expression broke off".to_owned(),
            }),
        }
    }

    /// The truth of a condition.
    pub(crate) fn test(
        &self,
        input: &Value,
        argument: &dyn Fn(&str) -> Value,
    ) -> Result<bool, String> {
        match (self.eval(input, argument)?, self.dialect) {
            (Value::Bool(truth), _) => Ok(truth),
            (other, Dialect::Spec) => Ok(!other.is_null()),
            (other, Dialect::Strict) => Err(format!(
                "the condition `{}` gave {} where true or false is needed; a fact may be missing",
                self.source,
                clip(&other.to_string())
            )),
        }
    }
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Expr({})", self.source)
    }
}

/// True where a text is an expression as a whole.
pub(crate) fn is_expression(text: &str) -> bool {
    let text = text.trim();
    text.starts_with("${") && text.ends_with('}')
}

fn inner(text: &str) -> &str {
    let text = text.trim();
    if is_expression(text) {
        text[2..text.len() - 1].trim()
    } else {
        text
    }
}

fn clip(text: &str) -> String {
    let mut kept: String = text.chars().take(300).collect();
    if kept.len() < text.len() {
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn scope() -> BTreeSet<String> {
        ["$context".to_owned(), "$input".to_owned()].into()
    }

    fn run(dialect: Dialect, source: &str, input: Value) -> Result<Value, String> {
        Expr::compile(source, dialect, &scope())?.eval(&input, &|name| json!({"named": name}))
    }

    fn strict(source: &str, input: Value) -> Result<Value, String> {
        run(Dialect::Strict, source, input)
    }

    #[test]
    fn compiled_expressions_can_be_shared_between_threads() {
        fn shared<T: Send + Sync>() {}
        shared::<Expr>();
    }

    #[test]
    fn plain_plumbing_works() {
        for (source, input, output) in [
            (".a + [1]", json!({}), json!([1])),
            ("${ .a.b }", json!({"a": {"b": 2.5}}), json!(2.5)),
            (
                "$context.named + $input.named",
                json!(1),
                json!("contextinput"),
            ),
            ("\"Hello \\(.n)!\"", json!({"n": "x"}), json!("Hello x!")),
            (
                "map(.q * .p) | add",
                json!([{"q": 2, "p": 3}, {"q": 1, "p": 4}]),
                json!(10),
            ),
            ("reduce .[] as $x (0; . + $x)", json!([1, 2, 3]), json!(6)),
            (
                "(.[] | select(.on)).n |= . + 1",
                json!([{"on": true, "n": 1}]),
                json!([{"on": true, "n": 2}]),
            ),
            (
                "del(.a) | to_entries",
                json!({"a": 1, "b": 2}),
                json!([{"key": "b", "value": 2}]),
            ),
            (
                "[.[] | tostring] | join(\",\")",
                json!([1, null]),
                json!("1,null"),
            ),
            (
                "[range(3)] | group_by(. % 2)",
                json!(0),
                json!([[0, 2], [1]]),
            ),
            (
                ". as {a: $x, b: [$y]} | $x + $y",
                json!({"a": 1, "b": [2]}),
                json!(3),
            ),
            ("[limit(2; .[])] | first", json!([7, 8, 9]), json!(7)),
            (".n | tonumber", json!({"n": "42"}), json!(42)),
            (
                "9007199254740993",
                json!(0),
                json!(9_007_199_254_740_993_i64),
            ),
            (
                ".x",
                json!({"x": 18_446_744_073_709_551_615_u64}),
                json!(18_446_744_073_709_551_615_u64),
            ),
            ("[paths]", json!({"a": [1]}), json!([["a"], ["a", 0]])),
            ("(.a // \"x\"), error", json!({}), json!("x")),
        ] {
            assert_eq!(strict(source, input), Ok(output), "{source}");
        }
    }

    #[test]
    fn a_missing_or_ill_typed_fact_never_orders() {
        for (source, input) in [
            (".amount <= 500", json!({})),
            (".amount <= 500", json!({"amount": null})),
            (".amount > 500", json!({"amount": "10"})),
            (".a.b.c < 3", json!({})),
            ("(.amount <= 500)? // true", json!({})),
            ("try (.amount <= 500) catch true", json!({})),
            ("any(.[]; . < 5)", json!([null])),
            (
                "if .amount >= 1 then 1 else 2 end",
                json!({"amount": false}),
            ),
        ] {
            let error = strict(source, input.clone()).unwrap_err();
            assert!(error.contains("cannot be ordered"), "{source}: {error}");
            assert!(run(Dialect::Spec, source, input).is_ok(), "{source}");
        }
        assert_eq!(
            strict(".amount <= 500", json!({"amount": 500})),
            Ok(json!(true))
        );
        assert_eq!(
            strict(".day < \"2026-02-01\"", json!({"day": "2026-01-31"})),
            Ok(json!(true))
        );
    }

    #[test]
    fn a_strict_condition_is_true_or_false() {
        let vip = |dialect| Expr::compile(".vip", dialect, &scope()).unwrap();
        let none = |_: &str| Value::Null;
        assert!(
            vip(Dialect::Strict)
                .test(&json!({}), &none)
                .unwrap_err()
                .contains("missing")
        );
        assert_eq!(vip(Dialect::Spec).test(&json!({}), &none), Ok(false));
        assert_eq!(
            vip(Dialect::Strict).test(&json!({"vip": true}), &none),
            Ok(true)
        );
    }

    #[test]
    fn what_reads_the_outside_or_recurses_is_refused_at_load() {
        for source in [
            "env",
            "$ENV.HOME",
            "now",
            "input",
            "[inputs]",
            "halt",
            "debug",
            "repeat(1)",
            "until(false; .)",
            "while(true; .)",
            "recurse(.)",
            "def f: f; f",
            "combinations(1000000000)",
            ".a *= 5",
            "localtime",
            "$unknown",
            "nosuch(1)",
            ".a[",
            "",
            "1 +",
            "\"a",
            "import \"x\" as x; .",
        ] {
            assert!(
                Expr::compile(source, Dialect::Spec, &scope()).is_err(),
                "{source}"
            );
        }
    }

    #[test]
    fn what_would_never_end_or_fill_memory_is_stopped() {
        for source in [
            "[range(infinite)]",
            "[range(infinite)?] | length",
            "range(infinite) | select(false)",
            "last(range(1e15))",
            "reduce range(1e9) as $i (0; . + 1)",
            "reduce range(100) as $i (\"x\"; . + .)",
            "reduce range(100) as $i ([1]; . + .)",
            "reduce range(100) as $i (1; [., .])",
            "reduce range(100) as $i ({}; .a = . | .b = .)",
            "reduce range(100000) as $i (1; [.])",
            "reduce range(100) as $i (7; . * .)",
            "\"x\" * 1000000000",
            "[range(1000)] | [.[] as $a | .[] as $b | .[] as $c | .[] as $d | select(false)]",
            "[range(2000) | tostring] | join([range(20000)] | tojson)",
            "[range(5000)] | map(\"x\") | add | gsub(\"x\"; [range(30000)] | tojson)",
            "[foreach range(infinite) as $i (0; .; empty)]",
            "try last(range(infinite)) catch 1",
            "first(range(infinite) | select(. < 0))",
        ] {
            let error = strict(source, json!(null)).unwrap_err();
            assert!(error.contains("stopped"), "{source}: {error}");
        }
    }

    #[test]
    fn deep_sources_and_deep_inputs_do_not_overflow_the_stack() {
        for source in [
            "(".repeat(3000),
            "-".repeat(3000),
            "[".repeat(3000),
            "try ".repeat(1000),
            ".|".repeat(2000),
        ] {
            assert!(Expr::compile(&source, Dialect::Strict, &scope()).is_err());
        }
        let text = format!("\"{}\" | fromjson", "[".repeat(3500));
        let _ = strict(&text, json!(null));
        let deep = "[".repeat(100_000);
        assert!(strict("fromjson", json!(deep)).is_err());
        assert!(strict("try tonumber catch 1", json!(deep)).is_ok());
    }

    #[test]
    fn no_value_is_an_error_and_of_many_the_first_counts() {
        assert!(strict("empty", json!(1)).unwrap_err().contains("no value"));
        assert_eq!(strict(".[]", json!([4, 5])), Ok(json!(4)));
    }
}
