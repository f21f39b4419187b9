//! What is counted, in the text that Prometheus reads.

use std::sync::atomic::AtomicI64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The type of the text.
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Seconds.
const LATENCIES: [f64; 13] = [0.005, 0.01, 0.02, 0.035, 0.05, 0.1, 0.2, 0.35, 0.5, 1.0, 2.5, 10.0, 30.0];
/// Pictures.
const BATCHES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// A request by where it went and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct Route {
    pub(super) path: &'static str,
    pub(super) status: u16,
}

/// A picture by what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Fate {
    result: &'static str,
}

/// The counters; cheap to count with from any thread.
#[derive(Debug)]
pub(super) struct Metrics {
    registry: Registry,
    pub(super) requests: Family<Route, Counter>,
    pub(super) seconds: Histogram,
    pub(super) in_flight: Gauge<i64, AtomicI64>,
    pub(super) waiting: Gauge<i64, AtomicI64>,
    pub(super) batch: Histogram,
    pictures: Family<Fate, Counter>,
}

impl Metrics {
    pub(super) fn new() -> Metrics {
        let mut registry = Registry::with_prefix("defrost");
        let (requests, pictures) = (Family::default(), Family::default());
        let (in_flight, waiting) = (Gauge::default(), Gauge::default());
        let (seconds, batch) = (Histogram::new(LATENCIES), Histogram::new(BATCHES));
        registry.register("requests", "Requests answered, by path and status", requests.clone());
        registry.register(
            "request_seconds",
            "Seconds from the head of a request for work to its answer",
            seconds.clone(),
        );
        registry.register("in_flight", "Requests for work that are read or answered now", in_flight.clone());
        registry.register("queue", "Pictures that wait for a core", waiting.clone());
        registry.register("batch_pictures", "Pictures that were taken from the queue together", batch.clone());
        registry.register("pictures", "Pictures, by whether they could be read", pictures.clone());
        Metrics { registry, requests, seconds, in_flight, waiting, batch, pictures }
    }

    /// Counts pictures that were seen, and those that can't be read.
    pub(super) fn count_pictures(&self, seen: usize, unreadable: usize) {
        for (result, count) in [("predicted", seen), ("unreadable", unreadable)] {
            self.pictures.get_or_create(&Fate { result }).inc_by(count as u64);
        }
    }

    /// All of them as text.
    pub(super) fn text(&self) -> String {
        let mut buffer = String::new();
        // Writing to a String can't fail.
        let _ = text::encode(&mut buffer, &self.registry);
        buffer
    }
}

/// Counts one for as long as it lives.
#[derive(Debug)]
pub(super) struct Counted(Gauge<i64, AtomicI64>);

impl Counted {
    pub(super) fn new(gauge: &Gauge<i64, AtomicI64>) -> Counted {
        gauge.inc();
        Counted(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
