//! Ten thousand random sessions over the real services, each held to the model after every act: with good and bad
//! nonces, returns, verdicts, cancellations, jumps of the clock, and deaths at every point between two statements.
//!
//! The seed is fixed, so that a failure comes again; `TESSERA_TEST_SEED` (a number up to 255) tells other stories. What
//! fails is shrunk, and printed as the acts that led there.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestCaseError, TestRng, TestRunner};

use super::model::{Act, Consent, Model, Nonce, Says, Shown, Stands, Token, Way};
use super::*;
use crate::services::sessions::Proof;
use crate::storage::sessions::ReturnOutcome;
use crate::storage::testing::{self, Story, TempFolder, crash};
use app::domain::session::{Awaiting, SessionStatus};

const STEPS: [&str; 2] = ["one", "two"];
/// Acts of the longest story.
const LONGEST: usize = 12;

/// Which nonce is shown.
#[derive(Clone, Copy, Debug)]
enum Which {
    Latest,
    First,
    AnotherSessions,
    MadeUp,
}

#[derive(Clone, Copy, Debug)]
enum Deed {
    Submit(Which, bool, Says),
    Get,
    ComeBack(bool, Says),
    Work(Says),
    Cancel,
    Exchange(bool),
    Wait(i64),
}

/// A deed, and after how many points the process dies in it, if it does.
type Step = (Deed, Option<u32>);

fn says() -> impl Strategy<Value = Says> {
    prop_oneof![
        3 => (0..2_usize).prop_map(Says::Next),
        2 => Just(Says::Redirect),
        2 => Just(Says::Pending),
        2 => Just(Says::Done),
        1 => Just(Says::Refused),
        1 => Just(Says::Rejected),
        1 => Just(Says::Unreachable),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let which = prop_oneof![
        8 => Just(Which::Latest),
        1 => Just(Which::First),
        1 => Just(Which::AnotherSessions),
        1 => Just(Which::MadeUp),
    ];
    let right = proptest::bool::weighted(0.9);
    let waits = prop_oneof![
        Just(1_i64),
        Just(5),
        Just(11),
        Just(61),
        Just(600),
        Just(1_800),
        Just(7_200),
        Just(86_400)
    ];
    let deed = prop_oneof![
        6 => (which, right, says()).prop_map(|(which, right, says)| Deed::Submit(which, right, says)),
        3 => Just(Deed::Get),
        3 => (right, says()).prop_map(|(right, says)| Deed::ComeBack(right, says)),
        3 => says().prop_map(Deed::Work),
        1 => Just(Deed::Cancel),
        2 => right.prop_map(Deed::Exchange),
        3 => waits.prop_map(Deed::Wait),
    ];
    (deed, proptest::option::weighted(0.3, 0..30_u32))
}

/// One session in play.
struct Play<'w> {
    world: &'w World,
    id: SessionId,
    begun: chrono::DateTime<chrono::Utc>,
    model: Model,
    /// The nonces that were told, by number.
    nonces: HashMap<i64, String>,
    foreign: &'w str,
    /// The living token, if it was told, and one that died.
    token: Option<String>,
    dead: Option<String>,
    /// `state` of the last way that was opened.
    way: String,
    /// What the bank did for a step whose process died: it does not change its mind.
    stuck: HashMap<i64, Says>,
    /// The keys under which the bank was asked for something final.
    products: HashSet<uuid::Uuid>,
    asked_at: Option<i64>,
}

impl<'w> Play<'w> {
    async fn begin(world: &'w World, foreign: &'w str) -> Self {
        let opened = world.open(ANY).await;
        Self {
            world,
            id: opened.session_id,
            begun: world.state.clock.now(),
            model: Model::new(86_400),
            nonces: HashMap::from([(1, opened.nonce)]),
            foreign,
            token: None,
            dead: None,
            way: String::new(),
            stuck: HashMap::new(),
            products: HashSet::new(),
            asked_at: None,
        }
    }

    fn now(&self) -> i64 {
        (self.world.state.clock.now() - self.begun).num_seconds()
    }

    /// Does one deed and compares what came of it.
    async fn go(&mut self, (deed, dies): Step) -> Result<(), String> {
        let provider = &self.world.provider;
        provider.submits.lock().unwrap().clear();
        provider.finishes.lock().unwrap().clear();
        provider.verdicts.lock().unwrap().clear();
        let now = self.now();
        let (act, reply) = match deed {
            Deed::Wait(seconds) => {
                self.world.advance(seconds);
                return Ok(());
            }
            Deed::Submit(which, right, says) => self.submit(now, which, right, says, dies).await,
            Deed::Get => self.get(now, dies).await,
            Deed::ComeBack(right, says) => self.come_back(now, right, says, dies).await,
            Deed::Work(says) => self.work(now, says, dies).await?,
            Deed::Cancel => self.cancel(now, dies).await,
            Deed::Exchange(living) => {
                let known = if living { &self.token } else { &self.dead };
                let Some(text) = known.clone() else {
                    return Ok(());
                };
                self.exchange(now, living, &text, dies).await
            }
        };
        self.compare(act, reply).await
    }

    /// Runs something, which may die; none then.
    async fn run<T>(&self, dies: Option<u32>, work: impl Future<Output = T>) -> Option<T> {
        crash::after(dies);
        let done = AssertUnwindSafe(work).catch_unwind().await;
        let crashed = crash::came(dies.is_some());
        match done {
            Ok(done) if !crashed => Some(done),
            Err(panic) if !crashed => std::panic::resume_unwind(panic),
            _ => None,
        }
    }

    async fn submit(
        &mut self,
        now: i64,
        which: Which,
        right: bool,
        says: Says,
        dies: Option<u32>,
    ) -> (Act, Option<String>) {
        let latest = *self.nonces.keys().max().unwrap();
        let (shown, text) = match which {
            Which::Latest => (Shown::Of(latest), self.nonces[&latest].clone()),
            Which::First => (Shown::Of(1), self.nonces[&1].clone()),
            Which::AnotherSessions => (Shown::AnotherSessions, self.foreign.to_owned()),
            Which::MadeUp => (Shown::MadeUp, "made up".into()),
        };
        let position = self.model.position;
        let says = match self.stuck.get(&position) {
            Some(stuck) => *stuck,
            None if matches!(says, Says::Refused | Says::Rejected) => Says::Unreachable,
            None => says,
        };
        let step = self.model.step.unwrap_or(0);
        let step = if right { step } else { 1 - step };
        let act = self.model.submit(now, shown, step, says);
        if let Some(outcome) = outcome(says) {
            let mut script = self.world.provider.submits.lock().unwrap();
            script.push_back(outcome);
        }
        let asked = self.world.provider.submitted.load(Ordering::SeqCst);
        let data = json!({ "psu_redirect_link": LINK });
        let new = super::step(ANY, STEPS[step], data);
        let taken = self.run(dies, self.world.submit(self.id, &text, new)).await;
        if self.world.provider.submitted.load(Ordering::SeqCst) > asked && says != Says::Unreachable
        {
            self.stuck.insert(position, says);
            if says == Says::Done {
                let keys = self.world.provider.keys.lock().unwrap();
                self.products.insert(*keys.last().unwrap());
            }
        }
        let reply = taken.map(|taken| match taken {
            Ok(taken) => {
                let stands = stands(taken.status, Some(&taken.data));
                if let Some(nonce) = taken.nonce {
                    self.nonces.insert(position + 1, nonce);
                }
                self.token = taken.temp_token.or_else(|| self.token.take());
                format!("taken: {stands:?}")
            }
            Err(failure) => no(&failure),
        });
        (act, reply)
    }

    async fn get(&mut self, now: i64, dies: Option<u32>) -> (Act, Option<String>) {
        let act = self.model.get(now);
        let (state, client) = (&self.world.state, &self.world.client);
        let got = sessions::get(state, client, self.id, Proof::Secret);
        let reply = self.run(dies, got).await.map(|standing| {
            let standing = standing.unwrap();
            let stands = stands(standing.status, standing.data.as_ref());
            let (nonce, token) = (standing.nonce.is_some(), standing.temp_token.is_some());
            if let Some(nonce) = standing.nonce {
                self.nonces.insert(self.model.position, nonce);
            }
            self.token = standing.temp_token.or_else(|| self.token.take());
            format!("{stands:?} nonce {nonce} token {token}")
        });
        (act, reply)
    }

    async fn come_back(
        &mut self,
        now: i64,
        right: bool,
        says: Says,
        dies: Option<u32>,
    ) -> (Act, Option<String>) {
        let waiting = self.model.ways.last() == Some(&Way::Waiting);
        let right = waiting || (right && says != Says::Refused);
        let act = self.model.come_back(now, right, says);
        if self.model.ways.is_empty() {
            return (act, Some("nobody is away".into()));
        }
        if let Some(returned) = returned(says) {
            let mut script = self.world.provider.finishes.lock().unwrap();
            script.push_back(returned);
        }
        let refused = says == Says::Refused;
        let code = if right { "good" } else { "bad" };
        let arrival = Arrival {
            state: self.way.clone().into(),
            code: (!refused).then(|| code.to_owned().into()),
            refused,
        };
        let came = crate::services::returns::arrive(&self.world.state, arrival);
        let reply = self.run(dies, came).await.map(|onward| match onward {
            Ok(Onward::Wait) => "wait".to_owned(),
            Ok(Onward::Link(link)) => {
                if let Some(token) = query(&link, "temp_token") {
                    self.dead = self.token.replace(token).or_else(|| self.dead.take());
                    "link: temp_token".into()
                } else {
                    let error = query(&link, "error").unwrap_or_else(|| "goes on".into());
                    format!("link: {error}")
                }
            }
            Err(failure) => no(&failure),
        });
        (act, reply)
    }

    async fn work(
        &mut self,
        now: i64,
        says: Says,
        dies: Option<u32>,
    ) -> Result<(Act, Option<String>), String> {
        let before = self.world.provider.asked.load(Ordering::SeqCst);
        let verdicts = &self.world.provider.verdicts;
        verdicts.lock().unwrap().push_back(verdict(says));
        let done = self.run(dies, self.world.work()).await;
        let asked = self.world.provider.asked.load(Ordering::SeqCst) - before;
        let pending = self.model.stands == Stands::Pending;
        if asked > 1 || (asked == 1 && !pending) {
            return Err(format!("the provider was asked {asked} times"));
        }
        if asked == 1 && self.asked_at.is_some_and(|at| now - at < 5) {
            return Err("the provider was asked too soon".into());
        }
        if asked == 1 {
            self.asked_at = Some(now);
        }
        let mut act = if pending {
            self.model.verdict(now, says)
        } else {
            self.model.idle()
        };
        if asked == 0 && done.is_some() {
            act.stages.truncate(1);
        } else if asked == 0 {
            act.stages.truncate(2);
        }
        let reply = done.map(|()| act.reply.clone());
        Ok((act, reply))
    }

    async fn cancel(&mut self, now: i64, dies: Option<u32>) -> (Act, Option<String>) {
        let act = self.model.cancel(now);
        let (state, client) = (&self.world.state, &self.world.client);
        let cancelled = sessions::cancel(state, client, self.id, Proof::Secret);
        let reply = self.run(dies, cancelled).await;
        let reply = reply.map(|done| done.map_or_else(|why| no(&why), |_| "cancelled".into()));
        (act, reply)
    }

    async fn exchange(
        &mut self,
        now: i64,
        living: bool,
        text: &str,
        dies: Option<u32>,
    ) -> (Act, Option<String>) {
        let act = self.model.exchange(now, living);
        let reply = self.run(dies, self.world.exchange(text)).await;
        let reply = reply.map(|done| done.map_or_else(|why| no(&why), |_| "exchanged".into()));
        (act, reply)
    }

    /// What is stored must be what the model says: the last stage, or any if the process died.
    async fn compare(&mut self, act: Act, reply: Option<String>) -> Result<(), String> {
        let mut tx = self.world.state.db.read().await.unwrap();
        let story = tx.story(self.id).await.unwrap();
        drop(tx);
        let found = self.read(&story);
        let fits = match &reply {
            Some(reply) if *reply != act.reply => {
                return Err(format!("answered {reply:?}, not {:?}", act.reply));
            }
            Some(_) => act.stages.last() == Some(&found),
            None => act.stages.contains(&found),
        };
        if !fits {
            return Err(format!("found {found:#?}\nexpected {:#?}", act.stages));
        }
        if found.ways.len() > self.model.ways.len() {
            self.way = self.world.provider.sent.lock().unwrap().clone();
        }
        if found.dead_tokens > self.model.dead_tokens && reply.is_none() {
            // The new one was not told.
            self.dead = self.token.take().or_else(|| self.dead.take());
        }
        if found.token.is_none() {
            self.dead = self.token.take().or_else(|| self.dead.take());
        }
        self.model = found;
        if self.products.len() > 1 {
            return Err(format!("{} products for one session", self.products.len()));
        }
        Ok(())
    }

    fn read(&self, story: &Story) -> Model {
        let since = |at: chrono::DateTime<chrono::Utc>| (at - self.begun).num_seconds();
        let row = &story.session;
        let step = |name: &str| STEPS.iter().position(|known| *known == name).unwrap();
        let living = story.tokens.iter().find(|(_, _, dead)| !dead);
        let stands = match (row.status, row.awaiting) {
            (SessionStatus::Created, _) => Stands::Created,
            (SessionStatus::InProgress, Awaiting::Redirect) => Stands::Away,
            (SessionStatus::InProgress, _) => Stands::Working,
            (SessionStatus::Pending, _) => Stands::Pending,
            (SessionStatus::Completed, _) => Stands::Completed,
            (SessionStatus::Failed, _) => Stands::Failed,
            (SessionStatus::Expired, _) => Stands::Expired,
            (SessionStatus::Cancelled, _) => Stands::Cancelled,
        };
        Model {
            stands,
            position: row.position,
            step: row.next_step.as_deref().map(step),
            claimed: row.claim_until.map(since),
            ends: since(row.expires_at),
            pending_since: row.pending_since.map(since),
            asked: row.asked,
            nonces: story
                .nonces
                .iter()
                .map(|(used, ends)| Nonce {
                    used: *used,
                    ends: ends.map(since),
                })
                .collect(),
            taken: story.steps.iter().map(|name| step(name)).collect(),
            ways: story
                .ways
                .iter()
                .map(|outcome| match outcome {
                    ReturnOutcome::Waiting => Way::Waiting,
                    ReturnOutcome::Granted => Way::Granted,
                    ReturnOutcome::Refused => Way::Refused,
                })
                .collect(),
            token: living.map(|(ends, exchanged, _)| Token {
                ends: ends.map(since),
                exchanged: exchanged.map(since),
            }),
            dead_tokens: i64::try_from(story.tokens.iter().filter(|token| token.2).count())
                .unwrap(),
            consent: match &story.consent {
                None => Consent::None,
                Some((status, _)) if status != "ACTIVE" => Consent::Ended,
                Some((_, true)) => Consent::Open,
                Some((_, false)) => Consent::Kept,
            },
        }
    }

    async fn tell(&mut self, story: &[Step]) -> Result<(), String> {
        for (at, step) in story.iter().enumerate() {
            let gone = self.go(*step).await;
            gone.map_err(|why| format!("act {at}: {why}"))?;
        }
        self.end().await
    }

    /// A session that waits is asked about again, whatever died; then it is put away.
    async fn end(&mut self) -> Result<(), String> {
        for _ in 0..4 {
            if self.model.stands == Stands::Pending {
                self.world.advance(3_700);
                self.go((Deed::Work(Says::Next(0)), None)).await?;
            }
        }
        if self.model.stands == Stands::Pending {
            return Err("nobody asks about the session any more".into());
        }
        self.world.advance(61);
        self.go((Deed::Cancel, None)).await?;
        self.go((Deed::Work(Says::Pending), None)).await
    }
}

fn outcome(says: Says) -> Option<Result<Outcome, ConnectorError>> {
    Some(Ok(match says {
        Says::Next(step) => Outcome::Next {
            step: STEPS[step].into(),
            data: json!({}),
            bank_ref: None,
        },
        // What the provider does where the script says nothing.
        Says::Redirect => return None,
        Says::Pending => Outcome::Pending {
            poll_after: POLL_AFTER,
            data: json!({}),
            bank_ref: Opaque::new(b"case-1".to_vec()),
        },
        Says::Done => Outcome::Done {
            granted: granted(),
            data: json!({}),
        },
        Says::Refused | Says::Rejected | Says::Unreachable => {
            return Some(Err(ConnectorError::Unreachable));
        }
    }))
}

fn returned(says: Says) -> Option<Result<Returned, ConnectorError>> {
    Some(Ok(match says {
        Says::Next(step) => Returned::Next {
            step: STEPS[step].into(),
            data: json!({}),
            bank_ref: None,
        },
        Says::Redirect | Says::Pending => Returned::Pending {
            poll_after: POLL_AFTER,
            bank_ref: Opaque::new(b"case-1".to_vec()),
        },
        Says::Done => Returned::Granted(granted()),
        Says::Refused => return None,
        Says::Rejected => {
            return Some(Err(ConnectorError::Rejected { code: "NO".into() }));
        }
        Says::Unreachable => return Some(Err(ConnectorError::Unreachable)),
    }))
}

fn verdict(says: Says) -> Result<Verdict, ConnectorError> {
    Ok(match says {
        Says::Next(step) => Verdict::Next {
            step: STEPS[step].into(),
            data: json!({}),
            bank_ref: None,
        },
        Says::Redirect | Says::Pending => Verdict::Pending {
            poll_after: POLL_AFTER,
        },
        Says::Done => Verdict::Done {
            granted: granted(),
            data: json!({}),
        },
        Says::Refused => Verdict::Refused {
            reason: "again".into(),
        },
        Says::Rejected => Verdict::Failed {
            reason: "no".into(),
        },
        Says::Unreachable => return Err(ConnectorError::Unreachable),
    })
}

/// Where a session stands, as its tenant is told: away if there is a page to go to.
fn stands(status: SessionStatus, data: Option<&Value>) -> Stands {
    let away = data.is_some_and(|data| data.get("url").is_some());
    match status {
        SessionStatus::Created => Stands::Created,
        SessionStatus::InProgress if away => Stands::Away,
        SessionStatus::InProgress => Stands::Working,
        SessionStatus::Pending => Stands::Pending,
        SessionStatus::Completed => Stands::Completed,
        SessionStatus::Failed => Stands::Failed,
        SessionStatus::Expired => Stands::Expired,
        SessionStatus::Cancelled => Stands::Cancelled,
    }
}

fn no(failure: &Failure) -> String {
    match failure {
        Failure::Refused(refusal) => format!("no: {}", refusal.code),
        other => format!("broke: {other}"),
    }
}

/// Tells so many stories over one database.
fn tell(cases: u32, seed: u8, open: impl AsyncFnOnce() -> Db) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let (world, foreign) = runtime.block_on(async {
        let world = World::new(open().await).await;
        let foreign = world.open(ANY).await.nonce;
        (world, foreign)
    });
    let config = ProptestConfig {
        cases,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::default()
    };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let stories = proptest::collection::vec(step(), 1..=LONGEST);
    let told = runner.run(&stories, |story| {
        runtime.block_on(async {
            let mut play = Play::begin(&world, &foreign).await;
            let told = play.tell(&story).await;
            if told.is_err() {
                // Nothing of it may disturb the stories that shrinking tells next.
                let (state, client) = (&world.state, &world.client);
                sessions::cancel(state, client, play.id, Proof::Secret)
                    .await
                    .ok();
            }
            told.map_err(TestCaseError::fail)
        })
    });
    if let Err(error) = told {
        panic!("seed {seed}: {error}");
    }
    runtime.block_on(world.state.db.close());
}

fn seed() -> u8 {
    let given = std::env::var("TESSERA_TEST_SEED").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(1)
}

#[test]
fn ten_thousand_sessions_go_as_the_model_says_on_sqlite() {
    let half = |part: u8| {
        std::thread::spawn(move || {
            let folder = TempFolder::new();
            tell(5_000, seed().wrapping_add(part), async || {
                testing::sqlite_unsynced(&folder).await
            });
        })
    };
    for half in [half(0), half(100)] {
        half.join().unwrap();
    }
}

#[test]
fn three_hundred_sessions_go_as_the_model_says_on_postgres() {
    tell(300, seed(), testing::postgres);
}
