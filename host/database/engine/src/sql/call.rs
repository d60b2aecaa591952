//! Calls of functions and aggregates.

use sqlparser::ast;

use super::bind::{Binder, Bound, big, name_of, place};
use super::expr::{AggregateCall, Cast, Expr};
use super::functions::{self, Function};
use crate::catalogue::{AggregateKind, Type};
use crate::error::EngineError;

impl Binder {
    pub(super) fn call(&mut self, function: Function, arguments: &[ast::Expr]) -> Bound {
        let (mut list, mut types) = (Vec::new(), Vec::new());
        for argument in arguments {
            let (e, t) = self.expr(argument)?;
            list.push(e);
            types.push(t.ty);
        }
        let ty = function.result(&types);
        if function.joins_arguments() && matches!(ty, Type::Dec | Type::Float) {
            list = list
                .into_iter()
                .map(|e| Expr::Cast(Box::new(e), Cast::To(ty)))
                .collect();
        }
        Ok((Expr::Call(function, list), big(ty)))
    }

    pub(super) fn function(&mut self, function: &ast::Function, whole: &ast::Expr) -> Bound {
        let name = match &function.name.0[..] {
            [ast::ObjectNamePart::Identifier(ident)] => name_of(ident),
            _ => function.name.to_string(),
        };
        let refuse = |part: String| Err(EngineError::unsupported(part, place(whole)));
        if function.over.is_some() {
            return refuse(format!("a window function, {name} OVER"));
        }
        if !function.within_group.is_empty() || function.null_treatment.is_some() {
            return refuse(format!("the clause behind {name}(…)"));
        }
        let ast::FunctionArguments::List(list) = &function.args else {
            return refuse(format!("{name} without a list of arguments"));
        };
        if !list.clauses.is_empty() {
            return refuse(format!("a clause inside {name}(…)"));
        }
        let distinct = matches!(
            list.duplicate_treatment,
            Some(ast::DuplicateTreatment::Distinct)
        );
        let (mut arguments, mut star) = (Vec::new(), false);
        for argument in &list.args {
            match argument {
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(e)) => {
                    arguments.push(e.clone())
                }
                ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) => star = true,
                other => return refuse(format!("the argument {other}")),
            }
        }
        let aggregate = match name.as_str() {
            "count" => Some(AggregateKind::Count),
            "sum" => Some(AggregateKind::Sum),
            "avg" => Some(AggregateKind::Avg),
            "min" => Some(AggregateKind::Min),
            "max" => Some(AggregateKind::Max),
            "bool_and" | "every" => Some(AggregateKind::BoolAnd),
            "bool_or" => Some(AggregateKind::BoolOr),
            _ => None,
        };
        if let Some(kind) = aggregate {
            return self.aggregate(
                kind,
                &arguments,
                star,
                distinct,
                function.filter.as_deref(),
                whole,
            );
        }
        if star || distinct || function.filter.is_some() {
            return refuse(format!("this way to call {name}"));
        }
        match functions::NAMES.iter().find(|(n, ..)| *n == name) {
            Some((_, function, count)) if count.contains(&arguments.len()) => {
                self.call(*function, &arguments)
            }
            Some((_, _, count)) => Err(EngineError::Invalid {
                reason: format!(
                    "{name} takes {} to {} arguments",
                    count.start(),
                    count.end()
                ),
                at: place(whole),
            }),
            None => Err(
                EngineError::unsupported(format!("the function {name}"), place(whole)).with_hint(
                    "there are count, sum, avg, min, max and the functions of text and numbers",
                ),
            ),
        }
    }

    fn aggregate(
        &mut self,
        kind: AggregateKind,
        arguments: &[ast::Expr],
        star: bool,
        distinct: bool,
        filter: Option<&ast::Expr>,
        whole: &ast::Expr,
    ) -> Bound {
        let wrong = |reason: String| {
            Err(EngineError::Invalid {
                reason,
                at: place(whole),
            })
        };
        if !self.allow_aggregates {
            return wrong(format!("{whole} is an aggregate and is not allowed here"));
        }
        if star != (kind == AggregateKind::Count && arguments.is_empty())
            || arguments.len() + usize::from(star) != 1
        {
            return wrong(format!("{whole}: an aggregate takes one argument"));
        }
        self.allow_aggregates = false;
        let argument = arguments.first().map(|e| self.expr(e)).transpose();
        let filter = filter.map(|e| self.condition(e)).transpose();
        self.allow_aggregates = true;
        let (argument, filter) = (argument?, filter?);
        let typed = argument.as_ref().map_or(big(Type::Int), |(_, t)| *t);
        if matches!(kind, AggregateKind::Sum | AggregateKind::Avg)
            && matches!(typed.ty, Type::Text | Type::Bool | Type::Json)
        {
            return wrong(format!(
                "{whole} needs numbers and its argument is {}",
                typed.ty
            ));
        }
        let ty = match kind {
            AggregateKind::Count => Type::Int,
            AggregateKind::Sum if typed.small => Type::Int,
            AggregateKind::Sum | AggregateKind::Avg if typed.ty == Type::Float => Type::Float,
            AggregateKind::Sum | AggregateKind::Avg => Type::Dec,
            AggregateKind::Min | AggregateKind::Max => typed.ty,
            AggregateKind::BoolAnd | AggregateKind::BoolOr => Type::Bool,
        };
        let call = AggregateCall {
            kind,
            argument: argument.map(|(e, _)| e),
            distinct,
            filter,
            stays_int: typed.small && kind == AggregateKind::Sum,
        };
        let index = self
            .aggregates
            .iter()
            .position(|a| *a == call)
            .unwrap_or_else(|| {
                self.aggregates.push(call);
                self.aggregate_types.push(ty);
                self.aggregates.len() - 1
            });
        Ok((Expr::Aggregate(index), big(ty)))
    }
}
