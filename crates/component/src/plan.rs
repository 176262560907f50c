//! What to write: the rendered objects against what is there. Pure.

use crate::applied::{Applied, stamped};
use crate::backend::RenderedFrom;
use crate::children::{Ownership, ServiceView, StatefulSetView, ownership};
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_render::{Desired, VerticalPodAutoscaler, rendered_hash};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use serde::Serialize;

/// What the caches show of the children.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The headless Service.
    pub service: Option<ServiceView>,
    /// The pods' set.
    pub stateful_set: Option<StatefulSetView>,
    /// What scales the custom resource.
    pub horizontal_autoscaler: Option<Applied<HorizontalPodAutoscaler>>,
    /// What adjusts the resources of the pods.
    pub vertical_autoscaler: Option<Applied<VerticalPodAutoscaler>>,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write<T> {
    /// Nothing of that name was seen: written without force, so that an unseen foreign object refuses it.
    Create(Box<T>),
    /// Ours and different.
    Update(Box<T>),
    /// Ours and no longer wanted.
    Delete,
}

/// The writes that bring the cluster to the rendered state, in order; `None` where nothing is to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// First, so that pods find their names.
    pub service: Option<Write<Service>>,
    /// After what its pods refer to.
    pub stateful_set: Option<Write<StatefulSet>>,
    /// After the pods.
    pub horizontal_autoscaler: Option<Write<HorizontalPodAutoscaler>>,
    /// Last.
    pub vertical_autoscaler: Option<Write<VerticalPodAutoscaler>>,
    /// Whether the `StatefulSet` is left as it is although it would be rendered differently now.
    pub held_back: bool,
}

/// Why nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// An object of somebody else has the name.
    #[error(
        "{kind} {name} exists and does not belong to this object; it is left alone: delete or rename it, or give this object another name"
    )]
    NameConflict {
        /// Kind of the object in the way.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The child of a deleted object of the same name is still there.
    #[error("{kind} {name} of the deleted object of the same name is still being removed")]
    Leaving {
        /// Kind of the child.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// Compares. `recorded` is what the object's status says of the last write: a hash alone would miss a foreign edit, so
/// the generation of the live object has to be the one we left it with.
///
/// # Errors
/// What stands in the way, when something does.
pub fn plan(
    desired: Desired,
    observed: &Observed,
    recorded: Option<&StatefulSetStatusRef>,
    owner: &OwnerReference,
) -> Result<Plan, Obstacle> {
    // Taken apart without `..`: a new kind of child does not compile until it is planned.
    let Desired { service, stateful_set, horizontal_autoscaler, vertical_autoscaler } = desired;
    let service_exists = check("Service", observed.service.as_ref().map(|s| &s.metadata), owner)?;
    let set_exists = check("StatefulSet", observed.stateful_set.as_ref().map(|s| &s.metadata), owner)?;
    // A Service has no generation either.
    let service = stamped(service);
    let service_same = observed.service.as_ref().is_some_and(|live| live.matches(&service));
    let set_same =
        observed.stateful_set.as_ref().is_some_and(|live| unchanged(live, &stateful_set, recorded));
    let held_back = !set_same
        && observed.stateful_set.as_ref().is_some_and(|live| held_back(live, &stateful_set, recorded));
    Ok(Plan {
        service: write(service, service_exists, service_same),
        stateful_set: write(stateful_set, set_exists, set_same || held_back),
        horizontal_autoscaler: autoscaler(
            horizontal_autoscaler,
            observed.horizontal_autoscaler.as_ref(),
            owner,
        )?,
        vertical_autoscaler: autoscaler(vertical_autoscaler, observed.vertical_autoscaler.as_ref(), owner)?,
        held_back,
    })
}

/// A child that is there when the object asks for it.
fn autoscaler<K>(
    desired: Option<K>,
    live: Option<&Applied<K>>,
    owner: &OwnerReference,
) -> Result<Option<Write<K>>, Obstacle>
where
    K: Resource<DynamicType = ()> + Serialize,
{
    let Some(desired) = desired else {
        // Only what is ours is deleted; what leaves already, or goes with a predecessor, needs no help.
        let ours = |live: &Applied<K>| {
            ownership(&live.metadata, owner) == Ownership::Ours && live.metadata.deletion_timestamp.is_none()
        };
        return Ok(live.is_some_and(ours).then_some(Write::Delete));
    };
    let desired = stamped(desired);
    let exists = check(&K::kind(&()), live.map(|live| &live.metadata), owner)?;
    let same = live.is_some_and(|live| live.is(&desired, desired.meta()));
    Ok(write(desired, exists, same))
}

/// Whether the child exists and is ours.
fn check(
    kind: &str,
    live: Option<&kube::core::ObjectMeta>,
    owner: &OwnerReference,
) -> Result<bool, Obstacle> {
    let Some(live) = live else { return Ok(false) };
    let (kind, name) = (kind.to_owned(), live.name.clone().unwrap_or_default());
    match ownership(live, owner) {
        Ownership::Ours if live.deletion_timestamp.is_some() => Err(Obstacle::Leaving { kind, name }),
        Ownership::Ours => Ok(true),
        Ownership::Predecessor => Err(Obstacle::Leaving { kind, name }),
        Ownership::Foreign => Err(Obstacle::NameConflict { kind, name }),
    }
}

fn write<T>(desired: T, exists: bool, same: bool) -> Option<Write<T>> {
    match (exists, same) {
        (true, true) => None,
        (true, false) => Some(Write::Update(Box::new(desired))),
        (false, _) => Some(Write::Create(Box::new(desired))),
    }
}

fn unchanged(live: &StatefulSetView, desired: &StatefulSet, recorded: Option<&StatefulSetStatusRef>) -> bool {
    live.rendered_hash() == rendered_hash(desired) && untouched(live, desired, recorded)
}

/// Whether nobody else touched it since our last write.
fn untouched(live: &StatefulSetView, desired: &StatefulSet, recorded: Option<&StatefulSetStatusRef>) -> bool {
    recorded.is_some() && live.reference().as_ref() == recorded && live.has_owner_and_labels(desired)
}

/// Whether the difference is one that has to wait for another reason to change the pods.
fn held_back(live: &StatefulSetView, desired: &StatefulSet, recorded: Option<&StatefulSetStatusRef>) -> bool {
    let notes = RenderedFrom::on(&live.metadata).zip(RenderedFrom::on(&desired.metadata));
    untouched(live, desired, recorded) && notes.is_some_and(|(old, new)| old.waits_for_a_reason(&new))
}
