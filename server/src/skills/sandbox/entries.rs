//! One entry of a bank's list of transactions, read member by member: what is unambiguous is taken however it is written,
//! and an entry that cannot be read costs itself alone.

use app::domain::transaction::BookingStatus;
use chrono::{Datelike as _, NaiveDate};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::skills::connector::{BankTransaction, Counterparty, UnreadableEntry};

/// The member that cannot be read.
type No = &'static str;

/// Reads an entry, or says which member cannot be read.
pub fn read(entry: Value, status: BookingStatus) -> Result<BankTransaction, UnreadableEntry> {
    let Value::Object(members) = &entry else {
        return Err(unreadable(&entry, None, "entry"));
    };
    let members = Members(members);
    let id = members.text("transactionId").and_then(real);
    let known_by = id
        .clone()
        .or_else(|| members.text("entryReference").and_then(real));
    members
        .transaction(id, status)
        .map_err(|field| unreadable(&entry, known_by, field))
}

fn unreadable(entry: &Value, id: Option<String>, field: &'static str) -> UnreadableEntry {
    UnreadableEntry {
        field,
        id,
        raw: entry.to_string().into_bytes(),
    }
}

/// The members of an object, each read by itself.
pub struct Members<'a>(pub &'a Map<String, Value>);

impl Members<'_> {
    fn transaction(
        &self,
        id: Option<String>,
        status: BookingStatus,
    ) -> Result<BankTransaction, No> {
        let amount = self
            .within("transactionAmount")
            .ok_or("transactionAmount")?;
        let after = self.within("balanceAfterTransaction").and_then(|after| {
            after
                .within("balanceAmount")
                .and_then(|of| of.decimal("amount"))
        });
        let is_mcc = |code: &String| code.len() == 4 && code.bytes().all(|b| b.is_ascii_digit());
        Ok(BankTransaction {
            id,
            entry_reference: self.text("entryReference").and_then(real),
            status,
            amount: amount.decimal("amount").ok_or("transactionAmount.amount")?,
            currency: amount
                .text("currency")
                .and_then(|code| currency(&code))
                .ok_or("transactionAmount.currency")?,
            booking_date: self.date("bookingDate")?,
            value_date: self.date("valueDate")?,
            creditor: party(self.text("creditorName"), self.iban("creditorAccount")),
            debtor: party(self.text("debtorName"), self.iban("debtorAccount")),
            remittance: self.text("remittanceInformationUnstructured"),
            end_to_end_id: self.text("endToEndId").and_then(real),
            bank_transaction_code: self.text("bankTransactionCode"),
            merchant_category_code: self.text("proprietaryBankTransactionCode").filter(is_mcc),
            category: self.text("additionalInformation"),
            balance_after: after,
        })
    }

    pub fn within(&self, name: &str) -> Option<Members<'_>> {
        self.0.get(name)?.as_object().map(Members)
    }

    /// A text of which something is to be seen; of anything else nothing is known.
    pub fn text(&self, name: &str) -> Option<String> {
        let text = match self.0.get(name)? {
            Value::String(text) => text.replace('\0', ""),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        (!text.trim().is_empty()).then_some(text)
    }

    fn iban(&self, name: &str) -> Option<String> {
        self.within(name)?.text("iban")
    }

    /// The objects of a list, if it is one.
    pub fn list(&self, name: &str) -> impl Iterator<Item = Members<'_>> {
        let list = self.0.get(name).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(|item| item.as_object().map(Members))
    }

    pub fn is_true(&self, name: &str) -> bool {
        match self.0.get(name) {
            Some(Value::Bool(flag)) => *flag,
            Some(Value::String(text)) => text.trim() == "true",
            _ => false,
        }
    }

    /// A day, also with a time behind it: the day that the bank wrote.
    pub fn date(&self, name: &'static str) -> Result<Option<NaiveDate>, No> {
        let text = match self.0.get(name) {
            None | Some(Value::Null) => return Ok(None),
            Some(Value::String(text)) => text.trim(),
            Some(_) => return Err(name),
        };
        if text.is_empty() {
            return Ok(None);
        }
        let (day, rest) = text.split_at_checked(10).ok_or(name)?;
        let date = calendar_day(day).ok_or(name)?;
        if rest.is_empty() || rest.starts_with(['T', 't', ' ']) {
            Ok(Some(date))
        } else {
            Err(name)
        }
    }

    pub fn decimal(&self, name: &str) -> Option<Decimal> {
        match self.0.get(name)? {
            Value::String(text) => decimal(text),
            // Numbers keep their source text.
            Value::Number(number) => decimal(&number.to_string()),
            _ => None,
        }
    }
}

/// A day as ISO 8601 writes it, of the years 1 to 9999: other years have signs, and nobody's books are from then.
fn calendar_day(text: &str) -> Option<NaiveDate> {
    let is_plain = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    let day = text
        .bytes()
        .enumerate()
        .all(is_plain)
        .then(|| text.parse().ok())??;
    Some(day).filter(|day: &NaiveDate| day.year() > 0)
}

/// A currency's code in capitals. Banks name units that are not in ISO 4217, too.
pub fn currency(code: &str) -> Option<String> {
    let code = code.trim();
    let fits = (3..=5).contains(&code.len()) && code.bytes().all(|b| b.is_ascii_alphanumeric());
    fits.then(|| code.to_ascii_uppercase())
}

/// A decimal as banks write it, exactly: with either sign, without a digit before the point, with an exponent. What a
/// comma means depends on who wrote it, so there is none.
pub fn decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    let (negative, rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, exponent) = match rest.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().ok()?),
        None => (rest, 0),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let plain = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !plain(whole) || !plain(fraction) {
        return None;
    }
    // More places than any decimal has are too many, whatever the digits are.
    if !(-28..=28).contains(&exponent) {
        return None;
    }
    let mut value = Decimal::from_str_exact(&format!("0{whole}.{fraction}0")).ok()?;
    let ten = Decimal::TEN;
    for _ in 0..exponent.unsigned_abs() {
        let next = if exponent > 0 {
            value.checked_mul(ten)
        } else {
            value
                .checked_div(ten)
                .filter(|next| next.checked_mul(ten) == Some(value))
        };
        value = next?;
    }
    let exact = shorter(value, fraction, exponent);
    // There is no negative zero.
    Some(if negative && !exact.is_zero() {
        -exact
    } else {
        exact
    })
}

/// The value with as many places as were written: `12.50` stays so.
fn shorter(value: Decimal, fraction: &str, exponent: i32) -> Decimal {
    let written = i32::try_from(fraction.len()).unwrap_or(i32::MAX);
    let places = written.saturating_sub(exponent).clamp(0, 28);
    let mut exact = value.normalize();
    if exact.scale() < places.unsigned_abs() {
        exact.rescale(places.unsigned_abs());
    }
    exact
}

fn party(name: Option<String>, iban: Option<String>) -> Option<Counterparty> {
    (name.is_some() || iban.is_some()).then_some(Counterparty { name, iban })
}

/// Banks without an id send blanks or `NOTPROVIDED`: the same for every entry, so no id at all.
pub fn real(id: String) -> Option<String> {
    let trimmed = id.trim();
    let real = !trimmed.is_empty() && !trimmed.eq_ignore_ascii_case("NOTPROVIDED");
    real.then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use json::{ExactValue, ReadLimits};
    use serde_json::json;

    use super::*;

    fn entry(change: impl FnOnce(&mut Value)) -> Value {
        let mut entry = json!({
            "transactionId": "77",
            "bookingDate": "2026-11-12",
            "transactionAmount": { "amount": "-12.50", "currency": "RON" },
            "creditorName": "Corner Shop",
        });
        change(&mut entry);
        entry
    }

    /// A number as it is in a bank's answer.
    fn written(number: &str) -> Value {
        let ExactValue(value) = json::from_slice(number.as_bytes(), ReadLimits::ANSWER).unwrap();
        value
    }

    fn booked(change: impl FnOnce(&mut Value)) -> Result<BankTransaction, UnreadableEntry> {
        read(entry(change), BookingStatus::Booked)
    }

    #[test]
    fn amounts_are_read_however_they_are_written() {
        let amount = |text: Value| {
            let read = booked(|entry| entry["transactionAmount"]["amount"] = text);
            read.map(|row| row.amount.to_string())
                .map_err(|no| no.field)
        };
        for (text, value) in [
            (json!("-12.50"), "-12.50"),
            (json!("+12.50"), "12.50"),
            (json!("1E+3"), "1000"),
            (json!("1e-2"), "0.01"),
            (json!("-.5"), "-0.5"),
            (json!("5."), "5"),
            (json!("0.00014884"), "0.00014884"),
            (json!("0.30000000000000004"), "0.30000000000000004"),
            (json!("0100"), "100"),
            (json!(" 7.00 "), "7.00"),
            (written("4.270"), "4.270"),
            (written("1E+3"), "1000"),
            (json!("0.00"), "0.00"),
            (json!("-0.00"), "0.00"),
            (json!("-0"), "0"),
        ] {
            assert_eq!(amount(text.clone()).as_deref(), Ok(value), "{text}");
        }
        for odd in [
            json!("12,50"),
            json!("1.234,50"),
            json!(""),
            json!("."),
            json!("--1"),
            json!("NaN"),
            json!("1e99"),
            json!("٣"),
            json!(null),
            json!([]),
            json!("99999999999999999999999999999999"),
        ] {
            assert_eq!(
                amount(odd.clone()),
                Err("transactionAmount.amount"),
                "{odd}"
            );
        }
    }

    #[test]
    fn days_are_read_with_a_time_behind_them_and_may_be_missing() {
        let date = |value: Value| {
            let read = booked(|entry| entry["bookingDate"] = value);
            read.map(|row| row.booking_date.map(|day| day.to_string()))
                .map_err(|no| no.field)
        };
        let day = Ok(Some("2026-11-12".to_owned()));
        assert_eq!(date(json!("2026-11-12")), day);
        assert_eq!(date(json!("2026-11-12T09:30:00+02:00")), day);
        assert_eq!(date(json!("2026-11-12 00:00:00")), day);
        for nothing in [json!(""), json!(" "), json!(null)] {
            assert_eq!(date(nothing), Ok(None));
        }
        for odd in [
            "12.11.2026",
            "2026-11-31",
            "2026-11-12x",
            "soon",
            "0000-01-01",
            "+12345-1-1",
            "-0001-1-01",
            "2026-11-1T",
            "２026-11-1",
        ] {
            assert_eq!(date(json!(odd)), Err("bookingDate"), "{odd}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_which_member_and_whose_and_nothing_else() {
        let currency = booked(|entry| entry["transactionAmount"]["currency"] = json!("eur"));
        assert_eq!(currency.unwrap().currency, "EUR");
        let odd = booked(|entry| entry["transactionAmount"] = json!("12.50 RON")).unwrap_err();
        assert_eq!(
            (odd.field, odd.id.as_deref()),
            ("transactionAmount", Some("77"))
        );
        assert_eq!(format!("{odd:?}"), "Unreadable(transactionAmount)");
        assert_eq!(
            read(json!(7), BookingStatus::Booked).unwrap_err().field,
            "entry"
        );
        let by_reference = booked(|entry| {
            entry["transactionId"] = json!("NOTPROVIDED");
            entry["entryReference"] = json!("r-1");
            entry["valueDate"] = json!("soon");
        });
        let by_reference = by_reference.unwrap_err();
        assert_eq!(by_reference.id.as_deref(), Some("r-1"));
        let lenient = booked(|entry| {
            entry["creditorAccount"] = json!("none");
            entry["remittanceInformationUnstructured"] = json!(["a", "b"]);
            entry["currencyExchange"] = json!([{ "sourceCurrency": "EUR" }]);
            entry["balanceAfterTransaction"] = json!({ "balanceAmount": { "amount": "?" } });
        });
        let lenient = lenient.unwrap();
        assert!(lenient.remittance.is_none() && lenient.balance_after.is_none());
    }
}
