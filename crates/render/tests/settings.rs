//! Settings that have an effect through rendering (docs/reference/settings.md lists those that cannot have one).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test may panic")]

mod common;

use common::*;
use serde_json::{Value, json};

/// The configuration that a Go program gets, with the variables as the shell sets them.
fn go_configuration(patch: &str) -> Value {
    let object = function(&format!("{{java: null, golang: {{go: /pulsar/go}}, {patch}}}"));
    let script = script(main_container(&rendered(&object))).to_owned();
    let (_, program) = script.split_once("chmod +x /pulsar/go && ").unwrap();
    let program = program.replace("exec /pulsar/go -instance-conf", "printf %s");
    let mut shell = std::process::Command::new("bash");
    shell.args(["-c", &program]).env_clear().env("SHARD_ID", "0").env("brokerServiceURL", "pulsar://b");
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_go_program_gets_every_setting_that_its_configuration_has_a_field_for() {
    let plain = go_configuration("output: {topic: o}");
    assert_eq!((&plain["subscriptionType"], &plain["subscriptionPosition"]), (&json!(0), &json!(1)));
    let latest = go_configuration("subscriptionPosition: latest, retainOrdering: true");
    assert_eq!((&latest["subscriptionType"], &latest["subscriptionPosition"]), (&json!(1), &json!(0)));
    // Stored before the rule existed: newer SDKs support it.
    assert_eq!(go_configuration("retainKeyOrdering: true")["subscriptionType"], 2);
    // The same in Pulsar's own format, including settings without a field of their own.
    let settings = "output: {topic: o, producerConf: {compressionType: ZSTD, batchBuilder: KEY_BASED}}, skipToLatest: true";
    let details = go_configuration(settings)["functionDetails"].as_str().unwrap().to_owned();
    let details: Value = serde_json::from_str(&details).unwrap();
    assert_eq!(
        details["sink"]["producerSpec"],
        json!({"compressionType": "ZSTD", "batchBuilder": "KEY_BASED"})
    );
    assert_eq!((&details["runtime"], &details["source"]["skipToLatest"]), (&json!("GO"), &json!(true)));
}

#[test]
fn a_pattern_without_a_namespace_is_one_of_public_default() {
    const WANTED: &str = "persistent://public/default/in-.*";
    for input in ["topicPattern: 'in-.*'", "sourceSpecs: {'in-.*': {isRegexPattern: true}}"] {
        for kind in ["Function", "Sink"] {
            let details = details(&object(kind, &format!("{{input: {{topics: null, {input}}}}}")));
            let specs = &details["source"]["inputSpecs"];
            assert_eq!(specs, &json!({WANTED: {"isRegexPattern": true}}), "{kind} {input}");
        }
    }
    let go = go_configuration("input: {topics: null, topicPattern: 'in-.*'}");
    assert_eq!((&go["sourceSpecsTopic"], &go["isRegexPatternSubscription"]), (&json!(WANTED), &json!(true)));
    // A topic is not a pattern.
    let topic = details(&function("{input: {topics: null, sourceSpecs: {'in-.*': {}}}}"));
    assert_eq!(topic["source"]["inputSpecs"], json!({"in-.*": {}}));
}

/// The script of the Job, without quotes.
fn cleanup_script(object: &Value) -> String {
    let job = serde_json::to_value(job(object).unwrap()).unwrap();
    job["spec"]["template"]["spec"]["containers"][0]["command"][2].as_str().unwrap().replace('\'', "")
}

#[test]
fn subscriptions_are_removed_in_every_namespace() {
    let script = |input: &str| {
        let object =
            function(&format!("{{cleanupSubscription: true, subscriptionName: s, input: {{{input}}}}}"));
        cleanup_script(&object)
    };
    let several = script(
        "topics: ['persistent://a/b/t', 'persistent://c/d/t'], topicPattern: 'persistent://a/b/x.*', \
         sourceSpecs: {'persistent://e/f/x.*': {isRegexPattern: true}}",
    );
    for command in [
        "namespaces unsubscribe -s s a/b;",
        "namespaces unsubscribe -s s e/f;",
        "topics unsubscribe -s s persistent://c/d/t;",
    ] {
        assert!(several.contains(command), "{command} in {several}");
    }
    assert_eq!(several.matches("unsubscribe ").count(), 3, "{several}");
}

#[test]
fn the_topic_of_a_batch_source_is_not_partitioned() {
    let batch = |more: &str| {
        cleanup_script(&object(
            "Source",
            &format!("{{batchSourceConfig: {{discoveryTriggererClassName: T}}, {more}}}"),
        ))
    };
    let pulsarctl = batch("imageHasPulsarctl: true");
    assert!(pulsarctl.contains("topics delete -f --non-partitioned persistent://"), "{pulsarctl}");
    let admin = batch("imageHasPulsarctl: false");
    assert!(admin.contains("topics delete -f persistent://"), "{admin}");
}

#[test]
fn beside_other_containers_the_autoscaler_looks_at_the_main_one() {
    let metric = |patch: &str| {
        let object = function(&format!("{{maxReplicas: 3, {patch}}}"));
        let autoscaler = rendered(&object).horizontal_autoscaler.unwrap();
        serde_json::to_value(autoscaler.spec.metrics.unwrap().remove(0)).unwrap()
    };
    let alone = metric("logTopic: l");
    assert_eq!((&alone["type"], &alone["resource"]["name"]), (&json!("Resource"), &json!("cpu")));
    for patch in [
        "logTopic: l, logTopicAgent: sidecar",
        "pod: {sidecars: [{name: a, image: b}]}",
        "logTopic: l, logTopicAgent: sidecar, pod: {builtinAutoscaler: [AverageUtilizationCPUPercent80]}",
    ] {
        let metric = metric(patch);
        let container = json!({"container": "pulsar-function", "name": "cpu", "target": {"type": "Utilization",
            "averageUtilization": 80}});
        assert_eq!(metric, json!({"type": "ContainerResource", "containerResource": container}), "{patch}");
    }
}

/// A sidecar reads files, which these programs do not write.
#[test]
fn go_and_generic_programs_send_their_log_themselves() {
    for runtime in ["golang: {go: /go}", "genericRuntime: {functionFile: f, language: nodejs}"] {
        let object = function(&format!("{{java: null, {runtime}, logTopic: l, logTopicAgent: sidecar}}"));
        let desired = rendered(&object);
        let names: Vec<&str> =
            pod(&desired).containers.iter().map(|container| container.name.as_str()).collect();
        assert_eq!(names, ["pulsar-function"], "{runtime}");
    }
    assert_eq!(go_configuration("logTopic: l, logTopicAgent: sidecar")["logTopic"], "l");
}
