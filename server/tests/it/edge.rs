//! Hostile networks: what one address may hold, how slow is too slow, and what nobody proved keys for costs.

use std::net::Ipv4Addr;
use std::time::Duration;

use serde_json::json;

use crate::world::browser::{self, Decision};
use crate::world::hostile::{
    self, HALF_A_HEAD, address, ask, half_a_body, holding, many_answers, rest, socket,
};
use crate::world::{Database, RETURN, World, on_both};

on_both!(
    whoever_sends_or_reads_too_slowly_is_cut_off,
    a_stranger_is_counted_before_anything_is_done,
    a_spent_budget_stops_nobody_who_comes_back_from_a_bank,
    pages_have_budgets_and_say_so_on_a_page,
    refusals_of_strangers_leave_nothing_behind,
);

const HOME: Ipv4Addr = Ipv4Addr::LOCALHOST;
const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";
const LIVE: &str = "GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn is_live(answer: &str) -> bool {
    answer.starts_with("HTTP/1.1 200")
}

/// Returns the URL at which a new session sends the end-user to the sandbox bank.
async fn bank(world: &World) -> String {
    let keys = world.tenant().await;
    let (session, nonce) = world.session(&keys).await;
    let step = World::sca(&keys, &nonce);
    let (status, step) = world
        .post(&format!("/v1/sessions/{session}/steps"), &step)
        .await;
    assert_eq!(status, 200, "{step}");
    step["data"]["url"].as_str().unwrap().to_owned()
}

async fn whoever_sends_or_reads_too_slowly_is_cut_off(database: Database) {
    let quick = [
        ("TESSERA_HTTP__BODY_TIMEOUT_SECONDS", "1"),
        ("TESSERA_HTTP__ANSWER_TIMEOUT_SECONDS", "2"),
        ("TESSERA_HTTP__HEADER_TIMEOUT_SECONDS", "2"),
    ];
    let world = World::with(database, &quick).await;
    let bank = socket(&bank(&world).await);
    let server = socket(&world.server.url);
    let patience = Duration::from_secs(12);
    let cases = [
        (server, "/v1/sessions", JSON, 40),
        (server, "/v1/token", JSON, 0),
        (server, "/signin", FORM, 40),
        (server, "/start", FORM, 0),
        (
            server,
            "/v1/steps/018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11/upload",
            "multipart/form-data; boundary=x",
            40,
        ),
        (
            bank,
            "/authorise/018f3c1e-8a44-7d2b-9d59-2b7a3f1c0a11/sign-in",
            FORM,
            40,
        ),
        (bank, "/v1/consents", JSON, 40),
    ];
    for (server, path, media, sent) in cases {
        let mut held = holding(server, HOME, &half_a_body(path, media, sent)).await;
        let (answer, took) = rest(&mut held, patience).await;
        assert!(answer.starts_with("HTTP/1.1 408"), "{path}: {answer}");
        assert!(took < patience, "{path}: {took:?}");
    }
    // A byte now and then is no progress either.
    for (server, path) in [(server, "/signin"), (bank, "/authorise/x/sign-in")] {
        let held = holding(server, HOME, &half_a_body(path, FORM, 40)).await;
        let drips = async {
            loop {
                tokio::time::sleep(Duration::from_millis(200)).await;
                if held.try_write(b"x").is_err() {
                    return;
                }
            }
        };
        assert!(
            tokio::time::timeout(patience, drips).await.is_ok(),
            "{path}"
        );
    }
    // Nobody reads these.
    for path in ["/v1/openapi.json", "/docs/api"] {
        let held = holding(server, HOME, &many_answers(path, 60)).await;
        let took = hostile::until_cut(&held, patience).await;
        assert!(took < patience, "{path}: open for {took:?}");
    }
    for server in [server, bank] {
        let mut held = holding(server, HOME, HALF_A_HEAD).await;
        let (_, took) = rest(&mut held, patience).await;
        assert!(took < patience, "half a head: {took:?}");
    }
    // Somebody reads slowly, and gets it all.
    let size = ask(
        server,
        HOME,
        "GET /v1/openapi.json HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    .await
    .len();
    let read = tokio::task::spawn_blocking(move || slowly(server, "/v1/openapi.json"));
    let read = read.await.unwrap();
    assert!(read.abs_diff(size) < 64, "{read} of {size} bytes");
    assert!(is_live(&ask(server, HOME, LIVE).await));
}

/// Reads an answer at about 200 kB a second; answers how much came.
fn slowly(server: std::net::SocketAddr, path: &str) -> usize {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(server).unwrap();
    let ask = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(ask.as_bytes()).unwrap();
    let (mut piece, mut size) = (vec![0; 32 << 10], 0);
    loop {
        match stream.read(&mut piece).unwrap() {
            0 => return size,
            read => size += read,
        }
        std::thread::sleep(Duration::from_millis(150));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_holds_no_more_than_its_share_of_connections() {
    let world = World::with(
        Database::Sqlite,
        &[("TESSERA_HTTP__CONNECTIONS_PER_SOURCE", "8")],
    )
    .await;
    let server = socket(&world.server.url);
    let bank = socket(&bank(&world).await);
    for server in [server, bank] {
        let mut held = Vec::new();
        for _ in 0..8 {
            held.push(holding(server, address(1), HALF_A_HEAD).await);
        }
        // Those are accepted in their order: when a later one is answered, they are counted.
        let one_more = ask(server, address(1), "").await;
        assert!(one_more.starts_with("HTTP/1.1 503"), "{one_more}");
        let lower = one_more.to_lowercase();
        assert!(
            lower.contains("retry-after: 1") && lower.contains("connection: close"),
            "{one_more}"
        );
        assert!(
            !ask(
                server,
                address(2),
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            .await
            .starts_with("HTTP/1.1 503")
        );
        held.truncate(4);
        let again = async {
            while ask(
                server,
                address(1),
                "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            )
            .await
            .starts_with("HTTP/1.1 503")
            {}
        };
        tokio::time::timeout(Duration::from_secs(10), again)
            .await
            .expect("what was closed is given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_a_trusted_proxy_requests_are_counted_by_the_address_they_come_from() {
    let settings = [
        ("TESSERA_HTTP__CONNECTIONS_PER_SOURCE", "2"),
        ("TESSERA_HTTP__TRUSTED_PROXIES", "[\"127.0.0.9\"]"),
    ];
    let world = World::with(Database::Sqlite, &settings).await;
    let server = socket(&world.server.url);
    let proxy = Ipv4Addr::new(127, 0, 0, 9);
    let through = |head: &str, from: &str| {
        head.replacen(
            "Host: x\r\n",
            &format!("Host: x\r\nX-Forwarded-For: {from}\r\n"),
            1,
        )
    };
    let slow = String::from_utf8(half_a_body("/v1/sessions", JSON, 10)).unwrap();
    // Those two are cut off themselves after fifteen seconds: where that is too short, they come again.
    let one_more = async {
        loop {
            let mut held = Vec::new();
            for _ in 0..2 {
                held.push(holding(server, proxy, through(&slow, "198.51.100.7").as_bytes()).await);
            }
            for _ in 0..50 {
                let answer = ask(server, proxy, &through(LIVE, "198.51.100.7")).await;
                if answer.starts_with("HTTP/1.1 429") {
                    return (answer, held);
                }
            }
        }
    };
    let (one_more, _held) = tokio::time::timeout(Duration::from_mins(1), one_more)
        .await
        .expect("the third is one too many");
    assert!(
        one_more.to_lowercase().contains("retry-after: 1"),
        "{one_more}"
    );
    for other in ["198.51.100.8", "2001:db8::1"] {
        assert!(
            is_live(&ask(server, proxy, &through(LIVE, other)).await),
            "{other}"
        );
    }
    // The proxy itself may have as many connections as it likes; what others say of addresses is not believed.
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(holding(server, proxy, HALF_A_HEAD).await);
    }
    assert!(is_live(
        &ask(server, proxy, &through(LIVE, "198.51.100.9")).await
    ));
    for n in 0..2 {
        idle.push(
            holding(
                server,
                address(n),
                through(&slow, "198.51.100.10").as_bytes(),
            )
            .await,
        );
    }
    assert!(is_live(
        &ask(server, proxy, &through(LIVE, "198.51.100.10")).await
    ));
}

async fn a_stranger_is_counted_before_anything_is_done(database: Database) {
    let world = World::with(
        database,
        &[("TESSERA_LIMITS__BROWSER_CALLS_PER_MINUTE", "6")],
    )
    .await;
    let (server, stranger) = (socket(&world.server.url), address(7));
    let call = "POST /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
    for _ in 0..6 {
        let answer = ask(server, stranger, call).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
    // Answered while the body is still on its way: nobody waited for it.
    let unread = half_a_body("/v1/sessions", JSON, 10);
    let mut held = holding(server, stranger, &unread).await;
    let (answer, took) = rest(&mut held, Duration::from_secs(10)).await;
    assert!(
        answer.starts_with("HTTP/1.1 429") && answer.contains("too_many_requests"),
        "{answer}"
    );
    assert!(answer.to_lowercase().contains("retry-after: "), "{answer}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    for path in ["/v1/nothing", "/v1/openapi.json", "//v1/sessions"] {
        let answer = ask(
            server,
            stranger,
            &format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 429"), "{path}: {answer}");
    }
    // Preflights have their own.
    let preflight = "OPTIONS /v1/sessions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nOrigin: https://a.example\r\nAccess-Control-Request-Method: POST\r\n\r\n";
    for n in 0..7 {
        let answer = ask(server, stranger, preflight).await;
        let expected = if n < 6 {
            "HTTP/1.1 204"
        } else {
            "HTTP/1.1 429"
        };
        assert!(answer.starts_with(expected), "{n}: {answer}");
        assert!(
            answer
                .to_lowercase()
                .contains("access-control-allow-origin: *"),
            "{answer}"
        );
    }
    // Whoever proves keys is no stranger, and is not shut out by one beside them who lately was.
    let keys = world.tenant().await;
    let proved = keys.data(&(uuid::Uuid::nil().to_string(), "x".repeat(43)));
    for _ in 0..30 {
        let (status, answer) = world.post("/v1/consents/get", &proved).await;
        assert_eq!(status, 401, "{answer}");
        assert_eq!(answer["code"], "invalid_credentials_id", "{answer}");
    }
    for _ in 0..12 {
        world.post("/v1/sessions", &json!({})).await;
    }
    let (status, answer) = world.post("/v1/consents/get", &proved).await;
    assert_eq!(status, 401, "{answer}");
}

async fn a_spent_budget_stops_nobody_who_comes_back_from_a_bank(database: Database) {
    let world = World::with(
        database,
        &[("TESSERA_LIMITS__BROWSER_CALLS_PER_MINUTE", "30")],
    )
    .await;
    let keys = world.tenant().await;
    let (session, nonce) = world.session(&keys).await;
    let (status, step) = world
        .post(
            &format!("/v1/sessions/{session}/steps"),
            &World::sca(&keys, &nonce),
        )
        .await;
    assert_eq!(status, 200, "{step}");
    let spent = async { while world.post("/v1/sessions", &json!({})).await.0 != 429 {} };
    tokio::time::timeout(Duration::from_mins(1), spent)
        .await
        .expect("the budget ends");
    let end = browser::consent(
        step["data"]["url"].as_str().unwrap(),
        "student",
        Decision::Approve,
    )
    .await;
    assert!(
        end.starts_with(RETURN) && end.contains("temp_token="),
        "{end}"
    );
    // Its own budget ends with a page, whatever is accepted.
    let server = socket(&world.server.url);
    let back = "GET /v1/redirects/aisp?state=none HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\nConnection: close\r\n\r\n";
    let mut statuses = Vec::new();
    for _ in 0..80 {
        let answer = ask(server, address(3), back).await;
        let lower = answer.to_lowercase();
        assert!(
            lower.contains("content-type: text/html") && lower.contains("<h1>"),
            "{answer}"
        );
        let status = answer.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(status == "429", lower.contains("retry-after"), "{answer}");
        statuses.push(status);
    }
    assert!(
        statuses
            .iter()
            .all(|status| status == "400" || status == "429"),
        "{statuses:?}"
    );
    assert!(statuses.last().is_some_and(|status| status == "429") && statuses[0] == "400");
    for wrong in [
        "POST /v1/redirects/aisp",
        "GET /v1/redirects/nothing",
        "PUT /v1/redirects/pisp?state=x",
    ] {
        let answer = ask(
            server,
            address(4),
            &format!(
                "{wrong} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            ),
        )
        .await;
        assert!(
            answer.to_lowercase().contains("content-type: text/html"),
            "{wrong}: {answer}"
        );
    }
}

async fn pages_have_budgets_and_say_so_on_a_page(database: Database) {
    let world = World::with(
        database,
        &[("TESSERA_LIMITS__BROWSER_CALLS_PER_MINUTE", "10")],
    )
    .await;
    let server = socket(&world.server.url);
    let bank = bank(&world).await;
    let form = |path: &str| {
        format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nSec-Fetch-Site: same-origin\r\nContent-Type: {FORM}\r\nConnection: close\r\nContent-Length: 3\r\n\r\na=b"
        )
    };
    let forms = ["/verify/nothing", "/start", "/signin", "/forgot"];
    for (n, path) in forms.into_iter().enumerate() {
        let answer = ask(server, address(1), &form(path)).await;
        assert_eq!(
            answer.starts_with("HTTP/1.1 429"),
            n >= 2,
            "{path}: {answer}"
        );
    }
    for (at, server, path) in [
        (2, server, "/signin"),
        (3, server, "/no/such/page"),
        (4, socket(&bank), "/"),
    ] {
        let mut answers = Vec::new();
        for _ in 0..24 {
            let get = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            answers.push(ask(server, address(at), &get).await);
        }
        assert!(!answers[0].starts_with("HTTP/1.1 429"), "{}", answers[0]);
        let last = answers.last().unwrap();
        let lower = last.to_lowercase();
        assert!(last.starts_with("HTTP/1.1 429"), "{path}: {last}");
        assert!(
            lower.contains("retry-after: ") && lower.contains("content-type: text/html"),
            "{last}"
        );
        assert!(
            lower.contains("<h1>") && lower.contains("wait a minute"),
            "{last}"
        );
    }
}

async fn refusals_of_strangers_leave_nothing_behind(database: Database) {
    let world = World::own(database).await;
    let keys = world.tenant().await;
    let sql = world.sql().await;
    let rows = async |condition: &str| sql.count(&format!("requests WHERE {condition}")).await;
    let before = world.disk(&sql).await;
    let mut sent = 0;
    for n in 0..2000_u32 {
        let body = match n % 3 {
            0 => {
                json!({"client_id": uuid::Uuid::from_u128(n.into()), "client_secret": "wrong", "temp_token": "x".repeat(200)})
            }
            1 => json!({"nothing": "x".repeat(300)}),
            _ => json!({"client_id": 7}),
        };
        sent += body.to_string().len() as u64 + 150;
        let (status, answer) = world.post("/v1/token", &body).await;
        assert!((400..500).contains(&status), "{answer}");
    }
    // A tenant's own call comes last: when its row is there, the others would be.
    world.session(&keys).await;
    let written = async {
        while rows("status < 300").await == 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written)
        .await
        .expect("the log is written");
    assert_eq!(rows("status >= 400").await, 0);
    let grown = world.disk(&sql).await.saturating_sub(before);
    println!("{database:?}: {sent} bytes of refused calls, {grown} bytes of disk");
    assert!(grown < sent, "{grown} for {sent}");
    // Who names a tenant and proves nothing gets a few rows of its log, without what they sent.
    let named = json!({"client_id": keys.client_id, "client_secret": "canary-of-a-stranger", "temp_token": "y"});
    for _ in 0..150 {
        world.post("/v1/token", &named).await;
    }
    world.session(&keys).await;
    let written = async {
        while rows("status < 300").await < 2 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), written)
        .await
        .expect("the log is written");
    assert_eq!(rows("status >= 400").await, 60);
    assert_eq!(rows("status >= 400 AND request_body <> ''").await, 0);
}
