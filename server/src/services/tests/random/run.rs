//! One session in play: each deed is done to the engine and to the model, and what came of both is compared.

use super::provider_script::{no, outcome, returned, stands, verdict};
use super::*;

/// One session in play.
pub struct ModelRun<'w> {
    pub(super) world: &'w World,
    pub(super) id: SessionId,
    pub(super) begun: chrono::DateTime<chrono::Utc>,
    pub(super) model: Model,
    /// The nonces that were told, by number.
    nonces: HashMap<i64, String>,
    foreign: &'w str,
    /// The tokens in the order they were made, as far as they were told.
    pub(super) tokens: Vec<Option<String>>,
    /// `state` of the last way that was opened.
    pub(super) way: String,
    /// Outcome at the bank of each step, by position. If the process died, the bank answers the same when it is asked
    /// again.
    stuck: HashMap<i64, Says>,
    /// The keys under which the bank was asked for something final.
    pub(super) products: HashSet<uuid::Uuid>,
    asked_at: Option<i64>,
}

impl<'w> ModelRun<'w> {
    pub async fn begin(world: &'w World, foreign: &'w str) -> Self {
        let opened = world.client.open(ANY).await;
        Self {
            world,
            id: opened.session_id,
            begun: world.state.clock.now(),
            model: Model::new(86_400),
            nonces: HashMap::from([(1, opened.nonce)]),
            foreign,
            tokens: Vec::new(),
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
            Action::Wait(seconds) => {
                self.world.advance(seconds);
                return Ok(());
            }
            Action::Submit(which, right, says) => self.submit(now, which, right, says, dies).await,
            Action::Get(as_server) => self.get(now, as_server, dies).await,
            Action::ComeBack(right, says) => self.come_back(now, right, says, dies).await,
            Action::Work(says) => self.work(now, says, dies).await?,
            Action::Cancel => self.cancel(now, dies).await,
            Action::Exchange(last) => {
                let told = |(which, text): (usize, &Option<String>)| Some((which, text.clone()?));
                let found = if last {
                    self.tokens.iter().enumerate().rev().find_map(told)
                } else {
                    self.tokens.iter().enumerate().find_map(told)
                };
                let Some((which, text)) = found else {
                    return Ok(());
                };
                self.exchange(now, which, &text, dies).await
            }
        };
        self.compare(act, reply).await
    }

    /// Runs something, in which the process may die; `None` if it did.
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
        let new = crate::testing::step(ANY, STEPS[step], data);
        let taken = self
            .run(dies, self.world.client.submit(self.id, &text, new))
            .await;
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
                self.learn(&act, taken.temp_token);
                format!("taken: {stands:?}")
            }
            Err(failure) => no(&failure),
        });
        (act, reply)
    }

    /// Remembers a token that was told: one known already, or the newest of those that were not.
    fn learn(&mut self, act: &Act, text: Option<String>) {
        if text.is_none() || self.tokens.contains(&text) {
            return;
        }
        let after = act.stages.last().unwrap();
        self.tokens.resize(after.tokens.len(), None);
        let mut untold = self.tokens.iter_mut().rev();
        *untold.find(|known| known.is_none()).unwrap() = text;
    }

    async fn get(&mut self, now: i64, as_server: bool, dies: Option<u32>) -> (Act, Option<String>) {
        let latest = *self.nonces.keys().max().unwrap();
        let nonce = self.nonces[&latest].clone();
        let (act, proof) = if as_server {
            (self.model.get(now), SessionProof::Secret)
        } else {
            (self.model.get_by(now, latest), SessionProof::Nonce(&nonce))
        };
        let (state, client) = (&self.world.state, &self.world.client);
        let got = sessions::get(state, client, self.id, proof);
        let reply = self.run(dies, got).await.map(|standing| {
            let standing = match standing {
                Ok(standing) => standing,
                Err(failure) => return no(&failure),
            };
            let stands = stands(standing.status, standing.data.as_ref());
            let (nonce, token) = (standing.nonce.is_some(), standing.temp_token.is_some());
            if let Some(nonce) = standing.nonce {
                self.nonces.insert(self.model.position, nonce);
            }
            self.learn(&act, standing.temp_token);
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
        let waiting = |way: &Way| way.outcome == WayEnd::Waiting;
        let waiting = self.model.ways.last().is_some_and(waiting);
        let brought = match says {
            Says::Refused => Brought::None,
            _ if waiting || right => Brought::Good,
            _ => Brought::Bad,
        };
        let act = self.model.come_back(now, brought, says);
        if self.model.ways.is_empty() {
            return (act, Some("nobody is away".into()));
        }
        if let Some(returned) = returned(says) {
            let mut script = self.world.provider.finishes.lock().unwrap();
            script.push_back(returned);
        }
        let code = match brought {
            Brought::Good => Some("good".to_owned().into()),
            Brought::Bad => Some("bad".to_owned().into()),
            Brought::None => None,
        };
        let arrival = AuthorizationResponse {
            state: self.way.clone().into(),
            refused: code.is_none(),
            code,
        };
        let came =
            crate::services::sessions::callbacks::handle_callback(&self.world.state, arrival);
        let reply = self.run(dies, came).await.map(|onward| match onward {
            Ok(CallbackResult::Wait) => "wait".to_owned(),
            Ok(CallbackResult::Link(link)) => {
                let nonce = query(&link, "nonce");
                if let Some(nonce) = &nonce {
                    let position = self.model.ways.last().unwrap().position;
                    self.nonces.insert(position, nonce.clone());
                }
                if let Some(token) = query(&link, "temp_token") {
                    self.learn(&act, Some(token));
                    return "link: temp_token".into();
                }
                let (error, code) = (query(&link, "error"), query(&link, "error_code"));
                match (error, code) {
                    (Some(error), _) => format!("link: {error} nonce {}", nonce.is_some()),
                    (None, Some(code)) => format!("link: {code}"),
                    (None, None) => format!("link: goes on nonce {}", nonce.is_some()),
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
        let cancelled = sessions::cancel(state, client, self.id, SessionProof::Secret);
        let reply = self.run(dies, cancelled).await;
        let reply = reply.map(|done| done.map_or_else(|why| no(&why), |_| "cancelled".into()));
        (act, reply)
    }

    async fn exchange(
        &mut self,
        now: i64,
        which: usize,
        text: &str,
        dies: Option<u32>,
    ) -> (Act, Option<String>) {
        let act = self.model.exchange(now, which);
        let reply = self.run(dies, self.world.client.exchange(text)).await;
        let reply = reply.map(|done| done.map_or_else(|why| no(&why), |_| "exchanged".into()));
        (act, reply)
    }

    pub async fn tell(&mut self, story: &[Step]) -> Result<(), String> {
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
                self.go((Action::Work(Says::Next(0)), None)).await?;
            }
        }
        if self.model.stands == Stands::Pending {
            return Err("nobody asks about the session any more".into());
        }
        self.world.advance(61);
        self.go((Action::Cancel, None)).await?;
        self.go((Action::Work(Says::Pending), None)).await
    }
}
