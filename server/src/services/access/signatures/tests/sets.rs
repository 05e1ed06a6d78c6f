//! Sets of keys behind URLs: read when they are added, kept, read again when they are old or lack a key, and never from
//! addresses that are not public.

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::routing::get;
use chrono::Duration;
use tokio::task::JoinHandle;

use super::*;
use crate::services::access::signatures::material::PublicKey;

on_both!(
    a_set_is_read_once_and_again_when_it_is_old,
    a_new_key_in_the_set_is_found_and_an_unknown_one_asks_no_more_than_twice_a_minute,
    a_set_that_cannot_be_read_is_good_for_a_day,
    a_set_that_cannot_be_read_hinders_no_other_key,
    addresses_that_are_not_public_are_not_asked,
    a_set_that_nests_or_spoofs_is_no_set,
);

/// A server that publishes keys.
struct Publisher {
    url: String,
    /// Status and body of its answers.
    says: Arc<Mutex<(u16, String)>>,
    asked: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Publisher {
    async fn new(keys: &[&Signer]) -> Self {
        let says = Arc::new(Mutex::new((200, set(keys))));
        let asked = Arc::new(AtomicUsize::new(0));
        let (told, count) = (says.clone(), asked.clone());
        let answer = move || {
            count.fetch_add(1, SeqCst);
            let (status, text) = told.lock().unwrap().clone();
            async move { (axum::http::StatusCode::from_u16(status).unwrap(), text) }
        };
        let router = Router::new().route("/jwks.json", get(answer));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
        let task = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            url,
            says,
            asked,
            task,
        }
    }

    fn say(&self, status: u16, text: impl Into<String>) {
        *self.says.lock().unwrap() = (status, text.into());
    }

    fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn set(signers: &[&Signer]) -> String {
    let keys: Vec<Value> = signers
        .iter()
        .map(|signer| {
            serde_json::from_str(&PublicKey::parse(signer.public_pem()).unwrap().to_json()).unwrap()
        })
        .collect();
    json!({ "keys": keys }).to_string()
}

/// A signing in an installation that may ask this machine.
async fn signing(db: Db, publisher: &Publisher) -> SigningTenant {
    let mut config = Config::default();
    config.signing.key_sets_from_private_addresses = true;
    let signing = SigningTenant::without_keys(World::with(db, config).await, Signer::new(P256));
    signing.add(ISSUER, &publisher.url).await.unwrap();
    signing
}

/// A request whose header names the key.
async fn by_kid(signing: &SigningTenant, signer: &Signer) -> Answer {
    let mut header = signer.header();
    header["kid"] = json!(PublicKey::parse(signer.public_pem()).unwrap().kid());
    signing
        .list(&signer.jws(&header, &signing.claims(&signing.listing())))
        .await
}

async fn a_set_is_read_once_and_again_when_it_is_old(db: Db) {
    let publisher = Publisher::new(&[&Signer::new(P256)]).await;
    let signing = signing(db, &publisher).await;
    for _ in 0..3 {
        assert_eq!(by_kid(&signing, &signing.signer).await.status, 200);
    }
    assert_eq!(publisher.asked(), 1, "when it was added");
    signing.world.state.clock.advance(Duration::minutes(15));
    publisher.say(200, set(&[&Signer::new(ED25519)]));
    assert!(
        by_kid(&signing, &signing.signer).await.fails("key"),
        "taken out of the set by its owner"
    );
    assert_eq!(publisher.asked(), 2);
    let keys = signing.keys().await;
    assert_eq!(keys[0].url.as_deref(), Some(publisher.url.as_str()));
    assert_eq!(keys[0].fetched_at, Some(signing.world.state.clock.now()));
}

async fn a_new_key_in_the_set_is_found_and_an_unknown_one_asks_no_more_than_twice_a_minute(db: Db) {
    let (old, new) = (Signer::new(P256), Signer::new(ED25519));
    let publisher = Publisher::new(&[&old]).await;
    let signing = signing(db, &publisher).await;
    let clock = &signing.world.state.clock;
    clock.advance(Duration::seconds(31));
    publisher.say(200, set(&[&old, &new]));
    assert_eq!(by_kid(&signing, &new).await.status, 200);
    assert_eq!(by_kid(&signing, &old).await.status, 200);
    let unknown = Signer::new(RSA);
    for _ in 0..5 {
        assert!(by_kid(&signing, &unknown).await.fails("key"));
    }
    assert_eq!(publisher.asked(), 2);
    clock.advance(Duration::seconds(31));
    assert!(by_kid(&signing, &unknown).await.fails("key"));
    assert_eq!(publisher.asked(), 3);
}

async fn a_set_that_cannot_be_read_is_good_for_a_day(db: Db) {
    let publisher = Publisher::new(&[&Signer::new(P256)]).await;
    let signing = signing(db, &publisher).await;
    let clock = &signing.world.state.clock;
    for (status, text) in [
        (500, "broken"),
        (302, ""),
        (200, "<html>"),
        (200, "{\"keys\":[]}"),
    ] {
        publisher.say(status, text);
        clock.advance(Duration::minutes(16));
        assert_eq!(
            by_kid(&signing, &signing.signer).await.status,
            200,
            "{status} {text}"
        );
        let keys = signing.keys().await;
        assert!(keys[0].problem.is_some(), "and the owner is told");
    }
    clock.advance(Duration::hours(24));
    let refused = by_kid(&signing, &signing.signer).await;
    assert!(refused.fails("key"), "{}", refused.body);
    publisher.say(200, set(&[&signing.signer]));
    clock.advance(Duration::seconds(31));
    assert_eq!(by_kid(&signing, &signing.signer).await.status, 200);
    let keys = signing.keys().await;
    assert_eq!(keys[0].problem, None);
}

async fn a_set_that_cannot_be_read_hinders_no_other_key(db: Db) {
    let publisher = Publisher::new(&[&Signer::new(P256)]).await;
    let signing = signing(db, &publisher).await;
    let other = Signer::new(ED25519);
    signing.add(ISSUER, other.public_pem()).await.unwrap();
    publisher.say(500, "broken");
    signing.world.state.clock.advance(Duration::minutes(16));
    for _ in 0..3 {
        assert_eq!(by_kid(&signing, &other).await.status, 200);
    }
    assert_eq!(publisher.asked(), 1, "nobody needed the set");
    let mut header = other.header();
    header["kid"] = json!("a-name-of-my-own");
    for _ in 0..3 {
        let jws = other.jws(&header, &signing.claims(&signing.listing()));
        assert_eq!(signing.list(&jws).await.status, 200);
    }
    assert_eq!(publisher.asked(), 2);
}

async fn addresses_that_are_not_public_are_not_asked(db: Db) {
    let publisher = Publisher::new(&[&Signer::new(P256)]).await;
    let signing = SigningTenant::without_keys(World::new(db).await, Signer::new(P256));
    let port = publisher
        .url
        .rsplit(':')
        .next()
        .unwrap()
        .split('/')
        .next()
        .unwrap();
    for url in [
        publisher.url.clone(),
        format!("https://127.0.0.1:{port}/jwks.json"),
        format!("https://localhost:{port}/jwks.json"),
        format!("https://[::1]:{port}/jwks.json"),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "https://user:password@keys.example.com/".to_owned(),
        "http://keys.example.com/".to_owned(),
    ] {
        let refused = signing.add(ISSUER, &url).await;
        assert!(matches!(refused, Err(PortalError::Refused(_))), "{url}");
    }
    assert_eq!(publisher.asked(), 0);
}

async fn a_set_that_nests_or_spoofs_is_no_set(db: Db) {
    let publisher = Publisher::new(&[&Signer::new(P256)]).await;
    let signing = signing(db, &publisher).await;
    let mut raw = "[]".to_owned();
    for _ in 0..40 {
        let escaped = raw.replace('\\', "\\u005c").replace('"', "\\u0022");
        let (open, close) = ("[".repeat(126), "]".repeat(126));
        raw = format!("{open}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{close}");
    }
    for (set, says) in [
        (raw.clone(), "nest deeper"),
        (format!("{{\"keys\":{raw}}}"), "nest deeper"),
        (
            r#"{"keys":{"$serde_json::private::RawValue":"[]"}}"#.to_owned(),
            "no list `keys`",
        ),
        (
            r#"{"keys":[],"keys":[]}"#.to_owned(),
            "`keys` is given twice",
        ),
        ("\u{feff}{\"keys\":[]}".to_owned(), "byte order mark"),
        (
            format!("{{\"keys\":[{}]}}", "0,".repeat(5_000)),
            "more than 4096 values",
        ),
    ] {
        publisher.say(200, set);
        let refused = signing
            .add("other@app.example.com", &publisher.url)
            .await
            .unwrap_err();
        let PortalError::Refused(fields) = refused else {
            panic!("{refused:?}");
        };
        assert!(
            fields[0].message.contains(says),
            "{says}: {}",
            fields[0].message
        );
    }
}
