//! What may be kept of a body: shapes, codes and amounts; no secret, no IBAN, no name.
//!
//! Works by what is allowed, not by what is known to be secret: inside `data`, where skills and banks put what they
//! like, only the values of listed fields stay.

use serde_json::{Map, Value};

/// How much of a body is kept.
const MOST: usize = 16 * 1024;
const GONE: &str = "[redacted]";

/// Credentials: shown by their ends.
const SECRETS: &[&str] = &[
    "client_secret",
    "client_app_key",
    "nonce",
    "temp_token",
    "access_token",
    "code_verifier",
];

/// Fields outside `data` whose texts are ours: ids, codes, times and what the error says.
const PLAIN: &[&str] = &[
    "id",
    "type",
    "code",
    "docs",
    "path",
    "hint",
    "message",
    "client_id",
    "session_id",
    "step_id",
    "credentials_id",
    "account_id",
    "servicer_id",
    "servicer_name",
    "servicer",
    "skill",
    "step",
    "status",
    "status_text",
    "reason",
    "next_step",
    "name_of_step",
    "timestamp",
    "as_of",
    "served_from",
    "resets_at",
    "replaces",
    "consent_exp",
    "max_data_retention",
    "utc_created",
    "utc_last_update",
    "expires_at",
    "op_type",
    "next_cursor",
    "cursor",
    "country",
    "utx_id",
    "id_stability",
    "code_challenge",
    "currency",
    "credit_debit_indicator",
    "title",
    "kind",
    "environment",
    "flavour",
    "method",
    "openapi",
];

/// Fields inside `data` that tell nothing about anybody.
const PLAIN_DATA: &[&str] = &[
    "account_type",
    "account_sub_type",
    "currency",
    "balance_currency",
    "balance_type",
    "credit_debit_indicator",
    "scheme_name",
    "status",
    "booking_date_time",
    "value_date_time",
    "native_date",
    "native_timestamp",
    "type",
    "method",
    "poll_after",
];

/// A body as it may be stored. `whole` says whether all of it is there.
pub fn body(bytes: &[u8], whole: bool) -> String {
    if bytes.is_empty() {
        return String::new();
    }
    let parsed = if whole {
        serde_json::from_slice(bytes).ok()
    } else {
        serde_json::from_slice(&closed(bytes)).ok()
    };
    let Some(mut value) = parsed else {
        return format!("[{} bytes that are not JSON]", bytes.len());
    };
    redact(&mut value, false);
    let mut text = value.to_string();
    if text.len() > MOST {
        let end = (0..=MOST)
            .rev()
            .find(|at| text.is_char_boundary(*at))
            .unwrap_or(0);
        text.truncate(end);
        text.push('…');
    }
    text
}

fn redact(value: &mut Value, in_data: bool) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| redact(item, in_data)),
        Value::Object(map) => fields(map, in_data),
        // A bare text or number has no name that could allow it.
        Value::String(_) | Value::Number(_) if in_data => *value = GONE.into(),
        Value::String(_) => *value = GONE.into(),
        _ => {}
    }
}

fn fields(map: &mut Map<String, Value>, in_data: bool) {
    for (name, value) in map.iter_mut() {
        let below = in_data || name == "data";
        match value {
            Value::String(text) => {
                if let Some(instead) = instead(name, text, in_data) {
                    *text = instead;
                }
            }
            Value::Number(_) if in_data => *value = GONE.into(),
            Value::Array(_) | Value::Object(_) => redact(value, below),
            _ => {}
        }
    }
}

/// What a field's text is kept as; none if it stays.
fn instead(name: &str, text: &str, in_data: bool) -> Option<String> {
    if SECRETS.contains(&name) {
        return Some(ends(text));
    }
    let plain = if in_data { PLAIN_DATA } else { PLAIN };
    match name {
        "psu_redirect_link" | "url" => Some(link(text)),
        _ if plain.contains(&name) && !looks_like_iban(text) => None,
        _ => Some(GONE.to_owned()),
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
    fn a_cut_body_ends_after_its_last_whole_part() {
        let cut = br#"{"items":[{"id":"a"},{"id":"b"},{"id":"c","na"#;
        assert_eq!(body(cut, false), r#"{"items":[{"id":"a"},{"id":"b"}]}"#);
    }
}
