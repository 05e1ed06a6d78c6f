//! Payments through the connector, at the real bank.

use app::domain::payment::PaymentStatus;
use serde_json::Value;

use super::*;
use crate::testing;

on_both!(
    a_payment_is_followed_from_order_to_execution,
    a_code_that_was_used_still_finds_the_payment,
    what_the_browser_says_is_not_believed,
    the_same_step_orders_once
);

fn ordering(info: Value) -> Submission {
    Submission {
        skill: SkillName::parse("xyz_ro_pisp_sbx_#1.0").unwrap(),
        step: "payment_intent".into(),
        data: json!({ "psu_redirect_link": "myapp://return", "payment_info": [info] }),
        ..submission()
    }
}

fn transfer(amount: &str, iban: &str) -> Value {
    json!({
        "payment_id": { "end_to_end_id": "invoice-77" },
        "amount": { "instructed_amount": { "amount": amount, "currency": "RON" } },
        "creditor": { "name": "Corner Shop" },
        "creditor_account": { "iban": iban },
    })
}

const SHOP: &str = "RO49AAAA1B31007593840000";
const NOBODY: &str = "RO65XYZB0000000000000042";
const YES: &[(&str, &str)] = &[("decision", "approve"), ("account", "201")];

impl Connected {
    async fn order(&self, info: Value) -> (String, Opaque) {
        match self.connector.submit(ordering(info)).await.unwrap() {
            Next::Redirect { url, bank_ref } => (url, bank_ref),
            _ => panic!("the only step leads to the bank"),
        }
    }

    async fn single(&self) -> (String, Opaque) {
        self.order(json!({ "credit_transfer_transaction_information": [transfer("12.50", SHOP)] }))
            .await
    }

    async fn settle(&self, bank_ref: &Opaque, close: bool) -> Option<ConsentOutcome> {
        self.connector.settle(bank_ref, close).await.unwrap()
    }
}

fn granted(returned: ConsentOutcome) -> Grant {
    match returned {
        ConsentOutcome::Consented(Next::Done { granted, .. }) => granted.grant,
        ConsentOutcome::Settled(_) => panic!("the bank does not know the code"),
        ConsentOutcome::Refused { reason } => panic!("refused: {reason}"),
        ConsentOutcome::Consented(_) => {
            panic!("the only step is the last")
        }
    }
}

async fn a_payment_is_followed_from_order_to_execution(db: Db) {
    let connected = connected(db).await;
    let both = json!([transfer("12.50", SHOP), transfer("1", NOBODY)]);
    let (url, bank_ref) = connected
        .order(json!({ "credit_transfer_transaction_information": both }))
        .await;
    let query = connected.walk(&url, "family", YES).await;
    let grant = granted(connected.finish(&query, &bank_ref).await.unwrap());
    let payment = connected.connector.payment(&grant).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::AcceptedTechnicalValidation);
    assert!(payment.debtor_iban.unwrap().contains("XYZB"));
    connected.connector.clock.advance(Duration::seconds(3));
    let payment = connected.connector.payment(&grant).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::PartiallyAccepted);
    let items: Vec<_> = payment
        .items
        .iter()
        .map(|item| (item.status, item.reason.as_deref()))
        .collect();
    assert_eq!(
        items,
        [
            (PaymentStatus::SettledForDebtor, None),
            (PaymentStatus::Rejected, Some("AC03"))
        ]
    );
    assert_eq!(
        connected.connector.cancel_payment(&grant).await,
        Ok(Cancellation::TooLate)
    );

    let standing = json!({
        "credit_transfer_transaction_information": [transfer("5", SHOP)],
        "frequency": "Monthly", "start_date": "2026-01-05", "day_of_execution": "5", "execution_rule": "preceding",
    });
    let (url, bank_ref) = connected.order(standing).await;
    let query = connected.walk(&url, "family", YES).await;
    let grant = granted(connected.finish(&query, &bank_ref).await.unwrap());
    assert_eq!(
        connected.connector.cancel_payment(&grant).await,
        Ok(Cancellation::Cancelled)
    );
    assert_eq!(
        connected.connector.cancel_payment(&grant).await,
        Ok(Cancellation::Cancelled)
    );
    let payment = connected.connector.payment(&grant).await.unwrap();
    assert_eq!(payment.status, PaymentStatus::Cancelled);
    assert_eq!(payment.executions.unwrap().done, 0);
    assert!(connected.connector.revoke(&grant).await.is_ok());
    connected.close().await;
}

async fn a_code_that_was_used_still_finds_the_payment(db: Db) {
    let connected = connected(db).await;
    let (url, bank_ref) = connected.single().await;
    let query = connected.walk(&url, "family", YES).await;
    granted(connected.finish(&query, &bank_ref).await.unwrap());
    // And so does a guess; but neither shows any more who came back.
    let guess = [
        ("code".to_owned(), "x".to_owned()),
        ("state".to_owned(), "the-state".to_owned()),
    ];
    for query in [&query[..], &guess] {
        let found = connected.finish(query, &bank_ref).await;
        assert!(matches!(found, Ok(ConsentOutcome::Settled(_))));
    }
    connected.close().await;
}

async fn what_the_browser_says_is_not_believed(db: Db) {
    let connected = connected(db).await;
    // Nobody has decided: it is left alone, or ended.
    let (url, bank_ref) = connected.single().await;
    assert!(connected.settle(&bank_ref, false).await.is_none());
    assert!(matches!(
        connected.settle(&bank_ref, true).await,
        Some(ConsentOutcome::Refused { .. })
    ));
    let begun = testing::http().get(&url).send().await.unwrap();
    assert_eq!(
        begun.status(),
        StatusCode::GONE,
        "nobody can agree to it any more"
    );
    // Authorised: it counts, whatever the browser said.
    let other = json!({ "credit_transfer_transaction_information": [transfer("1", SHOP)] });
    let (url, bank_ref) = connected.order(other).await;
    connected.walk(&url, "family", YES).await;
    granted(connected.settle(&bank_ref, true).await.unwrap());
    // A made-up code grants nothing that was not authorised, and closes it.
    let other = json!({ "credit_transfer_transaction_information": [transfer("2", SHOP)] });
    let (_, bank_ref) = connected.order(other).await;
    let query = [
        ("code".to_owned(), "x".to_owned()),
        ("state".to_owned(), "the-state".to_owned()),
    ];
    assert!(matches!(
        connected.finish(&query, &bank_ref).await,
        Ok(ConsentOutcome::Refused { .. })
    ));
    connected.close().await;
}

async fn the_same_step_orders_once(db: Db) {
    let connected = connected(db).await;
    let place = |bank_ref: &Opaque| bank_ref.read::<Value>().unwrap()["payment"].clone();
    let (first, again) = (connected.single().await, connected.single().await);
    assert_eq!(place(&first.1), place(&again.1));
    let corrected = json!({ "credit_transfer_transaction_information": [transfer("12.51", SHOP)] });
    assert_ne!(
        place(&first.1),
        place(&connected.order(corrected).await.1),
        "other data is another order"
    );
    connected.close().await;
}
