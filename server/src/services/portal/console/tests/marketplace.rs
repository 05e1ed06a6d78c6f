//! A deposit: a form, files with their step's nonce, a decision that takes its time, and a product at the end.

use super::*;

on_both!(
    a_run_goes_through_files_and_a_decision_to_its_product,
    files_are_asked_for_until_all_required_ones_are_there,
    a_refused_file_is_told_and_may_be_sent_again,
    what_is_wrong_with_a_step_is_told_and_what_was_typed_stays,
    a_step_that_comes_again_keeps_what_was_typed,
    a_provider_that_decides_against_it_ends_the_run,
    a_foreign_run_takes_no_file
);

const SKILL: &str = "xyz_sbx_#3.0";
const THIRD: &str = "nonce-three-nonce-three-nonce-three-nonce-3";

async fn deposit(db: Db) -> ConsoleUser {
    console(db, SKILL, api).await
}

/// The API by its documents: it approves, unless the last name says what else the provider decides.
fn api(asked: &Asked) -> (u16, Value) {
    let body = &asked.body;
    let nonce = body["nonce"].as_str().unwrap_or_default();
    if asked.path.ends_with("/steps") {
        return step(body, nonce);
    }
    if asked.path.ends_with("/upload") {
        return upload(&asked.path, body, nonce);
    }
    if asked.path.ends_with("/get") && asked.path.starts_with("/v1/sessions/") {
        assert_eq!(nonce, FRESH, "the nonce used last is the proof");
        return (
            200,
            json!({"session_id": SESSION, "status": "SESSION_IN_PROGRESS", "nonce": THIRD, "next_step": "contract", "step_id": STEP}),
        );
    }
    (
        200,
        match asked.path.as_str() {
            "/v1/sessions" => {
                json!({"session_id": SESSION, "nonce": NONCE, "status": "SESSION_CREATED", "next_step": "product_form"})
            }
            "/v1/token" => json!({"credentials_id": SESSION, "access_token": ACCESS}),
            "/v1/products/get" => {
                json!([{"id": "1", "data": {"kind": "deposit", "status": "active"}}])
            }
            other => panic!("the console called {other}"),
        },
    )
}

fn step(body: &Value, nonce: &str) -> (u16, Value) {
    let next = |nonce: &str, step: &str| json!({"step_id": STEP, "status": "SESSION_IN_PROGRESS", "nonce": nonce, "next_step": step, "data": {}});
    match (body["step"].as_str().unwrap(), nonce) {
        ("product_form", NONCE) if body["data"]["value"] == "much" => {
            let field =
                json!({"path": "data.value", "code": "invalid_field", "message": "Must match."});
            (
                400,
                json!({"http": 400, "code": "invalid_input", "fields": [field]}),
            )
        }
        ("product_form", NONCE) => (200, next(FRESH, "kyc")),
        ("kyc", FRESH) => (
            200,
            json!({"step_id": STEP, "status": "SESSION_PENDING", "data": {"poll_after": 7}}),
        ),
        ("contract", THIRD) => (
            200,
            json!({"step_id": STEP, "status": "SESSION_COMPLETED", "temp_token": TEMP, "data": {}}),
        ),
        (step, nonce) => panic!("{step} with {nonce}"),
    }
}

fn upload(path: &str, body: &Value, nonce: &str) -> (u16, Value) {
    assert_eq!(path, format!("/v1/sessions/{SESSION}/steps/{STEP}/upload"));
    assert_eq!(nonce, FRESH, "files go with the nonce of their step");
    let file = body["file"].as_str().unwrap();
    if file.starts_with("GIF") {
        return (
            400,
            json!({"http": 400, "code": "invalid_field", "message": "Only PDF, PNG, JPEG and WebP are taken."}),
        );
    }
    let kind = body["kind"].as_str().unwrap();
    (
        200,
        json!({"upload_id": format!("upload-of-{kind}"), "kind": kind, "size": file.len(), "sha256": "ab12", "status": "SESSION_PENDING"}),
    )
}

impl ConsoleUser {
    /// To where the files of step kyc are asked for.
    async fn at_files(&self) -> RunId {
        let id = self.new_run().await;
        for _ in 0..3 {
            self.advance(id).await;
        }
        id
    }
}

/// The kinds of file that are asked for, and whether each is there.
fn wanted(run: &Run) -> Vec<(&str, bool)> {
    match &run.next {
        NextCall::Uploads { wanted, .. } => wanted
            .iter()
            .map(|file| (file.kind.as_str(), file.sent))
            .collect(),
        other => panic!("{other:?}"),
    }
}

async fn a_run_goes_through_files_and_a_decision_to_its_product(db: Db) {
    let console = deposit(db).await;
    let id = console.new_run().await;
    let run = console.advance(id).await;
    assert_eq!(step_of(&run).0, "product_form");
    assert!(
        step_of(&run).1.contains("\"100000\""),
        "the manifest's example"
    );
    let run = console.advance(id).await;
    assert_eq!(step_of(&run).0, "kyc");
    assert!(step_of(&run).1.contains("\"Ana\""));
    console.advance(id).await;
    console.sample(id, "id_document").await;
    let run = console.sample(id, "selfie").await;
    assert_eq!(run.next, NextCall::Pending { poll_after: 7 });
    assert_eq!(run.files.len(), 2);
    assert_eq!(run.files[1].upload_id, "upload-of-selfie");
    let sent = &run.calls[3];
    assert!(
        sent.browser_safe && sent.title == "Upload id_document",
        "{sent:?}"
    );
    assert!(
        sent.request_body.contains("\"@document.pdf\"") && sent.request_body.contains("$NONCE")
    );
    let run = console.advance(id).await;
    assert_eq!(step_of(&run).0, "contract");
    assert_eq!(console.advance(id).await.next, NextCall::Exchange);
    assert_eq!(console.advance(id).await.next, NextCall::Products);
    let run = console.advance(id).await;
    assert_eq!(
        (&run.next, run.offers.as_slice()),
        (&NextCall::Done, &[Offer::Products][..])
    );
    assert_eq!(
        run.nonces
            .iter()
            .map(|nonce| nonce.used_by)
            .collect::<Vec<_>>(),
        [Some(1), Some(2), Some(6)]
    );
    let shown = format!("{run:?}");
    for secret in [NONCE, FRESH, THIRD, TEMP, ACCESS] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

async fn files_are_asked_for_until_all_required_ones_are_there(db: Db) {
    let console = deposit(db).await;
    let id = console.at_files().await;
    assert_eq!(
        wanted(&console.run(id).await),
        [("id_document", false), ("selfie", false)]
    );
    let early = console.act(id, RunAction::Next(None)).await;
    assert!(matches!(early, Err(PortalError::Conflict(why)) if why.contains("files")));
    let run = console.sample(id, "selfie").await;
    assert_eq!(wanted(&run), [("id_document", false), ("selfie", true)]);
    let unknown = RunAction::Upload {
        kind: "payslip",
        file: File::Sample,
    };
    assert_eq!(
        console.act(id, unknown).await.err(),
        Some(PortalError::NotFound)
    );
    let own = File::Chosen {
        name: "passport.png",
        bytes: b"my own bytes",
    };
    let run = console
        .act(
            id,
            RunAction::Upload {
                kind: "id_document",
                file: own,
            },
        )
        .await
        .unwrap();
    assert_eq!(run.next, NextCall::Pending { poll_after: 7 });
    assert_eq!(run.files[1].size, 12, "the bytes arrive as they are");
    assert!(run.calls[4].request_body.contains("\"@passport.png\""));
    assert_eq!(console.calls.load(Ordering::SeqCst), 5);
}

async fn a_refused_file_is_told_and_may_be_sent_again(db: Db) {
    let console = deposit(db).await;
    let id = console.at_files().await;
    let file = File::Chosen {
        name: "cat.gif",
        bytes: b"GIF89a",
    };
    let run = console
        .act(
            id,
            RunAction::Upload {
                kind: "selfie",
                file,
            },
        )
        .await
        .unwrap();
    assert_eq!(
        (run.calls[3].status, wanted(&run)),
        (400, vec![("id_document", false), ("selfie", false)])
    );
    assert!(run.files.is_empty());
    assert_eq!(
        wanted(&console.sample(id, "selfie").await)[1],
        ("selfie", true)
    );
}

async fn what_is_wrong_with_a_step_is_told_and_what_was_typed_stays(db: Db) {
    let console = deposit(db).await;
    let id = console.new_run().await;
    console.advance(id).await;
    let typed = r#"{"value": "much", "currency": "EUR", "period": "12"}"#;
    let run = console.submit(id, typed).await;
    assert_eq!(step_of(&run), ("product_form", typed));
    assert!(run.calls[1].response_body.contains("data.value"));
    let run = console.submit(id, &typed.replace("much", "500")).await;
    assert_eq!(step_of(&run).0, "kyc");
}

async fn a_step_that_comes_again_keeps_what_was_typed(db: Db) {
    // Wants the documents once more, whenever it is asked.
    let console = console(db, SKILL, |asked| {
        if asked.path.ends_with("/get") {
            return (200, json!({"session_id": SESSION, "status": "SESSION_IN_PROGRESS", "nonce": FRESH, "next_step": "kyc"}));
        }
        api(asked)
    })
    .await;
    let id = console.new_run().await;
    console.advance(id).await;
    console.advance(id).await;
    let typed = r#"{"first_name": "Bo", "last_name": "Li", "date_of_birth": "2000-01-01"}"#;
    console.submit(id, typed).await;
    console.sample(id, "id_document").await;
    console.sample(id, "selfie").await;
    let run = console.advance(id).await;
    assert_eq!(step_of(&run), ("kyc", typed));
}

async fn a_provider_that_decides_against_it_ends_the_run(db: Db) {
    let console = console(db, SKILL, |asked| {
        if asked.path.ends_with("/get") {
            return (
                200,
                json!({"session_id": SESSION, "status": "SESSION_FAILED"}),
            );
        }
        api(asked)
    })
    .await;
    let id = console.at_files().await;
    console.sample(id, "id_document").await;
    console.sample(id, "selfie").await;
    let run = console.advance(id).await;
    assert!(matches!(&run.next, NextCall::DeadEnd(why) if why.contains("decided against it")));
    assert_eq!(run.session_status.as_deref(), Some("SESSION_FAILED"));
}

async fn a_foreign_run_takes_no_file(db: Db) {
    let console = deposit(db).await;
    let id = console.at_files().await;
    let (stranger, _) = person(&console.world, "eve@example.com").await;
    let act = RunAction::Upload {
        kind: "selfie",
        file: File::Sample,
    };
    let refused = console
        .world
        .services
        .advance(&stranger, id, 3, act, &RequestSource::default())
        .await;
    assert_eq!(refused.err(), Some(PortalError::NotFound));
    assert_eq!(console.calls.load(Ordering::SeqCst), 3);
}
