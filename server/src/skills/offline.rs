//! Every shipped skill by name, with connectors that reach nobody: for commands that must know which skills there are
//! and never run one.

use std::sync::Arc;

use app::domain::skill::SkillManifest;
use async_trait::async_trait;

use super::registry::{Connectors, ManifestError, Registry};
use super::{
    BankAccount, BankTransactionPage, Connector, ConnectorError, ConsentOutcome, Grant, Next,
    PageRequest, ProviderCallback, Submission,
};

struct Offline;

/// The shipped skills.
pub fn registry() -> Result<Registry, ManifestError> {
    with(Registry::shipped()?)
}

/// These skills, whatever runs them.
pub fn with(manifests: Vec<SkillManifest>) -> Result<Registry, ManifestError> {
    let connectors = connectors(&manifests);
    Registry::with(manifests, connectors)
}

/// A connector for each that the manifests name.
pub fn connectors(manifests: &[SkillManifest]) -> Connectors {
    let names = manifests.iter().map(|manifest| manifest.connector.clone());
    names
        .map(|name| (name, Arc::new(Offline) as Arc<dyn Connector>))
        .collect()
}

#[async_trait]
impl Connector for Offline {
    async fn submit(&self, _: Submission) -> Result<Next, ConnectorError> {
        Err(ConnectorError::Unreachable)
    }

    async fn finish(&self, _: ProviderCallback) -> Result<ConsentOutcome, ConnectorError> {
        Err(ConnectorError::Unreachable)
    }

    async fn accounts(&self, _: &Grant) -> Result<Vec<BankAccount>, ConnectorError> {
        Err(ConnectorError::Unreachable)
    }

    async fn transactions(
        &self,
        _: &Grant,
        _: &str,
        _: PageRequest,
    ) -> Result<BankTransactionPage, ConnectorError> {
        Err(ConnectorError::Unreachable)
    }

    async fn revoke(&self, _: &Grant) -> Result<(), ConnectorError> {
        Err(ConnectorError::Unreachable)
    }
}
