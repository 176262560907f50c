use super::*;
use crate::rollout::provenance::RENDERED_FROM;
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
    let provenance =
        json!({"inputs": inputs, "operator": "o", "renderer": renderer, "immutable": ["", "", "", claims]});
    set.metadata.annotations.get_or_insert_default().insert(RENDERED_FROM.to_owned(), provenance.to_string());
    set.metadata.generation = Some(4);
    set
}

fn hash(set: &StatefulSet) -> String {
    rendered_hash(set).unwrap().to_owned()
}

/// A StatefulSet that was rendered this way, and the record of it.
fn left(set: &StatefulSet) -> (StatefulSetView, StatefulSetStatusRef) {
    let view: StatefulSetView = serde_json::from_value(serde_json::to_value(set).unwrap()).unwrap();
    let recorded = view.reference().unwrap();
    (view, recorded)
}

fn decide(
    live: &StatefulSetView,
    recorded: Option<&StatefulSetStatusRef>,
    desired: &StatefulSet,
    policy: &RolloutPolicy,
) -> Decision {
    RolloutInputs { live, desired, recorded, observed: true, policy }.decide()
}

fn policy(approved: Option<String>, paused: bool) -> RolloutPolicy {
    RolloutPolicy { approved, paused, ..RolloutPolicy::default() }
}

#[test]
fn a_newer_renderer_waits_for_approval() {
    let (live, recorded) = left(&rendered("i", "1", ""));
    let newer = rendered("i", "2", "");
    let of = |policy: &RolloutPolicy| decide(&live, Some(&recorded), &newer, policy);
    assert_eq!(of(&RolloutPolicy::default()), Decision::Hold(Reason::RendererChanged));
    assert_eq!(of(&policy(Some(hash(&newer)), false)), Decision::Apply);
    assert_eq!(of(&policy(Some("another".to_owned()), false)), Decision::Hold(Reason::RendererChanged));
    assert_eq!(of(&RolloutPolicy { approve_all: true, ..RolloutPolicy::default() }), Decision::Apply);
    assert_eq!(
        of(&RolloutPolicy { approve_all: true, paused: true, ..RolloutPolicy::default() }),
        Decision::Hold(Reason::RolloutPaused)
    );
    assert_eq!(of(&policy(Some(hash(&newer)), true)), Decision::Apply, "approved by name");
    // A change of the spec is a reason, and includes the newer renderer.
    assert_eq!(
        decide(&live, Some(&recorded), &rendered("j", "2", ""), &RolloutPolicy::default()),
        Decision::Apply
    );
    // The record of the last write was lost, which is no reason.
    assert_eq!(
        decide(&live, None, &newer, &RolloutPolicy::default()),
        Decision::Hold(Reason::RendererChanged)
    );
}

#[test]
fn the_spec_that_rendered_the_same_is_what_it_was_rendered_from() {
    let set = rendered("i", "1", "");
    let (live, recorded) = left(&set);
    // Another spec that renders to the same bytes; the recorded provenance stays.
    let mut same = set.clone();
    let provenance = json!({"inputs": "j", "operator": "o", "renderer": "1", "immutable": ["", "", "", ""]});
    same.metadata
        .annotations
        .get_or_insert_default()
        .insert(RENDERED_FROM.to_owned(), provenance.to_string());
    let plain = RolloutPolicy::default();
    let inputs = RolloutInputs {
        live: &live,
        desired: &same,
        recorded: Some(&recorded),
        observed: false,
        policy: &plain,
    };
    assert_eq!(inputs.decide(), Decision::Same);
    let recorded = inputs.record_if_unchanged(false).unwrap();
    assert_eq!(recorded.inputs_hash.as_deref(), Some("j"));
    // After an upgrade.
    let newer = rendered("j", "2", "");
    assert_eq!(decide(&live, Some(&recorded), &newer, &plain), Decision::Hold(Reason::RendererChanged));
    let pending = RolloutInputs {
        live: &live,
        desired: &newer,
        recorded: Some(&recorded),
        observed: true,
        policy: &plain,
    };
    let pending = pending.record_if_unchanged(true).unwrap();
    assert_eq!((pending.inputs_hash.as_deref(), pending.pending_hash), (Some("j"), Some(hash(&newer))));
}

#[test]
fn an_edit_is_repaired_unless_paused() {
    let set = rendered("i", "1", "");
    let (mut live, recorded) = left(&set);
    let plain = RolloutPolicy::default();
    assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Same);
    assert_eq!(decide(&live, None, &set, &plain), Decision::Apply, "nothing is known");
    live.metadata.generation = Some(5);
    assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Apply);
    let paused = policy(None, true);
    assert_eq!(decide(&live, Some(&recorded), &set, &paused), Decision::Hold(Reason::RolloutPaused));
    let inputs = RolloutInputs {
        live: &live,
        desired: &set,
        recorded: Some(&recorded),
        observed: true,
        policy: &paused,
    };
    assert_eq!(inputs.record_if_unchanged(true).unwrap().generation, 4, "so that it is repaired one day");
    let approved = policy(Some(hash(&set)), true);
    assert_eq!(decide(&live, Some(&recorded), &set, &approved), Decision::Apply, "approved by name");
    // A write of this operator that ended before the status was written.
    live.metadata
        .annotations
        .get_or_insert_default()
        .insert(crate::observed::metadata::ADJUSTED.to_owned(), "5".to_owned());
    assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Same);
}

#[test]
fn while_an_update_waits_an_edit_of_the_scale_is_no_reason_for_it() {
    let (mut live, recorded) = left(&rendered("i", "1", ""));
    let newer = rendered("i", "2", "");
    (live.metadata.generation, live.spec.replicas) = (Some(5), 2);
    let plain = RolloutPolicy::default();
    assert_eq!(decide(&live, Some(&recorded), &newer, &plain), Decision::Hold(Reason::RendererChanged));
    live.spec.replicas = 1;
    assert_eq!(decide(&live, Some(&recorded), &newer, &plain), Decision::Apply, "something else was edited");
}

#[test]
fn an_immutable_field_is_blocked_until_a_recreate_request() {
    let (live, recorded) = left(&rendered("i", "1", "a"));
    let other = rendered("j", "1", "b");
    let plain = RolloutPolicy::default();
    assert_eq!(
        decide(&live, Some(&recorded), &other, &plain),
        Decision::Blocked("volumeClaimTemplates".to_owned())
    );
    let recreate = RolloutPolicy { recreate: Some(hash(&other)), ..RolloutPolicy::default() };
    assert_eq!(decide(&live, Some(&recorded), &other, &recreate), Decision::Recreate);
    // Done: the annotation remains and has no further effect.
    let (live, recorded) = left(&other);
    assert_eq!(decide(&live, Some(&recorded), &other, &recreate), Decision::Same);
}

#[test]
fn a_statefulset_of_the_go_operator_is_adopted_unchanged() {
    let set = rendered("i", "1", "");
    let (mut live, _) = left(&set);
    live.metadata.annotations = None;
    let plain = RolloutPolicy::default();
    assert_eq!(decide(&live, None, &set, &plain), Decision::Adopt);
    let (_, record) = left(&set);
    assert_eq!(decide(&live, Some(&record), &set, &plain), Decision::Apply, "only our annotations are gone");
    let unseen =
        RolloutInputs { live: &live, desired: &set, recorded: None, observed: false, policy: &plain };
    assert_eq!(unseen.decide(), Decision::TakeOver, "the spec changed while no controller ran");
    let text = Provenance::on(&set.metadata).unwrap().of_the_go_operator(&[], false).text();
    let annotations = [
        (RENDERED_HASH.to_owned(), crate::takeover::marks::MADE_BY_GO_OPERATOR.to_owned()),
        (RENDERED_FROM.to_owned(), text),
    ];
    live.metadata.annotations = Some(annotations.into());
    let recorded = live.reference();
    assert_eq!(decide(&live, recorded.as_ref(), &set, &plain), Decision::Hold(Reason::AdoptedFromGoOperator));
    let approved = policy(Some(hash(&set)), false);
    assert_eq!(decide(&live, recorded.as_ref(), &set, &approved), Decision::Apply);

    // Back to the Go operator, which changed the template but not this operator's annotations, and to this operator again.
    live.metadata.generation = Some(5);
    live.changed_by_go_operator = true;
    assert_eq!(decide(&live, recorded.as_ref(), &set, &plain), Decision::Adopt);
    assert_eq!(decide(&live, None, &set, &plain), Decision::Adopt, "the status was reset");
    assert_eq!(decide(&live, recorded.as_ref(), &set, &approved), Decision::TakeOver);
    // The same after this operator had rendered it.
    let (mut live, recorded) = left(&set);
    live.changed_by_go_operator = true;
    assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Same, "that was before our write");
    live.metadata.generation = Some(5);
    assert_eq!(decide(&live, Some(&recorded), &set, &plain), Decision::Adopt);
    let paused = RolloutPolicy { approve_all: true, paused: true, ..RolloutPolicy::default() };
    assert_eq!(decide(&live, Some(&recorded), &set, &paused), Decision::Adopt);
}

#[test]
fn a_statefulset_of_a_newer_release_is_not_one_of_the_go_operator() {
    let desired = rendered("i", "1", "");
    let (live, _) = left(&rendered("i", "2", ""));
    let with = |provenance: &serde_json::Value| {
        let mut live = live.clone();
        live.metadata
            .annotations
            .get_or_insert_default()
            .insert(RENDERED_FROM.to_owned(), provenance.to_string());
        live
    };
    let unknown_fields = json!({"inputs": "i", "operator": "p", "renderer": "9.0.0/12", "more": [1],
        "immutable": ["", "", "", ""]});
    let other_form = json!({"spec": {"hash": "i"}, "renderer": {"release": "9.0.0"}});
    let plain = RolloutPolicy::default();
    let waits = Decision::Hold(Reason::RendererChanged);
    for provenance in [unknown_fields, other_form] {
        let live = with(&provenance);
        let recorded = live.reference();
        assert_eq!(decide(&live, recorded.as_ref(), &desired, &plain), waits, "{provenance}");
        assert_eq!(decide(&live, None, &desired, &plain), waits, "the status was lost: {provenance}");
        assert_eq!(
            decide(&live, recorded.as_ref(), &desired, &policy(Some(hash(&desired)), false)),
            Decision::Apply
        );
        let (mut same, _) = left(&desired);
        same.metadata
            .annotations
            .get_or_insert_default()
            .insert(RENDERED_FROM.to_owned(), provenance.to_string());
        assert_eq!(
            decide(&same, same.reference().as_ref(), &desired, &plain),
            Decision::Same,
            "{provenance}"
        );
    }
}
