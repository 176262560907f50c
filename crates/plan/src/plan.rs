//! Plans the writes of an object: rendered children against observed ones. Pure.

use crate::health::reason::Reason;
use crate::observed::autoscaler::{AutoscalerView, stamped};
use crate::observed::metadata::has_owner;
use crate::observed::ownership::{Ownership, ownership};
use crate::observed::service::ServiceView;
use crate::observed::statefulset::StatefulSetView;
use crate::rollout::decision::{Decision, RolloutInputs};
use crate::rollout::policy::RolloutPolicy;
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_render::{Desired, VerticalPodAutoscaler, request_restart, restarted_at};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use kube::core::ObjectMeta;
use serde::Serialize;
use std::collections::BTreeMap;

/// The children as the caches show them.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The headless Service.
    pub service: Option<ServiceView>,
    /// The StatefulSet.
    pub stateful_set: Option<StatefulSetView>,
    /// The `HorizontalPodAutoscaler`.
    pub horizontal_autoscaler: Option<AutoscalerView<HorizontalPodAutoscaler>>,
    /// The `VerticalPodAutoscaler`.
    pub vertical_autoscaler: Option<AutoscalerView<VerticalPodAutoscaler>>,
}

/// One write.
#[derive(Clone, Debug, PartialEq)]
pub enum Write<T> {
    /// No object of that name was observed: written without force, so that an unobserved foreign object causes a conflict.
    Create(Box<T>),
    /// The object's own child, which differs.
    Update(Box<T>),
    /// The object's own child, which is no longer desired.
    Delete,
}

/// One write of the `StatefulSet`.
#[derive(Clone, Debug, PartialEq)]
pub enum StatefulSetWrite {
    /// As [`Write::Create`].
    Create(Box<StatefulSet>),
    /// Apply the whole rendering.
    Update(Box<StatefulSet>),
    /// Patch everything but the template.
    Adjust(Adjustment),
    /// Adopt a `StatefulSet` of the Go operator: add its provenance, and apply the rendering if that need not wait.
    Adopt {
        /// The rendering with its provenance.
        desired: Box<StatefulSet>,
        /// Whether the rendering is applied as well.
        roll: bool,
    },
    /// Delete it and orphan its pods.
    Recreate,
}

/// A change of a `StatefulSet` that applies no rendering.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Adjustment {
    /// The desired number of pods, if it differs.
    pub replicas: Option<i32>,
    /// Time of a restart on request, if the pods carry another one.
    pub restarted_at: Option<String>,
    /// Labels that are missing.
    pub labels: BTreeMap<String, String>,
    /// Its owner reference, if it is missing.
    pub owner: Option<OwnerReference>,
    /// Whether to record the resulting generation: not while an edit of another field manager is still to be reverted.
    pub settles: bool,
}

impl Adjustment {
    /// Whether the generation moves.
    pub fn changes_spec(&self) -> bool {
        self.replicas.is_some() || self.restarted_at.is_some()
    }
}

/// A pending update.
#[derive(Clone, Debug, PartialEq)]
pub struct Pending {
    /// The reason.
    pub reason: Reason,
    /// The immutable fields because of which the whole update waits; empty if there are none.
    pub immutable: String,
    /// The pending rendering; its hash is used to approve it.
    pub desired: Box<StatefulSet>,
}

/// The writes that bring the cluster to the rendered state, in order; `None` if nothing has to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Written first, so that pods have DNS names.
    pub service: Option<Write<Service>>,
    /// Written after the objects that its pods refer to.
    pub stateful_set: Option<StatefulSetWrite>,
    /// After the pods.
    pub horizontal_autoscaler: Option<Write<HorizontalPodAutoscaler>>,
    /// Last.
    pub vertical_autoscaler: Option<Write<VerticalPodAutoscaler>>,
    /// The pending update.
    pub pending: Option<Pending>,
    /// The record for the status of a `StatefulSet` whose template stays unchanged.
    pub left: Option<StatefulSetStatusRef>,
    /// The change to make if the API server refuses the template: scaling does not depend on it.
    pub fallback: Option<Adjustment>,
}

impl Plan {
    /// Whether the pods matched the spec before any write.
    pub fn leaves_pods(&self) -> bool {
        self.stateful_set.is_none()
            && self.pending.as_ref().is_none_or(|pending| pending.immutable.is_empty())
    }
}

/// An obstacle: why nothing can be written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A foreign object has the name.
    #[error(
        "{kind} {name} exists and does not belong to this object; it is not managed: delete or rename it, or rename this object"
    )]
    NameConflict {
        /// Kind of the object in the way.
        kind: String,
        /// Its name.
        name: String,
    },
    /// The child of a deleted object of the same name still exists.
    #[error("{kind} {name} of the deleted object of the same name is still being removed")]
    Terminating {
        /// Kind of the child.
        kind: String,
        /// Its name.
        name: String,
    },
}

/// What the plan depends on besides the children.
#[derive(Clone, Debug, Default)]
pub struct PlanInputs {
    /// The record of the last write in the object's status: a hash alone would miss an edit, so the live generation has to be the
    /// recorded one.
    pub recorded: Option<StatefulSetStatusRef>,
    /// Whether the last writer of the status had observed the newest spec.
    pub observed: bool,
    /// The rollout policy.
    pub policy: RolloutPolicy,
    /// The object.
    pub owner: OwnerReference,
    /// Whether the template cannot be rendered completely: the existing one stays unchanged, except for scaling.
    pub frozen: bool,
}

/// Plans the writes.
///
/// # Errors
/// The obstacle, if there is one.
pub fn plan(desired: Desired, observed: &Observed, inputs: &PlanInputs) -> Result<Plan, Obstacle> {
    // Destructured without `..`: a new kind of child does not compile until it is planned.
    let Desired { service, stateful_set, horizontal_autoscaler, vertical_autoscaler } = desired;
    let owner = &inputs.owner;
    let service_exists = check("Service", observed.service.as_ref().map(|s| &s.metadata), owner)?;
    let set_exists = check("StatefulSet", observed.stateful_set.as_ref().map(|s| &s.metadata), owner)?;
    // A Service has no generation.
    let service = stamped(service);
    let service_same = observed.service.as_ref().is_some_and(|live| live.matches(&service));
    let StatefulSetPlan { write: stateful_set, pending, left, fallback } = match &observed.stateful_set {
        Some(live) if set_exists => plan_stateful_set(live, stateful_set, inputs),
        _ if inputs.frozen => StatefulSetPlan::default(),
        _ => StatefulSetPlan {
            write: Some(StatefulSetWrite::Create(Box::new(stateful_set))),
            ..StatefulSetPlan::default()
        },
    };
    Ok(Plan {
        service: write(service, service_exists, service_same),
        stateful_set,
        horizontal_autoscaler: autoscaler(
            horizontal_autoscaler,
            observed.horizontal_autoscaler.as_ref(),
            owner,
        )?,
        vertical_autoscaler: autoscaler(vertical_autoscaler, observed.vertical_autoscaler.as_ref(), owner)?,
        pending,
        left,
        fallback,
    })
}

/// The plan for a `StatefulSet`.
#[derive(Default)]
struct StatefulSetPlan {
    /// Its write.
    write: Option<StatefulSetWrite>,
    /// Its pending update.
    pending: Option<Pending>,
    /// The record for the status.
    left: Option<StatefulSetStatusRef>,
    /// See [`Plan::fallback`].
    fallback: Option<Adjustment>,
}

/// The same for an existing one.
fn plan_stateful_set(
    live: &StatefulSetView,
    mut desired: StatefulSet,
    inputs: &PlanInputs,
) -> StatefulSetPlan {
    // The end of the annotation is no reason to replace pods.
    if let (None, Some(time)) = (restarted_at(&desired), live.restarted_at()) {
        request_restart(&mut desired, time);
    }
    let adjust = |desired: &StatefulSet, settles| adjust(live, desired, inputs, settles);
    let rollout = RolloutInputs {
        live,
        desired: &desired,
        recorded: inputs.recorded.as_ref(),
        observed: inputs.observed,
        policy: &inputs.policy,
    };
    let rescaled = || adjust(&desired, !rollout.is_edited());
    if inputs.frozen {
        return StatefulSetPlan {
            write: rescaled().map(StatefulSetWrite::Adjust),
            left: rollout.record_if_kept(),
            ..StatefulSetPlan::default()
        };
    }
    let decision = rollout.decide();
    let (reason, immutable) = match decision {
        Decision::Apply => {
            let (left, fallback) = (rollout.record_if_kept(), rescaled());
            let write = Some(StatefulSetWrite::Update(Box::new(desired)));
            return StatefulSetPlan { write, left, fallback, ..StatefulSetPlan::default() };
        }
        Decision::Recreate => {
            let left = rollout.record_if_unchanged(false);
            return StatefulSetPlan {
                write: Some(StatefulSetWrite::Recreate),
                left,
                ..StatefulSetPlan::default()
            };
        }
        Decision::Adopt | Decision::TakeOver => {
            let roll = decision == Decision::TakeOver;
            let write = Some(StatefulSetWrite::Adopt { desired: Box::new(desired), roll });
            return StatefulSetPlan { write, ..StatefulSetPlan::default() };
        }
        Decision::Same => {
            let write = adjust(&desired, true).map(StatefulSetWrite::Adjust);
            return StatefulSetPlan {
                write,
                left: rollout.record_if_unchanged(false),
                ..StatefulSetPlan::default()
            };
        }
        Decision::Hold(reason) => (reason, String::new()),
        Decision::Blocked(fields) => (Reason::RecreateRequired, fields),
    };
    let left = rollout.record_if_unchanged(true);
    // A user who paused the rollout may have edited the StatefulSet on purpose; the new generation is recorded anyway.
    let on_purpose = reason == Reason::RolloutPaused && rollout.is_edited() && inputs.observed;
    let adjustment = if on_purpose { None } else { adjust(&desired, rollout.settles()) };
    let write = adjustment.map(StatefulSetWrite::Adjust);
    let pending = Some(Pending { reason, immutable, desired: Box::new(desired) });
    StatefulSetPlan { write, pending, left, fallback: None }
}

/// The differences outside of the template.
fn adjust(
    live: &StatefulSetView,
    desired: &StatefulSet,
    inputs: &PlanInputs,
    settles: bool,
) -> Option<Adjustment> {
    let replicas = desired.spec.replicas.filter(|wanted| *wanted != live.spec.replicas);
    let lacks =
        |key: &String, value: &String| live.metadata.labels.as_ref().and_then(|l| l.get(key)) != Some(value);
    let labels = desired.metadata.labels.iter().flatten().filter(|(key, value)| lacks(key, value));
    let labels: BTreeMap<_, _> = labels.map(|(key, value)| (key.clone(), value.clone())).collect();
    let owner = (!has_owner(&live.metadata, &desired.metadata)).then(|| inputs.owner.clone());
    // A paused object restarts once it is resumed, as a Deployment does.
    let restart =
        restarted_at(desired).filter(|time| !inputs.policy.paused && Some(*time) != live.restarted_at());
    let restarted_at = restart.map(str::to_owned);
    let adjustment = Adjustment { replicas, restarted_at, labels, owner, settles };
    let differs = adjustment.changes_spec() || adjustment.owner.is_some() || !adjustment.labels.is_empty();
    differs.then_some(adjustment)
}

/// A child that exists only if the spec asks for it.
fn autoscaler<K>(
    desired: Option<K>,
    live: Option<&AutoscalerView<K>>,
    owner: &OwnerReference,
) -> Result<Option<Write<K>>, Obstacle>
where
    K: Resource<DynamicType = ()> + Serialize,
{
    let Some(desired) = desired else {
        // Only the object's own children are deleted; a terminating child, or one of a deleted predecessor, disappears on its
        // own.
        let ours = |live: &AutoscalerView<K>| {
            ownership(&live.metadata, owner) == Ownership::Ours && live.metadata.deletion_timestamp.is_none()
        };
        return Ok(live.is_some_and(ours).then_some(Write::Delete));
    };
    let desired = stamped(desired);
    let exists = check(&K::kind(&()), live.map(|live| &live.metadata), owner)?;
    let same = live.is_some_and(|live| live.is(&desired, desired.meta()));
    Ok(write(desired, exists, same))
}

/// The `StatefulSet` if it belongs to the object and is not being deleted.
pub fn observed_set(live: Option<StatefulSetView>, owner: &OwnerReference) -> Option<StatefulSetView> {
    live.filter(|live| matches!(check("StatefulSet", Some(&live.metadata), owner), Ok(true)))
}

/// Whether the child exists and belongs to the object.
fn check(kind: &str, live: Option<&ObjectMeta>, owner: &OwnerReference) -> Result<bool, Obstacle> {
    let Some(live) = live else { return Ok(false) };
    let (kind, name) = (kind.to_owned(), live.name.clone().unwrap_or_default());
    match ownership(live, owner) {
        Ownership::Ours if live.deletion_timestamp.is_some() => Err(Obstacle::Terminating { kind, name }),
        Ownership::Ours => Ok(true),
        Ownership::Predecessor => Err(Obstacle::Terminating { kind, name }),
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
