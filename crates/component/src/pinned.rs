//! Pinned templates: what the pods' set may become, and what has to wait (design section 5). Pure.
//!
//! Pods restart for a reason only: the spec changed, a `BackendConfig` with `autoUpdate` changed, somebody edited the
//! `StatefulSet`, or somebody approved. A newer renderer, or another configuration of the operator, is no reason.
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

use crate::children::{StatefulSetView, Trace};
use crate::note::Note;
use crate::reason::Reason;
use functionmesh_api::constants::{ANNOTATION_APPROVE_UPDATE, ANNOTATION_PAUSE_ROLLOUT, ANNOTATION_RECREATE};
use functionmesh_api::status::{ComponentStatus, StatefulSetStatusRef};
use functionmesh_render::rendered_hash;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::core::ObjectMeta;

/// What the user, or the administrator for all, said about roll-outs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wishes {
    /// The rendering that may replace what runs.
    pub approved: Option<String>,
    /// Every rendering may.
    pub approve_all: bool,
    /// Only a change of the object's own spec may reach its pods.
    pub paused: bool,
    /// The rendering for which the set may be deleted and made anew.
    pub recreate: Option<String>,
}

impl Wishes {
    /// Reads them from the object, beside those for all.
    pub fn of(object: &ObjectMeta, for_all: &Self) -> Self {
        let annotation = |key: &str| object.annotations.as_ref()?.get(key).cloned();
        Self {
            approved: annotation(ANNOTATION_APPROVE_UPDATE),
            approve_all: for_all.approve_all,
            paused: for_all.paused || annotation(ANNOTATION_PAUSE_ROLLOUT).as_deref() == Some("true"),
            recreate: annotation(ANNOTATION_RECREATE),
        }
    }
}

/// What to do with a `StatefulSet` that exists and is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It is as it would be rendered, and as we left it.
    Same,
    /// Write what is rendered.
    Apply,
    /// Leave it as it is, for the reason given.
    Hold(Reason),
    /// The Go operator made it, or changed its pods' template since: note on it what it came from, and leave its pods alone.
    Adopt,
    /// The same, and then write what is rendered.
    TakeOver,
    /// The change is of fields that cannot change; their names.
    Blocked(String),
    /// Delete it without its pods, to be made anew.
    Recreate,
}

/// What is known of the set.
pub struct Situation<'a> {
    /// As the cache shows it.
    pub live: &'a StatefulSetView,
    /// As it would be rendered, with its note.
    pub desired: &'a StatefulSet,
    /// What the object's status says of the last write.
    pub recorded: Option<&'a StatefulSetStatusRef>,
    /// Whether the last one to look after the object had seen its newest spec.
    pub observed: bool,
    /// What was asked for.
    pub wishes: &'a Wishes,
}

impl Situation<'_> {
    /// Decides.
    pub fn decide(&self) -> Decision {
        let desired = rendered_hash(self.desired);
        let (old, new) = (Note::on(&self.live.metadata), Note::on(&self.desired.metadata));
        // Our annotations outlive what the Go operator writes: they speak of what was there before.
        if self.live.changed_by_go_operator && self.trace() != Trace::Untouched {
            return self.unnoted();
        }
        if desired.is_some() && self.live.rendered_hash() == desired {
            return match self.trace() {
                Trace::Edited if self.wishes.paused && !self.is_approved() => {
                    Decision::Hold(Reason::RolloutPaused)
                }
                Trace::Untouched if old.is_some() => Decision::Same,
                _ => Decision::Apply,
            };
        }
        let (Some(old), Some(new)) = (old, new) else { return self.unnoted() };
        match self.reason_to_wait(&old, &new) {
            Some(reason) => Decision::Hold(reason),
            None => self.apply(&old, &new),
        }
    }

    /// Why the newer rendering has to wait, if it has to.
    fn reason_to_wait(&self, old: &Note, new: &Note) -> Option<Reason> {
        let inputs = self.known().and_then(|r| r.inputs_hash.as_ref()).unwrap_or(&old.inputs);
        if self.is_approved() || !new.is_of(inputs) {
            None
        } else if self.wishes.paused {
            Some(Reason::RolloutPaused)
        } else if self.wishes.approve_all
            || (self.is_edited() && (self.knows_fields() || !self.is_rescaled()))
        {
            None
        } else {
            old.reason_to_wait(new)
        }
    }

    /// A set without a note is the Go operator's, made from the spec as it is unless that changed since; or ours, when
    /// somebody took our annotations away and nothing else.
    fn unnoted(&self) -> Decision {
        let is_ours = self.recorded.is_some_and(|recorded| {
            Some(recorded.rendered_hash.as_str()) == rendered_hash(self.desired)
                && Some(recorded.generation) == self.live.metadata.generation
        });
        let everybody = self.wishes.approve_all && !self.wishes.paused;
        if self.is_to_be_made_anew() {
            Decision::Recreate
        } else if is_ours {
            Decision::Apply
        } else if self.is_approved() || everybody || !self.observed {
            Decision::TakeOver
        } else {
            Decision::Adopt
        }
    }

    fn apply(&self, old: &Note, new: &Note) -> Decision {
        let blocked = old.immutable.changed(&new.immutable);
        if self.is_to_be_made_anew() {
            Decision::Recreate
        } else if blocked.is_empty() {
            Decision::Apply
        } else if old.immutable.is_of_the_original() && !self.is_pending() {
            // Noted was only that another rendering differed: this one is compared with the live object.
            Decision::TakeOver
        } else {
            Decision::Blocked(blocked)
        }
    }

    /// Whether the status names the rendering as the one that waits.
    fn is_pending(&self) -> bool {
        self.is_desired(self.recorded.and_then(|recorded| recorded.pending_hash.as_deref()))
    }

    /// Whoever wants the set made anew for a rendering wants the rendering.
    fn is_approved(&self) -> bool {
        self.is_desired(self.wishes.approved.as_deref()) || self.is_to_be_made_anew()
    }

    fn is_to_be_made_anew(&self) -> bool {
        self.is_desired(self.wishes.recreate.as_deref())
    }

    fn is_desired(&self, hash: Option<&str>) -> bool {
        hash.is_some() && hash == rendered_hash(self.desired)
    }

    fn known(&self) -> Option<&StatefulSetStatusRef> {
        self.live.record(self.recorded)
    }

    fn trace(&self) -> Trace {
        self.live.trace(self.recorded)
    }

    /// Whether somebody changed it since our last write.
    pub fn is_edited(&self) -> bool {
        self.trace() == Trace::Edited
    }

    /// Whether an edit is known to be one of a field that we applied, and not of the number of replicas alone.
    fn knows_fields(&self) -> bool {
        self.known().is_some_and(|recorded| self.live.holds(recorded).is_some())
    }

    /// Whether the set is as we left it once its number of replicas is right. An edit that is left alone stays one.
    pub fn settles(&self) -> bool {
        !self.is_edited() || !(self.wishes.paused || self.knows_fields())
    }

    /// Whether the number of replicas is another than wanted: putting that right may be all there is to repair.
    fn is_rescaled(&self) -> bool {
        Some(self.live.spec.replicas) != self.desired.spec.replicas
    }

    /// What the status goes on saying of the set when its template cannot be changed; an edit is still to be reverted.
    pub fn left_as_recorded(&self) -> Option<StatefulSetStatusRef> {
        let known = self.known().cloned()?;
        let generation = if self.is_edited() { known.generation } else { self.live.metadata.generation? };
        Some(StatefulSetStatusRef { generation, ..known })
    }

    /// What the status is to say of the set when its template was left alone.
    pub fn left_alone(&self, pending: bool) -> Option<StatefulSetStatusRef> {
        // Without a record, what the set says of itself.
        let known = self.known().cloned().or_else(|| self.live.reference())?;
        let inputs = || {
            let note = Note::on(&self.desired.metadata)?;
            // An earlier release may have recorded the same spec by another hash.
            Some(known.inputs_hash.clone().filter(|known| note.is_of(known)).unwrap_or(note.inputs))
        };
        Some(StatefulSetStatusRef {
            generation: if self.is_edited() { known.generation } else { self.live.metadata.generation? },
            // The same bytes came out of the new spec: it is what the set was made from as well.
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
    let noted = || Note::on(&live.metadata).map(|note| note.inputs);
    let inputs = live.record(recorded).and_then(|record| record.inputs_hash.clone()).or_else(noted);
    inputs.is_some() && inputs == Note::on(&desired.metadata).map(|note| note.inputs)
}

/// Whether whoever wrote the status last had seen the object's newest spec; yes when it says nothing about that.
pub fn observed(status: &ComponentStatus, object: &ObjectMeta) -> bool {
    status.observed_generation.is_none() || status.observed_generation == object.generation
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::RENDERED_FROM;
    use functionmesh_render::{RENDERED_HASH, stamp};
    use k8s_openapi::api::apps::v1::StatefulSetSpec;
    use serde_json::json;

    /// A rendering of some spec by some renderer.
    fn rendered(inputs: &str, renderer: &str, claims: &str) -> StatefulSet {
        let spec = StatefulSetSpec {
            replicas: Some(1),
            service_name: Some(format!("{inputs}-{renderer}")),
            ..StatefulSetSpec::default()
        };
        let mut set = StatefulSet { spec, ..StatefulSet::default() };
        stamp(&mut set, renderer);
        let note = json!({"inputs": inputs, "operator": "o", "renderer": renderer, "immutable": ["", "", "", claims]});
        set.metadata.annotations.get_or_insert_default().insert(RENDERED_FROM.to_owned(), note.to_string());
        set.metadata.generation = Some(4);
        set
    }

    fn hash(set: &StatefulSet) -> String {
        rendered_hash(set).unwrap().to_owned()
    }

    /// A set that was rendered so, and the record of it.
    fn left(set: &StatefulSet) -> (StatefulSetView, StatefulSetStatusRef) {
        let view: StatefulSetView = serde_json::from_value(serde_json::to_value(set).unwrap()).unwrap();
        let recorded = view.reference().unwrap();
        (view, recorded)
    }

    fn decide(
        live: &StatefulSetView,
        recorded: Option<&StatefulSetStatusRef>,
        desired: &StatefulSet,
        wishes: &Wishes,
    ) -> Decision {
        Situation { live, desired, recorded, observed: true, wishes }.decide()
    }

    fn wishes(approved: Option<String>, paused: bool) -> Wishes {
        Wishes { approved, paused, ..Wishes::default() }
    }

    #[test]
    fn a_newer_renderer_waits_for_approval() {
        let (live, recorded) = left(&rendered("i", "1", ""));
        let newer = rendered("i", "2", "");
        let of = |wishes: &Wishes| decide(&live, Some(&recorded), &newer, wishes);
        assert_eq!(of(&Wishes::default()), Decision::Hold(Reason::RendererChanged));
        assert_eq!(of(&wishes(Some(hash(&newer)), false)), Decision::Apply);
        assert_eq!(of(&wishes(Some("another".to_owned()), false)), Decision::Hold(Reason::RendererChanged));
        assert_eq!(of(&Wishes { approve_all: true, ..Wishes::default() }), Decision::Apply);
        assert_eq!(
            of(&Wishes { approve_all: true, paused: true, ..Wishes::default() }),
            Decision::Hold(Reason::RolloutPaused)
        );
        assert_eq!(of(&wishes(Some(hash(&newer)), true)), Decision::Apply, "approved by name");
        // The spec is a reason, and takes the newer renderer along.
        assert_eq!(
            decide(&live, Some(&recorded), &rendered("j", "2", ""), &Wishes::default()),
            Decision::Apply
        );
        // The record of the last write was lost: still no reason.
        assert_eq!(decide(&live, None, &newer, &Wishes::default()), Decision::Hold(Reason::RendererChanged));
    }

    #[test]
    fn the_spec_that_rendered_the_same_is_what_it_was_rendered_from() {
        let set = rendered("i", "1", "");
        let (live, recorded) = left(&set);
        // Another spec that renders to the same bytes; the note on the set stays.
        let mut same = set.clone();
        let note = json!({"inputs": "j", "operator": "o", "renderer": "1", "immutable": ["", "", "", ""]});
        same.metadata.annotations.get_or_insert_default().insert(RENDERED_FROM.to_owned(), note.to_string());
        let plain = Wishes::default();
        let situation = Situation {
            live: &live,
            desired: &same,
            recorded: Some(&recorded),
            observed: false,
            wishes: &plain,
        };
        assert_eq!(situation.decide(), Decision::Same);
        let recorded = situation.left_alone(false).unwrap();
        assert_eq!(recorded.inputs_hash.as_deref(), Some("j"));
        // A release later.
        let newer = rendered("j", "2", "");
        assert_eq!(decide(&live, Some(&recorded), &newer, &plain), Decision::Hold(Reason::RendererChanged));
        let pending = Situation {
            live: &live,
            desired: &newer,
            recorded: Some(&recorded),
            observed: true,
            wishes: &plain,
        };
        let pending = pending.left_alone(true).unwrap();
        assert_eq!((pending.inputs_hash.as_deref(), pending.pending_hash), (Some("j"), Some(hash(&newer))));
    }

    #[test]
    fn an_edit_is_repaired_unless_paused() {
        let set = rendered("i", "1", "");
        let (mut live, recorded) = left(&set);
        let plain = Wishes::default();
        assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Same);
        assert_eq!(decide(&live, None, &set, &plain), Decision::Apply, "nothing is known");
        live.metadata.generation = Some(5);
        assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Apply);
        let paused = wishes(None, true);
        assert_eq!(decide(&live, Some(&recorded), &set, &paused), Decision::Hold(Reason::RolloutPaused));
        let situation = Situation {
            live: &live,
            desired: &set,
            recorded: Some(&recorded),
            observed: true,
            wishes: &paused,
        };
        assert_eq!(situation.left_alone(true).unwrap().generation, 4, "so that it is repaired one day");
        let approved = wishes(Some(hash(&set)), true);
        assert_eq!(decide(&live, Some(&recorded), &set, &approved), Decision::Apply, "approved by name");
        // A change of ours that ended before the status was written.
        live.metadata
            .annotations
            .get_or_insert_default()
            .insert(crate::children::ADJUSTED.to_owned(), "5".to_owned());
        assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Same);
    }

    #[test]
    fn while_an_update_waits_an_edit_of_the_scale_is_no_reason_for_it() {
        let (mut live, recorded) = left(&rendered("i", "1", ""));
        let newer = rendered("i", "2", "");
        (live.metadata.generation, live.spec.replicas) = (Some(5), 2);
        let plain = Wishes::default();
        assert_eq!(decide(&live, Some(&recorded), &newer, &plain), Decision::Hold(Reason::RendererChanged));
        live.spec.replicas = 1;
        assert_eq!(
            decide(&live, Some(&recorded), &newer, &plain),
            Decision::Apply,
            "something else was edited"
        );
    }

    #[test]
    fn what_cannot_change_is_blocked_until_it_may_be_made_anew() {
        let (live, recorded) = left(&rendered("i", "1", "a"));
        let other = rendered("j", "1", "b");
        let plain = Wishes::default();
        assert_eq!(
            decide(&live, Some(&recorded), &other, &plain),
            Decision::Blocked("volumeClaimTemplates".to_owned())
        );
        let anew = Wishes { recreate: Some(hash(&other)), ..Wishes::default() };
        assert_eq!(decide(&live, Some(&recorded), &other, &anew), Decision::Recreate);
        // Done: the annotation stays and says nothing more.
        let (live, recorded) = left(&other);
        assert_eq!(decide(&live, Some(&recorded), &other, &anew), Decision::Same);
    }

    #[test]
    fn a_set_of_the_original_is_taken_over_as_it_is() {
        let set = rendered("i", "1", "");
        let (mut live, _) = left(&set);
        live.metadata.annotations = None;
        let plain = Wishes::default();
        assert_eq!(decide(&live, None, &set, &plain), Decision::Adopt);
        let (_, record) = left(&set);
        assert_eq!(
            decide(&live, Some(&record), &set, &plain),
            Decision::Apply,
            "only our annotations are gone"
        );
        let unseen =
            Situation { live: &live, desired: &set, recorded: None, observed: false, wishes: &plain };
        assert_eq!(unseen.decide(), Decision::TakeOver, "the spec changed while nobody looked");
        let text = Note::on(&set.metadata).unwrap().of_the_original(&[], false).text();
        let annotations =
            [(RENDERED_HASH.to_owned(), crate::note::ORIGINAL.to_owned()), (RENDERED_FROM.to_owned(), text)];
        live.metadata.annotations = Some(annotations.into());
        let recorded = live.reference();
        assert_eq!(decide(&live, recorded.as_ref(), &set, &plain), Decision::Hold(Reason::MadeByOriginal));
        let approved = wishes(Some(hash(&set)), false);
        assert_eq!(decide(&live, recorded.as_ref(), &set, &approved), Decision::Apply);

        // Back to the Go operator, which changed the template under our annotations, and to us again.
        live.metadata.generation = Some(5);
        live.changed_by_go_operator = true;
        assert_eq!(decide(&live, recorded.as_ref(), &set, &plain), Decision::Adopt);
        assert_eq!(decide(&live, None, &set, &plain), Decision::Adopt, "the status was reset");
        assert_eq!(decide(&live, recorded.as_ref(), &set, &approved), Decision::TakeOver);
        // The same when we had rendered it.
        let (mut live, recorded) = left(&set);
        live.changed_by_go_operator = true;
        assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Same, "that was before our write");
        live.metadata.generation = Some(5);
        assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Adopt);
        let paused = Wishes { approve_all: true, paused: true, ..Wishes::default() };
        assert_eq!(decide(&live, Some(&recorded), &set, &paused), Decision::Adopt);
    }
}
