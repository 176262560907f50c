//! Predicts what the controllers would do to the pods of an object, with the code by which they decide it.
//!
//! ```text
//!  object as it would be stored ─> lower ─> render ─> plan ─┐
//!  live StatefulSet ──────────────────────────────> diff ───┴─> Forecast
//! ```

use crate::health::reason::Reason;
use crate::observed::statefulset::StatefulSetView;
use crate::observed::view::View;
use crate::plan::{
    Adjustment, Observed, Obstacle, Pending, Plan, PlanInputs, StatefulSetWrite, observed_set, plan,
};
use crate::replicas::without_default;
use crate::rollout::backend_config::Backend;
use crate::rollout::diff::change::{Change, Fate, Place};
use crate::rollout::diff::{by_weight, difference, immutable, summary};
use crate::rollout::policy::RolloutPolicy;
use crate::rollout::provenance::{OperatorHash, Provenance};
use crate::rollout::update_message;
use crate::status::is_observed;
use crate::takeover::adoption::adopted;
use crate::takeover::marks::MADE_BY_GO_OPERATOR;
use crate::unsafe_settings::unsafe_settings;
use functionmesh_api::condition::MESSAGE_LIMIT;
use functionmesh_api::constants::{ANNOTATION_MANAGED, ANNOTATION_RESTARTED_AT};
use functionmesh_api::status::{ComponentStatus, StatefulSetStatusRef};
use functionmesh_objects::managed_fields::Owners;
use functionmesh_objects::text::bounded;
use functionmesh_render::{Component, Desired, Environment, decode, render, rendered_hash};
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::core::ObjectMeta;
use serde_json::{Value, json};
use std::borrow::Cow;

/// What a forecast depends on.
pub struct ForecastInputs<'a> {
    /// The object as the API server would store it, with its status and `managedFields`.
    pub object: &'a Value,
    /// Its `StatefulSet`, with `managedFields`; none if there is none.
    pub live: Option<&'a Value>,
    /// The operator's configuration.
    pub environment: &'a Environment,
    /// The content of the `BackendConfig`s in its namespace.
    pub backend: &'a Backend,
    /// The administrator's rollout policy for all objects.
    pub policy: &'a RolloutPolicy,
    /// Field manager of the controller.
    pub manager: &'a str,
}

/// The predicted effect on the pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Forecast {
    /// The object is not managed by the controllers, or is being deleted.
    Unmanaged,
    /// The object cannot be rendered: its pods stay as they are.
    Invalid(String),
    /// A conflict prevents the write: its pods stay unchanged.
    Refused(Reason, String),
    /// This number of pods is created.
    Creates(i64),
    /// Nothing is written to the `StatefulSet`, except for its number of pods.
    Unchanged,
    /// The `StatefulSet` is written and no pod is replaced.
    Changes(Vec<Change>),
    /// This number of pods is replaced.
    Restarts {
        /// Pods that run.
        pods: i64,
        /// The reason.
        changes: Vec<Change>,
        /// Whether the `StatefulSet` is recreated.
        recreates: bool,
    },
    /// The pods stay unchanged until a user approves the update or requests a recreate.
    Waits {
        /// The pending reason.
        reason: Reason,
        /// Pods that the update replaces once it is approved.
        pods: i64,
        /// Hash by which it is approved.
        hash: String,
        /// The changes.
        changes: Vec<Change>,
        /// Immutable fields among them, for which the `StatefulSet` would have to be recreated.
        immutable: Vec<&'static str>,
        /// Message of the condition that reports it.
        message: String,
    },
}

/// A forecast, and its `StatefulSet`.
pub struct Rendered {
    /// The predicted effect on the pods.
    pub forecast: Forecast,
    /// As the controller would apply it, if it would: only the API server knows whether it accepts it.
    pub applied: Option<Box<StatefulSet>>,
    /// Who rendered the live `StatefulSet`; none when the object has none.
    pub origin: Option<Origin>,
    /// Settings that are dangerous in the runtime of the object, which the status reports as `UnsafeSettings`.
    pub unsafe_settings: Option<String>,
}

/// Who rendered a live `StatefulSet`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The Go operator: this operator takes it over with its first reconcile.
    GoOperator,
    /// The Go operator, and this operator has taken it over unchanged.
    Adopted,
    /// This operator.
    Rendered,
}

/// The forecast for a Function, Source or Sink.
pub fn forecast<K: Component>(inputs: &ForecastInputs<'_>) -> Rendered {
    let member = |key: &str| inputs.object.get(key).cloned().unwrap_or_else(|| json!({}));
    let metadata: ObjectMeta = match serde_json::from_value(member("metadata")) {
        Ok(metadata) => metadata,
        Err(error) => return Rendered::unrendered(Forecast::Invalid(format!("metadata: {error}"))),
    };
    let managed = metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_MANAGED));
    if metadata.deletion_timestamp.is_some() || managed.is_some_and(|value| value == "false") {
        return Rendered::unrendered(Forecast::Unmanaged);
    }
    let text = member("spec").to_string();
    let owner = OwnerReference {
        kind: K::kind(&()).into_owned(),
        name: metadata.name.clone().unwrap_or_default(),
        uid: metadata.uid.clone().unwrap_or_default(),
        ..OwnerReference::default()
    };
    let mut rendered = None;
    let forecast = decided::<K>(inputs, &metadata, &text, &mut rendered);
    let is_applied = matches!(
        forecast,
        Forecast::Creates(_) | Forecast::Changes(_) | Forecast::Restarts { recreates: false, .. }
    );
    Rendered {
        forecast,
        applied: rendered.filter(|_| is_applied),
        origin: inputs.live.and_then(|live| origin(live, &owner, inputs.manager)),
        unsafe_settings: unsafe_settings(K::KIND, &text).map(|condition| condition.message),
    }
}

impl Rendered {
    fn unrendered(forecast: Forecast) -> Self {
        Self { forecast, applied: None, origin: None, unsafe_settings: None }
    }
}

fn origin(live: &Value, owner: &OwnerReference, manager: &str) -> Option<Origin> {
    let live = observed_set(view(live, manager), owner)?;
    Some(match live.rendered_hash() {
        _ if live.changed_by_go_operator => Origin::GoOperator,
        None => Origin::GoOperator,
        Some(MADE_BY_GO_OPERATOR) => Origin::Adopted,
        Some(_) => Origin::Rendered,
    })
}

fn decided<K: Component>(
    inputs: &ForecastInputs<'_>,
    metadata: &ObjectMeta,
    text: &str,
    applied: &mut Option<Box<StatefulSet>>,
) -> Forecast {
    let member = |key: &str| inputs.object.get(key).cloned().unwrap_or_else(|| json!({}));
    let lowered = decode::<K::Spec>(&member("spec")).and_then(|spec| {
        let chosen = Owners::of(metadata).replicas_chosen;
        K::lower(metadata, without_default::<K>(spec, text, chosen))
    });
    let workload = match lowered {
        Ok(workload) => workload,
        Err(invalid) => return Forecast::Invalid(invalid.to_string()),
    };
    let mut desired = render(&workload, inputs.environment, &inputs.backend.defaults);
    Provenance::of(text, &desired.stateful_set, &OperatorHash::of(inputs.environment), inputs.backend)
        .write(&mut desired.stateful_set);
    let rendered = desired.stateful_set.clone();
    *applied = Some(Box::new(rendered.clone()));
    let status: ComponentStatus = serde_json::from_value(member("status")).unwrap_or_default();
    let owner = rendered.metadata.owner_references.iter().flatten().next().cloned().unwrap_or_default();
    let plan_inputs = PlanInputs {
        recorded: status.stateful_set.clone(),
        observed: is_observed(&status, metadata),
        policy: RolloutPolicy::of(metadata, inputs.policy),
        owner,
        frozen: inputs.backend.refused.is_some(),
    };
    let first = planned(desired.clone(), inputs.live, inputs.manager, &plan_inputs);
    let mut plan = match first {
        Ok(plan) => plan,
        Err(obstacle) => return Forecast::Refused(Reason::NameConflict, obstacle.to_string()),
    };
    if let Some(refused) = &inputs.backend.refused {
        return Forecast::Refused(Reason::InvalidBackendConfig, refused.clone());
    }
    let mut live = inputs.live.map(Cow::Borrowed);
    // A takeover changes no pod, but what follows it depends on what it wrote.
    let taken = match (&plan.stateful_set, inputs.live) {
        (Some(StatefulSetWrite::Adopt { desired, roll }), Some(full)) => {
            Some((*roll, adopted(desired, *roll, full, inputs.manager)))
        }
        _ => None,
    };
    if let Some((roll, (full, is_blocked))) = taken {
        if is_blocked || !roll {
            let hash = rendered_hash(&rendered).filter(|_| is_blocked).map(str::to_owned);
            let left = view(&full, inputs.manager).and_then(|live| live.reference());
            let recorded = left.map(|left| StatefulSetStatusRef { pending_hash: hash, ..left });
            let then = PlanInputs { recorded, observed: true, ..plan_inputs };
            match planned(desired, Some(&full), inputs.manager, &then) {
                Ok(next) => plan = next,
                Err(obstacle) => return Forecast::Refused(Reason::NameConflict, obstacle.to_string()),
            }
        }
        live = Some(Cow::Owned(full));
    }
    let live = live.as_deref();
    let changes =
        || live.map(|live| by_weight(difference(live, &rendered, inputs.manager))).unwrap_or_default();
    if let Some(StatefulSetWrite::Adjust(Adjustment { restarted_at: Some(_), .. })) = &plan.stateful_set {
        // The rest of the rendering waits, or is there already.
        *applied = None;
        return Forecast::Restarts { pods: replicas(live), changes: vec![restart(live)], recreates: false };
    }
    match (plan.stateful_set, plan.pending) {
        (_, Some(pending)) => waits(&pending, live, changes()),
        (Some(StatefulSetWrite::Create(_)), None) => Forecast::Creates(i64::from(workload.replicas)),
        (Some(StatefulSetWrite::Update(_) | StatefulSetWrite::Adopt { roll: true, .. }), None) => {
            written(live, changes(), false)
        }
        (Some(StatefulSetWrite::Recreate), None) => written(live, changes(), true),
        (Some(StatefulSetWrite::Adjust(_) | StatefulSetWrite::Adopt { roll: false, .. }) | None, None) => {
            Forecast::Unchanged
        }
    }
}

fn planned(
    desired: Desired,
    live: Option<&Value>,
    manager: &str,
    inputs: &PlanInputs,
) -> Result<Plan, Obstacle> {
    let stateful_set = live.and_then(|live| view(live, manager));
    plan(desired, &Observed { stateful_set, ..Observed::default() }, inputs)
}

fn view(live: &Value, manager: &str) -> Option<StatefulSetView> {
    let mut view: StatefulSetView = serde_json::from_str(&live.to_string()).ok()?;
    view.prune(manager);
    Some(view)
}

/// A restart on request.
fn restart(live: Option<&Value>) -> Change {
    let annotations = live.and_then(|live| live.pointer("/spec/template/metadata/annotations"));
    let is_first = annotations.is_none_or(|all| all.get(ANNOTATION_RESTARTED_AT).is_none());
    let fate = if is_first { Fate::Added } else { Fate::Changed };
    Change { place: Place::Pod, item: format!("annotation {ANNOTATION_RESTARTED_AT}"), fate }
}

/// An update that awaits approval, as the condition reports it.
fn waits(pending: &Pending, live: Option<&Value>, changes: Vec<Change>) -> Forecast {
    let hash = rendered_hash(&pending.desired).unwrap_or_default().to_owned();
    let immutable = live.map(|live| immutable(live, &pending.desired)).unwrap_or_default();
    let message = if pending.immutable.is_empty() {
        let named = summary(&changes, update_message::NAMED);
        update_message::message(pending.reason, &hash, &named, &immutable.join(", "))
    } else {
        update_message::blocked(&pending.immutable, &hash)
    };
    let message = bounded(message, MESSAGE_LIMIT);
    let pods = if is_of_pods(&changes) { replicas(live) } else { 0 };
    Forecast::Waits { reason: pending.reason, pods, hash, changes, immutable, message }
}

fn is_of_pods(changes: &[Change]) -> bool {
    changes.iter().any(|change| change.place != Place::Set)
}

/// What a write does: pods are replaced when their template changes.
fn written(live: Option<&Value>, changes: Vec<Change>, recreates: bool) -> Forecast {
    if is_of_pods(&changes) {
        Forecast::Restarts { pods: replicas(live), changes, recreates }
    } else {
        Forecast::Changes(changes)
    }
}

fn replicas(live: Option<&Value>) -> i64 {
    live.and_then(|live| live.pointer("/spec/replicas")?.as_i64()).unwrap_or(1)
}
