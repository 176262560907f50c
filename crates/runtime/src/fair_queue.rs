//! Objects wait for their turn in the order they arrive (docs/decisions/0021-fair-queue.md).
//!
//! kube's queue returns ready objects in no particular order. While more work arrives than is done, as in a burst of changes or
//! with a slow API server, an object with an unlucky hash would not be next for as long as that lasts. So kube may start more
//! reconciles than the concurrency allows, and the surplus waits here, in order. Their number is bounded, as each costs memory.

use crate::metrics::Metrics;
use std::sync::Arc;
use std::time::Instant;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How many objects may wait in order. Beyond them, kube's queue has no order. kube polls all of them, and those that run, whenever
/// one of them goes on.
const WAITING: u16 = 64;

/// Number of objects that kube's queue may run at the same time.
pub(crate) fn places(concurrency: u16) -> u16 {
    concurrency.saturating_add(WAITING)
}

/// The queue of one controller.
#[derive(Clone)]
pub(crate) struct FairQueue {
    turns: Arc<Semaphore>,
    metrics: Arc<Metrics>,
    shutdown: CancellationToken,
}

impl FairQueue {
    /// For a maximum number of concurrent reconciles. No turn is granted once the shutdown has begun.
    pub(crate) fn new(concurrency: u16, shutdown: CancellationToken, metrics: Arc<Metrics>) -> Self {
        Self { turns: Arc::new(Semaphore::new(usize::from(concurrency.max(1)))), metrics, shutdown }
    }

    /// Waits for a turn, which lasts until the returned value is dropped; none if the process ends.
    pub(crate) async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        let waiting = Waiting::begin(&self.metrics);
        let turn = tokio::select! {
            biased;
            () = self.shutdown.cancelled() => None,
            turn = self.turns.clone().acquire_owned() => turn.ok(),
        };
        if turn.is_some() {
            self.metrics.queue_wait.observe(waiting.since.elapsed().as_secs_f64());
        }
        turn
    }
}

/// Counts a waiting object until it is dropped, which may happen before its turn.
struct Waiting<'a> {
    metrics: &'a Metrics,
    since: Instant,
}

impl<'a> Waiting<'a> {
    fn begin(metrics: &'a Metrics) -> Self {
        metrics.queue_depth.inc();
        Self { metrics, since: Instant::now() }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.metrics.queue_depth.dec();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn turns_come_in_order_and_end_with_the_process() {
        let shutdown = CancellationToken::new();
        let metrics = Arc::new(Metrics::new("c", "1").unwrap());
        let fair_queue = FairQueue::new(1, shutdown.clone(), metrics.clone());
        let first = fair_queue.turn().await;
        let (mut second, mut third) = (Box::pin(fair_queue.turn()), Box::pin(fair_queue.turn()));
        assert!((&mut second).now_or_never().is_none() && (&mut third).now_or_never().is_none());
        assert_eq!((metrics.queue_depth.get(), metrics.queue_wait.get_sample_count()), (2, 1));
        drop(first);
        assert!((&mut third).now_or_never().is_none(), "it came later");
        let second = second.await;
        assert!(second.is_some());
        shutdown.cancel();
        assert!(third.await.is_none(), "no turn after the shutdown began");
        assert_eq!((metrics.queue_depth.get(), metrics.queue_wait.get_sample_count()), (0, 2));
        assert!(fair_queue.turn().await.is_none());
    }
}
