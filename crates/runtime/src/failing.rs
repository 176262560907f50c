//! Consecutive failures of each object. A single failure is transient: the API server is slow, restarts, or handles a concurrent
//! change. Only lasting failures are reported to users.

use kube::core::ObjectMeta;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Number of consecutive failures after which a failure is reported: half a minute, by the backoff.
const LASTING: u32 = 6;
/// How long after their last failure entries of deleted objects are dropped: longer than the longest backoff.
const KEPT: Duration = Duration::from_secs(1200);

/// Consecutive failures, by the uid of the object.
#[derive(Debug, Default)]
pub struct Failing {
    objects: Mutex<HashMap<String, Failures>>,
}

#[derive(Debug)]
struct Failures {
    /// A new generation starts over, as its backoff does.
    generation: Option<i64>,
    number: u32,
    last: Instant,
}

impl Failing {
    /// Records a failure. Returns whether it has lasted long enough to be reported.
    pub fn failed(&self, object: &ObjectMeta) -> bool {
        let (uid, generation, now) =
            (object.uid.clone().unwrap_or_default(), object.generation, Instant::now());
        let mut objects = self.objects();
        let failures = objects.entry(uid).or_insert(Failures { generation, number: 0, last: now });
        if failures.generation != generation {
            *failures = Failures { generation, number: 0, last: now };
        }
        (failures.number, failures.last) = (failures.number.saturating_add(1), now);
        failures.number >= LASTING
    }

    /// Drops the failures of an object.
    pub fn succeeded(&self, object: &ObjectMeta) {
        self.objects().remove(object.uid.as_deref().unwrap_or_default());
    }

    /// Number of objects that failed.
    pub fn entries(&self) -> usize {
        self.objects().len()
    }

    fn objects(&self) -> MutexGuard<'_, HashMap<String, Failures>> {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        objects.retain(|_, failures| failures.last.elapsed() < KEPT);
        objects
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_last() {
        let object = |generation| ObjectMeta {
            uid: Some("u".to_owned()),
            generation: Some(generation),
            ..ObjectMeta::default()
        };
        let failing = Failing::default();
        let lasting = |generation| (1..LASTING).any(|_| failing.failed(&object(generation)));
        assert!(!lasting(1));
        failing.succeeded(&object(1));
        assert!(!lasting(1), "a success between");
        assert!(!lasting(2), "another generation");
        assert!(failing.failed(&object(2)));
    }
}
