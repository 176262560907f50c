//! Saturating arithmetic on times.

use k8s_openapi::jiff::{SignedDuration, Timestamp};

/// A later time, or the latest representable time.
pub(crate) fn after(time: Timestamp, wait: SignedDuration) -> Timestamp {
    time.checked_add(wait).unwrap_or(Timestamp::MAX)
}
