//! Deletion of an object whose subscription is removed with it (docs/decisions/0023-cleanup-at-deletion.md).
//!
//! ```text
//!  alive     finalizer, as long as there is something to clean up
//!  deleted   delete StatefulSet ─> no pods left ─> its turn ─> Job ─> remove finalizer
//!            └── any failure: reported in the status, retried, abandoned some time after the first attempt ──┘
//!  orphaned  remove finalizer: pods that Kubernetes leaves in place keep their subscription
//! ```
//!
//! The pods are deleted first: a subscription with consumers cannot be removed, and the garbage collector deletes the
//! StatefulSet only after the object is gone, which waits for the finalizer. No cleanup is abandoned before it was attempted
//! ([`clock`]), and no attempt blocks another ([`turns`]): a Job that cannot start gives its slot away.

pub(crate) mod cleanups;
mod clock;
pub(crate) mod job;
mod turns;

use crate::apply::Progress;
use crate::child_names::ChildNames;
use crate::context::Context;
use crate::finalize::job::job;
use crate::finalize::turns::{Known, Place};
use crate::object::{Object, is_unmanaged, lower};
use crate::report::report;
use functionmesh_api::constants::{ANNOTATION_NEED_CLEANUP, FINALIZER_CLEANUP};
use functionmesh_objects::refusal::Refusal;
use functionmesh_plan::deletion::is_skipped;
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::observed::job::{End, JobView};
use functionmesh_plan::observed::ownership::{Ownership, ownership};
use functionmesh_plan::observed::view::View;
use functionmesh_plan::outcome::Outcome;
use functionmesh_render::{Component, Workload};
use functionmesh_runtime::apply::ApplyMode;
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::clock::now;
use functionmesh_runtime::mutation_cache::GRACE;
use functionmesh_runtime::observe::Done;
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use std::time::Duration;
use tracing::warn;

/// How long the Job waits for the pods. A pod on a lost node never terminates; the Job tries more than once.
const PODS: Duration = Duration::from_secs(90);
/// How long a Job may take to start its pod. After that it is reported, and no longer counts as a running one: a Job that cannot
/// start must not delay the others.
const START: Duration = Duration::from_secs(60);
/// When to check again although an event is expected.
const AGAIN: Duration = Duration::from_secs(60);
/// Finalizer of the garbage collector while it orphans children: it removes their owner references.
const ORPHAN: &str = "orphan";

/// Adds the finalizer to objects with something to clean up, and removes it from all others; removes the sleeping Job of the Go
/// operator.
///
/// # Errors
/// If the API server refuses or fails.
pub(crate) async fn prepare<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    wanted: bool,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<(), ApplyError> {
    if wanted != holds(object, cx) {
        set_finalizer(object, wanted, cx).await?;
        progress.writes += 1;
    }
    let key = ChildNames::of(workload).cleanup();
    if let Some(old) = cx.jobs.get(&key).filter(|job| is_replaced(object, job)) {
        cx.writer.delete(&old).await?;
        cx.jobs.removed(key, &old);
        progress.writes += 1;
    }
    Ok(())
}

/// Continues the deletion of an object.
///
/// # Errors
/// Errors that a retry may fix, until the time limit of the cleanup.
pub(crate) async fn finish<K: Component>(object: &Object<K>, cx: &Context<K>) -> Result<Done, ApplyError> {
    if !holds(object, cx) {
        // Children are deleted with their owner; nothing is created for an object that is being deleted.
        return Ok(Done::unchanged());
    }
    let finished = Box::pin(step(object, cx)).await;
    // The object may have freed a slot.
    cx.cleanups.wake_next(cx);
    finished
}

async fn step<K: Component>(object: &Object<K>, cx: &Context<K>) -> Result<Done, ApplyError> {
    let (workload, job) = match planned(object, cx) {
        Ok(planned) => planned,
        Err(Unplanned::Nothing) => return release(object, 0, cx).await,
        Err(Unplanned::Invalid(message)) => return give_up(object, message, 0, cx).await,
    };
    if is_orphaned(object, &workload, cx) {
        return release(object, 0, cx).await;
    }
    let mut progress = Progress::default();
    match run(object, &workload, job, cx, &mut progress).await {
        Ok(Step::Wait(message, time)) => {
            let outcome = Outcome::CleanupPending { reason: Reason::CleanupRunning, message };
            let done = report(object, &outcome, progress.writes, cx).await?;
            // A Job that no cache shows triggers no reconcile: one that lost its label, or was deleted, right after it was created.
            let unseen = cx.jobs.awaits(&ChildNames::of(&workload).cleanup());
            Ok(done.again_in(if unseen { time.min(GRACE) } else { time }))
        }
        Ok(Step::Done) => release(object, progress.writes, cx).await,
        Ok(Step::Failed(message)) => give_up(object, message, progress.writes, cx).await,
        // Nothing can be created any more, so there is nothing to wait for.
        Err(error) if error.refusal() == Some(Refusal::NamespaceTerminating) => {
            release(object, progress.writes, cx).await
        }
        // A retry may succeed shortly.
        Err(error) if !cx.failing.failed(object.meta()) && error.is_transient() => Err(error),
        // A quota that other objects have used up delays the attempt. Any other refusal counts as an attempt.
        Err(error) if error.refusal() == Some(Refusal::QuotaExceeded) => {
            let message = format!("waiting for the quota of the namespace: {}", error.user_message());
            let outcome = Outcome::CleanupPending { reason: Reason::CleanupRunning, message };
            report(object, &outcome, progress.writes, cx).await?;
            Err(error)
        }
        Err(error) if cx.cleanups.clock.left(uid(object)).is_zero() => {
            give_up(object, error.user_message(), progress.writes, cx).await
        }
        Err(error) => {
            let outcome =
                Outcome::CleanupPending { reason: Reason::CleanupFailed, message: error.user_message() };
            report(object, &outcome, progress.writes, cx).await?;
            Err(error)
        }
    }
}

/// The state of the cleanup.
enum Step {
    /// In progress: the message, and when to check again.
    Wait(String, Duration),
    /// The subscription is removed.
    Done,
    /// The cleanup has failed.
    Failed(String),
}

/// Continues from the state that the caches show.
async fn run<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    job: Job,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Step, ApplyError> {
    let seen = cx.cleanups.clock.since_first_reconcile(uid(object));
    let names = ChildNames::of(workload);
    let known: Option<JobView> = cx.jobs.get(&names.cleanup());
    match known {
        Some(known) if is_ours(object, &known) => return Ok(of_job(object, &known, cx)),
        Some(known) if is_replaced(object, &known) => {
            cx.writer.delete(&known).await?;
            cx.jobs.removed(names.cleanup(), &known);
            progress.writes += 1;
        }
        Some(known) => {
            return Ok(Step::Failed(format!("Job {} belongs to another object", known.name_any())));
        }
        None => {}
    }
    if let Some(set) = cx.stateful_set(&names.same())
        && set.metadata.deletion_timestamp.is_none()
        && owned(object, &set.metadata)
    {
        cx.writer.delete(&set).await?;
        cx.stateful_sets.removed(names.same(), &set);
        progress.writes += 1;
    }
    let patience = PODS.saturating_sub(seen);
    if cx.has_pods(object) && !patience.is_zero() {
        return Ok(Step::Wait("waiting for the pods to end".to_owned(), patience));
    }
    let Some(turn) = cx.cleanups.turns.take(&Place::of(object), cx) else {
        let limit = cx.cleanups.turns.limit();
        let message = format!(
            "waiting for its turn: at most {limit} cleanup Jobs run at a time (--cleanup-concurrency of the controller), \
             those of objects that were deleted earlier first"
        );
        return Ok(Step::Wait(message, AGAIN));
    };
    let applied = cx.writer.apply(&workload.namespace, ApplyMode::Create, &job).await;
    let mut answer: JobView = match applied {
        // A Job of this operator that lost the label that the watch selects: the label is restored.
        Err(conflict @ ApplyError::NameConflict { .. }) => {
            let owner = object.controller_owner_ref(&()).unwrap_or_default();
            if !cx.find("Job", workload, &owner).await? {
                return Err(conflict);
            }
            let mut job = job;
            job.metadata.uid = cx.jobs.get(&names.cleanup()).and_then(|known| known.uid());
            cx.writer.apply(&workload.namespace, ApplyMode::Update, &job).await?
        }
        applied => applied?,
    };
    answer.prune(cx.writer.manager());
    let step = of_job(object, &answer, cx);
    cx.jobs.wrote(names.cleanup(), answer);
    // The cache shows it from here on.
    drop(turn);
    progress.writes += 1;
    Ok(step)
}

/// The result of the Job.
fn of_job<K: Component>(object: &Object<K>, job: &JobView, cx: &Context<K>) -> Step {
    let name = job.name_any();
    match &job.end {
        Some(End::Complete) => return Step::Done,
        Some(End::Failed(text)) => return Step::Failed(format!("Job {name}: {text}")),
        None => {}
    }
    let terminating = job.metadata.deletion_timestamp.is_some();
    if terminating || job.started {
        let left = cx.cleanups.clock.left(uid(object));
        if left.is_zero() {
            let minutes = cx.cleanups.clock.limit().as_secs().div_ceil(60);
            return Step::Failed(format!(
                "Job {name} did not finish within {minutes} minutes of its first attempt"
            ));
        }
        let what = if terminating { "being removed" } else { "running" };
        return Step::Wait(format!("Job {name} is {what}"), left);
    }
    match START.checked_sub(job.age(&now())) {
        Some(left) if !left.is_zero() => Step::Wait(format!("Job {name} is running"), left),
        _ => {
            let message = format!(
                "the pod of Job {name} has not started: `kubectl describe job {name}` and its pod show the reason; to delete this \
                 object without the cleanup, annotate it with {ANNOTATION_NEED_CLEANUP}=false"
            );
            Step::Wait(message, AGAIN * 10)
        }
    }
}

impl<K: Component> Known for Context<K> {
    fn running(&self) -> usize {
        let kind = K::kind(&());
        self.jobs.count(|job| {
            job.end.is_none()
                && (job.started || job.age(&now()) < START)
                && job.owner_references().iter().any(|owner| owner.kind == kind)
        })
    }

    fn waits(&self, place: &Place) -> bool {
        let key = ObjectRef::new(&place.name).within(&place.namespace);
        self.finalizers.at(&key).is_some_and(|object| place.is_of(object.as_ref()))
    }
}

/// Why there is no Job to run.
enum Unplanned {
    /// There is nothing to clean up.
    Nothing,
    /// The spec of the object cannot be rendered.
    Invalid(String),
}

/// The Job to run.
fn planned<K: Component>(object: &Object<K>, cx: &Context<K>) -> Result<(Workload, Job), Unplanned> {
    if is_unmanaged(object) || is_skipped(object.meta()) {
        return Err(Unplanned::Nothing);
    }
    let workload = lower(object).map_err(|refused| Unplanned::Invalid(refused.message().to_owned()))?;
    // A refused BackendConfig is left out; the cleanup continues without it.
    let backend = cx.backend_configs.of(&workload.namespace);
    let job = job(object, &workload, &backend, cx).ok_or(Unplanned::Nothing)?;
    Ok((workload, job))
}

/// Reports the remains in Pulsar in the status and an Event, and removes the finalizer even if the report fails.
async fn give_up<K: Component>(
    object: &Object<K>,
    message: String,
    writes: u32,
    cx: &Context<K>,
) -> Result<Done, ApplyError> {
    let message =
        format!("the cleanup failed and was abandoned; the subscriptions remain in Pulsar: {message}");
    let outcome = Outcome::CleanupPending { reason: Reason::CleanupFailed, message };
    let writes = match report(object, &outcome, writes, cx).await {
        Ok(done) => done.writes,
        Err(error) => {
            warn!(object = object.name_any(), error = %error, "cannot write the status of a failed cleanup");
            cx.events.failed(object, Reason::CleanupFailed.as_str(), outcome.message()).await;
            writes
        }
    };
    release(object, writes, cx).await
}

async fn release<K: Component>(object: &Object<K>, writes: u32, cx: &Context<K>) -> Result<Done, ApplyError> {
    set_finalizer(object, false, cx).await?;
    cx.cleanups.turns.leave(&Place::of(object));
    cx.cleanups.clock.remove(uid(object));
    Ok(Done::applied(writes + 1))
}

async fn set_finalizer<K: Component>(
    object: &Object<K>,
    wanted: bool,
    cx: &Context<K>,
) -> Result<(), ApplyError> {
    let answered = cx.writer.set_finalizer(object, FINALIZER_CLEANUP, wanted).await?;
    // The response to the patch that removes the last finalizer has the version from before it, and there is no response about a
    // deleted object. Any later version is newer by at least one.
    let leaves = !wanted && object.meta().deletion_timestamp.is_some();
    let newer = functionmesh_runtime::mutation_cache::version(object).max(answered) + u64::from(leaves);
    cx.finalizers.wrote(object, newer, wanted);
    Ok(())
}

/// Whether the finalizer is set, as far as is known.
fn holds<K: Component>(object: &Object<K>, cx: &Context<K>) -> bool {
    cx.finalizers.newest(object, |object| object.finalizers().iter().any(|name| name == FINALIZER_CLEANUP))
}

fn is_ours<K: Component>(object: &Object<K>, job: &JobView) -> bool {
    owned(object, &job.metadata)
}

/// Whether a Job of that name was created by the Go operator.
fn is_replaced<K: Component>(object: &Object<K>, job: &JobView) -> bool {
    job.metadata.deletion_timestamp.is_none() && job.is_of_the_go_operator(object.meta().uid.as_deref())
}

fn owned<K: Component>(object: &Object<K>, child: &kube::core::ObjectMeta) -> bool {
    object.controller_owner_ref(&()).is_some_and(|owner| ownership(child, &owner) == Ownership::Ours)
}

/// Whether the children are to be orphaned (`kubectl delete --cascade=orphan`). The garbage collector's finalizer shows it while
/// it removes their owner references; afterwards a StatefulSet without an owner does.
fn is_orphaned<K: Component>(object: &Object<K>, workload: &Workload, cx: &Context<K>) -> bool {
    let set = || cx.stateful_set(&ChildNames::of(workload).same());
    object.finalizers().iter().any(|name| name == ORPHAN)
        || set().is_some_and(|set| {
            set.metadata.deletion_timestamp.is_none()
                && set.metadata.owner_references.iter().flatten().all(|owner| owner.controller != Some(true))
        })
}

fn uid<K: Component>(object: &Object<K>) -> &str {
    object.meta().uid.as_deref().unwrap_or_default()
}
