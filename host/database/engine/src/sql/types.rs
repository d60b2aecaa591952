//! Literals and casts, and what a literal becomes beside a value of a known type.

use sqlparser::ast;

use super::bind::{Bound, Typed, big, place};
use super::expr::{Cast, Expr};
use super::functions;
use crate::catalogue::Type;
use crate::error::EngineError;
use crate::value::{Decimal, Value};

/// A text literal beside a number is read as a number, as PostgreSQL does with untyped literals.
pub(super) fn comparable(
    a: (Expr, Typed),
    b: (Expr, Typed),
    at: &ast::Expr,
) -> Result<(Expr, Expr), EngineError> {
    let adapt = |e: Expr, other: Type| -> Result<Expr, EngineError> {
        let literal = matches!(&e, Expr::Const(Value::Text(_)));
        if literal && (other.is_number() || other == Type::Bool) {
            let to = if other == Type::Int { Type::Dec } else { other };
            let Expr::Const(value) = e else { return Ok(e) };
            return super::eval::cast(value, Cast::To(to)).map(Expr::Const);
        }
        Ok(match (e, other) {
            // A parameter's type is known only when it is given.
            (e @ Expr::Param(_), Type::Int | Type::Dec) => {
                Expr::Cast(Box::new(e), Cast::To(Type::Dec))
            }
            (e @ Expr::Param(_), Type::Float) => Expr::Cast(Box::new(e), Cast::To(Type::Float)),
            (e, _) => e,
        })
    };
    let (left, right) = ((a.0, a.1.ty), (b.0, b.1.ty));
    let (x, y) = (adapt(left.0, right.1)?, adapt(right.0, left.1)?);
    let class = |t: Type| match t {
        Type::Unknown | Type::Mixed => 0,
        Type::Bool => 1,
        Type::Int | Type::Dec | Type::Float => 2,
        Type::Text => 3,
        Type::Json => 4,
    };
    let constant = x.is_constant() || y.is_constant();
    let (cx, cy) = (class(left.1), class(right.1));
    if cx != 0 && cy != 0 && cx != cy && !constant {
        return Err(EngineError::Invalid {
            reason: format!(
                "{} does not compare with {}: cast one of them",
                left.1, right.1
            ),
            at: place(at),
        });
    }
    Ok((x, y))
}

pub(super) fn as_number(e: Expr, t: Typed, other: Typed) -> (Expr, Typed) {
    match &e {
        Expr::Const(Value::Text(text)) if other.ty.is_number() => match Decimal::parse(text.trim())
        {
            Some(d) if other.ty == Type::Int => (
                Expr::Const(d.to_i64_exact().map_or(Value::Dec(d), Value::Int)),
                other,
            ),
            Some(d) => (Expr::Const(Value::Dec(d)), big(Type::Dec)),
            None => (e, t),
        },
        _ => (e, t),
    }
}

pub(super) fn literal(value: &ast::ValueWithSpan) -> Bound {
    use ast::Value as V;
    Ok(match &value.value {
        V::Number(text, _) => match text.parse::<i64>() {
            Ok(i) => (
                Expr::Const(Value::Int(i)),
                Typed {
                    ty: Type::Int,
                    small: i32::try_from(i).is_ok(),
                },
            ),
            Err(_) => match Decimal::parse(text) {
                Some(d) => (Expr::Const(Value::Dec(d)), big(Type::Dec)),
                None => return Err(functions::range()),
            },
        },
        V::SingleQuotedString(text) | V::EscapedStringLiteral(text) => {
            (Expr::Const(Value::from(text.as_str())), big(Type::Text))
        }
        V::DollarQuotedString(text) => (
            Expr::Const(Value::from(text.value.as_str())),
            big(Type::Text),
        ),
        V::Boolean(b) => (Expr::Const(Value::Bool(*b)), big(Type::Bool)),
        V::Null => (Expr::Const(Value::Null), big(Type::Unknown)),
        V::Placeholder(text) => {
            let number = text
                .strip_prefix('$')
                .and_then(|n| n.parse::<usize>().ok())
                .filter(|n| (1..=65_535).contains(n));
            match number {
                Some(n) => (Expr::Param(n - 1), big(Type::Unknown)),
                None => {
                    return Err(EngineError::unsupported(
                        format!("the parameter {text}"),
                        place(value),
                    )
                    .with_hint("write $1, $2…"));
                }
            }
        }
        other => {
            return Err(EngineError::unsupported(
                format!("the literal {other}"),
                place(value),
            ));
        }
    })
}

pub(super) fn cast_type(
    data_type: &ast::DataType,
    whole: &ast::Expr,
) -> Result<(Cast, Typed), EngineError> {
    use ast::{DataType as D, ExactNumberInfo as N};
    let to = |t: Type| Ok((Cast::To(t), big(t)));
    match data_type {
        D::Int(_) | D::Integer(_) | D::SmallInt(_) | D::Int2(_) | D::Int4(_) => Ok((
            Cast::To(Type::Int),
            Typed {
                ty: Type::Int,
                small: true,
            },
        )),
        D::BigInt(_) | D::Int8(_) => to(Type::Int),
        D::Numeric(N::None) | D::Decimal(N::None) | D::Dec(N::None) => to(Type::Dec),
        D::Numeric(N::Precision(_)) | D::Decimal(N::Precision(_)) => {
            Ok((Cast::Scale(0), big(Type::Dec)))
        }
        D::Numeric(N::PrecisionAndScale(_, s)) | D::Decimal(N::PrecisionAndScale(_, s)) => {
            let scale = i32::try_from(*s).unwrap_or(i32::MAX);
            Ok((Cast::Scale(scale), big(Type::Dec)))
        }
        D::Float(_) | D::Float8 | D::DoublePrecision | D::Double(_) => to(Type::Float),
        D::Text => to(Type::Text),
        D::Varchar(None) | D::CharacterVarying(None) => to(Type::Text),
        D::Varchar(Some(ast::CharacterLength::IntegerLength { length, .. })) => Ok((
            Cast::Length(usize::try_from(*length).unwrap_or(usize::MAX)),
            big(Type::Text),
        )),
        D::Boolean | D::Bool => to(Type::Bool),
        D::JSON | D::JSONB => to(Type::Json),
        other => Err(
            EngineError::unsupported(format!("a cast to {other}"), place(whole)).with_hint(
                "there are bigint, numeric, double precision, text, varchar(n), boolean, jsonb",
            ),
        ),
    }
}
