//! What the provider is told to say, and what is heard from the engine, in the model's words.

use super::*;

pub fn outcome(says: Says) -> Option<Result<Next, ConnectorError>> {
    Some(Ok(match says {
        Says::Next(step) => Next::Step {
            name: STEPS[step].into(),
            data: json!({}),
            bank_ref: None,
        },
        // What the provider does where the script says nothing.
        Says::Redirect => return None,
        Says::Pending => Next::Pending {
            poll_after: POLL_AFTER,
            data: json!({}),
            bank_ref: Opaque::new(b"case-1".to_vec()),
        },
        Says::Done => Next::Done {
            granted: granted(),
            data: json!({}),
        },
        Says::Refused | Says::Rejected | Says::Unreachable => {
            return Some(Err(ConnectorError::Unreachable));
        }
    }))
}

pub fn returned(says: Says) -> Option<Result<ConsentOutcome, ConnectorError>> {
    Some(Ok(match says {
        Says::Next(step) => ConsentOutcome::Consented(Next::Step {
            name: STEPS[step].into(),
            data: json!({}),
            bank_ref: None,
        }),
        Says::Redirect | Says::Pending => ConsentOutcome::Consented(Next::Pending {
            poll_after: POLL_AFTER,
            data: Value::Null,
            bank_ref: Opaque::new(b"case-1".to_vec()),
        }),
        Says::Done => ConsentOutcome::Consented(Next::done(granted())),
        Says::Refused => return None,
        Says::Rejected => {
            return Some(Err(ConnectorError::Rejected { code: "NO".into() }));
        }
        Says::Unreachable => return Some(Err(ConnectorError::Unreachable)),
    }))
}

pub fn verdict(says: Says) -> Result<VerificationOutcome, ConnectorError> {
    Ok(match says {
        Says::Next(step) => VerificationOutcome::Verified(Next::Step {
            name: STEPS[step].into(),
            data: json!({}),
            bank_ref: None,
        }),
        Says::Redirect | Says::Pending => VerificationOutcome::Undecided {
            poll_after: POLL_AFTER,
        },
        Says::Done => VerificationOutcome::Verified(Next::Done {
            granted: granted(),
            data: json!({}),
        }),
        Says::Refused => VerificationOutcome::Refused {
            reason: "again".into(),
        },
        Says::Rejected => VerificationOutcome::Failed {
            reason: "no".into(),
        },
        Says::Unreachable => return Err(ConnectorError::Unreachable),
    })
}

/// Returns the stage of a session as its tenant is told: `Away` if there is a page to go to.
pub fn stands(status: SessionStatus, data: Option<&Value>) -> Stands {
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

pub fn no(failure: &ApiError) -> String {
    match failure {
        ApiError::Refused(refusal) => format!("no: {}", refusal.code),
        other => format!("broke: {other}"),
    }
}
