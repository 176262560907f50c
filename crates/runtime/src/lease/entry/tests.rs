//! When an entry of the lease counts. The requests are tested on a real API server (`e2e/tests/lifecycle/leader_election.rs`).

use super::{LONGEST, Observed, Times};
use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use std::time::Duration;

const TIMES: Times = Times {
    duration: Duration::from_secs(15),
    deadline: Duration::from_secs(10),
    retry: Duration::from_secs(2),
};

fn entry(holder: &str, seconds: Option<i32>, renewed: i64) -> LeaseSpec {
    LeaseSpec {
        holder_identity: Some(holder.to_owned()),
        lease_duration_seconds: seconds,
        renew_time: jiff::Timestamp::from_second(renewed).ok().map(MicroTime),
        ..LeaseSpec::default()
    }
}

/// Whether the lease is held at each of some seconds, given what is stored then.
fn held(looks: &[(u64, Option<&LeaseSpec>)]) -> Vec<bool> {
    let mut observed = Observed::default();
    looks.iter().map(|(at, spec)| observed.is_held(*spec, TIMES, Duration::from_secs(*at))).collect()
}

#[test]
fn an_entry_counts_from_when_it_was_seen() {
    // One hour behind and one hour ahead: times in the entry are not compared with any clock.
    for renewed in [0, 4_000_000_000] {
        let spec = entry("a", Some(15), renewed);
        assert_eq!(held(&[(100, Some(&spec)), (114, Some(&spec)), (115, Some(&spec))]), [true, true, false]);
        let renewal = entry("a", Some(15), renewed + 1);
        assert_eq!(held(&[(100, Some(&spec)), (114, Some(&renewal)), (128, Some(&renewal))]), [true; 3]);
    }
}

#[test]
fn a_released_lease_is_free_at_once() {
    let (spec, released) = (entry("a", Some(15), 0), entry("", Some(1), 0));
    assert_eq!(held(&[(100, Some(&spec)), (101, Some(&released))]), [true, false]);
    assert_eq!(held(&[(100, None)]), [false], "never seen");
}

#[test]
fn a_deleted_lease_is_held_as_long_as_it_was() {
    let spec = entry("a", Some(15), 0);
    assert_eq!(held(&[(100, Some(&spec)), (102, None), (114, None), (115, None)]), [true, true, true, false]);
}

#[test]
fn a_lease_says_how_long_it_holds_within_limits() {
    let after = |seconds: Option<i32>| {
        let spec = entry("a", seconds, 0);
        let looks: Vec<_> = [0, 14, 15, 59, 60, 3599, 3600].map(|at| (at, Some(&spec))).to_vec();
        held(&looks).iter().filter(|held| **held).count()
    };
    assert_eq!(after(Some(60)), 4);
    assert_eq!((after(None), after(Some(0)), after(Some(-5))), (2, 2, 2), "as our own");
    assert_eq!(after(Some(i32::MAX)), 6, "at most {LONGEST:?}");
}
