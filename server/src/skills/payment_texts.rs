//! The texts of a payment, made ready for the next system: what people hold is taken (IBANs in groups of four), what SEPA
//! carries otherwise is written in its letters and said to be, and what no bank carries is refused here, by name and place.

use app::domain::country::COUNTRIES;
use app::domain::currency::Currency;
use serde::Serialize;
use serde_json::Value;

use super::registry::DataFault;
use crate::text::{is_invisible, nfc, odd_char, sepa};

/// A text that is sent to the bank otherwise than it was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AdaptedText {
    /// `data.payment_info[0].…`.
    pub path: String,
    pub given: String,
    pub sent: String,
}

/// Data of a payment, prepared for the schema and the bank.
pub struct Prepared {
    pub data: Value,
    pub faults: Vec<DataFault>,
    /// Texts that were changed. The caller is told of them before the end-user authorises the payment.
    pub written: Vec<AdaptedText>,
}

/// Returns a payment's data as the schema and the bank read it, and what is wrong with its texts.
pub fn prepare(data: &Value) -> Prepared {
    let mut prepared = Prepared {
        data: data.clone(),
        faults: Vec::new(),
        written: Vec::new(),
    };
    let mut data = std::mem::take(&mut prepared.data);
    prepared.walk(&mut data, "data", "");
    prepared.data = data;
    prepared
}

impl Prepared {
    fn walk(&mut self, value: &mut Value, path: &str, name: &str) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    self.walk(value, &format!("{path}.{name}"), name);
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    self.walk(item, &format!("{path}[{at}]"), name);
                }
            }
            Value::String(text) => {
                if let Some(changed) = self.text(text, path, name) {
                    *text = changed;
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A text as it goes on, if that is another.
    fn text(&mut self, text: &str, path: &str, name: &str) -> Option<String> {
        match name {
            "iban" => {
                let plain = printed(text, &["IBAN"]);
                if let Some(message) = form_fault(&plain).or_else(|| iban_fault(&plain)) {
                    self.fault(path, message);
                }
                (plain != text).then_some(plain)
            }
            "bic" => {
                let plain = printed(text, &["BIC/SWIFT", "SWIFT/BIC", "SWIFT", "BIC"]);
                if let Some(message) = form_fault(&plain).or_else(|| bic_fault(&plain)) {
                    self.fault(path, message);
                }
                (plain != text).then_some(plain)
            }
            "currency" => {
                let code = Currency::parse(text).ok()?;
                (code.as_str() != text).then(|| code.as_str().to_owned())
            }
            "name" | "unstructured" => self.line(text, path, name),
            "end_to_end_id" | "instruction_id" | "payment_information_id" | "message_id" => {
                self.reference(text, path);
                None
            }
            "psu_id" => {
                self.psu_id(text, path);
                None
            }
            _ => {
                self.visible(text, path);
                None
            }
        }
    }

    fn fault(&mut self, path: &str, message: impl Into<String>) {
        self.faults.push(DataFault {
            path: path.to_owned(),
            code: "format",
            message: message.into(),
        });
    }

    /// Returns `true` if every character is visible; otherwise notes a fault.
    fn visible(&mut self, text: &str, path: &str) -> bool {
        let Some(odd) = odd_char(text) else {
            return true;
        };
        let message = format!("Must be one line of visible characters, and has {odd}.");
        self.fault(path, message);
        false
    }

    /// Prepares a name or a payment's text; notes a fault and returns `None` if it cannot be sent.
    fn line(&mut self, text: &str, path: &str, name: &str) -> Option<String> {
        if !self.visible(text, path) {
            return None;
        }
        let given = nfc(text.trim());
        let sent = match sepa::transliterate(&given) {
            Ok(sent) => sent,
            Err(no) => {
                let code = u32::from(no.char);
                let message = format!(
                    "SEPA payments have no way to write `{}` (U+{code:04X}, character {}): they carry Latin letters, \
                     digits and / - ? : ( ) . , ' +.",
                    no.char, no.place
                );
                self.fault(path, message);
                return None;
            }
        };
        let sent = sent.trim().to_owned();
        let empty = text.trim().is_empty();
        if name == "name" && !empty && !sent.bytes().any(|b| b.is_ascii_alphanumeric()) {
            self.fault(path, "Must have a letter or a digit.");
            return None;
        }
        if name == "unstructured" && is_wrong_reference(&sent) {
            let message = "Looks like a creditor reference (ISO 11649), but its check digits do not fit: a character is \
                           wrong or missing.";
            self.fault(path, message);
            return None;
        }
        let (most, length) = (if name == "name" { 70 } else { 140 }, sent.chars().count());
        if length > most && given.chars().count() <= most {
            let message = format!(
                "Has {length} characters in the letters of SEPA, and may have {most}: some are written with several, as \
                 EUR for the sign of the euro."
            );
            self.fault(path, message);
        }
        if sent != given {
            self.written.push(AdaptedText {
                path: path.to_owned(),
                given,
                sent: sent.clone(),
            });
        }
        (sent != text).then_some(sent)
    }

    /// An identifier that travels with the payment (EPC217-08, section 5: references are carried to the letter).
    fn reference(&mut self, text: &str, path: &str) {
        if !self.visible(text, path) {
            return;
        }
        let mut chars = text.chars().enumerate();
        if let Some((at, c)) = chars.find(|(_, c)| !sepa::is_carried(*c)) {
            let (code, place) = (u32::from(c), at + 1);
            let message = format!(
                "References are carried to the letter, and `{c}` (U+{code:04X}, character {place}) is not: use Latin \
                 letters, digits and / - ? : ( ) . , ' +."
            );
            self.fault(path, message);
        } else if text.starts_with('/') || text.ends_with('/') || text.contains("//") {
            let message = "Must not begin or end with a slash, nor have two together (EPC217-08).";
            self.fault(path, message);
        } else if text.starts_with(' ') || text.ends_with(' ') {
            self.fault(
                path,
                "Must not begin or end with a blank: banks cut those off.",
            );
        }
    }

    /// A user name, which travels in a header of its own.
    fn psu_id(&mut self, text: &str, path: &str) {
        if !self.visible(text, path) {
            return;
        }
        let mut chars = text.chars().enumerate();
        if let Some((at, c)) = chars.find(|(_, c)| !matches!(c, ' '..='~')) {
            let (code, place) = (u32::from(c), at + 1);
            let message = format!(
                "Travels in a header, which holds ASCII alone: `{c}` (U+{code:04X}, character {place}) is none."
            );
            self.fault(path, message);
        } else if text.starts_with(' ') || text.ends_with(' ') {
            let message = "Must not begin or end with a blank: headers lose it.";
            self.fault(path, message);
        }
    }
}

/// An IBAN or BIC as systems write it, from what people copy: in groups, in lower case, behind its name, with the dashes or
/// dots of some prints and the marks that hold it left to right.
fn printed(text: &str, names: &[&str]) -> String {
    let shown: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    let shown = shown.trim().to_ascii_uppercase();
    let behind = names.iter().find_map(|name| {
        let rest = shown.strip_prefix(name)?;
        // `BICD...` may be a BIC of its own: a name is followed by something.
        let value = rest.trim_start_matches([':', '.', '-', ' ', '\t', '\u{a0}']);
        (value.len() < rest.len() || *name == "IBAN").then(|| value.to_owned())
    });
    let dash = |c: char| matches!(c, '-' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}');
    let plain = behind.unwrap_or(shown);
    plain
        .chars()
        .filter(|c| !c.is_whitespace() && !dash(*c))
        .collect()
}

/// The character of an IBAN or BIC that neither has.
fn form_fault(plain: &str) -> Option<String> {
    if plain.is_empty() {
        return Some("Must not be empty.".to_owned());
    }
    let (at, c) = plain
        .chars()
        .enumerate()
        .find(|(_, c)| !c.is_ascii_alphanumeric())?;
    let (code, place) = (u32::from(c), at + 1);
    Some(format!(
        "Has a `{c}` (U+{code:04X}, character {place} without blanks): it is written in the letters A to Z and digits."
    ))
}

/// What is wrong with a BIC (ISO 9362): its length, or the country at characters 5 and 6.
fn bic_fault(bic: &str) -> Option<String> {
    let (Some(country), 8 | 11) = (bic.get(4..6), bic.len()) else {
        return Some("Is no BIC (ISO 9362): those have 8 or 11 characters.".to_owned());
    };
    // Kosovo has a code of banks' own.
    let known = country == "XK" || COUNTRIES.iter().any(|(code, _)| *code == country);
    (!known).then(|| {
        format!(
            "Is no BIC (ISO 9362): `{country}` at characters 5 and 6 is the code of no country."
        )
    })
}

/// Returns what is wrong with an IBAN in electronic form, if anything is.
pub fn iban_fault(iban: &str) -> Option<String> {
    use iban::ParseIbanError as Wrong;
    let country: String = iban.chars().take(2).collect();
    match iban.parse::<iban::Iban>() {
        Ok(_) => None,
        Err(Wrong::UnknownCountry(_)) => Some(format!(
            "Is no valid IBAN: {country} is in no entry of the IBAN registry (ISO 13616)."
        )),
        Err(Wrong::InvalidBban(_)) => Some(format!(
            "Is no valid IBAN: those of {country} have another length or form (ISO 13616)."
        )),
        Err(Wrong::InvalidBaseIban { .. }) => Some(
            "Is no valid IBAN: its check digits do not fit, so a character is wrong or missing."
                .to_owned(),
        ),
    }
}

/// Returns `true` if the whole text is a creditor reference with wrong check digits (ISO 11649: `RF`, two digits, up to
/// 21 more).
fn is_wrong_reference(text: &str) -> bool {
    let plain = text.chars().filter(|c| !matches!(c, ' ' | '-'));
    let written: String = plain.collect();
    let plain = written.to_ascii_uppercase();
    // "rf12 shoes" is a text: in small letters, only digits are surely a reference.
    let is_small = written.chars().skip(2).any(|c| c.is_ascii_lowercase());
    let Some((digits, reference)) = plain
        .strip_prefix("RF")
        .and_then(|rest| rest.split_at_checked(2))
    else {
        return false;
    };
    let fits = digits.bytes().all(|b| b.is_ascii_digit())
        && !is_small
        && (4..=21).contains(&reference.len())
        && reference
            .bytes()
            .all(|b| b.is_ascii_digit() || b.is_ascii_uppercase());
    fits && modulo_97(&format!("{reference}RF{digits}")) != 1
}

/// ISO 7064, MOD 97-10, letters counting from 10.
fn modulo_97(text: &str) -> u32 {
    text.chars()
        .filter_map(|c| c.to_digit(36))
        .fold(0, |rest, value| {
            let shift = if value > 9 { 100 } else { 10 };
            (rest * shift + value) % 97
        })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NAME: &str =
        "data.payment_info[0].credit_transfer_transaction_information[0].creditor.name";

    fn payment(place: &str, text: &str) -> Value {
        let mut transfer = json!({
            "payment_id": { "end_to_end_id": "invoice-77", "instruction_id": "i-1" },
            "amount": { "instructed_amount": { "amount": "12.50", "currency": "EUR" } },
            "creditor": { "name": "Corner Shop" },
            "creditor_agent": { "bic": "DEUTDEFF" },
            "creditor_account": { "iban": "DE89370400440532013000" },
            "remittance_information": { "unstructured": "Invoice 77" },
        });
        *transfer.pointer_mut(place).unwrap() = json!(text);
        json!({
            "psu_redirect_link": "myapp://return",
            "payment_info": [{ "credit_transfer_transaction_information": [transfer] }],
        })
    }

    /// The text as it goes on, or what is wrong with it.
    fn sent(place: &str, text: &str) -> Result<String, String> {
        let prepared = prepare(&payment(place, text));
        if let Some(fault) = prepared.faults.first() {
            return Err(fault.message.clone());
        }
        let transfer = "/payment_info/0/credit_transfer_transaction_information/0";
        let at = prepared.data.pointer(&format!("{transfer}{place}"));
        Ok(at.unwrap().as_str().unwrap().to_owned())
    }

    #[test]
    fn what_people_hold_is_taken() {
        let iban = |text: &str| sent("/creditor_account/iban", text);
        for text in [
            "DE89370400440532013000",
            "DE89 3704 0044 0532 0130 00",
            "de89370400440532013000",
            "DE89\u{a0}3704\u{a0}0044\u{202f}0532 0130 00 ",
            "IBAN DE89 3704 0044 0532 0130 00",
            "iban: de89 3704 0044 0532 0130 00",
            "DE89-3704-0044-0532-0130-00",
            "DE89\u{2011}3704.0044.0532.0130.00",
            "\u{202a}DE89370400440532013000\u{202c}",
        ] {
            assert_eq!(
                iban(text).as_deref(),
                Ok("DE89370400440532013000"),
                "{text}"
            );
        }
        assert_eq!(
            sent("/creditor_agent/bic", "deut de ff").as_deref(),
            Ok("DEUTDEFF")
        );
        for text in ["BIC DEUTDEFF", "SWIFT: deut-de-ff", "BIC/SWIFT: DEUTDEFF"] {
            let sent = sent("/creditor_agent/bic", text);
            assert_eq!(sent.as_deref(), Ok("DEUTDEFF"), "{text}");
        }
        assert_eq!(
            sent("/creditor_agent/bic", "BICDROBUXXX").as_deref(),
            Ok("BICDROBUXXX"),
            "a bank's own code"
        );
        let currency = "/amount/instructed_amount/currency";
        assert_eq!(sent(currency, "eur").as_deref(), Ok("EUR"));
        assert_eq!(
            sent(currency, "xyz").as_deref(),
            Ok("xyz"),
            "the schema refuses it"
        );
    }

    #[test]
    fn what_sepa_writes_otherwise_is_said() {
        let prepared = prepare(&payment("/creditor/name", " Mes\u{326}ter & Söhne "));
        assert!(prepared.faults.is_empty());
        assert_eq!(
            prepared.written,
            [AdaptedText {
                path: NAME.into(),
                given: "Meșter & Söhne".into(),
                sent: "Mester + Sohne".into(),
            }]
        );
        let plain = prepare(&payment("/creditor/name", "Corner Shop"));
        assert!(plain.written.is_empty() && plain.data == payment("/creditor/name", "Corner Shop"));
        // Two hundred characters apart, one hundred together.
        let apart = "a\u{306}".repeat(100);
        let text = sent("/remittance_information/unstructured", &apart);
        assert_eq!(text.unwrap(), "a".repeat(100));
    }

    #[test]
    fn what_no_bank_carries_is_refused_by_name_and_place() {
        let remittance = "/remittance_information/unstructured";
        let euros = "€".repeat(47);
        let (iban, bic) = ("/creditor_account/iban", "/creditor_agent/bic");
        for (place, text, part) in [
            (remittance, euros.as_str(), "Has 141 characters"),
            (remittance, "rf19 5390 0754 7034", "creditor reference"),
            (remittance, "RF19-5390-0754-7034", "creditor reference"),
            (iban, "DE89370400440532013000/EUR", "Has a `/` (U+002F"),
            (iban, "ＤE89370400440532013000", "Has a `Ｄ`"),
            (iban, "  ", "Must not be empty"),
            (iban, "DE88370400440532013000", "check digits"),
            (bic, "DEUTZZFF", "`ZZ` at characters 5 and 6"),
            (bic, "DE1TD3FF", "`D3` at"),
            (bic, "DEUTDEF", "8 or 11"),
            (remittance, "\0x", "U+0000 (NUL) at character 1"),
            (
                remittance,
                "line1\nline2",
                "U+000A (line feed) at character 6",
            ),
            (remittance, "a\tb", "U+0009 (tab) at character 2"),
            (remittance, "a\u{2028}b", "U+2028"),
            (
                remittance,
                "\u{202e}evil",
                "U+202E (right-to-left override) at character 1",
            ),
            (remittance, "\u{200b}", "U+200B"),
            (remittance, "Pay 👍", "U+1F44D, character 5"),
            ("/creditor/name", "a\nb", "line feed"),
            ("/creditor/name", ".", "a letter or a digit"),
            (
                "/creditor/name",
                "\u{202e}Reversed",
                "right-to-left override",
            ),
            ("/creditor/name", "株式会社", "`株`"),
            ("/payment_id/end_to_end_id", "/a", "slash"),
            ("/payment_id/end_to_end_id", "a/", "slash"),
            ("/payment_id/instruction_id", "a//b", "slash"),
            ("/payment_id/instruction_id", "a ", "blank"),
            (
                "/payment_id/end_to_end_id",
                "Größe",
                "`ö` (U+00F6, character 3)",
            ),
            (remittance, "RF18 5390 0754 7035", "ISO 11649"),
        ] {
            let why = sent(place, text).unwrap_err();
            assert!(why.contains(part), "{text:?}: {why}");
        }
        for good in [
            "RF18539007547034",
            "RF18 5390 0754 7034",
            "RF1",
            "RF-12345",
            "a/b",
        ] {
            assert_eq!(sent(remittance, good).as_deref(), Ok(good));
        }
        assert!(
            prepare(&json!({"psu_id": "Ană"})).faults[0]
                .message
                .contains("header")
        );
    }

    #[test]
    fn an_iban_is_held_to_its_countrys_form() {
        assert_eq!(iban_fault("DE89370400440532013000"), None);
        for (iban, part) in [
            ("DE00370400440532013000", "check digits"),
            ("DE8937040044053201300", "check digits"),
            ("XX36370400440532013000", "check digits"),
        ] {
            let why = iban_fault(iban).unwrap();
            assert!(why.contains(part), "{iban}: {why}");
        }
    }
}
