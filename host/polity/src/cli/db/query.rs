//! `polity db query`: one statement, its rows.

use std::io::{self, BufWriter, Write};

use clap::Args;
use reqwest::Method;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::answer::{Cell, Row, csv, plain};
use crate::cli::Context;
use crate::cli::argument::text;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, Host, broken};
use crate::cli::out::{say, write_table};
use crate::cli::report::Report;
use crate::cli::table::Table;
use crate::cli::text::count;

/// Ask or change records in SQL.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db query 'SELECT * FROM orders WHERE customer = $1' --param ada
  polity db query @report.sql --csv > report.csv
  polity db query 'UPDATE orders SET paid = true WHERE id = $1' --param 7")]
pub(crate) struct QueryArgs {
    /// One statement in PostgreSQL's dialect; @FILE reads a file, - standard input.
    sql: String,

    /// The value of $1, then of $2, and so on: JSON, or else a text.
    #[arg(
        short,
        long = "param",
        value_name = "VALUE",
        allow_hyphen_values = true
    )]
    params: Vec<String>,

    /// How many rows at most [default: 1000, and all with --csv].
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,

    /// Write lines of CSV as they come.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

/// The answer in one document.
#[derive(Deserialize, Serialize)]
struct Answer {
    columns: Vec<String>,
    rows: Vec<Row>,
    more: bool,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    changed: Option<u64>,
    examined: u64,
    took_us: u64,
    decision_id: String,
}

/// What stands on a line of a stream that is no row.
#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    columns: Option<Vec<String>>,
    #[serde(default)]
    error: Option<Value>,
}

pub(super) async fn run(args: &QueryArgs, context: &Context) -> Result<Exit, Report> {
    let mut request = json!({
        "sql": text("the statement", &args.sql)?,
        "params": args.params.iter().map(|param| value(param)).collect::<Vec<_>>(),
    });
    if let Some(limit) = args.limit {
        request["limit"] = limit.into();
    }
    let host = context.host()?;
    if args.csv {
        return stream(&host, &request).await;
    }
    let response = host
        .send(Method::POST, &["api", "query"], &[], Body::Json(&request))
        .await?;
    let bytes = response.bytes().await.map_err(|error| broken(&error))?;
    let answer: Answer = serde_json::from_slice(&bytes)
        .map_err(|error| Report::new("the host's answer is not understood").because(error))?;
    context.out.show(&answer, |out| tell(out, &answer))?;
    if answer.more && !context.out.json {
        say(format_args!(
            "There are more rows than these {}: --limit N shows more, --csv all.",
            answer.rows.len()
        ));
    }
    Ok(Exit::Ok)
}

/// JSON if it is JSON, else a text. A number with many digits stays what it is.
fn value(param: &str) -> Box<RawValue> {
    RawValue::from_string(param.trim().to_owned())
        .or_else(|_| RawValue::from_string(json!(param).to_string()))
        .unwrap_or_else(|_| RawValue::NULL.to_owned())
}

fn tell(out: &mut dyn Write, answer: &Answer) -> io::Result<()> {
    if let Some(changed) = answer.changed {
        return writeln!(out, "{} changed", count(changed, "document"));
    }
    let mut table = Table::of(answer.columns.clone());
    for row in &answer.rows {
        table.cells(row.iter().map(|value| plain(value)).collect());
    }
    write_table(out, &table)
}

async fn stream(host: &Host, request: &Value) -> Result<Exit, Report> {
    let accept = vec![("accept", "application/x-ndjson".to_owned())];
    let body = Body::Bytes("application/json", request.to_string().into_bytes(), accept);
    let mut response = host
        .send(Method::POST, &["api", "query"], &[], body)
        .await?;
    let mut out = BufWriter::new(io::stdout().lock());
    let (mut rest, mut ended) = (Vec::new(), false);
    while let Some(chunk) = response.chunk().await.map_err(|error| broken(&error))? {
        rest.extend_from_slice(&chunk);
        let Some(last) = rest.iter().rposition(|byte| *byte == b'\n') else {
            continue;
        };
        let lines: Vec<u8> = rest.drain(..=last).collect();
        for line in lines
            .split(|byte| *byte == b'\n')
            .filter(|line| !line.is_empty())
        {
            ended |= write_line(&mut out, line)?;
        }
    }
    out.flush()?;
    if ended {
        Ok(Exit::Ok)
    } else {
        Err(Report::new("the answer broke off").because("its last line is missing"))
    }
}

/// Returns whether it was the last line.
fn write_line(out: &mut impl Write, line: &[u8]) -> Result<bool, Report> {
    let foreign = |error| Report::new("the host's answer is not understood").because(error);
    if line.starts_with(b"[") {
        let row: Row = serde_json::from_slice(line).map_err(foreign)?;
        let cells = row.iter().map(|value| Cell::Value(value));
        out.write_all(csv(cells).as_bytes())?;
        return Ok(false);
    }
    let line: Line = serde_json::from_slice(line).map_err(foreign)?;
    if let Some(error) = line.error {
        out.flush()?;
        let detail = error["detail"]
            .as_str()
            .unwrap_or("the host does not say why");
        return Err(Report::new("the answer was stopped before its end").because(detail));
    }
    let Some(columns) = line.columns else {
        return Ok(true);
    };
    if !columns.is_empty() {
        let cells = columns.iter().map(|name| Cell::Name(name));
        out.write_all(csv(cells).as_bytes())?;
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_is_json_or_else_a_text() {
        for (param, sent) in [
            ("7", "7"),
            ("12.50", "12.50"),
            ("true", "true"),
            ("ada", "\"ada\""),
            ("007", "\"007\""),
            ("\"7\"", "\"7\""),
            ("x' OR '1'='1", "\"x' OR '1'='1\""),
        ] {
            assert_eq!(value(param).get(), sent);
        }
    }
}
