//! The wrapper around every reconcile: time limit, panics, backoff, metrics and one log line.

use crate::backoff::Backoff;
use crate::error_text::chain;
use crate::metrics::Metrics;
use functionmesh_objects::refusal::Refusal;
use futures::FutureExt;
use kube::runtime::controller::Action;
use prometheus::IntGauge;
use std::error::Error;
use std::future::Future;
use std::hash::Hash;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tracing::{debug, error, info, warn};

/// Longest reconcile.
const LIMIT: Duration = Duration::from_secs(60);

/// The result of a reconcile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// `applied`, `unchanged` or `refused`.
    pub outcome: &'static str,
    /// Number of writes, status included.
    pub writes: u32,
    /// When to reconcile again; by default after the resync period.
    pub again: Option<Duration>,
}

impl Done {
    /// Something was written.
    pub fn applied(writes: u32) -> Self {
        Self { outcome: "applied", writes, again: None }
    }

    /// Nothing had to change.
    pub fn unchanged() -> Self {
        Self { outcome: "unchanged", writes: 0, again: None }
    }

    /// The object is refused; its status gives the reason.
    pub fn refused(writes: u32) -> Self {
        Self { outcome: "refused", writes, again: None }
    }

    /// The same, with a check after a time: of several such times the shortest counts.
    #[must_use]
    pub fn again_in(self, wait: Duration) -> Self {
        Self { again: Some(self.again.map_or(wait, |again| again.min(wait))), ..self }
    }
}

/// Why a reconcile failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureReason {
    /// A foreign object has the name of a child.
    NameConflict,
    /// The API server refused a request.
    Refused(Refusal),
    /// The API server failed or did not answer.
    ApiServer,
    /// The reconcile took too long.
    Timeout,
}

impl FailureReason {
    /// CamelCase word for the metric.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NameConflict => "NameConflict",
            Self::Refused(refusal) => refusal.as_str(),
            Self::ApiServer => "ApiServer",
            Self::Timeout => "Timeout",
        }
    }

    /// Whether it is part of normal operation, or has to be fixed by a user; it is then not logged as a warning.
    fn is_expected(self) -> bool {
        matches!(
            self,
            Self::NameConflict
                | Self::Refused(Refusal::Conflict | Refusal::NamespaceTerminating | Refusal::Invalid)
        )
    }
}

/// An error to be retried.
pub trait Failure: Error + Send + Sync + 'static {
    /// For the metric and the log.
    fn reason(&self) -> FailureReason;

    /// How long the API server asked to wait.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// Observes the reconciles of one controller.
pub struct Observer<Key> {
    metrics: Arc<Metrics>,
    backoff: Mutex<Backoff<Key>>,
    /// Longest time until an unchanged object is resynced.
    resync: Duration,
}

impl<Key: Hash + Eq + Clone + std::fmt::Display> Observer<Key> {
    /// Starts without failures. An unchanged object is resynced after `resync`, or up to a third earlier.
    pub fn new(metrics: Arc<Metrics>, resync: Duration) -> Self {
        Self { metrics, backoff: Mutex::default(), resync }
    }

    /// Runs one reconcile. Errors and panics in it affect only this object.
    pub async fn run<E: Failure>(
        &self,
        key: Key,
        generation: Option<i64>,
        reconcile: impl Future<Output = Result<Done, E>>,
    ) -> Action {
        let started = Instant::now();
        let _running = Running::begin(&self.metrics.reconciles_running);
        let guarded = AssertUnwindSafe(reconcile).catch_unwind();
        let result = tokio::time::timeout(LIMIT, guarded).await;
        let took = started.elapsed();
        self.metrics.reconcile_duration.with_label_values::<&str>(&[]).observe(took.as_secs_f64());
        let duration_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        match result {
            Ok(Ok(Ok(done))) => {
                self.count(done.outcome);
                self.forget(&key);
                let (outcome, writes) = (done.outcome, done.writes);
                if writes > 0 {
                    info!(object = %key, generation, outcome, writes, duration_ms, "reconciled");
                } else {
                    debug!(object = %key, generation, outcome, writes, duration_ms, "reconciled");
                }
                Action::requeue(done.again.unwrap_or_else(|| pause(self.resync, started)))
            }
            Ok(Ok(Err(failure))) => {
                let reason = failure.reason();
                let (reason, expected) = (reason.as_str(), reason.is_expected());
                self.metrics.reconcile_errors.with_label_values(&[reason]).inc();
                let wait = self.fail(&key, generation).max(failure.retry_after().unwrap_or_default());
                let error = chain(&failure);
                if expected {
                    info!(object = %key, generation, outcome = "error", reason, duration_ms, ?wait, error, "reconcile failed");
                } else {
                    warn!(object = %key, generation, outcome = "error", reason, duration_ms, ?wait, error, "reconcile failed");
                }
                Action::requeue(wait)
            }
            Ok(Err(_panic)) => {
                self.metrics.reconcile_panics.with_label_values::<&str>(&[]).inc();
                let wait = self.fail(&key, generation);
                error!(object = %key, generation, outcome = "panic", duration_ms, ?wait, "reconcile panicked");
                Action::requeue(wait)
            }
            Err(_elapsed) => {
                self.metrics.reconcile_errors.with_label_values(&[FailureReason::Timeout.as_str()]).inc();
                let wait = self.fail(&key, generation);
                warn!(object = %key, generation, outcome = "timeout", duration_ms, ?wait, "reconcile gave up");
                Action::requeue(wait)
            }
        }
    }

    /// Drops the record of a deleted object: an object that was deleted while it failed is retried once, and is not found.
    pub fn gone(&self, key: &Key) {
        self.forget(key);
    }

    fn count(&self, outcome: &str) {
        self.metrics.reconciles.with_label_values(&[outcome]).inc();
    }

    fn fail(&self, key: &Key, generation: Option<i64>) -> Duration {
        self.count("error");
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = backoff.failed(key.clone(), generation);
        self.gauge(&backoff);
        wait
    }

    fn forget(&self, key: &Key) {
        let mut backoff = self.backoff.lock().unwrap_or_else(PoisonError::into_inner);
        backoff.succeeded(key);
        self.gauge(&backoff);
    }

    fn gauge(&self, backoff: &Backoff<Key>) {
        self.metrics.backoff_objects.set(i64::try_from(backoff.waiting()).unwrap_or(i64::MAX));
    }
}

/// Counts a running reconcile until it is dropped, also if it is cancelled.
struct Running<'a>(&'a IntGauge);

impl<'a> Running<'a> {
    fn begin(gauge: &'a IntGauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Between two thirds of the longest time and all of it: jitter prevents objects from being resynced in waves.
fn pause(longest: Duration, started: Instant) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let millis = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
    let spread = millis / 3;
    Duration::from_millis(millis - RandomState::new().hash_one(started) % spread.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("api server down")]
    struct Down;

    impl Failure for Down {
        fn reason(&self) -> FailureReason {
            FailureReason::ApiServer
        }
    }

    fn observer() -> (Observer<String>, Arc<Metrics>) {
        let metrics = Arc::new(Metrics::new("test", "0").unwrap());
        (Observer::new(metrics.clone(), Duration::from_secs(3600)), metrics)
    }

    #[tokio::test]
    async fn a_panic_stays_with_its_object() {
        let (observer, metrics) = observer();
        let boom = async {
            if metrics.leader.get() == 0 { panic!("boom") } else { Ok::<_, Down>(Done::unchanged()) }
        };
        observer.run("ns/a".to_owned(), Some(1), boom).await;
        let fine = async { Ok::<_, Down>(Done::applied(2)) };
        observer.run("ns/b".to_owned(), Some(1), fine).await;
        assert_eq!(metrics.reconcile_panics.with_label_values::<&str>(&[]).get(), 1);
        assert_eq!(metrics.reconciles.with_label_values(&["applied"]).get(), 1);
        assert_eq!(metrics.backoff_objects.get(), 1);
    }

    #[tokio::test]
    async fn success_ends_the_backoff() {
        let (observer, metrics) = observer();
        observer.run("ns/a".to_owned(), Some(1), async { Err::<Done, _>(Down) }).await;
        assert_eq!(metrics.reconcile_errors.with_label_values(&["ApiServer"]).get(), 1);
        assert_eq!(metrics.backoff_objects.get(), 1);
        observer.run("ns/a".to_owned(), Some(1), async { Ok::<_, Down>(Done::unchanged()) }).await;
        assert_eq!(metrics.backoff_objects.get(), 0);
    }

    #[tokio::test]
    async fn an_object_deleted_while_it_failed_is_forgotten() {
        let (observer, metrics) = observer();
        observer.run("ns/a".to_owned(), Some(1), async { Err::<Done, _>(Down) }).await;
        observer.gone(&"ns/a".to_owned());
        assert_eq!(metrics.backoff_objects.get(), 0);
    }

    #[tokio::test]
    async fn an_object_that_is_well_is_looked_at_again_after_the_period() {
        let (observer, metrics) = observer();
        let mut pauses = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let well = async { Ok::<_, Down>(Done::unchanged()) };
            pauses.insert(format!("{:?}", observer.run("ns/a".to_owned(), Some(1), well).await));
        }
        assert!(pauses.len() > 1, "all at the same time: {pauses:?}");
        let observer = Observer::new(metrics, Duration::ZERO);
        let well = async { Ok::<_, Down>(Done::unchanged()) };
        assert_eq!(observer.run("ns/a".to_owned(), Some(1), well).await, Action::requeue(Duration::ZERO));
        let soon = async { Ok::<_, Down>(Done::unchanged().again_in(Duration::from_secs(10))) };
        let action = observer.run("ns/a".to_owned(), Some(1), soon).await;
        assert_eq!(action, Action::requeue(Duration::from_secs(10)), "what a reconcile asks for counts");
    }

    #[test]
    fn the_pause_is_within_a_third_of_the_period() {
        for period in [0, 1, 2, 3, 1000, 3_600_000] {
            let period = Duration::from_millis(period);
            for _ in 0..100 {
                let pause = pause(period, Instant::now());
                assert!(pause <= period && pause >= period * 2 / 3, "{pause:?} of {period:?}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_reconcile_that_hangs_is_given_up() {
        let (observer, metrics) = observer();
        let forever = observer.run("ns/a".to_owned(), Some(1), std::future::pending::<Result<Done, Down>>());
        let mut forever = Box::pin(forever);
        assert!(futures::poll!(&mut forever).is_pending());
        assert_eq!(metrics.reconciles_running.get(), 1);
        forever.await;
        assert_eq!(metrics.reconciles_running.get(), 0);
        assert_eq!(metrics.reconcile_errors.with_label_values(&[FailureReason::Timeout.as_str()]).get(), 1);
    }
}
