//! The end of an object whose subscription goes with it (behaviour reference 2.14; design section 5).
//!
//! ```text
//!  alive     finalizer, as long as there is something to clean up
//!  deleted   StatefulSet away ─> no pods left ─> Job ─> finalizer away
//!            └── anything that fails: told in the status, tried again, given up after [`LIMIT`] ──┘
//! ```
//!
//! The pods go first: a subscription with consumers cannot be removed, and the garbage collector takes the StatefulSet
//! only when the object is gone, which waits for us. Nothing here may keep an object, or its namespace, for ever.

use crate::backend::Backend;
use crate::children::{Ownership, View, ownership};
use crate::context::Context;
use crate::execute::{Keys, Progress};
use crate::jobs::{End, JobView};
use crate::reason::Reason;
use crate::reconcile::{Object, is_unmanaged, lower};
use crate::report::report;
use crate::status::Outcome;
use functionmesh_api::constants::{
    ANNOTATION_NEED_CLEANUP, FINALIZER_CLEANUP, LABEL_PULSAR_CLUSTER, LABEL_PULSAR_CLUSTER_SHORT,
};
use functionmesh_render::{Component, Workload, cleanup};
use functionmesh_runtime::apply::{ApplyError, ApplyMode};
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::refusal::Refusal;
use k8s_openapi::api::batch::v1::Job;
use kube::{Resource, ResourceExt};
use std::time::Duration;

/// How long an object waits for its cleanup, all together: longer than the Job's own deadline.
const LIMIT: Duration = Duration::from_secs(15 * 60);
/// How long the Job waits for the pods. A pod on a node that is gone never ends; the Job tries more than once.
const PODS: Duration = Duration::from_secs(90);

/// The Job to run once the object is deleted; none when there is nothing to remove, or it was asked not to.
pub fn job<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    backend: &Backend,
    cx: &Context<K>,
) -> Option<Job> {
    if is_skipped(object) {
        return None;
    }
    let mut job = cleanup(workload, &cx.environment, &backend.defaults)?;
    // A deletion in the foreground waits for, and removes, what blocks it: not this.
    for owner in job.metadata.owner_references.iter_mut().flatten() {
        owner.block_owner_deletion = Some(false);
    }
    Some(job)
}

/// Keeps the finalizer where there is something to clean up, and only there; removes the original's sleeping Job.
///
/// # Errors
/// When the API server refuses or fails.
pub async fn prepare<K: Component>(
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
    let key = Keys::of(workload).cleanup();
    if let Some(old) = cx.jobs.get(&key).filter(|job| is_replaced(object, job)) {
        cx.writer.delete(&old).await?;
        cx.jobs.removed(key, &old);
        progress.writes += 1;
    }
    Ok(())
}

/// What is left to do for an object that is being deleted.
///
/// # Errors
/// What trying again can help, until 15 minutes after the deletion.
pub async fn finish<K: Component>(object: &Object<K>, cx: &Context<K>) -> Result<Done, ApplyError> {
    if !holds(object, cx) {
        // Children go with their owner; nothing is created below an object that is being deleted.
        return Ok(Done::unchanged());
    }
    let (workload, job) = match planned(object, cx) {
        Ok(Some(planned)) => planned,
        Ok(None) => return release(object, 0, cx).await,
        Err(message) => return give_up(object, message, 0, cx).await,
    };
    let mut progress = Progress::default();
    match run(object, &workload, job, cx, &mut progress).await {
        Ok(Step::Wait(message, time)) => {
            let outcome = Outcome::CleanupPending { reason: Reason::CleanupRunning, message };
            let done = report(object, &outcome, progress.writes, cx).await?;
            Ok(done.again_in(time))
        }
        Ok(Step::Done) => release(object, progress.writes, cx).await,
        Ok(Step::Failed(message)) => give_up(object, message, progress.writes, cx).await,
        // Nothing can be created any more, so there is nothing to wait for.
        Err(error) if error.refusal() == Some(Refusal::NamespaceTerminating) => {
            release(object, progress.writes, cx).await
        }
        // It may succeed in a moment.
        Err(error) if !cx.failing.failed(object.meta()) && error.is_transient() => Err(error),
        Err(error) => {
            let outcome =
                Outcome::CleanupPending { reason: Reason::CleanupFailed, message: error.to_string() };
            report(object, &outcome, progress.writes, cx).await?;
            Err(error)
        }
    }
}

/// Where the cleanup stands.
enum Step {
    /// For what it waits, and when to look again.
    Wait(String, Duration),
    /// Everything is removed.
    Done,
    /// It will not succeed.
    Failed(String),
}

/// Goes on from where the caches show it to be.
async fn run<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    job: Job,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Step, ApplyError> {
    let age = age(object);
    let left = LIMIT.saturating_sub(age);
    if left.is_zero() {
        return Ok(Step::Failed(format!("not finished within {} minutes", LIMIT.as_secs() / 60)));
    }
    let keys = Keys::of(workload);
    let known: Option<JobView> = cx.jobs.get(&keys.cleanup());
    match known {
        Some(known) if is_ours(object, &known) => match known.end {
            Some(End::Complete) => return Ok(Step::Done),
            Some(End::Failed(words)) => return Ok(Step::Failed(words)),
            None if known.metadata.deletion_timestamp.is_none() => {
                return Ok(Step::Wait(format!("Job {} is running", known.name_any()), left));
            }
            None => return Ok(Step::Wait(format!("Job {} is being removed", known.name_any()), left)),
        },
        Some(known) if is_replaced(object, &known) => {
            cx.writer.delete(&known).await?;
            cx.jobs.removed(keys.cleanup(), &known);
            progress.writes += 1;
        }
        Some(known) => return Ok(Step::Failed(format!("Job {} belongs to somebody else", known.name_any()))),
        None => {}
    }
    if let Some(set) = cx.stateful_sets.get(&keys.same())
        && set.metadata.deletion_timestamp.is_none()
        && owned(object, &set.metadata)
    {
        cx.writer.delete(&set).await?;
        cx.stateful_sets.removed(keys.same(), &set);
        progress.writes += 1;
    }
    let patience = PODS.saturating_sub(age);
    if cx.has_pods(object) && !patience.is_zero() {
        return Ok(Step::Wait("waiting for the pods to end".to_owned(), patience));
    }
    let applied = cx.writer.apply(&workload.namespace, ApplyMode::Create, &job).await;
    let mut answer: JobView = match applied {
        // One of ours without the label by which it is watched: it gets that again.
        Err(conflict @ ApplyError::NameConflict { .. }) => {
            let owner = object.controller_owner_ref(&()).unwrap_or_default();
            if !cx.find("Job", workload, &owner).await? {
                return Err(conflict);
            }
            let mut job = job;
            job.metadata.uid = cx.jobs.get(&keys.cleanup()).and_then(|known| known.uid());
            cx.writer.apply(&workload.namespace, ApplyMode::Update, &job).await?
        }
        applied => applied?,
    };
    answer.trim(cx.writer.manager());
    let name = answer.name_any();
    cx.jobs.wrote(keys.cleanup(), answer);
    progress.writes += 1;
    Ok(Step::Wait(format!("Job {name} is running"), left))
}

/// The Job to run, unless there is none.
fn planned<K: Component>(object: &Object<K>, cx: &Context<K>) -> Result<Option<(Workload, Job)>, String> {
    if is_unmanaged(object) || is_skipped(object) {
        return Ok(None);
    }
    let workload = lower(object).map_err(|refused| refused.message().to_owned())?;
    let backend = cx.backend_configs.of(&workload.namespace)?;
    Ok(job(object, &workload, &backend, cx).map(|job| (workload, job)))
}

/// Tells in the status and an Event what was left behind, and lets the object go.
async fn give_up<K: Component>(
    object: &Object<K>,
    message: String,
    writes: u32,
    cx: &Context<K>,
) -> Result<Done, ApplyError> {
    let message =
        format!("the cleanup failed and is given up, what it should remove is left in Pulsar: {message}");
    let outcome = Outcome::CleanupPending { reason: Reason::CleanupFailed, message };
    let done = report(object, &outcome, writes, cx).await?;
    release(object, done.writes, cx).await
}

async fn release<K: Component>(object: &Object<K>, writes: u32, cx: &Context<K>) -> Result<Done, ApplyError> {
    set_finalizer(object, false, cx).await?;
    Ok(Done::applied(writes + 1))
}

async fn set_finalizer<K: Component>(
    object: &Object<K>,
    wanted: bool,
    cx: &Context<K>,
) -> Result<(), ApplyError> {
    let answered = cx.writer.set_finalizer(object, FINALIZER_CLEANUP, wanted).await?;
    // The answer to the patch that lets an object go has the version from before it, and that to one that is gone has
    // none; whatever follows is newer by one at least.
    let leaves = !wanted && object.meta().deletion_timestamp.is_some();
    let newer = functionmesh_runtime::recent::version(object).max(answered) + u64::from(leaves);
    cx.finalizers.wrote(object, newer, wanted);
    Ok(())
}

/// Whether the finalizer is there, as far as is known.
fn holds<K: Component>(object: &Object<K>, cx: &Context<K>) -> bool {
    cx.finalizers.newest(object, |object| object.finalizers().iter().any(|name| name == FINALIZER_CLEANUP))
}

/// Whether nobody is to clean up: asked so by the user, or another does it.
fn is_skipped<K: Component>(object: &Object<K>) -> bool {
    let labelled = [LABEL_PULSAR_CLUSTER, LABEL_PULSAR_CLUSTER_SHORT];
    labelled.iter().any(|label| object.labels().contains_key(*label))
        || object.annotations().get(ANNOTATION_NEED_CLEANUP).is_some_and(|value| value == "false")
}

fn is_ours<K: Component>(object: &Object<K>, job: &JobView) -> bool {
    owned(object, &job.metadata)
}

/// Whether a Job is the original's, in the place of ours.
fn is_replaced<K: Component>(object: &Object<K>, job: &JobView) -> bool {
    job.metadata.deletion_timestamp.is_none() && job.is_of_the_original(object.meta().uid.as_deref())
}

fn owned<K: Component>(object: &Object<K>, child: &kube::core::ObjectMeta) -> bool {
    object.controller_owner_ref(&()).is_some_and(|owner| ownership(child, &owner) == Ownership::Ours)
}

/// Time since the object was deleted.
fn age<K: Component>(object: &Object<K>) -> Duration {
    let deleted = object.meta().deletion_timestamp.as_ref().map(|time| time.0.as_second());
    let now = functionmesh_runtime::condition::now().0.as_second();
    Duration::from_secs(u64::try_from(now - deleted.unwrap_or(now)).unwrap_or_default())
}
