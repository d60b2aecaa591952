//! SQL text to one statement of the kinds the engine carries out.

use sqlparser::ast::Statement;
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

use super::normal;
use crate::error::EngineError;

/// Parses one statement.
pub(crate) fn parse(sql: &str) -> Result<Statement, EngineError> {
    let syntax = |reason: String| EngineError::Syntax { reason };
    if sql.len() > normal::MAX_SQL {
        return Err(syntax(format!(
            "the text has {} bytes and the limit is {}; put values into parameters",
            sql.len(),
            normal::MAX_SQL
        )));
    }
    if let Some(limit) = normal::too_deep(sql) {
        return Err(syntax(format!(
            "more than {limit} operators in one statement; use IN (…) for long lists of alternatives"
        )));
    }
    let mut statements =
        Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| syntax(error.to_string()))?;
    match (statements.pop(), statements.is_empty()) {
        (Some(statement), true) => Ok(statement),
        (None, _) => Err(syntax("the text is empty".to_owned())),
        _ => Err(syntax("one statement at a time".to_owned())),
    }
}
