//! The documented step `payment_intent`, whichever connector runs it: the order below `payment_info[]`, with the element
//! names of ISO 20022 pain.001.001.03 in `snake_case` ("identification" shortened to `id`, as the documents do), and the
//! rules that a JSON Schema cannot say.

use app::domain::currency::Currency;
use app::domain::payment::PaymentKind;
use chrono::NaiveDate;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::Value;

use super::payment_texts::iban_fault;
use super::registry::DataFault;

/// The step's name.
pub const STEP: &str = "payment_intent";

/// `data` of the step, after its schema has let it through.
#[derive(Deserialize)]
pub struct PaymentIntent {
    pub psu_id: Option<String>,
    group_header: Option<GroupHeader>,
    payment_info: [PaymentInfo; 1],
}

#[derive(Deserialize)]
struct GroupHeader {
    txs_no: Option<u64>,
}

/// `PmtInf`: the debit side, and the transfers it pays for.
#[derive(Deserialize)]
pub struct PaymentInfo {
    pub requested_execution_date: Option<NaiveDate>,
    pub debtor_account: Option<CashAccount>,
    pub charge_bearer: Option<String>,
    /// Frequency of a standing order, in the Berlin Group's words; `None` for other payments.
    pub frequency: Option<String>,
    pub start_date: Option<NaiveDate>,
    pub end_date: Option<NaiveDate>,
    pub day_of_execution: Option<String>,
    pub execution_rule: Option<String>,
    #[serde(rename = "credit_transfer_transaction_information")]
    pub transfers: Vec<Transfer>,
}

/// `CdtTrfTxInf`.
#[derive(Deserialize)]
pub struct Transfer {
    pub payment_id: Option<PaymentIdentification>,
    pub amount: AmountType,
    pub creditor: Party,
    pub creditor_account: CashAccount,
    pub creditor_agent: Option<Agent>,
    pub remittance_information: Option<Remittance>,
}

#[derive(Deserialize)]
pub struct PaymentIdentification {
    pub end_to_end_id: Option<String>,
    pub instruction_id: Option<String>,
}

#[derive(Deserialize)]
pub struct AmountType {
    pub instructed_amount: InstructedAmount,
}

#[derive(Deserialize)]
pub struct InstructedAmount {
    pub amount: String,
    pub currency: String,
}

#[derive(Deserialize)]
pub struct Party {
    pub name: String,
}

#[derive(Deserialize)]
pub struct CashAccount {
    pub iban: String,
    pub currency: Option<String>,
}

#[derive(Deserialize)]
pub struct Agent {
    pub bic: String,
}

#[derive(Deserialize)]
pub struct Remittance {
    pub unstructured: String,
}

impl PaymentIntent {
    /// Reads data that the schema has let through; `None` if a date in it is on no calendar.
    pub fn read(data: &Value) -> Option<Self> {
        Self::deserialize(data).ok()
    }

    pub fn info(&self) -> &PaymentInfo {
        let [info] = &self.payment_info;
        info
    }
}

impl PaymentInfo {
    /// Returns the kind of the payment, which follows from its fields.
    pub fn kind(&self, today: NaiveDate) -> PaymentKind {
        match self {
            Self {
                frequency: Some(_), ..
            } => PaymentKind::Periodic,
            Self { transfers, .. } if transfers.len() > 1 => PaymentKind::Bulk,
            Self {
                requested_execution_date: Some(on),
                ..
            } if *on > today => PaymentKind::FutureDated,
            _ => PaymentKind::Single,
        }
    }

    /// The currency of every transfer.
    pub fn currency(&self) -> &str {
        self.transfers
            .first()
            .map_or("", |one| &one.amount.instructed_amount.currency)
    }

    /// The sum of all transfers.
    pub fn total(&self) -> Decimal {
        self.transfers
            .iter()
            .filter_map(|one| one.amount.instructed_amount.decimal())
            .sum()
    }
}

impl InstructedAmount {
    pub fn decimal(&self) -> Option<Decimal> {
        Decimal::from_str_exact(&self.amount).ok()
    }
}

/// Returns the faults in data that the schema has let through.
pub fn faults(data: &Value, today: NaiveDate) -> Vec<DataFault> {
    let mut found = Found::default();
    found.dates(data);
    if found.0.is_empty()
        && let Some(intent) = PaymentIntent::read(data)
    {
        found.intent(&intent, today);
    }
    found.0
}

#[derive(Default)]
struct Found(Vec<DataFault>);

/// Path of the one payment in the data.
const INFO: &str = "data.payment_info[0]";

impl Found {
    fn at(&mut self, path: String, code: &'static str, message: impl Into<String>) {
        let message = message.into();
        self.0.push(DataFault {
            path,
            code,
            message,
        });
    }

    /// The 31st of June has the form of a date.
    fn dates(&mut self, data: &Value) {
        for name in ["requested_execution_date", "start_date", "end_date"] {
            let text = data
                .pointer(&format!("/payment_info/0/{name}"))
                .and_then(Value::as_str);
            if text.is_some_and(|text| text.parse::<NaiveDate>().is_err()) {
                self.at(
                    format!("{INFO}.{name}"),
                    "format",
                    "Must be a day of the calendar, like 2026-01-31.",
                );
            }
        }
    }

    fn intent(&mut self, intent: &PaymentIntent, today: NaiveDate) {
        let info = intent.info();
        for (name, date) in [
            ("requested_execution_date", info.requested_execution_date),
            ("start_date", info.start_date),
        ] {
            if date.is_some_and(|date| date < today) {
                self.at(
                    format!("{INFO}.{name}"),
                    "range",
                    "Must not be in the past.",
                );
            }
        }
        if let (Some(start), Some(end)) = (info.start_date, info.end_date)
            && end < start
        {
            self.at(
                format!("{INFO}.end_date"),
                "range",
                "Must not be before start_date.",
            );
        }
        let monthly = !matches!(
            info.frequency.as_deref(),
            Some("Daily" | "Weekly" | "EveryTwoWeeks")
        );
        if info.day_of_execution.is_some() && !monthly {
            let message = "Is the day of a month: leave it out for daily and weekly payments.";
            self.at(format!("{INFO}.day_of_execution"), "unknown", message);
        }
        let count = intent
            .group_header
            .as_ref()
            .and_then(|header| header.txs_no);
        if count.is_some_and(|count| usize::try_from(count) != Ok(info.transfers.len())) {
            let message = format!("Must be the number of transfers, {}.", info.transfers.len());
            self.at("data.group_header.txs_no".into(), "range", message);
        }
        if let Some(account) = &info.debtor_account {
            self.iban(format!("{INFO}.debtor_account.iban"), &account.iban);
            if account
                .currency
                .as_deref()
                .is_some_and(|currency| currency != info.currency())
            {
                let message = format!("Must be {}, as the amounts are.", info.currency());
                self.at(format!("{INFO}.debtor_account.currency"), "choice", message);
            }
        }
        for (number, transfer) in info.transfers.iter().enumerate() {
            let path = format!("{INFO}.credit_transfer_transaction_information[{number}]");
            self.iban(
                format!("{path}.creditor_account.iban"),
                &transfer.creditor_account.iban,
            );
            let debtor = info.debtor_account.as_ref().map(|account| &account.iban);
            if debtor == Some(&transfer.creditor_account.iban) {
                let message = "Must be another account than debtor_account: a payment to oneself moves nothing.";
                self.at(format!("{path}.creditor_account.iban"), "range", message);
            }
            self.amount(
                format!("{path}.amount.instructed_amount.amount"),
                &transfer.amount.instructed_amount,
            );
            if transfer.amount.instructed_amount.currency != info.currency() {
                let message = format!("Must be {}: a bulk has one currency.", info.currency());
                self.at(
                    format!("{path}.amount.instructed_amount.currency"),
                    "choice",
                    message,
                );
            }
        }
    }

    /// Country, length, form and check digits (ISO 13616).
    fn iban(&mut self, path: String, iban: &str) {
        if let Some(message) = iban_fault(iban) {
            self.at(path, "format", message);
        }
    }

    /// The decimals of the currency, and the largest amount that its scheme carries.
    fn amount(&mut self, path: String, amount: &InstructedAmount) {
        let Some(decimal) = amount.decimal() else {
            return self.at(path, "format", "Must be a decimal like 12.50.");
        };
        let places = Currency::parse(&amount.currency).map_or(2, Currency::decimals);
        if decimal.normalize().scale() > places {
            let message = format!("{} has {places} decimals.", amount.currency);
            self.at(path, "format", message);
        } else if decimal <= Decimal::ZERO {
            self.at(path, "range", "Must be more than zero.");
        } else if amount.currency == "EUR" && decimal > LARGEST_SEPA {
            let message =
                "Must be at most 999999999.99: no SEPA credit transfer carries more (EPC132-08).";
            self.at(path, "range", message);
        }
    }
}

/// The largest amount of a SEPA credit transfer: 999,999,999.99 (EPC132-08, AT-T002).
const LARGEST_SEPA: Decimal = Decimal::from_parts(1_215_752_191, 23, 0, false, 2);

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TODAY: &str = "2026-01-01";

    fn intent(change: impl FnOnce(&mut Value)) -> Value {
        let mut data = json!({
            "psu_redirect_link": "myapp://return",
            "payment_info": [{ "credit_transfer_transaction_information": [{
                "amount": { "instructed_amount": { "amount": "12.50", "currency": "EUR" } },
                "creditor": { "name": "Corner Shop" },
                "creditor_account": { "iban": "DE89370400440532013000" },
            }] }],
        });
        change(&mut data["payment_info"][0]);
        data
    }

    fn wrong(data: &Value) -> Vec<String> {
        let faults = faults(data, TODAY.parse().unwrap());
        faults.into_iter().map(|fault| fault.path).collect()
    }

    #[test]
    fn the_fields_say_what_kind_of_payment_it_is() {
        let kind = |data: Value| {
            PaymentIntent::read(&data)
                .unwrap()
                .info()
                .kind(TODAY.parse().unwrap())
        };
        assert_eq!(kind(intent(|_| {})), PaymentKind::Single);
        assert_eq!(
            kind(intent(
                |info| info["requested_execution_date"] = json!(TODAY)
            )),
            PaymentKind::Single
        );
        assert_eq!(
            kind(intent(
                |info| info["requested_execution_date"] = json!("2026-01-02")
            )),
            PaymentKind::FutureDated
        );
        assert_eq!(
            kind(intent(|info| info["frequency"] = json!("Monthly"))),
            PaymentKind::Periodic
        );
        let two = intent(|info| {
            let one = info["credit_transfer_transaction_information"][0].clone();
            info["credit_transfer_transaction_information"] = json!([one, one]);
        });
        assert_eq!(
            PaymentIntent::read(&two)
                .unwrap()
                .info()
                .total()
                .to_string(),
            "25.00"
        );
        assert_eq!(kind(two), PaymentKind::Bulk);
    }

    #[test]
    fn an_amount_is_what_its_scheme_carries() {
        assert_eq!(LARGEST_SEPA.to_string(), "999999999.99");
        let amount = |amount: &str, currency: &str| {
            wrong(&intent(|info| {
                info["credit_transfer_transaction_information"][0]["amount"]["instructed_amount"] =
                    json!({ "amount": amount, "currency": currency });
            }))
        };
        for (text, currency) in [
            ("0.01", "EUR"),
            ("999999999.99", "EUR"),
            ("999999999999.99", "RON"),
            ("100", "JPY"),
            ("1.234", "KWD"),
        ] {
            assert!(amount(text, currency).is_empty(), "{text} {currency}");
        }
        for (text, currency) in [
            ("1000000000.00", "EUR"),
            ("999999999999.99", "EUR"),
            ("0.00", "EUR"),
            ("0.001", "EUR"),
            ("100.5", "JPY"),
        ] {
            assert_eq!(amount(text, currency).len(), 1, "{text} {currency}");
        }
    }

    #[test]
    fn what_no_schema_can_say_is_pointed_at() {
        assert!(wrong(&intent(|_| {})).is_empty());
        let date = |name: &str, text: &str| intent(|info| info[name] = json!(text));
        assert_eq!(
            wrong(&date("requested_execution_date", "2026-06-31")),
            ["data.payment_info[0].requested_execution_date"]
        );
        assert_eq!(
            wrong(&date("requested_execution_date", "2025-12-31")),
            ["data.payment_info[0].requested_execution_date"]
        );
        let backwards = intent(|info| {
            info["start_date"] = json!("2026-02-01");
            info["end_date"] = json!("2026-01-31");
            info["frequency"] = json!("Weekly");
            info["day_of_execution"] = json!("5");
        });
        assert_eq!(
            wrong(&backwards),
            [
                "data.payment_info[0].end_date",
                "data.payment_info[0].day_of_execution"
            ]
        );
        let accounts = intent(|info| {
            info["debtor_account"] = json!({ "iban": "DE00370400440532013000", "currency": "RON" });
            info["credit_transfer_transaction_information"][0]["creditor_account"]["iban"] =
                json!("RO49AAAA1B31007593840001");
        });
        assert_eq!(
            wrong(&accounts),
            [
                "data.payment_info[0].debtor_account.iban",
                "data.payment_info[0].debtor_account.currency",
                "data.payment_info[0].credit_transfer_transaction_information[0].creditor_account.iban"
            ]
        );
        let mut counted = intent(|_| {});
        counted["group_header"] = json!({ "txs_no": 2 });
        assert_eq!(wrong(&counted), ["data.group_header.txs_no"]);
    }
}
