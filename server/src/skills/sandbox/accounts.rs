//! One account of a bank's list with its balances, read member by member: what is optional and cannot be read is as good
//! as missing, and costs neither its account nor the list.

use app::domain::account::{AccountUsage, BalanceType};
use serde_json::Value;

use super::entries::{Members, currency};
use crate::skills::connector::{BankAccount, BankBalance, ConnectorError};

/// Reads an account. One without an id cannot be asked about: the list is then not what it should be.
pub fn read(account: &Value) -> Result<BankAccount, ConnectorError> {
    let members = account.as_object().map(Members);
    let members = members.ok_or(ConnectorError::BadAnswer("an account is no object"))?;
    let id = members.text("resourceId");
    let id = id.ok_or(ConnectorError::BadAnswer("an account has no resourceId"))?;
    let text = |name| members.text(name).map(|text| text.trim().to_owned());
    Ok(BankAccount {
        id,
        iban: text("iban"),
        bic: text("bic"),
        // ISO 4217's word for a unit that nobody named.
        currency: text("currency")
            .and_then(|code| currency(&code))
            .unwrap_or_else(|| "XXX".into()),
        name: text("name"),
        product: text("product"),
        cash_account_type: text("cashAccountType"),
        usage: text("usage").and_then(|usage| match usage.as_str() {
            "PRIV" => Some(AccountUsage::Private),
            "ORGA" => Some(AccountUsage::Organisation),
            _ => None,
        }),
        balances: members
            .list("balances")
            .filter_map(|balance| balance.balance())
            .collect(),
    })
}

impl Members<'_> {
    /// The balance, unless its amount cannot be read or it is of a type that only its bank knows.
    fn balance(&self) -> Option<BankBalance> {
        let amount = self.within("balanceAmount")?;
        let changed_at = self.text("lastChangeDateTime");
        Some(BankBalance {
            balance_type: balance_type(&self.text("balanceType")?)?,
            amount: amount.decimal("amount")?,
            currency: currency(&amount.text("currency")?)?,
            credit_limit_included: self.is_true("creditLimitIncluded"),
            reference_date: self.date("referenceDate").ok().flatten(),
            changed_at: changed_at.and_then(|at| at.trim().parse().ok()),
        })
    }
}

/// `closingBooked` is our `ClosingBooked`.
fn balance_type(name: &str) -> Option<BalanceType> {
    let mut letters = name.trim().chars();
    let first = letters.next()?.to_ascii_uppercase();
    format!("{first}{}", letters.as_str()).parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_balance_types_are_left_out() {
        for known in BalanceType::ALL {
            let (first, rest) = known.as_str().split_at(1);
            let theirs = format!("{}{rest}", first.to_lowercase());
            assert_eq!(balance_type(&theirs), Some(*known), "{theirs}");
        }
        assert_eq!(balance_type("nonInvoiced"), None);
        assert_eq!(balance_type(""), None);
    }

    #[test]
    fn an_odd_member_of_an_account_costs_itself_alone() {
        let account = read(&json!({
            "resourceId": "a-1", "iban": " ", "bic": 7, "currency": "ron", "name": ["x"], "usage": "?",
            "balances": [
                { "balanceType": "closingBooked", "balanceAmount": { "amount": "+1.50", "currency": "RON" },
                  "referenceDate": "2026-11-12T00:00:00", "lastChangeDateTime": "yesterday", "creditLimitIncluded": "true" },
                { "balanceType": "expected", "balanceAmount": { "amount": "-0.00", "currency": "RON" }, "referenceDate": "soon" },
                { "balanceType": "nonInvoiced", "balanceAmount": { "amount": "1", "currency": "RON" } },
                { "balanceType": "expected", "balanceAmount": { "amount": "1,50", "currency": "RON" } },
                "nothing", null,
            ],
        }))
        .unwrap();
        assert_eq!(
            (account.id.as_str(), account.currency.as_str()),
            ("a-1", "RON")
        );
        assert!(account.iban.is_none() && account.name.is_none() && account.usage.is_none());
        let amounts: Vec<_> = account
            .balances
            .iter()
            .map(|it| it.amount.to_string())
            .collect();
        assert_eq!(amounts, ["1.50", "0.00"]);
        let first = &account.balances[0];
        assert_eq!(first.reference_date, "2026-11-12".parse().ok());
        assert!(first.credit_limit_included && first.changed_at.is_none());
        for balances in [json!(null), json!({}), json!([])] {
            let account = read(&json!({ "resourceId": "a-1", "balances": balances })).unwrap();
            assert!(account.balances.is_empty() && account.currency == "XXX");
        }
        for odd in [
            json!(null),
            json!({}),
            json!({ "resourceId": " " }),
            json!([]),
        ] {
            assert!(read(&odd).is_err(), "{odd}");
        }
    }
}
