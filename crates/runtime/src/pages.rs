//! Whether objects are listed in pages: only by an API server that has no streaming lists (KEP-3157, on by default since
//! Kubernetes 1.34).

use kube::core::Status;
use kube::runtime::watcher::{Config, Error, InitialListStrategy};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tracing::info;

/// Known after the first list, and the same for all watches of a process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages(Arc<AtomicBool>);

impl Pages {
    /// The configuration with the way of listing.
    pub(crate) fn strategy(&self, mut config: Config) -> Config {
        if !self.0.load(Ordering::Relaxed) {
            config.initial_list_strategy = InitialListStrategy::StreamingList;
        }
        config
    }

    /// Whether a watch failed because the API server has no streaming lists. Then the next list is one in pages. Such a server
    /// refuses the parameters as invalid, as client-go expects too: `sendInitialEvents` when the feature is off,
    /// `resourceVersionMatch` before Kubernetes 1.27. With an etcd before 3.4.25 the API server accepts them, but never learns that
    /// its state is the newest, and ends the watch with "Too large resource version".
    pub(crate) fn needed_by(&self, error: &Error) -> bool {
        let (needed, reason) = match error {
            Error::WatchStartFailed(kube::Error::Api(status)) => (is_unknown(status), &status.message),
            Error::WatchError(status) => {
                (is_behind(status) && !self.0.load(Ordering::Relaxed), &status.message)
            }
            _ => return false,
        };
        if needed && !self.0.swap(true, Ordering::Relaxed) {
            info!(%reason, "the API server has no streaming lists: objects are listed in pages");
        }
        needed
    }
}

fn is_unknown(status: &Status) -> bool {
    status.code == 422
        && ["sendInitialEvents", "resourceVersionMatch"].iter().any(|p| status.message.contains(p))
}

fn is_behind(status: &Status) -> bool {
    status.code == 504 && status.message.contains("Too large resource version")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_without_streaming_lists_is_asked_for_pages() {
        let refused = |code, message: &str| {
            let status = Status { code, message: message.to_owned(), ..Status::default() };
            Error::WatchStartFailed(kube::Error::Api(Box::new(status)))
        };
        let message = "ListOptions.meta.k8s.io \"\" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is forbidden \
            for watch unless the WatchList feature gate is enabled";
        let pages = Pages::default();
        let streams = |pages: &Pages| {
            pages.strategy(Config::default()).initial_list_strategy == InitialListStrategy::StreamingList
        };
        for other in [
            refused(403, message),
            refused(422, "fieldSelector"),
            refused(500, message),
            Error::NoResourceVersion,
        ] {
            assert!(!pages.needed_by(&other), "{other}");
        }
        assert!(streams(&pages));
        let shared = pages.clone();
        assert!(pages.needed_by(&refused(422, message)));
        assert!(!streams(&shared), "all watches of the process know it");
        assert!(shared.needed_by(&refused(422, message)), "a watch that began before");
    }

    #[test]
    fn a_server_that_cannot_know_the_newest_state_lists_in_pages() {
        let behind = |code| {
            let message = "Timeout: Too large resource version: 272, current: 1".to_owned();
            Error::WatchError(Box::new(Status { code, message, ..Status::default() }))
        };
        let pages = Pages::default();
        assert!(!pages.needed_by(&behind(500)));
        assert!(pages.needed_by(&behind(504)));
        assert!(!pages.needed_by(&behind(504)), "later it is an error like others");
    }
}
