//! The parts of a session as the model knows it, and what callers and providers say.

/// Stage of a session, as stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stands {
    Created,
    /// A step is awaited.
    Working,
    /// The end-user is at the bank.
    Away,
    Pending,
    Completed,
    Failed,
    Expired,
    Cancelled,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nonce {
    pub used: bool,
    /// `None` until it is first handed out.
    pub ends: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Token {
    pub ends: Option<i64>,
    pub exchanged: Option<i64>,
    pub dead: bool,
}

impl Token {
    pub(super) fn alive(self) -> bool {
        self.exchanged.is_none() && !self.dead
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayEnd {
    Waiting,
    Granted,
    Refused,
}

/// A way back: how it ended, and the number of the step that follows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    pub outcome: WayEnd,
    pub position: i64,
}

/// The provider's code, as a return carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    Good,
    Bad,
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    None,
    Kept,
    Open,
    Ended,
}

/// Provider's answer to a step, a return or a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// On with the first or the second step.
    Next(usize),
    Redirect,
    Pending,
    Done,
    Refused,
    /// No, for good.
    Rejected,
    Unreachable,
}

/// Nonce that a caller shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// The nonce of the step with this number.
    Of(i64),
    AnotherSessions,
    MadeUp,
}
