//! The reconcile of one object, on one screen.
//!
//! Each stage takes the result of the stage before it, so none can be left out: [`Lowered`], [`Dereferenced`], [`Rendered`],
//! [`Converged`]. An early end is an [`Early`]; either way there is one report.

use crate::apply::Progress;
use crate::context::Context;
use crate::converge::{Converged, converge};
use crate::finalize;
use crate::incomplete;
use crate::object::{Object, is_unmanaged};
use crate::report::report;
use crate::rescale::{self, rescale};
use crate::stages::{Dereferenced, Early, Lowered, Rendered};
use functionmesh_plan::health::reason::Reason;
use functionmesh_render::{Component, Workload};
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::mutation_cache::GRACE;
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::terminating_namespaces::HOLD;
use kube::Resource;
use std::sync::Arc;

/// Makes the cluster match the object, and reports the result in its status.
///
/// # Errors
/// Errors to retry: the API server refused, failed or did not respond.
pub(crate) async fn reconcile<K: Component>(
    object: Arc<Object<K>>,
    cx: Arc<Context<K>>,
) -> Result<Done, ApplyError> {
    if object.meta().deletion_timestamp.is_some() {
        return Box::pin(finalize::finish(&object, &cx)).await;
    }
    let mut progress = Progress::default();
    // On the heap: it contains rendered objects while it waits.
    let end = Box::pin(stages(&object, &cx, &mut progress)).await;
    Box::pin(report_end(&object, end, progress, &cx)).await
}

/// The stages before the report.
async fn stages<K: Component>(
    object: &Object<K>,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Converged, Early> {
    if is_unmanaged(object) {
        return Err(Early::Unmanaged);
    }
    if let Some(wait) = cx.terminating_namespaces.hold(object.meta()) {
        return Err(Early::Hold(wait));
    }
    let lowered = Lowered::of(object)?;
    let dereferenced = Dereferenced::of(lowered, cx);
    let rendered = Rendered::of(object, &dereferenced, cx);
    Box::pin(converge(object, dereferenced, rendered, cx, progress)).await
}

/// What happens after the report.
enum Then {
    /// Nothing until the next event.
    Settled,
    /// A retry with backoff.
    Retry(ApplyError),
    /// The children match the rendering, and the caches will show their writes.
    Converged(Box<Workload>),
}

/// Reports how the stages ended.
async fn report_end<K: Component>(
    object: &Object<K>,
    end: Result<Converged, Early>,
    mut progress: Progress,
    cx: &Context<K>,
) -> Result<Done, ApplyError> {
    let (outcome, then) = match end {
        Ok(Converged { workload, outcome }) => (Some(outcome), Then::Converged(workload)),
        Err(Early::Unmanaged) => return Ok(Done::unchanged()),
        Err(Early::Hold(wait)) => return Ok(Done::unchanged().again_in(wait)),
        // The object is about to be deleted with its namespace: a status would be lost.
        Err(Early::NamespaceTerminating) => {
            cx.terminating_namespaces.record(object.meta());
            return Ok(Done::unchanged().again_in(HOLD));
        }
        // For an object that cannot be rendered, only the number of replicas is updated.
        Err(Early::Refused(refused)) => match rescale(object, cx, &mut progress).await {
            Ok(live) => (Some(rescale::with(refused, &progress, live)), Then::Settled),
            Err(error) => (Some(rescale::with(refused, &progress, None)), Then::Retry(error)),
        },
        Err(Early::Failed { workload, failed, error }) => {
            // A retry cannot succeed.
            let settled = matches!(failed.reason, Reason::RecreateRequired | Reason::TooLarge);
            let lasts = cx.failing.failed(object.meta()) || !error.is_transient();
            let failed = Some(failed).filter(|_| lasts);
            let outcome = incomplete::outcome(object, &workload, failed, &progress, cx);
            (outcome, if settled { Then::Settled } else { Then::Retry(error) })
        }
    };
    let done = match outcome {
        Some(outcome) => report(object, &outcome, progress.writes, cx).await?,
        None => incomplete::unreported(object, &progress, cx),
    };
    match then {
        Then::Settled => Ok(done),
        Then::Retry(error) => Err(error),
        Then::Converged(workload) => {
            if let Some(error) = progress.unread {
                return Err(error);
            }
            cx.failing.succeeded(object.meta());
            Ok(if cx.awaits_children(&workload) { done.again_in(GRACE) } else { done })
        }
    }
}
