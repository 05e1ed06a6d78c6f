//! Each reader, with its seeds and what must hold of whatever it reads.

use app::domain::key::KeyShape;
use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use chrono::DateTime;
use json::{JsonValue, PlainValue, ReadLimits};
use kernel::form::{Pairs, part, whole};
use kernel::json::coding;
use url::{Host, Url};

use super::fuzz;
use crate::http::{idempotency, json as bodies};
use crate::services::access::signatures::{
    claims, der, digest, jws, material, pem, testing, times,
};
use crate::services::consents::{cursors, transactions};
use crate::skills::public_net::{self, Reach};
use crate::skills::sandbox::wire;
use crate::state::request_log::redact;

/// The raw strings of the finding: texts in texts, and names that a library gives a meaning.
fn raw_values(levels: usize, brackets: usize) -> Vec<u8> {
    let (open, close) = ("[".repeat(brackets), "]".repeat(brackets));
    let mut text = format!("{open}{close}");
    for _ in 0..levels {
        let escaped = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        text = format!("{open}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{close}");
    }
    text.into_bytes()
}

#[test]
fn json() {
    let deep = [raw_values(40, 126), raw_values(3, 20)];
    let seeds: &[&[u8]] = &[
        br#"{"client_id":{"$serde_json::private::RawValue":"\"x\""}}"#,
        br#"{"client_id":{"$serde_json::private::Number":"1"}}"#,
        br#"{"client_id":"a","nonce":"b","data":{"psu_redirect_link":"myapp://return","n":[1,-0.0,1e3,null,true]}}"#,
        br#"{"filter":{"amount_lt":4.270000000000000000001,"currency":"EUR"},"limit":5.0}"#,
        &deep[0],
        &deep[1],
    ];
    fuzz("json", seeds, |bytes| {
        bodies::object(bytes).ok();
        let read = json::read(bytes, ReadLimits::ANSWER);
        let library: Result<serde_json::Value, _> = serde_json::from_slice(bytes);
        if let Ok(value) = &read {
            let again = value.to_string();
            assert_eq!(
                json::read(again.as_bytes(), ReadLimits::ANSWER).as_ref(),
                Ok(value)
            );
        }
        if let Ok(PlainValue(ours)) = json::from_slice(bytes, ReadLimits::ANSWER) {
            assert_eq!(ours, library.unwrap(), "two readers differ");
        }
    });
}

#[test]
fn redaction() {
    let seeds: &[&[u8]] = &[
        br#"{"client_secret":"tsr_sbx_cs_0123456789","data":{"iban":"RO49AAAA1B31007593840000","currency":"EUR"}}"#,
        br#"[{"id":"5f0c","data":{"list":["x",4711.13]}},{"url":"https://bank.example/a?state=x"}]"#,
    ];
    fuzz("redaction", seeds, |bytes| {
        for whole in [true, false] {
            let kept = redact::body(bytes, whole);
            assert!(kept.len() <= 16 * 1024 + 64);
            let is_cut = kept.ends_with('…') || kept.starts_with('[') && kept.contains("not JSON");
            if !kept.is_empty() && !is_cut {
                serde_json::from_str::<serde_json::Value>(&kept).unwrap();
            }
        }
    });
}

#[test]
fn multipart() {
    let seeds: &[&[u8]] = &[
        b"--xx\r\nContent-Disposition: form-data; name=\"kind\"\r\n\r\nid\r\n--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\nbytes\r\n--xx--\r\n",
        b"preamble\r\n--xx\r\ncontent-disposition: Form-Data; Name=_charset_\r\n\r\nUTF-8\r\n--xx--\r\nepilogue",
        b"form-data; name=\"a\\\"b\"; filename*=UTF-8''x",
        b"multipart/form-data; boundary=\"x y\"; charset=utf-8",
    ];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    fuzz("multipart", seeds, |bytes| {
        let mut headers = HeaderMap::new();
        if let Ok(value) = HeaderValue::from_bytes(bytes) {
            headers.insert(header::CONTENT_DISPOSITION, value.clone());
            headers.insert(header::CONTENT_TYPE, value.clone());
            headers.insert(header::CONTENT_ENCODING, value);
        }
        part::disposition(&headers).ok();
        if let Ok(boundary) = part::boundary(&headers) {
            assert!((1..=70).contains(&boundary.len()));
        }
        coding(&headers);
        let media = HeaderValue::from_static("multipart/form-data; boundary=xx");
        let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, media)]);
        let read = whole::read(&headers, Body::from(bytes.to_vec()), 1_000);
        runtime.block_on(read).ok();
    });
}

#[test]
fn signatures() {
    let signer = testing::Signer::new(testing::P256);
    let good = signer.jws(&signer.header(), &testing::claims(1_700_000_000, b"{}"));
    let seeds: &[&[u8]] = &[
        good.as_bytes(),
        b"eyJhbGciOiJub25lIn0.e30.",
        br#"{"iss":"a","aud":["x"],"iat":1700000000,"exp":1.7e9,"nbf":-9223372036854775808,"htu":"https://x/v1s/token/"}"#,
    ];
    fuzz("signatures", seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let encoded =
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, bytes);
        for text in [text.into_owned(), format!("{encoded}.{encoded}.AAAA")] {
            let Ok(read) = jws::Jws::parse(&text) else {
                continue;
            };
            let wanted = claims::ExpectedClaims {
                public_url: "https://api.example.com",
                now: DateTime::from_timestamp(1_700_000_000, 0).unwrap(),
                lifetime: 3600,
                method: "POST",
                target: "/v1s/token",
            };
            claims::subject(&read);
            claims::audience(&read, &wanted);
            times::time(&read, &wanted);
            claims::target(&read, &wanted);
            times::end(&read);
        }
    });
}

#[test]
fn keys_for_signatures() {
    let pem = testing::Signer::new(testing::RSA).public_pem();
    let jwk = material::PublicKey::parse(pem).unwrap().to_json();
    let set = format!("{{\"keys\":[{jwk}]}}");
    let spoofed = raw_values(12, 60);
    let seeds: &[&[u8]] = &[
        pem.as_bytes(),
        testing::RSA.private.as_bytes(),
        testing::Signer::new(testing::ED25519)
            .public_pem()
            .as_bytes(),
        jwk.as_bytes(),
        set.as_bytes(),
        &spoofed,
    ];
    fuzz("keys_for_signatures", seeds, |bytes| {
        der::public_key(bytes);
        der::rsa_public_key(bytes);
        der::certificate(bytes);
        let text = String::from_utf8_lossy(bytes);
        pem::read(&text);
        material::set(&text, Some("k")).ok();
        if let Ok(key) = material::PublicKey::parse(&text) {
            assert!(!text.to_ascii_uppercase().contains("PRIVATE KEY"));
            let again = material::PublicKey::parse(&key.to_json()).unwrap();
            assert_eq!(again.kid(), key.kid());
        }
    });
}

#[test]
fn digests() {
    let seeds: &[&[u8]] = &[
        br#"{"a":"https://x/y?z=<&>","n":1.0}"#,
        b"SHA-256=AAAA",
        b"sha-256=:AAAA:",
    ];
    fuzz("digests", seeds, |bytes| {
        let short = digest::compact(bytes);
        assert_eq!(digest::compact(&short), short);
        let check = |claim: String, body: &[u8], searched| {
            let claim = JsonValue::Text(claim.into());
            digest::check(Some(&claim), body, "https://api.example.com/", searched)
        };
        check(String::from_utf8_lossy(bytes).into_owned(), b"{}", true);
        assert!(!check(digest::of(bytes), bytes, false).is_failed());
    });
}

#[test]
fn urls_of_key_sets() {
    let seeds: &[&[u8]] = &[
        b"https://keys.example.com/jwks.json",
        b"https://127.0.0.1/",
        b"https://[::ffff:10.0.0.1]:443/",
        b"https://2130706433/",
        b"http://user:pw@localhost:8080/",
        b"https://0x7f.1/",
    ];
    let reach = Reach::new(false, &[]);
    fuzz("urls_of_key_sets", seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let Ok(url) = Url::parse(&text) else {
            return;
        };
        if public_net::check(&url, &reach).is_err() {
            return;
        }
        assert_eq!(
            (url.scheme(), url.port_or_known_default(), url.username()),
            ("https", Some(443), "")
        );
        match url.host() {
            Some(Host::Ipv4(address)) => assert!(public_net::is_public(address.into())),
            Some(Host::Ipv6(address)) => assert!(public_net::is_public(address.into())),
            Some(Host::Domain(name)) => assert!(name.contains('.') && name != "localhost."),
            None => panic!("a URL without a host"),
        }
    });
}

#[test]
fn keys_of_tenants() {
    let shapes = "tsr_sbx_cs_ tsr_live_ak_"
        .split(' ')
        .filter_map(KeyShape::by_prefix);
    let keys: Vec<String> = shapes.map(|shape| shape.write([7; 32])).collect();
    let seeds: Vec<&[u8]> = keys.iter().map(String::as_bytes).collect();
    fuzz("keys_of_tenants", &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if KeyShape::read(&text).is_some() {
            assert!(
                keys.contains(&text.into_owned()),
                "a changed key passes for one"
            );
        }
    });
}

#[test]
fn queries_forms_and_headers() {
    let seeds: &[&[u8]] = &[
        b"/v1/transactions?limit=5&after=x&booking_date_gte=2026-01-01T00:00:00%2B02:00",
        b"name=A%26B+Ltd&skill=a&skill=b_%231.0&empty=&bare",
        b"key-7",
        b"gzip, identity",
    ];
    fuzz("queries_forms_and_headers", seeds, |bytes| {
        if let Ok(uri) = Uri::try_from(bytes) {
            bodies::query(&uri).ok();
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            Pairs::parse(text).ok();
            if let Some(bytes) = cursors::bare(text) {
                transactions::read_position(&bytes);
            }
        }
        if let Ok(value) = HeaderValue::from_bytes(bytes)
            && let Some(key) = idempotency::key(&value)
        {
            assert!(
                (1..=255).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic())
            );
        }
    });
}

#[test]
fn answers_of_banks() {
    let seeds: &[&[u8]] = &[
        br#"{"accounts":[{"resourceId":"a","iban":"RO49AAAA1B31007593840000","currency":"RON","balances":[{"balanceAmount":{"currency":"RON","amount":"1.10"},"balanceType":"closingBooked"}]}]}"#,
        br#"{"transactions":{"booked":[{"transactionId":"1","transactionAmount":{"currency":"RON","amount":-12.50},"bookingDate":"2026-01-31"}],"pending":[],"_links":{}}}"#,
        br#"{"transactionStatus":"ACSC","payments":[{"transactionStatus":"ACSC"}],"executions":{"done":1}}"#,
        br#"{"tppMessages":[{"code":"CONSENT_EXPIRED"}],"error":"invalid_grant"}"#,
    ];
    fuzz("answers_of_banks", seeds, |bytes| {
        json::from_slice::<wire::Accounts>(bytes, ReadLimits::ANSWER).ok();
        if let Ok(report) = json::from_slice::<wire::TransactionReport>(bytes, ReadLimits::ANSWER) {
            report.transactions.read();
        }
        if let Ok(payment) = json::from_slice::<wire::PaymentResponse>(bytes, ReadLimits::ANSWER) {
            payment.read().ok();
        }
        for word in [wire::message_code(bytes), wire::oauth_error(bytes)] {
            assert!(
                word.len() <= 64
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
            );
        }
    });
}
