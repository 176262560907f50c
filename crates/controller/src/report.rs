//! Reports the result of a reconcile: writes the status if it differs, and an Event if the readiness changed.

use crate::context::Context;
use crate::object::Object;
use functionmesh_api::condition::RECONCILE_FAILED;
use functionmesh_api::status::ComponentStatus;
use functionmesh_plan::health::readiness::Readiness;
use functionmesh_plan::health::reason::Reason;
use functionmesh_plan::outcome::Outcome;
use functionmesh_plan::status::status;
use functionmesh_render::Component;
use functionmesh_runtime::apply_error::ApplyError;
use functionmesh_runtime::clock;
use functionmesh_runtime::observe::Done;
use kube::Resource;

/// Writes the status if it differs from the newest known one.
///
/// # Errors
/// If the API server refuses or fails.
pub(crate) async fn report<K: Component>(
    object: &Object<K>,
    outcome: &Outcome,
    writes: u32,
    cx: &Context<K>,
) -> Result<Done, ApplyError> {
    let before = cx.current_status(object);
    let (generation, now) = (object.meta().generation, clock::now());
    let newest = match outcome {
        Outcome::Applied { stateful_set, .. } => stateful_set.status.update_revision.as_deref(),
        Outcome::Refused { .. } | Outcome::CleanupPending { .. } => None,
    };
    let pods = cx.pods_of(object, newest, now.0);
    let readiness = Readiness::of(outcome, &pods, &before, generation, &now);
    // The applied state may be recorded only here.
    let recorded =
        ComponentStatus { stateful_set: cx.recorded_status(object).stateful_set, ..before.clone() };
    let mut after = status(&recorded, outcome, &readiness, generation, &now);
    // These changes alone are no reason for a write.
    after.autoscalers.clone_from(&before.autoscalers);
    if after != before {
        complete(&mut after, outcome);
        if matches!(outcome, Outcome::Applied { .. }) {
            let kinds = cx.autoscalers_of(object);
            after.autoscalers = Some(kinds).filter(|kinds| !kinds.is_empty());
        }
    }
    let mut writes = writes;
    let quiet = readiness.reason == Reason::WaitingForPods && begins(&before, outcome, generation);
    let kept = if quiet { cx.deferred_statuses.defer(object.meta(), &after) } else { None };
    if kept.is_none() && (after != before || before.conditions.is_legacy()) {
        let known = cx.known_version(object);
        // If it fails, the result of the reconcile is recorded nevertheless.
        cx.deferred_statuses.remember(object.meta(), &after);
        let stored = (!before.conditions.is_legacy()).then_some(before.conditions.list());
        let answered = cx.writer.patch_status(object, known, &after, stored).await?;
        let (known, new) = (before.conditions.list(), after.conditions.list());
        let waiting = match outcome {
            Outcome::CleanupPending { .. } => Reason::CleanupRunning,
            Outcome::Applied { .. } | Outcome::Refused { .. } => Reason::WaitingForPods,
        };
        cx.statuses.wrote(object, answered, after.clone());
        cx.deferred_statuses.remove(object.meta());
        cx.events.on_change(object, known, new, waiting.as_str()).await;
        cx.events.on_trouble(object, known, new, RECONCILE_FAILED).await;
        writes += 1;
    } else if kept.is_none() {
        cx.deferred_statuses.remove(object.meta());
    }
    let done = match (outcome, writes) {
        (Outcome::Refused { .. }, _) => Done::refused(writes),
        (Outcome::Applied { .. } | Outcome::CleanupPending { .. }, 0) => Done::unchanged(),
        (Outcome::Applied { .. } | Outcome::CleanupPending { .. }, _) => Done::applied(writes),
    };
    Ok([kept, readiness.again].into_iter().flatten().fold(done, Done::again_in))
}

/// Whether the stored status is older than the newest pods: there is none yet, or the spec or the `StatefulSet` changed since.
fn begins(before: &ComponentStatus, outcome: &Outcome, generation: Option<i64>) -> bool {
    let Outcome::Applied { stateful_set: live, .. } = outcome else { return false };
    let is_new = before.conditions.list().is_empty();
    let recorded = before.stateful_set.as_ref().map(|recorded| recorded.generation);
    let changed = before.observed_generation != generation || recorded != live.metadata.generation;
    !before.conditions.is_legacy() && (is_new || changed)
}

/// Completes a record of an earlier release when the status is written for another reason.
fn complete(after: &mut ComponentStatus, outcome: &Outcome) {
    let (Outcome::Applied { stateful_set: live, .. }, Some(set)) = (outcome, &mut after.stateful_set) else {
        return;
    };
    let same = Some(set.generation) == live.metadata.generation
        && Some(set.rendered_hash.as_str()) == live.rendered_hash();
    if same && set.fields_hash.is_none() {
        set.fields_hash = live.fields.as_deref().map(str::to_owned);
    }
}
