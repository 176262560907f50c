//! The requests of a controller between two points of time.

use crate::testing::etcd::{Versions, writes_between};
use crate::testing::{Audit, TestEnv};
use anyhow::Result;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Requests of one controller, and their outcomes.
#[derive(Clone, Debug, Default)]
pub struct RequestCounts {
    /// Numbers by verb and resource, leases and events left out.
    pub requests: BTreeMap<String, usize>,
    /// The highest number for one object, by verb and resource.
    pub most: BTreeMap<String, usize>,
    /// Unsuccessful answers, by verb and resource.
    pub refused: BTreeMap<String, usize>,
    /// Events published.
    pub events: usize,
    /// Writes that reached etcd for the objects and their children, by resource, of all clients.
    pub written: BTreeMap<String, u64>,
    /// Successful write requests of other clients for the same objects, by resource.
    pub others: BTreeMap<String, usize>,
    /// Number of reconciles.
    pub reconciles: u64,
    /// From the first request of another client until the last child was written.
    pub children: Duration,
    /// From the first request of another client until the controller's last write.
    pub last_write: Duration,
    /// Time on a CPU.
    pub cpu: Duration,
    /// Time until it was idle, where that was measured.
    pub drained: Duration,
}

impl RequestCounts {
    /// Number of requests of a kind, such as `patch services`.
    pub fn count(&self, what: &str) -> usize {
        self.requests.get(what).copied().unwrap_or_default()
    }

    /// Number of requests of a verb.
    pub fn verb(&self, verb: &str) -> usize {
        let of = |what: &str| what.split(' ').next() == Some(verb);
        self.requests.iter().filter(|(what, _)| of(what)).map(|(_, number)| number).sum()
    }

    /// Number of writes.
    pub fn writes(&self) -> usize {
        ["create", "update", "patch", "delete"].into_iter().map(|verb| self.verb(verb)).sum()
    }

    /// Number of requests, without lists and watches.
    pub fn direct(&self) -> usize {
        self.writes() + self.verb("get")
    }

    /// Writes of the controller that changed something in etcd.
    pub fn real(&self) -> u64 {
        let all: u64 = self.written.values().sum();
        let others: usize = self.others.values().sum();
        all.saturating_sub(u64::try_from(others).unwrap_or(u64::MAX))
    }

    /// Whether every write request for a resource, of any client, changed something.
    pub fn is_exact(&self, resource: &str) -> bool {
        let ours: usize =
            ["", "/status"].map(|sub| self.count(&format!("patch {resource}{sub}"))).iter().sum();
        let others = self.others.get(resource).copied().unwrap_or_default();
        let written = self.written.get(resource).copied().unwrap_or_default();
        u64::try_from(ours + others).is_ok_and(|requests| requests == written)
    }
}

impl fmt::Display for RequestCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "requests {:?}, at most {:?} for one object, refused {:?}, written {:?}, by others {:?}, {} reconciles",
            self.requests, self.most, self.refused, self.written, self.others, self.reconciles
        )
    }
}

/// The writes of all objects that belong to a fleet, by resource.
pub(super) type Storage = BTreeMap<String, Versions>;

/// Reads the number of writes from etcd.
///
/// # Errors
/// When etcd does not answer.
pub(super) fn storage(env: &TestEnv, namespace: &str, plural: &str) -> Result<Storage> {
    let etcd = env.etcd()?;
    let resources = [plural, "statefulsets", "services"];
    resources.into_iter().map(|r| Ok((r.to_owned(), etcd.versions(r, namespace)?))).collect()
}

/// Counts from the audit log and etcd.
pub(super) fn count(
    audit: Audit,
    user: &str,
    namespace: &str,
    before: &Storage,
    after: &Storage,
) -> RequestCounts {
    let housekeeping = |audit: Audit| {
        audit.only(|r| !matches!(r.resource().as_str(), "leases" | "events" | "leases/status"))
    };
    let ours = audit.clone().by(user);
    let events = ours.clone().only(|r| r.resource() == "events").requests().len();
    let ours = housekeeping(ours);
    let others = audit.not_by(user).within(namespace).writes();
    let writes = ours.clone().writes();
    let children = writes.clone().only(|r| matches!(r.resource().as_str(), "statefulsets" | "services"));
    let mut by_others: BTreeMap<String, usize> = BTreeMap::new();
    for request in others.clone().only(|r| r.code() < 300).requests() {
        let resource = request.resource();
        let resource = resource.split('/').next().unwrap_or_default();
        if before.contains_key(resource) && request.verb != "delete" {
            *by_others.entry(resource.to_owned()).or_default() += 1;
        }
    }
    let written = before.iter().map(|(resource, before)| {
        let after = after.get(resource).map_or(0, |after| writes_between(before, after));
        (resource.clone(), after)
    });
    RequestCounts {
        requests: ours.clone().with_lists().counts(),
        most: writes.most(),
        refused: ours.clone().refused().counts(),
        events,
        written: written.collect(),
        others: by_others,
        children: others.until(&children),
        last_write: others.until(&writes),
        ..RequestCounts::default()
    }
}
