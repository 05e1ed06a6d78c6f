//! What may be kept of a body: shapes, codes and amounts; no secret, no IBAN, no name.
//!
//! Works by what is allowed, not by what is known to be secret: inside `data`, where skills and banks put what they
//! like, only the values of listed fields stay.

use std::borrow::Cow;

use json::{Fault, JsonReader, ReadLimits, ValueStart};

/// Most bytes kept of a body.
const MOST: usize = 16 * 1024;
/// Depth up to which lists and objects are followed; the log shows shapes, and no operation's body is as deep.
const DEEPEST: usize = 16;
const GONE: &str = "[redacted]";

/// Credentials: shown by their ends.
fn is_secret(name: &str) -> bool {
    matches!(
        name,
        "client_secret"
            | "client_app_key"
            | "nonce"
            | "temp_token"
            | "access_token"
            | "code_verifier"
    )
}

/// Fields outside `data` whose texts are ours: ids, codes, times and what the error says.
fn is_plain(name: &str) -> bool {
    matches!(
        name,
        "id" | "type"
            | "code"
            | "docs"
            | "path"
            | "hint"
            | "message"
            | "client_id"
            | "session_id"
            | "step_id"
            | "credentials_id"
            | "account_id"
            | "servicer_id"
            | "servicer_name"
            | "servicer"
            | "skill"
            | "step"
            | "status"
            | "status_text"
            | "reason"
            | "next_step"
            | "name_of_step"
            | "timestamp"
            | "as_of"
            | "served_from"
            | "resets_at"
            | "replaces"
            | "consent_exp"
            | "max_data_retention"
            | "utc_created"
            | "utc_last_update"
            | "expires_at"
            | "op_type"
            | "next_cursor"
            | "cursor"
            | "country"
            | "utx_id"
            | "id_stability"
            | "code_challenge"
            | "currency"
            | "credit_debit_indicator"
            | "title"
            | "kind"
            | "environment"
            | "flavour"
            | "method"
            | "openapi"
    )
}

/// Fields inside `data` that tell nothing about anybody.
fn is_plain_data(name: &str) -> bool {
    matches!(
        name,
        "account_type"
            | "account_sub_type"
            | "currency"
            | "balance_currency"
            | "balance_type"
            | "credit_debit_indicator"
            | "scheme_name"
            | "status"
            | "booking_date_time"
            | "value_date_time"
            | "native_date"
            | "native_timestamp"
            | "type"
            | "method"
            | "poll_after"
    )
}

/// A body as it may be stored. `whole` says whether all of it is there.
pub fn body(bytes: &[u8], whole: bool) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let closed = (!whole).then(|| closed(bytes));
    let json = closed.as_deref().unwrap_or(bytes);
    let mut kept = RedactedText {
        text: Vec::with_capacity(json.len().min(MOST)),
        depth: 0,
    };
    match kept.all(json) {
        Err(Stop::NotJson) => format!("[{} bytes that are not JSON]", bytes.len()),
        Ok(()) | Err(Stop::Enough) => kept.cut(),
    }
}

/// A body was bounded before it came here, and is read without being kept.
const UNBOUNDED: ReadLimits = ReadLimits {
    bytes: usize::MAX,
    depth: usize::MAX,
    values: usize::MAX,
};

/// The redacted text so far. It is written while the body is read: a tree of every body would cost more than the call.
struct RedactedText {
    text: Vec<u8>,
    depth: usize,
}

/// Reason why the reading ends before the body does.
enum Stop {
    Enough,
    NotJson,
}

impl From<Fault> for Stop {
    fn from(_: Fault) -> Self {
        Self::NotJson
    }
}

type Written = Result<(), Stop>;

impl RedactedText {
    fn all(&mut self, json: &[u8]) -> Written {
        let mut reader = JsonReader::new(json, UNBOUNDED)?;
        self.value(&mut reader, false)?;
        Ok(reader.end()?)
    }

    fn value(&mut self, reader: &mut JsonReader<'_>, in_data: bool) -> Written {
        match reader.first() {
            Some(b'{') if self.depth < DEEPEST => self.object(reader, in_data),
            Some(b'[') if self.depth < DEEPEST => self.list(reader, in_data),
            // A bare text or number has no name that could allow it.
            Some(b'{' | b'[' | b'"') => self.gone(reader),
            Some(b'-' | b'0'..=b'9') if in_data => self.gone(reader),
            _ => {
                let mark = reader.mark();
                reader.skip()?;
                self.raw(reader.since(mark))
            }
        }
    }

    fn gone(&mut self, reader: &mut JsonReader<'_>) -> Written {
        reader.skip()?;
        self.text(GONE)
    }

    fn list(&mut self, reader: &mut JsonReader<'_>, in_data: bool) -> Written {
        reader.start()?;
        self.depth += 1;
        let mut before = "[";
        while reader.item(before == "[")? {
            self.raw(before)?;
            self.value(reader, in_data)?;
            before = ",";
        }
        self.depth -= 1;
        self.raw(if before == "[" { "[]" } else { "]" })
    }

    fn object(&mut self, reader: &mut JsonReader<'_>, in_data: bool) -> Written {
        reader.start()?;
        self.depth += 1;
        let mut before = "{";
        while let Some(name) = reader.name(before == "{")? {
            self.raw(before)?;
            self.field(&name, reader, in_data)?;
            before = ",";
        }
        self.depth -= 1;
        self.raw(if before == "{" { "{}" } else { "}" })
    }

    fn field(&mut self, name: &str, reader: &mut JsonReader<'_>, in_data: bool) -> Written {
        self.text(name)?;
        self.raw(":")?;
        let mark = reader.mark();
        if reader.first() != Some(b'"') {
            return self.value(reader, in_data || name == "data");
        }
        let ValueStart::Text(text) = reader.start()? else {
            return Err(Stop::NotJson);
        };
        match instead(name, &text, in_data) {
            Some(instead) => self.text(&instead),
            None => self.raw(reader.since(mark)),
        }
    }

    fn text(&mut self, text: &str) -> Written {
        self.raw(&serde_json::Value::from(text).to_string())
    }

    fn raw(&mut self, json: &str) -> Written {
        self.text.extend_from_slice(json.as_bytes());
        if self.text.len() > MOST {
            return Err(Stop::Enough);
        }
        Ok(())
    }

    /// Returns the text cut to at most `MOST` bytes, with `…` at the end if there was more.
    fn cut(self) -> String {
        let mut text = String::from_utf8(self.text).unwrap_or_default();
        if text.len() > MOST {
            text.truncate(text.floor_char_boundary(MOST));
            text.push('…');
        }
        text
    }
}

/// Returns the text that replaces a field's; `None` if it stays as it is.
fn instead(name: &str, text: &str, in_data: bool) -> Option<Cow<'static, str>> {
    if is_secret(name) {
        return Some(ends(text).into());
    }
    let plain = if in_data {
        is_plain_data(name)
    } else {
        is_plain(name)
    };
    match name {
        "psu_redirect_link" | "url" => Some(link(text).into()),
        _ if plain && !looks_like_iban(text) => None,
        _ => Some(GONE.into()),
    }
}

/// A secret's ends: its public prefix, if it has one, and its last four characters.
fn ends(secret: &str) -> String {
    let prefix = app::domain::key::KeyShape::by_prefix(secret)
        .and_then(|_| secret.get(..11))
        .unwrap_or_default();
    if secret.chars().count() < 16 {
        return "…".to_owned();
    }
    format!("{prefix}…{}", app::domain::key::tail(secret))
}

/// A link without what its query and fragment carry.
fn link(text: &str) -> String {
    match text.find(['?', '#']) {
        Some(at) => format!("{}?{GONE}", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Two letters, two digits and at least eleven more letters or digits (ISO 13616), however spaced.
fn looks_like_iban(text: &str) -> bool {
    let mut compact = text.bytes().filter(|byte| *byte != b' ');
    let begins = [
        u8::is_ascii_alphabetic,
        u8::is_ascii_alphabetic,
        u8::is_ascii_digit,
        u8::is_ascii_digit,
    ];
    begins
        .iter()
        .all(|is_right| compact.next().is_some_and(|byte| is_right(&byte)))
        && compact.clone().all(|byte| byte.is_ascii_alphanumeric())
        && (11..=30).contains(&compact.count())
}

/// The beginning of a JSON text, up to the last element that is whole, with its brackets closed.
fn closed(bytes: &[u8]) -> Vec<u8> {
    let (mut open, mut in_string, mut escaped) = (Vec::new(), false, false);
    let (mut end, mut depth) = (0, 0);
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'[' if !in_string => open.push(b']'),
            b'{' if !in_string => open.push(b'}'),
            b']' | b'}' if !in_string => {
                open.pop();
                (end, depth) = (at + 1, open.len());
            }
            _ => {}
        }
    }
    // After the last bracket that closes, brackets were opened and none was closed.
    open.truncate(depth);
    let mut text = bytes.get(..end).unwrap_or_default().to_vec();
    text.extend(open.iter().rev());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANARIES: [&str; 6] = [
        "RO49AAAA1B31007593840000",
        "Canary Holder",
        "canary-user-7",
        "canaryNonceThatIsLongEnough0042",
        "4711.13",
        "canary-state",
    ];

    fn check(text: &str) -> String {
        let kept = body(text.as_bytes(), true);
        for canary in CANARIES {
            assert!(!kept.contains(canary), "{canary} in {kept}");
        }
        kept
    }

    #[test]
    fn no_canary_survives_in_any_place() {
        check(
            r#"{"client_id":"6f1d","nonce":"canaryNonceThatIsLongEnough0042","tenant_user_id":"canary-user-7",
               "data":{"iban":"RO49AAAA1B31007593840000","list":["Canary Holder",4711.13],"deep":{"currency":"EUR","note":"Canary Holder"}}}"#,
        );
        check(
            r#"[{"id":"5f0c","servicer_name":"Demo Bank","data":{"account_schemes":[{"scheme_name":"IBAN","identification":"RO49AAAA1B31007593840000"}],
               "name":"Canary Holder","balances":[{"balance_amount":"4711.13"}],"owner":"canary-user-7"}}]"#,
        );
        check(
            r#"{"data":{"url":"https://bank.example/authorize?state=canary-state","method":"GET"}}"#,
        );
        check(r#"{"status":"RO49 AAAA 1B31 0075 9384 0000","unknown":"Canary Holder","filter":{"merchant":"Canary Holder"}}"#.replace("RO49 AAAA", "RO49AAAA").as_str());
        check("Canary Holder, not JSON");
        check(r#""Canary Holder""#);
    }

    #[test]
    fn secrets_keep_their_ends_and_codes_stay() {
        let kept = check(
            r#"{"client_secret":"tsr_sbx_cs_0123456789012345678901234567890123456789abcd","skill":"xyz_aisp_sbx_#1.0","data":{"currency":"EUR"}}"#,
        );
        assert!(kept.contains("tsr_sbx_cs_…abcd"), "{kept}");
        assert!(
            kept.contains("xyz_aisp_sbx_#1.0") && kept.contains("EUR"),
            "{kept}"
        );
    }

    #[test]
    fn a_name_is_read_and_not_its_spelling() {
        let kept =
            check(r#"{"non\u0063e":"canaryNonceThatIsLongEnough0042","\u0064ata":[4711.13]}"#);
        assert_eq!(kept, r#"{"nonce":"…0042","data":["[redacted]"]}"#);
    }

    #[test]
    fn what_stays_is_as_it_was_sent() {
        let sent = r#"{"step":"a \"b\" ü","http":400,"big":123456789012345678901234567890.10,"is":[true,null,{}],"no":[]}"#;
        assert_eq!(check(sent), sent);
        assert_eq!(check(" { \"id\" : \"1\" }\n"), r#"{"id":"1"}"#);
    }

    #[test]
    fn half_a_character_is_no_json() {
        for sent in [
            r#"{"id":"1","code":"\ud800"}"#,
            r#"{"\udc00":"Canary Holder"}"#,
        ] {
            assert_eq!(
                check(sent),
                format!("[{} bytes that are not JSON]", sent.len())
            );
        }
    }

    #[test]
    fn a_deep_body_ends_where_it_is_too_deep() {
        let deep = ["[", "]"].map(|bracket| bracket.repeat(100_000)).concat();
        let deep = body(deep.as_bytes(), true);
        let nest = [
            &"[".repeat(DEEPEST),
            r#""[redacted]""#,
            &"]".repeat(DEEPEST),
        ];
        assert_eq!(deep, nest.concat());
    }

    #[test]
    fn a_long_body_is_cut_between_two_characters() {
        let items = vec![r#"{"message":"üüü"}"#; 2_000].join(",");
        let kept = body(format!("[{items}]").as_bytes(), true);
        assert!(kept.len() <= MOST + '…'.len_utf8() && kept.len() > MOST - 4);
        assert!(kept.ends_with('…'));
    }

    #[test]
    fn a_cut_body_ends_after_its_last_whole_part() {
        let cut = br#"{"items":[{"id":"a"},{"id":"b"},{"id":"c","na"#;
        assert_eq!(body(cut, false), r#"{"items":[{"id":"a"},{"id":"b"}]}"#);
    }
}
