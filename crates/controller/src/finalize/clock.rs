//! The time limit of each cleanup.
//!
//! It starts with the first attempt, not with the deletion: time during which the controller was down, or the Job waited for its
//! turn or for a node, does not count. It is kept in memory: after a restart of the controller a cleanup has its full time again,
//! and the Job has its own limits.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long after a deletion that did not involve this controller the entry of an object is dropped.
const FORGOTTEN: Duration = Duration::from_secs(24 * 3600);

/// The clocks of all deleted objects, by uid.
#[derive(Debug)]
pub(crate) struct Clock {
    limit: Duration,
    known: Mutex<HashMap<String, Times>>,
}

#[derive(Clone, Copy, Debug)]
struct Times {
    seen: Instant,
    tried: Option<Instant>,
}

impl Clock {
    /// With this time limit for each cleanup.
    pub(crate) fn new(limit: Duration) -> Self {
        Self { limit, known: Mutex::default() }
    }

    /// The time limit of each cleanup.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// Time since this process first reconciled the deleted object.
    pub(crate) fn since_first_reconcile(&self, uid: &str) -> Duration {
        self.entry(uid, |_| ()).seen.elapsed()
    }

    /// The remaining time of a cleanup that has been attempted.
    pub(crate) fn left(&self, uid: &str) -> Duration {
        let times = self.entry(uid, |times| times.tried = times.tried.or_else(|| Some(Instant::now())));
        self.limit.saturating_sub(times.tried.map(|since| since.elapsed()).unwrap_or_default())
    }

    /// Drops the entry of an object that is gone.
    pub(crate) fn remove(&self, uid: &str) {
        self.state().remove(uid);
    }

    /// Number of deleted objects.
    pub(crate) fn entries(&self) -> usize {
        self.state().len()
    }

    fn entry(&self, uid: &str, change: impl FnOnce(&mut Times)) -> Times {
        let mut known = self.state();
        if !known.contains_key(uid) {
            known.retain(|_, times| times.seen.elapsed() < FORGOTTEN);
        }
        let new = Times { seen: Instant::now(), tried: None };
        let times = known.entry(uid.to_owned()).or_insert(new);
        change(times);
        *times
    }

    fn state(&self) -> MutexGuard<'_, HashMap<String, Times>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clock_begins_with_the_first_attempt() {
        let clock = Clock::new(Duration::from_millis(20));
        clock.since_first_reconcile("a");
        std::thread::sleep(Duration::from_millis(30));
        assert!(clock.since_first_reconcile("a") >= Duration::from_millis(30));
        assert!(!clock.left("a").is_zero(), "nothing was tried yet");
        std::thread::sleep(Duration::from_millis(30));
        assert!(clock.left("a").is_zero());
        assert!(!clock.left("b").is_zero(), "each has its own");
        clock.remove("a");
        assert!(!clock.left("a").is_zero());
    }
}
