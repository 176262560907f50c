//! Saturating arithmetic on times.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A time later; the end of all times instead of one after that.
pub(crate) fn after(time: Timestamp, wait: SignedDuration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
