//! Decides whether a new rendering may reach the pods (docs/decisions/0013-restarts-need-a-reason.md).
//!
//! Pods restart only for a reason: the spec changed, a `BackendConfig` with `autoUpdate` changed, another field manager edited the
//! `StatefulSet`, or a user approved the update. A newer renderer, or another configuration of the operator, is not a reason.
//!
//! ```text
//!  the Go operator's? ─── yes, until taken over ───────> Adopt, unless approved or of another spec
//!  rendered as it runs? ── yes ─ edited since? ── no ──> Same
//!        │ no                        └─ yes ──────────> Apply, unless paused and not approved
//!        ├─ approved, or another spec ────────────────> Apply   ┐ but for fields that cannot change:
//!        ├─ paused ───────────────────────────────────> Hold    │ Blocked, or Recreate where asked to
//!        ├─ edited, or a BackendConfig with autoUpdate > Apply   ┘
//!        └─ otherwise ────────────────────────────────> Hold
//! ```

use crate::health::reason::Reason;
use crate::observed::statefulset::{StatefulSetView, Trace};
use crate::rollout::policy::RolloutPolicy;
use crate::rollout::provenance::Provenance;
use functionmesh_api::status::StatefulSetStatusRef;
use functionmesh_render::rendered_hash;
use k8s_openapi::api::apps::v1::StatefulSet;

/// What to do with an existing `StatefulSet` of the object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It matches the rendering and was not edited.
    Same,
    /// Apply the rendering.
    Apply,
    /// Keep the update pending, for this reason.
    Hold(Reason),
    /// The Go operator created it, or changed its pod template since: add its provenance, and do not change its pods.
    Adopt,
    /// The same, followed by the rendering.
    TakeOver,
    /// The change is of immutable fields; their names.
    Blocked(String),
    /// Delete it without its pods, to be recreated.
    Recreate,
}

/// The inputs of the decision about a `StatefulSet`.
pub struct RolloutInputs<'a> {
    /// As the cache shows it.
    pub live: &'a StatefulSetView,
    /// The rendering with its provenance.
    pub desired: &'a StatefulSet,
    /// What the object's status records of the last write.
    pub recorded: Option<&'a StatefulSetStatusRef>,
    /// Whether the last writer of the object's status had observed its newest spec.
    pub observed: bool,
    /// The rollout policy.
    pub policy: &'a RolloutPolicy,
}

impl RolloutInputs<'_> {
    /// Decides.
    pub fn decide(&self) -> Decision {
        let desired = rendered_hash(self.desired);
        let (old, new) = (Provenance::on(&self.live.metadata), Provenance::on(&self.desired.metadata));
        // The operator's annotations remain when the Go operator writes the StatefulSet: they describe the previous content.
        if self.live.changed_by_go_operator && self.trace() != Trace::Untouched {
            return self.without_provenance();
        }
        if desired.is_some() && self.live.rendered_hash() == desired {
            return match self.trace() {
                Trace::Edited if self.policy.paused && !self.is_approved() => {
                    Decision::Hold(Reason::RolloutPaused)
                }
                Trace::Untouched if old.is_some() => Decision::Same,
                _ => Decision::Apply,
            };
        }
        let (Some(old), Some(new)) = (old, new) else { return self.without_provenance() };
        match self.reason_to_wait(&old, &new) {
            Some(reason) => Decision::Hold(reason),
            None => self.apply(&old, &new),
        }
    }

    /// Why the newer rendering is pending, if it is.
    fn reason_to_wait(&self, old: &Provenance, new: &Provenance) -> Option<Reason> {
        let inputs = self.known().and_then(|r| r.inputs_hash.as_ref()).unwrap_or(&old.inputs);
        // Provenance without a hash of the spec: the status shows whether its newest form was observed.
        let is_of_spec =
            new.is_of(inputs) && (old.spec_hash().is_some() || self.known_spec() || self.observed);
        if self.is_approved() || !is_of_spec {
            None
        } else if self.policy.paused {
            Some(Reason::RolloutPaused)
        } else if self.policy.approve_all
            || (self.is_edited() && (self.knows_fields() || !self.is_rescaled()))
        {
            None
        } else {
            old.reason_to_wait(new)
        }
    }

    /// A `StatefulSet` without provenance was created by the Go operator, from the current spec unless that has changed since; or
    /// by this operator, if only its annotations were removed.
    fn without_provenance(&self) -> Decision {
        let is_ours = self.recorded.is_some_and(|recorded| {
            Some(recorded.rendered_hash.as_str()) == rendered_hash(self.desired)
                && Some(recorded.generation) == self.live.metadata.generation
        });
        let approved_for_all = self.policy.approve_all && !self.policy.paused;
        if self.is_to_be_recreated() {
            Decision::Recreate
        } else if is_ours {
            Decision::Apply
        } else if self.is_approved() || approved_for_all || !self.observed {
            Decision::TakeOver
        } else {
            Decision::Adopt
        }
    }

    fn apply(&self, old: &Provenance, new: &Provenance) -> Decision {
        let blocked = old.immutable.changed(&new.immutable);
        if self.is_to_be_recreated() {
            Decision::Recreate
        } else if blocked.is_empty() {
            Decision::Apply
        } else if old.immutable.is_of_the_go_operator() && !self.is_pending() {
            // The status records only that another rendering was pending: this rendering is compared with the live object.
            Decision::TakeOver
        } else {
            Decision::Blocked(blocked)
        }
    }

    /// Whether the status records this rendering as the pending one.
    fn is_pending(&self) -> bool {
        self.is_desired(self.recorded.and_then(|recorded| recorded.pending_hash.as_deref()))
    }

    /// A recreate request implies approval of the pending rollout.
    fn is_approved(&self) -> bool {
        self.is_desired(self.policy.approved.as_deref()) || self.is_to_be_recreated()
    }

    fn is_to_be_recreated(&self) -> bool {
        self.is_desired(self.policy.recreate.as_deref())
    }

    fn is_desired(&self, hash: Option<&str>) -> bool {
        hash.is_some() && hash == rendered_hash(self.desired)
    }

    /// Whether the status records which spec the `StatefulSet` was rendered from.
    fn known_spec(&self) -> bool {
        self.known().is_some_and(|recorded| recorded.inputs_hash.is_some())
    }

    fn known(&self) -> Option<&StatefulSetStatusRef> {
        self.live.record(self.recorded)
    }

    fn trace(&self) -> Trace {
        self.live.trace(self.recorded)
    }

    /// Whether another field manager changed it since the last write.
    pub fn is_edited(&self) -> bool {
        self.trace() == Trace::Edited
    }

    /// Whether an edit is known to have changed an applied field other than the number of replicas.
    fn knows_fields(&self) -> bool {
        self.known().is_some_and(|recorded| self.live.holds(recorded).is_some())
    }

    /// Whether the `StatefulSet` matches the last write, once its number of replicas is corrected. An edit that is not reverted
    /// stays recorded as an edit.
    pub fn settles(&self) -> bool {
        !self.is_edited() || !(self.policy.paused || self.knows_fields())
    }

    /// Whether the number of replicas differs from the desired one: correcting it may be the whole repair.
    fn is_rescaled(&self) -> bool {
        Some(self.live.spec.replicas) != self.desired.spec.replicas
    }

    /// What the status continues to report if the template cannot be changed; an edit remains to be reverted.
    pub fn record_if_kept(&self) -> Option<StatefulSetStatusRef> {
        let known = self.known().cloned()?;
        let generation = if self.is_edited() { known.generation } else { self.live.metadata.generation? };
        Some(StatefulSetStatusRef { generation, ..known })
    }

    /// What the status reports if the template was left unchanged.
    pub fn record_if_unchanged(&self, pending: bool) -> Option<StatefulSetStatusRef> {
        // Without a record, the annotations of the StatefulSet are used.
        let known = self.known().cloned().or_else(|| self.live.reference())?;
        let inputs = || {
            let provenance = Provenance::on(&self.desired.metadata)?;
            // An earlier release may have recorded the same spec by another hash.
            Some(
                known
                    .inputs_hash
                    .clone()
                    .filter(|known| provenance.is_of(known))
                    .unwrap_or(provenance.inputs),
            )
        };
        Some(StatefulSetStatusRef {
            generation: if self.is_edited() { known.generation } else { self.live.metadata.generation? },
            // The new spec rendered to the same bytes: the StatefulSet is a rendering of it as well.
            inputs_hash: if pending { known.inputs_hash.clone() } else { inputs() },
            pending_hash: rendered_hash(self.desired).filter(|_| pending).map(str::to_owned),
            ..known
        })
    }
}

/// Whether a `StatefulSet` was rendered from the spec that `desired` is rendered from, its scale aside.
pub fn is_of_spec(
    live: Option<&StatefulSetView>,
    recorded: Option<&StatefulSetStatusRef>,
    desired: &StatefulSet,
) -> bool {
    let Some(live) = live else { return false };
    let live_spec_hash =
        || Provenance::on(&live.metadata).and_then(|provenance| provenance.spec_hash().map(str::to_owned));
    let inputs = live.record(recorded).and_then(|record| record.inputs_hash.clone()).or_else(live_spec_hash);
    inputs.is_some() && inputs == Provenance::on(&desired.metadata).map(|provenance| provenance.inputs)
}

#[cfg(test)]
mod tests;
