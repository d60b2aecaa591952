//! `polity db insert`: documents from the command line.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use crate::cli::Context;
use crate::cli::argument::text;
use crate::cli::exit::Exit;
use crate::cli::host::{Body, broken};
use crate::cli::report::Report;
use crate::cli::text::{count, one_line};

/// Insert one document, or several.
#[derive(Args, Debug)]
#[command(before_help = "\
Examples:
  polity db insert orders '{\"customer\": \"ada\", \"total\": 12.50}'
  polity db insert orders '[{\"customer\": \"ada\"}, {\"customer\": \"grace\"}]'
  polity db insert orders @order.json")]
pub(crate) struct InsertArgs {
    /// The collection; it springs up with its first document.
    collection: String,

    /// A JSON object or an array of them; @FILE reads a file, - standard input.
    documents: String,
}

pub(super) async fn run(args: &InsertArgs, context: &Context) -> Result<Exit, Report> {
    // Sent as it was written: parsing it here would round numbers and lose a key that is twice in an object.
    let documents = text("the document", &args.documents)?.into_bytes();
    let response = context
        .host()?
        .send(
            Method::POST,
            &["api", "collections", &args.collection],
            &[],
            Body::Bytes("application/json", documents, Vec::new()),
        )
        .await?;
    let bytes = response.bytes().await.map_err(|error| broken(&error))?;
    let answer: Value = serde_json::from_slice(&bytes)
        .map_err(|error| Report::new("the host's answer is not understood").because(error))?;
    context.out.show(&answer, |out| {
        let inserted = answer["inserted"].as_u64().unwrap_or_default();
        let ids: Vec<String> = answer["ids"]
            .as_array()
            .into_iter()
            .flatten()
            .take(8)
            .map(Value::to_string)
            .collect();
        let more = if inserted > 8 { ", …" } else { "" };
        let ids = one_line(&ids.join(", "));
        writeln!(out, "{} inserted: {ids}{more}", count(inserted, "document"))
    })?;
    Ok(Exit::Ok)
}
