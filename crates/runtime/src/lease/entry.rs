//! The entry of a Lease, and for how long it counts.

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use std::time::Duration;

/// Longest time for which an entry that is not renewed counts, regardless of the duration it states.
pub(super) const LONGEST: Duration = Duration::from_secs(3600);

/// The durations of the election.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// Time without renewal after which another replica may take the lease.
    pub(super) duration: Duration,
    /// Time without renewal after which the leader stops writing and exits.
    pub(super) deadline: Duration,
    /// Interval at which a standby checks the lease, and at which a leader retries a failed renewal.
    pub(super) retry: Duration,
}

impl Times {
    /// Interval between successful renewals: half of the deadline, so that one may fail.
    pub(super) fn interval(self) -> Duration {
        self.deadline / 2
    }
}

/// The last observed entry, and when it was first observed.
#[derive(Debug, Default)]
pub(super) struct Observed(Option<(LeaseSpec, Duration)>);

impl Observed {
    /// Whether another replica may hold the lease, given what is stored now.
    pub(super) fn is_held(&mut self, stored: Option<&LeaseSpec>, times: Times, now: Duration) -> bool {
        if let Some(spec) = stored {
            if holder(spec).is_none() {
                return false;
            }
            if self.0.as_ref().is_none_or(|(last, _)| last != spec) {
                self.0 = Some((spec.clone(), now));
            }
        }
        self.0.as_ref().is_some_and(|(spec, seen)| {
            let seconds = spec.lease_duration_seconds.and_then(|s| u64::try_from(s).ok()).filter(|s| *s > 0);
            let said = seconds.map_or(times.duration, Duration::from_secs).min(LONGEST);
            holder(spec).is_some() && now < *seen + said
        })
    }
}

/// Who holds a lease; none when it was released.
pub(super) fn holder(spec: &LeaseSpec) -> Option<&str> {
    spec.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// An entry after its release, as client-go writes it: an empty holder, and a duration that lets any replica take the lease at once.
pub(super) fn released(entry: LeaseSpec) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(jiff::Timestamp::now())),
        ..entry
    }
}

#[cfg(test)]
mod tests;
