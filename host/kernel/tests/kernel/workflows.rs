//! Workflows that run in a kernel: people, records, other workflows, timers and schedules.

use std::time::Duration;

use polity_inbox::{Answer, DecideError, Item};
use polity_kernel::{InstanceFilter, InstanceView, Kernel, Waiting};
use polity_tests::Upstream;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::company::{Company, NOON, Plan, openai_answer, plan};

/// A host as it runs: with somebody who wakes what is due.
struct Running {
    company: Company,
    follower: JoinHandle<()>,
}

impl Running {
    fn start(plan: Plan) -> Self {
        Self::of(plan.start())
    }

    fn of(company: Company) -> Self {
        let kernel = company.kernel.clone();
        let follower = tokio::spawn(async move { kernel.follow_workflows().await });
        Self { company, follower }
    }

    fn kernel(&self) -> &Kernel {
        &self.company.kernel
    }

    async fn run(&self, workflow: &str, input: Value) -> InstanceView {
        let scout = self.company.scout();
        let begun = self
            .kernel()
            .run_workflow(&scout, workflow, input, None)
            .await
            .unwrap();
        self.until(begun.id, |run| run.has_ended() || run.is_waiting())
            .await
    }

    async fn until(&self, id: Uuid, wanted: impl Fn(&InstanceView) -> bool) -> InstanceView {
        for _ in 0..3_000 {
            let run = self.kernel().instance(id).unwrap().unwrap();
            if wanted(&run) {
                return run;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let story = self.kernel().instance_story(id).unwrap().unwrap();
        panic!("the run stays as it is:\n{story}");
    }

    async fn ended(&self, id: Uuid) -> InstanceView {
        self.until(id, InstanceView::has_ended).await
    }

    /// The questions that a run puts to people.
    fn questions(&self, run: &InstanceView) -> Vec<Item> {
        let item = |waits: &Waiting| match waits {
            Waiting::Person { item, .. } => self.kernel().inbox().get(*item).unwrap(),
            _ => None,
        };
        run.waits.iter().filter_map(item).collect()
    }

    async fn decide(&self, item: Uuid, who: &str, answer: Answer) -> Result<Item, DecideError> {
        let person = self.kernel().actor(who).unwrap();
        self.kernel()
            .decide(item, &person, answer, "because", None)
            .await
    }

    /// Lets time pass, and wakes what is due.
    async fn pass(&self, ms: u64) {
        self.company.clock.advance(ms);
        self.kernel().inbox().expire_due().await.unwrap();
        self.kernel().wake_due().await;
    }

    async fn restart(self) -> Self {
        self.follower.abort();
        let _ = self.follower.await;
        self.company
            .kernel
            .drain(Duration::from_secs(10))
            .await
            .unwrap();
        Self::of(self.company.restart())
    }
}

fn workflow(name: &str, body: &str) -> String {
    format!("document: {{dsl: 1.0.3, namespace: test, name: {name}, version: 1.0.0}}\n{body}")
}

fn with(plan: Plan, name: &str, body: &str) -> Plan {
    plan.document(&format!("workflows/{name}.yaml"), &workflow(name, body))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_is_over_when_the_others_can_change_nothing() {
    let vote = "
do:
  - vote:
      call: human.vote
      with: {title: Raise the limit?, role: finance, quorum: 2, proposal: {limit: 60}, deadline: P1D}
";
    let running = Running::start(with(plan(), "vote", vote));
    let run = running.run("vote", json!({})).await;
    let ballots = running.questions(&run);
    assert_eq!(ballots.len(), 2);
    let own = |who: &str| {
        let is_own = |item: &&Item| item.evidence["people"] == json!([who]);
        ballots.iter().find(is_own).unwrap().id
    };
    // A ballot is a person's own.
    let refused = running
        .decide(own("person:ada"), "person:bob", Answer::Accept)
        .await;
    assert!(refused.unwrap_err().to_string().contains("person:ada"));
    running
        .decide(own("person:ada"), "person:ada", Answer::Accept)
        .await
        .unwrap();
    running
        .decide(own("person:bob"), "person:bob", Answer::Accept)
        .await
        .unwrap();
    let done = running.ended(run.id).await;
    let output = done.output.unwrap();
    assert_eq!(output["decision"], "approved", "{output}");
    assert_eq!(output["counts"], json!({"yes": 2, "no": 0}));

    let against = running.run("vote", json!({})).await;
    let ballots = running.questions(&against);
    let of = |who: &str| {
        ballots
            .iter()
            .find(|item| item.evidence["people"] == json!([who]))
            .unwrap()
            .id
    };
    running
        .decide(of("person:ada"), "person:ada", Answer::Reject)
        .await
        .unwrap();
    running
        .decide(of("person:bob"), "person:bob", Answer::Accept)
        .await
        .unwrap();
    let done = running.ended(against.id).await;
    assert_eq!(
        done.output.unwrap()["decision"],
        "rejected",
        "a tie is no yes"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_done_with_a_form_that_fits() {
    let task = "
do:
  - measure:
      call: human.task
      with:
        title: Measure the article
        role: finance
        deadline: P1D
        people: [bob]
        form: {type: object, required: [words], properties: {words: {type: integer}}}
  - twice: {set: {words: '${ .words * 2 }'}}
";
    let running = Running::start(with(plan(), "task", task));
    let run = running.run("task", json!({})).await;
    let item = running.questions(&run)[0].id;
    let wrong = Answer::Edit(json!({"words": "many"}));
    let refused = running.decide(item, "person:bob", wrong).await.unwrap_err();
    assert!(refused.to_string().contains("/words"), "{refused}");
    let refused = running
        .decide(item, "person:ada", Answer::Edit(json!({"words": 7})))
        .await;
    assert!(refused.unwrap_err().to_string().contains("person:bob"));
    running
        .decide(item, "person:bob", Answer::Edit(json!({"words": 7})))
        .await
        .unwrap();
    assert_eq!(
        running.ended(run.id).await.output,
        Some(json!({"words": 14}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_answer_is_passed_over_and_silence_never_approves() {
    let gate = "
do:
  - ask:
      call: human.approve
      with: {title: Pay?, role: finance, deadline: PT2H, escalate: {role: owner}}
";
    let running = Running::start(with(plan(), "gate", gate));
    let run = running.run("gate", json!({})).await;
    let asked = &running.questions(&run)[0];
    assert_eq!(
        (asked.role.as_str(), asked.due_at_ms),
        ("finance", Some(NOON + 3_600_000))
    );
    running.pass(3_600_001).await;
    let escalated = &running.questions(&run)[0];
    assert_eq!((escalated.id, escalated.role.as_str()), (asked.id, "owner"));
    running.pass(3_600_001).await;
    let done = running.ended(run.id).await;
    assert_eq!(done.error.unwrap()["status"], 408);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_written_found_and_changed() {
    let notes = "
do:
  - write:
      call: records.insert
      with: {collection: notes, record: {n: '${ .n }', open: true}}
      export: {as: '{id: .id}'}
  - change:
      call: records.update
      with: {collection: notes, id: '${ $context.id }', set: {open: false}, expect: {open: true}}
  - find:
      call: records.query
      with: {collection: notes, where: {open: false, n: {'>=': 2}}, order: -n, fields: [n]}
";
    let running = Running::start(with(plan(), "notes", notes));
    for n in [1, 3, 2] {
        running.run("notes", json!({ "n": n })).await;
    }
    let run = running.run("notes", json!({"n": 5})).await;
    let done = running.ended(run.id).await;
    assert_eq!(
        done.output,
        Some(json!([{"n": 5}, {"n": 3}, {"n": 2}])),
        "{:?}",
        done.error
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workflow_runs_another_and_has_its_result_or_its_error() {
    let child = "
do:
  - check:
      if: .n > 2
      raise: {error: {type: https://test.example/too-many, status: 422, title: Too many}}
  - twice: {set: {n: '${ .n * 2 }'}}
";
    let parent = "
do:
  - child:
      run: {workflow: {namespace: test, name: child, version: 1.0.0, input: {n: '${ .n }'}}}
  - more: {set: {n: '${ .n + 1 }'}}
";
    let running = Running::start(with(with(plan(), "child", child), "parent", parent));
    let run = running.run("parent", json!({"n": 2})).await;
    let done = running.ended(run.id).await;
    assert_eq!(done.output, Some(json!({"n": 5})), "{:?}", done.error);
    let children = running.kernel().instances(
        &InstanceFilter {
            workflow: Some("child".into()),
            open: None,
            ..InstanceFilter::default()
        },
        None,
        10,
    );
    assert_eq!(children.unwrap()[0].parent, Some(run.id));
    let run = running.run("parent", json!({"n": 3})).await;
    let done = running.ended(run.id).await;
    assert_eq!(done.error.unwrap()["type"], "https://test.example/too-many");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_starts_each_of_its_instants_once_also_across_restarts() {
    let hourly = "
schedule: {cron: '0 * * * *'}
do:
  - note: {set: {done: true}}
";
    let mut running = Running::start(with(plan(), "hourly", hourly));
    let count = |running: &Running| {
        let filter = InstanceFilter {
            workflow: Some("hourly".into()),
            open: None,
            ..InstanceFilter::default()
        };
        running.kernel().instances(&filter, None, 100).unwrap()
    };
    running.pass(0).await;
    let begun = count(&running).len();
    running.pass(3_600_000).await;
    running.pass(1_000).await;
    assert_eq!(count(&running).len(), begun + 1);
    running = running.restart().await;
    running.pass(1_000).await;
    assert_eq!(count(&running).len(), begun + 1);
    running.pass(3_600_000).await;
    let runs = count(&running);
    assert_eq!(runs.len(), begun + 2);
    assert_eq!(
        (runs[0].actor.as_str(), runs[0].cause.as_str()),
        ("schedule:hourly", "schedule")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_wakes_by_its_event_or_by_its_timeout() {
    let listen = "
do:
  - paid:
      try:
        - wait:
            listen: {to: {one: {with: {type: com.example.paid}}}}
            timeout: {after: PT1H}
      catch:
        errors: {with: {status: 408}}
        do:
          - late: {set: {late: true}}
";
    let mut running = Running::start(with(plan(), "listen", listen));
    let (first, second) = (
        running.run("listen", json!({})).await,
        running.run("listen", json!({})).await,
    );
    running = running.restart().await;
    let event = json!({"type": "com.example.paid", "data": {"n": 1}});
    let received = running
        .kernel()
        .receive_event(&running.company.ada(), event)
        .await
        .unwrap();
    assert_eq!(received.shown, 2);
    for run in [&first, &second] {
        assert_eq!(running.ended(run.id).await.output, Some(json!([{"n": 1}])));
    }
    let third = running.run("listen", json!({})).await;
    running.pass(3_600_001).await;
    assert_eq!(
        running.ended(third.id).await.output,
        Some(json!({"late": true}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_takes_several_commits_and_a_loop_without_a_wait_can_be_cancelled() {
    let steps: String = (0..300)
        .map(|n| format!("  - s{n}: {{set: {{n: {n}}}}}\n"))
        .collect();
    let endless = "
do:
  - count: {set: {n: '${ (.n // 0) + 1 }'}}
  - again: {switch: [{more: {when: .n > 0, then: count}}, {enough: {then: end}}]}
";
    let running = Running::start(with(
        with(plan(), "long", &format!("do:\n{steps}")),
        "endless",
        endless,
    ));
    let run = running.run("long", json!({})).await;
    let done = running.ended(run.id).await;
    assert_eq!(done.output, Some(json!({"n": 299})), "{:?}", done.error);
    let scout = running.company.scout();
    let run = running
        .kernel()
        .run_workflow(&scout, "endless", json!({}), None)
        .await
        .unwrap();
    let cancelled = running
        .kernel()
        .cancel_instance(&scout, run.id, "enough")
        .await
        .unwrap();
    assert!(cancelled.has_ended());
    running.kernel().ledger().verify(|_| ()).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_late_for_what_people_have_stopped() {
    let slow = "
timeout: {after: PT2H}
do:
  - both:
      fork:
        branches:
          - write:
              call: records.insert
              with: {collection: notes, record: {n: 1}}
              timeout: {after: PT1H}
          - rest: {wait: PT30M}
";
    let mut running = Running::start(with(plan(), "slow", slow));
    let ada = running.company.ada();
    let pattern: polity_constitution::KindPattern = "records.*".parse().unwrap();
    let kernel = running.kernel();
    kernel
        .halt(&ada, pattern.clone(), "wrong notes")
        .await
        .unwrap();
    let is_held = |run: &InstanceView| {
        let held = |waits: &Waiting| matches!(waits, Waiting::Halt { .. });
        run.waits.iter().any(held)
    };
    let run = running.run("slow", json!({})).await;
    running.until(run.id, is_held).await;
    // The other branch goes on, and no limit comes any nearer.
    running.pass(24 * 3_600_000).await;
    running = running.restart().await;
    running.pass(24 * 3_600_000).await;
    let rested = |run: &InstanceView| !run.position.iter().any(|at| at.ends_with("rest"));
    let held = running.until(run.id, rested).await;
    assert!(is_held(&held), "{held:?}");
    running
        .kernel()
        .resume_halted(&ada, &pattern)
        .await
        .unwrap();
    let done = running.ended(run.id).await;
    assert_eq!(
        done.output.unwrap()[0]["record"]["n"],
        1,
        "{:?}",
        done.error
    );

    // What was held for a while has the rest of its time, and no more.
    let late = running.company.path("company/workflows/late.yaml");
    let text = "
do:
  - ask: {call: human.approve, with: {title: Pay?, role: finance, deadline: PT1H}}
";
    std::fs::write(late, workflow("late", text)).unwrap();
    running.kernel().reload().await.unwrap();
    let pattern: polity_constitution::KindPattern = "human.approve".parse().unwrap();
    let kernel = running.kernel();
    kernel
        .halt(&ada, pattern.clone(), "enough asked")
        .await
        .unwrap();
    let run = running.run("late", json!({})).await;
    running.pass(7 * 3_600_000).await;
    assert!(is_held(&running.until(run.id, is_held).await));
    running
        .kernel()
        .resume_halted(&ada, &pattern)
        .await
        .unwrap();
    let asks = |run: &InstanceView| {
        run.waits
            .iter()
            .any(|waits| matches!(waits, Waiting::Person { .. }))
    };
    let asked = running.until(run.id, asks).await;
    let item = &running.questions(&asked)[0];
    assert_eq!(item.due_at_ms, Some(NOON + 55 * 3_600_000 + 3_600_000));
    running.pass(3_600_001).await;
    assert_eq!(running.ended(run.id).await.error.unwrap()["status"], 408);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_an_error_that_says_what_to_do() {
    let cases = [
        (
            "plug",
            "call: connector, with: {plugin: payments, operation: pay}, metadata: {effect: idempotent}",
            "polity plugin install",
        ),
        (
            "http",
            "call: http, with: {method: get, endpoint: 'https://bank.example/'}, metadata: {effect: at-least-once}",
            "workflows.grant.toml",
        ),
        (
            "role",
            "call: human.approve, with: {title: Pay?, role: nobody}",
            "no person holds the role `nobody`",
        ),
    ];
    let mut plan = plan();
    for (name, task, _) in cases {
        plan = with(plan, name, &format!("do:\n  - it: {{{task}}}\n"));
    }
    let running = Running::start(plan);
    for (name, _, words) in cases {
        let run = running.run(name, json!({})).await;
        let error = running.ended(run.id).await.error.unwrap();
        assert!(
            error["detail"].as_str().unwrap().contains(words),
            "{name}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_asked_under_the_rules_and_what_they_leave_to_people_goes_on_with_their_answer()
{
    let upstream =
        Upstream::start(|_| polity_tests::Answer::json(200, openai_answer("Kind words", 10, 5)))
            .await;
    let write = "
do:
  - words:
      call: model
      with: {prompt: Write kind words, model: paid, input: {to: ada}}
  - take: {set: {words: '${ .text }'}}
";
    let rule = json!({"rule": "spending-limit", "guards": ["model.complete"], "config": {
        "escalate_to": "finance", "limits": [{"per": "action", "soft_micro": 1}],
    }});
    let plan = with(plan(), "write", write)
        .openai(&upstream)
        .plugin("spending-limit");
    let running = Running::start(plan.rule("models", rule));
    let run = running.run("write", json!({})).await;
    let asked = running.questions(&run);
    assert_eq!(asked.len(), 1, "{:?}", run.error);
    assert!(upstream.requests().is_empty());
    running
        .decide(asked[0].id, "person:bob", Answer::Accept)
        .await
        .unwrap();
    let done = running.ended(run.id).await;
    assert_eq!(
        done.output,
        Some(json!({"words": "Kind words"})),
        "{:?}",
        done.error
    );
    assert_eq!(upstream.requests().len(), 1);
    let refused = running.run("write", json!({})).await;
    running
        .decide(
            running.questions(&refused)[0].id,
            "person:bob",
            Answer::Reject,
        )
        .await
        .unwrap();
    assert_eq!(
        running.ended(refused.id).await.error.unwrap()["status"],
        403
    );
    assert_eq!(upstream.requests().len(), 1);
}
