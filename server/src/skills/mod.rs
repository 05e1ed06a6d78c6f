//! Execution of skills. A skill is data (a manifest in `manifests/`); a connector is the code that speaks one kind of
//! provider's language. The registry knows both, and checks a step's data before any connector sees it.
//!
//! Connectors reach providers over the network and nothing else: no database, no clock but the one they are handed,
//! no memory between calls. What they must remember they hand out as [`Opaque`] bytes, which the engine seals.

pub mod connector;
pub mod offline;
mod outbound;
pub mod payment_intent;
pub mod payment_texts;
pub mod provider_data;
pub mod public_net;
pub mod registry;
pub mod sandbox;

pub use connector::{
    BankAccount, BankBalance, BankExecutions, BankPayment, BankPaymentItem, BankProduct,
    BankTransaction, BankTransactionPage, Cancellation, Connector, ConnectorError, ConnectorState,
    ConsentOutcome, Counterparty, Document, Grant, Granted, Next, Opaque, PageRequest,
    ProviderCallback, Psu, RedirectTarget, RequestingApp, Submission, UnreadableEntry,
    VerificationOutcome,
};
pub use registry::{Connectors, DataFault, ManifestError, PublishedSkill, Registry};

#[cfg(test)]
mod tests;
