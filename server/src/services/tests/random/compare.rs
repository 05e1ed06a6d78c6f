//! What is stored of a session after a deed, held to what the model says.

use super::*;

impl ModelRun<'_> {
    /// Compares what is stored with the model: it must be the last stage, or any of them if the process died.
    pub(super) async fn compare(&mut self, act: Act, reply: Option<String>) -> Result<(), String> {
        let mut tx = self.world.state.db.read().await.unwrap();
        let story = tx.story(self.id).await.unwrap();
        drop(tx);
        let found = self.read(&story);
        let same = |stage: &&Model| sorted(stage) == found;
        let fitting = match &reply {
            Some(reply) if *reply != act.reply => {
                return Err(format!("answered {reply:?}, not {:?}", act.reply));
            }
            Some(_) => act.stages.last().filter(same),
            None => act.stages.iter().find(same),
        };
        let Some(fitting) = fitting else {
            return Err(format!("found {found:#?}\nexpected {:#?}", act.stages));
        };
        if fitting.ways.len() > self.model.ways.len() {
            self.way = self.world.provider.sent.lock().unwrap().clone();
        }
        // The stage and not what was found: it knows in which order the tokens were made.
        self.model = fitting.clone();
        self.tokens.resize(self.model.tokens.len(), None);
        if self.products.len() > 1 {
            return Err(format!("{} products for one session", self.products.len()));
        }
        Ok(())
    }

    fn read(&self, story: &Story) -> Model {
        let since = |at: chrono::DateTime<chrono::Utc>| (at - self.begun).num_seconds();
        let row = &story.session;
        let step = |name: &str| STEPS.iter().position(|known| *known == name).unwrap();
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
        let found = Model {
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
            ways: story.ways.iter().map(way).collect(),
            tokens: story
                .tokens
                .iter()
                .map(|(ends, exchanged, dead)| Token {
                    ends: ends.map(since),
                    exchanged: exchanged.map(since),
                    dead: *dead,
                })
                .collect(),
            consent: match &story.consent {
                None => Consent::None,
                Some((status, _)) if status != "ACTIVE" => Consent::Ended,
                Some((_, true)) => Consent::Open,
                Some((_, false)) => Consent::Kept,
            },
        };
        sorted(&found)
    }
}

fn way((outcome, position): &(CallbackOutcome, i64)) -> Way {
    let outcome = match outcome {
        CallbackOutcome::Waiting => WayEnd::Waiting,
        CallbackOutcome::Granted => WayEnd::Granted,
        CallbackOutcome::Refused => WayEnd::Refused,
    };
    Way {
        outcome,
        position: *position,
    }
}

/// With its tokens in an order that both sides know.
fn sorted(model: &Model) -> Model {
    let mut model = model.clone();
    model.tokens.sort_unstable();
    model
}
