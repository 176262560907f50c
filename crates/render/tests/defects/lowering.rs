//! What is validated, and the defaults.

use crate::common::*;
use crate::go_programs::go_configuration;
use functionmesh_render::OperatorConfig;
use functionmesh_render::{Defaults, Environment};
use serde_json::{Value, json};

#[test]
fn d004_d005_what_the_webhook_filled_in_or_an_update_removed_is_no_crash() {
    let bare = function("{}");
    assert_eq!(rendered(&bare).stateful_set.spec.replicas, Some(1));
    assert_eq!(details(&bare)["sink"]["forwardSourceMessageProperty"], true);
    assert_eq!(problems(&function("{pulsar: null}")), ["spec.pulsar.pulsarConfig"]);
    assert_eq!(problems(&object("Source", "{java: null}")), ["spec.java"]);
    let batch = "{sourceConfig: null, batchSourceConfig: {discoveryTriggererClassName: T}}";
    assert_eq!(problems(&object("Source", batch)), ["spec.sourceConfig"]);
    let pattern = "{input: {topics: null, topicPattern: 'a/b'}, cleanupSubscription: true}";
    assert_eq!(problems(&function(pattern)), ["spec.input"]);
}

#[test]
fn d007_a_window_needs_no_sliding_interval() {
    let details = details(&function("{windowConfig: {windowLengthCount: 10}}"));
    let config: Value = serde_json::from_str(details["userConfig"].as_str().unwrap()).unwrap();
    let window = json!({"actualWindowFunctionClassName": "org.Example", "windowLengthCount": 10, "slidingIntervalCount": 10,
        "processingGuarantees": "ATLEAST_ONCE"});
    assert_eq!(config["__WINDOWCONFIGS__"], window);
}

/// The instance acknowledges each message on arrival unless the guarantee is MANUAL, and the window executor acknowledges only if
/// the window has a guarantee (source code of Pulsar 4.0.6).
#[test]
fn the_messages_of_a_window_are_acknowledged_with_it() {
    for (given, instance, window) in [
        ("", "MANUAL", "ATLEAST_ONCE"),
        ("processingGuarantee: atleast_once", "MANUAL", "ATLEAST_ONCE"),
        ("processingGuarantee: manual", "MANUAL", ""),
        ("processingGuarantee: atmost_once", "ATMOST_ONCE", ""),
        ("processingGuarantee: effectively_once", "EFFECTIVELY_ONCE", ""),
    ] {
        let details = details(&function(&format!("{{windowConfig: {{windowLengthCount: 10}}, {given}}}")));
        let config: Value = serde_json::from_str(details["userConfig"].as_str().unwrap()).unwrap();
        let of_window = config["__WINDOWCONFIGS__"]["processingGuarantees"].as_str().unwrap_or_default();
        assert_eq!(
            (details["processingGuarantees"].as_str().unwrap(), of_window),
            (instance, window),
            "{given}"
        );
    }
    for (given, instance) in [("", "MANUAL"), ("processingGuarantee: atmost_once", "MANUAL")] {
        let window = "{windowLengthCount: 10, processingGuarantees: ATMOST_ONCE}";
        let details = details(&function(&format!("{{windowConfig: {window}, {given}}}")));
        assert_eq!(details["processingGuarantees"], instance, "{given}");
    }
    // Without a window nothing changes.
    assert_eq!(details(&function("{autoAck: false}")).get("processingGuarantees"), None);
    assert_eq!(
        go_configuration("autoAck: false")["processingGuarantees"],
        3,
        "its instance would refuse to start"
    );
    assert_eq!(go_configuration("autoAck: true")["processingGuarantees"], 0);
}

#[test]
fn a_probe_without_a_handler_is_named() {
    let idle = "{pod: {startupProbe: {periodSeconds: 1}, sidecars: [{name: a, livenessProbe: {}}], liveness: {periodSeconds: 1, successThreshold: 2}}}";
    assert_eq!(
        problems(&function(idle)),
        ["spec.pod.sidecars[0].livenessProbe", "spec.pod.liveness.successThreshold", "spec.pod.startupProbe"]
    );
}

#[test]
fn d012_rendering_changes_nothing_it_reads() {
    let affinity = "{pod: {affinity: {podAntiAffinity: {}}, imagePullSecrets: [{name: own}]}}";
    let mut environment = Environment::default();
    OperatorConfig::parse("runnerImagePullSecrets: [{name: own}, {name: more}]")
        .unwrap()
        .apply(&mut environment);
    let workload = lower(&function(affinity)).unwrap();
    for _ in 0..3 {
        let desired = functionmesh_render::render(&workload, &environment, &Defaults::default());
        let pod = pod(&desired);
        let terms = pod.affinity.as_ref().unwrap().pod_anti_affinity.as_ref().unwrap();
        assert_eq!(terms.preferred_during_scheduling_ignored_during_execution.as_ref().unwrap().len(), 1);
        let secrets: Vec<&str> = pod.image_pull_secrets.iter().flatten().map(|s| s.name.as_str()).collect();
        assert_eq!(secrets, ["own", "more"]);
    }
}

#[test]
fn d014_the_configuration_of_a_batch_source_does_not_grow() {
    let batch = object(
        "Source",
        "{batchSourceConfig: {discoveryTriggererClassName: T, discoveryTriggererConfig: {a: b}}}",
    );
    let details = details(&batch);
    assert_eq!(details["userConfig"], r#"{"k":"v"}"#);
    assert_eq!(
        details["source"]["className"],
        "org.apache.pulsar.functions.source.batch.BatchSourceExecutor"
    );
    let want = r#"{"__BATCHSOURCECLASSNAME__":"org.Example","__BATCHSOURCECONFIGS__":"{\"discoveryTriggererClassName\":\"T\",\"discoveryTriggererConfig\":{\"a\":\"b\"}}","k":"v"}"#;
    assert_eq!(details["source"]["configs"], want);
}

#[test]
fn r004_labels_that_select_the_pods_are_refused() {
    for label in ["app", "compute.functionmesh.io/name", "app.kubernetes.io/instance"] {
        assert_eq!(
            problems(&function(&format!("{{pod: {{labels: {{{label}: x}}}}}}"))),
            [format!("spec.pod.labels.{label}")]
        );
    }
    assert!(OperatorConfig::parse("resourceLabels: {component: x}").is_err());
}
