//! The backoff of an object that failed: one second, doubling to five minutes, with jitter.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);

/// Failures by object. A new generation starts over: the user may have fixed it.
#[derive(Debug)]
pub(crate) struct Backoff<Key> {
    failures: HashMap<Key, Failed>,
    /// Source of the jitter between objects.
    random: RandomState,
}

#[derive(Debug)]
struct Failed {
    generation: Option<i64>,
    times: u32,
}

impl<Key> Default for Backoff<Key> {
    fn default() -> Self {
        Self { failures: HashMap::new(), random: RandomState::new() }
    }
}

impl<Key: Hash + Eq> Backoff<Key> {
    /// Records a failure and returns how long to wait.
    pub(crate) fn failed(&mut self, key: Key, generation: Option<i64>) -> Duration {
        let random = &self.random;
        let entry = self.failures.entry(key);
        let salt = random.hash_one(entry.key());
        let failed = entry.or_insert(Failed { generation, times: 0 });
        if failed.generation != generation {
            *failed = Failed { generation, times: 0 };
        }
        let wait = FIRST.saturating_mul(1 << failed.times.min(16)).min(LONGEST);
        failed.times += 1;
        // Derived from the object and the attempt.
        about(wait, random.hash_one((salt, failed.times)))
    }

    /// Forgets an object that succeeded or was deleted.
    pub(crate) fn succeeded(&mut self, key: &Key) {
        self.failures.remove(key);
    }

    /// Number of objects that wait.
    pub(crate) fn waiting(&self) -> usize {
        self.failures.len()
    }
}

/// 80 % to 120 % of a time.
pub(crate) fn about(wait: Duration, random: u64) -> Duration {
    let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis.saturating_mul(80 + random % 41) / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_limit_and_start_over() {
        let mut backoff = Backoff::default();
        let near = |wait: Duration, seconds: f64| (0.79..=1.21).contains(&(wait.as_secs_f64() / seconds));
        for seconds in [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 300.0, 300.0] {
            let wait = backoff.failed("a", Some(1));
            assert!(near(wait, seconds), "{wait:?} is not near {seconds}");
        }
        assert!(near(backoff.failed("a", Some(2)), 1.0), "a new generation starts over");
        assert!(near(backoff.failed("b", None), 1.0));
        assert_eq!(backoff.waiting(), 2);
        backoff.succeeded(&"a");
        backoff.succeeded(&"b");
        assert_eq!(backoff.waiting(), 0);
    }
}
