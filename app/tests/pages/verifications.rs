//! Deciding verifications, over a portal in which one session waits.

use app::domain::ids::{RunId, SessionId};
use app::domain::session::Decision;
use app::domain::skill::SkillName;
use app::pages::Answer;
use app::portal::verifications::{Verification, Verifications};
use app::portal::{Actor, PortalError, PortalResult, RequestSource};
use async_trait::async_trait;

use crate::fake::{Fake, HOSTILE, World, actor, fields, id, now, tenant_id, visit};
use crate::{open, show};

#[async_trait]
impl Verifications for Fake {
    async fn verifications(&self, _: &Actor) -> PortalResult<Vec<Verification>> {
        let name = match self.0 {
            World::Full => "Budget app",
            World::Hostile => HOSTILE,
            World::Empty | World::Started => return Ok(Vec::new()),
        };
        Ok(vec![Verification {
            session: SessionId(id(700)),
            run: Some(RunId(id(701))),
            tenant: tenant_id(),
            tenant_name: name.into(),
            skill: SkillName::parse("xyz_sbx_#3.0").unwrap(),
            step: "kyc".into(),
            since: now() - chrono::Duration::seconds(40),
        }])
    }
    async fn decide(
        &self,
        _: &Actor,
        session: SessionId,
        decision: Decision,
        _: &RequestSource,
    ) -> PortalResult<()> {
        assert_eq!(session, SessionId(id(700)));
        match decision {
            Decision::Reject => Err(PortalError::Conflict("It was decided meanwhile.".into())),
            Decision::Approve | Decision::AskAgain => Ok(()),
        }
    }
}

fn decide(form: &str) -> (Answer, app::pages::Visit) {
    let mut visit = visit(World::Full, "/verifications", Some(actor(false)));
    visit.form = Some(fields(form));
    open(visit)
}

#[test]
fn each_waiting_session_has_its_three_buttons() {
    let (status, html) = show(visit(World::Full, "/verifications", Some(actor(false))));
    assert_eq!(status, 200);
    for text in [
        "value=\"approve\"",
        "value=\"ask_again\"",
        "value=\"reject\"",
        "xyz_sbx_#3.0",
        "method=\"post\" action=\"/verifications\"",
    ] {
        assert!(html.contains(text), "{text}");
    }
    let (_, html) = show(visit(World::Empty, "/verifications", Some(actor(false))));
    assert!(html.contains("No pending verifications"));
}

#[test]
fn a_decision_ends_at_the_list_and_one_that_came_late_is_told() {
    let session = id(700);
    let (answer, _) = decide(&format!("session={session}&decision=ask_again"));
    let done = format!("/verifications?done=ask_again&session={session}");
    assert!(matches!(answer, Answer::See(to) if to == done));
    let (_, html) = show(visit(World::Full, &done, Some(actor(false))));
    assert!(html.contains("Asked again."));
    assert!(!html.contains("Back to the console run"));
    // The job that carries it out may not have run yet: nobody is asked twice.
    assert!(html.contains("Decided: it goes on in a moment"));
    assert!(!html.contains("value=\"approve\""));
    let mut late = visit(World::Full, "/verifications", Some(actor(false)));
    late.form = Some(fields(&format!("session={session}&decision=reject")));
    let (status, html) = show(late);
    assert_eq!(status, 409);
    assert!(html.contains("It was decided meanwhile."));
    let run = id(701);
    let (answer, _) = decide(&format!("session={session}&decision=approve&run={run}"));
    let back = format!("/verifications?done=approve&session={session}&run={run}");
    assert!(matches!(answer, Answer::See(to) if to == back));
    let (_, html) = show(visit(World::Full, &back, Some(actor(false))));
    let link = format!("<a href=\"/console/runs/{run}\">Back to the console run");
    assert!(html.contains(&link), "{html}");
    let mut made_up = visit(World::Full, "/verifications", Some(actor(false)));
    made_up.form = Some(fields("session=x&decision=maybe"));
    assert_eq!(show(made_up).0, 404);
}
