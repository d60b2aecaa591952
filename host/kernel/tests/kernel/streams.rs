//! Completions, piece by piece.

use futures_util::StreamExt;
use polity_kernel::{
    Answer, AnswerStream, CompleteError, CompletionRecord, CompletionStatus, Delta, Piece,
};
use polity_test_guests::ADAPTER;
use polity_tests::{Answer as Scripted, Gate, Upstream};
use serde_json::json;

use crate::company::{Company, plan, question};

async fn open(company: &Company, model: &str) -> Result<AnswerStream, CompleteError> {
    match company
        .kernel
        .complete(&company.ada(), question(model, "x"), true)
        .await?
    {
        Answer::Stream(stream) => Ok(stream),
        Answer::Whole(_) => panic!("a stream was asked for"),
    }
}

fn last_record(company: &Company) -> CompletionRecord {
    company
        .kernel
        .decisions(&Default::default())
        .unwrap()
        .remove(0)
        .completion
        .unwrap()
}

fn chunk(text: &str) -> String {
    json!({"object": "chat.completion.chunk", "choices": [{"index": 0, "delta": {"content": text}}]}).to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_piece_comes_in_order_and_the_end_comes_last() {
    let company = plan().file("hostile-adapter.wasm", ADAPTER).start();
    let mut stream = open(&company, "hostile-drip").await.unwrap();
    let mut text = String::new();
    let end = loop {
        match stream.next().await.unwrap() {
            Piece::Delta(Delta::Text(piece)) => text.push_str(&piece),
            Piece::End(end) => break end,
            piece => panic!("{piece:?}"),
        }
    };
    assert!(stream.next().await.is_none());
    let expected: String = (0..50).map(|n| format!("{n} ")).collect();
    assert_eq!(text, expected);
    assert!(end.content.is_empty());
    let record = company
        .kernel
        .decision(end.decision_id)
        .unwrap()
        .unwrap()
        .completion
        .unwrap();
    assert_eq!(
        (record.status, record.output_tokens),
        (CompletionStatus::Answered, 1)
    );
    assert!(record.stream && record.first_piece_us.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_goes_out_as_soon_as_it_is_there() {
    let gate = Gate::new();
    let script = gate.clone();
    let upstream = Upstream::start(move |_| {
        Scripted::events([chunk("one").as_str()])
            .pass(&script)
            .event(&chunk("two"))
            .event("[DONE]")
    })
    .await;
    let company = plan().openai(&upstream).start();
    let mut stream = open(&company, "paid").await.unwrap();
    assert!(matches!(stream.next().await, Some(Piece::Delta(Delta::Text(text))) if text == "one"));
    gate.open();
    assert!(matches!(stream.next().await, Some(Piece::Delta(Delta::Text(text))) if text == "two"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_who_goes_stops_the_call_upstream_and_leaves_a_record() {
    let gate = Gate::new();
    let script = gate.clone();
    let upstream = Upstream::start(move |_| {
        Scripted::events([chunk("a text of 20 bytes.").as_str()]).pass(&script)
    })
    .await;
    let company = plan().openai(&upstream).start();
    let mut stream = open(&company, "paid").await.unwrap();
    assert!(matches!(stream.next().await, Some(Piece::Delta(_))));
    drop(stream);
    upstream.abandoned(1).await;
    let record = last_record(&company);
    assert_eq!(record.status, CompletionStatus::Cancelled);
    assert!(record.is_estimate);
    assert_eq!(record.output_tokens, 5);
    assert!(record.cost_micro >= 10 && record.cost_micro < record.reserved_micro);
    assert_eq!(company.kernel.counters().unwrap().in_progress, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guest_that_never_stops_sending_is_stopped_with_its_reader() {
    let company = plan().file("hostile-adapter.wasm", ADAPTER).start();
    let mut stream = open(&company, "hostile-flood").await.unwrap();
    assert!(matches!(stream.next().await, Some(Piece::Delta(_))));
    drop(stream);
    let record = last_record(&company);
    assert_eq!(
        (record.status, record.output_tokens),
        (CompletionStatus::Cancelled, (1 << 20) / 4)
    );
    assert_eq!(
        company
            .kernel
            .runtime()
            .current()
            .plugin("hostile-adapter")
            .unwrap()
            .in_progress(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_before_the_first_piece_is_an_error_and_what_fails_later_breaks_off() {
    let upstream =
        Upstream::start(
            |request| match request.json()["messages"][0]["content"].as_str() {
                Some("x") => Scripted::events([chunk("one").as_str()]).and_break(),
                _ => Scripted::json(401, r#"{"error": {"message": "no"}}"#),
            },
        )
        .await;
    let company = plan()
        .openai(&upstream)
        .file("hostile-adapter.wasm", ADAPTER)
        .start();
    assert_eq!(
        open(&company, "hostile-trap").await.unwrap_err().code(),
        "trap"
    );
    let early = company
        .kernel
        .complete(&company.ada(), question("paid", "y"), true)
        .await
        .map(drop);
    assert_eq!(early.unwrap_err().code(), "auth");
    let mut stream = open(&company, "paid").await.unwrap();
    assert!(matches!(stream.next().await, Some(Piece::Delta(_))));
    let Some(Piece::Failed(error)) = stream.next().await else {
        panic!("the upstream broke off")
    };
    assert_eq!(error.code(), "connection");
    assert!(stream.next().await.is_none());
    let record = last_record(&company);
    assert_eq!(record.status, CompletionStatus::Failed);
    assert!(record.is_estimate && record.output_tokens == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_names_no_tokens_is_paid_by_the_length_of_the_text() {
    let upstream =
        Upstream::start(|_| Scripted::events([chunk("a text of 20 bytes..").as_str(), "[DONE]"]))
            .await;
    let company = plan().openai(&upstream).start();
    let mut stream = open(&company, "paid").await.unwrap();
    let mut last = None;
    while let Some(piece) = stream.next().await {
        last = Some(piece);
    }
    let Some(Piece::End(end)) = last else {
        panic!("{last:?}")
    };
    let record = company
        .kernel
        .decision(end.decision_id)
        .unwrap()
        .unwrap()
        .completion
        .unwrap();
    assert!(
        record.is_estimate && record.output_tokens == 5,
        "{record:?}"
    );
    assert_eq!(record.cost_micro, end.cost_micro);
    assert!(end.cost_micro >= 10);
}
