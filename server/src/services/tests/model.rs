//! What a session is, said a second time and more simply: one value, no database, no await. The engine is held to it.
//!
//! Every act has its stages: what may be found if the process dies in the middle of it. The last one is what must be
//! found if it does not. Times are seconds since the sequence began.

mod parts;

use app::domain::problem::Code;

pub use self::parts::{Brought, Consent, Nonce, Says, Shown, Stands, Token, Way, WayEnd};

pub const NONCE_LIFE: i64 = 1_800;
pub const TOKEN_LIFE: i64 = 600;
pub const LEASE: i64 = 60;
/// Tokens of one return, and how long after the first there may be another.
pub const MOST_TOKENS: usize = 5;
pub const REPEATABLE: i64 = 600;

/// One session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Model {
    pub stands: Stands,
    pub position: i64,
    /// Index of the step that is awaited; `None` while none is.
    pub step: Option<usize>,
    pub claimed: Option<i64>,
    pub ends: i64,
    pub pending_since: Option<i64>,
    pub asked: i64,
    /// The nonce of step n at n - 1.
    pub nonces: Vec<Nonce>,
    /// The names of the steps taken.
    pub taken: Vec<usize>,
    pub ways: Vec<Way>,
    /// In the order they were made.
    pub tokens: Vec<Token>,
    pub consent: Consent,
}

/// Reply to an act, and the states it may leave behind.
pub struct Act {
    pub reply: String,
    pub stages: Vec<Model>,
}

impl Model {
    pub fn new(ends: i64) -> Self {
        Self {
            stands: Stands::Created,
            position: 1,
            step: Some(0),
            claimed: None,
            ends,
            pending_since: None,
            asked: 0,
            nonces: vec![Nonce {
                used: false,
                ends: Some(NONCE_LIFE),
            }],
            taken: Vec::new(),
            ways: Vec::new(),
            tokens: Vec::new(),
            consent: Consent::None,
        }
    }

    /// Returns the stage at a time.
    pub fn stands_at(&self, now: i64) -> Stands {
        match self.stands {
            Stands::Created | Stands::Working | Stands::Away if now >= self.ends => Stands::Expired,
            stored => stored,
        }
    }

    fn over(&self, now: i64) -> bool {
        !matches!(
            self.stands_at(now),
            Stands::Created | Stands::Working | Stands::Away | Stands::Pending
        )
    }

    fn no(&self, code: Code) -> Act {
        self.said(format!("no: {code}"))
    }

    fn said(&self, reply: impl Into<String>) -> Act {
        Act {
            reply: reply.into(),
            stages: vec![self.clone()],
        }
    }

    fn claim(&self, now: i64) -> Self {
        Self {
            claimed: Some(now + LEASE),
            ..self.clone()
        }
    }

    fn is_claimed(&self, now: i64) -> bool {
        self.claimed.is_some_and(|until| until > now)
    }

    /// Before, with the claim, and after.
    fn through(&self, now: i64, after: Self, reply: impl Into<String>) -> Act {
        let after = Self {
            claimed: None,
            ..after
        };
        Act {
            reply: reply.into(),
            stages: vec![self.clone(), self.claim(now), after],
        }
    }

    /// Returns the session after a success; `later` if the lifetime of what is issued begins only when it is asked for.
    fn on(&self, now: i64, says: Says, later: bool) -> Self {
        let mut after = self.clone();
        if let Some(since) = after.pending_since.take() {
            after.ends += now - since;
        }
        after.asked = 0;
        after.step = None;
        match says {
            Says::Next(step) => {
                after.stands = Stands::Working;
                after.step = Some(step);
                after.nonces.push(Nonce {
                    used: false,
                    ends: (!later).then_some(now + NONCE_LIFE),
                });
            }
            Says::Redirect => {
                after.stands = Stands::Away;
                after.ways.push(Way {
                    outcome: WayEnd::Waiting,
                    position: self.position + 1,
                });
            }
            Says::Pending => {
                after.stands = Stands::Pending;
                after.pending_since = Some(now);
            }
            Says::Done => {
                after.stands = Stands::Completed;
                after.consent = Consent::Kept;
                after.tokens.push(Token {
                    ends: (!later).then_some(now + TOKEN_LIFE),
                    exchanged: None,
                    dead: false,
                });
            }
            Says::Refused => {
                after.stands = Stands::Working;
                after.step = self.taken.last().copied();
                after.nonces.push(Nonce {
                    used: false,
                    ends: (!later).then_some(now + NONCE_LIFE),
                });
            }
            Says::Rejected => after.stands = Stands::Failed,
            Says::Unreachable => unreachable!("nothing follows"),
        }
        after
    }

    pub fn submit(&self, now: i64, shown: Shown, step: usize, says: Says) -> Act {
        let position = match shown {
            Shown::AnotherSessions | Shown::MadeUp => return self.no(Code::InvalidNonce),
            Shown::Of(position) => position,
        };
        let nonce = self.nonces[usize::try_from(position).unwrap() - 1];
        if self.over(now) {
            return self.no(Code::SessionEnded);
        }
        let awaited = matches!(self.stands, Stands::Created | Stands::Working);
        if nonce.used || position != self.position || !awaited {
            return self.no(Code::InvalidNonce);
        }
        if nonce.ends.is_none_or(|ends| ends <= now) {
            return self.no(Code::ExpiredNonce);
        }
        if self.is_claimed(now) {
            return self.no(Code::StepInFlight);
        }
        if self.step != Some(step) {
            return self.no(Code::InvalidStep);
        }
        if says == Says::Unreachable {
            let reply = format!("no: {}", Code::ExternalApiConnectionError);
            return self.through(now, self.clone(), reply);
        }
        let mut after = self.on(now, says, false);
        after.nonces[usize::try_from(position).unwrap() - 1].used = true;
        after.position += 1;
        after.taken.push(step);
        let reply = format!("taken: {:?}", after.stands);
        self.through(now, after, reply)
    }

    /// Asks what comes next, with the tenant's secret.
    pub fn get(&self, now: i64) -> Act {
        let mut after = self.clone();
        let stands = self.stands_at(now);
        let (mut nonce, mut token) = (false, false);
        if matches!(stands, Stands::Created | Stands::Working) {
            let last = after.nonces.last_mut().unwrap();
            let ends = *last.ends.get_or_insert(now + NONCE_LIFE);
            nonce = ends > now;
        }
        let mut living = after.tokens.iter_mut().rev();
        if stands == Stands::Completed
            && let Some(kept) = living.find(|token| token.alive())
        {
            let ends = *kept.ends.get_or_insert(now + TOKEN_LIFE);
            token = ends > now;
        }
        Act {
            reply: format!("{stands:?} nonce {nonce} token {token}"),
            stages: vec![self.clone(), after],
        }
    }

    /// Asks what comes next, with the nonce of a step.
    pub fn get_by(&self, now: i64, position: i64) -> Act {
        if position + 1 < self.position {
            return self.no(Code::InvalidNonce);
        }
        let used = self.nonces[usize::try_from(position).unwrap() - 1].used;
        if used && !self.ways.is_empty() {
            // Not even that the end-user is away: the page to go to is not shown.
            let stands = match self.stands_at(now) {
                Stands::Away => Stands::Working,
                stands => stands,
            };
            return self.said(format!("{stands:?} nonce false token false"));
        }
        self.get(now)
    }

    /// The end-user comes back on the last way, with a code or a refusal.
    pub fn come_back(&self, now: i64, brought: Brought, says: Says) -> Act {
        let way = match self.ways.last() {
            None => return self.said("nobody is away"),
            Some(way) => *way,
        };
        match way.outcome {
            WayEnd::Refused => return self.told_again(now, way, "access_denied"),
            WayEnd::Granted => return self.come_back_again(now, way, brought),
            WayEnd::Waiting => {}
        }
        if self.over(now) {
            return self.said("link: expired nonce false");
        }
        if self.stands != Stands::Away || self.is_claimed(now) {
            return self.said("wait");
        }
        let settled = |mut after: Self, outcome| {
            after.ways.last_mut().unwrap().outcome = outcome;
            after
        };
        match says {
            Says::Unreachable => self.through(now, self.clone(), "link: bank_error nonce false"),
            Says::Refused => {
                let after = settled(self.on(now, says, false), WayEnd::Refused);
                self.through(now, after, "link: access_denied nonce true")
            }
            Says::Rejected => {
                let after = settled(self.on(now, Says::Refused, false), WayEnd::Refused);
                self.through(now, after, "link: bank_error nonce true")
            }
            Says::Done => {
                let after = settled(self.on(now, says, false), WayEnd::Granted);
                self.through(now, after, "link: temp_token")
            }
            Says::Next(_) | Says::Pending | Says::Redirect => {
                let goes_on = matches!(says, Says::Next(_));
                let says = if goes_on { says } else { Says::Pending };
                let after = settled(self.on(now, says, false), WayEnd::Granted);
                self.through(now, after, format!("link: goes on nonce {goes_on}"))
            }
        }
    }

    /// The link of a way that goes on, told again: with the nonce of the step that follows, while it is that step's turn.
    /// The nonce's life starts now at the latest, as if it was asked for.
    fn told_again(&self, now: i64, way: Way, outcome: &str) -> Act {
        let mut after = self.clone();
        let turn = self.stands_at(now) == Stands::Working && way.position == self.position;
        let unused = after.nonces.last_mut().filter(|nonce| turn && !nonce.used);
        let nonce = unused.is_some_and(|nonce| *nonce.ends.get_or_insert(now + NONCE_LIFE) > now);
        Act {
            reply: format!("link: {outcome} nonce {nonce}"),
            stages: vec![self.clone(), after],
        }
    }

    fn come_back_again(&self, now: i64, way: Way, brought: Brought) -> Act {
        if brought == Brought::Bad {
            return self.no(Code::TppRedirectError);
        }
        let completed = self.stands == Stands::Completed;
        if !completed && self.over(now) {
            return self.said("link: expired nonce false");
        }
        let last = way.position == self.position && brought == Brought::Good;
        if !completed && last {
            return self.told_again(now, way, "goes on");
        }
        if !completed {
            return self.said("link: goes on nonce false");
        }
        let done = || self.said("link: already_completed");
        if !last || self.tokens.iter().any(|token| !token.alive()) {
            return done();
        }
        let mut after = self.clone();
        match self.tokens.iter().filter_map(|token| token.ends).min() {
            None => after.tokens.last_mut().unwrap().ends = Some(now + TOKEN_LIFE),
            Some(ends) => {
                if now - (ends - TOKEN_LIFE) > REPEATABLE || self.tokens.len() >= MOST_TOKENS {
                    return done();
                }
                after.tokens.push(Token {
                    ends: Some(now + TOKEN_LIFE),
                    exchanged: None,
                    dead: false,
                });
            }
        }
        Act {
            reply: "link: temp_token".into(),
            stages: vec![self.clone(), after],
        }
    }

    /// Nothing happens.
    pub fn idle(&self) -> Act {
        self.said("idle")
    }

    /// The provider was asked what it verified.
    pub fn verdict(&self, now: i64, says: Says) -> Act {
        let after = match says {
            Says::Pending | Says::Redirect => Self {
                asked: self.asked + 1,
                ..self.clone()
            },
            Says::Unreachable => self.clone(),
            decided => self.on(now, decided, true),
        };
        self.through(now, after, "asked")
    }

    pub fn cancel(&self, now: i64) -> Act {
        match self.stands_at(now) {
            Stands::Cancelled => return self.said("cancelled"),
            Stands::Failed | Stands::Expired => return self.no(Code::SessionEnded),
            Stands::Completed if !self.tokens.iter().any(|token| token.alive()) => {
                return self.no(Code::SessionEnded);
            }
            _ => {}
        }
        let mut after = Self {
            stands: Stands::Cancelled,
            step: None,
            claimed: None,
            ..self.clone()
        };
        if let Some(since) = after.pending_since.take() {
            after.ends += now - since;
        }
        after.end_tokens();
        if after.consent == Consent::Kept {
            after.consent = Consent::Ended;
        }
        Act {
            reply: "cancelled".into(),
            stages: vec![self.clone(), after],
        }
    }

    fn end_tokens(&mut self) {
        for token in self.tokens.iter_mut().filter(|token| token.alive()) {
            token.dead = true;
        }
    }

    /// Exchanges a token.
    pub fn exchange(&self, now: i64, which: usize) -> Act {
        let token = self.tokens[which];
        if let Some(at) = token.exchanged {
            let mut after = self.clone();
            if now - at > 10 && after.consent == Consent::Open {
                after.consent = Consent::Ended;
            }
            return Act {
                reply: format!("no: {}", Code::TempTokenUsed),
                stages: vec![self.clone(), after],
            };
        }
        if self.tokens.iter().any(|other| other.exchanged.is_some()) {
            return self.no(Code::TempTokenUsed);
        }
        if token.dead || token.ends.is_none_or(|ends| ends <= now) {
            return self.no(Code::TempTokenExpired);
        }
        let mut after = Self {
            consent: Consent::Open,
            ..self.clone()
        };
        after.tokens[which].exchanged = Some(now);
        after.end_tokens();
        Act {
            reply: "exchanged".into(),
            stages: vec![self.clone(), after],
        }
    }
}
