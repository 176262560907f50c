//! One reconcile: the whole story of an object on one screen.

use crate::children::{ServiceView, StatefulSetView};
use crate::context::Context;
use crate::plan::{Observed, Obstacle, Plan, Write, plan};
use crate::reason::Reason;
use crate::report::report;
use crate::status::Outcome;
use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::ComponentStatus;
use functionmesh_render::{Component, Defaults, Desired, Workload, render, rendered_hash, selector_labels};
use functionmesh_runtime::apply::{ApplyError, ApplyMode, Writer};
use functionmesh_runtime::declared::Declared;
use functionmesh_runtime::observe::Done;
use functionmesh_runtime::recent::GRACE;
use kube::core::NamespaceResourceScope;
use kube::runtime::reflector::ObjectRef;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Debug;
use std::sync::Arc;

/// A Function, Source or Sink as it is cached.
pub type Object<K> = Declared<K, ComponentStatus>;

/// Brings the cluster to what the object says and tells in its status how that went.
///
/// # Errors
/// What only trying again can help: the API server refused, failed or did not answer.
pub async fn reconcile<K: Component>(
    object: Arc<Object<K>>,
    cx: Arc<Context<K>>,
) -> Result<Done, ApplyError> {
    let unmanaged = object.annotations().get(ANNOTATION_MANAGED).is_some_and(|v| v == "false");
    if unmanaged || object.meta().deletion_timestamp.is_some() {
        // Children go with their owner; nothing is created below an object that is being deleted.
        return Ok(Done::unchanged());
    }
    let workload = match lower(&object) {
        Err(refused) => return report(&object, &refused, 0, &cx).await,
        Ok(workload) => workload,
    };
    let desired = render(&workload, &cx.environment, &Defaults::default());
    match execute(&object, &workload, desired, &cx).await {
        Ok((outcome, writes)) => {
            let done = report(&object, &outcome, writes, &cx).await?;
            Ok(if cx.awaits_children(&workload) { done.again_in(GRACE) } else { done })
        }
        Err(error) => {
            let reason = match error {
                ApplyError::NameConflict { .. } => Reason::NameConflict,
                _ => Reason::ApplyFailed,
            };
            report(&object, &Outcome::Refused { reason, message: error.to_string() }, 0, &cx).await?;
            Err(error)
        }
    }
}

/// Decodes and checks the object.
fn lower<K: Component>(object: &Object<K>) -> Result<Workload, Outcome> {
    let invalid = |message: String| Outcome::Refused { reason: Reason::Invalid, message };
    let spec = object.spec::<K::Spec>().map_err(|e| invalid(e.to_string()))?;
    K::lower(object.meta(), spec).map_err(|e| invalid(e.to_string()))
}

/// Plans against the caches and writes what differs. Returns the outcome and the number of writes.
async fn execute<K: Component>(
    object: &Object<K>,
    workload: &Workload,
    desired: Desired,
    cx: &Context<K>,
) -> Result<(Outcome, u32), ApplyError> {
    let set_key = ObjectRef::new(workload.name.as_str()).within(&workload.namespace);
    let service_key = ObjectRef::new(&workload.name.service()).within(&workload.namespace);
    let observed =
        Observed { service: cx.services.get(&service_key), stateful_set: cx.stateful_sets.get(&set_key) };
    let hash = rendered_hash(&desired.stateful_set).unwrap_or_default().to_owned();
    let owner = desired.stateful_set.metadata.owner_references.iter().flatten().next().cloned();
    let status = cx.current_status(object);
    let plan = plan(desired, &observed, status.stateful_set.as_ref(), &owner.unwrap_or_default());
    let Plan { service, stateful_set } = match plan {
        Ok(plan) => plan,
        Err(obstacle) => return Ok((refusal(&obstacle), 0)),
    };
    let mut writes = 0;
    if let Some(write) = service {
        let answer: ServiceView = write_child(write, &workload.namespace, &cx.writer).await?;
        cx.services.wrote(service_key, trimmed(answer, ServiceView::trim));
        writes += 1;
    }
    let mut live = observed.stateful_set;
    if let Some(write) = stateful_set {
        let answer: StatefulSetView = write_child(write, &workload.namespace, &cx.writer).await?;
        let answer = trimmed(answer, StatefulSetView::trim);
        cx.stateful_sets.wrote(set_key, answer.clone());
        live = Some(answer);
        writes += 1;
    }
    let outcome = Outcome::Applied {
        stateful_set: Box::new(live.unwrap_or_default()),
        rendered_hash: hash,
        selector: selector_labels(workload),
    };
    Ok((outcome, writes))
}

fn trimmed<V>(mut view: V, trim: fn(&mut V)) -> V {
    trim(&mut view);
    view
}

fn refusal(obstacle: &Obstacle) -> Outcome {
    let reason = match obstacle {
        Obstacle::NameConflict { .. } => Reason::NameConflict,
        Obstacle::Leaving { .. } => Reason::WaitingForPods,
    };
    Outcome::Refused { reason, message: obstacle.to_string() }
}

/// Writes one child by server-side apply and reads the answer in its trimmed form.
async fn write_child<T, V>(write: Write<T>, namespace: &str, writer: &Writer) -> Result<V, ApplyError>
where
    T: Resource<DynamicType = ()> + Serialize + Debug,
    V: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned,
{
    match write {
        Write::Create(object) => writer.apply(namespace, ApplyMode::Create, &*object).await,
        Write::Update(object) => writer.apply(namespace, ApplyMode::Update, &*object).await,
    }
}
