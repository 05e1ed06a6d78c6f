//! Plan of a run, from its skill's manifest: the data its steps begin with, and what its consents are for.

use app::domain::console::{Offer, RunStage};
use app::domain::skill::{SkillManifest, SkillStep, SkillType};
use serde_json::Value;

use super::run_state::RunState;

/// A skill's manifest, as a run follows it.
pub struct RunPlan<'a> {
    pub manifest: &'a SkillManifest,
    /// Link of the console that banks send the end-user back to.
    pub return_link: String,
}

impl RunPlan<'_> {
    /// Returns the state of a new run: the first step, with its data.
    pub fn begin(&self) -> RunState {
        let mut held = RunState::default();
        if let Some(first) = self.manifest.first_step() {
            self.enter(&mut held, &first.name);
        }
        held
    }

    /// Makes a step the next one: with the data it was given before, else with the manifest's example.
    pub fn enter(&self, held: &mut RunState, step: &str) {
        if held.step == step && !held.data.is_empty() {
            return;
        }
        let before = held.typed.get(step).cloned();
        held.data = before.unwrap_or_else(|| self.example(step));
        step.clone_into(&mut held.step);
    }

    /// Returns the example of a step as pretty-printed JSON, with the console's return link in it.
    fn example(&self, step: &str) -> String {
        let mut data = self.step(step).map_or_else(
            || Value::Object(serde_json::Map::new()),
            |step| step.example.clone(),
        );
        if let Some(link) = data.get_mut("psu_redirect_link") {
            *link = self.return_link.clone().into();
        }
        serde_json::to_string_pretty(&data).unwrap_or_default()
    }

    pub fn step(&self, name: &str) -> Option<&SkillStep> {
        self.manifest.step(name)
    }

    /// Returns the first stage after the token exchange: the data to read, or `Done` if there is none.
    pub fn first_read(&self) -> RunStage {
        match self.manifest.kind {
            SkillType::AccountInformation => RunStage::Accounts,
            SkillType::PaymentInitiation => RunStage::Payment,
            SkillType::Marketplace => RunStage::Products,
            SkillType::CustomerCare | SkillType::ResourceManagement => RunStage::Done,
        }
    }
}

/// Returns `true` if a consent of a kind allows the call that is offered.
pub const fn is_for(kind: SkillType, offer: Offer) -> bool {
    matches!(
        (kind, offer),
        (SkillType::AccountInformation, Offer::Balances)
            | (
                SkillType::PaymentInitiation,
                Offer::Payment | Offer::CancelPayment
            )
            | (SkillType::Marketplace, Offer::Products)
    )
}
