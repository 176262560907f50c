//! Leader election by a Lease, with the protocol and the clock rules of client-go.
//!
//! The elector is that of the crate `k8s-controller`: compare-and-swap by resource version, expiry by locally observed
//! time. It stands behind this module so that it can be replaced.

use crate::args::ProcessArgs;
use anyhow::{Context, bail};
use k8s_controller::LeaderElection;
use kube::Client;
use std::time::{SystemTime, UNIX_EPOCH};

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// Prepares the election.
///
/// # Errors
/// When the namespace is unknown or the times do not fit together.
pub(crate) fn election(name: &str, client: Client, args: &ProcessArgs) -> anyhow::Result<LeaderElection> {
    let (duration, renew, retry) = (args.lease_duration, args.lease_renew_deadline, args.lease_retry_period);
    if !(retry < renew && renew < duration) {
        bail!(
            "--lease-retry-period ({retry:?}) must be below --lease-renew-deadline ({renew:?}), \
             and that below --lease-duration ({duration:?})"
        );
    }
    let lease = args.lease_name.as_deref().unwrap_or(name);
    Ok(LeaderElection::new(client, &namespace(args)?, lease, &identity())
        .with_lease_duration(duration)
        .with_renew_deadline(renew)
        .with_retry_period(retry))
}

fn namespace(args: &ProcessArgs) -> anyhow::Result<String> {
    if let Some(namespace) = &args.lease_namespace {
        return Ok(namespace.clone());
    }
    if let Ok(namespace) = std::env::var("POD_NAMESPACE") {
        return Ok(namespace);
    }
    std::fs::read_to_string(NAMESPACE_FILE).map(|n| n.trim().to_owned()).context(
        "the namespace of the lease is unknown: give --lease-namespace, or --leader-elect=false for a single process",
    )
}

/// The pod's name, and a suffix that makes two processes of one name different.
fn identity() -> String {
    let name = ["POD_NAME", "HOSTNAME"].iter().find_map(|v| std::env::var(v).ok());
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_nanos()).unwrap_or_default();
    format!("{}_{}-{started:x}", name.as_deref().unwrap_or("controller"), std::process::id())
}
