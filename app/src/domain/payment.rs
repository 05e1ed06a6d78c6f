//! A payment: what was ordered of a bank, and how far it is. Statuses are those of ISO 20022
//! (`ExternalPaymentTransactionStatus1Code`), as banks say them.

string_enum! {
    /// Status of a payment, as sent in `status`.
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
    /// Returns `true` if the status of the payment cannot change any more.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::SettledForDebtor | Self::SettledForCreditor | Self::Rejected | Self::Cancelled
        )
    }

    /// Returns a plain word for the status, as sent in `status_text`.
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

    /// Returns `true` if a bulk is over: by its own status or, if only some of its payments were accepted, by those of
    /// all of them, which are `items`.
    pub fn is_over(self, items: impl IntoIterator<Item = Self>) -> bool {
        if self != Self::PartiallyAccepted {
            return self.is_final();
        }
        let mut items = items.into_iter().peekable();
        items.peek().is_some() && items.all(Self::is_final)
    }
}

string_enum! {
    /// Kind of a payment, derived from the fields of the order.
    PaymentKind {
        /// One transfer, at once.
        Single = "single",
        /// One transfer, on a later day.
        FutureDated = "future_dated",
        /// A transfer that is repeated: a standing order.
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
