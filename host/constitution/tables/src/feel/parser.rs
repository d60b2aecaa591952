//! Tokens to trees, by recursive descent. Depth and the number of operators are bounded, because trees are walked by
//! recursion later and a cell may come from anywhere.

use std::sync::Arc;

use super::ast::{Argument, Arithmetic, Comparison, Ends, Expr, Test};
use super::eval::temporal_literal;
use super::lexer::{Token, is_part, tokens};
use crate::value::Value;

const MAX_DEPTH: usize = 48;
const MAX_OPERATORS: usize = 256;

/// Why a text is no expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// The byte where it ceases to make sense.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// Whether it is FEEL, but of a part that is not carried out here.
    pub unsupported: bool,
}

impl SyntaxError {
    pub(super) fn new(at: usize, message: String) -> Self {
        Self {
            at,
            message,
            unsupported: false,
        }
    }
}

/// Reads an expression. `names` are those that are no plain words.
///
/// # Errors
/// The place where the text ceases to be an expression, and why.
pub fn parse_expression(text: &str, names: &[Arc<str>]) -> Result<Expr, SyntaxError> {
    let mut parser = Parser::of(text, names)?;
    let expr = parser.expr()?;
    parser.end()?;
    Ok(expr)
}

/// Reads the unary tests of a cell.
///
/// # Errors
/// The place where the text ceases to be tests, and why.
pub fn parse_tests(text: &str, names: &[Arc<str>]) -> Result<Vec<Test>, SyntaxError> {
    let trimmed = text.trim();
    if trimmed == "-" || trimmed == "–" {
        return Ok(vec![Test::Any]);
    }
    let mut parser = Parser::of(text, names)?;
    let tests = parser.tests()?;
    parser.end()?;
    Ok(tests)
}

struct Parser {
    tokens: Vec<(Token, usize)>,
    at: usize,
    end: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    fn of(text: &str, names: &[Arc<str>]) -> Result<Self, SyntaxError> {
        Ok(Self {
            tokens: tokens(text, names)?,
            at: 0,
            end: text.len(),
            depth: 0,
            operators: 0,
        })
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn is_sign(&self, sign: &str) -> bool {
        matches!(self.peek(), Some(Token::Sign(found)) if *found == sign)
    }

    fn is_word(&self, word: &str) -> bool {
        matches!(self.peek(), Some(Token::Name(found)) if &**found == word)
    }

    fn eat(&mut self, sign: &str) -> bool {
        let found = self.is_sign(sign);
        self.at += usize::from(found);
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, sign: &str) -> Result<(), SyntaxError> {
        if self.eat(sign) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("\"{sign}\"")))
        }
    }

    fn expect_word(&mut self, word: &str) -> Result<(), SyntaxError> {
        if self.eat_word(word) {
            Ok(())
        } else {
            Err(self.unexpected(&format!("\"{word}\"")))
        }
    }

    fn place(&self) -> usize {
        self.tokens.get(self.at).map_or(self.end, |(_, at)| *at)
    }

    fn unexpected(&self, wanted: &str) -> SyntaxError {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Number(number)) => number.to_string(),
            Some(Token::String(text) | Token::At(text)) => format!("\"{text}\""),
            Some(Token::Name(name)) => name.to_string(),
            Some(Token::Sign(sign)) => format!("\"{sign}\""),
        };
        SyntaxError::new(
            self.place(),
            format!("{wanted} is expected here, found {found}"),
        )
    }

    fn end(&self) -> Result<(), SyntaxError> {
        if self.at == self.tokens.len() {
            Ok(())
        } else {
            Err(self.unexpected("the end"))
        }
    }

    fn operator(&mut self) -> Result<(), SyntaxError> {
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            return Err(SyntaxError::new(
                self.place(),
                format!("this has more than {MAX_OPERATORS} operators"),
            ));
        }
        Ok(())
    }

    fn nested<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, SyntaxError>,
    ) -> Result<T, SyntaxError> {
        if self.depth >= MAX_DEPTH {
            return Err(SyntaxError::new(
                self.place(),
                format!("this is nested more than {MAX_DEPTH} deep"),
            ));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn tests(&mut self) -> Result<Vec<Test>, SyntaxError> {
        let mut tests = vec![self.test()?];
        while self.eat(",") {
            tests.push(self.test()?);
        }
        Ok(tests)
    }

    fn test(&mut self) -> Result<Test, SyntaxError> {
        if self.is_sign("-")
            && matches!(
                self.tokens.get(self.at + 1),
                None | Some((Token::Sign("," | ")"), _))
            )
        {
            self.at += 1;
            return Ok(Test::Any);
        }
        if self.is_word("not")
            && matches!(self.tokens.get(self.at + 1), Some((Token::Sign("("), _)))
        {
            self.at += 2;
            let tests = self.nested(Self::tests)?;
            self.expect(")")?;
            return Ok(Test::Not(tests));
        }
        for (sign, comparison) in COMPARISONS {
            if self.eat(sign) {
                return Ok(Test::Compare(comparison, self.nested(Self::sum)?));
            }
        }
        Ok(match self.expr()? {
            Expr::Range(ends) => Test::Within(*ends),
            expr => {
                let mut asks = false;
                expr.each_name(&mut |name| asks |= name == "?");
                if asks {
                    Test::Condition(expr)
                } else {
                    Test::Equal(expr)
                }
            }
        })
    }

    fn expr(&mut self) -> Result<Expr, SyntaxError> {
        self.nested(|parser| {
            if parser.eat_word("if") {
                let condition = parser.expr()?;
                parser.expect_word("then")?;
                let then = parser.expr()?;
                parser.expect_word("else")?;
                let otherwise = parser.expr()?;
                return Ok(Expr::If(
                    Box::new(condition),
                    Box::new(then),
                    Box::new(otherwise),
                ));
            }
            parser.or()
        })
    }

    fn or(&mut self) -> Result<Expr, SyntaxError> {
        let mut left = self.and()?;
        while self.eat_word("or") {
            self.operator()?;
            left = Expr::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expr, SyntaxError> {
        let mut left = self.comparison()?;
        while self.eat_word("and") {
            self.operator()?;
            left = Expr::And(Box::new(left), Box::new(self.comparison()?));
        }
        Ok(left)
    }

    fn comparison(&mut self) -> Result<Expr, SyntaxError> {
        let mut left = self.sum()?;
        loop {
            if let Some((sign, comparison)) =
                COMPARISONS.into_iter().find(|(sign, _)| self.is_sign(sign))
            {
                self.expect(sign)?;
                self.operator()?;
                left = Expr::Compare(comparison, Box::new(left), Box::new(self.sum()?));
            } else if self.eat_word("between") {
                self.operator()?;
                let low = self.sum()?;
                self.expect_word("and")?;
                let ends = Ends {
                    low,
                    low_closed: true,
                    high: self.sum()?,
                    high_closed: true,
                };
                left = Expr::In(Box::new(left), vec![Test::Within(ends)]);
            } else if self.eat_word("in") {
                self.operator()?;
                left = Expr::In(Box::new(left), self.nested(Self::members)?);
            } else {
                return Ok(left);
            }
        }
    }

    /// What follows `in`: one test, or several in parentheses, or an interval that begins with one.
    fn members(&mut self) -> Result<Vec<Test>, SyntaxError> {
        if !self.eat("(") {
            return Ok(vec![self.test()?]);
        }
        let mut tests = vec![self.test()?];
        if let (true, [Test::Equal(low)]) = (self.is_sign(".."), tests.as_slice()) {
            let low = low.clone();
            return Ok(vec![Test::Within(self.rest_of_range(low, false)?)]);
        }
        while self.eat(",") {
            tests.push(self.test()?);
        }
        self.expect(")")?;
        Ok(tests)
    }

    fn sum(&mut self) -> Result<Expr, SyntaxError> {
        let mut left = self.product()?;
        loop {
            let operator = if self.eat("+") {
                Arithmetic::Add
            } else if self.eat("-") {
                Arithmetic::Subtract
            } else {
                return Ok(left);
            };
            self.operator()?;
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expr, SyntaxError> {
        let mut left = self.power()?;
        loop {
            let operator = if self.eat("*") {
                Arithmetic::Multiply
            } else if self.eat("/") {
                Arithmetic::Divide
            } else {
                return Ok(left);
            };
            self.operator()?;
            left = Expr::Arithmetic(operator, Box::new(left), Box::new(self.power()?));
        }
    }

    fn power(&mut self) -> Result<Expr, SyntaxError> {
        let mut left = self.unary()?;
        while self.eat("**") {
            self.operator()?;
            left = Expr::Arithmetic(Arithmetic::Power, Box::new(left), Box::new(self.unary()?));
        }
        Ok(left)
    }

    fn unary(&mut self) -> Result<Expr, SyntaxError> {
        if self.eat("-") {
            return Ok(match self.nested(Self::unary)? {
                Expr::Literal(Value::Number(number)) => Expr::Literal(Value::Number(-number)),
                expr => Expr::Negate(Box::new(expr)),
            });
        }
        self.postfix()
    }

    fn postfix(&mut self) -> Result<Expr, SyntaxError> {
        let mut expr = self.primary()?;
        loop {
            if self.eat(".") {
                self.operator()?;
                match self.peek() {
                    Some(Token::Name(name)) => expr = Expr::Path(Box::new(expr), name.clone()),
                    _ => return Err(self.unexpected("a field's name")),
                }
                self.at += 1;
            } else if self.is_sign("(") && matches!(expr, Expr::Name(_) | Expr::Path(..)) {
                self.at += 1;
                self.operator()?;
                expr = Expr::Call(Box::new(expr), self.nested(Self::arguments)?);
            } else if self.is_sign("[") && !matches!(expr, Expr::Literal(_)) {
                self.at += 1;
                self.operator()?;
                let condition = self.expr()?;
                self.expect("]")?;
                expr = Expr::Filter(Box::new(expr), Box::new(condition));
            } else {
                return Ok(expr);
            }
        }
    }

    fn arguments(&mut self) -> Result<Vec<Argument>, SyntaxError> {
        let mut arguments = Vec::new();
        while !self.eat(")") {
            if !arguments.is_empty() {
                self.expect(",")?;
            }
            let named = match (self.peek(), self.tokens.get(self.at + 1)) {
                (Some(Token::Name(name)), Some((Token::Sign(":"), _))) => Some(name.clone()),
                _ => None,
            };
            self.at += if named.is_some() { 2 } else { 0 };
            arguments.push((named, self.expr()?));
        }
        Ok(arguments)
    }

    fn primary(&mut self) -> Result<Expr, SyntaxError> {
        let place = self.place();
        let Some(token) = self.peek().cloned() else {
            return Err(self.unexpected("a value"));
        };
        self.at += 1;
        match token {
            Token::Number(number) => Ok(Expr::Literal(Value::Number(number))),
            Token::String(text) => Ok(Expr::Literal(Value::String(text))),
            Token::At(text) => temporal_literal(&text).map(Expr::Literal).ok_or_else(|| {
                SyntaxError::new(place, format!("@\"{text}\" is no date, time or duration"))
            }),
            Token::Name(name) => match &*name {
                "true" => Ok(Expr::Literal(Value::Boolean(true))),
                "false" => Ok(Expr::Literal(Value::Boolean(false))),
                "null" => Ok(Expr::Literal(Value::Null)),
                "for" | "some" | "every" | "function" | "instance" | "external" => {
                    Err(SyntaxError {
                        unsupported: true,
                        ..SyntaxError::new(
                            place,
                            format!("\"{name}\" is not carried out in tables"),
                        )
                    })
                }
                _ => Ok(Expr::Name(name)),
            },
            Token::Sign("?") => Ok(Expr::Name(Arc::from("?"))),
            Token::Sign("(") => {
                let inner = self.expr()?;
                if self.is_sign("..") {
                    return Ok(Expr::Range(Box::new(self.rest_of_range(inner, false)?)));
                }
                self.expect(")")?;
                Ok(inner)
            }
            Token::Sign("]") => {
                let low = self.expr()?;
                Ok(Expr::Range(Box::new(self.rest_of_range(low, false)?)))
            }
            Token::Sign("[") => self.list(),
            Token::Sign("{") => self.context(),
            _ => {
                self.at -= 1;
                Err(self.unexpected("a value"))
            }
        }
    }

    fn list(&mut self) -> Result<Expr, SyntaxError> {
        if self.eat("]") {
            return Ok(Expr::List(Vec::new()));
        }
        let first = self.expr()?;
        if self.is_sign("..") {
            return Ok(Expr::Range(Box::new(self.rest_of_range(first, true)?)));
        }
        let mut items = vec![first];
        while self.eat(",") {
            items.push(self.expr()?);
        }
        self.expect("]")?;
        Ok(Expr::List(items))
    }

    fn rest_of_range(&mut self, low: Expr, low_closed: bool) -> Result<Ends, SyntaxError> {
        self.expect("..")?;
        let high = self.expr()?;
        let high_closed = self.eat("]");
        if !high_closed && !self.eat(")") {
            self.expect("[")?;
        }
        Ok(Ends {
            low,
            low_closed,
            high,
            high_closed,
        })
    }

    fn context(&mut self) -> Result<Expr, SyntaxError> {
        let mut fields = Vec::new();
        while !self.eat("}") {
            if !fields.is_empty() {
                self.expect(",")?;
            }
            let name = match self.peek() {
                Some(Token::Name(name) | Token::String(name)) => name.clone(),
                _ => return Err(self.unexpected("a field's name")),
            };
            self.at += 1;
            self.expect(":")?;
            fields.push((name, self.expr()?));
        }
        Ok(Expr::Context(fields))
    }
}

const COMPARISONS: [(&str, Comparison); 6] = [
    ("<=", Comparison::LessOrEqual),
    (">=", Comparison::GreaterOrEqual),
    ("!=", Comparison::NotEqual),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
    ("=", Comparison::Equal),
];

/// Whether a name can be written without telling the lexer about it.
pub(crate) fn is_plain_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && name.chars().all(is_part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn tests_of(text: &str) -> Vec<Test> {
        parse_tests(text, &[]).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn the_usual_cells_are_read() {
        assert_eq!(tests_of(" - "), [Test::Any]);
        assert_eq!(tests_of("<18,>=60").len(), 2);
        assert!(matches!(&tests_of("not(\"a\", \"b\")")[..], [Test::Not(of)] if of.len() == 2));
        for (text, closed) in [
            ("[18..21]", (true, true)),
            ("(18..21)", (false, false)),
            ("]18..21[", (false, false)),
            ("[80..90)", (true, false)),
        ] {
            match &tests_of(text)[..] {
                [Test::Within(ends)] => {
                    assert_eq!((ends.low_closed, ends.high_closed), closed, "{text}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
        assert!(matches!(
            &tests_of("-5")[..],
            [Test::Equal(Expr::Literal(Value::Number(_)))]
        ));
        assert!(matches!(
            &tests_of("? > 5 and ? < a")[..],
            [Test::Condition(_)]
        ));
        assert!(matches!(
            &tests_of("date(\"2016-10-01\")")[..],
            [Test::Equal(Expr::Call(..))]
        ));
    }

    #[test]
    fn names_with_spaces_and_signs_are_read_when_they_are_known() {
        let names: Vec<Arc<str>> = ["Pre-bureau risk category", "Pre-bureau", "risk"]
            .map(Arc::from)
            .into();
        let expr = parse_expression("Pre-bureau risk category.a - risk", &names).unwrap();
        assert!(
            matches!(expr, Expr::Arithmetic(Arithmetic::Subtract, left, _) if matches!(&*left, Expr::Path(of, _) if matches!(&**of, Expr::Name(name) if &**name == "Pre-bureau risk category")))
        );
    }

    #[test]
    fn deep_and_endless_texts_are_refused() {
        for text in [
            "(".repeat(20_000),
            "[".repeat(20_000),
            "-".repeat(20_000),
            format!("1{}", "+1".repeat(20_000)),
            "not(".repeat(9000),
            format!("a{}", ".a".repeat(9000)),
            "if ".repeat(9000),
        ] {
            assert!(parse_tests(&text, &[]).is_err());
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(text in "[-<>=!a-c0-9\"\\[\\](){}.,:?*/@ \\\\]{0,40}|\\PC{0,30}") {
            let _ = parse_tests(&text, &[Arc::from("a b")]);
        }
    }
}
