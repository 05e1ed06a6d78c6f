//! What is at the moment of asking: places, connections, pools, the queue of jobs, the process itself; and sums that are
//! kept elsewhere.

use std::fmt::Error;
use std::time::Duration;

use kernel::gate::GateUse;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{
    DescriptorEncoder, EncodeCounterValue, EncodeGaugeValue, EncodeMetric,
};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::process::Resources;

/// Numbers of one moment.
#[derive(Clone, Debug, Default)]
pub struct Moment {
    pub version: &'static str,
    /// `sqlite` or `postgresql`.
    pub database: &'static str,
    /// Calls that are worked on, and the most that may be.
    pub calls: u64,
    pub call_slots: u64,
    /// The product's listener; `None` before it listens.
    pub gate: Option<GateUse>,
    /// Reading connections: lent, there in all, and requests that wait for one.
    pub readers: [u64; 3],
    /// Statements, and transactions that write, since the start of the process, each with the time they took or waited.
    pub statements: (u64, Duration),
    pub writer_waits: (u64, Duration),
    /// Jobs that wait or run, and those that were given up; `None` if the database did not answer.
    pub jobs: Option<[u64; 2]>,
    pub classes: Vec<ClassLoad>,
    /// Finished calls that wait to be written into the request log.
    pub unwritten: u64,
}

/// The load of a class of jobs.
#[derive(Clone, Copy, Debug)]
pub struct ClassLoad {
    pub class: &'static str,
    /// The age of the job that is due longest and that nobody runs; zero if there is none.
    pub oldest_due: Duration,
}

impl Collector for Moment {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> Result<(), Error> {
        let mut out = Out(encoder);
        let info = [("version", self.version), ("database", self.database)];
        out.family(
            "build_info",
            "The program; always 1",
            vec![(info.to_vec(), 1_u64)],
        )?;
        self.calls(&mut out)?;
        self.database(&mut out)?;
        self.jobs(&mut out)?;
        let process = Resources::now();
        out.gauge("process_resident_bytes", "Memory in RAM", process.resident)?;
        out.gauge("process_open_files", "Open file descriptors", process.files)?;
        out.gauge(
            "process_uptime_seconds",
            "Time since the start",
            process.age,
        )
    }
}

impl Moment {
    fn calls(&self, out: &mut Out<'_>) -> Result<(), Error> {
        out.gauge(
            "calls_in_flight",
            "Calls of the API that are worked on",
            self.calls,
        )?;
        out.gauge(
            "call_slots",
            "Most calls that are worked on at once",
            self.call_slots,
        )?;
        out.gauge(
            "request_log_waiting",
            "Finished calls that wait to be written into the request log",
            self.unwritten,
        )?;
        let Some(gate) = self.gate else {
            return Ok(());
        };
        out.gauge("connections", "Connections of callers", gate.connections)?;
        out.gauge(
            "connection_slots",
            "Most connections at once",
            gate.connection_slots,
        )?;
        let held = [
            ("heads", gate.heads),
            ("bodies", gate.bodies),
            ("answers", gate.answers),
        ];
        let held = held.map(|(what, bytes)| (vec![("of", what)], bytes));
        out.family(
            "gate_held_bytes",
            "Memory held by heads, bodies and answers on their way",
            held.to_vec(),
        )
    }

    fn database(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let [lent, all, waiting] = self.readers;
        out.gauge("db_readers_lent", "Reading connections that are lent", lent)?;
        out.gauge("db_readers", "Reading connections in all", all)?;
        out.gauge(
            "db_readers_waiting",
            "Requests that wait for a reading connection",
            waiting,
        )?;
        let (count, time) = self.statements;
        out.counter(
            "db_statements",
            "Statements, the sandbox bank's among them",
            count,
        )?;
        out.counter(
            "db_statement_seconds",
            "Time of these statements",
            time.as_secs_f64(),
        )?;
        let (count, time) = self.writer_waits;
        out.counter("db_writers", "Transactions that were begun to write", count)?;
        out.counter(
            "db_writer_wait_seconds",
            "Time that these waited to begin",
            time.as_secs_f64(),
        )
    }

    fn jobs(&self, out: &mut Out<'_>) -> Result<(), Error> {
        let Some([waiting, given_up]) = self.jobs else {
            return Ok(());
        };
        out.gauge("jobs_waiting", "Jobs that wait or run", waiting)?;
        out.gauge("jobs_given_up", "Jobs that were given up", given_up)?;
        let ages = self.classes.iter();
        let ages = ages.map(|it| (vec![("class", it.class)], it.oldest_due.as_secs_f64()));
        out.family(
            "jobs_oldest_due_seconds",
            "Age of the job that is due longest and that nobody runs",
            ages.collect(),
        )
    }
}

/// Writes one metric after the other.
struct Out<'e>(DescriptorEncoder<'e>);

type Labels = Vec<(&'static str, &'static str)>;

impl Out<'_> {
    fn gauge<V: EncodeGaugeValue>(&mut self, name: &str, help: &str, value: V) -> Result<(), Error>
    where
        ConstGauge<V>: EncodeMetric,
    {
        let gauge = ConstGauge::new(value);
        let encoder = self
            .0
            .encode_descriptor(name, help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }

    fn counter<V: EncodeCounterValue>(
        &mut self,
        name: &str,
        help: &str,
        value: V,
    ) -> Result<(), Error>
    where
        ConstCounter<V>: EncodeMetric,
    {
        let counter = ConstCounter::new(value);
        let encoder = self
            .0
            .encode_descriptor(name, help, None, counter.metric_type())?;
        counter.encode(encoder)
    }

    fn family<V: EncodeGaugeValue>(
        &mut self,
        name: &str,
        help: &str,
        values: Vec<(Labels, V)>,
    ) -> Result<(), Error>
    where
        ConstGauge<V>: EncodeMetric,
    {
        let Some((_, _)) = values.first() else {
            return Ok(());
        };
        let kind = prometheus_client::metrics::MetricType::Gauge;
        let mut encoder = self.0.encode_descriptor(name, help, None, kind)?;
        for (labels, value) in values {
            let encoder = encoder.encode_family(&labels)?;
            ConstGauge::new(value).encode(encoder)?;
        }
        Ok(())
    }
}
