//! Numbers about this process for Prometheus: what was counted since it started ([`Metrics`]), and what is at the moment of
//! asking ([`Moment`]). Nothing is counted unless a listener for them is set (`telemetry.metrics_listen`).
//!
//! Labels are from short lists: doors, methods, route templates, statuses, codes of the catalogue, kinds of jobs,
//! connectors. None names a tenant, a person or an end-user, and none is made of what a caller sent.

mod moment;
mod process;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, prometheus_text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::{Family, MetricConstructor};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

pub use self::moment::{ClassLoad, Moment};

/// Counts what happens. Cheap to clone; the default counts nothing.
#[derive(Clone, Default)]
pub struct Metrics(Option<Arc<Families>>);

struct Families {
    registry: Registry,
    calls: Family<CallLabels, Counter>,
    call_times: Family<RouteLabels, Histogram, Times>,
    refusals: Family<RefusalLabels, Counter>,
    jobs: Family<JobLabels, Counter>,
    job_times: Family<KindLabels, Histogram, Times>,
    provider_calls: Family<ProviderLabels, Counter>,
    provider_times: Family<ConnectorLabels, Histogram, Times>,
    mails: Family<OutcomeLabels, Counter>,
}

/// One finished request, as it is counted.
#[derive(Clone, Copy, Debug)]
pub struct FinishedCall<'a> {
    /// `api` or `portal`.
    pub door: &'static str,
    pub method: &'a str,
    /// The route's template; empty for a path that is none of ours.
    pub route: &'a str,
    pub status: u16,
    pub time: Duration,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallLabels {
    door: &'static str,
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    door: &'static str,
    route: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefusalLabels {
    code: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    kind: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct KindLabels {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ProviderLabels {
    connector: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ConnectorLabels {
    connector: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: &'static str,
}

/// Makes histograms of times in seconds, from a millisecond to the longest that a caller waits.
#[derive(Clone)]
struct Times;

impl MetricConstructor<Histogram> for Times {
    fn new_metric(&self) -> Histogram {
        Histogram::new([
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
        ])
    }
}

impl Metrics {
    /// Metrics that count.
    pub fn counting() -> Self {
        process::begin();
        let mut registry = Registry::with_prefix("tessera");
        let calls = Family::default();
        registry.register(
            "http_requests",
            "Requests that were answered",
            calls.clone(),
        );
        let call_times = Family::new_with_constructor(Times);
        registry.register(
            "http_request_duration_seconds",
            "Time from the head of a request to the end of its answer",
            call_times.clone(),
        );
        let refusals = Family::default();
        registry.register(
            "api_refusals",
            "Calls that were refused: by the code of the error, or at the gate",
            refusals.clone(),
        );
        let jobs = Family::default();
        registry.register("jobs", "Tries of jobs that ended", jobs.clone());
        let job_times = Family::new_with_constructor(Times);
        registry.register(
            "job_duration_seconds",
            "Time of a try of a job",
            job_times.clone(),
        );
        let provider_calls = Family::default();
        registry.register(
            "provider_requests",
            "Calls to providers",
            provider_calls.clone(),
        );
        let provider_times = Family::new_with_constructor(Times);
        registry.register(
            "provider_request_duration_seconds",
            "Time of a call to a provider",
            provider_times.clone(),
        );
        let mails = Family::default();
        registry.register("mails", "Letters handed to the mail server", mails.clone());
        Self(Some(Arc::new(Families {
            registry,
            calls,
            call_times,
            refusals,
            jobs,
            job_times,
            provider_calls,
            provider_times,
            mails,
        })))
    }

    /// Counts a request whose answer was sent.
    pub fn count_call(&self, call: FinishedCall<'_>) {
        let Some(families) = &self.0 else {
            return;
        };
        let route = if call.route.is_empty() {
            "(none)"
        } else {
            call.route
        };
        let labels = CallLabels {
            door: call.door,
            method: method(call.method),
            route: route.to_owned(),
            status: call.status,
        };
        families.calls.get_or_create(&labels).inc();
        let CallLabels { door, route, .. } = labels;
        let times = families
            .call_times
            .get_or_create_owned(&RouteLabels { door, route });
        times.observe(call.time.as_secs_f64());
    }

    /// Counts a refusal by the code of its error, or by what the gate turned it away for.
    pub fn count_refusal(&self, code: &'static str) {
        if let Some(families) = &self.0 {
            families
                .refusals
                .get_or_create(&RefusalLabels { code })
                .inc();
        }
    }

    /// Counts a try of a job.
    pub fn count_job(&self, kind: &'static str, outcome: &'static str, time: Duration) {
        if let Some(families) = &self.0 {
            families
                .jobs
                .get_or_create(&JobLabels { kind, outcome })
                .inc();
            let times = families.job_times.get_or_create_owned(&KindLabels { kind });
            times.observe(time.as_secs_f64());
        }
    }

    /// Counts a call to a provider.
    pub fn count_provider(&self, connector: &'static str, outcome: &'static str, time: Duration) {
        if let Some(families) = &self.0 {
            let labels = ProviderLabels { connector, outcome };
            families.provider_calls.get_or_create(&labels).inc();
            let labels = ConnectorLabels { connector };
            let times = families.provider_times.get_or_create_owned(&labels);
            times.observe(time.as_secs_f64());
        }
    }

    /// Counts a letter.
    pub fn count_mail(&self, outcome: &'static str) {
        if let Some(families) = &self.0 {
            families
                .mails
                .get_or_create(&OutcomeLabels { outcome })
                .inc();
        }
    }

    /// Returns everything in Prometheus' text format (version 0.0.4); empty if nothing is counted.
    pub fn text(&self, moment: Moment) -> String {
        let Some(families) = &self.0 else {
            return String::new();
        };
        let mut present = Registry::with_prefix("tessera");
        present.register_collector(Box::new(moment));
        let mut text = String::new();
        // Writing to a string does not fail.
        prometheus_text::encode(&mut text, &families.registry).ok();
        prometheus_text::encode(&mut text, &present).ok();
        text
    }
}

/// Returns a method of HTTP by its name; a caller may send any word.
fn method(name: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS"];
    let known = KNOWN.into_iter().find(|known| *known == name);
    known.unwrap_or("_OTHER")
}
