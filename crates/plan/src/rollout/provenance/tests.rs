use super::*;

fn part(value: &str, auto: bool) -> Option<Part> {
    let spec = json!({"env": {"A": value}, "autoUpdate": auto});
    serde_json::from_value(spec).ok().as_ref().map(Part::of)
}

fn provenance(operator: &str, renderer: &str, global: Option<Part>, namespaced: Option<Part>) -> Provenance {
    let immutable = Immutable::of(&StatefulSetSpec::default());
    let (operator, renderer) = (operator.to_owned(), renderer.to_owned());
    Provenance {
        inputs: "i".to_owned(),
        also: None,
        operator,
        operator_by_debug: None,
        renderer,
        global,
        namespaced,
        immutable,
    }
}

#[test]
fn a_change_without_a_reason_waits() {
    let before = provenance("o", "1", part("1", true), part("1", false));
    let reason = |operator, renderer, global, namespaced| {
        before.reason_to_wait(&provenance(operator, renderer, global, namespaced))
    };
    let waits = Some(Reason::BackendConfigChanged);
    assert_eq!(reason("o", "1", part("1", true), part("2", false)), waits);
    assert_eq!(reason("o", "1", part("2", true), part("1", false)), None, "auto update");
    assert_eq!(reason("o", "1", part("2", true), part("2", false)), None, "both");
    assert_eq!(reason("o", "1", part("1", true), None), waits, "removed");
    assert_eq!(reason("o", "1", None, part("1", false)), None, "removed, was auto update");
    assert_eq!(reason("o", "1", part("1", true), part("1", false)), None, "nothing but the spec is left");
    let renderer = Some(Reason::RendererChanged);
    assert_eq!(reason("o", "2", part("1", true), part("1", false)), renderer);
    assert_eq!(reason("p", "2", part("1", true), part("2", false)), renderer);
    assert_eq!(reason("o", "2", part("2", true), part("1", false)), None, "auto update takes it along");
    let operator = Some(Reason::OperatorConfigChanged);
    assert_eq!(reason("p", "1", part("1", true), part("1", false)), operator);
    let none = provenance("o", "1", None, None);
    assert_eq!(none.reason_to_wait(&provenance("o", "1", None, part("1", false))), waits, "new");
    assert_eq!(none.reason_to_wait(&provenance("o", "1", None, part("1", true))), None, "new, auto");
}

#[test]
fn provenance_survives_encoding() {
    let provenance = provenance("o", "1", part("1", true), None);
    let mut set = StatefulSet::default();
    provenance.write(&mut set);
    assert_eq!(Provenance::on(&set.metadata), Some(provenance));
    assert_eq!(Provenance::on(&ObjectMeta::default()), None);
}

#[test]
fn provenance_of_the_first_release_matches_the_same_configuration() {
    let environment = Environment::default();
    let operator = OperatorHash::of(&environment);
    let newer = |operator: &OperatorHash| {
        Provenance::of("{}", &StatefulSet::default(), operator, &Backend::default())
    };
    let ours = newer(&operator);
    // As recorded by the first release; this hash is on running StatefulSets.
    let first =
        Provenance { operator: "85c9dcbceac77f0c".to_owned(), operator_by_debug: None, ..ours.clone() };
    assert_eq!(first.reason_to_wait(&ours), None);
    assert_eq!(ours.reason_to_wait(&ours), None);
    let other = Environment { image_pull_policy: Some("Always".to_owned()), ..environment };
    let other = newer(&OperatorHash::of(&other));
    assert_eq!(first.reason_to_wait(&other), Some(Reason::OperatorConfigChanged));
    assert_eq!(ours.reason_to_wait(&other), Some(Reason::OperatorConfigChanged));
    assert!(!ours.text().contains("debug"), "only one hash is recorded: {}", ours.text());
}

#[test]
fn known_fields_of_a_newer_release_are_read() {
    let on = |provenance: &str| {
        let annotations = [(RENDERED_FROM.to_owned(), provenance.to_owned())].into();
        Provenance::on(&ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() })
    };
    let ours = provenance("o", "0.1.0/4", None, None);
    let mut value = serde_json::to_value(&ours).unwrap();
    value["renderer"] = json!("9.0.0/12");
    value["more"] = json!({"a": 1});
    let newer = on(&value.to_string()).unwrap();
    assert_eq!(newer.reason_to_wait(&ours), Some(Reason::RendererChanged));
    assert_eq!(newer.spec_hash(), Some("i"));
    value["immutable"] = json!({"serviceName": "a"});
    value["inputs"] = json!({"spec": "a"});
    let other_form = on(&value.to_string()).unwrap();
    assert_eq!(other_form.reason_to_wait(&ours), Some(Reason::RendererChanged));
    assert_eq!(other_form.spec_hash(), None);
    assert!(ours.is_of(&other_form.inputs) && other_form.immutable.changed(&ours.immutable).is_empty());
    assert_eq!(on("{}").unwrap().reason_to_wait(&ours), Some(Reason::RendererChanged));
    assert_eq!(on("garbage"), None);
}

#[test]
fn inputs_are_the_meaning_of_a_spec_without_its_scale() {
    let spec = json!({"image": "a", "replicas": 1, "pod": {"labels": {"a": "b"}}});
    let same = [
        json!({"pod": {"labels": {"a": "b"}}, "replicas": 3, "maxReplicas": 5, "minReplicas": 2, "image": "a"}),
        json!({"image": "a", "pod": {"labels": {"a": "b"}, "builtinAutoscaler": ["x"], "vpa": {"a": 1},
            "autoScalingMetrics": [], "autoScalingBehavior": {}, "annotations": {}}, "java": null, "input": {"a": {}}}),
    ];
    for other in same {
        assert_eq!(inputs(&spec.to_string()), inputs(&other.to_string()), "{other}");
    }
    let others = [
        json!({"image": "b", "pod": {"labels": {"a": "b"}}}),
        json!({"image": "a", "pod": {"labels": {"a": "c"}}}),
        json!({"image": "a", "pod": {"labels": {"a": "b"}}, "autoAck": false}),
    ];
    for other in others {
        assert_ne!(inputs(&spec.to_string()), inputs(&other.to_string()), "{other}");
    }
    let precise = |n: i32| inputs(&json!({"showPreciseParallelism": true, "replicas": n}).to_string());
    assert_ne!(precise(1), precise(2), "the number is in the command");
    let left_out = json!({"showPreciseParallelism": true}).to_string();
    assert_eq!(precise(1), inputs(&left_out), "the API server fills in the number");
    let of = |spec: &str| Provenance {
        inputs: inputs(spec),
        also: written_out(spec),
        ..provenance("o", "1", None, None)
    };
    let one = of(&json!({"showPreciseParallelism": true, "replicas": 1}).to_string());
    // What earlier releases recorded for both.
    assert!(one.is_of("6ffc31187dc68e1a") && one.is_of("f3ccbe4a1cd596d2") && !one.is_of(&precise(2)));
    assert_eq!(of(&spec.to_string()).also, None, "where the number does not count");
}

#[test]
fn fields_that_cannot_change_are_named() {
    let spec = StatefulSetSpec::default();
    let other = StatefulSetSpec { service_name: Some("s".to_owned()), replicas: Some(2), ..spec.clone() };
    assert_eq!(Immutable::of(&spec).changed(&Immutable::of(&other)), "serviceName");
    let other = StatefulSetSpec { volume_claim_templates: Some(Vec::new()), ..other };
    let names = Immutable::of(&spec).changed(&Immutable::of(&other));
    assert_eq!(names, "serviceName, volumeClaimTemplates");
}
