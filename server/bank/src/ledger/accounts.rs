//! The bank's customers and their accounts.

use super::iban::romanian;

/// Every test user's password. It is printed on the sign-in page: it keeps nobody out, it is there to be typed.
pub const PASSWORD: &str = "sandbox";

/// A test user and what it is good for.
pub struct User {
    pub username: &'static str,
    pub about: &'static str,
}

pub const USERS: &[User] = &[
    User {
        username: "student",
        about: "One account",
    },
    User {
        username: "family",
        about: "Four accounts in RON and EUR, one overdrawn",
    },
    User {
        username: "business",
        about: "One account with 50,000 transactions",
    },
    User {
        username: "empty",
        about: "No accounts",
    },
];

/// An account, as opened. Ids are places in the books and never reused.
pub struct LedgerAccount {
    pub id: i64,
    pub username: &'static str,
    pub currency: &'static str,
    pub name: &'static str,
    pub product: &'static str,
    /// ISO 20022 `ExternalCashAccountType1Code`.
    pub cash_account_type: &'static str,
    /// `PRIV` or `ORGA`.
    pub usage: &'static str,
    /// Minor units.
    pub credit_limit: i64,
}

pub const STUDENT: i64 = 101;
pub const FAMILY: i64 = 201;
pub const SAVINGS: i64 = 202;
pub const HOUSEHOLD: i64 = 203;
pub const EURO: i64 = 204;
pub const BUSINESS: i64 = 301;

pub const ACCOUNTS: &[LedgerAccount] = &[
    account(
        STUDENT,
        "student",
        "RON",
        "Student account",
        "Cont Student",
        "CACC",
        0,
    ),
    account(
        FAMILY,
        "family",
        "RON",
        "Family account",
        "Cont Curent",
        "CACC",
        0,
    ),
    account(
        SAVINGS,
        "family",
        "RON",
        "Savings account",
        "Cont de Economii",
        "SVGS",
        0,
    ),
    account(
        HOUSEHOLD,
        "family",
        "RON",
        "Household account",
        "Cont Curent cu Descoperit",
        "CACC",
        500_000,
    ),
    account(
        EURO,
        "family",
        "EUR",
        "Euro account",
        "Cont Curent EUR",
        "CACC",
        0,
    ),
    LedgerAccount {
        usage: "ORGA",
        ..account(
            BUSINESS,
            "business",
            "RON",
            "Business account",
            "Cont Business",
            "CACC",
            2_000_000,
        )
    },
];

const fn account(
    id: i64,
    username: &'static str,
    currency: &'static str,
    name: &'static str,
    product: &'static str,
    cash_account_type: &'static str,
    credit_limit: i64,
) -> LedgerAccount {
    LedgerAccount {
        id,
        username,
        currency,
        name,
        product,
        cash_account_type,
        usage: "PRIV",
        credit_limit,
    }
}

impl LedgerAccount {
    /// A valid IBAN of a bank that does not exist.
    pub fn iban(&self) -> String {
        romanian("XYZB", 1_000_000_000 + self.id * 7_919)
    }
}

/// The account of an id, if it is given and one of ours.
pub fn of_id(id: Option<i64>) -> Option<&'static LedgerAccount> {
    ACCOUNTS.iter().find(|account| Some(account.id) == id)
}

/// The bank's own BIC; of no bank.
pub const BIC: &str = "XYZBROBUXXX";
