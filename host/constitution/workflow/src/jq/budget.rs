//! The functions that count, and those that replace functions without a bound.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;

use jaq_core::native::{Fun, v};
use jaq_core::{DataT, Error, Exn, Lut, Native, RunPtr, ValXs, data::HasLut};
use jaq_json::{Num, Val};

use super::value;

/// Deepest value an expression may make.
const MAX_DEPTH: usize = 128;
/// Largest value an expression may make, in values and eighths of a character.
const MAX_COST: u64 = 400_000;

/// jaq over JSON values with a budget.
pub(super) struct Budgeted;

/// What one evaluation carries.
#[derive(Clone, Copy)]
pub(super) struct Run<'a> {
    pub(super) lut: &'a Lut<Budgeted>,
    pub(super) fuel: &'a Cell<u64>,
    pub(super) stop: &'a RefCell<Option<Stop>>,
}

/// Why an evaluation was stopped from outside.
pub(super) struct Stop(pub(super) String);

type Cv<'a> = jaq_core::Cv<'a, Budgeted>;
type Xs<'a> = ValXs<'a, Val>;

impl DataT for Budgeted {
    type V<'a> = Val;
    type Data<'a> = Run<'a>;
}

impl<'a> HasLut<'a, Budgeted> for Run<'a> {
    fn lut(&self) -> &'a Lut<Budgeted> {
        self.lut
    }
}

/// All functions that expressions can call.
pub(super) fn functions() -> impl Iterator<Item = Fun<Budgeted>> {
    let own: [(&'static str, _, RunPtr<Budgeted>); 9] = [
        ("polity_tick", v(0), |cv| charge(&cv, 1, Val::Null)),
        ("polity_guard", v(0), |cv| match cost(&cv.1) {
            Some(cost) => charge(&cv, cost, Val::Null),
            None => stopped(
                &cv,
                "it makes a value that is too large or too deep".to_owned(),
            ),
        }),
        ("polity_mul", v(2), |mut cv| {
            let right = cv.0.pop_var();
            let left = cv.0.pop_var();
            if let (Val::TStr(text) | Val::BStr(text), times)
            | (times, Val::TStr(text) | Val::BStr(text)) = (&left, &right)
                && text.len() as f64 * as_float(times) > MAX_COST as f64
            {
                return stopped(&cv, "it makes a text that is too long".to_owned());
            }
            Box::new(std::iter::once((left * right).map_err(Exn::from)))
        }),
        ("polity_lt", v(2), |cv| {
            ordered(cv, |order| order == Ordering::Less)
        }),
        ("polity_le", v(2), |cv| {
            ordered(cv, |order| order != Ordering::Greater)
        }),
        ("polity_gt", v(2), |cv| {
            ordered(cv, |order| order == Ordering::Greater)
        }),
        ("polity_ge", v(2), |cv| {
            ordered(cv, |order| order != Ordering::Less)
        }),
        ("polity_join", v(1), |mut cv| {
            let separator = cv.0.pop_var();
            join(&cv, &separator)
        }),
        ("fromjson", v(0), |cv| {
            let parsed = match &cv.1 {
                Val::TStr(text) => serde_json::from_slice::<serde_json::Value>(text)
                    .map_err(|error| error.to_string())
                    .and_then(|parsed| value::of(&parsed)),
                _ => Err("fromjson needs a string".to_owned()),
            };
            Box::new(std::iter::once(
                parsed.map_err(|error| Error::str(error).into()),
            ))
        }),
    ];
    jaq_core::funs()
        .chain(jaq_std::base_funs())
        .chain(jaq_std::extra_funs())
        .chain(jaq_json::funs())
        .filter(|(name, ..)| {
            !matches!(
                *name,
                "fromjson" | "env" | "now" | "halt" | "input" | "inputs"
            )
        })
        .chain(refusing())
        .chain(
            own.into_iter()
                .map(|(name, arity, run)| (name, arity, Native::<Budgeted>::new(run))),
        )
}

/// Library definitions name these functions, so the names must exist; the gate keeps every source from reaching them.
fn refusing() -> impl Iterator<Item = Fun<Budgeted>> {
    ["env", "now", "input", "inputs"]
        .into_iter()
        .map(|name| (name, v(0)))
        .chain([("halt", v(1))])
        .map(|(name, arity)| {
            let fail: RunPtr<Budgeted> = |_| {
                Box::new(std::iter::once(Err(Error::str(
                    "this function is not available",
                )
                .into())))
            };
            (name, arity, Native::<Budgeted>::new(fail))
        })
}

fn charge<'a>(cv: &Cv<'a>, cost: u64, answer: Val) -> Xs<'a> {
    let fuel = cv.0.data().fuel;
    match fuel.get().checked_sub(cost) {
        Some(left) => {
            fuel.set(left);
            Box::new(std::iter::once(Ok(answer)))
        }
        None => {
            fuel.set(0);
            stopped(cv, "it takes too many steps".to_owned())
        }
    }
}

/// Unwinds the evaluation. A halt, unlike an error, passes through `try`, `?` and `//`.
fn stopped<'a>(cv: &Cv<'a>, why: String) -> Xs<'a> {
    cv.0.data()
        .stop
        .borrow_mut()
        .get_or_insert_with(|| Stop(format!("the expression was stopped: {why}")));
    Box::new(std::iter::once(Err(Exn::halt(1))))
}

fn ordered<'a>(mut cv: Cv<'a>, holds: fn(Ordering) -> bool) -> Xs<'a> {
    let right = cv.0.pop_var();
    let left = cv.0.pop_var();
    match (&left, &right) {
        (Val::Num(_), Val::Num(_)) | (Val::TStr(_), Val::TStr(_)) => {
            Box::new(std::iter::once(Ok(Val::Bool(holds(left.cmp(&right))))))
        }
        _ => {
            let why = format!(
                "{} and {} cannot be ordered; check that the fact is there and is a number, or ask a decision table",
                kind(&left),
                kind(&right)
            );
            cv.0.data().stop.borrow_mut().get_or_insert(Stop(why));
            Box::new(std::iter::once(Err(Exn::halt(1))))
        }
    }
}

fn join<'a>(cv: &Cv<'a>, separator: &Val) -> Xs<'a> {
    let (Val::Arr(items), Val::TStr(separator)) = (&cv.1, separator) else {
        return Box::new(std::iter::once(Err(Error::str(
            "join needs an array and a string",
        )
        .into())));
    };
    let mut joined: Vec<u8> = Vec::new();
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            joined.extend_from_slice(separator);
        }
        match item {
            Val::TStr(text) => joined.extend_from_slice(text),
            Val::Null => {}
            Val::Bool(_) | Val::Num(_) => joined.extend_from_slice(item.to_string().as_bytes()),
            _ => {
                return Box::new(std::iter::once(Err(Error::str(
                    "join needs texts and numbers",
                )
                .into())));
            }
        }
        if joined.len() as u64 > MAX_COST {
            return stopped(cv, "it makes a text that is too long".to_owned());
        }
    }
    Box::new(std::iter::once(Ok(Val::utf8_str(joined))))
}

fn as_float(number: &Val) -> f64 {
    match number {
        Val::Num(Num::Int(int)) => *int as f64,
        Val::Num(Num::Float(float)) => *float,
        Val::Num(other) => other.to_string().parse().unwrap_or(f64::INFINITY),
        _ => 0.0,
    }
}

fn kind(value: &Val) -> &'static str {
    match value {
        Val::Null => "null",
        Val::Bool(_) => "a boolean",
        Val::Num(_) => "a number",
        Val::BStr(_) | Val::TStr(_) => "a string",
        Val::Arr(_) => "an array",
        Val::Obj(_) => "an object",
    }
}

/// What a value costs, counted as the tree that it prints as, however much of it is shared. `None` beyond the limits.
fn cost(value: &Val) -> Option<u64> {
    fn add(value: &Val, depth: usize, sum: &mut u64) -> Option<()> {
        let own = match value {
            Val::TStr(text) | Val::BStr(text) => 1 + text.len() as u64 / 8,
            Val::Num(Num::BigInt(big)) => 1 + big.bits() / 8,
            Val::Num(Num::Dec(digits)) => 1 + digits.len() as u64 / 8,
            _ => 1,
        };
        *sum += own;
        if *sum > MAX_COST || depth > MAX_DEPTH {
            return None;
        }
        match value {
            Val::Arr(items) => items.iter().try_for_each(|item| add(item, depth + 1, sum)),
            Val::Obj(fields) => fields.iter().try_for_each(|(name, field)| {
                add(name, depth + 1, sum)?;
                add(field, depth + 1, sum)
            }),
            _ => Some(()),
        }
    }
    let mut sum = 0;
    add(value, 0, &mut sum).map(|()| sum)
}
