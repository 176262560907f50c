//! Prometheus metrics. The set of labels is bounded: names and namespaces of objects are never labels.

use kube::Resource;
use kube::runtime::reflector::Store;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Encoder, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry,
    TextEncoder,
};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Reasons of failed reconciles: those of [`crate::apply::ApplyError`], and that of a timeout.
pub(crate) const FAILURES: [&str; 13] = [
    "AdmissionDenied",
    "ApiServer",
    "BadRequest",
    "Conflict",
    "Forbidden",
    "Invalid",
    "KindMissing",
    "NameConflict",
    "NamespaceTerminating",
    "NotFound",
    "QuotaExceeded",
    "Timeout",
    "TooLarge",
];

/// A metric, for the reference documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// `counter`, `gauge` or `histogram`.
    pub kind: String,
    /// Labels besides `controller`, which all metrics have.
    pub labels: Vec<String>,
    /// What it counts.
    pub help: String,
}

/// The metrics of one process, in a registry of their own.
pub struct Metrics {
    registry: Registry,
    described: Mutex<Vec<Described>>,
    /// Reconciles by outcome.
    pub reconciles: IntCounterVec,
    /// Seconds a reconcile takes.
    pub reconcile_duration: HistogramVec,
    /// Failed reconciles by reason.
    pub reconcile_errors: IntCounterVec,
    /// Reconciles that panicked.
    pub reconcile_panics: IntCounterVec,
    /// Reconciles in progress.
    pub reconciles_running: IntGauge,
    /// Objects that wait for their turn.
    pub queue_depth: IntGauge,
    /// Time that an object waits for its turn, in seconds.
    pub queue_wait: Histogram,
    /// Writes of children by kind and result.
    pub applies: IntCounterVec,
    /// Writes of the status by result.
    pub status_writes: IntCounterVec,
    /// Errors of a watch by kind.
    pub watch_errors: IntCounterVec,
    /// Objects that wait for a retry.
    pub backoff_objects: IntGauge,
    /// Namespaces, of several, that may not be watched at present.
    pub unwatched_namespaces: IntGauge,
    /// Whether this process holds the lease.
    pub leader: IntGauge,
    /// Requests to the API server.
    pub requests: IntCounterVec,
    /// Time to response headers, in seconds.
    pub request_duration: HistogramVec,
    /// Name of the controller, a label of most metrics.
    pub controller: &'static str,
}

/// Options of a histogram of durations in seconds.
fn seconds(name: &str, help: &str) -> HistogramOpts {
    HistogramOpts::new(name, help)
        .buckets(vec![0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0])
}

impl Metrics {
    /// Creates and registers all metrics.
    ///
    /// # Errors
    /// If a name is used twice.
    pub fn new(controller: &'static str, version: &str) -> prometheus::Result<Self> {
        let registry =
            Registry::new_custom(None, Some([("controller".to_owned(), controller.to_owned())].into()))?;
        let counter =
            |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let metrics = Self {
            reconciles: counter("function_mesh_reconciles_total", "Reconciles by outcome.", &["outcome"])?,
            reconcile_duration: HistogramVec::new(
                seconds("function_mesh_reconcile_duration_seconds", "Duration of a reconcile."),
                &[],
            )?,
            reconcile_errors: counter(
                "function_mesh_reconcile_errors_total",
                "Failed reconciles by reason.",
                &["reason"],
            )?,
            reconcile_panics: counter(
                "function_mesh_reconcile_panics_total",
                "Reconciles that panicked.",
                &[],
            )?,
            reconciles_running: IntGauge::new(
                "function_mesh_reconciles_running",
                "Reconciles that have begun and not ended.",
            )?,
            queue_depth: IntGauge::new(
                "function_mesh_queue_depth",
                "Objects that wait for their turn to be reconciled, at most 256 at a time.",
            )?,
            queue_wait: Histogram::with_opts(seconds(
                "function_mesh_queue_wait_seconds",
                "Time that an object waits for its turn to be reconciled.",
            ))?,
            applies: counter(
                "function_mesh_applies_total",
                "Writes of children by kind and result.",
                &["kind", "result"],
            )?,
            status_writes: counter(
                "function_mesh_status_writes_total",
                "Writes of the status.",
                &["result"],
            )?,
            watch_errors: counter(
                "function_mesh_watch_errors_total",
                "Errors of watches by kind.",
                &["kind"],
            )?,
            backoff_objects: IntGauge::new(
                "function_mesh_backoff_objects",
                "Objects that wait before they are tried again.",
            )?,
            unwatched_namespaces: IntGauge::new(
                "function_mesh_unwatched_namespaces",
                "Namespaces of --watched-namespace that the API server does not let this process watch.",
            )?,
            leader: IntGauge::new("function_mesh_leader", "1 while this process holds the lease.")?,
            requests: counter(
                "function_mesh_api_requests_total",
                "Requests to the API server.",
                &["verb", "resource", "code"],
            )?,
            request_duration: HistogramVec::new(
                seconds(
                    "function_mesh_api_request_duration_seconds",
                    "Time until the head of the API server's answer.",
                ),
                &["verb", "resource"],
            )?,
            registry,
            described: Mutex::default(),
            controller,
        };
        metrics.register(&metrics.reconciles)?;
        metrics.register(&metrics.reconcile_duration)?;
        metrics.register(&metrics.reconcile_errors)?;
        metrics.register(&metrics.reconcile_panics)?;
        metrics.register(&metrics.reconciles_running)?;
        metrics.register(&metrics.queue_depth)?;
        metrics.register(&metrics.queue_wait)?;
        metrics.register(&metrics.applies)?;
        metrics.register(&metrics.status_writes)?;
        metrics.register(&metrics.watch_errors)?;
        metrics.register(&metrics.backoff_objects)?;
        metrics.register(&metrics.unwatched_namespaces)?;
        metrics.register(&metrics.leader)?;
        metrics.register(&metrics.requests)?;
        metrics.register(&metrics.request_duration)?;
        let build =
            IntGaugeVec::new(Opts::new("function_mesh_build_info", "1, with the version."), &["version"])?;
        build.with_label_values(&[version]).set(1);
        metrics.register(&build)?;
        #[cfg(target_os = "linux")]
        metrics.add(Box::new(prometheus::process_collector::ProcessCollector::for_self()))?;
        metrics.begin();
        Ok(metrics)
    }

    /// Initializes all counters with 0: a counter that appears with its first increment hides that increment from `rate()` and
    /// from alerts.
    fn begin(&self) {
        for outcome in ["applied", "unchanged", "refused", "error"] {
            self.reconciles.with_label_values(&[outcome]);
        }
        for reason in FAILURES {
            self.reconcile_errors.with_label_values(&[reason]);
        }
        self.reconcile_panics.with_label_values::<&str>(&[]);
        for result in ["written", "failed"] {
            self.status_writes.with_label_values(&[result]);
        }
    }

    /// The same for the writes of one kind of child.
    pub fn begin_writes(&self, kind: &str) {
        for result in ["created", "changed", "deleted", "failed"] {
            self.applies.with_label_values(&[kind, result]);
        }
    }

    /// Adds a metric.
    ///
    /// # Errors
    /// If its name is taken.
    pub fn register<C: Collector + Clone + 'static>(&self, collector: &C) -> prometheus::Result<()> {
        self.add(Box::new(collector.clone()))
    }

    fn add(&self, collector: Box<dyn Collector>) -> prometheus::Result<()> {
        let labels: Vec<Vec<String>> =
            collector.desc().into_iter().map(|desc| desc.variable_labels.clone()).collect();
        let described = collector.collect().into_iter().zip(labels).map(|(family, labels)| Described {
            name: family.name().to_owned(),
            kind: format!("{:?}", family.get_field_type()).to_lowercase(),
            labels,
            help: family.help().to_owned(),
        });
        self.described.lock().unwrap_or_else(PoisonError::into_inner).extend(described);
        self.registry.register(collector)
    }

    /// All registered metrics, by name. [`Metrics::text`] leaves out those without a value yet.
    pub fn described(&self) -> Vec<Described> {
        let mut described = self.described.lock().unwrap_or_else(PoisonError::into_inner).clone();
        described.sort_by(|a, b| a.name.cmp(&b.name));
        described
    }

    /// Records a request to the API server.
    pub fn request(&self, verb: &str, resource: &str, code: &str, duration: Duration) {
        self.requests.with_label_values(&[verb, resource, code]).inc();
        self.request_duration.with_label_values(&[verb, resource]).observe(duration.as_secs_f64());
    }

    /// All metrics, in the text format of Prometheus.
    ///
    /// # Errors
    /// If a metric cannot be encoded.
    pub fn text(&self) -> prometheus::Result<String> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

/// The number of objects by readiness, counted in the cache at each scrape: it cannot drift.
#[derive(Clone)]
pub struct ObjectsByReadiness {
    gauge: IntGaugeVec,
    count: Arc<dyn Fn() -> (usize, usize) + Send + Sync>,
}

impl ObjectsByReadiness {
    /// Counts the objects of a cache.
    ///
    /// # Errors
    /// Never in practice: the name is valid.
    pub fn of<O>(objects: Store<O>, is_ready: fn(&O) -> bool) -> prometheus::Result<Self>
    where
        O: Resource<DynamicType = ()> + Clone + Send + Sync + 'static,
    {
        Self::new(move || {
            let all = objects.state();
            let ready = all.iter().filter(|object| is_ready(object)).count();
            (ready, all.len() - ready)
        })
    }

    /// `count` returns the number of ready objects and that of the others.
    ///
    /// # Errors
    /// Never in practice: the name is valid.
    pub fn new(count: impl Fn() -> (usize, usize) + Send + Sync + 'static) -> prometheus::Result<Self> {
        let options = Opts::new("function_mesh_objects", "Objects by readiness.");
        Ok(Self { gauge: IntGaugeVec::new(options, &["ready"])?, count: Arc::new(count) })
    }
}

impl Collector for ObjectsByReadiness {
    fn desc(&self) -> Vec<&Desc> {
        self.gauge.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (ready, other) = (self.count)();
        for (label, number) in [("true", ready), ("false", other)] {
            self.gauge.with_label_values(&[label]).set(i64::try_from(number).unwrap_or(i64::MAX));
        }
        self.gauge.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counters_begin_with_zero() {
        let metrics = Metrics::new("c", "1").unwrap();
        metrics.begin_writes("Service");
        let text = metrics.text().unwrap();
        for series in [
            "reconciles_total{outcome=\"error\",controller=\"c\"} 0",
            "reconcile_errors_total{reason=\"Timeout\",controller=\"c\"} 0",
            "reconcile_panics_total{controller=\"c\"} 0",
            "status_writes_total{result=\"failed\",controller=\"c\"} 0",
            "applies_total{kind=\"Service\",result=\"deleted\",controller=\"c\"} 0",
            "queue_wait_seconds_count{controller=\"c\"} 0",
        ] {
            assert!(text.contains(&format!("function_mesh_{series}")), "{series} is not in\n{text}");
        }
        assert!(!text.contains("kube_"), "the prefix of kube-state-metrics");
    }

    #[test]
    fn what_was_never_counted_is_described() {
        let metrics = Metrics::new("c", "1").unwrap();
        metrics.register(&ObjectsByReadiness::new(|| (0, 0)).unwrap()).unwrap();
        let described = metrics.described();
        let found = |name: &str| described.iter().find(|metric| metric.name == name).unwrap();
        let applies = found("function_mesh_applies_total");
        assert_eq!((applies.kind.as_str(), applies.labels.join(" ").as_str()), ("counter", "kind result"));
        assert_eq!(found("function_mesh_objects").kind, "gauge");
        assert_eq!(found("function_mesh_reconcile_duration_seconds").kind, "histogram");
        // All series that Prometheus scrapes are among them.
        for line in metrics.text().unwrap().lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
            let (name, kind) = line.split_once(' ').unwrap();
            assert_eq!(found(name).kind, kind);
        }
    }
}
