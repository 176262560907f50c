//! A change of the number of shards: no shard of the new division works before the last one of the old has ended
//! (docs/decisions/0057-shards.md).
//!
//! A shard records in its Lease how many shards there are. It first acquires its own Lease and then looks at those of all other
//! shards: of two shards of different divisions that start at the same time, at least one sees the other and waits.

use crate::lease::entry::{Observed, Times, holder, released};
use crate::write_fence::now;
use functionmesh_objects::shard::{MOST, Shard};
use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;
use kube::api::{Api, ListParams, PostParams};
use kube::core::ObjectMeta;
use std::collections::{BTreeMap, BTreeSet};
use tokio::time::sleep;
use tracing::{info, warn};

/// Annotation of a Lease: the number of shards; absent if the controller is not divided.
const SHARDS: &str = "compute.functionmesh.io/shards";

/// The shard of this process among the Leases of its controller.
#[derive(Clone)]
pub(super) struct Division {
    shard: Shard,
    /// Name of its Lease.
    name: String,
    /// Name of the Lease of the controller without shards.
    base: String,
    leases: Api<Lease>,
    times: Times,
}

impl Division {
    /// For the Leases of a controller, `base` without shards.
    pub(super) fn of(shard: Shard, base: &str, leases: Api<Lease>, times: Times) -> Self {
        Self { shard, name: shard.lease(base), base: base.to_owned(), leases, times }
    }

    /// The metadata of its Lease with the number of shards.
    pub(super) fn recorded(&self, mut metadata: ObjectMeta) -> ObjectMeta {
        if self.shard != Shard::WHOLE {
            let annotations = metadata.annotations.get_or_insert_default();
            annotations.insert(SHARDS.to_owned(), self.shard.count().to_string());
        }
        metadata
    }

    /// Waits until no shard of another division holds its Lease.
    pub(super) async fn wait_for_others(&self) {
        let mut observed = BTreeMap::new();
        let mut reported = String::new();
        loop {
            let message = match self.other_holders(&mut observed).await {
                Ok(others) if others.is_empty() => return,
                Ok(others) => {
                    let others: Vec<String> = others.into_iter().collect();
                    format!("waiting for shards of another division to end: {}", others.join(", "))
                }
                // An older role does not allow this. Then there has been no other division yet.
                Err(kube::Error::Api(status)) if status.code == 403 && self.shard == Shard::WHOLE => {
                    info!(error = status.message, "leases of shards cannot be listed");
                    return;
                }
                Err(error) => format!("the leases of other shards cannot be read; trying again: {error}"),
            };
            if message != reported {
                warn!(lease = self.name, shard = %self.shard, "{message}");
                reported = message;
            }
            sleep(self.times.retry).await;
        }
    }

    /// The Leases of other divisions that are held, each with its holder.
    async fn other_holders(
        &self,
        observed: &mut BTreeMap<String, Observed>,
    ) -> kube::Result<BTreeSet<String>> {
        let all = self.leases.list(&ListParams::default()).await?;
        let at = now();
        let mut stored: BTreeMap<String, Lease> =
            all.into_iter().map(|lease| (lease.name_any(), lease)).collect();
        // A Lease that this division took over since is no longer awaited, unlike one that was deleted.
        stored.retain(|name, lease| {
            let is_of_another = self.is_of_another_division(name, lease);
            if is_of_another {
                observed.entry(name.clone()).or_default();
            } else {
                observed.remove(name);
            }
            is_of_another
        });
        let mut held = BTreeSet::new();
        for (name, seen) in observed {
            let lease = stored.get(name);
            let spec = lease.and_then(|lease| lease.spec.as_ref());
            let by = spec.and_then(holder).unwrap_or("nobody");
            if seen.is_held(spec, self.times, at) {
                held.insert(format!("{name} (held by {by})"));
            } else if let Some(lease) = lease.filter(|_| by != "nobody")
                && !self.release_expired(lease).await?
            {
                held.insert(format!("{name} (held by {by})"));
            }
        }
        Ok(held)
    }

    /// Whether a Lease belongs to a shard of the same controller, of another number of shards.
    fn is_of_another_division(&self, name: &str, lease: &Lease) -> bool {
        let index = match name.strip_prefix(&self.base) {
            Some("") => None,
            Some(suffix) => match suffix.strip_prefix('-').and_then(|index| index.parse::<u16>().ok()) {
                Some(index) if index < MOST => Some(index),
                _ => return false,
            },
            None => return false,
        };
        let count = || lease.annotations().get(SHARDS).and_then(|count| count.parse().ok());
        let count = index.map_or(Some(1), |_| count());
        name != self.name && count != Some(self.shard.count())
    }

    /// Releases the expired Lease of a process that ended without doing so, so that nothing waits for it again. False if its holder
    /// is alive after all.
    async fn release_expired(&self, lease: &Lease) -> kube::Result<bool> {
        let spec = released(lease.spec.clone().unwrap_or_default());
        let released = Lease { spec: Some(spec), ..lease.clone() };
        match self.leases.replace(&lease.name_any(), &PostParams::default(), &released).await {
            Ok(_) => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 404 => Ok(true),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(false),
            Err(error) => Err(error),
        }
    }
}
