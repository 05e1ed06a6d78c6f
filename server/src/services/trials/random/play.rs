//! One session in play: each deed is done to the engine and to the model, and what came of both is compared.

use super::script::{no, outcome, returned, stands, verdict};
use super::*;

/// One session in play.
pub struct Play<'w> {
    pub(super) world: &'w World,
    pub(super) id: SessionId,
    pub(super) begun: chrono::DateTime<chrono::Utc>,
    pub(super) model: Model,
    /// The nonces that were told, by number.
    nonces: HashMap<i64, String>,
    foreign: &'w str,
    /// The living token, if it was told, and one that died.
    pub(super) token: Option<String>,
    pub(super) dead: Option<String>,
    /// `state` of the last way that was opened.
    pub(super) way: String,
    /// What the bank did for a step whose process died: it does not change its mind.
    stuck: HashMap<i64, Says>,
    /// The keys under which the bank was asked for something final.
    pub(super) products: HashSet<uuid::Uuid>,
    asked_at: Option<i64>,
}

impl<'w> Play<'w> {
    pub async fn begin(world: &'w World, foreign: &'w str) -> Self {
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
        let new = crate::services::trials::step(ANY, STEPS[step], data);
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
