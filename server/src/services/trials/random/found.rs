//! What is stored of a session after a deed, held to what the model says.

use super::*;

impl Play<'_> {
    /// What is stored must be what the model says: the last stage, or any if the process died.
    pub(super) async fn compare(&mut self, act: Act, reply: Option<String>) -> Result<(), String> {
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
}
