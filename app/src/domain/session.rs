//! A session: an ordered conversation of steps that takes an end-user through consent or onboarding.
//!
//! [`Progress::after`] holds every rule about what may follow what. Storage writes a new progress only over the old
//! one it was worked out from, so that of two events that race exactly one takes place.

string_enum! {
    /// Status of a session, as sent in `status`.
    SessionStatus {
        /// Opened; no step submitted yet.
        Created = "SESSION_CREATED",
        /// At least one step submitted.
        InProgress = "SESSION_IN_PROGRESS",
        /// Waiting for an offline verification.
        Pending = "SESSION_PENDING",
        /// The last step was accepted and a `temp_token` issued.
        Completed = "SESSION_COMPLETED",
        /// Ended by the provider without result.
        Failed = "SESSION_FAILED",
        /// Ended by time.
        Expired = "SESSION_EXPIRED",
        /// Ended by the tenant.
        Cancelled = "SESSION_CANCELLED",
    }
}

impl SessionStatus {
    /// Returns `true` if the session is over: its status cannot change any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Completed | Self::Failed | Self::Expired | Self::Cancelled
        )
    }
}

string_enum! {
    /// Party whose turn it is in a session; never sent.
    Awaiting {
        /// The tenant's app submits the next step.
        Step = "step",
        /// The end-user is on the provider's pages.
        Redirect = "redirect",
        /// The provider verifies offline.
        Provider = "provider",
        /// Nobody's: the session has ended, or only its last step's required uploads are outstanding
        /// ([`Progress::lacks_uploads`]).
        Nothing = "nothing",
    }
}

/// Progress of a session: its status, the number of the step that comes next (from 1), and whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    pub status: SessionStatus,
    /// Nonce *n* authorises step *n*.
    pub position: i64,
    pub awaiting: Awaiting,
}

/// Stage of a session that follows a successful event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    Step,
    Redirect,
    /// An offline verification.
    Verification,
    /// The required uploads of the step, which was the last; then the end.
    Uploads,
    End,
}

/// Event that changes the progress of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionEvent {
    /// The provider took the step that was submitted.
    Accepted(Follows),
    /// The end-user came back from the provider, who says that it was consented.
    Returned(Follows),
    /// The provider finished verifying.
    Verified(Follows),
    /// The last of the required uploads arrived.
    Uploaded,
    /// The end-user or the provider said no: the attempt ends, and the same step may be tried again.
    Refused,
    /// The provider ended the session for good.
    Failed,
    /// The tenant ended it.
    Cancelled,
    /// Its time ran out.
    Expired,
}

impl Progress {
    /// Progress of a session that was just opened.
    pub const NEW: Self = Self {
        status: SessionStatus::Created,
        position: 1,
        awaiting: Awaiting::Step,
    };

    /// Returns the progress after an event; `None` if the event cannot happen now.
    pub const fn after(self, event: SessionEvent) -> Option<Self> {
        match (event, self.awaiting) {
            // The number rises with the step itself, not with the end-user's return: nonces are never numbered twice.
            (SessionEvent::Accepted(follows), Awaiting::Step) => {
                Some(Self::then(self.position + 1, follows))
            }
            // Nobody would know where another redirect comes back to.
            (
                SessionEvent::Returned(Follows::Redirect)
                | SessionEvent::Verified(Follows::Redirect),
                _,
            ) => None,
            (SessionEvent::Returned(follows), Awaiting::Redirect)
            | (SessionEvent::Verified(follows), Awaiting::Provider) => {
                Some(Self::then(self.position, follows))
            }
            (SessionEvent::Refused, Awaiting::Redirect | Awaiting::Provider) => {
                Some(Self::then(self.position, Follows::Step))
            }
            (SessionEvent::Failed, Awaiting::Step | Awaiting::Redirect | Awaiting::Provider) => {
                Some(self.ended(SessionStatus::Failed))
            }
            // Time in an offline verification does not count.
            (SessionEvent::Expired, Awaiting::Step | Awaiting::Redirect) => {
                Some(self.ended(SessionStatus::Expired))
            }
            (SessionEvent::Uploaded, Awaiting::Nothing) if self.lacks_uploads() => {
                Some(self.ended(SessionStatus::Completed))
            }
            (SessionEvent::Expired, Awaiting::Nothing) if self.lacks_uploads() => {
                Some(self.ended(SessionStatus::Expired))
            }
            // A completed session can be cancelled as long as its token was not exchanged: storage checks that.
            (SessionEvent::Cancelled, _)
                if !self.status.is_final() || matches!(self.status, SessionStatus::Completed) =>
            {
                Some(self.ended(SessionStatus::Cancelled))
            }
            _ => None,
        }
    }

    /// Returns `true` if the last step was accepted and only its required uploads are outstanding.
    pub const fn lacks_uploads(self) -> bool {
        matches!(
            (self.status, self.awaiting),
            (SessionStatus::InProgress, Awaiting::Nothing)
        )
    }

    const fn then(position: i64, follows: Follows) -> Self {
        let (status, awaiting) = match follows {
            Follows::Step => (SessionStatus::InProgress, Awaiting::Step),
            Follows::Redirect => (SessionStatus::InProgress, Awaiting::Redirect),
            Follows::Verification => (SessionStatus::Pending, Awaiting::Provider),
            Follows::Uploads => (SessionStatus::InProgress, Awaiting::Nothing),
            Follows::End => (SessionStatus::Completed, Awaiting::Nothing),
        };
        Self {
            status,
            position,
            awaiting,
        }
    }

    const fn ended(self, status: SessionStatus) -> Self {
        Self {
            status,
            position: self.position,
            awaiting: Awaiting::Nothing,
        }
    }
}

string_enum! {
    /// Decision of a person about a verification, made in place of the sandbox provider.
    Decision {
        Approve = "approve",
        /// The step has to be done again.
        AskAgain = "ask_again",
        /// The session is over.
        Reject = "reject",
    }
}

string_enum! {
    /// Status of a consent record, as sent in `status`.
    ConsentStatus { Active = "ACTIVE", Deleted = "DELETED", Expired = "EXPIRED" }
}

string_enum! {
    /// Party that ended a consent before its time.
    EndedBy {
        /// The tenant, or this server for its protection.
        Tenant = "tenant",
        /// The end-user, at the bank.
        Bank = "bank",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOLLOWS: [Follows; 5] = [
        Follows::Step,
        Follows::Redirect,
        Follows::Verification,
        Follows::Uploads,
        Follows::End,
    ];

    fn events() -> Vec<SessionEvent> {
        let mut events = vec![
            SessionEvent::Refused,
            SessionEvent::Failed,
            SessionEvent::Cancelled,
            SessionEvent::Expired,
            SessionEvent::Uploaded,
        ];
        for follows in FOLLOWS {
            events.extend([
                SessionEvent::Accepted(follows),
                SessionEvent::Returned(follows),
                SessionEvent::Verified(follows),
            ]);
        }
        events
    }

    /// Every progress that can be reached in so many events, with the events that led there.
    fn reachable(depth: usize) -> Vec<(Vec<SessionEvent>, Progress)> {
        let mut all = vec![(Vec::new(), Progress::NEW)];
        let mut edge = all.clone();
        for _ in 0..depth {
            let mut next = Vec::new();
            for (path, progress) in &edge {
                for event in events() {
                    if let Some(after) = progress.after(event) {
                        let mut path = path.clone();
                        path.push(event);
                        next.push((path, after));
                    }
                }
            }
            all.extend(next.clone());
            edge = next;
        }
        all
    }

    #[test]
    fn status_and_turn_always_agree() {
        for (path, progress) in reachable(5) {
            assert_eq!(
                progress.status.is_final() || progress.lacks_uploads(),
                progress.awaiting == Awaiting::Nothing,
                "{path:?}"
            );
            assert_eq!(
                progress.status == SessionStatus::Pending,
                progress.awaiting == Awaiting::Provider,
                "{path:?}"
            );
            assert_eq!(
                progress.status == SessionStatus::Created,
                path.is_empty(),
                "{path:?}"
            );
        }
    }

    #[test]
    fn the_number_rises_by_one_with_each_accepted_step_and_never_otherwise() {
        for (path, progress) in reachable(5) {
            let accepted = path
                .iter()
                .filter(|event| matches!(event, SessionEvent::Accepted(_)))
                .count();
            assert_eq!(
                progress.position,
                1 + i64::try_from(accepted).unwrap(),
                "{path:?}"
            );
        }
    }

    #[test]
    fn what_has_ended_stays_ended_but_a_tenant_may_cancel_a_completed_session() {
        for (path, progress) in reachable(4) {
            if progress.status.is_final() {
                let possible: Vec<SessionEvent> = events()
                    .into_iter()
                    .filter(|event| progress.after(*event).is_some())
                    .collect();
                let expected = if progress.status == SessionStatus::Completed {
                    vec![SessionEvent::Cancelled]
                } else {
                    Vec::new()
                };
                assert_eq!(possible, expected, "{path:?}");
            }
        }
    }

    #[test]
    fn a_redirect_follows_a_submitted_step_alone() {
        let redirected = SessionEvent::Accepted(Follows::Redirect);
        let pending = SessionEvent::Accepted(Follows::Verification);
        let at_bank = Progress::NEW.after(redirected).unwrap();
        let verified = Progress::NEW.after(pending).unwrap();
        assert!(
            at_bank
                .after(SessionEvent::Returned(Follows::Step))
                .is_some()
        );
        assert_eq!(
            at_bank.after(SessionEvent::Returned(Follows::Redirect)),
            None
        );
        assert_eq!(
            verified.after(SessionEvent::Verified(Follows::Redirect)),
            None
        );
    }

    #[test]
    fn a_refusal_ends_the_attempt_and_not_the_session() {
        let at_bank = Progress::NEW
            .after(SessionEvent::Accepted(Follows::Redirect))
            .unwrap();
        let refused = at_bank.after(SessionEvent::Refused).unwrap();
        assert_eq!(
            (refused.status, refused.awaiting, refused.position),
            (SessionStatus::InProgress, Awaiting::Step, 2)
        );
        assert!(
            refused
                .after(SessionEvent::Accepted(Follows::Redirect))
                .is_some()
        );
    }

    #[test]
    fn a_last_step_without_its_files_waits_for_them_alone() {
        let waiting = Progress::NEW
            .after(SessionEvent::Accepted(Follows::Uploads))
            .unwrap();
        let outcomes: Vec<_> = events()
            .into_iter()
            .filter_map(|event| Some((event, waiting.after(event)?.status)))
            .collect();
        let expected = [
            (SessionEvent::Cancelled, SessionStatus::Cancelled),
            (SessionEvent::Expired, SessionStatus::Expired),
            (SessionEvent::Uploaded, SessionStatus::Completed),
        ];
        assert_eq!(outcomes, expected);
    }

    #[test]
    fn completed_means_that_a_step_a_return_a_verification_or_a_file_ended_it() {
        for (path, progress) in reachable(5) {
            if progress.status == SessionStatus::Completed {
                assert!(
                    matches!(
                        path.last(),
                        Some(
                            SessionEvent::Accepted(Follows::End)
                                | SessionEvent::Returned(Follows::End)
                                | SessionEvent::Verified(Follows::End)
                                | SessionEvent::Uploaded
                        )
                    ),
                    "{path:?}"
                );
            }
        }
    }
}
