//! The backoff of a failed watch: one second, doubling to twenty, with jitter (docs/decisions/0043-watch-backoff.md).
//!
//! kube's own backoff grows to a minute, and also delays the list after an expired watch: after an outage of the API server, two
//! minutes may pass until a change is seen.

use crate::backoff::about;
use kube::runtime::watcher::{Error, Event};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use tokio::time::Instant;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(20);
/// Time without failure after which the backoff starts over.
const CALM: Duration = Duration::from_secs(120);

/// The backoff of one watch.
#[derive(Debug, Default)]
pub(crate) struct WatchBackoff {
    failed: Option<Failed>,
    random: RandomState,
}

#[derive(Clone, Copy, Debug)]
struct Failed {
    at: Instant,
    wait: Duration,
    expired: bool,
}

impl WatchBackoff {
    /// How long to wait after an event.
    pub(crate) fn after<K>(&mut self, event: &Result<Event<K>, Error>) -> Duration {
        match event {
            Err(error) => self.failed(expired(error)),
            Ok(Event::Apply(_) | Event::Delete(_)) => {
                self.failed = None;
                Duration::ZERO
            }
            // A kind that can be listed may still not be watchable, so a list is not a success.
            Ok(Event::Init | Event::InitApply(_) | Event::InitDone) => Duration::ZERO,
        }
    }

    fn failed(&mut self, expired: bool) -> Duration {
        let at = Instant::now();
        let wait = match self.failed {
            Some(last) if at.duration_since(last.at) > CALM.saturating_add(last.wait) => FIRST,
            // An API server that reports an expired version responds again.
            Some(last) if expired && !last.expired => FIRST,
            Some(last) => last.wait.saturating_mul(2).min(LONGEST),
            None => FIRST,
        };
        self.failed = Some(Failed { at, wait, expired });
        about(wait, self.random.hash_one(at))
    }
}

fn expired(error: &Error) -> bool {
    matches!(error,
        Error::WatchError(status) | Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::core::Status;

    fn error(code: u16) -> Result<Event<()>, Error> {
        Err(Error::WatchError(Box::new(Status { code, ..Status::default() })))
    }

    fn seconds(wait: Duration) -> f64 {
        wait.as_secs_f64()
    }

    #[tokio::test(start_paused = true)]
    async fn waits_double_to_a_limit_and_start_over() {
        let mut backoff = WatchBackoff::default();
        for expected in [1.0, 2.0, 4.0, 8.0, 16.0, 20.0, 20.0] {
            let wait = seconds(backoff.after(&error(500)));
            assert!((0.79..=1.21).contains(&(wait / expected)), "{wait} is not near {expected}");
            assert_eq!(backoff.after(&Ok(Event::<()>::InitDone)), Duration::ZERO);
        }
        assert!(seconds(backoff.after(&error(410))) < 1.3, "it answers again");
        assert!(seconds(backoff.after(&error(410))) > 1.5, "but to no avail");
        assert_eq!(backoff.after(&Ok(Event::Apply(()))), Duration::ZERO);
        assert!(seconds(backoff.after(&error(500))) < 1.3, "after a change it starts over");
        backoff.after(&error(500));
        tokio::time::advance(Duration::from_secs(130)).await;
        assert!(seconds(backoff.after(&error(500))) < 1.3, "and after a while without a failure");
    }
}
