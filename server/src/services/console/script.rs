//! What a skill's manifest says that a run of it does: the data its steps begin with, and what its consents are for.

use app::domain::console::{Offer, RunStage};
use app::domain::skill::{SkillManifest, SkillStep, SkillType};
use serde_json::Value;

use super::held::Held;

/// A skill's manifest, as a run follows it.
pub struct Script<'a> {
    pub manifest: &'a SkillManifest,
    /// Where banks send the console's end-user back.
    pub return_link: String,
}

impl Script<'_> {
    /// What a new run holds: the first step, with its data.
    pub fn begin(&self) -> Held {
        let mut held = Held::default();
        if let Some(first) = self.manifest.first_step() {
            self.enter(&mut held, &first.name);
        }
        held
    }

    /// A step comes next: with the data it was given before, else with the manifest's example.
    pub fn enter(&self, held: &mut Held, step: &str) {
        if held.step == step && !held.data.is_empty() {
            return;
        }
        let before = held.typed.get(step).cloned();
        held.data = before.unwrap_or_else(|| self.example(step));
        step.clone_into(&mut held.step);
    }

    /// The example of a step, its return link being the console's.
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

    /// What is read once there is a consent.
    pub fn first_read(&self) -> RunStage {
        match self.manifest.kind {
            SkillType::AccountInformation => RunStage::Accounts,
            SkillType::PaymentInitiation => RunStage::Payment,
            SkillType::Marketplace => RunStage::Products,
            SkillType::CustomerCare | SkillType::ResourceManagement => RunStage::Done,
        }
    }
}

/// Whether a consent of a kind is for a call that is offered.
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
