//! Every number is served, and the dashboard asks for none that is not.

use std::collections::BTreeSet;

use kernel::gate::GateUse;
use serde_json::Value;

use super::*;

/// Metrics of which each was counted once.
fn all() -> String {
    let metrics = Metrics::counting();
    metrics.count_call(call("/v1/sessions", "POST"));
    metrics.count_refusal("invalid_api_keys");
    metrics.count_job("send_mail", "done", Duration::from_millis(3));
    metrics.count_provider("sandbox", "2xx", Duration::from_millis(30));
    metrics.count_mail("sent");
    metrics.text(Moment {
        version: "1.2.3",
        database: "sqlite",
        gate: Some(GateUse::default()),
        jobs: Some([2, 1]),
        classes: vec![ClassLoad {
            class: "mail",
            oldest_due: Duration::from_secs(5),
        }],
        ..Moment::default()
    })
}

const fn call<'a>(route: &'a str, method: &'a str) -> FinishedCall<'a> {
    FinishedCall {
        door: "api",
        method,
        route,
        status: 200,
        time: Duration::from_millis(12),
    }
}

/// Returns the names of the series in a text: the words that lines begin with.
fn names(text: &str) -> BTreeSet<&str> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split(['{', ' ']).next())
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn what_was_counted_is_in_the_text() {
    let text = all();
    for line in [
        "tessera_http_requests_total{door=\"api\",method=\"POST\",route=\"/v1/sessions\",status=\"200\"} 1",
        "tessera_http_request_duration_seconds_bucket{door=\"api\",route=\"/v1/sessions\",le=\"0.025\"} 1",
        "tessera_api_refusals_total{code=\"invalid_api_keys\"} 1",
        "tessera_jobs_total{kind=\"send_mail\",outcome=\"done\"} 1",
        "tessera_provider_requests_total{connector=\"sandbox\",outcome=\"2xx\"} 1",
        "tessera_mails_total{outcome=\"sent\"} 1",
        "tessera_build_info{version=\"1.2.3\",database=\"sqlite\"} 1",
        "tessera_jobs_given_up 1",
        "tessera_gate_held_bytes{of=\"bodies\"} 0",
    ] {
        assert!(text.lines().any(|it| it == line), "{line} in {text}");
    }
    let oldest = "tessera_jobs_oldest_due_seconds{class=\"mail\"} 5";
    assert!(text.contains(oldest), "{text}");
}

#[test]
fn nothing_is_counted_unless_somebody_is_to_see_it() {
    let metrics = Metrics::default();
    metrics.count_call(call("/v1/sessions", "GET"));
    assert_eq!(metrics.text(Moment::default()), "");
}

#[test]
fn a_label_is_never_made_of_what_a_caller_sent() {
    let metrics = Metrics::counting();
    for number in 0..1_000 {
        metrics.count_call(call("", &format!("VERB{number}")));
    }
    let text = metrics.text(Moment::default());
    let series = text
        .lines()
        .filter(|line| line.contains("_requests_total{"));
    assert_eq!(series.count(), 1, "{text}");
    assert!(text.contains("method=\"_OTHER\",route=\"(none)\""));
}

/// Every value of a key in a document, however deep.
fn values<'a>(document: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match document {
        Value::Object(members) => {
            for (name, value) in members {
                if let (true, Some(text)) = (name == key, value.as_str()) {
                    found.push(text);
                }
                values(value, key, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, key, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_for_metrics_that_are_served() {
    let file = include_str!("../../../deploy/grafana-dashboard.json");
    let dashboard: Value = serde_json::from_str(file).unwrap();
    let mut asked = Vec::new();
    values(&dashboard, "expr", &mut asked);
    assert!(asked.len() > 15, "{asked:?}");
    let text = all();
    let served = names(&text);
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut used = BTreeSet::new();
    for expr in asked {
        let words = expr.split(|c| !is_word(c));
        let names: Vec<&str> = words.filter(|word| word.starts_with("tessera_")).collect();
        assert!(!names.is_empty(), "{expr}");
        for name in names {
            assert!(served.contains(name), "{name} of {expr} is not served");
            used.insert(name);
        }
    }
    let family = |name: &str| {
        let ends = ["_bucket", "_sum", "_count"];
        let end = ends.iter().find_map(|end| name.strip_suffix(end));
        end.unwrap_or(name).to_owned()
    };
    let used: BTreeSet<String> = used.into_iter().map(family).collect();
    let unused: Vec<String> = served
        .into_iter()
        .map(family)
        .filter(|name| !used.contains(name))
        .collect();
    assert!(unused.is_empty(), "no panel shows {unused:?}");
}
