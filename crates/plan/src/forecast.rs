//! Predicts what the controllers would do to the pods of an object, with the code by which they decide it.
//!
//! ```text
//!  object as it would be stored ─> lower ─> render ─> plan ─┐
//!  live StatefulSet ──────────────────────────────> diff ───┴─> Forecast
//! ```

use crate::health::reason::Reason;
use crate::observed::statefulset::StatefulSetView;
use crate::observed::view::View;
use crate::plan::{Observed, PlanInputs, StatefulSetWrite, plan};
use crate::replicas::without_default;
use crate::rollout::backend_config::Backend;
use crate::rollout::diff::change::{Change, Place};
use crate::rollout::diff::{by_weight, difference, immutable};
use crate::rollout::policy::RolloutPolicy;
use crate::rollout::provenance::{OperatorHash, Provenance};
use crate::status::is_observed;
use functionmesh_api::constants::ANNOTATION_MANAGED;
use functionmesh_api::status::ComponentStatus;
use functionmesh_objects::managed_fields::Owners;
use functionmesh_render::{Component, Environment, decode, render, rendered_hash};
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::core::ObjectMeta;
use serde_json::{Value, json};

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
        /// Hash by which it is approved.
        hash: String,
        /// The changes.
        changes: Vec<Change>,
        /// Immutable fields among them, for which the `StatefulSet` would have to be recreated.
        immutable: Vec<&'static str>,
    },
}

/// A forecast, and its `StatefulSet`.
pub struct Rendered {
    /// The predicted effect on the pods.
    pub forecast: Forecast,
    /// As the controller would apply it, if it would: only the API server knows whether it accepts it.
    pub applied: Option<Box<StatefulSet>>,
}

/// The forecast for a Function, Source or Sink.
pub fn forecast<K: Component>(inputs: &ForecastInputs<'_>) -> Rendered {
    let mut rendered = None;
    let forecast = decided::<K>(inputs, &mut rendered);
    let is_applied = matches!(
        forecast,
        Forecast::Creates(_) | Forecast::Changes(_) | Forecast::Restarts { recreates: false, .. }
    );
    Rendered { forecast, applied: rendered.filter(|_| is_applied) }
}

fn decided<K: Component>(inputs: &ForecastInputs<'_>, applied: &mut Option<Box<StatefulSet>>) -> Forecast {
    let member = |key: &str| inputs.object.get(key).cloned().unwrap_or_else(|| json!({}));
    let metadata: ObjectMeta = match serde_json::from_value(member("metadata")) {
        Ok(metadata) => metadata,
        Err(error) => return Forecast::Invalid(format!("metadata: {error}")),
    };
    let managed = metadata.annotations.as_ref().and_then(|all| all.get(ANNOTATION_MANAGED));
    if metadata.deletion_timestamp.is_some() || managed.is_some_and(|value| value == "false") {
        return Forecast::Unmanaged;
    }
    let text = member("spec").to_string();
    let lowered = decode::<K::Spec>(&member("spec")).and_then(|spec| {
        let chosen = Owners::of(&metadata).replicas_chosen;
        K::lower(&metadata, without_default::<K>(spec, &text, chosen))
    });
    let workload = match lowered {
        Ok(workload) => workload,
        Err(invalid) => return Forecast::Invalid(invalid.to_string()),
    };
    let mut desired = render(&workload, inputs.environment, &inputs.backend.defaults);
    Provenance::of(&text, &desired.stateful_set, &OperatorHash::of(inputs.environment), inputs.backend)
        .write(&mut desired.stateful_set);
    let rendered = desired.stateful_set.clone();
    *applied = Some(Box::new(rendered.clone()));
    let status: ComponentStatus = serde_json::from_value(member("status")).unwrap_or_default();
    let owner = rendered.metadata.owner_references.iter().flatten().next().cloned().unwrap_or_default();
    let observed = Observed {
        stateful_set: inputs.live.and_then(|live| view(live, inputs.manager)),
        ..Observed::default()
    };
    let plan_inputs = PlanInputs {
        recorded: status.stateful_set.clone(),
        observed: is_observed(&status, &metadata),
        policy: RolloutPolicy::of(&metadata, inputs.policy),
        owner,
        frozen: inputs.backend.refused.is_some(),
    };
    let planned = match plan(desired, &observed, &plan_inputs) {
        Ok(planned) => planned,
        Err(obstacle) => return Forecast::Refused(Reason::NameConflict, obstacle.to_string()),
    };
    if let Some(refused) = &inputs.backend.refused {
        return Forecast::Refused(Reason::InvalidBackendConfig, refused.clone());
    }
    let changes = || changes(inputs, &rendered);
    match (planned.stateful_set, planned.pending) {
        (_, Some(pending)) => Forecast::Waits {
            reason: pending.reason,
            hash: rendered_hash(&pending.desired).unwrap_or_default().to_owned(),
            immutable: inputs.live.map(|live| immutable(live, &pending.desired)).unwrap_or_default(),
            changes: changes(),
        },
        (Some(StatefulSetWrite::Create(_)), None) => Forecast::Creates(i64::from(workload.replicas)),
        (Some(StatefulSetWrite::Update(_) | StatefulSetWrite::Adopt { roll: true, .. }), None) => {
            written(inputs, changes(), false)
        }
        (Some(StatefulSetWrite::Recreate), None) => written(inputs, changes(), true),
        (Some(StatefulSetWrite::Adjust(_) | StatefulSetWrite::Adopt { roll: false, .. }) | None, None) => {
            Forecast::Unchanged
        }
    }
}

fn view(live: &Value, manager: &str) -> Option<StatefulSetView> {
    let mut view: StatefulSetView = serde_json::from_str(&live.to_string()).ok()?;
    view.prune(manager);
    Some(view)
}

fn changes(inputs: &ForecastInputs<'_>, rendered: &StatefulSet) -> Vec<Change> {
    inputs.live.map(|live| by_weight(difference(live, rendered, inputs.manager))).unwrap_or_default()
}

/// The effect of a write: pods are replaced if their template changes.
fn written(inputs: &ForecastInputs<'_>, changes: Vec<Change>, recreates: bool) -> Forecast {
    if changes.iter().any(|change| change.place != Place::Set) {
        let pods = inputs.live.and_then(|live| live.pointer("/spec/replicas")?.as_i64()).unwrap_or(1);
        Forecast::Restarts { pods, changes, recreates }
    } else {
        Forecast::Changes(changes)
    }
}
