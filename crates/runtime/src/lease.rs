//! Leader election by a Lease, with the protocol and the clock rules of client-go
//! (docs/decisions/0039-leader-election.md).
//!
//! Compare-and-swap by resource version; whether a holder is alive is judged by when its entry was last *seen* to change,
//! never by the times in it, so that clocks may differ by hours. A leader that cannot renew closes the [`WriteFence`] for its
//! writes well before another replica may take the lease, and exits. Two things differ from client-go: a renewal is one
//! request, with no read before it; and a deleted Lease counts as held for as long as its last holder was.

mod division;
mod entry;

use crate::args::ProcessArgs;
use crate::write_fence::{WriteFence, now};
use anyhow::{Context, bail};
use division::Division;
use entry::{LONGEST, Observed, Times, holder, released};
use functionmesh_objects::shard::Shard;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use kube::api::{Api, PostParams};
use kube::core::ObjectMeta;
use kube::{Client, ResourceExt};
use std::future::Future;
use std::hash::{BuildHasher, RandomState};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;
use tracing::{debug, info, warn};

const NAMESPACE_FILE: &str = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/// A candidate in the election.
#[derive(Clone)]
pub(crate) struct Election {
    leases: Api<Lease>,
    name: String,
    division: Division,
    identity: String,
    times: Times,
    fence: WriteFence,
}

/// A lease that is held, as it was last written.
struct Held {
    lease: Lease,
    /// Taken before the request was sent: other replicas may see the entry before the response arrives.
    since: Duration,
}

/// Prepares the election. `client` is for the lease alone; the fence is that of the client for the work.
///
/// # Errors
/// If the namespace is unknown or the durations are inconsistent.
pub(crate) fn election(
    name: &str,
    client: Client,
    fence: WriteFence,
    args: &ProcessArgs,
    shard: Shard,
) -> anyhow::Result<Election> {
    let (duration, deadline, retry) =
        (args.lease_duration, args.lease_renew_deadline, args.lease_retry_period);
    if !(retry < deadline && deadline < duration) {
        bail!(
            "--lease-retry-period ({retry:?}) must be below --lease-renew-deadline ({deadline:?}), \
             and that below --lease-duration ({duration:?})"
        );
    }
    if duration > LONGEST {
        bail!("--lease-duration ({duration:?}) must be {LONGEST:?} at most");
    }
    let leases: Api<Lease> = Api::namespaced(client, &namespace(args)?);
    let base = args.lease_name.as_deref().unwrap_or(name);
    let times = Times { duration, deadline, retry };
    Ok(Election {
        name: shard.lease(base),
        division: Division::of(shard, base, leases.clone(), times),
        leases,
        identity: identity(),
        times,
        fence,
    })
}

impl Election {
    /// Waits for the lease, and runs the work while it is held. The lease is released when the work ends.
    ///
    /// # Errors
    /// Those of the work; if the lease is lost, the work is dropped.
    pub(crate) async fn lead<T>(self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let held = self.acquire().await;
        info!(lease = self.name, identity = self.identity, "lease acquired");
        // A separate task: a long step of the work must not delay a renewal.
        let mut renewal = AbortOnDropHandle::new(tokio::spawn(self.clone().renew_until_lost(held)));
        let work = async {
            self.division.wait_for_others().await;
            work.await
        };
        tokio::select! {
            ended = work => {
                self.fence.close();
                renewal.abort();
                // The renewal has ended before the release, which it must not undo.
                let _aborted = renewal.await;
                self.release().await;
                ended
            }
            lost = &mut renewal => {
                self.fence.close();
                bail!("the lease was lost: {}", lost.unwrap_or_else(|error| error.to_string()))
            }
        }
    }

    async fn acquire(&self) -> Held {
        let mut observed = Observed::default();
        let mut reported = String::new();
        loop {
            match self.try_acquire(&mut observed).await {
                Ok(Some(held)) => {
                    self.fence.extend(held.since + self.times.deadline);
                    return held;
                }
                Ok(None) => reported.clear(),
                // Logged once for each kind of failure: this repeats while another replica holds the lease or a permission is
                // missing.
                Err(error) if error.to_string() == reported => debug!(error = reported, "lease not acquired"),
                Err(error) => {
                    reported = error.to_string();
                    warn!(
                        lease = self.name,
                        error = reported,
                        "the lease cannot be read or written; trying again"
                    );
                }
            }
            // Up to a quarter less, so that several standbys do not retry at the same moment.
            let random = u32::try_from(RandomState::new().hash_one(()) % 256).unwrap_or_default();
            sleep(self.times.retry * (1024 - random) / 1024).await;
        }
    }

    /// Takes the lease if it is free.
    async fn try_acquire(&self, observed: &mut Observed) -> kube::Result<Option<Held>> {
        let stored = self.leases.get_opt(&self.name).await?;
        let since = now();
        let spec = stored.as_ref().map(|lease| lease.spec.clone().unwrap_or_default());
        // The controller's own entry: the response to an earlier attempt was lost.
        let ours = spec.as_ref().is_some_and(|spec| holder(spec) == Some(&self.identity));
        if !ours && observed.is_held(spec.as_ref(), self.times, since) {
            return Ok(None);
        }
        let written = match stored {
            Some(lease) => {
                let spec = self.entry(spec.as_ref().filter(|_| ours), lease.spec.as_ref());
                let metadata = self.division.recorded(lease.metadata);
                let lease = Lease { metadata, spec: Some(spec) };
                self.leases.replace(&self.name, &PostParams::default(), &lease).await
            }
            None => self.create().await,
        };
        match written {
            Ok(lease) => Ok(Some(Held { lease, since })),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Keeps the lease, and returns the reason once it is lost.
    async fn renew_until_lost(self, mut held: Held) -> String {
        let Times { deadline, retry, .. } = self.times;
        sleep((held.since + self.times.interval()).saturating_sub(now())).await;
        loop {
            let left = (held.since + deadline).saturating_sub(now());
            if left.is_zero() {
                return format!("it could not be renewed for {deadline:?}");
            }
            let since = now();
            // A timeout of one request leaves time for another.
            match timeout(left * 4 / 5, self.renew(&held.lease)).await {
                Ok(Ok(Some(lease))) => {
                    held = Held { lease, since };
                    self.fence.extend(since + deadline);
                    sleep((since + self.times.interval()).saturating_sub(now())).await;
                    continue;
                }
                Ok(Ok(None)) => return "another replica holds it".to_owned(),
                Ok(Err(error)) => {
                    warn!(lease = self.name, error = %error, "the lease was not renewed; trying again");
                }
                Err(_elapsed) => {
                    warn!(lease = self.name, "no answer to the renewal of the lease; trying again");
                }
            }
            let pause = (since + retry).min(held.since + deadline).saturating_sub(now());
            sleep(pause.max(Duration::from_millis(100))).await;
        }
    }

    /// Renews the entry; none if another replica holds the lease.
    async fn renew(&self, known: &Lease) -> kube::Result<Option<Lease>> {
        let spec = self.entry(known.spec.as_ref(), known.spec.as_ref());
        let lease = Lease { spec: Some(spec), ..known.clone() };
        match self.leases.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(lease) => return Ok(Some(lease)),
            Err(kube::Error::Api(status)) if status.code == 409 || status.code == 404 => {}
            Err(error) => return Err(error),
        }
        let (stored, written) = match self.leases.get_opt(&self.name).await? {
            Some(stored) => {
                let spec = stored.spec.clone().unwrap_or_default();
                if holder(&spec) != Some(&self.identity) {
                    return Ok(None);
                }
                let lease = Lease { spec: Some(self.entry(Some(&spec), Some(&spec))), ..stored };
                (true, self.leases.replace(&self.name, &PostParams::default(), &lease).await)
            }
            // Deleted. Standbys count it as held for as long as if it existed.
            None => (false, self.create().await),
        };
        match written {
            Ok(lease) => Ok(Some(lease)),
            // Another replica created it between the read and the write, and is the leader now.
            Err(kube::Error::Api(status)) if status.code == 409 && !stored => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn create(&self) -> kube::Result<Lease> {
        let metadata = ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() };
        let lease = Lease { metadata: self.division.recorded(metadata), spec: Some(self.entry(None, None)) };
        self.leases.create(&PostParams::default(), &lease).await
    }

    /// The entry of this replica: a renewal of `ours`, or a new term after `before`.
    fn entry(&self, ours: Option<&LeaseSpec>, before: Option<&LeaseSpec>) -> LeaseSpec {
        let time = Some(MicroTime(jiff::Timestamp::now()));
        let seconds = i32::try_from(self.times.duration.as_secs()).unwrap_or(i32::MAX);
        let terms = before.map_or(0, |spec| spec.lease_transitions.unwrap_or_default().saturating_add(1));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: Some(seconds),
            acquire_time: ours.map_or_else(|| time.clone(), |spec| spec.acquire_time.clone()),
            lease_transitions: ours.map_or(Some(terms), |spec| spec.lease_transitions),
            renew_time: time,
            ..LeaseSpec::default()
        }
    }

    /// Releases the lease, so that a standby need not wait until it expires. Best effort.
    async fn release(&self) {
        let released = async {
            let Some(lease) = self.leases.get_opt(&self.name).await? else { return Ok(()) };
            let spec = lease.spec.clone().unwrap_or_default();
            if holder(&spec) != Some(&self.identity) {
                return Ok(());
            }
            let lease = Lease { spec: Some(released(spec)), ..lease };
            self.leases.replace(&lease.name_any(), &PostParams::default(), &lease).await.map(drop)
        };
        match released.await {
            Ok(()) => info!(lease = self.name, "lease released"),
            Err(error) => {
                let error: kube::Error = error;
                warn!(lease = self.name, error = %error, "the lease was not released; it ends by itself");
            }
        }
    }
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

/// The pod's name, and a suffix that distinguishes two processes of the same name.
fn identity() -> String {
    let name = ["POD_NAME", "HOSTNAME"].iter().find_map(|v| std::env::var(v).ok());
    let started = SystemTime::now().duration_since(UNIX_EPOCH).map(|d| d.as_nanos()).unwrap_or_default();
    format!("{}_{}-{started:x}", name.as_deref().unwrap_or("controller"), std::process::id())
}
