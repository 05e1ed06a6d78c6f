//! A payment: what was ordered of a bank, and how far it is. Statuses are those of ISO 20022
//! (`ExternalPaymentTransactionStatus1Code`), as banks say them.

words! {
    /// How far a payment is, as sent in `status`.
    PaymentStatus {
        /// The bank has the order and waits for the end-user.
        Received = "RCVD",
        /// The bank checks further.
        Pending = "PDNG",
        /// Some of several people have authorised it.
        PartiallyAcceptedTechnical = "PATC",
        /// Authorised, and well formed.
        AcceptedTechnicalValidation = "ACTC",
        /// Authorised, and the funds are there.
        AcceptedFundsChecked = "ACFC",
        /// Authorised, and the customer's profile was checked.
        AcceptedCustomerProfile = "ACCP",
        /// On its way to the creditor.
        AcceptedSettlementInProcess = "ACSP",
        /// Accepted with a change, of its date for example.
        AcceptedWithChange = "ACWC",
        /// Accepted, and not yet posted to the creditor's account.
        AcceptedWithoutPosting = "ACWP",
        /// Some payments of a bulk are accepted and some are not.
        PartiallyAccepted = "PART",
        /// Settled on the debtor's account.
        SettledForDebtor = "ACSC",
        /// Settled on the creditor's account.
        SettledForCreditor = "ACCC",
        /// Refused by the end-user or the bank.
        Rejected = "RJCT",
        /// Called off before it was executed.
        Cancelled = "CANC",
    }
}

impl PaymentStatus {
    /// Whether nothing can happen to the payment any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::SettledForDebtor | Self::SettledForCreditor | Self::Rejected | Self::Cancelled
        )
    }

    /// A plain word for it, as sent in `status_text`.
    pub const fn text(self) -> &'static str {
        match self {
            Self::Received => "waiting for authorisation",
            Self::Pending => "being checked",
            Self::PartiallyAcceptedTechnical => "partly authorised",
            Self::AcceptedTechnicalValidation
            | Self::AcceptedFundsChecked
            | Self::AcceptedCustomerProfile => "accepted",
            Self::AcceptedWithChange => "accepted with a change",
            Self::AcceptedSettlementInProcess | Self::AcceptedWithoutPosting => "being executed",
            Self::PartiallyAccepted => "partly executed",
            Self::SettledForDebtor | Self::SettledForCreditor => "executed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether a bulk is over: itself, or with all its payments where only some were accepted.
    pub fn is_over(self, items: impl IntoIterator<Item = Self>) -> bool {
        if self != Self::PartiallyAccepted {
            return self.is_final();
        }
        let mut items = items.into_iter().peekable();
        items.peek().is_some() && items.all(Self::is_final)
    }
}

words! {
    /// What kind of payment was ordered; it follows from the fields of the order.
    PaymentKind {
        /// One transfer, at once.
        Single = "single",
        /// One transfer, on a later day.
        FutureDated = "future_dated",
        /// The same transfer again and again: a standing order.
        Periodic = "periodic",
        /// Several transfers from one account.
        Bulk = "bulk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partly_accepted_bulk_is_over_when_its_payments_are() {
        use PaymentStatus::*;
        assert!(PartiallyAccepted.is_over([SettledForDebtor, Rejected]));
        assert!(!PartiallyAccepted.is_over([AcceptedSettlementInProcess, Rejected]));
        // A bank that does not say how they are may still change its mind.
        assert!(!PartiallyAccepted.is_over([]));
        assert!(Cancelled.is_over([AcceptedTechnicalValidation]));
        assert!(!AcceptedTechnicalValidation.is_over([Rejected]));
    }
}
