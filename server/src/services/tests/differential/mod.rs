//! Two databases, one truth: the same random calls to two servers that differ in their database alone. Clock, ids and
//! randomness have one seed, so that whole answers can be compared: status, headers, body, byte by byte.
//!
//! `TESSERA_DIFFERENTIAL_CALLS` says how many calls (10,000 if not given), `TESSERA_DIFFERENTIAL_SEED` where to begin; a
//! difference is printed with the seed that shows it again. Postgres sorts by the rules of a language here, as installed
//! ones do.

mod bank;
mod calls;
mod kinds;
mod words;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, header};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tower::ServiceExt as _;

use self::calls::{Call, Maker};
use super::*;
use crate::config::Config;
use crate::storage::testing::{self as databases};

/// Calls before both begin anew with empty databases and the next seed.
const ROUND: usize = 2_500;
const PASSWORD: &str = "kumquat+lamps+over+gravel";

/// One of the two servers.
struct Side {
    world: World,
    api: Router,
    portal: Router,
    cookie: String,
}

/// A complete answer to a call.
#[derive(PartialEq)]
struct Answer {
    status: u16,
    headers: Vec<(String, HeaderValue)>,
    body: String,
}

impl Side {
    async fn new(db: Db) -> Self {
        let mut config = Config::default();
        config.limits.server_calls_per_minute = 1_000_000;
        config.limits.browser_calls_per_minute = 1_000_000;
        config.data.bank_calls_per_day = 100_000;
        // In real time, which neither server has in its hands.
        config.data.first_fetch_wait_seconds = 600;
        config.data.refresh_wait_seconds = 600;
        let mut all: Vec<app::domain::skill::SkillManifest> =
            serde_json::from_value(manifests()).unwrap();
        let shipped = Registry::shipped().unwrap().into_iter();
        all.extend(
            shipped
                .filter(|one| one.title.contains("payments"))
                .map(|mut one| {
                    one.connector = "fake".into();
                    one
                }),
        );
        let world = World::builder(state_with(db, config));
        let world = world.scripted_with(all).build().await;
        Self {
            api: world.api(),
            portal: world.portal(),
            world,
            cookie: String::new(),
        }
    }

    async fn answer(&mut self, call: &Call) -> Answer {
        let mut request = Request::builder()
            .method(call.method)
            .uri(&call.target)
            .header(header::COOKIE, &self.cookie)
            .header(header::ORIGIN, "http://127.0.0.1:3000");
        if call.target.starts_with("/v1") {
            request = Request::builder().method(call.method).uri(&call.target);
        }
        for (name, value) in &call.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Body::from(call.body.clone())).unwrap();
        let router = if call.target.starts_with("/v1") {
            self.api.clone()
        } else {
            self.portal.clone()
        };
        let answer = router.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let mut headers: Vec<_> = answer
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.clone()))
            .collect();
        headers.sort_by(|a, b| (&a.0, a.1.as_bytes()).cmp(&(&b.0, b.1.as_bytes())));
        for (name, value) in &headers {
            let pair = value.to_str().unwrap_or_default().split(';').next();
            if name == "set-cookie" && pair.is_some_and(|pair| pair.starts_with("tessera=")) {
                self.cookie = pair.unwrap_or_default().to_owned();
            }
        }
        let bytes = axum::body::to_bytes(answer.into_body(), 1 << 26).await;
        let mut body = String::from_utf8_lossy(&bytes.unwrap()).into_owned();
        if !call.target.starts_with("/v1") {
            // A page's length counts the digits of how long calls took.
            headers.retain(|(name, _)| name != "content-length");
            body = without_durations(&body);
        }
        Answer {
            status,
            headers,
            body,
        }
    }
}

/// A page without how long calls took: real time, and the one thing that two servers cannot have alike. A call that took
/// longer than a second is told in seconds, in a cell of its own.
fn without_durations(page: &str) -> String {
    let in_seconds = page.replace(" s<", " ms<");
    let mut plain = String::with_capacity(page.len());
    let mut rest = in_seconds.as_str();
    while let Some(at) = rest.find(" ms") {
        let (before, after) = rest.split_at(at);
        plain.push_str(
            before.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '<'),
        );
        plain.push_str("# ms");
        rest = after.get(3..).unwrap_or_default();
    }
    plain.push_str(rest);
    plain
}

/// Both servers, and what is known of them.
struct Pair {
    sides: [Side; 2],
    maker: Maker,
    seed: u64,
    made: usize,
}

impl Pair {
    async fn new(sqlite: Db, postgres: Db, seed: u64) -> Self {
        let sides = [Side::new(sqlite).await, Side::new(postgres).await];
        let mut pair = Self {
            sides,
            maker: Maker::new(StdRng::seed_from_u64(seed)),
            seed,
            made: 0,
        };
        pair.show_data();
        let start = calls::form(
            "/start",
            &[
                ("name", "Société Meșter & Co"),
                ("email", "ana@example.com"),
                ("password", PASSWORD),
                ("legal_form", "company"),
                ("country", "RO"),
            ],
        );
        let page = pair.play(&start).await;
        pair.maker.learn_keys(&page);
        for _ in 0..3 {
            pair.consent().await;
        }
        pair
    }

    /// Sends one call to both.
    async fn play(&mut self, call: &Call) -> String {
        let [a, b] = &mut self.sides;
        let (a, b) = (a.answer(call).await, b.answer(call).await);
        self.made += 1;
        if a != b {
            let tell = |side: &Answer| {
                let at = a
                    .body
                    .bytes()
                    .zip(b.body.bytes())
                    .take_while(|(a, b)| a == b);
                let at = at.count().saturating_sub(200);
                let part: String = side.body.chars().skip(at).take(1_200).collect();
                format!("{} {:?}\n…{part}", side.status, side.headers)
            };
            panic!(
                "seed {}, call {}: the databases differ\n{call:?}\n\nSQLite: {}\n\nPostgres: {}\n\n\
                 again: TESSERA_DIFFERENTIAL_SEED={} cargo test --lib differential",
                self.seed,
                self.made,
                tell(&a),
                tell(&b),
                self.seed
            );
        }
        assert!(a.status < 500 || a.status == 503, "{call:?}\n{}", a.body);
        a.body
    }

    /// Plays a call and remembers what it brought.
    async fn learn(&mut self, call: Call) {
        let body = self.play(&call).await;
        if let Ok(answer) = serde_json::from_str::<Value>(&body) {
            self.maker.learn(&answer, &call);
        }
    }

    /// The whole way to a consent, by the API.
    async fn consent(&mut self) {
        let open = self.maker.open(AISP);
        self.learn(open).await;
        let step = self.maker.sca();
        self.learn(step).await;
        let states: Vec<String> = self
            .sides
            .iter()
            .map(|side| side.world.provider.sent.lock().unwrap().clone())
            .collect();
        assert_eq!(states[0], states[1]);
        let back = calls::get(&format!("/v1/redirects/aisp?code=c-1&state={}", states[0]));
        let [a, _] = &mut self.sides;
        let _ = a;
        let answered = self.redirected(&back).await;
        if let Some(token) = query(&answered, "temp_token") {
            let exchange = self.maker.exchange(&token);
            self.learn(exchange).await;
        }
    }

    /// Sends a call to both servers and returns the link they redirect to; empty if they do not.
    async fn redirected(&mut self, call: &Call) -> String {
        let [a, b] = &mut self.sides;
        let (a, b) = (a.answer(call).await, b.answer(call).await);
        assert!(a == b, "seed {}: {call:?}", self.seed);
        let link = a.headers.iter().find(|(name, _)| name == "location");
        link.map_or(String::new(), |(_, value)| {
            value.to_str().unwrap().to_owned()
        })
    }

    /// Makes the banks of both servers show other data.
    fn show_data(&mut self) {
        let (accounts, pages) = self.maker.data();
        for side in &self.sides {
            *side.world.provider.accounts.lock().unwrap() = accounts.clone();
            *side.world.provider.own_pages.lock().unwrap() = pages.clone();
        }
    }

    async fn go_on(&mut self) {
        match self.maker.rng.random_range(0..1_000) {
            0..4 => self.show_data(),
            4..14 => {
                let seconds = self.maker.rng.random_range(1..9_000);
                for side in &self.sides {
                    side.world.advance(seconds);
                    let state = &side.world.state;
                    state.request_log.flush(state).await;
                }
            }
            14..16 => {
                for side in &self.sides {
                    side.world.work().await;
                }
            }
            16..22 => self.consent().await,
            _ => {
                let call = self.maker.call();
                self.learn(call).await;
            }
        }
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name).ok();
    given.map_or(otherwise, |text| text.parse().expect("a number"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_databases_give_one_answer() {
    let calls = usize::try_from(setting("TESSERA_DIFFERENTIAL_CALLS", 10_000)).unwrap();
    let first = setting("TESSERA_DIFFERENTIAL_SEED", 1);
    let begun = std::time::Instant::now();
    let (mut made, mut seed) = (0, first);
    while made < calls {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = databases::sqlite_unsynced(&folder).await;
        let (postgres, name) = databases::postgres_of_a_language().await;
        let mut pair = Pair::new(sqlite.clone(), postgres.clone(), seed).await;
        while pair.made < ROUND && made + pair.made < calls {
            pair.go_on().await;
        }
        made += pair.made;
        sqlite.close().await;
        postgres.close().await;
        databases::drop_postgres(&name).await;
        println!(
            "differential: seed {seed}, {made} calls, {} s, kinds {:?}",
            begun.elapsed().as_secs(),
            pair.maker.statuses
        );
        seed += 1;
    }
    println!(
        "differential: {made} calls, seeds {first} to {}, 0 differences",
        seed - 1
    );
}
