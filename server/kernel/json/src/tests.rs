//! What is read, what is not, and that the library reads the same wherever it is meant to.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

fn read_text(text: &str) -> Result<JsonValue<'_>, Fault> {
    read(text.as_bytes(), ReadLimits::BODY)
}

fn why(text: &str) -> String {
    read_text(text).unwrap_err().to_string()
}

#[test]
fn what_was_read_is_written_as_it_came() {
    for text in [
        "null",
        "true",
        "-0",
        "-0.00",
        "1e3",
        "4.270000000000000000001",
        "123456789012345678901234567890",
        "[]",
        "{}",
        r#"{"b":[1,{"a":null},"x"],"a":false}"#,
        r#""a \"b\" \\ / \n \u0000 ü 🐇""#,
    ] {
        assert_eq!(read_text(text).unwrap().to_string(), text);
        let spaced = format!(" \t\r\n{text} \n");
        assert_eq!(read_text(&spaced).unwrap().to_string(), text);
    }
    let escaped = read_text(r#""\u00fc\ud83d\udc07\/\b\f\n\r\t\"\\""#).unwrap();
    assert_eq!(escaped.as_str(), Some("ü🐇/\u{8}\u{c}\n\r\t\"\\"));
}

#[test]
fn whatever_is_no_json_is_told_where_and_why() {
    for (text, says) in [
        ("", "nothing at line 1 column 1"),
        (" \n ", "nothing at line 2 column 2"),
        ("{", "breaks off at line 1 column 2"),
        ("[1,", "breaks off"),
        ("\"a", "breaks off"),
        ("[1,]", "a comma stands before ]"),
        ("{\"a\":1,}", "a comma stands before }"),
        ("[1 2]", "a comma or ] is expected at line 1 column 4"),
        ("{\"a\" 1}", "a colon"),
        ("{a:1}", "a name in double quotes is expected, not `a`"),
        (
            "{\"ü\":1,\n \"é\":x}",
            "no value begins with `x` at line 2 column 6",
        ),
        ("{'a':1}", "not `'`"),
        ("['a']", "double quotes"),
        ("[NaN]", "no value begins with `N`"),
        ("[Infinity]", "`I`"),
        ("nul", "`n`"),
        ("[01]", "a zero in front"),
        ("[-]", "a digit is expected after -"),
        ("[1.]", "after the point"),
        ("[1.e3]", "after the point"),
        ("[1e]", "exponent"),
        ("[+1]", "`+`"),
        ("[.5]", "`.`"),
        ("1 x", "more follows"),
        ("{}{}", "more follows"),
        ("// a\n1", "`/`"),
        ("\"a\nb\"", "U+000A"),
        ("\"\u{0}\"", "U+0000"),
        (r#""\x""#, "\\x is no escape"),
        (r#""\u12g4""#, "four hexadecimal digits"),
        (r#""\ud800""#, "\\ud800 is half of a character"),
        (r#""\ud800x""#, "\\ud800"),
        (r#""\ud800A""#, "\\ud800"),
        (r#""\udc00""#, "\\udc00"),
        ("\u{feff}{}", "byte order mark"),
        ("\u{a0}1", "U+00A0"),
    ] {
        let message = why(text);
        assert!(message.contains(says), "{text:?}: {message}");
    }
    let bytes = read(b"{\"a\":\"\xff\"}", ReadLimits::BODY).unwrap_err();
    assert_eq!((bytes.why, bytes.byte), (FaultReason::NotUtf8, 6));
    for overlong in [
        &b"\"\xc0\xaf\""[..],
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
    ] {
        assert_eq!(
            read(overlong, ReadLimits::BODY).unwrap_err().why,
            FaultReason::NotUtf8
        );
    }
}

#[test]
fn a_name_that_stands_twice_is_refused_at_every_level() {
    for (text, path) in [
        (r#"{"a":1,"a":1}"#, "a"),
        (r#"{"a":1,"\u0061":1}"#, "a"),
        (r#"{"data":{"link":"x","link":"y"}}"#, "data.link"),
        (r#"[{"x":[0,{"y":1,"z":2,"y":3}]}]"#, "[0].x[1].y"),
        (r#"{"":1,"":1}"#, ""),
    ] {
        let told = why(text);
        assert!(
            told.starts_with(&format!("the field `{path}` is given twice")),
            "{told}"
        );
    }
    let many: Vec<String> = (0..200).map(|n| format!("\"n{n}\":{n}")).collect();
    let many = many.join(",");
    assert!(read_text(&format!("{{{many}}}")).is_ok());
    let twice = why(&format!("{{\"in\":{{{many},\"n7\":0}}}}"));
    assert!(twice.contains("`in.n7` is given twice"), "{twice}");
    // Other characters that look alike are other names.
    assert!(read_text(r#"{"é":1,"e\u0301":1}"#).is_ok());
    let long = format!("{{\"{0}\":1,\"{0}\":1}}", "x".repeat(10_000));
    assert!(why(&long).len() < 200);
}

#[test]
fn size_depth_and_number_of_values_are_bounded_while_it_is_read() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert!(read_text(&nested(64)).is_ok());
    assert_eq!(
        read_text(&nested(65)).unwrap_err().why,
        FaultReason::TooDeep(64)
    );
    assert_eq!(
        read_text(&"[".repeat(200_000)).unwrap_err().why,
        FaultReason::TooDeep(64)
    );
    assert_eq!(
        read_text(&"{\"a\":".repeat(1_000)).unwrap_err().why,
        FaultReason::TooDeep(64)
    );
    assert!(read_text(&format!("\"{}\"", "[".repeat(1_000))).is_ok());
    let wide = |items: usize| format!("[{}0]", "0,".repeat(items - 1));
    assert!(read_text(&wide(16_383)).is_ok());
    assert_eq!(
        read_text(&wide(16_384)).unwrap_err().why,
        FaultReason::TooMany(16_384)
    );
    let long = vec![b' '; ReadLimits::BODY.bytes + 1];
    let long = read(&long, ReadLimits::BODY).unwrap_err();
    assert_eq!(long.why, FaultReason::TooLong(256 * 1024));
    assert!(long.is_too_large());
    // Closing makes room: side by side is not deep.
    assert!(read_text(&format!("[{}]", vec![nested(63); 50].join(","))).is_ok());
}

/// Brackets in a text in a text, as long as the library would open one more at each level.
fn raw_values(levels: usize, brackets: usize) -> String {
    let open = "[".repeat(brackets);
    let close = "]".repeat(brackets);
    let mut text = format!("{open}{close}");
    for _ in 0..levels {
        let escaped = text.replace('\\', "\\u005c").replace('"', "\\u0022");
        text = format!("{open}{{\"$serde_json::private::RawValue\":\"{escaped}\"}}{close}");
    }
    text
}

#[test]
fn private_names_of_the_library_mean_nothing() {
    for text in [
        r#"{"$serde_json::private::RawValue":"\"x\""}"#,
        r#"{"$serde_json::private::Number":"1"}"#,
        r#"{"\u0024serde_json::private::RawValue":"[1]"}"#,
    ] {
        let value = read_text(text).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 1);
        let value = value.to_value().unwrap();
        assert!(
            value.as_object().unwrap().values().all(Value::is_string),
            "{value}"
        );
        let PlainValue(plain) = from_slice(text.as_bytes(), ReadLimits::BODY).unwrap();
        assert_eq!(plain, value);
        // And no dependency has turned them on: the library itself says the same.
        let library: Value = serde_json::from_str(text).unwrap();
        assert!(
            library.is_object(),
            "a feature of serde_json gives {text} a meaning: {library}"
        );
    }
    for (levels, brackets) in [(1, 60), (40, 60), (20, 126), (40, 126), (200, 126)] {
        // Small stacks are enough, whatever is nested in a text.
        let text = raw_values(levels, brackets);
        let reading = std::thread::Builder::new().stack_size(256 * 1024);
        let read = reading.spawn(move || read(text.as_bytes(), ReadLimits::ANSWER).map(|_| ()));
        let read = read.unwrap().join().unwrap();
        assert_eq!(read.is_ok(), brackets <= 60, "{levels} of {brackets}");
    }
}

#[test]
fn numbers_become_the_librarys_where_nothing_is_lost() {
    let value = |text: &str| read_text(text).unwrap().to_value();
    for text in [
        "0",
        "-1",
        "18446744073709551615",
        "-9223372036854775808",
        "1.5",
        "0.1",
        "1e3",
        "-0.0",
    ] {
        let kept: f64 = value(text).unwrap().as_f64().unwrap();
        assert_eq!(
            kept.to_bits(),
            text.parse::<f64>().unwrap().to_bits(),
            "{text}"
        );
    }
    assert_eq!(value("100").unwrap(), json!(100));
    assert_eq!(value("1.10").unwrap(), json!(1.1));
    for text in [
        "4.270000000000000000001",
        "18446744073709551616",
        "123456789012345678901234567890",
        "1e999",
        "0.1000000000000000055511151231257827",
    ] {
        let error = value(&format!("{{\"a\":[0,{{\"b\":{text}}}]}}")).unwrap_err();
        assert_eq!(error.0, "a[1].b", "{text}");
    }
    let whole = |text: &str| Number::parse(text).unwrap().as_i64();
    assert_eq!(whole("5.0"), Some(5));
    assert_eq!(whole("-0"), Some(0));
    assert_eq!(
        (whole("1e3"), whole("5.5"), whole("9223372036854775808")),
        (None, None, None)
    );
    for text in ["", " 1", "1 ", "01", "1,2", "x", "\"1\"", "NaN"] {
        assert_eq!(Number::parse(text), None, "{text}");
    }
}

#[test]
fn types_are_read_strictly_and_amounts_exactly() {
    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Plain,
        With { n: u8 },
    }
    #[derive(Debug, PartialEq, Deserialize)]
    struct Typed {
        kind: Kind,
        amount: Exact,
        note: Option<String>,
        more: Vec<PlainValue>,
    }
    let typed = |text: &str| from_slice::<Typed>(text.as_bytes(), ReadLimits::BODY);
    let read = typed(
        r#"{"kind":"plain","amount":4.270000000000000000001,"note":null,"more":[1,{"a":"b"}],"else":[]}"#,
    );
    let expected = Typed {
        kind: Kind::Plain,
        amount: Exact("4.270000000000000000001".into()),
        note: None,
        more: vec![PlainValue(json!(1)), PlainValue(json!({"a": "b"}))],
    };
    assert_eq!(read.unwrap(), expected);
    let read = typed(r#"{"kind":{"with":{"n":5}},"amount":"1.10","note":"x","more":[]}"#).unwrap();
    assert_eq!(
        (read.kind, read.amount),
        (Kind::With { n: 5 }, Exact("1.10".into()))
    );
    for text in [
        r#"{"kind":"other","amount":1,"more":[]}"#,
        r#"{"kind":"plain","amount":true,"more":[]}"#,
        r#"{"kind":"plain","amount":1,"note":1,"more":[]}"#,
        r#"{"kind":"plain","amount":{"$serde_json::private::Number":"1"},"more":[]}"#,
        r#"{"kind":"plain","amount":1,"more":[1e999]}"#,
        r#"{"kind":"plain","kind":"plain","amount":1,"more":[]}"#,
        r#"{"kind":{"with":{"n":256}},"amount":1,"more":[]}"#,
    ] {
        assert!(typed(text).is_err(), "{text}");
    }
}

#[test]
fn one_value_is_written_in_many_styles() {
    let value = read_text("{\"b\":[],\"a\":[1.0,\"é/<\"]}").unwrap();
    let written = |style| value.write(style);
    assert_eq!(
        written(Style::PRETTY),
        "{\n  \"b\": [],\n  \"a\": [\n    1.0,\n    \"é/<\"\n  ]\n}"
    );
    let other = Style {
        ascii: true,
        capitals: true,
        slashes: true,
        sorted: true,
        floats: true,
        escaped: "<",
        after_comma: " ",
        ..Style::COMPACT
    };
    assert_eq!(written(other), r#"{"a":[1, "\u00E9\/\u003C"], "b":[]}"#);
}

/// The seeds of the finding, and what the usual generators do not think of.
fn seeds() -> Vec<String> {
    let seeds = [
        r#"{"client_id":{"$serde_json::private::RawValue":"\"x\""}}"#,
        r#"{"client_id":{"$serde_json::private::Number":"1"}}"#,
        r#"{"a":[1,-0.0,1e3,4.27,true,false,null,"\u00e9\ud83d\udc07"],"b":{"c":{}}}"#,
        "[0.1,18446744073709551615,-9223372036854775808,1E+2,1e-7]",
        "\"\\\\\\\"\\/\\b\\f\\n\\r\\t\"",
        " [ ] ",
    ];
    seeds
        .iter()
        .map(ToString::to_string)
        .chain([raw_values(2, 3)])
        .collect()
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>()
            .prop_filter("a number", |float| float.is_finite())
            .prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 64, 8, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..8).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..8)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A text with some of its bytes changed, taken out, repeated or put in.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    let seeds = seeds();
    let text = prop_oneof![
        prop::sample::select(seeds),
        value().prop_map(|value| value.to_string()),
    ];
    let signs = prop::sample::select(b"[]{}\",:\\u0eE+-.1 \n\x00\x1f\x7f\xc3\xff".to_vec());
    let change = (any::<prop::sample::Index>(), 0..4_u8, signs);
    (text, prop::collection::vec(change, 0..6)).prop_map(|(text, changes)| {
        let mut bytes = text.into_bytes();
        for (at, how, sign) in changes {
            if bytes.is_empty() {
                bytes.push(sign);
            }
            let at = at.index(bytes.len());
            match how {
                0 => bytes[at] = sign,
                1 => drop(bytes.remove(at)),
                2 => bytes.insert(at, sign),
                _ => bytes.extend_from_within(at..),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_library_reads_the_same_documents(value in value()) {
        for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
            let read = from_slice::<PlainValue>(text.as_bytes(), ReadLimits::ANSWER).unwrap();
            prop_assert_eq!(&read.0, &serde_json::from_str::<Value>(&text).unwrap());
        }
    }

    #[test]
    fn the_library_agrees_on_what_is_json(bytes in mutated()) {
        let library: Result<Value, _> = serde_json::from_slice(&bytes);
        match (from_slice::<PlainValue>(&bytes, ReadLimits::BODY), library) {
            (Ok(PlainValue(ours)), Ok(theirs)) => prop_assert_eq!(ours, theirs),
            // Ours is stricter: a name twice. And it bounds what it reads.
            (Err(ReadError::Fault(fault)), Ok(_)) => prop_assert!(
                matches!(fault.why, FaultReason::Twice(_)) || fault.is_too_large(),
                "{}", fault
            ),
            (Err(_), Err(_)) => {}
            (Ok(_), Err(error)) => prop_assert!(false, "only we read it: {}", error),
            (Err(error), Ok(_)) => prop_assert!(false, "only we do not: {}", error),
        }
    }

    #[test]
    fn reading_over_a_value_is_reading_it(bytes in mutated()) {
        let over = JsonReader::new(&bytes, ReadLimits::BODY).and_then(|mut reader| {
            reader.skip()?;
            reader.end()
        });
        match read(&bytes, ReadLimits::BODY) {
            Ok(_) => prop_assert!(over.is_ok()),
            Err(fault) if matches!(fault.why, FaultReason::Twice(_)) => {}
            Err(_) => prop_assert!(over.is_err()),
        }
    }
}
