//! Carries out a plan: the writes, in order. Each response is kept until the cache shows it.

use crate::child_names::ChildNames;
use crate::context::Context;
use crate::patch::{self, Adjusted};
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_objects::managed_fields;
use functionmesh_objects::refusal::Refusal;
use functionmesh_plan::observed::statefulset::StatefulSetView;
use functionmesh_plan::observed::view::View;
use functionmesh_plan::plan::{Observed, Pending, Plan, StatefulSetWrite, Write};
use functionmesh_render::{Component, RENDERED_HASH, Workload, rendered_hash};
use functionmesh_runtime::apply::{ApplyMode, Writer};
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::clock;
use functionmesh_runtime::mutation_cache::MutationCache;
use functionmesh_runtime::reassign::reassign;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use std::fmt::Debug;

/// The writes so far, also after an error.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// Number of writes.
    pub(crate) writes: u32,
    /// Kinds of the children that were applied.
    pub(crate) kinds: Vec<String>,
    /// The `StatefulSet` after its write. An error in a later write must not cause it to be written again.
    pub(crate) stateful_set: Option<StatefulSetStatusRef>,
    /// Whether the `StatefulSet` was written although its spec was unchanged.
    pub(crate) set_was_same: bool,
    /// Whether the pod template and the replicas match the spec.
    pub(crate) pods_are_current: bool,
    /// The error of a read that was only needed for the message of a condition.
    pub(crate) unread: Option<ApplyError>,
}

/// The children after the writes.
#[derive(Debug)]
pub(crate) struct Children {
    /// The newest form of the `StatefulSet`; none while it is being recreated.
    pub(crate) live: Option<StatefulSetView>,
    /// What the status records of it.
    pub(crate) recorded: Option<StatefulSetStatusRef>,
    /// The pending update.
    pub(crate) pending: Option<Pending>,
}

/// Carries out the plan.
///
/// # Errors
/// If the API server refuses or fails; `progress` has the writes before that.
pub(crate) async fn apply_plan<K: Component>(
    plan: Plan,
    observed: Observed,
    workload: &Workload,
    cx: &Context<K>,
    progress: &mut Progress,
) -> Result<Children, ApplyError> {
    let Plan { service, stateful_set, horizontal_autoscaler, vertical_autoscaler, pending, left, fallback } =
        plan;
    let names = ChildNames::of(workload);
    let writer = &cx.writer;
    let is_blocked = pending.as_ref().is_some_and(|pending| !pending.immutable.is_empty());
    if stateful_set.is_none() {
        progress.stateful_set.clone_from(&left);
    }
    let (mut refused, exists) = (None, observed.stateful_set.is_some());
    let service = write(service, observed.service, names.service(), &cx.services, writer, progress).await;
    // New pods need their Service first; scaling existing pods does not.
    go_on(service, exists, &mut refused)?;
    let (live, cache) = (observed.stateful_set, &cx.stateful_sets);
    let fallback = fallback.zip(live.clone());
    let written = set(stateful_set, live, left.clone(), names.same(), cache, writer, progress).await;
    let written = go_on(written, exists, &mut refused)?;
    if written.is_some() {
        progress.pods_are_current = !is_blocked;
    } else if let Some((adjustment, live)) = fallback {
        // The template is refused; the number of replicas does not depend on it.
        let adjusted = patch::adjust(&adjustment, &live, left, writer).await;
        if let Some(Adjusted { live, recorded }) = go_on(adjusted, true, &mut refused)? {
            progress.writes += 1;
            progress.stateful_set = recorded;
            cache.wrote(names.same(), live);
        }
    }
    let (horizontal, cache) = (observed.horizontal_autoscaler, &cx.horizontal_autoscalers);
    write(horizontal_autoscaler, horizontal, names.same(), cache, writer, progress).await?;
    let (vertical, cache) = (observed.vertical_autoscaler, &cx.vertical_autoscalers.cache);
    match write(vertical_autoscaler, vertical, names.same(), cache, writer, progress).await {
        // The kind is gone, which the watch has not reported yet.
        Err(error) if error.is_kind_missing() => cx.vertical_autoscalers.lost(),
        written => drop(written?),
    }
    let (live, recorded) = match refused {
        Some(error) => return Err(error),
        None => written.unwrap_or_default(),
    };
    Ok(Children { live, recorded, pending })
}

/// Whether an error concerns the content of one object only.
pub(crate) fn is_of_content(error: &ApplyError) -> bool {
    matches!(
        error.refusal(),
        Some(Refusal::Invalid | Refusal::QuotaExceeded | Refusal::AdmissionDenied | Refusal::TooLarge)
    )
}

/// Defers the first refusal of an object's content to the end, if the other writes do not depend on it.
fn go_on<T>(
    result: Result<T, ApplyError>,
    independent: bool,
    refused: &mut Option<ApplyError>,
) -> Result<Option<T>, ApplyError> {
    match result {
        Ok(written) => Ok(Some(written)),
        Err(error) if independent && is_of_content(&error) => {
            refused.get_or_insert(error);
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Writes the `StatefulSet`. Returns its newest form, and what the status records of it.
async fn set(
    wanted: Option<StatefulSetWrite>,
    live: Option<StatefulSetView>,
    left: Option<StatefulSetStatusRef>,
    key: ObjectRef<StatefulSetView>,
    cache: &MutationCache<StatefulSetView>,
    writer: &Writer,
    progress: &mut Progress,
) -> Result<(Option<StatefulSetView>, Option<StatefulSetStatusRef>), ApplyError> {
    let (create, object) = match (wanted, live) {
        (None, live) => return Ok((live, left)),
        (Some(StatefulSetWrite::Create(object)), _) => (Write::Create(object), None),
        (Some(StatefulSetWrite::Update(object)), live) => (Write::Update(object), live),
        // Only an existing StatefulSet is adjusted.
        (
            Some(StatefulSetWrite::Adjust(_) | StatefulSetWrite::Adopt { .. } | StatefulSetWrite::Recreate),
            None,
        ) => {
            return Ok((None, left));
        }
        (Some(StatefulSetWrite::Recreate), Some(live)) => {
            // Not recorded as removed: it exists until the garbage collector has orphaned its pods.
            writer.orphan(&live).await?;
            progress.writes += 1;
            return Ok((None, left));
        }
        (Some(StatefulSetWrite::Adjust(adjustment)), Some(live)) => {
            let Adjusted { live, recorded } = patch::adjust(&adjustment, &live, left, writer).await?;
            progress.writes += 1;
            progress.kinds.push("StatefulSet".to_owned());
            progress.stateful_set.clone_from(&recorded);
            cache.wrote(key, live.clone());
            return Ok((Some(live), recorded));
        }
        (Some(StatefulSetWrite::Adopt { desired, roll }), Some(live)) => {
            let (live, is_blocked) = patch::adopt(&desired, roll, &live, writer).await?;
            progress.writes += 1;
            let pending_hash = rendered_hash(&desired).filter(|_| is_blocked).map(str::to_owned);
            progress.stateful_set =
                live.reference().map(|left| StatefulSetStatusRef { pending_hash, ..left });
            cache.wrote(key.clone(), live.clone());
            if is_blocked || !roll {
                return Ok((Some(live), progress.stateful_set.clone()));
            }
            (Write::Update(desired), Some(live))
        }
    };
    let before = object.as_ref().and_then(|live| live.metadata.generation);
    let live = write(Some(create), object, key, cache, writer, progress).await?;
    progress.set_was_same =
        before.is_some() && live.as_ref().and_then(|live| live.metadata.generation) == before;
    progress.stateful_set = live.as_ref().and_then(StatefulSetView::reference);
    Ok((live, progress.stateful_set.clone()))
}

/// One child: server-side apply or deletion. Returns its newest form.
async fn write<T, V>(
    write: Option<Write<T>>,
    live: Option<V>,
    key: ObjectRef<V>,
    cache: &MutationCache<V>,
    writer: &Writer,
    progress: &mut Progress,
) -> Result<Option<V>, ApplyError>
where
    T: Resource<DynamicType = ()> + Serialize + Debug,
    V: View,
{
    let (mode, object) = match (write, live) {
        (None, live) => return Ok(live),
        (Some(Write::Create(object)), _) => (ApplyMode::Create, object),
        (Some(Write::Update(mut object)), Some(live)) => {
            if live.is_inherited() {
                take_over(&live, writer, progress).await?;
            }
            // Fails if the child was deleted and recreated meanwhile; with force it would be taken from its new owner.
            object.meta_mut().uid = live.uid();
            (ApplyMode::Update, object)
        }
        (Some(Write::Update(object)), None) => (ApplyMode::Update, object),
        (Some(Write::Delete), None) => return Ok(None),
        (Some(Write::Delete), Some(live)) => {
            writer.delete(&live).await?;
            cache.removed(key, &live);
            progress.writes += 1;
            return Ok(None);
        }
    };
    let namespace = key.namespace.clone().unwrap_or_default();
    let mut answer: V = writer.apply(&namespace, mode, &*object).await?;
    answer.prune(writer.manager());
    cache.wrote(key, answer.clone());
    progress.writes += 1;
    progress.kinds.push(T::kind(&()).into_owned());
    Ok(Some(answer))
}

/// Takes over the fields that the Go operator owns, once, so that the following apply removes those that are not rendered.
/// Because the child then has no hash, it is applied even if this process ends in between.
async fn take_over<V: View>(live: &V, writer: &Writer, progress: &mut Progress) -> Result<(), ApplyError> {
    let manager = writer.manager();
    let inherit = |entries| managed_fields::inherit(entries, manager, &V::api_version(&()), clock::now());
    reassign(writer, live, Some(RENDERED_HASH), inherit).await?;
    progress.writes += 1;
    Ok(())
}
