//! Everything that can be wrong with a request, made from how the OpenAPI describes its operation.

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::right;
use crate::authorization_matrix::{Callers, FILE, Line, Lock, Made, form, header_of, takes_file};

/// A request that is wrong in one way.
pub struct Wrong {
    pub what: String,
    pub body: Option<Vec<u8>>,
    /// The query, beginning with `?`, or empty.
    pub query: String,
    pub headers: Vec<(HeaderName, HeaderValue)>,
    pub expected: Expected,
}

/// Answer that a wrong request must get.
pub enum Expected {
    /// This status and code.
    Exactly(u16, &'static str),
    /// This status and code, in an answer that names this field.
    Naming(u16, &'static str, String),
    /// Any 4xx error.
    Refused,
}
use Expected::{Exactly, Naming, Refused};

/// Everything that can be wrong with a request of this operation.
pub fn cases(
    town: &Callers,
    line: &Line,
    described: &Value,
    document: &Value,
    made: &Made,
) -> Vec<Wrong> {
    let credentials = town.credentials(line, right(line), made);
    let credentials = if line.lock == Lock::Anyone {
        Vec::new()
    } else {
        credentials
    };
    let content = &described["requestBody"]["content"]["application/json"];
    if content.is_null() && !takes_file(line) {
        return in_headers(line.operation, described, &credentials);
    }
    let mut body = (line.fields)(made);
    for (name, value) in credentials {
        body[name] = json!(value);
    }
    if takes_file(line) {
        return in_form(&body);
    }
    let schema = resolved(&content["schema"], document);
    let mut cases = with_body(schema, &body);
    cases.extend(broken_bodies(&body));
    cases
}

fn json_type() -> Vec<(HeaderName, HeaderValue)> {
    vec![(CONTENT_TYPE, HeaderValue::from_static("application/json"))]
}

fn body_case(what: impl Into<String>, body: &Value, expected: Expected) -> Wrong {
    raw(what, body.to_string().into_bytes(), expected)
}

fn raw(what: impl Into<String>, body: Vec<u8>, expected: Expected) -> Wrong {
    Wrong {
        what: what.into(),
        body: Some(body),
        query: String::new(),
        headers: json_type(),
        expected,
    }
}

fn resolved<'a>(schema: &'a Value, document: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(path) => document.pointer(&path[1..]).unwrap(),
        None => schema,
    }
}

/// Fields that are missing, unknown, of the wrong type, too long, or in each other's place.
fn with_body(schema: &Value, right: &Value) -> Vec<Wrong> {
    let mut cases = Vec::new();
    for name in schema["required"].as_array().into_iter().flatten() {
        let name = name.as_str().unwrap();
        let mut body = right.clone();
        body.as_object_mut().unwrap().shift_remove(name);
        let missing = Naming(400, "missing_fields", name.to_owned());
        cases.push(body_case(format!("without {name}"), &body, missing));
    }
    let mut body = right.clone();
    body["surprise"] = json!(1);
    let unknown = Naming(400, "unknown_fields", "surprise".to_owned());
    cases.push(body_case("an unknown field", &body, unknown));
    for (name, property) in schema["properties"].as_object().unwrap() {
        // The secret is refused wherever a browser may call beside another key.
        let refused = name == "client_secret" && right.get(name).is_none();
        for value in wrong_values(property) {
            let mut body = right.clone();
            body[name] = value.clone();
            let expected = if refused {
                Refused
            } else {
                Naming(400, code_of(name, &value), name.clone())
            };
            cases.push(body_case(
                format!("{name} = {}", short(&value)),
                &body,
                expected,
            ));
        }
        for (inner, property) in property["properties"].as_object().into_iter().flatten() {
            for value in wrong_values(property) {
                let mut body = right.clone();
                body[name] = json!({ inner: value });
                let path = Naming(400, "invalid_field", format!("{name}.{inner}"));
                cases.push(body_case(
                    format!("{name}.{inner} = {}", short(&value)),
                    &body,
                    path,
                ));
            }
        }
    }
    cases.extend(swapped(right));
    cases
}

/// Two fields that hold each other's value: keys in wrong slots, ids for tokens.
fn swapped(right: &Value) -> Vec<Wrong> {
    let texts: Vec<&String> = right
        .as_object()
        .unwrap()
        .iter()
        .filter(|(_, value)| value.is_string())
        .map(|(name, _)| name)
        .collect();
    let mut cases = Vec::new();
    for (at, one) in texts.iter().enumerate() {
        for other in &texts[at + 1..] {
            let mut body = right.clone();
            body[one.as_str()] = right[other.as_str()].clone();
            body[other.as_str()] = right[one.as_str()].clone();
            cases.push(body_case(
                format!("{one} and {other} swapped"),
                &body,
                Refused,
            ));
        }
    }
    cases
}

fn short(value: &Value) -> String {
    value.to_string().chars().take(24).collect()
}

/// The code of a value that is refused. A retention out of range has its own, as the API's first documents say.
fn code_of(name: &str, value: &Value) -> &'static str {
    if name == "pcd_data_retention" && value.is_i64() {
        "invalid_pcd_data_retention"
    } else {
        "invalid_field"
    }
}

/// Values that a field of this schema cannot have.
fn wrong_values(schema: &Value) -> Vec<Value> {
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds[0].as_str().unwrap(),
        kind => kind.as_str().unwrap_or("object"),
    };
    let mut values = match kind {
        "string" => vec![
            json!(5),
            json!(true),
            json!(["x"]),
            json!({ "a": 1 }),
            json!("x".repeat(17 * 1024)),
            json!("with\u{0}NUL"),
        ],
        "integer" => vec![
            json!("x"),
            json!(1.5),
            json!(true),
            json!([]),
            json!({}),
            serde_json::from_str("99999999999999999999").unwrap(),
        ],
        "number" => vec![json!("x"), json!(true), json!([]), json!({})],
        "boolean" => vec![json!("x"), json!(5), json!([]), json!({})],
        "array" => vec![json!("x"), json!(5), json!(true), json!({})],
        _ => vec![json!("x"), json!(5), json!(true), json!([])],
    };
    if matches!(schema["format"].as_str(), Some("uuid" | "date-time")) {
        values.push(json!("nonsense"));
        values.push(json!(""));
    }
    if schema["enum"].is_array() {
        values.push(json!("nonsense"));
    }
    if let Some(least) = schema["minimum"].as_i64() {
        values.push(json!(least - 1));
    }
    if let Some(most) = schema["maximum"].as_i64() {
        values.push(json!(most + 1));
    }
    values
}

/// Bodies that are no JSON object, or more than one may be.
fn broken_bodies(right: &Value) -> Vec<Wrong> {
    let whole = right.to_string();
    let text = |text: String| text.into_bytes();
    let twice =
        whole
            .replacen('{', "{\"client_id\":\"x\",", 1)
            .replacen('{', "{\"client_id\":\"x\",", 1);
    let deep = format!("{{\"data\":{}1{}}}", "[".repeat(64), "]".repeat(64));
    let invalid = || Exactly(400, "invalid_body");
    let mut cases = vec![
        raw("nothing", Vec::new(), invalid()),
        raw(
            "half of it",
            text(whole[..whole.len() / 2].to_owned()),
            invalid(),
        ),
        raw("an array", text(format!("[{whole}]")), invalid()),
        raw("null", text("null".to_owned()), invalid()),
        raw("a text", text("\"text\"".to_owned()), invalid()),
        raw("something after it", text(format!("{whole} x")), invalid()),
        raw(
            "a number beyond all",
            text("{\"client_id\": 1e999999}".to_owned()),
            Refused,
        ),
        raw("a field twice", text(twice), invalid()),
        raw(
            "not UTF-8",
            [b"{\"client_id\":\"\xff\xfe\"}".as_slice()].concat(),
            invalid(),
        ),
        raw(
            "half a surrogate",
            text("{\"client_id\":\"\\ud800\"}".to_owned()),
            invalid(),
        ),
        raw(
            "nested too deeply",
            text(deep),
            Exactly(413, "body_too_large"),
        ),
        raw(
            "nested beyond all",
            text("[".repeat(100_000)),
            Exactly(413, "body_too_large"),
        ),
        raw(
            "too long",
            vec![b' '; 257 * 1024],
            Exactly(413, "body_too_large"),
        ),
    ];
    for kind in [
        None,
        Some("text/plain"),
        Some("application/x-www-form-urlencoded"),
        Some("application/jsonp"),
    ] {
        let mut case = body_case(
            format!("as {kind:?}"),
            right,
            Exactly(415, "invalid_headers"),
        );
        case.headers = kind
            .map(|kind| (CONTENT_TYPE, HeaderValue::from_static(kind)))
            .into_iter()
            .collect();
        cases.push(case);
    }
    let mut html = body_case("asking for HTML", right, Exactly(406, "not_acceptable"));
    html.headers
        .push((ACCEPT, HeaderValue::from_static("text/html")));
    cases.push(html);
    let mut key = body_case(
        "an odd Idempotency-Key",
        right,
        Naming(400, "invalid_field", "Idempotency-Key".into()),
    );
    let odd = HeaderValue::from_static("with space");
    key.headers
        .push((HeaderName::from_static("idempotency-key"), odd));
    cases.push(key);
    cases
}

/// A form that lacks something, has too much, or is none.
fn in_form(right: &Value) -> Vec<Wrong> {
    let case = |what: &str, (kind, body): (&'static str, Vec<u8>), expected| Wrong {
        what: what.to_owned(),
        body: Some(body),
        query: String::new(),
        headers: vec![(CONTENT_TYPE, HeaderValue::from_static(kind))],
        expected,
    };
    let missing = |name: &str| Naming(400, "missing_fields", name.to_owned());
    let whole = form(right, Some(FILE));
    let half = (whole.0, whole.1[..whole.1.len() / 2].to_vec());
    let mut cases = vec![
        case("without a file", form(right, None), missing("file")),
        case("half of it", half, Exactly(400, "invalid_body")),
        case(
            "nothing",
            (whole.0, Vec::new()),
            Exactly(400, "invalid_body"),
        ),
        case(
            "JSON",
            ("application/json", right.to_string().into_bytes()),
            Exactly(415, "invalid_headers"),
        ),
        case(
            "no boundary",
            ("multipart/form-data", whole.1.clone()),
            Exactly(415, "invalid_headers"),
        ),
        case(
            "another boundary",
            ("multipart/form-data; boundary=other", whole.1.clone()),
            Exactly(400, "invalid_body"),
        ),
    ];
    for name in ["client_id", "nonce", "kind"] {
        let mut body = right.clone();
        body.as_object_mut().unwrap().shift_remove(name);
        cases.push(case(
            &format!("without {name}"),
            form(&body, Some(FILE)),
            missing(name),
        ));
    }
    let mut body = right.clone();
    body["surprise"] = json!("1");
    let unknown = Naming(400, "unknown_fields", "surprise".to_owned());
    cases.push(case("an unknown field", form(&body, Some(FILE)), unknown));
    for other in swapped(right) {
        let body: Value = serde_json::from_slice(&other.body.unwrap()).unwrap();
        cases.push(case(&other.what, form(&body, Some(FILE)), Refused));
    }
    let mut html = case("asking for HTML", whole, Exactly(406, "not_acceptable"));
    html.headers
        .push((ACCEPT, HeaderValue::from_static("text/html")));
    cases.push(html);
    cases
}

/// Returns what can be wrong with a call without a body: keys in headers, fields in the query.
fn in_headers(
    operation: &str,
    described: &Value,
    credentials: &[(&'static str, String)],
) -> Vec<Wrong> {
    let right: Vec<(HeaderName, HeaderValue)> = credentials
        .iter()
        .filter_map(|(name, value)| {
            let name = header_of(name)?.to_lowercase();
            Some((name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
        })
        .collect();
    let case =
        |what: String, query: String, headers: &[(HeaderName, HeaderValue)], expected| Wrong {
            what,
            body: None,
            query,
            headers: headers.to_vec(),
            expected,
        };
    let mut cases = vec![
        case(
            "an unknown field".into(),
            "?surprise=1".into(),
            &right,
            Naming(400, "unknown_fields", "surprise".into()),
        ),
        case(
            "not UTF-8 in the query".into(),
            "?%ff=%fe".into(),
            &right,
            Refused,
        ),
        case(
            "too long a query".into(),
            format!("?q={}", "x".repeat(9 * 1024)),
            &right,
            Exactly(413, "body_too_large"),
        ),
        case(
            "credentials in the URL".into(),
            "?client_secret=x".into(),
            &right,
            Exactly(400, "invalid_field"),
        ),
    ];
    let mut html = case(
        "asking for HTML".into(),
        String::new(),
        &right,
        Exactly(406, "not_acceptable"),
    );
    html.headers
        .push((ACCEPT, HeaderValue::from_static("text/html")));
    cases.push(html);
    let mut bearer = case(
        "another scheme".into(),
        String::new(),
        &right,
        Exactly(401, "invalid_api_keys"),
    );
    bearer.headers.push((
        reqwest::header::AUTHORIZATION,
        HeaderValue::from_static("Bearer x"),
    ));
    cases.push(bearer);
    for at in 0..right.len() {
        let (name, _) = &right[at];
        let mut without = right.clone();
        without.remove(at);
        // A path that names the consent needs no header to name it again.
        if !(name == "x-credentials-id" && operation.contains("{credentials_id}")) {
            cases.push(case(
                format!("without {name}"),
                String::new(),
                &without,
                Refused,
            ));
        }
        let mut odd = right.clone();
        odd[at].1 = HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        cases.push(case(
            format!("{name} not ASCII"),
            String::new(),
            &odd,
            Refused,
        ));
        let mut other = right.clone();
        other[at].1 = right[(at + 1) % right.len()].1.clone();
        cases.push(case(
            format!("{name} with another's value"),
            String::new(),
            &other,
            Refused,
        ));
    }
    for parameter in described["parameters"].as_array().into_iter().flatten() {
        let name = parameter["name"].as_str().unwrap();
        if parameter["in"] != "query" {
            continue;
        }
        let twice = format!("?{name}=1&{name}=1");
        cases.push(case(
            format!("{name} twice"),
            twice,
            &right,
            Exactly(400, "invalid_field"),
        ));
        for value in wrong_values(&parameter["schema"]) {
            // In a query everything is text: what is no text in JSON is one here.
            let Some(text) = value.as_str().filter(|text| text.len() < 8 * 1024) else {
                continue;
            };
            let query: String = url::form_urlencoded::Serializer::new("?".to_owned())
                .append_pair(name, text)
                .finish();
            let invalid = Naming(400, "invalid_field", name.to_owned());
            cases.push(case(format!("{name} = {text:?}"), query, &right, invalid));
        }
    }
    cases
}
