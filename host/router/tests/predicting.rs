//! A predictor from made-up rows: what it learns, how it is kept, and what it does not know.

mod company;

use std::sync::Arc;

use company::{ask_model, router};
use polity_router::{
    Feedback, Outcome, PREDICTOR_VERSION, Policy, Predictor, PredictorError, Row, Settled,
    TaskFrom, TrainError, Wants, train,
};

const SUBJECTS: [(&str, [&str; 8]); 4] = [
    (
        "billing",
        [
            "invoice", "payment", "charge", "refund", "receipt", "amount", "card", "account",
        ],
    ),
    (
        "code",
        [
            "function", "compile", "variable", "loop", "stack", "pointer", "thread", "module",
        ],
    ),
    (
        "travel",
        [
            "flight", "hotel", "ticket", "airport", "luggage", "passport", "train", "booking",
        ],
    ),
    (
        "cooking",
        [
            "recipe", "oven", "flour", "butter", "simmer", "garlic", "onion", "roast",
        ],
    ),
];

/// Rows in which the small model fails at code alone.
fn rows(count: usize) -> Vec<Row> {
    (0..count)
        .map(|number| {
            let (task, words) = SUBJECTS[number % SUBJECTS.len()];
            let word = |step: usize| words[(number / 4 * step + step) % words.len()];
            let prompt = format!(
                "Please tell me about the {} and the {} with my {} or {}",
                word(1),
                word(3),
                word(5),
                word(7)
            );
            let small = if task == "code" { 0.1 } else { 0.9 };
            Row {
                prompt,
                score: [
                    ("openai/small".to_owned(), small),
                    ("openai/large".to_owned(), 0.95),
                ]
                .into(),
                task: Some(task.to_owned()),
            }
        })
        .collect()
}

#[test]
fn it_learns_who_is_good_at_what() {
    let predictor = train(&rows(400)).unwrap();
    let code =
        predictor.predict("My function does not compile, the variable in the loop is a pointer");
    assert!(code.quality("openai/small").unwrap() < 0.4);
    assert!(code.quality("openai/large").unwrap() > 0.85);
    assert_eq!(code.task().0, "code");
    let travel = predictor.predict("Is my luggage on the flight from the airport");
    assert!(travel.quality("openai/small").unwrap() > 0.7);
    assert_eq!(travel.quality("openai/huge"), None);
}

#[test]
fn the_same_rows_make_the_same_predictor_and_it_comes_back_from_json() {
    let predictor = train(&rows(200)).unwrap();
    assert_eq!(predictor.digest(), train(&rows(200)).unwrap().digest());
    assert_ne!(predictor.digest(), train(&rows(204)).unwrap().digest());
    let text = predictor.to_json();
    let back = Predictor::from_json(&text).unwrap();
    assert_eq!(back.digest(), predictor.digest());
    let prompt = "the receipt of my payment";
    assert_eq!(
        back.predict(prompt).quality("openai/small"),
        predictor.predict(prompt).quality("openai/small")
    );
}

#[test]
fn a_changed_or_foreign_document_is_refused() {
    let text = train(&rows(200)).unwrap().to_json();
    let changed = text.replacen("\"sharpness\":", "\"sharpness\":1", 1);
    assert!(matches!(
        Predictor::from_json(&changed),
        Err(PredictorError::Digest { .. } | PredictorError::Malformed(_))
    ));
    let version = format!("\"version\":{PREDICTOR_VERSION}");
    let next = PREDICTOR_VERSION + 1;
    let newer = text.replacen(&version, &format!("\"version\":{next}"), 1);
    assert_eq!(
        Predictor::from_json(&newer).unwrap_err(),
        PredictorError::Version { found: next }
    );
    assert!(matches!(
        Predictor::from_json("{}"),
        Err(PredictorError::Malformed(_))
    ));
    let mut value: serde_json::Value = serde_json::from_str(&text).unwrap();
    value["content"]["means"] = "".into();
    assert_eq!(
        Predictor::from_json(&value.to_string()).unwrap_err(),
        PredictorError::Inconsistent("means")
    );
}

#[test]
fn too_few_rows_are_refused_and_odd_ones_do_no_harm() {
    assert_eq!(
        train(&rows(10)).unwrap_err(),
        TrainError::TooFewRows { found: 10 }
    );
    let mut odd = rows(60);
    odd[0].prompt = String::new();
    odd[1].score = [("openai/small".to_owned(), f64::NAN)].into();
    odd[2].prompt = "\u{0}".repeat(100_000);
    odd[3].score = [("only/here".to_owned(), 1.0)].into();
    let predictor = train(&odd).unwrap();
    assert!(
        predictor
            .predict("")
            .quality("openai/small")
            .unwrap()
            .is_finite()
    );
    assert!(
        predictor
            .predict("anything")
            .quality("only/here")
            .unwrap()
            .is_finite()
    );
}

#[test]
fn what_is_unlike_everything_goes_to_a_person_and_is_known_once_it_is_settled() {
    let router = router(Policy::default());
    router.set_predictor(Some(Arc::new(train(&rows(800)).unwrap())));
    let known = ask_model(
        &router,
        "auto",
        "Please tell me about the refund and the card with my account or invoice",
        &Wants::default(),
        0,
    );
    assert!(matches!(known.outcome, Outcome::Model { .. }), "{known}");
    assert!(matches!(
        known.requirements.task_from,
        TaskFrom::Predictor(_)
    ));

    let strange =
        "¿Qué permiso necesita una colmena urbana según la ordenanza municipal del año pasado?";
    let decision = ask_model(&router, "auto", strange, &Wants::default(), 0);
    let Outcome::Person { guess } = &decision.outcome else {
        panic!("{decision}")
    };
    assert!(decision.candidate(guess).unwrap().reasons.is_empty());
    assert!(
        decision
            .why()
            .starts_with("a person decides: nothing like it is known"),
        "{}",
        decision.why()
    );
    // Who asks for a model by name gets it.
    let named = ask_model(&router, "openai/large", strange, &Wants::default(), 0);
    assert!(matches!(named.outcome, Outcome::Model { .. }));

    let feedback = Feedback {
        score: Some(0.9),
        settled_by_person: Some(Settled {
            label: "request 17".into(),
            task: Some("permits".into()),
        }),
        ..Feedback::default()
    };
    router.learn(&decision, &feedback, 0).unwrap();
    let row = decision.row(strange, &feedback).unwrap();
    assert_eq!(row.task.as_deref(), Some("permits"));
    let like = "¿Qué permiso necesita una colmena urbana según la ordenanza municipal de este año?";
    let again = ask_model(&router, "auto", like, &Wants::default(), 0);
    assert!(matches!(again.outcome, Outcome::Model { .. }), "{again}");
    assert_eq!(again.gate.unwrap().nearest.unwrap().label, "request 17");
}

#[test]
fn of_known_kinds_no_more_than_the_set_share_is_taken_for_unknown() {
    let predictor = train(&rows(800)).unwrap();
    // Rows that were not trained on, of the same kinds.
    let others = rows(1600);
    let alarms = others[800..]
        .iter()
        .filter(|row| predictor.predict(&row.prompt).is_strange(0.05))
        .count();
    assert!(alarms <= 40 + 14, "{alarms} of 800");
}
